"""The worker: Faust's app, one processor for each partition assigned, a clock for the idle ones."""

import asyncio
import ssl
from collections.abc import Awaitable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from random import sample
from tempfile import gettempdir
from time import monotonic
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError, RecordTooLargeError
from faust.types import TP, StreamT
from mode.supervisors import CrashingSupervisor
from msgspec import structs

from agents.processors.batches import Batch, BatchApp, BatchConsumer, BatchSchema
from agents.processors.dead_letters import DeadLetter
from agents.processors.insistence import RevokedError
from agents.processors.processor import Context, Processor, RefusedError
from agents.processors.watch import TopicWatch
from streams import events as ev

#: Between two signs of life of a partition, in seconds.
TICK_S: Final = 1.0

#: As many batches are under way at once: counted one after another, committed side by side.
UNDER_WAY: Final = 4

#: Of each tick as many seconds are for packing: some buckets, and only where nothing is to be counted.
PACKING_S: Final = 0.1

#: Between two looks at the topics themselves, in ticks.
LOOK_TICKS: Final = 10

#: Kafka's client asks for the topics' partitions this often: new ones are read within it, in ms.
METADATA_AGE_MS: Final = 15_000

#: The store may be away for this long without the group being left: nobody else could count either. In seconds.
STORE_AWAY_S: Final = 24 * 3600.0

#: A dead letter is written within this, or tried again.
SEND_TIMEOUT_S: Final = 10.0

#: A letter is its record and a few headers: larger than the largest record that Kafka takes by default.
LARGEST_LETTER: Final = 4 * 1024 * 1024

#: What Kafka and its client say of a letter that is larger than they take.
TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError, RecordTooLargeError)

log = structlog.get_logger()


