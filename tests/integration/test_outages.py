"""Real workers through a store that is away for minutes, a Kafka that falls silent, and what must heal by itself."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline, wait_until
from tests.harness.redis import RedisServer
from tests.integration.silence import beat, loaded, offered, send_calls

pytestmark = pytest.mark.integration

#: Faust gives a rebalance 30 s, and the group misses a worker after 10 s.
LONGER_THAN_FAUST_WAITS_S: Final = 45


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, to be paused."""
    directory = tmp_path / "redis"
    directory.mkdir()
    server = RedisServer(directory)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def pipeline(kafka: KafkaCluster, redis: RedisServer, unique: str, tmp_path: Path) -> Iterator[Pipeline]:
    """Topics of two partitions, no worker yet."""
    pipeline = Pipeline(kafka.address, redis.url, unique, tmp_path, CALLWATCH_PARTITIONS="2")
    pipeline.command("topics")
    yield pipeline
    pipeline.stop()


def test_a_rebalance_while_the_store_is_away_for_long_heals_by_itself(
    pipeline: Pipeline, kafka: KafkaCluster, redis: RedisServer
) -> None:
    first, second = pipeline.add_worker(), pipeline.add_worker()
    send_calls(kafka.address, pipeline.calls, range(100))
    wait_until(lambda: offered(redis.url, 2) == 100, 90, "the first calls counted")
    redis.pause()
    first.kill()
    send_calls(kafka.address, pipeline.calls, range(100, 200))
    time.sleep(LONGER_THAN_FAUST_WAITS_S)
    assert not second.ended, second.log.read_text()
    redis.resume()
    wait_until(lambda: offered(redis.url, 2) == 200, 60, "the calls that came meanwhile counted")
    said = second.log.read_text()
    assert "the store does not do what it must" in said
    assert "Traceback" not in said
    assert "cannot go on" not in said


def test_a_kafka_that_falls_silent_is_not_idle(redis: RedisServer, unique: str, tmp_path: Path) -> None:
    own = KafkaCluster(tmp_path / "kafka")
    pipeline = Pipeline(own.address, redis.url, unique, tmp_path, CALLWATCH_PARTITIONS="1")
    try:
        own.start()
        pipeline.command("topics")
        pipeline.add_worker()
        send_calls(own.address, pipeline.calls, range(10))
        wait_until(lambda: offered(redis.url, 1) == 10, 60, "the calls counted")
        before = loaded(redis.url).watermark
        wait_until(lambda: (loaded(redis.url).watermark or 0) > (before or 0), 10, "the watermark carried on")
        own.pause()
        time.sleep(6)
        stalled = loaded(redis.url).watermark
        time.sleep(6)
        assert loaded(redis.url).watermark == stalled
        while_silent = beat(redis.url)
        assert while_silent is not None
        assert 4_000 < while_silent.lag_ms < 16_000
        own.resume()
        # What was idle all the time is made up for: 12 s were silent.
        wait_until(lambda: (loaded(redis.url).watermark or 0) > (stalled or 0) + 9_000, 30, "the watermark goes on")
        wait_until(lambda: getattr(beat(redis.url), "lag_ms", -1) == 0, 30, "no lag")
        assert offered(redis.url, 1) == 10
    finally:
        pipeline.stop()
        own.kill()
