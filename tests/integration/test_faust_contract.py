"""What the record-batch consumer needs of Faust and aiokafka; where this fails, see agents/processors/batches.py."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaError
from faust.transport import consumer as base
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, StreamT
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from agents.processors import records
from agents.processors.batches import FETCH_WAIT_MS, Batch, BatchConsumer, BatchSchema
from agents.processors.outbox import KafkaPost, partition_of
from agents.processors.worker import faust_app
from streams.told import Message
from tests.harness.kafka import KafkaCluster

pytestmark = pytest.mark.integration

#: What is overridden or called, and with which parameters.
SIGNATURES: Final[tuple[tuple[Callable[..., Any], list[str]], ...]] = (
    (driver.Consumer.getmany, ["self", "timeout"]),
    (driver.Consumer._new_offset, ["self", "tp"]),
    (driver.Consumer._add_gap, ["self", "tp", "offset_from", "offset_to"]),
    (driver.Consumer.perform_seek, ["self"]),
    (driver.Consumer._wait_next_records, ["self", "timeout"]),
    (driver.Consumer._reset_state, ["self"]),
    (fetcher.PartitionRecords._consumer_record, ["self", "tp", "record"]),
    (fetcher.PartitionRecords.__next__, ["self"]),
    (driver.Consumer._new_consumer_thread, ["self"]),
    (driver.Consumer.seek_wait, ["self", "partitions"]),
    (driver.Consumer.pause_partitions, ["self", "tps"]),
    (driver.Consumer.resume_partitions, ["self", "tps"]),
    (AIOKafkaConsumer.highwater, ["self", "partition"]),
    (AIOKafkaConsumer.last_poll_timestamp, ["self", "partition"]),
    (AIOKafkaConsumer.partitions_for_topic, ["self", "topic"]),
    (faust.App.add_future, ["self", "coro"]),
    (driver.Consumer.highwaters, ["self", "partitions"]),
    (driver.Consumer.earliest_offsets, ["self", "partitions"]),
    (driver.Consumer.assignment, ["self"]),
    (driver.AIOKafkaConsumerThread._create_worker_consumer, ["self", "transport"]),
    (driver.ensure_aiokafka_TP, ["tp"]),
    (faust.App._new_transport, ["self"]),
    (driver.Producer._ensure_producer, ["self"]),
    (AIOKafkaProducer.create_batch, ["self"]),
    (AIOKafkaProducer.send_batch, ["self", "batch", "topic", "partition"]),
    (faust.Schema.loads_key, ["self", "app", "message", "loads", "serializer"]),
    (faust.Schema.loads_value, ["self", "app", "message", "loads", "serializer"]),
)
RECORDS: Final = 2_000


def test_the_minor_version_is_the_one_that_was_looked_at() -> None:
    assert version("faust-streaming").startswith("0.15."), "read agents/processors/batches.py beside the new Faust"


@pytest.mark.parametrize(("function", "parameters"), SIGNATURES, ids=lambda each: getattr(each, "__qualname__", ""))
def test_what_is_overridden_is_there_with_its_parameters(function: Callable[..., Any], parameters: list[str]) -> None:
    assert [name for name in inspect.signature(function).parameters if name != "kwargs"] == parameters


def test_getmany_yields_and_the_other_overridden_ones_are_of_their_kind() -> None:
    assert inspect.isasyncgenfunction(base.Consumer.getmany)
    for coroutine in (base.Consumer.perform_seek, base.Consumer._add_gap, base.Consumer._wait_next_records):
        assert inspect.iscoroutinefunction(coroutine)
    assert not inspect.iscoroutinefunction(base.Consumer._new_offset)


class Reading:
    """A Faust app that notes the batches it is given of one topic, and starts where it is told."""

    def __init__(self, kafka: KafkaCluster, topic: str, start: Mapping[int, int], batch_records: int = 100) -> None:
        self.app = faust_app(group=topic, brokers=kafka.address.split(","), batch_records=batch_records)
        self.app.take_up = self.take_up
        self.start_at = start
        self.asked: list[set[TP]] = []
        self.batches: list[Batch] = []
        self.stale = 0
        #: A partition is read only after this, in seconds.
        self.load_s = 0.0
        #: Seek the first partition here, once, after so many batches.
        self.seek: tuple[int, int] | None = None
        self.app.agent(self.app.topic(topic, schema=BatchSchema()), name="reading", concurrency=1)(self.read)

    @property
    def consumer(self) -> BatchConsumer:
        consumer: Any = self.app.consumer
        return consumer  # type: ignore[no-any-return]

    def take_up(self, assigned: set[TP]) -> None:
        self.asked.append(assigned)
        for tp in assigned:
            self.app.add_future(self.begin(tp))

    async def begin(self, tp: TP) -> None:
        await asyncio.sleep(self.load_s)
        await self.consumer.read_on(tp, self.start_at[tp.partition], lambda: True)

    async def read(self, stream: StreamT[Any]) -> None:
        batch: Batch
        async for batch in stream:
            if self.consumer.stale(batch):
                self.stale += 1
                continue
            self.batches.append(batch)
            if self.seek is not None and len(self.batches) == self.seek[0]:
                await asyncio.sleep(0.5)  # the next batches are fetched meanwhile, and wait
                await self.consumer.seek_to({batch.tp: self.seek[1]})
            await asyncio.sleep(0)

    def offsets(self, partition: int) -> list[int]:
        """Return the offsets read of a partition, in the order they came."""
        return [record.offset for batch in self.batches if batch.tp.partition == partition for record in batch.records]

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until ``done()``, and a moment longer, for what must not come any more."""
        async with asyncio.timeout(60):
            while not done():
                assert not self.app.crashed
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)


