"""The last hour, one fine bucket at a time: what a queue's trend and the moment of a breach are made from.

It is read from the store, for all queues at once and at most every few seconds, however many look at it.
"""

import asyncio
from collections.abc import Iterator
from time import monotonic
from typing import Final, NamedTuple

from agents.board.model import AHEAD_MS, book_of
from agents.store import Reader
from streams import kpis
from streams.contact import Place
from streams.measures import Measure, Row, add, exited
from streams.policy import HOUR_MS, Promise
from streams.windows import FINE_MS, Buckets, fine, post

#: What was read is good for this long, in seconds.
FRESH_S: Final = 3.0


class Hour(NamedTuple):
    """What the store holds of the last hour and the window before it, as of ``now`` (ms)."""

    now: int
    fine: Buckets
    #: place -> since when each of those waiting now waits (ms), the first of them first
    waiting: dict[Place, list[int]]


class Sample(NamedTuple):
    """A queue as it was at ``at`` (ms): the sums over the window up to then, and how many waited."""

    at: int
    sums: Row
    length: int


class Since(NamedTuple):
    """When a queue's breach began (ms), to the fine bucket; ``at_least`` where it is older than what is known."""

    at: int
    at_least: bool


class LastHour:
    """Reads the last hour when it is asked for."""

    def __init__(self, reader: Reader, longest_ms: int) -> None:
        """Read from ``reader`` far enough back for windows of ``longest_ms``."""
        self._reader = reader
        self._back = HOUR_MS + longest_ms
        self._reading = asyncio.Lock()
        self._read: tuple[float, Hour] | None = None

    async def at(self, now: int) -> Hour:
        """Return the hour up to ``now`` (ms), a few seconds old at most. Raise StoreError if it cannot be read."""
        async with self._reading:
            if self._read is None or monotonic() - self._read[0] > FRESH_S:
                self._read = (monotonic(), await self._ask(now))
            return self._read[1]

    async def _ask(self, now: int) -> Hour:
        hour = Hour(now, {}, {})
        asked = range(fine(now - self._back), fine(now + AHEAD_MS) + 1)
        for partition in await self._reader.partitions():
            if book_of(partition) != "contacts":
                continue
            # Buckets and those who wait come from one commit: a queue's past length is its length now, undone.
            snapshot = await self._reader.snapshot(partition, asked, ())
            post(hour.fine, snapshot.fine)
            for queue, channel, since in snapshot.now.values():
                hour.waiting.setdefault((queue, channel), []).append(since)
        for waits in hour.waiting.values():
            waits.sort()
        return hour


def samples(hour: Hour, place: Place, window_ms: int) -> list[Sample]:
    """Return a sample for each fine bucket of the last hour, oldest first; the last is of the present one."""
    last, span = fine(hour.now), window_ms // FINE_MS
    first = last - HOUR_MS // FINE_MS + 1
    lengths = dict(_lengths(hour, place, first))
    sums: Row = {}
    found = []
    for number in range(first - span + 1, last + 1):
        add(sums, hour.fine.get(number, {}).get(place, {}))
        if number >= first:
            found.append(Sample(min((number + 1) * FINE_MS, hour.now), dict(sums), lengths[number]))
            add(sums, hour.fine.get(number - span + 1, {}).get(place, {}), -1)
    return found


def _lengths(hour: Hour, place: Place, oldest: int) -> Iterator[tuple[int, int]]:
    """Yield (bucket, how many waited at its end) from the newest bucket down to ``oldest``."""
    length = len(hour.waiting.get(place, ()))
    for number in range(max(hour.fine, default=0), fine(hour.now), -1):
        length += _undone(hour.fine.get(number, {}).get(place, {}))
    for number in range(fine(hour.now), oldest - 1, -1):
        yield number, length
        length += _undone(hour.fine.get(number, {}).get(place, {}))


def _undone(row: Row) -> int:
    return exited(row) - row.get(Measure.OFFERED, 0)


def breach_since(hour: Hour, place: Place, promise: Promise, window_ms: int) -> Since | None:
    """Return since when some promise of a queue has been broken without a break; None while all are kept.

    How long the first one waited is not known of past moments, but it is of those who wait now.
    """
    waits, limit = hour.waiting.get(place, ()), promise.longest_wait_limit_ms
    too_long_from = waits[0] + limit if waits and limit is not None else hour.now
    found = samples(hour, place, window_ms)
    began = None
    for sample in reversed(found):
        if not (_broken(sample, promise) or sample.at > too_long_from):
            break
        began = sample
    if began is None:
        return None
    if not _broken(began, promise):
        return Since(max(too_long_from, found[0].at - FINE_MS), at_least=False)
    return Since(fine(began.at - 1) * FINE_MS, at_least=began is found[0])


def _broken(sample: Sample, promise: Promise) -> bool:
    level = kpis.service_level(sample.sums)[promise.formula]
    abandoned = kpis.abandonment_rate(sample.sums)
    limit = promise.queue_length_limit
    return (
        (level is not None and level < promise.target_ratio)
        or (abandoned is not None and abandoned > promise.abandonment_ratio)
        or (limit is not None and sample.length > limit)
    )
