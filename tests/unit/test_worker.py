"""How a worker takes up partitions: it counts none before it has loaded, and tries on whatever Kafka says meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError, KafkaConnectionError, KafkaError
from faust.types import TP

from agents.processors import worker as module
from agents.processors.worker import Worker, faust_app
from agents.store import Loaded, StoreError
from agents.store.memory import MemoryStore
from tests.unit.counted import Office, context_of

CALLS = TP("x.calls", 0)


class Consumer:
    """Fails at what it is told to, once each; notes where reading goes on."""

    def __init__(self, **errors: KafkaError) -> None:
        self.errors = errors
        self.read: list[tuple[TP, int]] = []

    async def bounds(self, _tp: TP) -> tuple[int, int]:
        self.fail("bounds")
        return 3, 10

    async def read_on(self, tp: TP, offset: int, wanted: Callable[[], bool]) -> None:
        self.fail("read_on")
        if wanted():
            self.read.append((tp, offset))

    def fail(self, what: str) -> None:
        error = self.errors.pop(what, None)
        if error is not None:
            raise error


class Away(MemoryStore):
    """Cannot be reached until it is told so."""

    away = True

    async def load(self, partition: str) -> Loaded:
        if self.away:
            raise StoreError("Redis: gone")
        return await super().load(partition)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[[MemoryStore, Consumer], Worker]:
    """Makes workers that wait for nothing long."""
    monkeypatch.setattr(module, "TICK_S", 0.01)
    monkeypatch.setattr("agents.processors.insistence.WAITS_S", (0.01,))

    def made(store: MemoryStore, consumer: Consumer) -> Worker:
        worker = Worker(
            faust_app(group="g", brokers=["localhost:1"], batch_records=10), context_of(store, Office()), "x"
        )
        monkeypatch.setattr(Worker, "_consumer", consumer)
        return worker

    return made


async def until(done: Callable[[], Any]) -> None:
    for _ in range(1_000):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within 10 s")


Make = Callable[[MemoryStore, Consumer], Worker]


async def test_a_partition_is_counted_only_once_it_has_loaded(make: Make) -> None:
    store, consumer = Away(), Consumer()
    worker = make(store, consumer)
    worker.take_up({CALLS})
    await asyncio.sleep(0.2)
    assert (worker.processors, consumer.read) == ({}, [])
    store.away = False
    await until(lambda: consumer.read)
    assert consumer.read == [(CALLS, 3)]
    assert list(worker.processors) == [CALLS]


@pytest.mark.parametrize("what", ["bounds", "read_on"])
@pytest.mark.parametrize("error", [KafkaConnectionError("gone"), IllegalStateError("not assigned")])
async def test_a_kafka_that_does_not_answer_meanwhile_is_asked_again(make: Make, what: str, error: KafkaError) -> None:
    consumer = Consumer(**{what: error})
    worker = make(MemoryStore(), consumer)
    worker.take_up({CALLS})
    await until(lambda: consumer.read)
    assert consumer.read == [(CALLS, 3)]
    assert not worker.app.crashed


async def test_a_partition_taken_away_while_it_loads_is_never_read(make: Make) -> None:
    store, consumer = Away(), Consumer()
    worker = make(store, consumer)
    worker.take_up({CALLS})
    await asyncio.sleep(0.05)
    await worker._on_revoked(worker.app, {CALLS})
    store.away = False
    await asyncio.sleep(0.2)
    assert (worker.processors, consumer.read) == ({}, [])


async def test_a_partition_given_back_while_it_loads_is_read_once(make: Make) -> None:
    store, consumer = Away(), Consumer()
    worker = make(store, consumer)
    for _ in range(3):
        worker.take_up({CALLS})
        await asyncio.sleep(0.02)
    store.away = False
    await until(lambda: consumer.read)
    await asyncio.sleep(0.1)
    assert consumer.read == [(CALLS, 3)]
    assert not worker.processors[CALLS].revoked
