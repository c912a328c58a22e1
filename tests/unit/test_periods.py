"""Periods of the board: what a worker has kept as days and as intervals adds up to what was counted, nothing twice."""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from agents.board.follower import Follower
from agents.board.model import Model
from agents.board.periods import PERIODS, Periods, period_of
from agents.processors.ledger import Ledger, Retention
from agents.store import Beat
from agents.store.memory import MemoryStore
from streams.measures import Measure
from streams.partition import Change
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS
from tests.unit.counted import NAME, SALES
from tests.unit.life import WINDOWS

ZONE: Final = ZoneInfo("Europe/Berlin")
ANN: Final = ("ann", "@agent")
KEPT: Final = Retention(2 * HOUR_MS, 35 * DAY_MS, 7 * DAY_MS, 400 * DAY_MS, 10 * MINUTE_MS, ZONE)

#: (ms since 1970, visits)
Counted = list[tuple[int, int]]


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def counted_until(now: datetime, chance: random.Random) -> Counted:
    """Return visits of the 130 days before ``now``, in the order in which they come: now and then days late."""
    end, moments = round(now.timestamp() * 1000), Counted()
    at = end - 130 * DAY_MS
    while at < end:
        late = chance.choice((0, 0, 0, 0, chance.randrange(7 * DAY_MS)))
        moments.append((at - late, chance.randrange(1, 9)))
        at += chance.randrange(1, 6 * HOUR_MS)
    return moments


async def store_of(moments: Iterable[tuple[int, int]]) -> MemoryStore:
    """Return what a worker has kept of them, its watermark the newest so far."""
    store = MemoryStore()
    ledger, watermark = Ledger(NAME, await store.load(NAME), KEPT), 0
    for offset, (at, visits) in enumerate(moments, 1):
        watermark = max(watermark, at)
        row = {int(Measure.OFFERED): visits}
        change = Change(watermark=watermark, deltas={at // 10_000: {SALES: row}}, aside={at // 900_000: {ANN: row}})
        commit = await ledger.commit_of(store, change, offset, Beat(watermark, 0, 0, watermark), {})
        assert await store.commit(NAME, (await store.load(NAME)).head, commit) is not None
    return store


def begins(period: str, now: datetime) -> datetime:
    """Return when a period begins, by the calendar on the wall."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if period in ("1h", "24h"):
        utc = now.timestamp() - (3_600 if period == "1h" else 86_400)
        return datetime.fromtimestamp(utc // 900 * 900, ZONE)
    return {
        "today": midnight,
        "7d": midnight - timedelta(days=6),
        "28d": midnight - timedelta(days=27),
        "month": midnight.replace(day=1),
        "quarter": midnight.replace(month={1: 1, 2: 4, 3: 7, 4: 10}[(now.month + 2) // 3], day=1),
    }[period]


@pytest.mark.parametrize("text", ["2026-11-10 13:20", "2026-04-02 00:10", "2026-03-31 23:50", "2026-12-31 18:00"])
async def test_a_period_is_the_sum_of_what_was_counted_in_it(text: str) -> None:
    now = local(text)
    stamp, moments = round(now.timestamp() * 1000), counted_until(now, random.Random(text))
    store = await store_of(moments)
    days, intervals = await store.days(NAME), await store.intervals(NAME)
    assert len(days) > 100, "most of a quarter is kept as days alone"
    oldest = datetime.fromtimestamp(min(intervals) * 900, ZONE)
    assert oldest.toordinal() < max(days), "some of them beside their intervals"
    follower = Follower(store, lambda: Model(WINDOWS, ZONE), lambda: stamp, 10_000)
    await follower._poll(discover=True)
    periods = Periods(follower, store, ZONE)
    for name in PERIODS:
        start = begins(name, now).timestamp() * 1000
        expected = sum(visits for at, visits in moments if start <= at <= stamp)
        for _ in range(2):
            sums = (await periods.books(period_of(name, stamp, ZONE)))["contacts"]
            found = [sums.get(place, {}).get(Measure.OFFERED, 0) for place in (SALES, ANN)]
            assert (name, *found) == (name, expected, expected)
