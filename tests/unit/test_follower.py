"""The follower: what it follows by changes equals what it starts from; a store may go, come back, and be empty."""

import asyncio
from collections.abc import Collection
from time import monotonic

import pytest

from agents.board import follower as following
from agents.board.figures import live_rows
from agents.board.follower import Follower
from agents.board.model import Model
from agents.processors.processor import wall_clock
from agents.store import Beat, Changes, Snapshot, StoreError
from agents.store.memory import MemoryStore
from streams.measures import Measure
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS
from tests.unit.following import MARK, STALE_AFTER_MS, Frail, figures_of, follower_of, poll, running, until
from tests.unit.life import POLICIES, START, WINDOWS, Counting, Stamp, life_of


@pytest.mark.parametrize("seed", range(3))
async def test_following_by_changes_equals_starting_anew(seed: int) -> None:
    counting, visits, clock = Counting(), life_of(seed, visits=300), Stamp(START)
    followed = follower_of(counting.store, clock)
    for minute in range(0, 125, 5):
        since, clock.at = clock.at, START + minute * MINUTE_MS
        await counting.feed(visits, since=since + 1, until=clock.at)
        await poll(followed)
        anew = follower_of(counting.store, clock)
        await poll(anew)
        assert figures_of(followed) == figures_of(anew)
    assert followed.model.counters()


async def test_a_partition_that_appears_is_taken_up() -> None:
    counting = Counting(partitions=1)
    visits = life_of(1)
    await counting.feed([v for v in visits if v.channel == "voice"], until=MARK)
    follower = follower_of(counting.store)
    await poll(follower)
    await counting.feed([v for v in visits if v.channel == "chat"], until=MARK)
    await poll(follower, discover=False)
    assert ("chat", "chat") not in follower.model.counters()
    await poll(follower)
    anew = follower_of(counting.store)
    await poll(anew)
    assert figures_of(follower) == figures_of(anew)
    assert ("chat", "chat") in follower.model.counters()


async def test_a_follower_that_lags_too_far_behind_starts_anew() -> None:
    counting, visits = Counting(partitions=1), life_of(2)
    follower = follower_of(counting.store)
    await counting.feed(visits, until=START + MINUTE_MS)
    await poll(follower)
    await counting.feed(visits, since=START + MINUTE_MS + 1, until=MARK, batch=2)
    await poll(follower, discover=False)
    anew = follower_of(counting.store)
    await poll(anew)
    assert figures_of(follower) == figures_of(anew)


@pytest.mark.parametrize("calls", range(12))
async def test_a_store_that_fails_at_any_moment_makes_nothing_count_twice(calls: int) -> None:
    store = Frail()
    counting, visits = Counting(store), life_of(3, visits=60)
    await counting.feed(visits, until=MARK - MINUTE_MS)
    follower = follower_of(store)
    await poll(follower)
    store.forget()
    counting = Counting(store)
    await counting.feed(visits, until=MARK)
    store.fail(StoreError("gone"), after=calls)
    try:
        await poll(follower)
    except StoreError:
        before = follower.model.counters()
        assert before
    store.fail(None)
    await poll(follower)
    await poll(follower)
    anew = follower_of(store)
    await poll(anew)
    assert figures_of(follower) == figures_of(anew)


async def test_a_store_that_goes_away_leaves_the_last_figures_marked_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "POLL_S", 0.001)
    store = Frail()
    counting = Counting(store)
    await counting.feed(life_of(4), until=MARK)
    follower = follower_of(store)
    async with running(follower):
        await until(lambda: bool(follower.model.counters()) and not follower.health().stale)
        shown = figures_of(follower)
        store.fail(StoreError("Redis: connection refused"))
        await until(lambda: follower.health().stale)
        health = follower.health()
        assert (health.reason, health.store_reachable) == ("the store cannot be reached", False)
        assert figures_of(follower) == shown
        store.fail(None)
        await until(lambda: not follower.health().stale)
        assert figures_of(follower) == shown


async def test_a_store_that_comes_back_empty_keeps_the_last_figures_until_it_is_rebuilt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "POLL_S", 0.001)
    store, visits = MemoryStore(), life_of(5)
    await Counting(store).feed(visits, until=MARK)
    follower = follower_of(store)
    async with running(follower):
        await until(lambda: bool(follower.model.counters()))
        shown = figures_of(follower)
        store.forget()
        await until(lambda: follower.health().stale)
        assert "lost its figures" in str(follower.health().reason)
        assert figures_of(follower) == shown
        await Counting(store).feed(visits, until=MARK, batch=10_000)
        await until(lambda: not follower.health().stale and figures_of(follower)["rows"] == shown["rows"])


