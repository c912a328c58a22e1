"""Promises, and when a queue is open."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from streams.events import milliseconds
from streams.policy import Opening, Policies, Promise

#: Mondays 8:00 to 12:00 and 13:00 to 24:00, Sundays all day.
HOURS: Final = (Opening(0, 480, 720), Opening(0, 780, 1_440), Opening(6, 0, 1_440))
POLICIES: Final = Policies(
    queues={
        "sales": Promise(hours=HOURS, holidays=frozenset({"2026-01-12"})),
        "always": Promise(),
        "not_at_new_year": Promise(holidays=frozenset({"2026-01-01"})),
    },
    default=Promise(threshold_ms=30_000),
    timezone="Europe/Berlin",
)


def at(text: str, fold: int = 0) -> int:
    """Return a local time in Berlin as ms."""
    return milliseconds(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"), fold=fold))


def test_unlisted_queue_is_held_to_the_default() -> None:
    assert POLICIES.of("nobody knows") is POLICIES.default
    assert POLICIES.of("always").threshold_ms == 20_000


def test_defaults_are_those_of_the_field() -> None:
    promise = Policies().of("any")
    assert (promise.target_ratio, promise.threshold_ms, promise.short_abandon_ms) == (0.8, 20_000, 5_000)
    assert (promise.formula, promise.longest_credible_wait_ms) == ("answered_of_offered", 4 * 3_600_000)


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        ("2026-01-05T07:59:59.999", False),
        ("2026-01-05T08:00", True),
        ("2026-01-05T11:59:59.999", True),
        ("2026-01-05T12:00", False),
        ("2026-01-05T13:00", True),
        ("2026-01-05T23:59:59.999", True),
        ("2026-01-06T00:00", False),
        ("2026-01-04T00:00", True),
        ("2026-01-03T12:00", False),
        # A Monday, and a holiday.
        ("2026-01-12T09:00", False),
        ("2026-01-11T23:59:59.999", True),
    ],
)
def test_queue_is_open_in_its_hours_and_not_on_holidays(moment: str, *, open_: bool) -> None:
    assert POLICIES.is_open("sales", at(moment)) is open_


def test_queue_without_hours_is_always_open_but_on_its_holidays() -> None:
    assert POLICIES.is_open("always", at("2026-01-01T03:00"))
    assert not POLICIES.is_open("not_at_new_year", at("2026-01-01T00:00"))
    assert not POLICIES.is_open("not_at_new_year", at("2026-01-01T23:59:59.999"))
    assert POLICIES.is_open("not_at_new_year", at("2026-01-02T00:00"))


def test_hours_are_local_through_daylight_saving() -> None:
    early = Policies(
        queues={"q": Promise(hours=(Opening(6, 150, 240), Opening(0, 480, 720)))}, timezone="Europe/Berlin"
    )
    # Monday 8:00 is 7:00 UTC in winter and 6:00 UTC in summer.
    assert early.is_open("q", at("2026-03-23T08:00"))
    assert early.is_open("q", at("2026-03-30T08:00"))
    assert at("2026-03-30T08:00") - at("2026-03-23T08:00") == 167 * 3_600_000
    # Sunday 2:30 to 4:00: in March 2:30 does not come and it opens at 3:00; in October it comes twice.
    opens = at("2026-03-29T03:00")
    assert not early.is_open("q", opens - 1)
    assert early.is_open("q", opens)
    assert early.is_open("q", at("2026-10-25T02:30"))
    assert not early.is_open("q", at("2026-10-25T02:29", fold=1))
    assert early.is_open("q", at("2026-10-25T02:30", fold=1))


def test_zone_is_the_call_centers_own() -> None:
    assert POLICIES.zone == ZoneInfo("Europe/Berlin")
    assert Policies().zone == ZoneInfo("UTC")
