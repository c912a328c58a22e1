import math

import pytest

from tests.erlang import ErlangA, ErlangC, erlang_b


@pytest.mark.parametrize(
    ("agents", "load", "blocked"),
    # The tables of Erlang B found in every book on telephone traffic.
    [(1, 1.0, 0.5), (2, 1.0, 0.2), (5, 3.0, 0.1101), (10, 10.0, 0.2146), (20, 12.03, 0.01)],
)
def test_erlang_b_agrees_with_the_tables(agents: int, load: float, blocked: float) -> None:
    assert erlang_b(agents, load) == pytest.approx(blocked, abs=5e-5)


def test_erlang_c_of_one_agent_is_the_m_m_1_queue() -> None:
    queue = ErlangC(arrivals=0.7, service=1.0, agents=1)
    assert queue.waits == pytest.approx(0.7)
    assert queue.speed_of_answer == pytest.approx(0.7 / 0.3)


def test_erlang_c_agrees_with_the_worked_example_of_the_trade() -> None:
    # 200 calls an hour of 180 s each, 14 agents: 17.4 % wait, 88.8 % within 20 s, 7.8 s on average.
    queue = ErlangC(arrivals=200 / 3600, service=1 / 180, agents=14)
    assert queue.waits == pytest.approx(0.174, abs=5e-4)
    assert queue.service_level(20) == pytest.approx(0.888, abs=5e-4)
    assert queue.speed_of_answer == pytest.approx(7.8, abs=0.05)


def test_erlang_a_and_c_agree_with_the_first_table_of_garnett_mandelbaum_and_reiman() -> None:
    # 50 agents, 48 calls a minute of one minute each, patience of two minutes on average, in seconds.
    with_patience = ErlangA(arrivals=0.8, service=1 / 60, agents=50, patience=1 / 120)
    without = ErlangC(arrivals=0.8, service=1 / 60, agents=50)
    assert with_patience.abandons == pytest.approx(0.031, abs=5e-4)
    assert with_patience.average_wait == pytest.approx(3.7, abs=0.05)
    assert without.speed_of_answer == pytest.approx(20.8, abs=0.05)


class Chain:
    """M/M/n+M solved as a birth-death chain, number by number, knowing nothing of the closed forms."""

    def __init__(self, queue: ErlangA) -> None:
        self.queue = queue
        weights = [1.0]
        for present in range(1, 400):
            leave = min(present, queue.agents) * queue.service + max(0, present - queue.agents) * queue.patience
            weights.append(weights[-1] * queue.arrivals / leave)
        self.share = [weight / math.fsum(weights) for weight in weights]

    def waits(self) -> float:
        return math.fsum(self.share[self.queue.agents :])

    def abandons(self) -> float:
        waiting = math.fsum((n - self.queue.agents) * p for n, p in enumerate(self.share) if n > self.queue.agents)
        return waiting * self.queue.patience / self.queue.arrivals

    def speed_of_answer(self) -> float:
        """Follow a customer who finds so many waiting ahead, departure by departure, to the agent."""
        total = 0.0
        served_rate = self.queue.agents * self.queue.service
        for present, share in enumerate(self.share[self.queue.agents :]):
            waiting = present + 1
            answered = served_rate / (served_rate + waiting * self.queue.patience)
            wait = math.fsum(1 / (served_rate + i * self.queue.patience) for i in range(1, waiting + 1))
            total += share * answered * wait
        return total / (1 - self.abandons())

    def answered_within(self, threshold: float) -> float:
        """Step the same journey through small slices of time."""
        served_rate = self.queue.agents * self.queue.service
        here = [0.0, *self.share[self.queue.agents : self.queue.agents + 60]]
        answered = 1 - self.waits()
        steps = 4_000
        slice_ = threshold / steps
        leave = [served_rate + i * self.queue.patience for i in range(len(here))]
        for _ in range(steps):
            # Half a step at a time (the midpoint rule), so that the slices may be few.
            middle = self._moved(here, here, leave, slice_ / 2)
            answered += slice_ * served_rate * middle[1]
            here = self._moved(here, middle, leave, slice_)
        return answered

    def _moved(self, here: list[float], slope_at: list[float], leave: list[float], time: float) -> list[float]:
        moved = here[:]
        for i in range(1, len(here)):
            from_behind = 0.0
            if i + 1 < len(here):
                from_behind = slope_at[i + 1] * (leave[i + 1] - self.queue.patience)
            moved[i] += time * (from_behind - slope_at[i] * leave[i])
        return moved


@pytest.mark.parametrize(
    "queue",
    [
        ErlangA(arrivals=2.7, service=1.0, agents=3, patience=0.5),
        ErlangA(arrivals=12.0, service=1.0, agents=10, patience=0.8),
        ErlangA(arrivals=8.0, service=1.0, agents=10, patience=2.0),
    ],
)
def test_erlang_a_agrees_with_its_birth_death_chain(queue: ErlangA) -> None:
    chain = Chain(queue)
    assert queue.waits == pytest.approx(chain.waits(), rel=1e-9)
    assert queue.abandons == pytest.approx(chain.abandons(), rel=1e-9)
    assert queue.speed_of_answer == pytest.approx(chain.speed_of_answer(), rel=1e-6)
    assert queue.answered_within(0.3) == pytest.approx(chain.answered_within(0.3), rel=1e-5)


def test_erlang_a_of_endless_patience_is_erlang_c() -> None:
    patient = ErlangA(arrivals=8.5, service=1.0, agents=10, patience=1e-6)
    queue = ErlangC(arrivals=8.5, service=1.0, agents=10)
    assert patient.waits == pytest.approx(queue.waits, rel=1e-3)
    assert patient.abandons == pytest.approx(0, abs=1e-5)


def test_everybody_who_does_not_abandon_is_answered_in_the_end() -> None:
    queue = ErlangA(arrivals=12.0, service=1.0, agents=10, patience=0.8)
    assert queue.answered_within(60) == pytest.approx(1 - queue.abandons, rel=1e-6)
