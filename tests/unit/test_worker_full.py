"""A partition that cannot send on what it has to tell is read no further, and holds up none of the others."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from faust.types import TP

from agents.processors import outbox, worker
from agents.processors.batches import Batch
from agents.processors.worker import Worker, faust_app
from agents.store.memory import MemoryStore
from tests.unit.counted import FakeRecord, Office, Posted, context_of, record

CALLS = TP("x.calls", 0)


class Consumer:
    """Notes what is paused, and where reading goes on."""

    def __init__(self) -> None:
        self.paused: list[set[TP]] = []
        self.read: list[int] = []

    async def bounds(self, _tp: TP) -> tuple[int, int]:
        return 0, 100

    async def read_on(self, _tp: TP, offset: int, wanted: Callable[[], bool]) -> None:
        assert wanted()
        self.read.append(offset)

    def pause_partitions(self, partitions: set[TP]) -> None:
        self.paused.append(partitions)

    def stale(self, _batch: Batch) -> bool:
        return False

    def end_of(self, _tp: TP) -> int:
        return 100

    def silent_s(self, _tp: TP) -> float:
        return 0.0


def batch(number: int) -> Batch:
    """Return the two records of one call of a customer."""
    records: list[Any] = [
        record(2 * number, "queued", f"c{number}", number * 1_000, queue="sales", customer_id="u"),
        record(2 * number + 1, "abandoned", f"c{number}", number * 1_000 + 500),
    ]
    found: list[FakeRecord] = records
    return Batch(CALLS, found, 0, 100)  # type: ignore[arg-type] # a record of the test's own


async def until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within 5 s")


async def test_a_full_outbox_pauses_its_partition_until_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST_UNSENT", 1)
    monkeypatch.setattr(outbox, "WAITS_S", (0.01,))
    monkeypatch.setattr(worker, "TICK_S", 0.01)
    consumer, post, store = Consumer(), Posted(), MemoryStore()
    post.error = ConnectionError("the topic of customers is missing")
    app = faust_app(group="g", brokers=["localhost:1"], batch_records=10)
    counting = Worker(app, context_of(store, Office(), post=post), "x")
    monkeypatch.setattr(Worker, "_consumer", consumer)
    counting.take_up({CALLS})
    await until(lambda: consumer.read == [0])
    for number in range(4):
        await counting._take(batch(number))
    # Two were counted before it was full; what came then is dropped, and what follows it too.
    processor = counting.processors[CALLS]
    assert processor.offset == 4
    assert consumer.paused == [{CALLS}]
    await counting._tick(CALLS, processor, set())
    assert consumer.read == [0]
    post.error = None
    await until(lambda: not processor.full)
    await counting._tick(CALLS, processor, set())
    assert consumer.read == [0, 4]
    await counting._take(batch(2))
    assert processor.offset == 6
