"""The open contacts of a partition: ghosts, late exits, what is settled, what is too late, and what is forgotten."""

import json
from typing import Any, Final

import pytest

from streams import events as ev
from streams.measures import Measure
from streams.names import OTHER
from streams.partition import Limits
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS
from tests.generate import BEGIN, written
from tests.unit.desk import CHAT, LIMITS, SALES, Desk

LONGEST: Final = 4 * HOUR_MS


@pytest.fixture
def desk() -> Desk:
    return Desk()


def refusal(desk: Desk, message: dict[str, Any]) -> str:
    """Return why an event is refused."""
    with pytest.raises(ev.EventError) as caught:
        desk.repeat(message)
    return caught.value.reason


def test_ghost_is_lost_when_others_carry_the_watermark_past_the_longest_credible_wait(desk: Desk) -> None:
    desk.tell(0, "ghost", "queued", queue="sales")
    desk.tell(LONGEST - 1, "other", "started")
    assert desk.row() == {Measure.OFFERED: 1}
    assert desk.now["ghost"] == (*SALES, BEGIN)
    desk.tell(LONGEST, "other", "ended")
    assert desk.at(LONGEST) == {Measure.LOST: 1}
    assert desk.now["ghost"] is None


@pytest.mark.parametrize("restarted", [False, True])
def test_late_exit_takes_lost_back_and_counts_with_its_whole_wait(desk: Desk, *, restarted: bool) -> None:
    desk.tell(0, "c", "queued", queue="sales")
    desk.pass_to(LONGEST)
    if restarted:
        desk.restart()
    desk.tell(LONGEST + HOUR_MS, "c", "answered", agent_id="ann")
    wait = LONGEST + HOUR_MS
    assert desk.row() == {Measure.OFFERED: 1, Measure.ANSWERED: 1, Measure.WAIT_ANSWERED_MS: wait}


@pytest.mark.parametrize("restarted", [False, True])
def test_exit_from_before_the_loss_that_comes_after_it_takes_it_back(desk: Desk, *, restarted: bool) -> None:
    desk.tell(0, "c", "queued", queue="sales")
    desk.tell(60_000, "c", "queued", queue="sales")
    desk.pass_to(LONGEST)
    if restarted:
        desk.restart()
    desk.tell(30_000, "c", "abandoned")
    # Then the second coming was a visit of its own, and it is this one that is lost.
    assert desk.row() == {
        Measure.OFFERED: 2,
        Measure.ABANDONED: 1,
        Measure.WAIT_ABANDONED_MS: 30_000,
    }
    desk.pass_to(LONGEST + 60_000)
    assert desk.at(LONGEST + 60_000) == {Measure.LOST: 1}


def test_lost_and_then_queued_for_another_queue_has_overflowed(desk: Desk) -> None:
    desk.tell(0, "c", "queued", queue="sales")
    desk.pass_to(LONGEST)
    desk.tell(LONGEST + 5, "c", "queued", queue="chat")
    assert desk.row() == {Measure.OFFERED: 1, Measure.LEFT_OVERFLOW: 1}
    assert desk.row(CHAT) == {Measure.OFFERED: 1}
    assert desk.now["c"] == (*CHAT, BEGIN + LONGEST + 5)


def test_each_queue_has_its_own_longest_credible_wait(desk: Desk) -> None:
    desk.tell(0, "c", "queued", queue="chat")
    desk.pass_to(HOUR_MS)
    assert desk.at(HOUR_MS, CHAT) == {Measure.LOST: 1}


def test_lost_stays_lost_when_it_is_settled_and_its_exit_comes_too_late(desk: Desk) -> None:
    desk.tell(0, "c", "queued", queue="sales")
    desk.pass_to(DAY_MS)
    assert not desk.keeps("c")
    event = {"id": "x", "type": "contact.abandoned", "time": written(BEGIN + 5 * HOUR_MS)}
    assert refusal(desk, {**event, "contact_id": "c", "channel": "voice"}) == "settled"
    assert desk.row() == {Measure.OFFERED: 1, Measure.LOST: 1}


