"""A whole pipeline in one process: logs as Kafka keeps them, a processor for each partition, the store in memory.

What is told to customers goes through a log of its own, as in life. ``restart`` loses all that is in memory: the
processors load again, and read on from the stored offsets.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from zlib import crc32

from agents.processors.processor import Context, Processor, wall_clock
from agents.store.memory import MemoryStore
from streams import events as ev
from streams.partition import Limits
from streams.policy import Policies
from streams.told import Message
from tests.unit.counted import RETENTION, FakeRecord, Office, bounds

Event = dict[str, Any]

TOPICS: Final = {
    "calls": ev.CALLS,
    "chats": ev.CHATS,
    "agents": ev.AGENTS,
    "feedback": ev.FEEDBACK,
    "customers": ev.CUSTOMERS,
}
PARTITIONS: Final = 2
CHATS: Final = ("chat", "email", "messaging", "sms")


def milliseconds(event: Event) -> int:
    """Return when an event happened."""
    return ev.milliseconds(datetime.fromisoformat(event["time"]))


def topic_of(event: Event) -> str:
    """Return the short name of the topic that an event belongs to."""
    kind = event["type"].partition(".")[0]
    if kind in ("contact", "message"):
        return "chats" if event["channel"] in CHATS else "calls"
    return "agents" if kind == "agent" else "feedback"


def key_of(event: Event) -> str:
    """Return the key that a source gives an event."""
    name = {"calls": "contact_id", "chats": "contact_id", "agents": "agent_id"}.get(topic_of(event), "customer_id")
    return str(event.get(name) or event.get("contact_id") or event.get("agent_id") or event["id"])


class Site:
    """Logs, processors, and the store."""

    def __init__(self, policies: Policies) -> None:
        self.store = MemoryStore()
        self.office = Office()
        self._logs: dict[str, list[FakeRecord]] = {
            f"{topic}/{number}": [] for topic in TOPICS for number in range(PARTITIONS)
        }
        self._context = Context(self.store, self.office, self, policies, Limits(), RETENTION, wall_clock)
        self._processors: dict[str, Processor] = {}
        self._read: dict[str, int] = {}
        self._now = 0

    async def send(self, messages: Sequence[Message]) -> None:
        """Take what processors tell the customers' partitions."""
        for message in messages:
            self._append("customers", message.key, message.value, self._now)

    async def feed(self, deliveries: Iterable[tuple[int, Event]], batch: int = 400, *, tell: bool = True) -> None:
        """Take events, each with the moment (ms) at which Kafka gets it, and count them.

        Without ``tell`` the last of them are counted, but what they have to tell is not waited for.
        """
        for taken, (at, event) in enumerate(deliveries, 1):
            self._now = max(self._now, at)
            self._append(topic_of(event), key_of(event).encode(), json.dumps(event).encode(), at)
            if taken % batch == 0:
                await self.count()
        if tell:
            await self.count()
        else:
            for name in self._logs:
                await self._count(name)

    async def count(self) -> None:
        """Count all that the logs hold; what is told meanwhile as well."""
        while any(len(log) > self._read.get(name, 0) for name, log in self._logs.items()):
            for name in self._logs:
                await self._count(name)
            await self._posted()

    async def _posted(self) -> None:
        """Wait until all that was committed to be told has been told."""
        for processor in self._processors.values():
            outbox = processor._outbox
            if outbox is not None and outbox._sending is not None:
                await outbox._sending

    async def restart(self) -> None:
        """Lose all that is in memory, what was committed to be told and is not yet told included."""
        for processor in self._processors.values():
            processor.revoked = True
        await self._posted()
        self._processors.clear()
        self._read.clear()
        await self.count()

    def _append(self, topic: str, key: bytes, value: bytes, at: int) -> None:
        log = self._logs[f"{topic}/{crc32(key) % PARTITIONS}"]
        log.append(FakeRecord(len(log), value, key, timestamp=at, topic=TOPICS[topic]))

    async def _count(self, name: str) -> None:
        log = self._logs[name]
        processor = self._processors.get(name)
        if processor is None:
            processor = self._processors[name] = Processor(TOPICS[name.partition("/")[0]], name, self._context)
            self._read[name] = await processor.load(bounds(0, len(log)))
        fresh, self._read[name] = log[self._read[name] :], len(log)
        if fresh:
            await processor.process(fresh, len(log))
        await processor.tick(len(log))
