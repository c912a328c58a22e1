"""Faust with whole record batches: one Faust message for all that a fetch brought of one partition.

Faust hands over one message at a time and needs some 70 us for each: 14,000 a second on one core, however
cheap the work. Here a message's value is the list of records and its offset the last one's, so that this is
paid once a batch; Faust keeps its groups, rebalancing and commits. It leans on private parts of Faust 0.15:
tests/integration/test_faust_contract.py says what breaks with another version.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final, NamedTuple, cast

import faust
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.transports import TransportT
from faust.types.tuples import ConsumerMessage

from agents.processors.records import KafkaRecord, fetch_light_records

#: A fetch that has nothing yet is asked again after this: a partition with new records waits for the answer
#: of the fetch before, so this bounds the delay that an idle partition causes a busy one.
FETCH_WAIT_MS: Final = 20

#: Called with all partitions assigned, which are not read before ``read_on`` is called for them; must not wait.
TakeUp = Callable[[set[TP]], None]


class Batch(NamedTuple):
    """What one fetch brought of one partition."""

    tp: TP
    records: Sequence[KafkaRecord]
    #: How often the partition had been sought when it was fetched: a batch from before a seek is stale.
    seeks: int
    #: The partition's next free offset, as far as known.
    end: int | None


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread that owns aiokafka's consumer."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        fetch_light_records()
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 -- Faust fixes it at 1,500
        return consumer


class _AnyOffset(dict[TP, int | None]):
    """Faust's memory of what it has read, without a memory.

    Faust drops what lies below the last offset it read, also when a batch from before a seek was the last. The
    processors know better: they skip what the stored offset says was counted.
    """

    def __getitem__(self, _tp: TP) -> None:
        return None

    def __setitem__(self, _tp: TP, _offset: int | None) -> None:
        """Forget it."""


class BatchConsumer(driver.Consumer):
    """Faust's consumer, yielding a ``Batch`` where Faust yields a record."""

    app: "BatchApp"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seeks: Counter[TP] = Counter()
        self._sought: dict[TP, int] = {}
        self._heard: dict[TP, tuple[int | None, float]] = {}

    def _reset_state(self) -> None:
        super()._reset_state()
        self._read_offset = _AnyOffset()

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109 -- Faust's
        """Yield one message for each partition that a fetch brought records of."""
        generation, seeks = self.app.consumer_generation_id, self._seeks.copy()
        fetched, active = await self._wait_next_records(timeout)
        moved = {tp for tp in fetched or {} if self._seeks[tp] != seeks[tp]}
        await self._seek_again(moved)
        for tp, records in (fetched or {}).items():
            # What is dropped here is read again: every rebalance ends with a seek.
            if self.should_stop or not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if records and tp not in moved and (active is None or tp in active or tp in self._buffered_partitions):
                yield tp, self._message(Batch(tp, records, seeks[tp], self.end_of(tp)))

    def _message(self, batch: Batch) -> ConsumerMessage:
        """Return a batch as one message of Faust's, whose offset is the last record's."""
        last, stamp = batch.records[-1], batch.records[-1].timestamp / 1000
        return ConsumerMessage(
            last.topic, last.partition, last.offset, stamp, last.timestamp_type, None, None, cast(Any, batch), None,
            tp=batch.tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    async def _seek_again(self, moved: set[TP]) -> None:
        """Seek what was sought while it was fetched: whether its records are from before or after, nobody knows.

        They are dropped. Were they from after, the next fetch would go on behind them, and they would be lost.
        """
        positions = {tp: self._sought[tp] for tp in moved & {TP(*tp) for tp in self.assignment()}}
        if positions:
            with suppress(IllegalStateError):  # taken away meanwhile
                await self._seek_now(positions)

    def end_of(self, tp: TP) -> int | None:
        """Return the next free offset of a partition, or None if no fetch has told yet."""
        return self._told(tp, AIOKafkaConsumer.highwater)

    def silent_s(self, tp: TP) -> float:
        """Return for how long Kafka has not answered a fetch of a partition, in seconds, as noticed by asking here.

        It answers at least every ``FETCH_WAIT_MS``, also when there is nothing. The clock on the wall is not asked.
        """
        told, now = self._told(tp, AIOKafkaConsumer.last_poll_timestamp), monotonic()
        if tp not in self._heard or self._heard[tp][0] != told:
            self._heard[tp] = told, now
        return now - self._heard[tp][1]

    def partitions_of(self, topic: str) -> int | None:
        """Return how many partitions a topic has as far as known, None where there is no such topic."""
        consumer = self._aiokafka
        return len(consumer.partitions_for_topic(topic) or ()) if consumer is not None else None

    def _told(self, tp: TP, what: Callable[..., Any]) -> int | None:
        consumer = self._aiokafka
        if consumer is None:
            return None
        try:
            told: int | None = what(consumer, driver.ensure_aiokafka_TP(tp))
        except (AssertionError, AttributeError, KeyError, ValueError):  # the partition is no longer assigned
            return None
        return told

    @property
    def _aiokafka(self) -> AIOKafkaConsumer | None:
        thread: Any = self._thread
        return None if thread is None else thread._consumer  # noqa: SLF001 -- None until the thread has started

    def stale(self, batch: Batch) -> bool:
        """Tell whether the partition was sought elsewhere since the batch was fetched."""
        return self._seeks[batch.tp] != batch.seeks

    def _new_offset(self, tp: TP) -> int | None:
        # Faust waits for the offsets between two acknowledged ones. A batch is acknowledged by its last alone,
        # and batches in order (concurrency 1), so the highest acknowledged one holds.
        acked = self._acked[tp]
        if not acked:
            return None
        newest: int = max(acked)
        self._acked_index[tp].difference_update(acked)
        acked.clear()
        return newest + 1

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: between the last offsets of two batches lies the second batch, no gap."""

    async def perform_seek(self) -> None:
        """Have the app take up what is assigned. Nothing is read until it says where, whatever Kafka has committed.

        Faust gives this 30 s and then stands still for ever, and a store may be away for longer: nobody is waited for.
        """
        assigned = {TP(*tp) for tp in self.assignment()}
        self.pause_partitions(assigned)
        self.app.take_up(assigned)

    async def read_on(self, tp: TP, offset: int, wanted: Callable[[], bool]) -> None:
        """Read a partition from ``offset`` on, if it is still ``wanted``."""
        if wanted():
            await self.seek_to({tp: offset})
        if wanted():
            self.resume_partitions({TP(*tp)})  # after a refusal it is one of aiokafka's, which Faust takes amiss

    async def bounds(self, tp: TP) -> tuple[int, int]:
        """Return a partition's oldest offset and its next free one."""
        wanted = driver.ensure_aiokafka_TP(tp)
        oldest, ends = await self.earliest_offsets(wanted), await self.highwaters(wanted)
        return oldest[wanted], ends[wanted]

    async def seek_to(self, positions: Mapping[TP, int]) -> None:
        """Let the next fetch of each partition begin at its position."""
        self._sought.update(positions)
        for tp in positions:
            self._seeks[tp] += 1
            self._acked[tp].clear()
            self._acked_index[tp].clear()
            self._committed_offset[tp] = None
        await self._seek_now(positions)

    async def _seek_now(self, positions: Mapping[TP, int]) -> None:
        await self.seek_wait({driver.ensure_aiokafka_TP(tp): offset for tp, offset in positions.items()})


class BatchTransport(driver.Transport):
    """Faust's Kafka transport with the batch consumer."""

    Consumer = BatchConsumer


class BatchSchema(faust.Schema[Any, Any]):
    """Takes a batch as it is: what a record means is the processors' business."""

    def loads_key(self, app: Any, message: Any, **_kwargs: Any) -> Any:  # noqa: ARG002 -- Faust's signature
        """Return the key of the batch's last record: nobody looks at it."""
        return message.key

    def loads_value(self, app: Any, message: Any, **_kwargs: Any) -> Any:  # noqa: ARG002 -- Faust's signature
        """Return the batch."""
        return message.value


class BatchApp(faust.App):
    """A Faust app whose messages are batches, and whose partitions are read once somebody has taken them up."""

    take_up: TakeUp

    def _new_transport(self) -> TransportT:
        return BatchTransport(self.conf.broker_consumer, self)
