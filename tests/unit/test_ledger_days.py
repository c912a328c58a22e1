"""Days: made of their intervals once nothing more can come for them, one at a time, and right whatever happens."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from agents.processors.ledger import Ledger, Retention
from agents.store import Beat
from agents.store.memory import MemoryStore
from streams.contact import Place
from streams.measures import Row, add
from streams.partition import Change
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS
from streams.windows import Buckets
from tests.unit.counted import NAME, SALES

ANN: Final[Place] = ("ann", "@agent")
BEAT: Final = Beat(0, 0, 0, 0)
#: After its end a day waits for the ids that are remembered, and the settling time.
WAIT_MS: Final = 7 * DAY_MS + 10 * MINUTE_MS


def retention(zone: str = "UTC", days_ms: int = 400 * DAY_MS) -> Retention:
    return Retention(2 * HOUR_MS, 35 * DAY_MS, 7 * DAY_MS, days_ms, 10 * MINUTE_MS, ZoneInfo(zone))


def at(text: str, zone: str = "UTC") -> int:
    """Return a local time in ms."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def ordinal(text: str) -> int:
    return date.fromisoformat(text).toordinal()


class Keeper:
    """A worker's ledger over a store; each commit is one change."""

    def __init__(self, kept: Retention) -> None:
        self.store, self.kept = MemoryStore(), kept
        self.ledger: Ledger | None = None

    async def count(self, moment: int, row: Row, watermark: int, *, lost: bool = False) -> Buckets:
        """Count ``row`` of sales and of Ann at ``moment``, unless the commit is ``lost``; return the days it writes."""
        if self.ledger is None:
            self.ledger = Ledger(NAME, await self.store.load(NAME), self.kept)
        deltas: Buckets = {moment // 10_000: {SALES: dict(row)}} if row else {}
        aside: Buckets = {moment // 900_000: {ANN: dict(row)}} if row else {}
        change = Change(watermark=watermark, deltas=deltas, aside=aside)
        made = await self.ledger.commit_of(self.store, change, 1, BEAT, {})
        if lost:
            self.ledger = None
        else:
            head = (await self.store.load(NAME)).head
            assert await self.store.commit(NAME, head, made) is not None
        return made.days


async def test_a_day_is_made_once_nothing_more_can_come_for_it_and_not_before() -> None:
    keeper = Keeper(retention())
    await keeper.count(at("2026-01-05 00:00"), {1: 1}, at("2026-01-05 00:00"))
    await keeper.count(at("2026-01-05 23:59"), {1: 2}, at("2026-01-05 23:59"))
    end = at("2026-01-06 00:00")
    await keeper.count(end, {1: 4}, end)
    assert await keeper.count(0, {}, end + WAIT_MS - 1) == {}
    assert await keeper.count(0, {}, end + WAIT_MS) == {ordinal("2026-01-05"): {SALES: {1: 3}, ANN: {1: 3}}}
    assert await keeper.count(0, {}, end + WAIT_MS) == {}, "a day is made once"
    assert await keeper.store.days(NAME) == {ordinal("2026-01-05")}


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
async def test_a_day_is_that_of_the_call_center_and_has_23_to_25_hours(day: str, hours: int) -> None:
    keeper, start = Keeper(retention("Europe/Berlin")), at(f"{day} 00:00", "Europe/Berlin")
    quarters = range(start - HOUR_MS, start + 26 * HOUR_MS, 15 * MINUTE_MS)
    for moment in quarters:
        await keeper.count(moment, {1: 1}, moment)
    for _ in range(3):
        await keeper.count(0, {}, start + 12 * DAY_MS)
    rows = await keeper.store.day_rows(NAME, [ordinal(day)])
    assert rows == {ordinal(day): {SALES: {1: hours * 4}, ANN: {1: hours * 4}}}
    assert sum(
        row[1]
        for places in (await keeper.store.day_rows(NAME, range(ordinal(day) - 1, ordinal(day) + 2))).values()
        for place, row in places.items()
        if place == SALES
    ) == len(quarters)


async def test_at_most_one_day_is_made_in_a_commit_the_oldest_first() -> None:
    keeper, start = Keeper(retention()), at("2026-01-05 12:00")
    for number in range(3):
        await keeper.count(start + number * DAY_MS, {1: 1}, start + number * DAY_MS)
    later = start + 20 * DAY_MS
    made = [list(await keeper.count(0, {}, later)) for _ in range(4)]
    first = ordinal("2026-01-05")
    assert made == [[first], [first + 1], [first + 2], []]


async def test_no_interval_is_dropped_before_its_day_is_made_though_the_watermark_jumps_months() -> None:
    keeper, start = Keeper(retention()), at("2026-01-05 12:00")
    for number in range(3):
        await keeper.count(start + number * DAY_MS, {1: 1}, start + number * DAY_MS)
    later = start + 90 * DAY_MS
    for left in (2, 1, 0):
        await keeper.count(0, {}, later)
        assert len(await keeper.store.intervals(NAME)) == left
    assert len(await keeper.store.days(NAME)) == 3


async def test_a_correction_of_a_day_that_is_made_changes_the_day_and_the_interval() -> None:
    keeper, moment = Keeper(retention()), at("2026-01-05 12:00")
    await keeper.count(moment, {1: 5}, moment)
    await keeper.count(0, {}, moment + 9 * DAY_MS)
    day = ordinal("2026-01-05")
    assert await keeper.count(moment, {1: -2, 2: 7}, moment + 9 * DAY_MS) == {
        day: {SALES: {1: 3, 2: 7}, ANN: {1: 3, 2: 7}}
    }
    _, intervals = await keeper.store.rows(NAME, [], [moment // 900_000])
    assert intervals[moment // 900_000][SALES] == {1: 3, 2: 7}
    await keeper.count(moment, {1: 1}, moment + 60 * DAY_MS)
    assert (await keeper.store.day_rows(NAME, [day]))[day][SALES] == {1: 4, 2: 7}
    assert await keeper.store.intervals(NAME) == set()


async def test_a_day_past_its_retention_is_dropped_and_none_older_is_made() -> None:
    keeper, moment = Keeper(retention(days_ms=30 * DAY_MS)), at("2026-01-05 12:00")
    await keeper.count(moment, {1: 1}, moment)
    await keeper.count(0, {}, moment + 30 * DAY_MS)
    assert await keeper.store.days(NAME) == {ordinal("2026-01-05")}
    await keeper.count(0, {}, moment + 31 * DAY_MS)
    assert await keeper.store.days(NAME) == set()
    await keeper.count(0, {}, moment + 90 * DAY_MS)
    assert (await keeper.store.days(NAME), await keeper.store.intervals(NAME)) == (set(), set())


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Los_Angeles"])
@pytest.mark.parametrize("seed", range(3))
async def test_months_replayed_with_crashes_give_days_that_hold_what_was_counted(zone: str, seed: int) -> None:
    chance, keeper, truth = random.Random(seed), Keeper(retention(zone)), dict[int, Row]()
    start = at("2026-02-20 00:00", zone)
    watermark = start
    for _ in range(1_200):
        watermark += chance.randrange(3 * HOUR_MS)
        moment = watermark - chance.choice((0, 0, chance.randrange(6 * DAY_MS)))
        row = {1: chance.choice((1, 2, -1))}
        if chance.random() < 0.1:
            await keeper.count(moment, row, watermark, lost=True)  # killed before the commit
        await keeper.count(moment, row, watermark)
        if chance.random() < 0.1:
            keeper.ledger = None  # killed after it
        day = datetime.fromtimestamp(moment / 1000, UTC).astimezone(ZoneInfo(zone)).toordinal()
        add(truth.setdefault(day, {}), row)
    for _ in range(20):
        await keeper.count(0, {}, watermark + 9 * DAY_MS)
    found = await keeper.store.day_rows(NAME, await keeper.store.days(NAME))
    assert timedelta(milliseconds=watermark - start).days > 60
    assert {day: places.get(SALES, {}) for day, places in found.items() if places.get(SALES)} == {
        day: row for day, row in truth.items() if row
    }
    assert all(places.get(SALES) == places.get(ANN) for places in found.values())


async def test_what_comes_later_than_intervals_are_kept_is_in_its_day_all_the_same() -> None:
    keeper = Keeper(Retention(2 * HOUR_MS, 25 * HOUR_MS, 7 * DAY_MS))
    moment = at("2026-01-05 12:00")
    await keeper.count(moment, {1: 1}, moment)
    await keeper.count(moment + HOUR_MS, {1: 2}, moment + 3 * DAY_MS)
    await keeper.count(0, {}, moment + 9 * DAY_MS)
    day = ordinal("2026-01-05")
    assert await keeper.store.day_rows(NAME, [day]) == {day: {SALES: {1: 3}, ANN: {1: 3}}}
    assert await keeper.store.intervals(NAME) == set()