async def test_a_partition_that_is_gone_for_good_is_waited_for_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    await Counting(store, partitions=3).feed(life_of(6), until=MARK)
    follower = follower_of(store)
    await poll(follower)
    shown = figures_of(follower)
    store.forget()
    await Counting(store, partitions=1).feed(life_of(6), until=MARK)
    with pytest.raises(following._RebuildingError, match="2 of 4 partitions"):
        await poll(follower)
    assert figures_of(follower) == shown
    monkeypatch.setattr(following, "REBUILD_S", 0.0)
    await poll(follower)
    assert sorted(follower.ages()) == ["calls/0", "chats/0"]


async def test_figures_are_not_exchanged_for_those_that_a_worker_has_half_rebuilt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "POLL_S", 0.001)
    store, visits = MemoryStore(), life_of(10)
    await Counting(store).feed(visits, until=MARK)
    follower = follower_of(store)
    async with running(follower):
        await until(lambda: bool(follower.model.counters()))
        shown = figures_of(follower)["rows"]
        store.forget()
        rebuilding = Counting(store)
        for minute in range(0, 60, 10):
            since, to = START + (minute - 10) * MINUTE_MS, START + minute * MINUTE_MS
            await rebuilding.feed(visits, since=since + 1, until=to, batch=10_000)
            await asyncio.sleep(0.03)
            assert figures_of(follower)["rows"] == shown
            assert follower.health().stale
            assert "rebuil" in str(follower.health().reason)
        await rebuilding.feed(visits, since=START + 50 * MINUTE_MS + 1, until=MARK, batch=10_000)
        await until(lambda: not follower.health().stale)
        assert figures_of(follower)["rows"] == shown


