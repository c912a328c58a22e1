"""One partition while what it stands on changes: the promises of its queues, and the store it commits to."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from agents.processors.processor import resident_bytes
from agents.store import Commit, Head
from agents.store.memory import MemoryStore
from streams.measures import Histogram, Measure, bin_of
from streams.policy import Policies, Promise
from tests.unit.counted import NAME, START, Clock, Office, call, context_of, processor_of, record, totals_of

pytestmark = pytest.mark.usefixtures("steady")


class SlowStore(MemoryStore):
    """A store whose commits wait for ``hangs``, once that is set."""

    hangs: asyncio.Event | None = None

    async def commit(self, partition: str, base: Head, commit: Commit) -> Head | None:
        if self.hangs is not None:
            await self.hangs.wait()
        return await super().commit(partition, base, commit)


async def test_what_is_taken_back_after_a_promise_has_changed_is_what_was_counted() -> None:
    store, office = MemoryStore(), Office()
    answered = [record(0, "queued", "c1", 0, queue="sales"), record(1, "answered", "c1", 15_000, agent_id="a")]
    await (await processor_of(context_of(store, office))).process(answered, 2)
    assert (await totals_of(store))[Measure.ANSWERED_WITHIN_TARGET] == 1
    stricter = Policies(queues={"sales": Promise(threshold_ms=10_000)})
    counting = await processor_of(msgspec.structs.replace(context_of(store, office), policies=stricter))
    await counting.process([record(2, "abandoned", "c1", 4_000)], 3)
    row = {measure: amount for measure, amount in (await totals_of(store)).items() if amount}
    assert row == {
        Measure.OFFERED: 1,
        Measure.ABANDONED: 1,
        Measure.ABANDONED_WITHIN_TARGET: 1,
        Measure.SHORT_ABANDONED: 1,
        Measure.WAIT_ABANDONED_MS: 4_000,
        Measure.OPENED: 1,
        Measure.CLOSED: 1,
        Histogram.WAIT_ABANDONED + bin_of(4_000): 1,
    }


async def test_open_contacts_are_judged_anew_once_when_a_promise_has_changed(steady: Clock) -> None:
    store, office = MemoryStore(), Office()
    answered = [record(0, "queued", "c1", 0, queue="sales"), record(1, "answered", "c1", 15_000, agent_id="a")]
    await (await processor_of(context_of(store, office))).process(answered, 2)
    stricter = Policies(queues={"sales": Promise(threshold_ms=10_000)})
    for _ in range(2):
        counting = await processor_of(msgspec.structs.replace(context_of(store, office), policies=stricter))
        await counting.tick(2)
        steady.at += 1_000
        assert (await totals_of(store)).get(Measure.ANSWERED_WITHIN_TARGET, 0) == 0
    assert (await totals_of(store))[Measure.ANSWERED] == 1


async def test_a_tick_beside_a_commit_that_hangs_does_not_carry_the_watermark_past_what_waits(steady: Clock) -> None:
    store, office = SlowStore(), Office()
    counting = await processor_of(context_of(store, office))
    await counting.process(call(0, "c1", 0), 3)
    before, hangs = (await store.load(NAME)).watermark, asyncio.Event()
    store.hangs = hangs
    last = asyncio.create_task(counting.process([record(3, "queued", "c2", 70_000, queue="sales")], 4))
    await asyncio.sleep(0)
    ticking = asyncio.create_task(counting.tick(4))
    await asyncio.sleep(0)
    steady.at += 45 * 60_000
    hangs.set()
    await asyncio.gather(last, ticking)
    assert before is not None
    assert (await store.load(NAME)).watermark == START + 70_000


def test_the_resident_memory_is_that_of_this_process() -> None:
    if not Path("/proc/self/status").exists():
        assert resident_bytes() is None
        return
    told = Path("/proc/self/status").read_text(encoding="ascii")
    kib = next(int(line.split()[1]) for line in told.splitlines() if line.startswith("VmRSS:"))
    assert resident_bytes() == pytest.approx(kib * 1024, rel=0.2)
