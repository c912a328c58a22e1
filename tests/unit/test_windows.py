"""Buckets, windows, totals and midnights, by hand; the property tests hold them against sums and integrals."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from streams.events import milliseconds
from streams.measures import Measure
from streams.policy import DAY_MS, HOUR_MS
from streams.windows import (
    FINE_MS,
    INTERVAL_MS,
    Buckets,
    Rolling,
    Totals,
    coarse,
    fine,
    interval,
    interval_of_fine,
    midnight,
    post,
    state_ms,
)

SALES: Final = ("sales", "voice")


def offered(number: int, amount: int = 1) -> Buckets:
    return {number: {SALES: {Measure.OFFERED: amount}}}


def test_bucket_holds_its_start_and_not_its_end() -> None:
    assert (fine(0), fine(9_999), fine(10_000)) == (0, 0, 1)
    assert (interval(0), interval(INTERVAL_MS - 1), interval(INTERVAL_MS)) == (0, 0, 1)
    assert all(interval_of_fine(fine(at)) == interval(at) for at in range(0, 3 * INTERVAL_MS, 4_321))


def test_fine_buckets_sum_to_intervals_and_what_cancels_out_is_gone() -> None:
    deltas = {**offered(89, 2), **offered(90, 3), **offered(91, -3)}
    assert coarse(deltas) == {0: {SALES: {Measure.OFFERED: 2}}, 1: {SALES: {}}}


def test_late_event_counts_in_its_own_bucket_of_a_window_that_has_moved_on() -> None:
    window, buckets = Rolling(60_000), Buckets()
    window.move(100, buckets)
    for number, seen in ((94, 0), (95, 1), (100, 2), (101, 2)):
        post(buckets, offered(number))
        window.post(offered(number))
        assert window.sums.get(SALES, {}).get(Measure.OFFERED, 0) == seen


def test_window_that_was_never_placed_counts_nothing_until_it_is() -> None:
    window = Rolling(60_000)
    assert window.first is None
    assert window.post(offered(5)) == set()
    assert window.move(5, offered(5)) == {SALES}
    assert window.sums == offered(5)[5]
    assert window.move(1_000, offered(5)) == {SALES}
    assert window.sums == {}


def test_counter_never_goes_down_and_owes_what_was_taken_back() -> None:
    totals, seen = Totals(), []
    for amount in (3, -2, 1, 4, -1):
        assert totals.post([{SALES: {Measure.OFFERED: amount}}]) == {SALES}
        counters, owed = totals.rows[SALES]
        seen.append((counters[Measure.OFFERED], owed.get(Measure.OFFERED, 0)))
    assert seen == [(3, 0), (3, 2), (3, 1), (6, 0), (6, 1)]


def test_moments_are_no_counter() -> None:
    totals = Totals()
    totals.post([{SALES: {Measure.MOMENTS_MS: 5, Measure.LOST: 1}}])
    assert totals.rows[SALES] == ({Measure.LOST: 1}, {})


def test_time_in_a_state_by_hand() -> None:
    # Of two agents who are there at the end, one came after 20 s; a third left after 5 s: 60 + 40 + 5.
    moments = -20_000 + 5_000
    row = {int(Measure.STATE_ENTERED): 1, int(Measure.STATE_EXITED): 1, int(Measure.MOMENTS_MS): moments}
    assert state_ms(row, 0, 60_000, 2) == 105_000


def at(zone: str, text: str, fold: int = 0) -> int:
    return milliseconds(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", "2026-03-29", 24),
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/New_York", "2026-03-08", 23),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        # Where the clock is put forward at midnight, the day begins at 1:00; back, and its first hour comes twice.
        ("America/Havana", "2026-03-08", 23),
        ("America/Havana", "2026-11-01", 25),
        ("Asia/Kathmandu", "2026-06-01", 24),
    ],
)
def test_day_begins_at_local_midnight_and_lasts_as_long_as_it_does(zone: str, day: str, hours: float) -> None:
    tomorrow = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
    begins, ends = at(zone, f"{day}T00:00"), at(zone, f"{tomorrow}T00:00")
    assert ends - begins == hours * HOUR_MS
    for moment in range(begins, ends, 7 * 60_000):
        assert midnight(moment, ZoneInfo(zone)) == begins
    assert midnight(begins - 1, ZoneInfo(zone)) < begins
    assert midnight(ends - 1, ZoneInfo(zone)) == begins
    assert midnight(ends, ZoneInfo(zone)) == ends


def test_midnight_begins_a_fine_bucket_in_every_zone() -> None:
    for zone in ("Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Chatham"):
        begins = midnight(at(zone, "2026-06-01T12:34:56"), ZoneInfo(zone))
        assert begins % FINE_MS == 0
        # And an interval: the offsets that there are today are multiples of a quarter of an hour.
        assert begins % INTERVAL_MS == 0
        assert begins % DAY_MS != 0
