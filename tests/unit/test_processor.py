"""One partition, from record batches to commits: what is counted once, whatever fails."""

import asyncio
import random
from collections.abc import Collection
from typing import Any

import pytest

from agents.processors.insistence import RevokedError
from agents.processors.ledger import CALM_MS
from agents.processors.processor import Context, Processor, RefusedError
from agents.store import Beat, Commit, Head, Loaded, StoreError
from agents.store.memory import MemoryStore
from streams.measures import Measure
from streams.partition import Limits
from streams.policy import DAY_MS, HOUR_MS
from streams.windows import Buckets
from tests.unit.counted import (
    MEMORY,
    NAME,
    SALES,
    START,
    Clock,
    FakeRecord,
    Office,
    bounds,
    call,
    context_of,
    counted,
    processor_of,
    record,
    totals_of,
)

pytestmark = pytest.mark.usefixtures("steady")


class CrashError(Exception):
    """The worker ended here."""


class ShakyStore(MemoryStore):
    """A store that fails when ``trouble`` says so, before or after it has done what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.failing: set[int] = set()
        self.afterwards = False
        self.error: type[Exception] = StoreError

    async def _shaken(self, work: Any) -> Any:
        self.calls += 1
        fails = self.calls in self.failing
        if fails and not self.afterwards:
            work.close()
            raise self.error("shaken")
        result = await work
        if fails:
            raise self.error("shaken")
        return result

    async def load(self, partition: str) -> Loaded:
        loaded: Loaded = await self._shaken(super().load(partition))
        return loaded

    async def rows(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> tuple[Buckets, Buckets]:
        found: tuple[Buckets, Buckets] = await self._shaken(super().rows(partition, fine, intervals))
        return found

    async def settled(self, partition: str, hours: Collection[int]) -> dict[int, bytes]:
        found: dict[int, bytes] = await self._shaken(super().settled(partition, hours))
        return found

    async def commit(self, partition: str, base: Head, commit: Commit) -> Head | None:
        head: Head | None = await self._shaken(super().commit(partition, base, commit))
        return head

    async def pack(self, partition: str, base: Head, names: Collection[str]) -> bool:
        done: bool = await self._shaken(super().pack(partition, base, names))
        return done

    async def beat(self, partition: str, base: Head, beat: Beat) -> bool:
        noted: bool = await self._shaken(super().beat(partition, base, beat))
        return noted


def a_day(calls: int, seed: int = 1) -> list[FakeRecord]:
    """Return the records of calls of six hours, disordered, some doubled, some late, some that cannot be read."""
    chance = random.Random(seed)
    made: list[tuple[float, FakeRecord]] = []
    for number in range(calls):
        at = chance.randrange(6 * HOUR_MS)
        for each in call(0, f"c{number}", at, wait=chance.randrange(90_000), queue=chance.choice(("sales", "care"))):
            arrives = each.timestamp + chance.randrange(5 * 60_000)
            made.append((arrives, each))
            if chance.random() < 0.1:
                made.append((arrives + chance.randrange(3 * HOUR_MS), each))
    made += [(START + chance.randrange(HOUR_MS), FakeRecord(0, b"{", b"k")) for _ in range(5)]
    ordered = [each for _, each in sorted(made, key=lambda pair: pair[0])]
    return [
        FakeRecord(number, each.value, each.key, timestamp=START + 9 * HOUR_MS) for number, each in enumerate(ordered)
    ]


async def read_on(store: MemoryStore, office: Office, records: list[FakeRecord], size: int) -> None:
    """Load and count from where the store has come to, to the end, in batches of ``size``."""
    context = context_of(store, office)
    counting = Processor("callcenter.calls", NAME, context)
    start = await counting.load(bounds(0, len(records)))
    for first in range(start, len(records), size):
        await counting.process(records[first : first + size], len(records))
        await counting.pack()


async def test_a_call_counts_in_its_buckets(steady: Clock) -> None:
    store = MemoryStore()
    counting = await processor_of(context_of(store, Office()))
    steady.at += 5
    await counting.process(call(0, "c1", 0), 3)
    row = await totals_of(store)
    assert (row[Measure.OFFERED], row[Measure.ANSWERED], row[Measure.HANDLED]) == (1, 1, 1)
    assert row[Measure.WAIT_ANSWERED_MS] == 5_000
    fine, intervals = await store.rows(NAME, [START // 10_000], [START // 900_000])
    assert fine[START // 10_000][SALES][Measure.OFFERED] == 1
    assert intervals[START // 900_000][SALES][Measure.TALK_MS] == 60_000
    loaded = await store.load(NAME)
    assert (loaded.head.offset, loaded.watermark) == (3, START + 65_000)


async def test_records_below_the_stored_offset_are_skipped() -> None:
    store = MemoryStore()
    records = call(0, "c1", 0) + call(3, "c2", 1_000)
    counting = await processor_of(context_of(store, Office()))
    await counting.process(records[:4], 6)
    before = await store.load(NAME)
    await counting.process(records[:4], 6)
    assert (await store.load(NAME)).head == before.head
    await counting.process(records, 6)
    row = await totals_of(store)
    assert (row[Measure.OFFERED], row[Measure.HANDLED]) == (2, 2)
    assert (await store.load(NAME)).stats["event:contact.queued"] == 2


async def test_a_second_owner_is_refused_and_counts_right_after_loading() -> None:
    store, office = MemoryStore(), Office()
    records = call(0, "c1", 0) + call(3, "c2", 1_000) + call(6, "c3", 2_000)
    zombie = await processor_of(context_of(store, office))
    await zombie.process(records[:2], 9)
    owner = await processor_of(context_of(store, office))
    await owner.process(records[2:5], 9)
    before = await counted(store)
    with pytest.raises(RefusedError):
        await zombie.process(records[2:7], 9)
    assert await counted(store) == before
    assert await zombie.load(bounds(0, 9)) == 5
    await zombie.process(records[5:], 9)
    with pytest.raises(RefusedError):
        await owner.tick(9)
    alone = MemoryStore()
    await read_on(alone, Office(), records, 100)
    assert await counted(store) == await counted(alone)
    assert (await store.load(NAME)).stats["refused"] == 1


async def test_what_has_been_calm_for_long_is_packed_and_a_second_owner_packs_nothing() -> None:
    store, office = MemoryStore(), Office()
    zombie = await processor_of(context_of(store, office))
    await zombie.process(call(0, "c1", 0), 6)
    await zombie.pack()
    assert f"f{START // 10_000}" in (await store.load(NAME)).loose
    owner = await processor_of(context_of(store, office))
    await owner.process(call(3, "c2", 2 * CALM_MS), 6)
    while f"f{START // 10_000}" in (await store.load(NAME)).loose:
        await owner.pack()
    assert f"f{(START + 2 * CALM_MS) // 10_000}" in (await store.load(NAME)).loose
    zombie._partition.advance(START + 3 * CALM_MS)  # as the clock would
    with pytest.raises(RefusedError):
        await zombie.pack()


async def test_a_batch_that_waits_while_the_store_is_loaded_anew_is_dropped() -> None:
    class Slow(MemoryStore):
        async def load(self, partition: str) -> Loaded:
            await asyncio.sleep(0.01)
            return await super().load(partition)

    store = Slow()
    records = call(0, "c1", 0) + call(3, "c2", 1_000)
    counting = await processor_of(context_of(store, Office()))
    await counting.process(records[:3], 6)
    store.forget()
    loading = asyncio.create_task(counting.load(bounds(0, 6)))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(counting.process(records[3:], 6))
    assert await loading == 0
    await waiting
    assert (await store.load(NAME)).head.offset < 0
    await counting.process(records, 6)
    assert (await totals_of(store))[Measure.HANDLED] == 2


@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
async def test_a_crash_at_any_step_of_the_store_changes_no_figure(afterwards: bool) -> None:  # noqa: FBT001 -- a parameter
    records = a_day(60)
    whole, office = MemoryStore(), Office()
    await read_on(whole, office, records, 15)
    expected = await counted(whole)
    step, crashes = 1, 0
    while True:
        store, letters = ShakyStore(), Office()
        store.failing, store.error, store.afterwards = {step}, CrashError, afterwards
        try:
            await read_on(store, letters, records, 15)
        except CrashError:
            crashes += 1
            await read_on(store, letters, records, 15)
        else:
            break
        assert await counted(store) == expected
        assert letters.letters.keys() == office.letters.keys()
        step += 1
    assert crashes > 10
    assert office.reasons.count("not_json") == 5


@pytest.mark.parametrize("seed", range(4))
async def test_a_store_that_fails_for_a_while_loses_nothing(seed: int) -> None:
    chance = random.Random(seed)
    records = a_day(80, seed)
    whole = MemoryStore()
    await read_on(whole, Office(), records, 30)
    store = ShakyStore()
    store.afterwards = seed % 2 == 0
    store.failing = {number for number in range(1, 200) if chance.random() < 0.4}
    start, counting = 0, Processor("callcenter.calls", NAME, context_of(store, Office()))
    start = await counting.load(bounds(0, len(records)))
    while start < len(records):
        try:
            await counting.process(records[start : start + 30], len(records))
            start += 30
        except RefusedError:  # a commit that was applied, and whose answer was lost
            start = await counting.load(bounds(0, len(records)))
    assert store.failing & set(range(store.calls))
    store.failing.clear()
    assert await counted(store) == await counted(whole)


async def test_a_store_that_fails_while_the_partition_goes_away_is_given_up() -> None:
    store = ShakyStore()
    counting = await processor_of(context_of(store, Office()))
    store.failing = set(range(10_000))
    trying = asyncio.create_task(counting.process(call(0, "c1", 0), 3))
    await asyncio.sleep(0.01)
    assert not trying.done()
    counting.revoked = True
    with pytest.raises(RevokedError):
        await trying


async def test_a_tick_carries_the_watermark_of_an_idle_partition_and_makes_ghosts_lost(steady: Clock) -> None:
    store = MemoryStore()
    counting = await processor_of(context_of(store, Office()))
    await counting.process([record(0, "queued", "ghost", 0, queue="sales")], 1)
    steady.at += 4 * HOUR_MS - 1
    await counting.tick(1)
    loaded = await store.load(NAME)
    assert loaded.watermark == START + 4 * HOUR_MS - 1
    assert Measure.LOST not in await totals_of(store)
    assert (await store.snapshot(NAME, [], [])).now == {"ghost": ("sales", "voice", START)}
    steady.at += 1
    await counting.tick(1)
    assert (await totals_of(store))[Measure.LOST] == 1
    assert (await store.snapshot(NAME, [], [])).now == {}
    assert (await store.load(NAME)).head.offset == 1
    await counting.process([record(1, "abandoned", "ghost", 4 * HOUR_MS)], 2)
    row = await totals_of(store)
    assert (row.get(Measure.LOST, 0), row[Measure.ABANDONED]) == (0, 1)


async def test_a_tick_does_not_carry_the_watermark_while_behind(steady: Clock) -> None:
    store = MemoryStore()
    counting = await processor_of(context_of(store, Office(), Clock(START + 99)))
    await counting.process([record(0, "queued", "c1", 0, queue="sales")], 10)
    head = (await store.load(NAME)).head
    steady.at += 4 * HOUR_MS
    await counting.tick(10)
    loaded = await store.load(NAME)
    assert (loaded.head, loaded.watermark) == (head, START)
    beat = (await store.snapshot(NAME, [], [])).beat
    assert beat == Beat(START + 99, 99 + 4 * HOUR_MS, 9, START, MEMORY)


async def test_a_tick_before_the_end_is_known_says_nothing(steady: Clock) -> None:
    store = MemoryStore()
    counting = await processor_of(context_of(store, Office()))
    steady.at += 1_000
    await counting.tick(None)
    assert (await store.snapshot(NAME, [], [])).beat is None


async def test_the_watermark_of_a_tick_survives_a_restart(steady: Clock) -> None:
    store = MemoryStore()
    counting = await processor_of(context_of(store, Office()))
    await counting.process([record(0, "queued", "c1", 0, queue="sales")], 1)
    steady.at += 60_000
    await counting.tick(1)
    assert (await store.load(NAME)).watermark == START + 60_000


@pytest.mark.parametrize(("oldest", "end"), [(50, 100), (0, 2)], ids=["retention", "made anew"])
async def test_an_offset_outside_of_what_kafka_holds_is_said_and_read_on(
    oldest: int, end: int, capsys: pytest.CaptureFixture[str]
) -> None:
    store = MemoryStore()
    counting = await processor_of(context_of(store, Office()))
    await counting.process(call(0, "c1", 0), 3)
    assert await counting.load(bounds(oldest, end)) == oldest
    assert "no longer holds the stored offset" in capsys.readouterr().out
    await counting.process(call(oldest, "c2", 1_000), end)
    loaded = await store.load(NAME)
    assert (loaded.head.offset, loaded.stats["offset_resets"]) == (oldest + 3, 1)
    assert (await totals_of(store))[Measure.HANDLED] == 2


async def test_the_first_start_reads_from_the_oldest_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    counting = Processor("callcenter.calls", NAME, context_of(MemoryStore(), Office()))
    assert await counting.load(bounds(40, 100)) == 40
    assert capsys.readouterr().out == ""


def future_context(store: MemoryStore, office: Office) -> Context:
    return context_of(store, office, Clock(START), Limits(future_ms=60_000))


async def test_the_future_is_judged_by_the_brokers_stamp_where_there_is_one() -> None:
    store, office = MemoryStore(), Office()
    counting = await processor_of(future_context(store, office))
    records = [record(n, "queued", f"c{n}", DAY_MS, queue="sales") for n in range(4)]
    records[0].timestamp = START + DAY_MS - 60_000  # appended as late as is allowed
    records[1].timestamp = START + DAY_MS - 60_001
    records[2].timestamp_type = 0  # the producer's stamp says nothing: the clock does
    records[3].timestamp = START + DAY_MS
    await counting.process(records, 4)
    assert [letter.record.offset for letter in office.letters.values()] == [1, 2]
    assert office.reasons == ["future", "future"]
    assert (await totals_of(store))[Measure.OFFERED] == 2


async def test_dead_letters_are_sent_before_the_commit_and_the_rest_counts() -> None:
    store = MemoryStore()
    heads: list[int] = []

    class Watching(Office):
        async def send(self, letters: Any) -> None:
            heads.append((await store.load(NAME)).head.offset)
            await super().send(letters)

    office = Watching()
    counting = await processor_of(context_of(store, office))
    bad = [FakeRecord(3, b"\xff\x00", b"k"), FakeRecord(4, None, b"c1"), FakeRecord(5, call(0, "c9", 0)[0].value, None)]
    await counting.process([*call(0, "c1", 0), *bad], 6)
    assert heads == [-1]
    assert office.reasons == ["not_json", "empty", "wrong_key"]
    loaded = await store.load(NAME)
    assert loaded.head.offset == 6
    assert {name: count for name, count in loaded.stats.items() if name.startswith("dead:")} == {
        "dead:not_json": 1,
        "dead:empty": 1,
        "dead:wrong_key": 1,
    }
    assert (await totals_of(store))[Measure.HANDLED] == 1
