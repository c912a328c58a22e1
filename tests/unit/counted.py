"""Records as Kafka would give them, an office that keeps its letters, and processors to feed them to."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from agents.processors.dead_letters import DeadLetter
from agents.processors.ledger import Retention
from agents.processors.processor import LOG_APPEND_TIME, Bounds, Context, Processor
from agents.store import Store
from agents.store.memory import MemoryStore
from streams import events as ev
from streams.contact import Place
from streams.measures import Row
from streams.partition import Limits
from streams.policy import DAY_MS, HOUR_MS, Policies
from streams.told import Message

NAME: Final = "calls/0"
#: A Monday, 9:00 UTC.
START: Final = 1_767_603_600_000
SALES: Final[Place] = ("sales", "voice")
RETENTION: Final = Retention(2 * HOUR_MS, 35 * DAY_MS, 7 * DAY_MS)
#: The bytes that the worker has resident.
MEMORY: Final = 150_000_000


def bounds(oldest: int, end: int) -> Bounds:
    """Return what Kafka would say of a partition that holds ``oldest`` up to before ``end``."""

    async def asked() -> tuple[int, int]:
        return oldest, end

    return asked


class FakeRecord(msgspec.Struct):
    """One record of a topic."""

    offset: int
    value: bytes | None
    key: bytes | None
    timestamp: int = START
    timestamp_type: int = LOG_APPEND_TIME
    topic: str = "callcenter.calls"
    partition: int = 0


class Office:
    """Keeps the letters by their keys, as a compacted topic does, and how often each came."""

    def __init__(self) -> None:
        self.letters: dict[bytes, DeadLetter] = {}
        self.sent = 0

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Keep ``letters``."""
        self.sent += len(letters)
        self.letters.update({letter.key: letter for letter in letters})

    @property
    def reasons(self) -> list[str]:
        """Return the reasons, in the order of the records' places."""
        return [self.letters[key].reason for key in sorted(self.letters)]


class Posted:
    """Keeps the messages that were sent; ``error`` is what keeps the next ones from it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.error: Exception | None = None

    async def send(self, messages: Sequence[Message]) -> None:
        """Keep all of them, or none."""
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.messages += messages


class Clock:
    """A wall clock that stands until it is set."""

    def __init__(self, at: int = START) -> None:
        self.at = at

    def __call__(self) -> int:
        """Return the time, in ms."""
        return self.at


def event(kind: str, contact: str, at: int, **more: object) -> bytes:
    """Return an event of a call ``at`` ms after START, as it is on the wire."""
    time = datetime.fromtimestamp((START + at) / 1000, UTC).isoformat()
    fields = {"id": f"{contact}-{kind}-{at}", "type": f"contact.{kind}", "time": time}
    return json.dumps({**fields, "contact_id": contact, "channel": "voice", **more}).encode()


def record(offset: int, kind: str, contact: str, at: int, **more: object) -> FakeRecord:
    """Return such an event as the record at ``offset``, appended when it happened."""
    return FakeRecord(offset, event(kind, contact, at, **more), contact.encode(), timestamp=START + at)


def call(offset: int, contact: str, at: int, *, wait: int = 5_000, queue: str = "sales") -> list[FakeRecord]:
    """Return the three records of a call that waits, is answered, and ends a minute later."""
    return [
        record(offset, "queued", contact, at, queue=queue),
        record(offset + 1, "answered", contact, at + wait, agent_id="a1"),
        record(offset + 2, "ended", contact, at + wait + 60_000),
    ]


def context_of(
    store: Store,
    office: Office,
    clock: Clock | None = None,
    limits: Limits | None = None,
    post: Posted | None = None,
) -> Context:
    """Return what processors share in a test."""
    return Context(
        store, office, post or Posted(), Policies(), limits or Limits(), RETENTION, clock or Clock(), lambda: MEMORY
    )


async def processor_of(context: Context, *, oldest: int = 0, end: int = 1_000_000) -> Processor:
    """Return a processor of calls/0 that has loaded."""
    processor = Processor(ev.CALLS, NAME, context)
    await processor.load(bounds(oldest, end))
    return processor


async def totals_of(store: MemoryStore, place: Place = SALES) -> Row:
    """Return what was ever counted of a place, less what was taken back."""
    counters, owed = (await store.load(NAME)).totals.get(place, ({}, {}))
    return {measure: amount - owed.get(measure, 0) for measure, amount in counters.items()}


async def counted(store: MemoryStore) -> tuple[object, ...]:
    """Return all rows, totals, open contacts, and settled ids of calls/0, and where it has come to."""
    loaded = await store.load(NAME)
    rows = await store.rows(NAME, loaded.fine, loaded.intervals)
    settled = await store.settled(NAME, loaded.settled)
    events = {name: count for name, count in loaded.stats.items() if name.startswith(("event:", "dead:"))}
    return loaded.head.offset, loaded.watermark, loaded.open, loaded.totals, rows, settled, events
