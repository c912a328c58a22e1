"""A follower over a store in memory that may fail, for its tests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

from agents.board.figures import live_rows
from agents.board.follower import Follower
from agents.board.model import TODAY, Model
from agents.store import Changes, Reader, Snapshot
from agents.store.memory import MemoryStore
from streams.policy import HOUR_MS
from tests.unit.life import POLICIES, START, WINDOWS, Stamp

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
