"""What the record-batch consumer needs of Faust and aiokafka. If this fails, another Faust is installed: see batches.py."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from importlib.metadata import version
from typing import Any, Final

import faust
import pytest
from aiokafka import AIOKafkaConsumer
from faust.transport import consumer as base
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, StreamT
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.structs import OffsetAndMetadata

from agents.processors.batches import FETCH_WAIT_MS, Batch, BatchApp, BatchConsumer, BatchSchema
from agents.processors.worker import faust_app
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
    (driver.Consumer._to_message, ["self", "tp", "record"]),
    (driver.Consumer._new_consumer_thread, ["self"]),
    (driver.Consumer.seek_wait, ["self", "partitions"]),
    (driver.Consumer.highwater, ["self", "tp"]),
    (driver.Consumer.highwaters, ["self", "partitions"]),
    (driver.Consumer.earliest_offsets, ["self", "partitions"]),
    (driver.Consumer.assignment, ["self"]),
    (driver.AIOKafkaConsumerThread._create_worker_consumer, ["self", "transport"]),
    (driver.ensure_aiokafka_TP, ["tp"]),
    (faust.App._new_transport, ["self"]),
    (faust.Schema.loads_key, ["self", "app", "message", "loads", "serializer"]),
    (faust.Schema.loads_value, ["self", "app", "message", "loads", "serializer"]),
)
LAST: Final = 10


def test_the_minor_version_is_the_one_that_was_looked_at() -> None:
    assert version("faust-streaming").startswith("0.15."), "read agents/processors/batches.py beside the new Faust"


@pytest.mark.parametrize(("function", "parameters"), SIGNATURES, ids=lambda each: getattr(each, "__qualname__", ""))
def test_what_is_overridden_is_there_with_its_parameters(function: Callable[..., Any], parameters: list[str]) -> None:
    assert [name for name in inspect.signature(function).parameters if name not in {"kwargs"}] == parameters


def test_getmany_yields_and_the_other_overridden_ones_are_of_their_kind() -> None:
    assert inspect.isasyncgenfunction(base.Consumer.getmany)
    for coroutine in (base.Consumer.perform_seek, base.Consumer._add_gap, base.Consumer._wait_next_records):
        assert inspect.iscoroutinefunction(coroutine)
    assert not inspect.iscoroutinefunction(base.Consumer._new_offset)


def test_the_consumer_keeps_what_is_acknowledged_where_it_is_looked_for() -> None:
    source = inspect.getsource(base.Consumer)
    for name in ("_acked", "_acked_index", "_committed_offset", "_read_offset", "_buffered_partitions", "_seeks"):
        assert (f"self.{name}" in source) == (name != "_seeks"), name
    assert '"_fetch_max_wait_ms"' in repr([name for name in inspect.getsource(AIOKafkaConsumer).split('"')]) or (
        "self._fetch_max_wait_ms = fetch_max_wait_ms" in inspect.getsource(AIOKafkaConsumer)
    )