def visit(desk: Desk, begin: int, contact: str = "c") -> list[dict[str, Any]]:
    """Tell of an answered call that ends a minute after ``begin``, with a wrap-up."""
    return [
        desk.tell(begin, contact, "queued", queue="sales"),
        desk.tell(begin + 10_000, contact, "answered", agent_id="ann"),
        desk.tell(begin + 60_000, contact, "ended"),
        desk.tell(begin + 70_000, contact, "wrapped"),
    ]


ONE_VISIT: Final = {
    Measure.OFFERED: 1,
    Measure.ANSWERED: 1,
    Measure.ANSWERED_WITHIN_TARGET: 1,
    Measure.WAIT_ANSWERED_MS: 10_000,
    Measure.HANDLED: 1,
    Measure.TALK_MS: 50_000,
    Measure.WRAP_UP_MS: 10_000,
}


@pytest.mark.parametrize("restarted", [False, True])
def test_repetition_hours_later_is_refused_as_settled_and_counts_nothing(desk: Desk, *, restarted: bool) -> None:
    events = visit(desk, 0)
    desk.pass_to(5 * HOUR_MS)
    if restarted:
        desk.restart()
    assert [refusal(desk, event) for event in events] == ["settled"] * 4
    assert desk.row() == ONE_VISIT


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("kind", ["queued", "resolved"])
def test_repetition_of_a_settled_life_is_refused_when_the_contact_has_come_back_since(
    desk: Desk, kind: str, *, restarted: bool
) -> None:
    events = visit(desk, 0)
    desk.pass_to(HOUR_MS)
    desk.tell(HOUR_MS, "c", kind, **({"queue": "chat"} if kind == "queued" else {}))
    if restarted:
        desk.restart()
    desk.pass_to(HOUR_MS + 11 * MINUTE_MS)
    assert [refusal(desk, event) for event in events] == ["settled"] * 4
    assert desk.row() == ONE_VISIT
    assert desk.row(CHAT) == ({Measure.OFFERED: 1} if kind == "queued" else {})


def test_repetition_within_the_settling_time_changes_nothing(desk: Desk) -> None:
    for event in visit(desk, 0):
        desk.repeat(event)
        desk.repeat(event)
    assert desk.row() == ONE_VISIT


def test_contact_is_settled_when_the_watermark_is_past_its_last_event_by_more_than_the_settling_time(
    desk: Desk,
) -> None:
    visit(desk, 0)
    desk.pass_to(70_000 + LIMITS.settling_ms)
    assert desk.keeps("c")
    desk.pass_to(70_000 + LIMITS.settling_ms + 1)
    assert not desk.keeps("c")
    assert desk.partition.contacts == {}


def test_contact_without_its_wrap_up_waits_for_it_before_it_settles(desk: Desk) -> None:
    desk.tell(0, "c", "queued", queue="sales")
    desk.tell(0, "c", "answered", agent_id="ann")
    desk.tell(60_000, "c", "ended")
    desk.pass_to(60_000 + LIMITS.wrap_up_ms + LIMITS.settling_ms)
    desk.tell(60_000 + LIMITS.wrap_up_ms, "c", "wrapped")
    assert desk.row()[Measure.WRAP_UP_MS] == LIMITS.wrap_up_ms
    desk.pass_to(60_000 + LIMITS.wrap_up_ms + LIMITS.settling_ms + 1)
    assert not desk.keeps("c")


def test_hold_that_comes_before_its_visit_is_kept_though_the_contact_had_ended_long_ago(desk: Desk) -> None:
    visit(desk, 0)
    # Within the settling time, and in the wrong order: the end of the first visit is hours ago by then.
    desk.tell(HOUR_MS + 30_000, "c", "held")
    desk.tell(HOUR_MS + 40_000, "c", "ended")
    desk.tell(HOUR_MS, "c", "queued", queue="sales")
    desk.tell(HOUR_MS + 20_000, "c", "answered", agent_id="ann")
    assert desk.row()[Measure.HOLD_MS] == 10_000


