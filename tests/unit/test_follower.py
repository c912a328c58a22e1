"""The follower: what it follows by changes equals what it starts from; a store may go, come back, and be empty."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from time import monotonic, time
from typing import Any

import pytest

from agents.board import follower as following
from agents.board.figures import live_rows
from agents.board.follower import Follower
from agents.board.model import TODAY, Model
from agents.processors.processor import wall_clock
from agents.store import Beat, Changes, Reader, SchemaMismatchError, Snapshot, StoreError
from agents.store.memory import MemoryStore
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS
from tests.unit.life import POLICIES, START, WINDOWS, Counting, Stamp, life_of

MARK = START + HOUR_MS
STALE_AFTER_MS = 10_000


class Frail(MemoryStore):
    """A store that fails when it is told to, after some more calls."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.good_calls = 0

    def fail(self, error: Exception | None, after: int = 0) -> None:
        self.error, self.good_calls = error, after

    def _look(self) -> None:
        if self.error is not None:
            if not self.good_calls:
                raise self.error
            self.good_calls -= 1

    async def partitions(self) -> list[str]:
        self._look()
        return await super().partitions()

    async def snapshot(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> Snapshot:
        self._look()
        return await super().snapshot(partition, fine, intervals)

    async def changes(self, partition: str, cursor: str) -> Changes | None:
        self._look()
        return await super().changes(partition, cursor)


def follower_of(store: Reader, clock: Callable[[], int] | None = None) -> Follower:
    return Follower(store, lambda: Model(WINDOWS, POLICIES.zone), clock or Stamp(MARK), STALE_AFTER_MS)


async def poll(follower: Follower, *, discover: bool = True) -> None:
    await follower._poll(discover=discover)


def figures_of(follower: Follower) -> dict[str, Any]:
    tables = {window: live_rows(follower.model, POLICIES, window, follower.now) for window in (*WINDOWS, TODAY)}
    return {"rows": tables, "counters": follower.model.counters(), "stats": follower.model.stats}


@asynccontextmanager
async def running(follower: Follower) -> AsyncIterator[None]:
    task = asyncio.create_task(follower.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    end = monotonic() + within_s
    while not true():
        assert monotonic() < end, f"not within {within_s} s"
        await asyncio.sleep(0.01)


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


async def test_a_partition_that_is_gone_for_good_is_not_waited_for() -> None:
    store = MemoryStore()
    await Counting(store, partitions=3).feed(life_of(6), until=MARK)
    follower = follower_of(store)
    await poll(follower)
    store.forget()
    await Counting(store, partitions=1).feed(life_of(6), until=MARK)
    await poll(follower)
    assert sorted(follower.ages()) == ["calls/0", "chats/0"]


async def test_a_store_of_another_version_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "POLL_S", 0.001)
    store = Frail()
    store.fail(SchemaMismatchError("form 9"))
    follower = follower_of(store)
    async with running(follower):
        await until(lambda: "another version" in str(follower.health().reason))
        store.fail(None)
        await Counting(store).feed(life_of(7), until=MARK)
        await until(lambda: not follower.health().stale)


async def test_a_board_over_an_empty_store_says_that_nothing_was_counted_yet() -> None:
    follower = follower_of(MemoryStore())
    await poll(follower)
    health = follower.health()
    assert (health.reason, health.age_seconds, health.lag_seconds) == ("no worker has counted anything yet", None, None)
    assert health.store_reachable


async def test_a_worker_that_died_before_the_board_started_is_stale_at_once() -> None:
    store = MemoryStore()
    await store.load("calls/0")
    await store.beat("calls/0", (await store.load("calls/0")).head, Beat(wall_clock() - HOUR_MS, 0, 0, MARK))
    follower = follower_of(store)
    await poll(follower)
    health = follower.health()
    assert health.age_seconds == pytest.approx(3_600, abs=2)
    assert health.lag_seconds == pytest.approx(3_598, abs=2)
    assert str(health.reason).startswith("no sign of life from the worker for 3600 s")


async def test_the_clock_of_another_host_makes_nothing_stale_once_a_second_beat_is_seen() -> None:
    store = MemoryStore()
    head = (await store.load("calls/0")).head
    follower = follower_of(store)
    for beat in range(2):
        await store.beat("calls/0", head, Beat(wall_clock() - HOUR_MS + beat, 0, 0, MARK))
        await poll(follower)
    assert not follower.health().stale


async def test_the_oldest_sign_of_life_counts_and_not_the_newest() -> None:
    store, now = MemoryStore(), int(time() * 1000)
    for partition, age in (("calls/0", 30_000), ("calls/1", 0)):
        await store.beat(partition, (await store.load(partition)).head, Beat(now - age, 0, 0, MARK))
    follower = follower_of(store)
    await poll(follower)
    assert follower.health().stale


async def test_a_worker_far_behind_kafka_makes_the_figures_stale() -> None:
    store = MemoryStore()
    await store.beat("calls/0", (await store.load("calls/0")).head, Beat(wall_clock(), 60_000, 1_000, MARK))
    follower = follower_of(store)
    await poll(follower)
    assert follower.health().reason == "the worker is 60 s behind Kafka"


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