class KafkaOffice:
    """Writes dead letters to Kafka."""

    def __init__(self, app: BatchApp, topic: str) -> None:
        self._app = app
        self._topic = topic

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Return once all ``letters`` are acknowledged; raise what kept one of them from it.

        One that Kafka does not take for its size is written without its value, which stays where it came from.
        """
        async with asyncio.timeout(SEND_TIMEOUT_S):
            producer = await self._app.maybe_start_producer()
            ended = await asyncio.gather(*(self._write(producer, letter) for letter in letters), return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _write(self, producer: Any, letter: DeadLetter) -> None:
        try:
            await (await producer.send(self._topic, letter.key, letter.value, None, None, letter.headers))
        except Exception as error:
            # Faust wraps what the client raises at once, but not what the broker answers.
            if letter.shortened or not (isinstance(error, TOO_LARGE) or isinstance(error.__cause__, TOO_LARGE)):
                raise
            log.warning("a dead letter is too large for Kafka; written without its value", letter=letter.key.decode())
            await self._write(producer, structs.replace(letter, shortened=True))


class Worker:
    """Counts the partitions that the group assigns to this process."""

    def __init__(self, app: BatchApp, context: Context, prefix: str) -> None:
        """Count the topics of ``prefix``; ``app.take_up`` becomes this worker's."""
        self.app = app
        #: Those that have loaded.
        self.processors: dict[TP, Processor] = {}
        self._loading: dict[TP, Processor] = {}
        #: Those that have too much to send on to be read for now.
        self._waiting: set[Processor] = set()
        self._context = context
        self._contract = {topic_name(prefix, topic): topic for topic in (*ev.TOPICS, *ev.INTERNAL_TOPICS)}
        app.take_up = self.take_up
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)  # type: ignore[arg-type] # mode's protocol fits no method
        topics = app.topic(*self._contract, schema=BatchSchema())
        app.agent(topics, name="callwatch.batches", concurrency=1)(self._take_all)
        app.task(self._tick_all)
        app.task(self._pack_all)
        app.task(self._watch_topics)

    def take_up(self, assigned: set[TP]) -> None:
        """Begin to load what is stored of the partitions assigned; each is read on once that is done."""
        self._give_up(self.processors.keys() | self._loading.keys())
        for tp in assigned:
            topic = self._contract[tp.topic]
            processor = Processor(topic, f"{topic.removeprefix('callcenter.')}/{tp.partition}", self._context)
            self._loading[tp] = processor
            self.app.add_future(self._begin(tp, processor))

    async def _begin(self, tp: TP, processor: Processor) -> None:
        with suppress(RevokedError):
            await self._read_on(tp, processor)

    async def _read_on(self, tp: TP, processor: Processor) -> None:
        """Load what is stored, and read on from there; try on while Kafka does not answer. Raise RevokedError."""
        while not processor.revoked:
            try:
                offset = await processor.load(lambda: self._consumer.bounds(tp))
                if self._loading.get(tp) is processor:
                    self.processors[tp] = self._loading.pop(tp)
                await self._consumer.read_on(tp, offset, lambda: not processor.revoked)
            except (KafkaError, TimeoutError) as error:
                self._context.troubles.meet("Kafka does not say what it holds; trying on", processor.name, repr(error))
                await asyncio.sleep(TICK_S)
            else:
                break
        self._context.troubles.over(processor.name, quietly=processor.revoked)

    @property
    def _consumer(self) -> BatchConsumer:
        consumer: Any = self.app.consumer
        return consumer  # type: ignore[no-any-return]

    async def _on_revoked(self, _app: Any, *args: Any, **_kwargs: Any) -> None:
        self._give_up(args[0])

    def _give_up(self, revoked: AbstractSet[TP]) -> None:
        for owned in (self.processors, self._loading):
            for tp in owned.keys() & revoked:
                processor = owned.pop(tp)
                processor.revoked = True
                self._waiting.discard(processor)

    async def _take_all(self, stream: StreamT[Any]) -> None:
        """Take batch after batch; while the store commits one, others are counted.

        A partition's own batches stay in order, for its processor takes one at a time, first come first served. Faust
        acknowledges a batch before it is committed; that is well, since Kafka's offsets are but a hint here.
        """
        batch: Batch
        room = asyncio.Semaphore(UNDER_WAY)
        async with asyncio.TaskGroup() as group:
            async for batch in stream:
                await room.acquire()
                group.create_task(self._take(batch)).add_done_callback(lambda _: room.release())

    async def _take(self, batch: Batch) -> None:
        processor = self.processors.get(batch.tp)
        if processor is None or processor in self._waiting or self._consumer.stale(batch):
            return
        if processor.full:
            self._waiting.add(processor)
            self._consumer.pause_partitions({batch.tp})
            return
        await self._guarded(batch.tp, processor.process(batch.records, batch.end))

    async def _read_again(self, tp: TP, processor: Processor) -> None:
        """Read a partition on that had too much to send on, once that is sent; none of the others waits for it."""
        if processor in self._waiting and not processor.full:
            with suppress(KafkaError, TimeoutError):  # tried again with the next tick
                await self._consumer.read_on(tp, processor.offset, lambda: not processor.revoked)
                self._waiting.discard(processor)

    async def _tick_all(self) -> None:
        """Tick all partitions side by side: one that waits for its store holds up none of the others."""
        under_way: set[Processor] = set()
        async with asyncio.TaskGroup() as group:
            while not self.app.should_stop:
                await asyncio.sleep(TICK_S)
                for tp, processor in self.processors.items():
                    if processor not in under_way:
                        under_way.add(processor)
                        group.create_task(self._tick(tp, processor, under_way))

    async def _tick(self, tp: TP, processor: Processor, under_way: set[Processor]) -> None:
        consumer = self._consumer
        try:
            await self._guarded(tp, processor.tick(consumer.end_of(tp), silent_s=consumer.silent_s(tp)))
            await self._read_again(tp, processor)
        finally:
            under_way.discard(processor)

    async def _pack_all(self) -> None:
        """Have what no longer changes take less room, whosever's turn it is, for a part of the time at most."""
        while not self.app.should_stop:
            await asyncio.sleep(TICK_S)
            end = monotonic() + PACKING_S
            for tp, processor in sample(sorted(self.processors.items()), len(self.processors)):
                if monotonic() < end:
                    await self._guarded(tp, processor.pack())

    async def _watch_topics(self) -> None:
        watch = TopicWatch(self._contract, self._partitions_of)
        while not self.app.should_stop:
            await asyncio.sleep(LOOK_TICKS * TICK_S)
            watch.look()

    def _partitions_of(self, topic: str) -> int | None:
        return self._consumer.partitions_of(topic)

    async def _guarded(self, tp: TP, work: Awaitable[None]) -> None:
        """Do ``work``; if the store refused it, take up what is stored and read on from there."""
        with suppress(RevokedError):
            try:
                await work
            except RefusedError as refused:
                log.warning("the store has another head: loading again", partition=str(refused))
                processor = self.processors.get(tp)
                if processor is not None:
                    await self._read_on(tp, processor)


def topic_name(prefix: str, topic: str) -> str:
    """Return the name that a topic of the event contract has in Kafka."""
    return f"{prefix}.{topic.removeprefix('callcenter.')}"


def faust_app(
    *,
    group: str,
    brokers: Sequence[str],
    batch_records: int,
    credentials: Any = None,
    ssl_context: ssl.SSLContext | None = None,
) -> BatchApp:
    """Return the Faust app: no tables, no web server, no leader, offsets in Kafka but a hint."""
    return BatchApp(
        group,
        broker=[f"aiokafka://{broker}" for broker in brokers],
        broker_credentials=credentials,
        ssl_context=ssl_context,
        # A worker that dies is missed within ten seconds; more would leave its partitions uncounted for longer.
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_request_timeout=30.0,
        broker_max_poll_interval=STORE_AWAY_S,
        consumer_metadata_max_age_ms=METADATA_AGE_MS,
        broker_max_poll_records=batch_records,
        # Of each partition enough to count on while the next fetch waits for those that have nothing (FETCH_WAIT_MS):
        # with Kafka's usual 1 MiB a worker that catches up waited for half of its time.
        consumer_max_fetch_size=4 * 1024 * 1024,
        consumer_auto_offset_reset="earliest",
        producer_max_request_size=LARGEST_LETTER,
        agent_supervisor=CrashingSupervisor,
        # Batches wait in the buffer: a few are enough to have the next at hand, and bound the memory.
        stream_buffer_maxsize=4,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        autodiscover=False,
        # Faust makes this folder even though nothing is kept in it.
        datadir=Path(gettempdir()) / "callwatch-faust",
        store="memory://",
    )