@asynccontextmanager
async def running(reading: Reading) -> AsyncIterator[Reading]:
    starting = asyncio.create_task(reading.app.start())
    try:
        yield reading
    finally:
        await reading.app.stop()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)


@pytest.fixture
def topic(kafka: KafkaCluster, unique: str) -> str:
    """A topic of two partitions with records in both."""
    kafka.create_topic(unique, partitions=2)
    producer = KafkaProducer(bootstrap_servers=kafka.address)
    try:
        for number in range(RECORDS):
            producer.send(unique, b"%d" % number, partition=number % 2)
        producer.flush(30)
    finally:
        producer.close()
    return unique


def committed(kafka: KafkaCluster, group: str, partition: int) -> int | None:
    consumer = KafkaConsumer(bootstrap_servers=kafka.address, group_id=group, enable_auto_commit=False)
    try:
        offset: int | None = consumer.committed(TopicPartition(group, partition))
        return offset
    finally:
        consumer.close()


def commit(kafka: KafkaCluster, group: str, offset: int) -> None:
    consumer = KafkaConsumer(bootstrap_servers=kafka.address, group_id=group, enable_auto_commit=False)
    try:
        consumer.assign([TopicPartition(group, number) for number in range(2)])
        consumer.commit({TopicPartition(group, number): OffsetAndMetadata(offset, "", -1) for number in range(2)})
    finally:
        consumer.close()


async def test_each_message_is_one_partitions_batch_and_nothing_is_skipped(kafka: KafkaCluster, topic: str) -> None:
    half = RECORDS // 2
    async with running(Reading(kafka, topic, {0: 0, 1: 0})) as reading:
        await reading.until(lambda: len(reading.offsets(0)) + len(reading.offsets(1)) >= RECORDS)
        assert reading.offsets(0) == reading.offsets(1) == list(range(half))
        assert len(reading.batches) < RECORDS / 20
        assert all(0 < len(batch.records) <= 100 for batch in reading.batches)
        assert all({record.partition for record in batch.records} == {batch.tp.partition} for batch in reading.batches)
        assert {batch.end for batch in reading.batches} == {half}
        assert reading.asked[-1] == {TP(topic, 0), TP(topic, 1)}
        assert [await reading.consumer.bounds(tp) for tp in reading.asked[-1]] == [(0, half)] * len(reading.asked[-1])
    assert [await asyncio.to_thread(committed, kafka, topic, number) for number in range(2)] == [half, half]


