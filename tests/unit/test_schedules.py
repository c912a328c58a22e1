"""When agents are scheduled, held against a walk minute by minute through the clock on the wall."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS, Opening, Policies, Promise
from streams.schedules import scheduled_ms, shifts

ZONES: Final = ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")


def ms(text: str, zone: str = "UTC") -> int:
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return (local - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def policies_of(zone: str, *openings: tuple[int, int, int], holidays: tuple[str, ...] = ()) -> Policies:
    shifts_of_ann = tuple(Opening(*each) for each in openings)
    return Policies(timezone=zone, schedules={"ann": shifts_of_ann}, default=Promise(holidays=frozenset(holidays)))


def minutes(policies: Policies, start: int, end: int) -> set[int]:
    """Return the minutes, by their first ms, at which the clock on the wall shows a time of a shift."""
    found = set()
    for at in range(start, end, MINUTE_MS):
        local = datetime.fromtimestamp(at // 1_000, ZoneInfo(policies.timezone))
        minute = local.hour * 60 + local.minute
        if local.date().isoformat() not in policies.default.holidays and any(
            each.weekday == local.weekday() and each.opens <= minute < each.closes for each in policies.schedules["ann"]
        ):
            found.add(at)
    return found


def test_shift_is_a_stretch_of_its_weekday_cut_to_what_is_asked() -> None:
    # 5 January 2026 is a Monday.
    policies = policies_of("UTC", (0, 540, 720), (0, 780, 1_020))
    nine, noon, one = (ms(f"2026-01-05T{clock}") for clock in ("09:00", "12:00", "13:00"))
    assert shifts(policies, "ann", nine - 1, one + 1) == [(nine, noon), (one, one + 1)]
    assert shifts(policies, "ann", nine + 7, noon - 7) == [(nine + 7, noon - 7)]
    assert shifts(policies, "ann", noon, one) == []
    assert scheduled_ms(policies, "ann", nine - DAY_MS, nine + 7 * DAY_MS) == 7 * HOUR_MS


def test_nobody_is_scheduled_who_has_no_shifts_nor_between_an_end_and_an_earlier_beginning() -> None:
    policies = policies_of("UTC", (0, 0, 1_440))
    monday = ms("2026-01-05T12:00")
    assert scheduled_ms(policies, "bob", 0, monday) == 0
    assert scheduled_ms(policies, "ann", monday, monday) == 0
    assert scheduled_ms(policies, "ann", monday, monday - 1) == 0


def test_nobody_is_scheduled_on_the_holidays_of_all_queues() -> None:
    policies = policies_of("Europe/Berlin", (0, 540, 600), holidays=("2026-01-05",))
    start = ms("2026-01-05T00:00", "Europe/Berlin")
    assert shifts(policies, "ann", start, start + 7 * DAY_MS) == []
    assert scheduled_ms(policies, "ann", start, start + 8 * DAY_MS) == HOUR_MS


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-03-22", 24)], ids=["spring", "autumn", "usual"]
)
def test_whole_day_has_as_many_hours_as_the_clock_gives_it(day: str, hours: int) -> None:
    policies = policies_of("Europe/Berlin", (6, 0, 1_440))
    start = ms(f"{day}T00:00", "Europe/Berlin")
    assert shifts(policies, "ann", start - DAY_MS, start + 3 * DAY_MS) == [(start, start + hours * HOUR_MS)]


def test_night_shift_works_the_hour_that_comes_twice_twice_and_not_the_one_that_does_not_come() -> None:
    policies = policies_of("Europe/Berlin", (6, 120, 180))
    for day, worked in (("2026-03-29", 0), ("2026-10-25", 2 * HOUR_MS)):
        start = ms(f"{day}T00:00", "Europe/Berlin")
        assert scheduled_ms(policies, "ann", start, start + DAY_MS) == worked


@pytest.mark.parametrize("zone", ZONES)
def test_shifts_are_what_the_clock_on_the_wall_says_minute_by_minute(zone: str) -> None:
    rng = random.Random(zone)
    # Where clocks are turned, or a whole day is left out (Apia, 30 December 2011), and some other days.
    days = [date(2026, 3, 29), date(2026, 10, 25), date(2017, 10, 15), date(2026, 4, 5), date(2011, 12, 30)]
    days += [date(2026, 1, 1) + timedelta(rng.randrange(1_000)) for _ in range(3)]
    for day in days:
        openings = []
        for weekday in range(7):
            edges = sorted(rng.sample(range(1_441), 4))
            openings += [(weekday, edges[0], edges[1]), (weekday, edges[2], edges[3])]
        policies = policies_of(zone, *openings)
        start = ms(day.isoformat()) - rng.randrange(1_440) * MINUTE_MS
        end = start + rng.randrange(1, 2_880) * MINUTE_MS
        found = shifts(policies, "ann", start, end)
        assert found == sorted(found)
        assert sum(until - since for since, until in found) == scheduled_ms(policies, "ann", start, end)
        told = {at for since, until in found for at in range(since, until, MINUTE_MS)}
        assert told == minutes(policies, start, end), (zone, day)
