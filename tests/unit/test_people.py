"""Agents' states: each ends the one before, in the order of their times."""

import json
from typing import Final

import pytest

from streams import events as ev
from streams.measures import Measure, Row
from streams.partition import Limits
from streams.people import AgentPartition
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS, Policies
from streams.windows import Buckets, fine, post
from tests.generate import BEGIN, written

LIMITS: Final = Limits()
POLICIES: Final = Policies(skills={"ann": ("sales", "chat")})
ENTERED: Final = Measure.STATE_ENTERED
EXITED: Final = Measure.STATE_EXITED


class Shift:
    """Feeds a partition of agents by hand."""

    def __init__(self) -> None:
        self.partition = AgentPartition(POLICIES, LIMITS)
        self.buckets = Buckets()

    def tell(self, at: int, agent: str, state: str, name: str = "", **fields: object) -> None:
        """Count a state entered ``at`` ms after the beginning, its id ``name`` or made of what it says."""
        event = {"id": name or f"{agent}-{at}-{state}", "type": "agent.state", "time": written(BEGIN + at)}
        message = json.dumps({**event, "agent_id": agent, "state": state, **fields})
        self.partition.count(ev.decode(ev.AGENTS, message.encode()), BEGIN + at, BEGIN + at)

    def counts(self, at: int, queue: str, state: str) -> tuple[int, int]:
        """Return how many entered and left a state in the bucket of ``at``."""
        post(self.buckets, self.partition.take().deltas)
        row: Row = self.buckets.get(fine(BEGIN + at), {}).get((queue, state), {})
        return row.get(ENTERED, 0), row.get(EXITED, 0)


@pytest.fixture
def shift() -> Shift:
    return Shift()


def test_state_counts_once_for_all_and_once_for_each_queue_served(shift: Shift) -> None:
    shift.tell(0, "ann", "available")
    shift.tell(0, "bob", "available", queues=["support"])
    shift.tell(0, "cid", "available")
    assert [shift.counts(0, queue, "available")[0] for queue in ("", "sales", "chat", "support")] == [3, 1, 1, 1]


def test_queues_that_the_event_names_take_the_place_of_the_skills_and_count_once(shift: Shift) -> None:
    shift.tell(0, "ann", "available", queues=["support", "support"])
    assert [shift.counts(0, queue, "available")[0] for queue in ("", "sales", "support")] == [1, 0, 1]


def test_state_ends_where_the_next_begins_with_the_queues_it_began_with(shift: Shift) -> None:
    shift.tell(0, "ann", "available", queues=["support"])
    shift.tell(MINUTE_MS, "ann", "break")
    assert shift.counts(MINUTE_MS, "support", "available") == (0, 1)
    assert shift.counts(MINUTE_MS, "sales", "break") == (1, 0)


def test_state_out_of_order_goes_between_those_around_it(shift: Shift) -> None:
    shift.tell(0, "ann", "available")
    shift.tell(2 * MINUTE_MS, "ann", "break")
    assert shift.counts(2 * MINUTE_MS, "", "available") == (0, 1)
    shift.tell(MINUTE_MS, "ann", "on_contact")
    assert shift.counts(2 * MINUTE_MS, "", "available") == (0, 0)
    assert shift.counts(MINUTE_MS, "", "available") == (0, 1)
    assert shift.counts(2 * MINUTE_MS, "", "on_contact") == (0, 1)


def test_board_is_told_of_the_latest_state_and_since_when(shift: Shift) -> None:
    shift.tell(MINUTE_MS, "ann", "on_contact")
    shift.tell(0, "ann", "available")
    assert shift.partition.take().now == {"ann": ("on_contact", BEGIN + MINUTE_MS, ("chat", "sales"))}


def test_repetition_changes_nothing(shift: Shift) -> None:
    for _ in range(3):
        shift.tell(0, "ann", "available")
    assert shift.counts(0, "", "available") == (1, 0)


def test_states_before_the_last_settled_one_are_forgotten_and_refused(shift: Shift) -> None:
    for minute in range(60):
        shift.tell(minute * MINUTE_MS, "ann", ("available", "on_contact")[minute % 2])
    assert len(shift.partition.agents["ann"]) == LIMITS.settling_ms // MINUTE_MS + 3
    with pytest.raises(ev.EventError) as caught:
        shift.tell(MINUTE_MS, "ann", "on_contact")
    assert caught.value.reason == "settled"


def test_forgotten_state_of_the_same_instant_as_the_last_settled_one_is_refused_too(shift: Shift) -> None:
    shift.tell(0, "ann", "available", "a")
    shift.tell(0, "ann", "break", "b")
    shift.tell(HOUR_MS, "ann", "available")
    shift.tell(HOUR_MS + 1, "ann", "break")
    assert shift.partition.agents["ann"][0][1] == "b"
    with pytest.raises(ev.EventError) as caught:
        shift.tell(0, "ann", "available", "a")
    assert caught.value.reason == "settled"
    shift.tell(0, "ann", "break", "b")
    assert shift.counts(0, "", "available") == (1, 1)
    assert shift.counts(0, "", "break") == (1, 0)


def test_last_settled_state_holds_however_long_it_lasts(shift: Shift) -> None:
    shift.tell(0, "ann", "available")
    shift.partition.advance(BEGIN + 3 * DAY_MS)
    shift.tell(3 * DAY_MS, "ann", "offline")
    assert shift.counts(3 * DAY_MS, "", "available") == (0, 1)


def test_agent_never_seen_counts_where_it_belongs_unless_it_is_too_late(shift: Shift) -> None:
    shift.partition.advance(BEGIN + 8 * DAY_MS)
    shift.tell(2 * DAY_MS, "ann", "available")
    assert shift.counts(2 * DAY_MS, "", "available") == (1, 0)
    with pytest.raises(ev.EventError) as caught:
        shift.tell(0, "bob", "available")
    assert caught.value.reason == "too_late"


def test_new_owner_goes_on_from_what_was_packed(shift: Shift) -> None:
    shift.tell(0, "ann", "available")
    change = shift.partition.take()
    packed = {name: data for name, data in change.open.items() if data is not None}
    post(shift.buckets, change.deltas)
    shift.partition = AgentPartition(POLICIES, LIMITS, watermark=change.watermark, packed=packed)
    shift.tell(0, "ann", "available")
    shift.tell(MINUTE_MS, "ann", "break")
    assert shift.counts(0, "", "available") == (1, 0)
    assert shift.counts(MINUTE_MS, "", "available") == (0, 1)
