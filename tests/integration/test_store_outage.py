"""What a store says when Redis is gone, hangs, or holds another version's data; and what keys it uses."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis

from agents.store import NOTHING, SchemaMismatchError, StoreError
from agents.store.redis import RedisStore
from tests.harness.redis import RedisServer
from tests.integration.cluster import RedisCluster
from tests.integration.commits import BEAT, CALLS, FULL, commit_of, committed

pytestmark = pytest.mark.integration


@pytest.fixture
async def lone(tmp_path: Path) -> AsyncIterator[tuple[RedisServer, RedisStore]]:
    """A Redis of the test's own, to be killed, and a store with a short time-out."""
    server = RedisServer(tmp_path)
    server.start()
    store = RedisStore(server.url, timeout_s=0.3)
    try:
        yield server, store
    finally:
        server.kill()
        await store.close()


async def every_call_fails(store: RedisStore, within_s: float) -> None:
    calls = (
        store.ping,
        store.partitions,
        lambda: store.load(CALLS),
        lambda: store.commit(CALLS, NOTHING, FULL),
        lambda: store.beat(CALLS, NOTHING, BEAT),
        lambda: store.rows(CALLS, [1], []),
        lambda: store.settled(CALLS, [1]),
        lambda: store.snapshot(CALLS, [], []),
        lambda: store.changes(CALLS, "0-0 "),
        lambda: store.intervals(CALLS),
    )
    for call in calls:
        began = time.monotonic()
        with pytest.raises(StoreError, match=r"^Redis") as caught:
            await call()
        assert "\n" not in str(caught.value)
        assert time.monotonic() - began < within_s


async def test_a_redis_that_is_gone_is_a_store_error(lone: tuple[RedisServer, RedisStore]) -> None:
    server, store = lone
    head = await committed(store, FULL)
    server.kill()
    await every_call_fails(store, within_s=1)
    server.start()
    assert await store.commit(CALLS, head, commit_of(8)) is not None


async def test_a_redis_that_hangs_is_a_store_error_within_the_timeout(lone: tuple[RedisServer, RedisStore]) -> None:
    server, store = lone
    await store.ping()
    server.pause()
    # One retry, and the new connection's own greeting waits too.
    await every_call_fails(store, within_s=0.3 * 4 + 0.5)
    server.resume()
    await store.ping()


async def test_a_cluster_that_is_gone_is_a_store_error(tmp_path: Path) -> None:
    cluster = RedisCluster(tmp_path)
    store = RedisStore(cluster.url, timeout_s=0.3)
    try:
        await every_call_fails(store, within_s=3)
        cluster.start()
        await committed(store, FULL)
        cluster.kill()
        await every_call_fails(store, within_s=10)
    finally:
        cluster.kill()
        await store.close()


async def test_a_store_of_another_version_is_refused_with_what_to_do(redis_url: str) -> None:
    store = RedisStore(redis_url)
    await committed(store, FULL)
    with redis.Redis.from_url(redis_url) as client:
        client.hset("callwatch:{calls/0}:head", "schema", 999)
    for read in (store.load(CALLS), store.snapshot(CALLS, [], [])):
        with pytest.raises(SchemaMismatchError, match=r"calls/0 in form 999.*CALLWATCH_REDIS an empty database"):
            await read
    await store.close()


async def test_every_key_begins_with_callwatch(redis_url: str) -> None:
    store = RedisStore(redis_url)
    await store.load(CALLS)
    await committed(store, FULL)
    await store.close()
    with redis.Redis.from_url(redis_url) as client:
        keys = {key.decode() for key in client.scan_iter()}
    own = {key.removeprefix("callwatch:{calls/0}:") for key in keys - {"callwatch:partitions"}}
    hashes = {"head", "open", "now", "totals", "stats", "buckets", "log", "outbox"}
    assert own == hashes | {"fine:100", "interval:1", "day:20000", "settled:5"}
    assert all(key.startswith("callwatch:") for key in keys)
