"""Messages for the customers' partitions: committed with what they follow from, then sent, then forgotten.

Sending is no part of a commit, so it may fail by itself: what was committed is sent until Kafka has it, after a
restart again, and so at least once. Whoever reads it counts it once (docs/adr/0007-internal-topic.md).
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Protocol
from zlib import crc32

from aiokafka import AIOKafkaProducer

from agents.processors.batches import BatchApp
from agents.processors.insistence import WAITS_S, Troubles
from streams.told import Message, unpack

#: As many messages are handed to Kafka's client at once, and acknowledged before the next are.
AT_ONCE: Final = 1_000

#: With more than this unsent a partition counts no further: Kafka has the rest, memory would not.
MOST_UNSENT: Final = 20_000

#: Messages handed over together are acknowledged within this, in seconds, or sent again.
SEND_TIMEOUT_S: Final = 10.0


class Post(Protocol):
    """Where messages go."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Return once all ``messages`` are written for good; raise whatever kept one of them from it."""


class KafkaPost:
    """Writes messages to a topic in Kafka.

    They are written in batches made here, of each partition its own: Kafka's client takes 50 us for a message that is
    handed over by itself.
    """

    def __init__(self, app: BatchApp, topic: str) -> None:
        self._app = app
        self._topic = topic

    async def send(self, messages: Sequence[Message]) -> None:
        """Return once all are acknowledged; raise what kept the first of those that failed from it."""
        under_way: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                faust_producer: Any = await self._app.maybe_start_producer()
                producer: AIOKafkaProducer = faust_producer._ensure_producer()  # noqa: SLF001 -- Faust knows no batches
                partitions = await producer.partitions_for(self._topic)
                for partition, batch in _batches(producer, messages, len(partitions)):
                    under_way.append(await producer.send_batch(batch, self._topic, partition=partition))
                ended = await asyncio.gather(*under_way, return_exceptions=True)
        finally:
            for future in under_way:
                future.cancel()  # what is still under way is sent again; nobody waits for it any more
        for error in ended:
            if isinstance(error, BaseException):
                raise error


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key. Who writes to the topic chooses by this, and nobody else writes to it."""
    return crc32(key) % partitions


def _batches(producer: AIOKafkaProducer, messages: Sequence[Message], partitions: int) -> Iterator[tuple[int, Any]]:
    """Yield batches and the partitions that they are for; those of one partition in the order of their messages."""
    open_batches: dict[int, Any] = {}
    for message in messages:
        partition = partition_of(message.key, partitions)
        batch = open_batches.get(partition)
        if batch is None or batch.append(key=message.key, value=message.value, timestamp=None) is None:
            if batch is not None:
                yield partition, batch
            batch = open_batches[partition] = producer.create_batch()
            batch.append(key=message.key, value=message.value, timestamp=None)
    yield from open_batches.items()


class Outbox:
    """The messages of one partition, between the commit that wrote them and the one that forgets them."""

    def __init__(
        self, partition: str, post: Post, revoked: Callable[[], bool], troubles: Troubles, left: Mapping[str, bytes]
    ) -> None:
        """Take up what was ``left``: committed, and perhaps not sent."""
        #: As which it has its troubles: over with the outbox's are not the store's.
        self._name = f"{partition} (outbox)"
        self._post = post
        self._revoked = revoked
        self._troubles = troubles
        self._unsent = dict(left)
        self._sent: dict[str, bytes] = {}
        self._closed = False
        self._sending: asyncio.Task[None] | None = None
        self._send_on()

    @property
    def full(self) -> bool:
        """Tell whether nothing more should be committed before some of it has been sent."""
        return len(self._unsent) > MOST_UNSENT

    @property
    def sent(self) -> dict[str, bytes]:
        """Return the messages that Kafka has, for the next commit to forget."""
        return dict(self._sent)

    def committed(self, messages: Mapping[str, bytes], forgotten: Mapping[str, bytes]) -> None:
        """Send ``messages``, now that they are committed; those ``forgotten`` are in the store no longer."""
        for name, message in forgotten.items():
            if self._sent.get(name) == message:
                del self._sent[name]
        # One that is sent again in other words must not be taken for the words sent before.
        for name in messages.keys() & self._sent.keys():
            del self._sent[name]
        self._unsent.update(messages)
        self._send_on()

    def close(self) -> None:
        """Send no more: the partition is loaded again, or somebody else's."""
        self._closed = True

    @property
    def _over(self) -> bool:
        return self._closed or self._revoked()

    def _send_on(self) -> None:
        if self._unsent and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send_all())

    async def _send_all(self) -> None:
        while self._unsent and not self._over:
            some = dict(islice(self._unsent.items(), AT_ONCE))
            try:
                await self._post.send([unpack(message) for message in some.values()])
            except Exception as error:  # noqa: BLE001 -- whatever the client says: a message must not get lost
                what = "what became of contacts could not be sent on; trying on"
                self._troubles.meet(what, self._name, repr(error))
                await asyncio.sleep(WAITS_S[-1])
            else:
                self._troubles.over(self._name)
                self._acknowledge(some)
        self._troubles.over(self._name, quietly=True)

    def _acknowledge(self, some: Mapping[str, bytes]) -> None:
        for name, message in some.items():
            if self._unsent.get(name) == message:
                del self._unsent[name]
                self._sent[name] = message
