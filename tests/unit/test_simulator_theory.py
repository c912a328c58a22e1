"""The simulator's queues against theory: batch means within the confidence interval around Erlang C and A."""

import math
from collections.abc import Callable
from itertools import pairwise
from statistics import fmean, stdev
from typing import NamedTuple

import pytest

from agents.sources.callcenter import CallCenter, Duration, Queue, Team
from agents.sources.simulator import simulate
from tests.erlang import ErlangA, ErlangC

BATCHES = 25
BATCH = 2_000
#: Student's t for 24 degrees of freedom: 99.9 % of honest runs lie within.
T = 3.745
THRESHOLD_S = 10


class Visit(NamedTuple):
    queued: int
    over: int
    answered: bool

    @property
    def wait_s(self) -> float:
        return (self.over - self.queued) / 1_000


def visits(center: CallCenter, seed: int, count: int) -> list[Visit]:
    """Count in the obvious way: every contact is queued once, then answered or abandoned."""
    queued: dict[str, int] = {}
    done: dict[str, Visit] = {}
    for moment, event in simulate(center, seed, 1_700_000_000_000):
        if event["type"] == "contact.queued":
            queued[event["contact_id"]] = moment
        elif event["type"] in {"contact.answered", "contact.abandoned"}:
            answered = event["type"] == "contact.answered"
            done[event["contact_id"]] = Visit(queued[event["contact_id"]], moment, answered)
            if len(done) == count:
                break
    # The first ones found the call center empty.
    return [done[contact] for contact in queued if contact in done][BATCH:]


def center(rate_per_hour: float, agents: int, patience_s: float | None = None) -> CallCenter:
    queue = Queue(name="q", rate_per_hour=rate_per_hour, service=Duration(60), patience_s=patience_s)
    return CallCenter(queues=(queue,), teams=(Team(queues=("q",), agents=agents),))


def assert_within(seen: list[Visit], measure: Callable[[list[Visit]], float], expected: float) -> None:
    means = [measure(seen[i : i + BATCH]) for i in range(0, BATCH * BATCHES, BATCH)]
    half_width = T * stdev(means) / math.sqrt(BATCHES)
    assert abs(fmean(means) - expected) < half_width, (fmean(means), expected, half_width)
    # An interval so wide that anything fits in it would prove nothing.
    assert half_width < 0.25 * expected


def service_level(seen: list[Visit]) -> float:
    return fmean(visit.answered and visit.wait_s <= THRESHOLD_S for visit in seen)


def delayed(seen: list[Visit]) -> float:
    return fmean(visit.wait_s > 0 for visit in seen)


def abandonment(seen: list[Visit]) -> float:
    return fmean(not visit.answered for visit in seen)


def speed_of_answer(seen: list[Visit]) -> float:
    return fmean(visit.wait_s for visit in seen if visit.answered)


def test_a_queue_of_patient_customers_is_erlang_c() -> None:
    # A small queue forgets a congestion after a dozen contacts, a large one after a hundred: so many tell more here.
    theory = ErlangC(arrivals=108 / 3600, service=1 / 60, agents=3)
    seen = visits(center(108, 3), 1, BATCH * (BATCHES + 2))
    assert_within(seen, delayed, theory.waits)
    assert_within(seen, service_level, theory.service_level(THRESHOLD_S))
    assert_within(seen, speed_of_answer, theory.speed_of_answer)
    assert abandonment(seen) == 0


def test_a_queue_of_impatient_customers_is_erlang_a() -> None:
    # More load than the agents can carry: patience alone keeps the queue short.
    theory = ErlangA(arrivals=510 / 3600, service=1 / 60, agents=8, patience=1 / 90)
    seen = visits(center(510, 8, 90), 1, BATCH * (BATCHES + 2))
    assert_within(seen, delayed, theory.waits)
    assert_within(seen, service_level, theory.answered_within(THRESHOLD_S))
    assert_within(seen, abandonment, theory.abandons)
    assert_within(seen, speed_of_answer, theory.speed_of_answer)


def test_lognormal_service_has_the_mean_and_the_spread_it_is_given() -> None:
    queue = Queue(name="q", rate_per_hour=600, service=Duration(60, cv=1.5))
    lonely = CallCenter(queues=(queue,), teams=(Team(queues=("q",), agents=200),))
    answered: dict[str, int] = {}
    talks: list[float] = []
    for moment, event in simulate(lonely, 3, 1_700_000_000_000):
        if event["type"] == "contact.answered":
            answered[event["contact_id"]] = moment
        elif event["type"] == "contact.ended":
            talks.append((moment - answered[event["contact_id"]]) / 1_000)
            if len(talks) == 20_000:
                break
    assert fmean(talks) == pytest.approx(60, rel=0.04)
    assert stdev(talks) / fmean(talks) == pytest.approx(1.5, rel=0.1)


def test_first_come_is_first_served() -> None:
    seen = [visit for visit in visits(center(510, 9), 4, 8_000) if visit.answered]
    by_arrival = sorted(seen, key=lambda visit: visit.queued)
    assert all(a.over <= b.over for a, b in pairwise(by_arrival))
