"""Commits for the tests of the stores: single ones, random ones, and a reader that follows them."""

import random
from typing import Final

from agents.store import NOTHING, Beat, Commit, Delta, Head, Snapshot
from agents.store.memory import MemoryStore
from agents.store.redis import RedisStore
from streams.contact import Place
from streams.measures import Row
from streams.partition import Now
from streams.windows import Buckets, Totals, coarse, post

AnyStore = MemoryStore | RedisStore
CALLS: Final = "calls/0"
SALES: Final[Place] = ("sales", "voice")
#: A queue's name may hold what separates the parts of a field.
ODD: Final[Place] = ("a:b größe", "chat")
#: A place of another dimension than queues.
ANN: Final[Place] = ("ann", "@agent")
BEAT: Final = Beat(1_000, 20, 3, 900)


FULL: Final = Commit(
    offset=7,
    delta=Delta(
        {100: {SALES: {1: 1, 20: -5}}}, {"c1": ("sales", "voice", 5)}, {"event:contact.queued": 1}, {1: {ANN: {14: 1}}}
    ),
    beat=BEAT,
    fine={100: {SALES: {1: 4}, ODD: {2: -1}}},
    intervals={1: {SALES: {1: 4}}},
    totals={SALES: ({1: 4}, {}), ODD: ({1: 2}, {2: 1})},
    open={"c1": b"\x00\xffpacked", "c2": b"x"},
    settled={5: b"12345678"},
    days={20_000: {SALES: {1: 9}, ANN: {14: 3}}},
    outbox={"c1": b"\x00told", "c2": b"told"},
    terms={"sales": (20_000, 5_000), "": (60_000, 0)},
)


def commit_of(
    offset: int = 1,
    *,
    deltas: Buckets | None = None,
    rows: Buckets | None = None,
    now: dict[str, Now | None] | None = None,
    stats: dict[str, int] | None = None,
    opened: dict[str, bytes | None] | None = None,
    beat: Beat = BEAT,
) -> Commit:
    return Commit(
        offset=offset,
        delta=Delta(deltas or {}, now or {}, stats or {}),
        beat=beat,
        fine=rows or {},
        intervals={number // 90: places for number, places in (rows or {}).items()},
        totals={place: (row, {}) for places in (rows or {}).values() for place, row in places.items()},
        open=opened or {},
    )


async def committed(store: AnyStore, commit: Commit, base: Head = NOTHING, partition: str = CALLS) -> Head:
    head = await store.commit(partition, base, commit)
    assert head is not None
    return head


async def everything(store: AnyStore, partition: str = CALLS) -> tuple[object, ...]:
    """Return all that a store holds of a partition."""
    loaded = await store.load(partition)
    rows = await store.rows(partition, sorted(loaded.fine), sorted(loaded.intervals))
    settled = await store.settled(partition, sorted(loaded.settled))
    days = await store.day_rows(partition, sorted(loaded.days))
    snapshot = await store.snapshot(partition, sorted(loaded.fine), sorted(loaded.intervals))
    return loaded, rows, days, settled, snapshot


class Follower:
    """A reader that takes one snapshot and from then on changes alone."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.cursor, self.beat = snapshot.cursor, snapshot.beat
        self.fine, self.intervals, self.now, self.stats = (
            snapshot.fine,
            snapshot.intervals,
            dict(snapshot.now),
            dict(snapshot.stats),
        )
        self.totals = Totals()
        self.totals.rows = snapshot.totals

    def apply(self, delta: Delta) -> None:
        post(self.fine, delta.deltas)
        post(self.intervals, coarse(delta.deltas))
        post(self.intervals, delta.aside)
        self.totals.post(delta.deltas.values())
        self.stats.update(delta.stats)
        for name, value in delta.now.items():
            if value is None:
                self.now.pop(name, None)
            else:
                self.now[name] = value


def same(buckets: Buckets) -> Buckets:
    """Return buckets without rows that hold nothing: whether those are kept makes no difference."""
    kept = {number: {place: row for place, row in places.items() if row} for number, places in buckets.items()}
    return {number: places for number, places in kept.items() if places}


class Writer:
    """A worker that commits random changes, its rows absolute, in 60 fine buckets of one or two intervals."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.head, self.offset = NOTHING, 0
        self.fine: Buckets = {}
        self.intervals: Buckets = {}
        self.totals = Totals()
        self.stats: dict[str, int] = {}

    def deltas(self) -> Buckets:
        deltas: Buckets = {}
        for _ in range(self.chance.randrange(4)):
            place = self.chance.choice((SALES, ODD, ("billing", "voice")))
            row: Row = {self.chance.randrange(1, 9): self.chance.choice((-2, -1, 1, 2, 3))}
            deltas.setdefault(self.chance.randrange(60, 120), {})[place] = row
        return deltas

    def next(self) -> Commit:
        deltas, intervals = self.deltas(), Buckets()
        intervals = coarse(deltas)
        aside: Buckets = {self.chance.randrange(2): {ANN: {1: 1}}} if self.chance.random() < 0.5 else {}
        post(intervals, aside)
        post(self.fine, deltas)
        post(self.intervals, intervals)
        changed = self.totals.post(deltas.values())
        contact = f"c{self.chance.randrange(5)}"
        waits: Now | None = self.chance.choice((None, ("sales", "voice", self.offset)))
        self.stats["events"] = self.stats.get("events", 0) + 1
        self.offset += self.chance.randrange(3)
        return Commit(
            offset=self.offset,
            delta=Delta(deltas, {contact: waits}, dict(self.stats), aside),
            beat=Beat(self.offset, 0, 0, self.offset),
            fine={n: {place: self.fine[n][place] for place in places} for n, places in deltas.items()},
            intervals={n: {place: self.intervals[n][place] for place in places} for n, places in intervals.items()},
            totals={place: self.totals.rows[place] for place in changed},
            open={contact: None if waits is None else b"open"},
        )
