"""What all partitions share: the watermark, and the ids of what was settled."""

from typing import Final

import pytest

from streams import events as ev
from streams.feedback import FeedbackPartition
from streams.measures import Measure
from streams.partition import AT_HAND_MS, DIGEST_BYTES, Limits, Settled, digest
from streams.policy import HOUR_MS, MINUTE_MS, Policies
from tests.generate import BEGIN, written

LIMITS: Final = Limits()
HOUR: Final = BEGIN // HOUR_MS
MESSAGE: Final = '{"id":"e","type":"order.placed","time":"%s","customer_id":"k"}'


def order(at: int) -> ev.Envelope:
    event: ev.Envelope = ev.decode(ev.FEEDBACK, (MESSAGE % written(at)).encode())
    return event


def test_watermark_is_the_latest_time_and_never_goes_back() -> None:
    partition = FeedbackPartition(Policies(), LIMITS)
    for at, watermark in ((BEGIN, BEGIN), (BEGIN - 5, BEGIN), (BEGIN + 5, BEGIN + 5)):
        partition.count(order(at), at, BEGIN)
        assert partition.watermark == watermark
    partition.advance(BEGIN)
    assert partition.watermark == BEGIN + 5
    assert partition.take().watermark == BEGIN + 5
    assert not partition.changed


def test_watermark_goes_on_from_where_it_was_committed() -> None:
    partition = FeedbackPartition(Policies(), LIMITS, watermark=BEGIN)
    assert partition.take().watermark == BEGIN
    partition.count(order(BEGIN - MINUTE_MS), BEGIN - MINUTE_MS, BEGIN)
    assert partition.watermark == BEGIN


def test_event_too_far_ahead_of_now_is_refused() -> None:
    partition = FeedbackPartition(Policies(), LIMITS)
    with pytest.raises(ev.EventError) as caught:
        partition.count(order(BEGIN), BEGIN, BEGIN - LIMITS.future_ms - 1)
    assert caught.value.reason == "future"
    assert partition.watermark is None


def test_settled_ids_are_few_bytes_each_and_told_apart() -> None:
    digests = {digest(f"c{number}") for number in range(10_000)}
    assert len(digests) == 10_000
    assert {len(one) for one in digests} == {DIGEST_BYTES}
    assert digest("c1") == digest("c1")


def test_hours_in_the_store_are_missing_until_they_are_learnt() -> None:
    settled = Settled([HOUR, HOUR + 1, HOUR + 5])
    assert settled.missing(BEGIN, BEGIN + 4 * HOUR_MS) == [HOUR, HOUR + 1]
    assert not settled.known(digest("a"), 0)
    settled.learn({HOUR: digest("a") + digest("b"), HOUR + 1: b""})
    assert settled.known(digest("a"), 0)
    assert settled.known(digest("b"), 0)
    assert not settled.known(digest("c"), 0)
    assert settled.missing(BEGIN, BEGIN + 4 * HOUR_MS) == []
    assert settled.missing(BEGIN, BEGIN + 5 * HOUR_MS) == [HOUR + 5]


def test_hour_that_begins_here_is_at_hand_and_one_in_the_store_is_not_made_whole_by_adding() -> None:
    settled = Settled([HOUR])
    settled.add(HOUR + 1, digest("new"))
    settled.add(HOUR, digest("more"))
    assert settled.known(digest("new"), 0)
    # What the store has of this hour is not known here, so it still has to be asked for.
    assert not settled.known(digest("more"), 0)
    assert settled.missing(BEGIN, BEGIN + 2 * HOUR_MS) == [HOUR]


def test_hours_left_to_the_store_are_missing_again() -> None:
    settled = Settled()
    settled.add(HOUR, digest("a"))
    settled.forget(BEGIN)
    assert settled.known(digest("a"), 0)
    settled.forget(BEGIN + HOUR_MS)
    assert not settled.known(digest("a"), 0)
    assert settled.missing(BEGIN, BEGIN) == [HOUR]


def partition_with(*hours: int) -> FeedbackPartition:
    return FeedbackPartition(Policies(), LIMITS, watermark=BEGIN, settled=hours)


def test_batch_in_time_wants_no_settled_ids() -> None:
    partition = partition_with(HOUR - 1, HOUR)
    assert partition.hours_wanted([]) == []
    assert partition.hours_wanted([BEGIN - LIMITS.settling_ms, BEGIN]) == []


def test_late_event_wants_the_hours_from_its_own_to_now() -> None:
    partition = partition_with(HOUR - 9, HOUR - 3, HOUR - 1, HOUR, HOUR + 1)
    assert partition.hours_wanted([BEGIN - 3 * HOUR_MS]) == [HOUR - 3, HOUR - 1, HOUR]
    # In one batch with a later event, which may settle its contact first.
    assert partition.hours_wanted([BEGIN - HOUR_MS, BEGIN + HOUR_MS]) == [HOUR - 1, HOUR, HOUR + 1]


def test_event_older_than_what_is_remembered_wants_no_more_than_that() -> None:
    remembered = LIMITS.remember_ms // HOUR_MS
    partition = partition_with(HOUR - remembered - 1, HOUR - remembered, HOUR)
    assert partition.hours_wanted([0]) == [HOUR - remembered, HOUR]


def test_hours_at_hand_are_left_to_the_store_when_nothing_has_asked_for_long() -> None:
    partition = partition_with(HOUR)
    partition.settled.learn({HOUR: digest("a")})
    assert partition.hours_wanted([BEGIN + AT_HAND_MS]) == []
    assert partition.settled.known(digest("a"), 0)
    partition.advance(BEGIN + AT_HAND_MS + HOUR_MS)
    assert partition.hours_wanted([BEGIN + AT_HAND_MS + HOUR_MS]) == []
    assert not partition.settled.known(digest("a"), 0)


def test_take_hands_a_change_out_once() -> None:
    partition = partition_with()
    partition._row(BEGIN, ("sales", "voice"))[Measure.OFFERED] = 1
    assert [partition.changed, bool(partition.take().deltas)] == [True, True]
    assert [partition.changed, bool(partition.take().deltas)] == [False, False]
