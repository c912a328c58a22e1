"""A store slower than Kafka: the worker does not grow, the group is not left, and the backlog is worked off."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from agents.processors.worker import STORE_AWAY_S, faust_app
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline, wait_until
from tests.harness.processes import descendants
from tests.harness.redis import RedisServer
from tests.integration.silence import offered, send_calls

pytestmark = pytest.mark.integration

#: 155 MB in four partitions: events of nearly 64 KiB.
EVENTS: Final = 2_500
PADDING: Final = 62_000
#: Of four partitions 4 MiB each are fetched ahead, and eight batches of as much wait or are counted, twice over while
#: they are decoded.
MOST_MIB: Final = 2 * (4 * 4 + 8 * 4)
#: Longer than the session time-out of 10 s.
AWAY_S: Final = 25


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
    """Topics of four partitions, no worker yet."""
    pipeline = Pipeline(kafka.address, redis.url, unique, tmp_path, CALLWATCH_PARTITIONS="4")
    pipeline.command("topics")
    yield pipeline
    pipeline.stop()


def resident_mib(pid: int) -> int:
    """Return what a process and its children hold in memory."""
    pids = {pid, *descendants(pid)}
    lines = [line for each in pids for line in Path(f"/proc/{each}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) // 1024


def test_a_redis_that_stops_grows_no_worker_and_breaks_no_group(
    pipeline: Pipeline, kafka: KafkaCluster, redis: RedisServer
) -> None:
    worker = pipeline.add_worker()
    send_calls(kafka.address, pipeline.calls, range(100))
    wait_until(lambda: offered(redis.url, 4) == 100, 60, "the first calls counted")
    before, joined = resident_mib(worker.pid), kafka.members(pipeline.name)
    redis.pause()
    send_calls(kafka.address, pipeline.calls, range(100, EVENTS), padding=PADDING)
    most, end = 0, time.monotonic() + AWAY_S
    while time.monotonic() < end:
        most = max(most, resident_mib(worker.pid))
        time.sleep(0.5)
    redis.resume()
    wait_until(lambda: offered(redis.url, 4) == EVENTS, 120, "the backlog worked off")
    assert most - before < MOST_MIB, f"{before} MiB became {most} MiB"
    assert kafka.members(pipeline.name) == joined


def test_the_group_is_not_left_for_a_store_that_is_away_for_a_day() -> None:
    app = faust_app(group="g", brokers=["localhost:1"], batch_records=100)
    assert app.conf.broker_max_poll_interval == STORE_AWAY_S >= 24 * 3600
    assert app.conf.broker_max_poll_interval * 1000 < 2**31
