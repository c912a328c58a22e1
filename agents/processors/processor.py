"""One partition: record batches in, one commit out. Knows no Faust.

``process`` decodes and counts a batch in memory and commits it; ``tick`` carries the watermark of an idle
partition on and gives a sign of life. If the store refuses a commit, or has gone back, what is in memory is
dropped and ``Refused`` raised: load again, and read on where ``load`` says.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from mmap import PAGESIZE
from pathlib import Path
from time import monotonic, time
from typing import Final

import msgspec
import structlog

from agents.processors.dead_letters import DeadLetter, DeadLetterOffice, Record
from agents.processors.insistence import InsistentOffice, InsistentStore, Troubles
from agents.processors.ledger import Ledger, Retention
from agents.processors.outbox import Outbox, Post
from agents.store import NOTHING, Beat, Head, Loaded, Store
from streams import events as ev
from streams.contacts import ContactPartition
from streams.customer import Windows
from streams.customers import CustomerPartition
from streams.feedback import FeedbackPartition
from streams.measures import bin_of
from streams.partition import Limits, Partition
from streams.people import AgentPartition
from streams.policy import Policies, Terms
from streams.reading import Read, read

#: Kafka's mark of a record's timestamp that the broker set when it appended it.
LOG_APPEND_TIME: Final = 1

#: A Kafka that has not answered for longer than this is silent rather than idle, in seconds.
SILENT_S: Final = 3.0

#: Where Linux tells the pages of memory that a process has: all, and those resident.
STATM: Final = Path("/proc/self/statm")

log = structlog.get_logger()


#: Asks Kafka for a partition's oldest offset and its next free one.
Bounds = Callable[[], Awaitable[tuple[int, int]]]


class RefusedError(Exception):
    """The store has another head than the one that was worked from: somebody else commits, or it went back."""


def wall_clock() -> int:
    """Return the time, in ms since 1970."""
    return int(time() * 1000)


def resident_bytes() -> int | None:
    """Return the memory that this process has resident; None where there is no /proc."""
    try:
        return int(STATM.read_text(encoding="ascii").split()[1]) * PAGESIZE
    except OSError:
        return None


class Context(msgspec.Struct, frozen=True):
    """What all processors share."""

    store: Store
    office: DeadLetterOffice
    post: Post
    policies: Policies
    limits: Limits
    retention: Retention
    clock: Callable[[], int] = wall_clock
    memory: Callable[[], int | None] = resident_bytes
    troubles: Troubles = msgspec.field(default_factory=Troubles)


class Processor:
    """Counts one partition of one topic. ``topic`` is the event contract's name, ``name`` that in the store."""

    def __init__(self, topic: str, name: str, context: Context) -> None:
        self.name = name
        self._topic = topic
        self._context = context
        self._store = InsistentStore(context.store, lambda: self.revoked, context.troubles)
        self._office = InsistentOffice(context.office, lambda: self.revoked, context.troubles)
        self._head: Head
        self._next = 0
        self._partition: Partition
        self._ledger: Ledger
        self._outbox: Outbox | None = None
        self._terms: Terms | None = None
        self._increments: Counter[str] = Counter()
        self._beat = Beat(0, 0, 0, None)
        #: As of the last tick: to ask takes as long as counting a few events.
        self._memory: int | None = None
        self._read_at = monotonic()
        #: For how long Kafka has been silent, in ms: time in which it may hold events that nobody has read.
        self._unheard_ms = 0
        self._lock = asyncio.Lock()
        self._loads = 0
        #: Whether what is in memory follows from what is stored.
        self._loaded = False
        #: Set when the partition is taken away: whatever it still tries, it gives up.
        self.revoked = False

    async def load(self, bounds: Bounds) -> int:
        """Take up what was committed; return the offset to read on at.

        If it lies outside of what Kafka holds by then, records are gone that were never counted, or the topic was
        made anew: that is said, counted, and read on from the oldest.
        """
        async with self._lock:
            loaded = await self._store.load(self.name)
            # Asked for afterwards: another worker may commit meanwhile, and must not seem to be ahead of Kafka.
            oldest, end = await bounds()
            self._loads += 1
            self._partition = _partition(self._topic, loaded, self._context)
            self._ledger = Ledger(self.name, loaded, self._context.retention)
            if self._outbox is not None:
                self._outbox.close()
            troubles = self._context.troubles
            self._outbox = Outbox(self.name, self._context.post, lambda: self.revoked, troubles, loaded.outbox)
            self._head, self._next, self._loaded = loaded.head, loaded.head.offset, True
            terms = self._context.policies.terms
            self._terms = terms if loaded.terms != terms else None
            self._read_at = monotonic()
            if loaded.torn:
                log.warning(
                    "the store had applied half of a commit; counting anew from Kafka",
                    partition=self.name,
                    oldest=oldest,
                    end=end,
                )
            if not oldest <= self._next <= end:
                if self._head != NOTHING:
                    self._increments["offset_resets"] += 1
                    log.warning(
                        "Kafka no longer holds the stored offset",
                        partition=self.name,
                        stored=self._next,
                        oldest=oldest,
                        end=end,
                    )
                self._next = oldest
            return self._next

    @property
    def offset(self) -> int:
        """Return the offset to read on at."""
        return self._next

    @property
    def full(self) -> bool:
        """Tell whether so much is left to send on that nothing more should be counted before."""
        return self._outbox is not None and self._outbox.full

    @property
    def _is_no_ones(self) -> bool:
        # Who waited may find that the load failed, that the store refused the batch before, which has to be read again
        # first, or that the partition was taken away.
        return not self._loaded or self.revoked

    async def process(self, records: Sequence[Record], end: int | None) -> None:
        """Count a batch, in the order of its offsets, and commit it; ``end`` is the partition's next free offset.

        Records below the stored offset were counted before and are skipped. A batch that waited while the partition
        was loaded anew is dropped: if the store went back, there would be a gap before it, and it is read again.
        Raise RefusedError.
        """
        loads = self._loads
        async with self._lock:
            if loads != self._loads or self._is_no_ones:
                return
            fresh = records
            if records and records[0].offset < self._next:
                fresh = [record for record in records if record.offset >= self._next]
            if not fresh:
                return
            found = read(self._topic, fresh)
            await self._recall(found.times)
            letters = self._count(found, fresh)
            if letters:
                await self._office.send(self.name, letters)
            last = fresh[-1]
            await self._commit(last.offset + 1, self._beat_of(last, end))

    async def tick(self, end: int | None, silent_s: float = 0.0) -> None:
        """Give a sign of life; carry the watermark on while nothing comes. Raise RefusedError.

        A Kafka that has not answered for ``silent_s`` is not one that has nothing: the watermark waits and the lag
        grows until it is heard again. Then the time is made up for, if nothing had come in it.
        """
        if self._lock.locked():
            return  # a commit is a sign of life too; and by its end it may long not be so what Kafka says now
        async with self._lock:
            if self._is_no_ones:
                return
            elapsed, self._read_at = int((monotonic() - self._read_at) * 1000), monotonic()
            self._memory = self._context.memory()
            if end is None:
                return  # how far behind it is is not known yet
            behind = max(0, end - self._next)
            silent = silent_s > SILENT_S
            if silent:
                self._unheard_ms += elapsed
            elif not behind and self._partition.watermark is not None:
                self._partition.advance(self._partition.watermark + elapsed + self._unheard_ms)
            if not silent:
                self._unheard_ms = 0
            lag = self._beat.lag_ms + elapsed if behind or silent else 0
            self._beat = Beat(self._context.clock(), lag, behind, self._partition.watermark, self._memory)
            if self._partition.changed or (self._outbox is not None and self._outbox.sent):
                await self._commit(self._next, self._beat)
            elif not await self._store.beat(self.name, self._head, self._beat):
                raise self._refused()

    async def pack(self) -> None:
        """Have buckets that no longer change take less room, unless there is something to count. Raise RefusedError."""
        if self._lock.locked():
            return
        async with self._lock:
            if self._is_no_ones:
                return
            names = self._ledger.calm(self._partition.watermark or 0)
            if names and not await self._store.pack(self.name, self._head, names):
                raise self._refused()
            self._ledger.packed(names)

    async def _recall(self, times: list[int]) -> None:
        """Have the settled ids at hand that events of ``times`` may ask for."""
        settled = self._partition.settled
        hours = self._partition.hours_wanted(times)
        if hours:
            settled.learn(await self._store.settled(self.name, hours))

    def _count(self, found: Read, records: Sequence[Record]) -> list[DeadLetter]:
        """Count what was read of ``records``; return a letter for each of them that could not be."""
        clock = self._context.clock()
        came = [records[number] for number in found.numbers]
        nows = [each.timestamp if each.timestamp_type == LOG_APPEND_TIME else clock for each in came]
        refused = self._partition.count_all(found.events, found.times, nows)
        counted: Counter[type[ev.Envelope]] = Counter(map(type, found.events))
        counted.subtract(type(found.events[number]) for number in refused)
        errors = found.refused | {found.numbers[number]: error for number, error in refused.items()}
        self._increments.update({f"event:{kind.__struct_config__.tag}": times for kind, times in counted.items()})
        self._increments.update("dead:" + error.reason for error in errors.values())
        return [DeadLetter(records[number], error.reason, str(error)) for number, error in sorted(errors.items())]

    def _beat_of(self, last: Record, end: int | None) -> Beat:
        now = self._context.clock()
        behind = max(0, (end or 0) - last.offset - 1)
        lag = max(0, now - last.timestamp) if behind else 0
        self._read_at, self._unheard_ms = monotonic(), 0
        self._beat = Beat(now, lag, behind, self._partition.watermark, self._memory)
        return self._beat

    def _refused(self) -> RefusedError:
        """Note that the store has another head: nothing more is counted until it is loaded again."""
        self._increments["refused"] += 1
        self._loaded = False
        return RefusedError(self.name)

    async def _commit(self, offset: int, beat: Beat) -> None:
        started, change = monotonic(), self._partition.take()
        increments, self._increments = dict(self._increments), Counter()
        commit = await self._ledger.commit_of(self._store, change, offset, beat, increments)
        commit.terms = self._terms
        if self._outbox is not None:
            commit.sent = self._outbox.sent
        head = await self._store.commit(self.name, self._head, commit)
        if head is None:
            raise self._refused()
        self._head, self._next, self._terms = head, offset, None
        if self._outbox is not None:
            self._outbox.committed(commit.outbox, commit.sent)
        took = int((monotonic() - started) * 1000)
        self._increments.update({f"commit:{bin_of(took)}": 1, "commit_ms": took})


def _partition(topic: str, loaded: Loaded, context: Context) -> Partition:
    """Return the counting of one partition, from what was committed."""
    if topic == ev.AGENTS:
        return AgentPartition(context.policies, context.limits, watermark=loaded.watermark, packed=loaded.open)
    if topic == ev.FEEDBACK:
        return FeedbackPartition(
            context.policies,
            context.limits,
            watermark=loaded.watermark,
            places=loaded.totals,
            packed=loaded.open,
            settled=loaded.settled,
        )
    if topic == ev.CUSTOMERS:
        business = context.policies.business
        return CustomerPartition(
            context.limits,
            Windows(business.return_window_ms, business.order_window_ms),
            watermark=loaded.watermark,
            queues=context.policies.queues,
            places=loaded.totals,
            packed=loaded.open,
        )
    return ContactPartition(
        context.policies,
        context.limits,
        watermark=loaded.watermark,
        places=loaded.totals,
        packed=loaded.open,
        settled=loaded.settled,
        terms=loaded.terms,
    )