def test_contact_that_never_ended_is_settled_a_day_after_its_last_event_of_any_kind(desk: Desk) -> None:
    desk.tell(0, "c", "started")
    message = {"id": "m", "type": "message.received", "time": written(BEGIN + HOUR_MS)}
    desk.repeat({**message, "contact_id": "c", "channel": "chat"})
    desk.pass_to(HOUR_MS + DAY_MS - 1)
    assert desk.keeps("c")
    desk.pass_to(HOUR_MS + DAY_MS)
    assert not desk.keeps("c")
    assert desk.buckets == {}


def test_late_event_of_a_contact_never_seen_counts_in_its_own_bucket(desk: Desk) -> None:
    desk.pass_to(5 * DAY_MS)
    visit(desk, 0)
    assert desk.at(0) == {Measure.OFFERED: 1}
    assert desk.at(60_000) == {Measure.HANDLED: 1, Measure.TALK_MS: 50_000}
    assert desk.row() == ONE_VISIT
    # The rest of it may come late as well, so it is open for the settling time, and then settled.
    desk.pass_to(5 * DAY_MS + LIMITS.settling_ms - 1)
    assert desk.keeps("c")
    desk.pass_to(5 * DAY_MS + LIMITS.settling_ms)
    assert not desk.keeps("c")


def test_event_older_than_the_ids_remembered_is_too_late(desk: Desk) -> None:
    desk.pass_to(8 * DAY_MS)
    event = {"id": "x", "type": "contact.started", "contact_id": "new", "channel": "voice"}
    assert refusal(desk, {**event, "time": written(BEGIN + DAY_MS - 1)}) == "too_late"
    desk.repeat({**event, "time": written(BEGIN + DAY_MS)})
    assert desk.keeps("new")


def test_event_ahead_of_now_by_more_than_is_allowed_is_refused_and_moves_no_watermark(desk: Desk) -> None:
    message = {"id": "x", "type": "contact.started", "time": written(BEGIN), "contact_id": "c", "channel": "voice"}
    event = ev.decode(ev.CALLS, json.dumps(message).encode())
    with pytest.raises(ev.EventError) as caught:
        desk.partition.count(event, BEGIN, BEGIN - LIMITS.future_ms - 1)
    assert caught.value.reason == "future"
    assert desk.partition.watermark is None
    desk.partition.count(event, BEGIN, BEGIN - LIMITS.future_ms)
    assert desk.partition.watermark == BEGIN


def test_unlisted_queues_count_under_their_own_names_up_to_the_limit_and_then_as_other() -> None:
    desk = Desk(limits=Limits(unlisted_queues=2))
    for number, queue in enumerate(("one", "sales", "two", "three", "one", "four", "chat")):
        desk.tell(number, f"c{number}", "queued", queue=queue)
    assert [desk.row((queue, "voice")).get(Measure.OFFERED, 0) for queue in ("one", "two", "three", "four")] == [
        2,
        1,
        0,
        0,
    ]
    assert desk.row((OTHER, "voice")) == {Measure.OFFERED: 2}
    assert desk.row() == desk.row(CHAT) == {Measure.OFFERED: 1}


def test_names_of_unlisted_queues_outlast_a_restart() -> None:
    desk = Desk(limits=Limits(unlisted_queues=1))
    desk.tell(0, "a", "queued", queue="one")
    desk.tell(1, "b", "queued", queue="two")
    desk.restart()
    desk.tell(2, "c", "queued", queue="two")
    desk.tell(3, "d", "queued", queue="one")
    assert desk.row(("one", "voice")) == desk.row((OTHER, "voice")) == {Measure.OFFERED: 2}


@pytest.mark.parametrize("kind", ["started", "offered", "declined", "resolved", "reopened"])
def test_events_that_move_no_contact_count_nothing_and_keep_it_alive(desk: Desk, kind: str) -> None:
    desk.tell(0, "c", "queued", queue="sales")
    desk.tell(5 * HOUR_MS, "c", kind, **({"agent_id": "ann"} if kind in ("offered", "declined") else {}))
    assert desk.row() == {Measure.OFFERED: 1, Measure.LOST: 1}
    desk.pass_to(DAY_MS + 5 * HOUR_MS - 1)
    assert desk.keeps("c")


