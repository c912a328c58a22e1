"""How many contacts came, by the call center's own calendar, and a week before."""

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from agents.board.history import BadRequestError
from agents.board.volume import beginning_of, first_of, following, local_midnight, units_of, week_before
from agents.store import NOTHING, Beat, Commit, Delta
from agents.store.memory import MemoryStore
from streams.measures import Measure, Row
from streams.policy import HOUR_MS, MINUTE_MS
from streams.windows import Buckets
from tests.unit.served import Served

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = 15 * MINUTE_MS


def ms(text: str) -> int:
    """Return a time of Berlin's clocks, in ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1000)


def row(offered: int) -> Row:
    return {Measure.OFFERED: offered, Measure.ANSWERED: offered - 1, Measure.WAIT_ANSWERED_MS: 7}


async def stored(partition: str, store: MemoryStore, intervals: dict[str, Any], days: dict[str, Any]) -> None:
    """Put counts into the store: local time -> place -> offered."""

    def rows(places: dict[tuple[str, str], int]) -> dict[tuple[str, str], Row]:
        return {place: row(offered) for place, offered in places.items()}

    found: Buckets = {ms(at) // QUARTER: rows(places) for at, places in intervals.items()}
    whole: Buckets = {date.fromisoformat(day).toordinal(): rows(places) for day, places in days.items()}
    delta = Delta({}, {}, {})
    await store.commit(partition, NOTHING, Commit(1, delta, Beat(0, 0, 0, None), intervals=found, days=whole))


SALES, CHAT = ("sales", "voice"), ("chat", "chat")


async def ask(store: MemoryStore, now: str, query: str, status: int = 200) -> Any:
    served = Served(store, lambda: ms(now))
    await served.look()
    async with served.client() as client:
        answer = await client.get(f"/api/v1/volume?{query}")
    assert answer.status_code == status, answer.text
    return msgspec.json.decode(answer.content)


def offered(rows: list[dict[str, Any]]) -> list[tuple[str, str | None, int, int | None]]:
    return [(r["start"], r["queue"], r["offered"], r["same_weekday_before"]) for r in rows]


async def test_a_day_is_the_local_day_and_stands_beside_the_same_weekday() -> None:
    store = MemoryStore()
    # The clocks of Berlin go forward on 2026-03-29: that day has 23 hours, and begins at 23:00 UTC of the 28th.
    await stored("calls/0", store, {"2026-03-22T00:00": {SALES: 5}, "2026-03-22T23:45": {SALES: 3}, "2026-03-28T23:45":
                 {SALES: 50}, "2026-03-29T00:00": {SALES: 7}, "2026-03-29T23:45": {SALES: 2}, "2026-03-30T00:00":
                 {SALES: 60}}, {})  # fmt: skip
    told = await ask(store, "2026-03-30T12:00", "by=day&from=2026-03-29T00:00:00%2B01:00&to=2026-03-29T20:00:00Z")
    assert told["timezone"] == "Europe/Berlin"
    assert offered(told["rows"]) == [("2026-03-28T23:00:00Z", "sales", 9, 8), ("2026-03-28T23:00:00Z", None, 9, 8)]
    assert told["rows"][0]["change"] == 0.125


async def test_a_stored_day_covers_its_intervals_and_no_partition_counts_twice() -> None:
    store = MemoryStore()
    await stored("calls/0", store, {"2026-03-10T08:00": {SALES: 4}, "2026-03-11T08:00": {SALES: 1}},
                 {"2026-03-10": {SALES: 4}})  # fmt: skip
    # Another partition has not come so far: of it the intervals count.
    await stored("chats/0", store, {"2026-03-10T09:00": {CHAT: 6}}, {})
    told = await ask(store, "2026-03-11T12:00", "by=day&from=2026-03-10T00:00:00%2B01:00")
    assert [(r["queue"], r["offered"], r["share"]) for r in told["rows"]] == [
        ("chat", 6, 0.6),
        ("sales", 4, 0.4),
        (None, 10, 1.0),
        ("sales", 1, 1.0),
        (None, 1, 1.0),
    ]


async def test_of_a_day_in_progress_as_much_of_the_week_before_is_told() -> None:
    store = MemoryStore()
    await stored("calls/0", store, {"2026-03-04T09:00": {SALES: 5}, "2026-03-04T11:45": {SALES: 3}, "2026-03-04T12:00":
                 {SALES: 20}, "2026-03-11T09:00": {SALES: 9}}, {"2026-03-04": {SALES: 28}})  # fmt: skip
    told = await ask(store, "2026-03-11T12:00", "by=day&from=2026-03-11T00:00:00%2B01:00&queue=sales")
    assert offered(told["rows"])[-1][2:] == (9, 8)
    told = await ask(store, "2026-03-12T12:00", "by=day&from=2026-03-11T00:00:00%2B01:00&to=2026-03-11T12:00:00Z")
    assert offered(told["rows"])[-1][2:] == (9, 28)
    # The intervals of that day, read for as much of it as has come today, are not counted once more.
    told = await ask(store, "2026-03-11T12:00", "by=day&from=2026-03-04T00:00:00%2B01:00&to=2026-03-04T12:00:00Z")
    assert offered(told["rows"])[-1][2:] == (28, None)


async def test_an_interval_stands_beside_that_of_the_same_clock_across_a_change_of_the_clocks() -> None:
    store = MemoryStore()
    await stored("calls/0", store, {"2026-03-24T09:00": {SALES: 3}, "2026-03-31T09:00": {SALES: 4}}, {})
    assert ms("2026-03-31T09:00") - ms("2026-03-24T09:00") == 7 * 24 * HOUR_MS - HOUR_MS
    told = await ask(store, "2026-03-31T12:00", "by=interval&from=2026-03-31T07:00:00Z&to=2026-03-31T07:30:00Z")
    assert offered(told["rows"]) == [
        ("2026-03-31T07:00:00Z", "sales", 4, 3),
        ("2026-03-31T07:00:00Z", None, 4, 3),
        # Nobody came then, nor a week before: known to be none.
        ("2026-03-31T07:15:00Z", None, 0, 0),
    ]


async def test_weeks_begin_on_monday_months_and_quarters_on_their_first() -> None:
    store = MemoryStore()
    days = {"2025-12-31": {SALES: 100}, "2026-01-01": {SALES: 1}, "2026-02-28": {SALES: 2}, "2026-03-01": {SALES: 4}}
    await stored("calls/0", store, {}, {**days, "2026-03-31": {SALES: 8}, "2026-04-01": {SALES: 200}})
    told = await ask(store, "2026-04-02T12:00", "by=quarter&from=2026-02-03T00:00:00Z&to=2026-03-31T00:00:00Z")
    assert offered(told["rows"]) == [
        ("2025-12-31T23:00:00Z", "sales", 15, None),
        ("2025-12-31T23:00:00Z", None, 15, None),
    ]
    told = await ask(store, "2026-04-02T12:00", "by=month&from=2026-03-03T00:00:00Z&to=2026-03-31T00:00:00Z")
    assert offered(told["rows"])[-1][2] == 12
    told = await ask(store, "2026-04-05T12:00", "by=week&from=2026-04-02T00:00:00Z")
    # Monday, 30 March, to Sunday; the week before had none.
    assert offered(told["rows"])[-1] == ("2026-03-29T22:00:00Z", None, 208, 0)


async def test_what_was_before_anything_is_stored_is_null_and_has_no_row() -> None:
    store = MemoryStore()
    await stored("calls/0", store, {"2026-03-11T09:00": {SALES: 9}}, {})
    told = await ask(store, "2026-03-11T12:00", "by=day&from=2026-03-01T00:00:00Z")
    assert offered(told["rows"]) == [
        ("2026-03-10T23:00:00Z", "sales", 9, None),
        ("2026-03-10T23:00:00Z", None, 9, None),
    ]


async def test_what_stands_aside_by_agent_or_subject_is_no_queue() -> None:
    store = MemoryStore()
    await stored("calls/0", store, {"2026-03-11T09:00": {SALES: 9, ("login", "@subject"): 9, ("a1", "@agent"): 3}}, {})
    await stored("feedback/0", store, {"2026-03-11T09:00": {SALES: 50}}, {})
    told = await ask(store, "2026-03-11T12:00", "by=day&channel=voice")
    assert [r["offered"] for r in told["rows"]] == [9, 9]


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("by=hour", "by: 'hour' is not one of interval, day, week, month, quarter"),
        ("from=2026-03-11T09:00:00Z&to=2026-03-11T09:00:00Z", "to: must be later than from"),
        ("from=yesterday", "from: 'yesterday' is not a time with an offset, like 2026-11-23T10:00:00Z"),
        ("by=interval&from=2020-01-01T00:00:00Z", "that is more than 10000 intervals; ask for fewer, or by day"),
        ("by=day&from=1971-01-01T00:00:00Z", "that is more than 4000 days; ask for fewer"),
        ("group=x", "'group' is not a parameter here; allowed: by, from, to, queue, channel"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused(query: str, wrong: str) -> None:
    assert await ask(MemoryStore(), "2026-03-11T12:00", query, status=400) == {"error": wrong}


def test_every_unit_of_a_year_of_changing_clocks_follows_the_one_before() -> None:
    for zone in (BERLIN, ZoneInfo("America/Havana"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Australia/Lord_Howe")):
        for by in ("day", "week", "month", "quarter"):
            start = int(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp() * 1000)
            units = units_of(by, start, start + 366 * 24 * HOUR_MS, zone)
            dates = [day for unit in units for day in unit.dates]
            assert dates == sorted(set(dates))
            assert [unit.start for unit in units] == [local_midnight(unit.dates[0], zone) for unit in units]
            assert all(unit.dates[0] == first_of(by, day) for unit in units for day in unit.dates)
            assert all(a.dates[-1] < b.dates[0] == following(by, a.dates[0]) for a, b in pairwise(units))


def test_a_week_before_is_the_same_local_time_and_the_usual_beginning_fills_a_chart() -> None:
    assert week_before(ms("2026-10-25T12:00"), BERLIN) == ms("2026-10-18T12:00")
    now = ms("2026-11-23T15:10")
    assert beginning_of("interval", now, BERLIN) == ms("2026-11-23T00:00")
    assert beginning_of("day", now, BERLIN) == ms("2026-10-27T00:00")
    assert beginning_of("week", now, BERLIN) == ms("2026-08-31T00:00")
    assert beginning_of("month", now, BERLIN) == ms("2025-11-01T00:00")
    assert beginning_of("quarter", now, BERLIN) == ms("2025-10-01T00:00")
    with pytest.raises(BadRequestError, match="more than 10000 intervals"):
        units_of("interval", 0, now, BERLIN)
