"""Agents one by one: the time in each state, and the scheduled time spent at work."""

from typing import Final

import pytest

from streams import events as ev
from streams.measures import Measure
from streams.partition import Limits
from streams.people import WORKING, AgentPartition, adhered_ms
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS, Opening, Policies
from streams.windows import INTERVAL_MS, Buckets, interval, post, state_ms
from tests.generate import BEGIN

LIMITS: Final = Limits()
#: BEGIN is a Friday, 8:00: ann works from 8:10 to 9:05 and from 9:30 to 10:00.
POLICIES: Final = Policies(
    skills={"ann": ("sales", "chat")}, schedules={"ann": (Opening(4, 490, 545), Opening(4, 570, 600))}
)


class Week:
    """Feeds a partition of agents by hand and keeps what it counts aside."""

    def __init__(self) -> None:
        self.partition = AgentPartition(POLICIES, LIMITS)
        self.aside = Buckets()

    def tell(self, minute: float, state: str, agent: str = "ann") -> None:
        """Count a state entered so many minutes after the beginning."""
        at = BEGIN + round(minute * MINUTE_MS)
        event = ev.AgentState(
            id=f"{minute} {state}",
            time=ev.EPOCH,
            agent_id=agent,
            state=state,  # type: ignore[arg-type] # one of those
        )
        self.partition.count(event, at, at)
        post(self.aside, self.partition.take().aside)

    def adhered(self, agent: str = "ann") -> dict[int, float]:
        """Return the minutes credited, by the intervals since the beginning."""
        first = interval(BEGIN)
        rows = {number - first: places.get((agent, "@agent"), {}) for number, places in self.aside.items()}
        return {number: row[Measure.ADHERED_MS] / MINUTE_MS for number, row in sorted(rows.items()) if row}


@pytest.fixture
def week() -> Week:
    return Week()


def test_work_is_credited_to_each_interval_its_part_of_what_was_scheduled(week: Week) -> None:
    week.tell(0, "available")
    assert week.adhered() == {}, "what lasts is not over"
    week.tell(100, "offline")
    assert week.adhered() == {0: 5, 1: 15, 2: 15, 3: 15, 4: 5, 6: 10}


def test_state_within_one_interval_is_credited_to_the_millisecond(week: Week) -> None:
    week.tell(10.5, "on_contact")
    week.tell(11.00005, "break")
    assert week.adhered() == {0: (round(11.00005 * MINUTE_MS) - 630_000) / MINUTE_MS}


@pytest.mark.parametrize("state", ev.AGENT_STATES)
def test_only_states_of_work_adhere(week: Week, state: str) -> None:
    week.tell(15, state)
    week.tell(20, "offline")
    assert week.adhered() == ({1: 5} if state in {"available", "offered", "on_contact", "wrap_up"} else {})
    assert adhered_ms(POLICIES, "ann", state, BEGIN, BEGIN + DAY_MS) == (85 * MINUTE_MS if state in WORKING else 0)


def test_late_event_takes_back_what_it_proves_wrong(week: Week) -> None:
    week.tell(15, "available")
    week.tell(32, "on_contact")
    week.tell(24, "break")
    assert week.adhered() == {1: 9}
    week.tell(28, "available")
    assert week.adhered() == {1: 11, 2: 2}


def test_work_that_only_changes_its_name_is_credited_as_one(week: Week) -> None:
    week.tell(15, "available")
    week.tell(40, "break")
    week.tell(20, "on_contact")
    week.tell(35, "wrap_up")
    assert week.adhered() == {1: 15, 2: 10}


def test_who_has_no_schedule_is_credited_nothing(week: Week) -> None:
    week.tell(0, "available", "bob")
    week.tell(100, "offline", "bob")
    assert week.adhered("bob") == {}
    assert ("bob", "@available") in week.aside[interval(BEGIN)]


def test_time_in_each_state_is_kept_for_each_agent_alone(week: Week) -> None:
    week.tell(0, "available")
    week.tell(5, "available", "bob")
    week.tell(20, "break")
    week.tell(50, "available")
    end = BEGIN + HOUR_MS
    rows = [places.get(("ann", "@available"), {}) for number, places in sorted(week.aside.items())]
    row = {measure: sum(each.get(measure, 0) for each in rows) for measure in range(100)}
    assert state_ms(row, BEGIN, end, level_at_end=1) == 30 * MINUTE_MS
    assert INTERVAL_MS * len(week.aside) == HOUR_MS - INTERVAL_MS, "kept by the interval, where there is something"
