"""A store in this process's memory: the model that the Redis store is held against, and a store for tests."""

import copy
from collections import deque
from collections.abc import Collection
from itertools import count
from typing import TypeVar

import msgspec

from agents.store.api import NOTHING, Beat, Changes, Commit, Delta, Head, Loaded, Snapshot, bucket_names
from streams.contact import Place
from streams.measures import Row
from streams.partition import Now
from streams.policy import Terms
from streams.windows import Buckets

#: As many commits back a reader may be before it has to start from a snapshot.
LOG_LENGTH = 200

T = TypeVar("T")


class _Stored(msgspec.Struct):
    head: Head = NOTHING
    beat: Beat | None = None
    fine: Buckets = {}
    intervals: Buckets = {}
    days: Buckets = {}
    totals: dict[Place, tuple[Row, Row]] = {}
    open: dict[str, bytes] = {}
    now: dict[str, Now] = {}
    stats: dict[str, int] = {}
    settled: dict[int, bytes] = {}
    outbox: dict[str, bytes] = {}
    terms: Terms | None = None
    #: the names of the buckets that have not changed since they were to be packed
    packed: set[str] = set()


class MemoryStore:
    """Both sides of a store, in memory."""

    def __init__(self) -> None:
        self._stored: dict[str, _Stored] = {}
        self._log: dict[str, deque[tuple[str, str, Delta]]] = {}
        self._tokens = count(1)

    async def load(self, partition: str) -> Loaded:
        """Return what a worker goes on with."""
        stored = self._stored.setdefault(partition, _Stored())
        return Loaded(
            head=stored.head,
            watermark=stored.beat.watermark if stored.beat else None,
            open=dict(stored.open),
            totals=copy.deepcopy(stored.totals),
            stats=dict(stored.stats),
            fine=set(stored.fine),
            intervals=set(stored.intervals),
            settled=set(stored.settled),
            days=set(stored.days),
            loose=set(bucket_names(stored.fine, stored.intervals, stored.days, stored.settled)) - stored.packed,
            outbox=dict(stored.outbox),
            terms=stored.terms,
        )

    async def rows(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> tuple[Buckets, Buckets]:
        """Return single buckets."""
        stored = self._stored.get(partition, _Stored())
        return _some(stored.fine, fine), _some(stored.intervals, intervals)

    async def day_rows(self, partition: str, days: Collection[int]) -> Buckets:
        """Return single days."""
        return _some(self._stored.get(partition, _Stored()).days, days)

    async def settled(self, partition: str, hours: Collection[int]) -> dict[int, bytes]:
        """Return digests by hour."""
        stored = self._stored.get(partition, _Stored())
        return {hour: stored.settled.get(hour, b"") for hour in hours}

    async def commit(self, partition: str, base: Head, commit: Commit) -> Head | None:
        """Apply ``commit`` if ``base`` still is the head."""
        stored = self._stored.setdefault(partition, _Stored())
        if stored.head != base:
            return None
        delta = copy.deepcopy(commit.delta)
        stored.head = Head(commit.offset, f"{next(self._tokens)}")
        stored.beat = commit.beat
        stored.terms = commit.terms or stored.terms
        _write(stored.fine, commit.fine)
        _write(stored.intervals, commit.intervals)
        _write(stored.days, commit.days)
        stored.totals.update(copy.deepcopy(commit.totals))
        _replace(stored.open, commit.open)
        _replace(stored.now, delta.now)
        stored.stats.update(delta.stats)
        stored.packed.difference_update(bucket_names(commit.fine, commit.intervals, commit.days, commit.settled))
        for hour, digests in commit.settled.items():
            stored.settled[hour] = stored.settled.get(hour, b"") + digests
        for name, message in commit.sent.items():
            if stored.outbox.get(name) == message:
                del stored.outbox[name]
        stored.outbox.update(commit.outbox)
        _drop(stored.fine, commit.drop_fine)
        _drop(stored.intervals, commit.drop_intervals)
        _drop(stored.days, commit.drop_days)
        _drop(stored.settled, commit.drop_settled)
        log = self._log.setdefault(partition, deque(maxlen=LOG_LENGTH))
        log.append((base.token, stored.head.token, delta))
        return stored.head

    async def beat(self, partition: str, base: Head, beat: Beat) -> bool:
        """Note a sign of life if ``base`` still is the head."""
        stored = self._stored.setdefault(partition, _Stored())
        if stored.head != base:
            return False
        stored.beat = beat
        return True

    async def pack(self, partition: str, base: Head, names: Collection[str]) -> bool:
        """Take note of it, and keep all as it is, if ``base`` still is the head."""
        stored = self._stored.setdefault(partition, _Stored())
        if stored.head != base:
            return False
        stored.packed.update(names)
        return True

    async def partitions(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._stored)

    async def snapshot(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> Snapshot:
        """Return what a reader starts from."""
        stored = self._stored.get(partition, _Stored())
        return Snapshot(
            cursor=stored.head.token,
            beat=stored.beat,
            fine=_some(stored.fine, fine),
            intervals=_some(stored.intervals, intervals),
            totals=copy.deepcopy(stored.totals),
            now=dict(stored.now),
            stats=dict(stored.stats),
        )

    async def changes(self, partition: str, cursor: str) -> Changes | None:
        """Return what came since ``cursor``, or None."""
        stored = self._stored.get(partition, _Stored())
        if stored.head.token == cursor:
            return Changes(cursor, [], stored.beat)
        found: list[Delta] = []
        for base, _, delta in self._log.get(partition, ()):
            if base == cursor or found:
                found.append(copy.deepcopy(delta))
        return Changes(stored.head.token, found, stored.beat) if found else None

    async def intervals(self, partition: str) -> set[int]:
        """Return the numbers of the stored intervals."""
        return set(self._stored.get(partition, _Stored()).intervals)

    async def days(self, partition: str) -> set[int]:
        """Return the stored days."""
        return set(self._stored.get(partition, _Stored()).days)

    def forget(self) -> None:
        """Lose everything, as an emptied Redis does."""
        self._stored.clear()
        self._log.clear()

    async def close(self) -> None:
        """Do nothing: there is no connection."""


def _some(buckets: Buckets, numbers: Collection[int]) -> Buckets:
    return {number: copy.deepcopy(buckets[number]) for number in numbers if buckets.get(number)}


def _write(kept: Buckets, rows: Buckets) -> None:
    for number, places in copy.deepcopy(rows).items():
        kept.setdefault(number, {}).update(places)


def _replace(kept: dict[str, T], changes: dict[str, T | None]) -> None:
    for name, value in changes.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value


def _drop(kept: dict[int, T], numbers: Collection[int]) -> None:
    for number in numbers:
        kept.pop(number, None)
