"""The model: what is added up as it comes is what is counted anew, and nothing of it grows for ever."""

import random
from zoneinfo import ZoneInfo

import pytest

from agents.board.model import TODAY, Book, Model
from agents.store import Delta, Snapshot
from streams.measures import Measure
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS
from streams.windows import FINE_MS, Buckets, coarse, fine, interval, midnight, post
from tests.unit.life import START, WINDOWS

UTC = ZoneInfo("UTC")
SALES = ("sales", "voice")


def one(at: int, amount: int = 1) -> Buckets:
    return {fine(at): {SALES: {Measure.OFFERED: amount}}}


def delta(at: int, amount: int = 1) -> Delta:
    return Delta(one(at, amount), {}, {})


def snapshot(buckets: Buckets | None = None) -> Snapshot:
    return Snapshot("", None, buckets or {}, coarse(buckets or {}), {}, {}, {})


def model_at(now: int, zone: ZoneInfo = UTC) -> Model:
    model = Model(WINDOWS, zone)
    model.start("calls/0", snapshot())
    model.move(now)
    return model


def offered(model: Model, window: str) -> int:
    return model.contacts.sums(window).get(SALES, {}).get(Measure.OFFERED, 0)


@pytest.mark.parametrize("seed", range(5))
def test_windows_moved_at_random_hold_what_their_buckets_hold(seed: int) -> None:
    rng = random.Random(seed)
    book, now, everything = Book(WINDOWS, UTC), START, Buckets()
    book.move(now)
    for _ in range(400):
        change = one(now - rng.choice([0, 0, 1, 5, 59, 60]) * rng.randrange(MINUTE_MS) + rng.randrange(20_000))
        post(everything, change)
        book.post(change)
        now += rng.choice([0, 100, 9_999, 10_000, 70_000])
        book.move(now)
        for label, length in WINDOWS.items():
            held = range(fine(now) - length // FINE_MS + 1, fine(now) + 1)
            expected = sum(everything[n][SALES][Measure.OFFERED] for n in held if n in everything)
            assert book.sums(label).get(SALES, {}).get(Measure.OFFERED, 0) == expected


def test_an_event_leaves_a_window_with_its_bucket() -> None:
    model = model_at(START)
    model.apply("calls/0", delta(START))
    model.move(START + MINUTE_MS - 1)
    assert offered(model, "1m") == 1
    model.move(START + MINUTE_MS)
    assert offered(model, "1m") == 0
    assert offered(model, "5m") == 1


def test_an_event_a_little_ahead_counts_once_now_is_there() -> None:
    model = model_at(START)
    model.apply("calls/0", delta(START + 30_000))
    assert offered(model, "1m") == 0
    model.move(START + 30_000)
    assert offered(model, "1m") == 1


def test_what_is_taken_back_later_is_gone_from_the_windows() -> None:
    model = model_at(START)
    model.apply("calls/0", delta(START))
    model.apply("calls/0", delta(START, -1))
    assert [offered(model, window) for window in (*WINDOWS, TODAY)] == [0, 0, 0, 0]
    assert model.counters() == {SALES: {Measure.OFFERED: 1}}


def test_counters_pay_what_is_owed_before_they_rise_again() -> None:
    model = model_at(START)
    seen = []
    for amount in (2, -1, 1, 1):
        model.apply("calls/0", delta(START, amount))
        seen.append(model.counters()[SALES][Measure.OFFERED])
    assert seen == [2, 2, 2, 3]


def test_counters_add_up_over_partitions_and_leave_agents_out() -> None:
    model = model_at(START)
    model.start("calls/1", snapshot())
    model.start("agents/0", snapshot())
    for partition in ("calls/0", "calls/1", "agents/0"):
        model.apply(partition, delta(START, 2))
    assert model.counters() == {SALES: {Measure.OFFERED: 4}}


def test_today_begins_anew_at_local_midnight() -> None:
    zone = ZoneInfo("America/New_York")
    start = midnight(START, zone) + DAY_MS
    model = model_at(start - 1, zone)
    model.apply("calls/0", delta(start - 1))
    model.apply("calls/0", delta(start, 3))
    assert offered(model, TODAY) == 1
    model.move(start)
    assert offered(model, TODAY) == 3
    assert model.contacts.start_of(TODAY) == start


@pytest.mark.parametrize(("noon", "hours"), [(1_774_778_400_000, 23), (1_792_926_000_000, 25)])
def test_today_has_23_or_25_hours_when_the_clocks_change(noon: int, hours: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = midnight(noon, zone)
    end = midnight(noon + DAY_MS, zone)
    assert end - start == hours * HOUR_MS
    model = model_at(end - 1, zone)
    for at in (start - 1, start, end - 1, end):
        model.apply("calls/0", delta(at))
    assert offered(model, TODAY) == 2


def test_a_partition_taken_up_while_running_counts_in_every_window() -> None:
    model = model_at(START)
    model.apply("calls/0", delta(START))
    model.start("calls/1", snapshot(one(START, 2)))
    model.move(START)
    assert [offered(model, window) for window in (*WINDOWS, TODAY)] == [3, 3, 3, 3]


def test_a_snapshot_is_asked_for_from_the_longest_window_and_midnight_on() -> None:
    fines, intervals = model_at(START).wanted(START)
    assert fine(START - HOUR_MS + FINE_MS) in fines
    assert fine(START + MINUTE_MS) in fines
    assert (intervals.start, intervals.stop) == (interval(midnight(START, UTC)), interval(START + MINUTE_MS) + 1)


def test_nothing_of_the_model_grows_with_time() -> None:
    model, now = model_at(START), START
    for number in range(4_000):
        now += MINUTE_MS
        name = f"c{number}"
        model.apply("calls/0", Delta(one(now), {name: ("sales", "voice", now)}, {"event:contact.queued": number}))
        model.apply("calls/0", Delta(one(now - 3 * DAY_MS), {name: None}, {}))
        model.move(now)
    book = model.contacts
    assert len(book._fine) <= HOUR_MS // FINE_MS + MINUTE_MS // FINE_MS
    assert len(book._days) == 1
    assert model._places == {}
    assert model.waiting == {SALES: {}}
    assert model.stats == {"calls/0": {"event:contact.queued": 3_999}}


def test_who_moves_to_another_queue_waits_there_alone() -> None:
    model = model_at(START)
    for queue in ("sales", "support"):
        model.apply("calls/0", Delta({}, {"c1": (queue, "voice", START)}, {}))
    assert {place: list(waits.values()) for place, waits in model.waiting.items() if waits} == {
        ("support", "voice"): [START]
    }


def test_the_same_contact_id_in_two_topics_is_two_contacts() -> None:
    model = model_at(START)
    model.start("chats/0", snapshot())
    model.apply("calls/0", Delta({}, {"c1": ("sales", "voice", START)}, {}))
    model.apply("chats/0", Delta({}, {"c1": ("sales", "voice", START + 1)}, {}))
    model.apply("calls/0", Delta({}, {"c1": None}, {}))
    assert list(model.waiting[SALES].values()) == [START + 1]
