"""Sums over periods longer than a rolling window: an hour by quarters of it, a day, weeks, a quarter of a year.

Today comes from the model, as it is now. What lies before is read from the store, its old days from the days kept
there, and remembered until a late event changes it; even then it is read again only when reading it that often costs
little. So a long period costs what its today costs, and no scrape ever waits for it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime, time, timedelta
from time import monotonic
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from agents.board.follower import Follower
from agents.board.history import READ, BadRequestError
from agents.board.model import BOOKS, book_of
from agents.store import Reader
from streams.contact import Place
from streams.events import EPOCH, milliseconds
from streams.measures import Histogram, Row, add
from streams.policy import HOUR_MS
from streams.windows import INTERVAL_MS, interval, midnight

PERIODS: Final = ("today", "1h", "24h", "7d", "28d", "month", "quarter")

#: Those of them that are told to Prometheus, worked out in the background.
LONG: Final = ("28d", "quarter")

#: place -> what was counted there
Sums = dict[Place, Row]

#: Of one second, so much may go into reading again what has changed.
READING: Final = 0.05

#: What waits and handle times were, bin by bin, is shown of no period.
_LEFT_OUT: Final = range(Histogram.WAIT_ANSWERED, Histogram.FIRST_RESPONSE)

#: So many stretches of the past are remembered.
MOST_KEPT: Final = 40


class Period(NamedTuple):
    """A period that ends now: from ``start`` (ms, where an interval begins) to ``end``."""

    name: str
    start: int
    end: int


class Kept(NamedTuple):
    """Sums of a stretch of the past: by which changes, when they were read, and how long that took, in seconds."""

    version: int
    at: float
    took: float
    sums: Sums


def period_of(name: str, now: int, zone: ZoneInfo) -> Period:
    """Return the period of a name of ``PERIODS`` at ``now``; raise BadRequestError for another name.

    Hours begin with a quarter of an hour, everything longer at local midnight: 7d is today and the six days before,
    month and quarter are those of the calendar.
    """
    local = (EPOCH + timedelta(milliseconds=now)).astimezone(zone).date()
    if name in ("1h", "24h"):
        back = HOUR_MS if name == "1h" else 24 * HOUR_MS
        return Period(name, (now - back) // INTERVAL_MS * INTERVAL_MS, now)
    firsts = {
        "today": local,
        "7d": local - timedelta(days=6),
        "28d": local - timedelta(days=27),
        "month": local.replace(day=1),
        "quarter": local.replace(month=(local.month - 1) // 3 * 3 + 1, day=1),
    }
    if name not in firsts:
        raise BadRequestError(f"period: {name!r} is not one of {', '.join(PERIODS)}")
    return Period(name, midnight_of(firsts[name], zone), now)


def midnight_of(day: date, zone: ZoneInfo) -> int:
    """Return when a local date begins, in ms."""
    return milliseconds(datetime.combine(day, time(), zone))


class Periods:
    """Adds up what the model and the store hold, by book."""

    def __init__(self, follower: Follower, reader: Reader, zone: ZoneInfo) -> None:
        self._follower = follower
        self._reader = reader
        self._zone = zone
        self._kept: dict[tuple[str, int, int], Kept] = {}
        self._reading = asyncio.Lock()

    async def books(self, period: Period) -> dict[str, Sums]:
        """Return the sums over a period of each book, by place. Raise StoreError if they cannot be read."""
        return {name: await self.sums(name, period.start, period.end) for name in BOOKS}

    async def sums(self, book: str, start: int, end: int) -> Sums:
        """Return the sums of a book from ``start``, where an interval begins, up to ``end`` (ms), by place."""
        today = midnight(self._follower.now, self._zone)
        first, last = interval(start), -(-end // INTERVAL_MS)
        if start > today or end <= today:
            return await self._past(book, first, last)
        sums: Sums = {}
        if start < today:
            _add(sums, await self._past(book, first, interval(today)))
        counted = self._follower.model.book(book)
        _add(sums, counted.sums("today"))
        _add(sums, counted.aside())
        return sums

    async def _past(self, book: str, first: int, last: int) -> Sums:
        """Return the sums of intervals ``first`` up to before ``last``."""
        async with self._reading:
            kept = self._kept.get((book, first, last))
            version = self._version(book, first, last)
            if kept is not None and (kept.version == version or (monotonic() - kept.at) * READING < kept.took):
                return kept.sums
            began = monotonic()
            sums: Sums = {}
            for partition in await self._reader.partitions():
                if book_of(partition) == book:
                    async for places in self._rows(partition, first, last):
                        _add(sums, places)
            self._kept.pop((book, first, last), None)
            self._kept[book, first, last] = Kept(version, monotonic(), monotonic() - began, sums)
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            return sums

    def _version(self, book: str, first: int, last: int) -> int:
        # Of another model nothing holds: what is read now may be more than it was.
        model = self._follower.model
        changes = sum(times for number, times in model.book(book).versions.items() if first <= number < last)
        return hash((id(model), changes))

    async def _rows(self, partition: str, first: int, last: int) -> AsyncIterator[Sums]:
        """Yield what a partition holds of some intervals, a few at a time: nothing else may have to wait."""
        stored = {number for number in await self._reader.intervals(partition) if first <= number < last}
        days = await self._whole_days(partition, first, last)
        for ordinal in sorted(days):
            for places in (await self._reader.day_rows(partition, [ordinal])).values():
                yield places
            await asyncio.sleep(0)
        covered = {number for ordinal in days for number in self._intervals_of(ordinal)}
        numbers = sorted(stored - covered)
        for begin in range(0, len(numbers), READ):
            _, found = await self._reader.rows(partition, (), numbers[begin : begin + READ])
            for places in found.values():
                yield places
            await asyncio.sleep(0)

    async def _whole_days(self, partition: str, first: int, last: int) -> set[int]:
        """Return the stored days that lie in the stretch as a whole."""
        found = set()
        for ordinal in await self._reader.days(partition):
            own = self._intervals_of(ordinal)
            if first <= own.start and own.stop <= last:
                found.add(ordinal)
        return found

    def _intervals_of(self, ordinal: int) -> range:
        day = date.fromordinal(ordinal)
        begin, end = (midnight_of(each, self._zone) for each in (day, day + timedelta(days=1)))
        return range(interval(begin), interval(end))


def _add(sums: Sums, places: Mapping[Place, Row]) -> None:
    for place, row in places.items():
        add(sums.setdefault(place, {}), {key: amount for key, amount in row.items() if key not in _LEFT_OUT})
