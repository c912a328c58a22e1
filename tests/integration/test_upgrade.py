"""A store that another version of callwatch has written: the worker refuses it, the board says that it stands still."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from agents.store.api import SCHEMA
from agents.store.redis import RedisStore
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline, wait_until
from tests.integration.commits import CALLS, FULL, committed

pytestmark = pytest.mark.integration


@pytest.fixture
def pipeline(kafka: KafkaCluster, redis_url: str, unique: str, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline with its topics; neither worker nor board runs yet."""
    pipeline = Pipeline(kafka.address, redis_url, unique, tmp_path, CALLWATCH_PARTITIONS="1")
    try:
        yield pipeline
    finally:
        pipeline.stop()


def written_by(redis_url: str, schema: int) -> dict[bytes, bytes]:
    """Leave a store of another version; return what stands in its head."""

    async def write() -> None:
        store = RedisStore(redis_url)
        await store.load(CALLS)
        await committed(store, FULL)
        await store.close()

    asyncio.run(write())
    with redis.Redis.from_url(redis_url) as client:
        client.hset("callwatch:{calls/0}:head", "schema", schema)
    return head(redis_url)


def head(redis_url: str) -> dict[bytes, bytes]:
    with redis.Redis.from_url(redis_url) as client:
        found: dict[bytes, bytes] = client.hgetall("callwatch:{calls/0}:head")
        return found


@pytest.mark.parametrize("schema", [SCHEMA + 1, SCHEMA - 1], ids=["newer", "older"])
def test_a_worker_refuses_a_store_of_another_version_with_what_to_do_and_leaves_it_alone(
    pipeline: Pipeline, redis_url: str, schema: int
) -> None:
    before = written_by(redis_url, schema)
    refused = subprocess.run(
        [sys.executable, "-m", "agents.cli", "worker"],
        env={**os.environ, **pipeline.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (refused.returncode, refused.stdout) == (2, "")
    (line,) = refused.stderr.splitlines()
    assert f"Redis holds calls/0 in form {schema}, that of another version of callwatch" in line
    assert "Run that version, or give CALLWATCH_REDIS an empty database: it is rebuilt from Kafka." in line
    assert head(redis_url) == before


def test_a_board_on_a_store_of_another_version_is_not_ready_and_says_why(pipeline: Pipeline, redis_url: str) -> None:
    written_by(redis_url, SCHEMA + 1)
    pipeline.board.start()
    wait_until(lambda: "another version of callwatch" in pipeline.board.log.read_text(), 30, "the board says why")
    with pytest.raises(Exception, match="503"):
        pipeline.get("/readyz")
    rows = pipeline.get("/api/v1/queues", window="5m")["rows"]
    assert all(row["offered"] == 0 for row in rows), "figures of another version were read as if they were ours"
