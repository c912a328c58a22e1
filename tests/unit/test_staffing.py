"""How many agents a load needs, and how long the next one waits: against Erlang C written another way."""

import pytest

from streams.staffing import agents_needed, capacity, expected_wait, recovery
from tests.erlang import ErlangC


@pytest.mark.parametrize("arrivals", [0.001, 0.02, 0.1, 0.5, 2.0])
@pytest.mark.parametrize(("took", "threshold", "target"), [(180.0, 20.0, 0.8), (240.0, 60.0, 0.95), (30.0, 0.0, 0.5)])
def test_agents_needed_are_the_fewest_that_keep_the_promise(
    arrivals: float, took: float, threshold: float, target: float
) -> None:
    needed = agents_needed(arrivals, took, threshold, target)
    assert needed is not None
    assert ErlangC(arrivals, 1 / took, needed).service_level(threshold) >= target
    fewer = ErlangC(arrivals, 1 / took, needed - 1)
    assert fewer.agents <= fewer.load or fewer.service_level(threshold) < target


def test_the_textbook_case_needs_fourteen_agents() -> None:
    # 100 calls in half an hour of 3 minutes, 80 % in 20 s: 10 Erlang, 14 agents (88.8 %; 13 give 79.5 %).
    assert agents_needed(100 / 1_800, 180.0, 20.0, 0.8) == 14


def test_nobody_comes_and_nobody_is_needed() -> None:
    assert agents_needed(0.0, 180.0, 20.0, 0.8) == 0


def test_no_number_of_agents_answers_everybody_at_once() -> None:
    assert agents_needed(0.1, 180.0, 20.0, 1.0) is None


@pytest.mark.parametrize(
    ("ahead", "free", "agents", "seconds"),
    [(0, 1, 4, 0.0), (0, 0, 4, 45.0), (3, 0, 4, 180.0), (3, 2, 4, 90.0), (1, 5, 5, 0.0)],
)
def test_each_ahead_must_see_an_agent_become_free(ahead: int, free: int, agents: int, seconds: float) -> None:
    # Four agents of three minutes: one of them becomes free every 45 s.
    assert expected_wait(ahead, free, agents, 180.0) == seconds


def test_where_nobody_serves_no_wait_is_told() -> None:
    assert expected_wait(0, 0, 0, 180.0) is None


def test_a_queue_is_worked_off_by_what_is_left_of_capacity() -> None:
    # Ten agents of 100 s take 0.1 a second; 0.06 come, so 40 who wait are done in 1,000 s.
    assert capacity(10, 100.0) == pytest.approx(0.1)
    assert recovery(40, 0.06, 10, 100.0) == pytest.approx(1_000)
    assert recovery(40, 0.1, 10, 100.0) is None
