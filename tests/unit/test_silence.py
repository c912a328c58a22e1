"""A silent Kafka is not an idle one; a partition that waits for its store holds up no other."""

import asyncio
from typing import Any

import pytest
from faust.types import TP

from agents.processors import processor as module
from agents.processors import worker as worker_module
from agents.processors.processor import Context, Processor
from agents.processors.watch import TopicWatch
from agents.processors.worker import Worker, faust_app
from agents.store import Head, StoreError
from agents.store.memory import MemoryStore
from tests.unit.counted import NAME, START, Clock, Office, bounds, context_of, processor_of, record


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A monotonic clock that stands until it is set, in ms."""
    clock = Clock(0)
    monkeypatch.setattr(module, "monotonic", lambda: clock.at / 1000)
    return clock


async def watermark_of(store: MemoryStore) -> int:
    return ((await store.load(NAME)).watermark or 0) - START


async def lag_of(store: MemoryStore) -> int:
    beat = (await store.snapshot(NAME, [], [])).beat
    assert beat is not None
    return beat.lag_ms


async def test_while_kafka_is_silent_the_lag_grows_and_the_watermark_waits(steady: Clock) -> None:
    store = MemoryStore()
    counting = await processor_of(context_of(store, Office()))
    await counting.process([record(0, "queued", "c1", 0, queue="sales")], 1)
    for second in range(1, 6):
        steady.at += 1_000
        await counting.tick(1, silent_s=4.0 + second)
        assert (await watermark_of(store), await lag_of(store)) == (0, 1_000 * second)


async def test_a_fetch_that_takes_a_little_longer_is_no_silence(steady: Clock) -> None:
    store = MemoryStore()
    counting = await processor_of(context_of(store, Office()))
    await counting.process([record(0, "queued", "c1", 0, queue="sales")], 1)
    steady.at += 1_000
    await counting.tick(1, silent_s=2.0)
    assert (await watermark_of(store), await lag_of(store)) == (1_000, 0)


async def test_a_silence_in_which_nothing_came_is_made_up_for(steady: Clock) -> None:
    store = MemoryStore()
    counting = await processor_of(context_of(store, Office()))
    await counting.process([record(0, "queued", "c1", 0, queue="sales")], 1)
    for _ in range(5):
        steady.at += 1_000
        await counting.tick(1, silent_s=4.0)
    steady.at += 1_000
    await counting.tick(1, silent_s=0.0)
    assert (await watermark_of(store), await lag_of(store)) == (6_000, 0)
    steady.at += 1_000
    await counting.tick(1, silent_s=0.0)
    assert await watermark_of(store) == 7_000


async def test_events_that_came_in_a_silence_are_not_late_and_nothing_is_made_up_for(steady: Clock) -> None:
    store, office = MemoryStore(), Office()
    counting = await processor_of(context_of(store, office))
    await counting.process([record(0, "queued", "c1", 0, queue="sales")], 1)
    for _ in range(3_600):
        steady.at += 1_000
        await counting.tick(1, silent_s=4.0)
    steady.at += 1_000
    await counting.tick(2, silent_s=0.0)
    await counting.process([record(1, "answered", "c1", 8_000, agent_id="a")], 2)
    assert (office.reasons, await watermark_of(store)) == ([], 8_000)
    steady.at += 1_000
    await counting.tick(2, silent_s=0.0)
    assert await watermark_of(store) == 9_000


class OneHangs(MemoryStore):
    """One partition's beats are never answered."""

    beats: list[str]

    async def beat(self, partition: str, base: Head, beat: Any) -> bool:
        if partition == NAME:
            raise StoreError("Redis: this one's master is gone")
        self.beats.append(partition)
        return await super().beat(partition, base, beat)


class Consumer:
    """Says of all partitions that they are empty."""

    def end_of(self, _tp: TP) -> int:
        return 0

    def silent_s(self, _tp: TP) -> float:
        return 0.0


async def test_a_partition_that_waits_for_its_store_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "TICK_S", 0.01)
    store = OneHangs()
    store.beats = []
    worker, context = make_worker(context_of(store, Office())), context_of(store, Office())
    monkeypatch.setattr(Worker, "_consumer", Consumer())
    for number in range(3):
        processor = Processor("callcenter.calls", f"calls/{number}", context)
        await processor.load(bounds(0, 0))
        worker.processors[TP("x.calls", number)] = processor
    ticking = asyncio.create_task(worker._tick_all())
    await asyncio.sleep(1)
    ticking.cancel()
    await asyncio.gather(ticking, return_exceptions=True)
    assert min(store.beats.count("calls/1"), store.beats.count("calls/2")) > 5


def make_worker(context: Context) -> Worker:
    return Worker(faust_app(group="g", brokers=["localhost:1"], batch_records=10), context, "x")


def test_what_becomes_of_a_topic_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    counts: dict[str, int | None] = {"calls": 2, "chats": None}
    watch = TopicWatch(counts, lambda topic: counts[topic])
    said = []
    for calls in (2, 2, 4, 4, 0, 0, 4):
        counts["calls"] = calls
        watch.look()
        said.append([line for line in capsys.readouterr().out.splitlines() if "calls" in line])
    assert ["more" in "".join(lines) for lines in said] == [False, False, True, False, False, False, False]
    assert ["missing" in "".join(lines) for lines in said] == [False, False, False, False, True, False, False]
    assert ["again" in "".join(lines) for lines in said] == [False] * 6 + [True]