def test_board_is_told_when_a_wait_begins_and_ends_and_of_nothing_else(desk: Desk) -> None:
    partition = desk.partition
    told = []
    for at, kind, fields in (
        (0, "queued", {"queue": "sales"}),
        (1, "offered", {"agent_id": "ann"}),
        (2, "queued", {"queue": "sales"}),
        (3, "queued", {"queue": "chat"}),
        (4, "answered", {"agent_id": "ann"}),
        (5, "held", {}),
        (6, "ended", {}),
    ):
        message = {"id": str(at), "type": f"contact.{kind}", "time": written(BEGIN + at), "contact_id": "c"}
        event = ev.decode(ev.CALLS, json.dumps({**message, "channel": "voice", **fields}).encode())
        partition.count(event, BEGIN + at, BEGIN + at)
        told.append(partition.take().now)
    assert told == [{"c": (*SALES, BEGIN)}, {}, {}, {"c": (*CHAT, BEGIN + 3)}, {"c": None}, {}, {}]


def test_event_out_of_order_takes_back_what_it_proves_wrong(desk: Desk) -> None:
    desk.tell(0, "c", "queued", queue="sales")
    desk.tell(60_000, "c", "ended")
    assert desk.row() == {Measure.OFFERED: 1, Measure.ABANDONED: 1, Measure.WAIT_ABANDONED_MS: 60_000}
    desk.tell(10_000, "c", "answered", agent_id="ann")
    expected = {measure: amount for measure, amount in ONE_VISIT.items() if measure != Measure.WRAP_UP_MS}
    assert desk.row() == expected


def test_timers_do_not_outgrow_the_contacts_that_set_them(desk: Desk) -> None:
    # Every wait sets a timer hours ahead, which nothing needs once the call is over.
    for number in range(3_000):
        begin = number * MINUTE_MS // 2
        desk.tell(begin, f"c{number}", "queued", queue="sales")
        desk.tell(begin + 1_000, f"c{number}", "abandoned")
    contacts = len(desk.partition.contacts)
    assert contacts < 30
    assert len(desk.partition._timers) <= 4 * contacts + 1_001
    desk.pass_to(2 * DAY_MS)
    assert desk.partition.contacts == {}
    assert desk.row()[Measure.ABANDONED] == 3_000


def test_nothing_to_commit_but_the_watermark_is_no_change(desk: Desk) -> None:
    assert not desk.partition.changed
    desk.partition.advance(BEGIN)
    assert not desk.partition.changed
    desk.partition.advance(BEGIN - 1)
    assert desk.partition.take().watermark == BEGIN


def test_lost_stays_lost_at_once_when_an_event_from_before_its_visit_comes_late(desk: Desk) -> None:
    desk.tell(0, "c", "queued", queue="sales")
    desk.pass_to(LONGEST)
    desk.tell(-5_000, "c", "ended")
    assert desk.row() == {Measure.OFFERED: 1, Measure.LOST: 1}
    assert desk.now["c"] is None


def test_event_with_an_id_already_seen_changes_nothing_whatever_it_says(desk: Desk) -> None:
    told = desk.tell(0, "c", "queued", queue="sales")
    desk.tell(10_000, "c", "abandoned")
    desk.repeat({**told, "time": written(BEGIN + 60_000), "queue": "chat"})
    assert (desk.row()[Measure.OFFERED], desk.row(CHAT)) == (1, {})


def test_id_is_remembered_by_the_hour_in_which_its_contact_was_over_whenever_that_is_noticed(desk: Desk) -> None:
    for contact, passing in (("c1", LIMITS.settling_ms + 2), ("c2", DAY_MS)):
        begin = 0 if contact == "c1" else 2 * HOUR_MS
        desk.tell(begin, contact, "queued", queue="sales")
        desk.tell(begin + 1_000, contact, "abandoned")
        desk.pass_to(begin + 1_000 + passing)
    first = (BEGIN + 1_000 + LIMITS.settling_ms + 1) // HOUR_MS
    assert sorted(desk.settled) == [first, first + 2]
