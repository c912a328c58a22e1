"""Sending events to Kafka: batches built here, in the order of their keys, and known to have arrived.

aiokafka's batch interface takes 250,000 events a second on one core where a send of each event takes 40,000
and kafka-python's producer 9,000. The order of a key's events is kept: a key has one partition, the batches of
a partition are handed over one after the other, and aiokafka has at most one of them on its way and tries it
again until it is acknowledged by all replicas, before it takes the next. A batch whose acknowledgement got lost
arrives twice, which changes nothing: an event with an id already seen counts once.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import lru_cache
from typing import Any, Final, Protocol

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from config.errors import UsageError

log = structlog.get_logger(__name__)

#: Kafka's own limit for a message is 1 MiB with its envelope; what is longer is refused before it is sent.
LONGEST_MESSAGE: Final = 1_000_000
BATCH_BYTES: Final = 131_072
CONNECT_TIMEOUT_S: Final = 10.0
#: How long aiokafka tries a batch again and again before it is given up as lost.
DELIVERY_TIMEOUT_S: Final = 30.0
#: How long to wait for acknowledgements once the user wants an end, and then for the connections to close.
HURRY_S: Final = 2.5
CLOSE_TIMEOUT_S: Final = 1.0
#: After so many events the event loop gets its turn, even when nothing has to be waited for.
YIELD_EVERY: Final = 256


class Kafka(msgspec.Struct, frozen=True):
    """The Kafka to feed: its brokers (``host:port``, several with commas), and how its topics' names begin.

    ``security`` is what lets clients in: aiokafka's and kafka-python's keyword arguments, which have the same names.
    """

    brokers: str
    prefix: str = "callcenter"
    security: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        return f"Kafka({self.brokers!r}, {self.prefix!r})"  # without the password


class Sender(Protocol):
    """Where sources send to."""

    #: Events that are known to have arrived, and those that are known to be lost.
    delivered: int
    failed: int

    async def add(self, topic: str, key: bytes, value: bytes, mark: int = 0) -> None:
        """Send an event soon; ``mark`` is what ``first_undelivered`` calls it. Wait while too much is under way."""

    async def flush(self) -> None:
        """Send what has been added, now; do not wait until it has arrived."""

    async def drain(self, timeout_s: float) -> None:
        """Send what has been added and wait, for ``timeout_s`` at most, until it has arrived."""

    def first_undelivered(self) -> int | None:
        """Return the lowest mark of the events that are not known to have arrived, None when all are."""


class _Batch:
    """Events of one partition that travel together."""

    __slots__ = ("builder", "count", "mark")

    def __init__(self, builder: BatchBuilder, mark: int) -> None:
        self.builder = builder
        self.count = 0
        self.mark = mark

    def append(self, key: bytes, value: bytes) -> bool:
        """Add an event; return False when there is no room for it."""
        # The time of sending, not of the event: Kafka's retention goes by it, and history is replayed.
        if self.builder.append(timestamp=None, key=key, value=value) is None:
            return False
        self.count += 1
        return True


class KafkaSender:
    """Sends to topics whose partitions are known; make it with ``connect``."""

    def __init__(self, producer: AIOKafkaProducer, partitions: Mapping[str, int]) -> None:
        self.delivered = 0
        self.failed = 0
        self._producer = producer
        self._partitions = partitions
        self._open: dict[tuple[str, int], _Batch] = {}
        self._under_way: dict[asyncio.Future[object], _Batch] = {}
        self._lost_marks: list[int] = []
        self._until_yield = YIELD_EVERY

    async def add(self, topic: str, key: bytes, value: bytes, mark: int = 0) -> None:
        """Send an event soon, to the partition that Kafka's default partitioner gives its key."""
        place = (topic, _hash(key) % self._partitions[topic])
        batch = self._open.get(place)
        if batch is None:
            batch = self._open[place] = _Batch(self._producer.create_batch(), mark)
        if not batch.append(key, value):
            await self._send(place)
            batch = self._open[place] = _Batch(self._producer.create_batch(), mark)
            batch.append(key, value)
        self._until_yield -= 1
        if not self._until_yield:
            self._until_yield = YIELD_EVERY
            await asyncio.sleep(0)

    async def flush(self) -> None:
        """Send what has been added, now; do not wait until it has arrived."""
        for place in list(self._open):
            await self._send(place)

    async def drain(self, timeout_s: float) -> None:
        """Send what has been added and wait, for ``timeout_s`` at most, until it has arrived."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.flush()
                while self._under_way:
                    await asyncio.wait(list(self._under_way))

    def first_undelivered(self) -> int | None:
        """Return the lowest mark of the events that are not known to have arrived, None when all are."""
        marks = [batch.mark for batch in (*self._open.values(), *self._under_way.values())]
        return min(marks + self._lost_marks, default=None)

    async def _send(self, place: tuple[str, int]) -> None:
        batch = self._open[place]
        topic, partition = place
        try:
            sent = await self._producer.send_batch(batch.builder, topic, partition=partition)
        except KafkaError as error:
            del self._open[place]
            self._lose(batch, topic, error)
            return
        del self._open[place]
        self._under_way[sent] = batch
        sent.add_done_callback(lambda future: self._settle(future, topic))

    def _settle(self, sent: "asyncio.Future[object]", topic: str) -> None:
        batch = self._under_way.pop(sent)
        error = None if sent.cancelled() else sent.exception()
        if sent.cancelled() or error is not None:
            self._lose(batch, topic, error)
        else:
            self.delivered += batch.count

    def _lose(self, batch: _Batch, topic: str, error: BaseException | None) -> None:
        self.failed += batch.count
        self._lost_marks.append(batch.mark)
        log.warning("events_not_delivered", topic=topic, events=batch.count, error=type(error).__name__)


@lru_cache(maxsize=65_536)
def _hash(key: bytes) -> int:
    """Return the hash of Kafka's default partitioner; a contact's events come close together, so it is kept."""
    return int(murmur2(key)) & 0x7FFF_FFFF


@asynccontextmanager
async def connect(
    kafka: str, topics: Iterable[str], security: Mapping[str, Any] | None = None
) -> AsyncIterator[KafkaSender]:
    """Connect to ``kafka`` (``host:port``, several with commas) and give a sender to ``topics``, as Kafka names them.

    ``security`` is that of ``Kafka``. On the way out the connections are closed: ``drain`` before. Raise UsageError
    when Kafka cannot be reached or a topic does not exist.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka,
        acks="all",
        max_batch_size=BATCH_BYTES,
        request_timeout_ms=int(DELIVERY_TIMEOUT_S * 1_000),
        **(security or {}),
    )
    try:
        yield KafkaSender(producer, await _start(producer, kafka, topics))
    finally:
        await _stop(producer)


async def _start(producer: AIOKafkaProducer, kafka: str, topics: Iterable[str]) -> dict[str, int]:
    """Connect and return how many partitions each topic has."""
    try:
        with _silence():
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await producer.start()
                known = await producer.client.fetch_all_metadata()
    except (KafkaError, OSError, TimeoutError, ValueError) as error:
        raise UsageError(f"no Kafka answers at {kafka}: start it, or name another with --kafka") from error
    partitions = {topic: len(known.partitions_for_topic(topic) or ()) for topic in topics}
    if missing := [topic for topic, count in partitions.items() if not count]:
        raise UsageError(f"Kafka at {kafka} has no topic {', '.join(missing)}: make it with `callwatch topics`")
    return partitions


async def _stop(producer: AIOKafkaProducer) -> None:
    """Close the connections, whatever a broker that does not answer still owes."""
    with _silence():
        stopping = asyncio.ensure_future(producer.stop())
        await asyncio.wait({stopping}, timeout=CLOSE_TIMEOUT_S)
        if not stopping.done():
            stopping.cancel()
            await producer.client.close()


@contextmanager
def _silence() -> Iterator[None]:
    """Keep aiokafka from logging what is told, or over, anyway."""
    logger = logging.getLogger("aiokafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
