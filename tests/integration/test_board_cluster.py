"""The board over a Redis Cluster of which a part is gone: the rest goes on, and all of it is marked stale."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from agents.board.follower import Follower
from agents.board.model import Model
from agents.store.redis import RedisStore
from streams.measures import Measure
from streams.policy import HOUR_MS, MINUTE_MS
from tests.integration.cluster import RedisCluster
from tests.unit.life import POLICIES, START, WINDOWS, Counting, Stamp, Visit, life_of

pytestmark = pytest.mark.integration

MARK = START + HOUR_MS


def master_of(cluster: RedisCluster, partition: str) -> int:
    """Return the number of the master that holds a partition."""
    slot = int(cluster.masters[0].do("CLUSTER", "KEYSLOT", f"callwatch:{{{partition}}}:head"))
    return min(2, slot * 3 // 16_384)


async def until(true: Callable[[], bool], within_s: float = 30.0) -> None:
    end = monotonic() + within_s
    while not true():
        assert monotonic() < end, f"not within {within_s} s"
        await asyncio.sleep(0.05)


async def test_partitions_of_the_other_masters_go_on_while_one_master_is_away(tmp_path: Path) -> None:
    cluster = RedisCluster(tmp_path)
    stores: list[RedisStore] = []
    following: asyncio.Task[None] | None = None
    try:
        cluster.start()
        for master in cluster.masters:
            master.do("CONFIG", "SET", "cluster-require-full-coverage", "no")
        stores = [RedisStore(cluster.url, timeout_s=0.5) for _ in range(2)]
        counting, visits = Counting(stores[0], partitions=1), life_of(1, visits=200)
        voice = [visit for visit in visits if visit.channel == "voice"]
        await counting.feed(visits, until=MARK - MINUTE_MS, batch=10_000)
        await stores[0].load("chats/1")
        follower = Follower(stores[1], lambda: Model(WINDOWS, POLICIES.zone), Stamp(MARK), 60_000)
        following = asyncio.create_task(follower.run())
        await until(lambda: counted(follower) == queued(visits, MARK - MINUTE_MS))
        await until(lambda: not follower.health().stale)
        # Calls and chats of this test are held by different masters, and the names of all partitions by a third.
        held = {name: master_of(cluster, name) for name in ("calls/0", "chats/0")}
        assert held["calls/0"] != held["chats/0"]
        cluster.masters[held["chats/0"]].kill()
        await until(lambda: "1 of" in str(follower.health().reason) or "2 of" in str(follower.health().reason))
        await counting.feed(voice, since=MARK - MINUTE_MS + 1, until=MARK, batch=10_000)
        chats = [visit for visit in visits if visit.channel == "chat"]
        expected = queued(voice, MARK) + queued(chats, MARK - MINUTE_MS)
        assert expected > queued(visits, MARK - MINUTE_MS)
        await until(lambda: counted(follower) == expected)
        health = follower.health()
        assert health.stale
        assert "cannot be read" in str(health.reason)
    finally:
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        for store in stores:
            await store.close()
        cluster.kill()


def counted(follower: Follower) -> int:
    return sum(row.get(Measure.OFFERED, 0) for row in follower.model.counters().values())


def queued(visits: list[Visit], until: int) -> int:
    return sum(visit.queued <= until for visit in visits)
