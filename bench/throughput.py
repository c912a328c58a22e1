"""How many events a second one worker on one core takes, end to end; and plain Faust in the same run."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import msgspec
from redis import Redis

from agents.store.keys import Keys
from bench.load import calls, send
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline
from tests.harness.redis import RedisServer

#: The worker's core; everything else has the other.
WORKER_CORE = max(os.sched_getaffinity(0))
PEER_EVENTS = 40_000
PARTITIONS = 8
#: Looking takes time of the core that Kafka and Redis have.
LOOK_S = 0.02


class Rate(msgspec.Struct):
    """What one run measured."""

    events: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Return events a second."""
        return self.events / self.seconds


def pinned(command: list[str]) -> list[str]:
    """Return ``command`` bound to the worker's core."""
    return ["taskset", "-c", str(WORKER_CORE), *command]


def rate_of(counted: Callable[[], int], events: int, within_s: float = 300.0) -> Rate:
    """Time from the first events counted to the last; what came before the first look does not count."""
    end = monotonic() + within_s
    while (first := counted()) == 0:
        if monotonic() > end:
            raise TimeoutError("nothing was counted")
        sleep(LOOK_S)
    began = monotonic()
    while (now := counted()) < events:
        if monotonic() > end:
            raise TimeoutError(f"{now} of {events} events counted")
        sleep(LOOK_S)
    return Rate(events - first, monotonic() - began)


def callwatch(kafka: KafkaCluster, redis: RedisServer, name: str, directory: Path, events: int) -> Rate:
    """Measure ``callwatch worker`` on a backlog, commit and append-only file on."""
    redis.flush()
    pipeline = Pipeline(kafka.address, redis.url, name, directory)
    pipeline.command("topics")
    send(kafka.address, pipeline.calls, calls(events, 500))
    client = Redis.from_url(redis.url)
    keys = [Keys(f"calls/{number}").head for number in range(PARTITIONS)]

    def counted() -> int:
        offsets = [client.hget(key, "offset") for key in keys]
        return sum(int(str(offset.decode() if isinstance(offset, bytes) else 0)) for offset in offsets)

    command = pinned([sys.executable, "-m", "agents.cli", "worker"])
    with subprocess.Popen(command, env={**os.environ, **pipeline.environment}) as worker:
        try:
            return rate_of(counted, events)
        finally:
            worker.terminate()


def plain_faust(kafka: KafkaCluster, redis: RedisServer, name: str) -> Rate:
    """Measure the peer on a backlog of the same events."""
    redis.flush()
    topic = f"{name}.calls"
    kafka.create_topic(topic, PARTITIONS)
    send(kafka.address, topic, calls(PEER_EVENTS, 500))
    client = Redis.from_url(redis.url)

    def counted() -> int:
        found = client.get("events")
        return int(found) if isinstance(found, bytes) else 0

    command = [sys.executable, "-m", "bench.peers.plain_faust", kafka.address, redis.url, topic, name]
    with subprocess.Popen(pinned(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
        try:
            return rate_of(counted, PEER_EVENTS)
        finally:
            worker.terminate()