async def test_a_batch_ends_where_its_bytes_are_enough_and_the_next_goes_on_behind_it(
    kafka: KafkaCluster, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.create_topic(unique, partitions=1)
    producer = KafkaProducer(bootstrap_servers=kafka.address, compression_type="gzip", linger_ms=100)
    try:
        for number in range(RECORDS):
            producer.send(unique, b"%1000d" % number, partition=0)
        producer.flush(30)
    finally:
        producer.close()
    monkeypatch.setattr(records, "MOST_BYTES", 50_000)
    async with running(Reading(kafka, unique, {0: 0}, batch_records=RECORDS)) as reading:
        await reading.until(lambda: len(reading.offsets(0)) >= RECORDS)
        assert reading.offsets(0) == list(range(RECORDS))
        assert max(len(batch.records) for batch in reading.batches) == 50


async def test_what_is_told_goes_to_the_partition_of_its_key_in_order_and_once(kafka: KafkaCluster, topic: str) -> None:
    half = RECORDS // 2
    # Together more than a batch of one partition takes.
    told = [Message(b"customer %d" % (number % 7), b"%1000d" % number) for number in range(1_500)]
    async with running(Reading(kafka, topic, {0: half, 1: half})) as reading:
        await KafkaPost(reading.app, topic).send(told)
        await reading.until(lambda: len(reading.offsets(0)) + len(reading.offsets(1)) >= len(told))
        found = {0: list[Message](), 1: list[Message]()}
        for batch in reading.batches:
            found[batch.tp.partition] += [Message(each.key or b"", each.value or b"") for each in batch.records]
    assert found == {n: [message for message in told if partition_of(message.key, 2) == n] for n in range(2)}
    assert all(found.values())


async def test_what_is_told_to_a_topic_that_is_not_there_is_an_error(kafka: KafkaCluster, topic: str) -> None:
    async with running(Reading(kafka, topic, {0: 0, 1: 0})) as reading:
        with pytest.raises((KafkaError, TimeoutError)):
            await KafkaPost(reading.app, f"{topic}-not-there").send([Message(b"key", b"value")])


async def test_positions_decide_where_reading_starts_whatever_kafka_has_committed(
    kafka: KafkaCluster, topic: str
) -> None:
    await asyncio.to_thread(commit, kafka, topic, 500)
    half = RECORDS // 2
    async with running(Reading(kafka, topic, {0: 7, 1: 900})) as reading:
        await reading.until(lambda: len(reading.offsets(0)) + len(reading.offsets(1)) >= half - 7 + 100)
        assert reading.offsets(0) == list(range(7, half))
        assert reading.offsets(1) == list(range(900, half))


async def test_a_load_that_takes_longer_than_faust_waits_for_a_seek_is_read_on_after(
    kafka: KafkaCluster, topic: str
) -> None:
    half = RECORDS // 2
    reading = Reading(kafka, topic, {0: 7, 1: half})
    reading.app.conf.broker_request_timeout = 10.0  # no less than the session's
    reading.load_s = 13.0
    async with running(reading):
        await reading.until(lambda: len(reading.offsets(0)) >= half - 7)
        assert reading.offsets(0) == list(range(7, half))
        assert len(reading.asked) == 1


async def test_before_a_partition_is_taken_up_none_of_it_is_read(kafka: KafkaCluster, topic: str) -> None:
    reading = Reading(kafka, topic, {0: 0, 1: 0})
    reading.load_s = 60.0
    async with running(reading):
        await reading.until(lambda: reading.consumer.end_of(TP(topic, 0)) is not None)
        assert reading.batches == []


async def test_a_broker_that_stalls_is_silent_and_an_idle_one_is_not(tmp_path: Path) -> None:
    own = KafkaCluster(tmp_path)
    try:
        await asyncio.to_thread(own.start)
        await asyncio.to_thread(own.create_topic, "calls", 1)
        tp = TP("calls", 0)
        async with running(Reading(own, "calls", {0: 0})) as reading:
            await reading.until(lambda: reading.consumer.end_of(tp) == 0)
            for _ in range(8):
                assert reading.consumer.silent_s(tp) < 2
                await asyncio.sleep(0.5)
            own.pause()
            await asyncio.sleep(5)
            assert reading.consumer.end_of(tp) == 0
            reading.consumer.silent_s(tp)
            await asyncio.sleep(3)
            assert reading.consumer.silent_s(tp) >= 3
            own.resume()
            await reading.until(lambda: reading.consumer.silent_s(tp) < 0.1)
    finally:
        own.kill()


async def test_a_seek_in_the_middle_drops_stale_batches_and_reads_on_without_a_gap(
    kafka: KafkaCluster, topic: str
) -> None:
    half = RECORDS // 2
    reading = Reading(kafka, topic, {0: 0, 1: half}, batch_records=20)
    reading.seek = (5, 3)
    async with running(reading):
        await reading.until(lambda: len(reading.offsets(0)) >= 100 + half - 3)
        before = sum(len(batch.records) for batch in reading.batches[:5])
        assert reading.offsets(0) == [*range(before), *range(3, half)]
        assert reading.stale > 0


async def test_a_seek_while_a_fetch_waits_for_records_loses_none(kafka: KafkaCluster, topic: str) -> None:
    half = RECORDS // 2
    async with running(Reading(kafka, topic, {0: half, 1: half})) as reading:
        await reading.until(lambda: bool(reading.asked))
        for round_ in range(1, 11):
            await reading.consumer.seek_to({TP(topic, 0): half - 30})
            await reading.until(lambda expected=30 * round_: len(reading.offsets(0)) >= expected)  # type: ignore[misc]
        assert reading.offsets(0) == list(range(half - 30, half)) * 10


async def test_an_idle_partition_delays_a_busy_one_by_no_more_than_the_fetch_wait(
    kafka: KafkaCluster, topic: str
) -> None:
    async with running(Reading(kafka, topic, {0: 0, 1: 0})) as reading:
        await reading.until(lambda: len(reading.offsets(0)) + len(reading.offsets(1)) >= RECORDS)
        thread: Any = reading.consumer._thread
        assert thread._consumer._fetch_max_wait_ms == FETCH_WAIT_MS
        assert thread._consumer._fetcher._fetch_max_wait_ms == FETCH_WAIT_MS
        for name in ("_acked", "_acked_index", "_committed_offset", "_read_offset", "_buffered_partitions"):
            assert hasattr(reading.consumer, name), name