class Sharded(MemoryStore):
    """A store of which a part hangs or fails when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: set[str] = set()
        self.hanging: set[str] = set()

    async def changes(self, partition: str, cursor: str) -> Changes | None:
        if partition in self.hanging:
            await asyncio.sleep(3_600)
        if partition in self.failing:
            raise StoreError("Redis: connection refused")
        return await super().changes(partition, cursor)


@pytest.mark.parametrize("how", ["failing", "hanging"])
async def test_while_a_part_of_the_store_is_away_the_others_go_on_and_all_is_marked_stale(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "POLL_S", 0.001)
    monkeypatch.setattr(following, "PATIENCE_S", 0.02)
    store, visits = Sharded(), life_of(11)
    counting = Counting(store)
    await counting.feed(visits, until=MARK - MINUTE_MS)
    await counting.beat()
    follower = Follower(store, lambda: Model(WINDOWS, POLICIES.zone), Stamp(MARK), 300)
    async with running(follower):
        await until(lambda: bool(follower.model.counters()))
        before = follower.model.counters()
        getattr(store, how).add("calls/1")
        await asyncio.sleep(0.1)
        await counting.feed(visits, since=MARK - MINUTE_MS + 1, until=MARK)
        chats = [visit for visit in visits if visit.channel == "chat" and visit.queued <= MARK]
        place = ("chat", "chat")
        await until(lambda: follower.model.counters()[place][Measure.OFFERED] == len(chats))
        await until(lambda: follower.health().stale)
        health, after = follower.health(), follower.model.counters()
        assert health.store_reachable
        if how == "failing":
            assert health.reason == "1 of 4 partitions cannot be read; their last figures are shown"
        anew = follower_of(store)
        await poll(anew)
        assert before != after != anew.model.counters()
        getattr(store, how).clear()
        if how == "failing":
            await until(lambda: follower.model.counters() == anew.model.counters())


async def test_a_store_of_which_every_part_is_away_cannot_be_reached() -> None:
    store = Sharded()
    await Counting(store).feed(life_of(12), until=MARK)
    follower = follower_of(store)
    await poll(follower)
    store.failing.update(await store.partitions())
    await follower._poll_and_note(discover=True)
    assert (follower.health().reason, follower.health().store_reachable) == ("the store cannot be reached", False)


async def test_all_partitions_are_asked_at_once() -> None:
    class Slow(MemoryStore):
        async def changes(self, partition: str, cursor: str) -> Changes | None:
            await asyncio.sleep(0.05)
            return await super().changes(partition, cursor)

    store = Slow()
    for number in range(64):
        head = (await store.load(f"calls/{number}")).head
        await store.beat(f"calls/{number}", head, Beat(wall_clock(), 0, 0, MARK))
    follower = follower_of(store)
    await poll(follower)
    began = monotonic()
    await poll(follower)
    assert monotonic() - began < 1


async def test_time_stands_still_once_nobody_counts_and_the_windows_do_not_run_empty() -> None:
    store, visits = MemoryStore(), life_of(13)
    counting = Counting(store)
    await counting.feed(visits, until=MARK)
    began, passed = monotonic(), Stamp(0)
    follower = Follower(
        store,
        lambda: Model(WINDOWS, POLICIES.zone),
        lambda: MARK + passed.at - follower.silence_ms,
        STALE_AFTER_MS,
    )
    await poll(follower)
    shown = figures_of(follower)["rows"]["1m"][-1]
    assert shown["offered"] > 0
    for name in follower._beat_seen:
        follower._beat_seen[name] = began - HOUR_MS / 1000
    passed.at = HOUR_MS
    await poll(follower)
    assert follower.now - MARK == pytest.approx(STALE_AFTER_MS, abs=1_000)
    assert figures_of(follower)["rows"]["1m"][-1]["offered"] > shown["offered"] / 2
    await counting.beat()
    await poll(follower)
    assert follower.now >= MARK + HOUR_MS
    assert figures_of(follower)["rows"]["1m"][-1]["offered"] == 0


async def test_a_board_that_starts_amid_a_replay_misses_nothing_that_comes_while_it_reads() -> None:
    visits = life_of(14)

    class Replayed(MemoryStore):
        """A store into which, each time it is read, another half an hour is replayed."""

        counting: Counting
        fed = START - 1

        async def snapshot(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> Snapshot:
            if fine and self.fed < START + 2 * HOUR_MS:
                since, self.fed = self.fed, self.fed + HOUR_MS // 2
                await self.counting.feed(visits, since=since + 1, until=self.fed)
            return await super().snapshot(partition, fine, intervals)

    def clock() -> int:
        marks = [beat.watermark for beat in follower.beats.values() if beat.watermark is not None]
        return max(marks, default=START + 300 * DAY_MS)

    store = Replayed()
    store.counting = Counting(store, partitions=1)
    follower = follower_of(store, clock)
    await store.load("calls/0")
    await poll(follower)
    assert store.fed > START + HOUR_MS
    store.fed = 1 << 62
    await poll(follower)
    anew = follower_of(store, Stamp(clock()))
    await poll(anew)
    assert figures_of(anew)["rows"]["1h"][-1]["offered"] > 0
    assert figures_of(follower)["rows"] == figures_of(anew)["rows"]


async def test_windows_of_a_clock_put_back_are_whole() -> None:
    store, clock = MemoryStore(), Stamp(MARK)
    await Counting(store).feed(life_of(8), until=MARK)
    follower = follower_of(store, clock)
    await poll(follower)
    clock.at += HOUR_MS
    await poll(follower, discover=False)
    clock.at -= HOUR_MS
    await poll(follower, discover=False)
    anew = follower_of(store, clock)
    await poll(anew)
    assert figures_of(follower) == figures_of(anew)


@pytest.mark.parametrize("watch", ["before", "after"])
async def test_a_board_with_the_watermark_for_clock_shows_a_replay_of_the_past(watch: str) -> None:
    store, visits = MemoryStore(), life_of(9)

    def clock() -> int:
        marks = [beat.watermark for beat in follower.beats.values() if beat.watermark is not None]
        return max(marks, default=START + 300 * DAY_MS)

    follower = follower_of(store, clock)
    await store.beat("agents/0", (await store.load("agents/0")).head, Beat(wall_clock(), 0, 0, None))
    if watch == "before":
        await poll(follower)
    await Counting(store).feed(visits, until=MARK)
    await poll(follower)
    anew = follower_of(store, Stamp(clock()))
    await poll(anew)
    assert figures_of(follower)["rows"] == figures_of(anew)["rows"]
    assert live_rows(follower.model, POLICIES, "1h", clock())[-1]["offered"] > 0
