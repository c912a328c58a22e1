"""What is in memory counts only while it follows from what is stored: after a load, and until the store refuses."""

import asyncio

import pytest

from agents.processors.processor import Processor, RefusedError
from agents.store import Commit, Head
from agents.store.memory import MemoryStore
from streams.measures import Measure
from tests.unit.counted import NAME, Office, bounds, call, context_of, processor_of, totals_of


async def failing() -> tuple[int, int]:
    await asyncio.sleep(0.01)
    raise TimeoutError("Kafka does not answer")


class FlippingStore(MemoryStore):
    """A store whose address led to another one for a moment, as in a fail-over that is taken back."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere = True

    async def commit(self, partition: str, base: Head, commit: Commit) -> Head | None:
        elsewhere, self.elsewhere = self.elsewhere, False
        return None if elsewhere else await super().commit(partition, base, commit)


@pytest.mark.parametrize("work", ["tick", "process"])
async def test_what_waits_for_a_load_that_fails_gives_up(work: str) -> None:
    store = MemoryStore()
    processor = Processor("callcenter.calls", NAME, context_of(store, Office()))
    loading = asyncio.create_task(processor.load(failing))
    await asyncio.sleep(0)
    await (processor.tick(1) if work == "tick" else processor.process(call(0, "c1", 0), 3))
    with pytest.raises(TimeoutError):
        await loading
    assert (await store.load(NAME)).head.offset == -1


async def test_a_batch_behind_a_refused_one_is_not_committed_before_both_are_read_again() -> None:
    store = FlippingStore()
    processor = await processor_of(context_of(store, Office()))
    with pytest.raises(RefusedError):
        await processor.process(call(0, "c1", 0), 6)
    await processor.process(call(3, "c2", 60_000), 6)
    await processor.tick(6)
    assert (await store.load(NAME)).head.offset == -1
    assert await processor.load(bounds(0, 6)) == 0
    await processor.process([*call(0, "c1", 0), *call(3, "c2", 60_000)], 6)
    assert (await totals_of(store))[Measure.OFFERED] == 2
