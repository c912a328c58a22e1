"""The worker: Faust's app, one processor for each partition assigned, a clock for the idle ones."""

import asyncio
import ssl
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP, StreamT
from mode.supervisors import CrashingSupervisor

from agents.processors.batches import Batch, BatchApp, BatchConsumer, BatchSchema
from agents.processors.dead_letters import DeadLetter
from agents.processors.insistence import RevokedError
from agents.processors.processor import Context, Processor, RefusedError
from streams import events as ev

#: Between two signs of life of a partition, in seconds.
TICK_S: Final = 1.0

#: As many batches are under way at once: counted one after another, committed side by side.
UNDER_WAY: Final = 4

#: A dead letter is written within this, or tried again.
SEND_TIMEOUT_S: Final = 10.0

#: A letter is its record and a few headers: larger than the largest record that Kafka takes by default.
LARGEST_LETTER: Final = 4 * 1024 * 1024

log = structlog.get_logger()


class KafkaOffice:
    """Writes dead letters to Kafka."""

    def __init__(self, app: BatchApp, topic: str) -> None:
        self._app = app
        self._topic = topic

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Return once all ``letters`` are acknowledged; a try that fails is repeated, under the same keys."""
        while True:
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self._send(letters)
            except Exception as error:  # noqa: BLE001 -- whatever the client says: a letter must not get lost
                log.warning("dead letters could not be written; trying on", error=type(error).__name__)
                await asyncio.sleep(1)
            else:
                return

    async def _send(self, letters: Sequence[DeadLetter]) -> None:
        producer = await self._app.maybe_start_producer()
        sent = [
            await producer.send(self._topic, letter.key, letter.record.value, None, None, letter.headers)
            for letter in letters
        ]
        await asyncio.gather(*sent)


class Worker:
    """Counts the partitions that the group assigns to this process."""

    def __init__(self, app: BatchApp, context: Context, prefix: str) -> None:
        """Count the topics of ``prefix``; ``app.positions`` becomes this worker's."""
        self.app = app
        self.processors: dict[TP, Processor] = {}
        self._context = context
        self._contract = {topic_name(prefix, topic): topic for topic in ev.TOPICS}
        app.positions = self.positions
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)  # type: ignore[arg-type] # mode's protocol fits no method
        topics = app.topic(*self._contract, schema=BatchSchema())
        app.agent(topics, name="callwatch.batches", concurrency=1)(self._take_all)
        app.task(self._tick_all)

    async def positions(self, assigned: set[TP]) -> Mapping[TP, int]:
        """Load what is stored of the partitions assigned; return where to read on."""
        for tp in set(self.processors) - assigned:
            self.processors.pop(tp).revoked = True
        for tp in assigned - set(self.processors):
            topic = self._contract[tp.topic]
            self.processors[tp] = Processor(topic, f"{topic.removeprefix('callcenter.')}/{tp.partition}", self._context)
        offsets = await asyncio.gather(*(self._load(tp, self.processors[tp]) for tp in assigned))
        return dict(zip(assigned, offsets, strict=True))

    async def _load(self, tp: TP, processor: Processor) -> int:
        return await processor.load(lambda: self._consumer.bounds(tp))

    @property
    def _consumer(self) -> BatchConsumer:
        consumer: Any = self.app.consumer
        return consumer  # type: ignore[no-any-return]

    async def _on_revoked(self, _app: Any, *args: Any, **_kwargs: Any) -> None:
        for tp in args[0]:
            if tp in self.processors:
                self.processors.pop(tp).revoked = True

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
        if processor is not None and not self._consumer.stale(batch):
            await self._guarded(batch.tp, processor.process(batch.records, batch.end))

    async def _tick_all(self) -> None:
        while not self.app.should_stop:
            await asyncio.sleep(TICK_S)
            for tp, processor in list(self.processors.items()):
                await self._guarded(tp, processor.tick(self._consumer.end_of(tp)))

    async def _guarded(self, tp: TP, work: Awaitable[None]) -> None:
        """Do ``work``; if the store refused it, take up what is stored and read on from there."""
        with suppress(RevokedError):
            try:
                await work
            except RefusedError as refused:
                log.warning("the store has another head: loading again", partition=str(refused))
                await self._reload(tp)

    async def _reload(self, tp: TP) -> None:
        while (processor := self.processors.get(tp)) is not None:
            try:
                await self._consumer.seek_to({tp: await self._load(tp, processor)})
            except (KafkaError, TimeoutError) as error:
                log.warning("Kafka does not answer; trying on", partition=processor.name, error=repr(error))
                await asyncio.sleep(TICK_S)
            else:
                return


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
