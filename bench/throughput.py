"""How many events a second one worker on one core takes from Kafka's backlog to Redis, and what each peer takes.

All of them read the same topic, one after the other, round after round, so that a slow minute of the machine meets
each; the median round counts. CPU time for each event is given too: it is steadier than speed on a shared machine.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any, Final

import msgspec
from redis import Redis

from agents.store.keys import Keys
from bench import counts
from bench.load import Message, calls, send
from bench.machine import WORKER_CORE, cpu_seconds
from bench.peers.environment import command_of
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline
from tests.harness.redis import RedisServer

PARTITIONS: Final = 8
CONTACTS_PER_SECOND: Final = 150.0
#: Looking takes time of the core that Kafka and Redis have.
LOOK_S: Final = 0.05
#: Peer -> its name in the tables, and the share of the events that it reads: a slow one needs fewer.
PEERS: Final = {
    "plain_faust": ("Faust, one event at a time", 0.05),
    "faust_take": ("Faust with take(1000)", 0.15),
    "quix": ("Quix Streams 3", 0.25),
    "flink": ("PyFlink 2.3", 0.25),
    "bytewax_flow": ("Bytewax 0.21", 1.0),
    "aiokafka_loop": ("hand-written aiokafka loop", 1.0),
}
OWN: Final = "callwatch worker, exactly once"

_groups = count()


class Rate(msgspec.Struct):
    """What one run measured: events counted, the time and the CPU time that took in seconds, what came out."""

    events: int
    seconds: float
    cpu: float
    #: From the start of the process to the first events counted.
    start: float = 0.0
    verdict: str = ""

    @property
    def per_second(self) -> float:
        """Return events a second."""
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float:
        """Return the CPU time for each event in microseconds."""
        return self.cpu / self.events * 1e6


class Backlog(msgspec.Struct):
    """A topic with events, and what they add up to."""

    name: str
    events: int
    right: counts.Counts


def backlog(kafka: KafkaCluster, name: str, messages: list[Message], partitions: int = PARTITIONS) -> Backlog:
    """Send ``messages`` to a topic of their own and work out what they add up to."""
    kafka.create_topic(f"{name}.calls", partitions)
    send(kafka.address, f"{name}.calls", messages)
    return Backlog(name, len(messages), counts.right(messages))


def rate_of(counted: Callable[[], int], cpu: Callable[[], float], events: int, within_s: float = 300.0) -> Rate:
    """Time from the first events counted to the last; what came before the first look does not count."""
    started = monotonic()
    end = started + within_s
    while (first := counted()) == 0:
        if monotonic() > end:
            raise TimeoutError("nothing was counted")
        sleep(LOOK_S)
    began, cpu_before = monotonic(), cpu()
    while (now := counted()) < events:
        if monotonic() > end:
            raise TimeoutError(f"{now} of {events} events counted")
        sleep(LOOK_S)
    return Rate(events - first, max(monotonic() - began, LOOK_S), cpu() - cpu_before, began - started)


def offsets(redis: Redis, partitions: int) -> int:
    """Return how many events of calls callwatch has committed."""
    found = (redis.hget(Keys(f"calls/{number}").head, "offset") for number in range(partitions))
    return sum(int(offset) for offset in found if offset is not None)


def pipeline_of(kafka: KafkaCluster, redis: RedisServer, name: str, directory: Path, **settings: str) -> Pipeline:
    """Return a pipeline on the topics of ``name``, in a group of its own, whose queues all promise the same."""
    queues = directory / "queues.yaml"
    queues.write_text("defaults:\n  service_level: {target: 80 %, within: 20s}\n", encoding="utf-8")
    group = f"{name}-{next(_groups)}"
    settings = {
        "CALLWATCH_GROUP": group,
        "CALLWATCH_QUEUES": str(queues),
        "CALLWATCH_UNLISTED_QUEUES": "20000",
        **settings,
    }
    return Pipeline(kafka.address, redis.url, name, directory / group, **settings)


def own(
    kafka: KafkaCluster,
    redis: RedisServer,
    load: Backlog,
    directory: Path,
    partitions: int = PARTITIONS,
    cores: tuple[int, ...] = (WORKER_CORE,),
) -> Rate:
    """Measure ``callwatch worker``, one on each of ``cores``, on a backlog, commit and append-only file on."""
    redis.flush()
    pipeline = pipeline_of(kafka, redis, load.name, directory, CALLWATCH_PARTITIONS=str(partitions))
    pipeline.command("topics")
    # What another round has told of its contacts would be counted with this one's.
    kafka.empty_topic(f"{load.name}.customers")
    client = Redis.from_url(redis.url)
    command = [sys.executable, "-m", "agents.cli", "worker"]
    with ExitStack() as stack:
        workers = [stack.enter_context(_running(command, pipeline.environment, core)) for core in cores]
        try:
            rate = rate_of(
                lambda: offsets(client, partitions),
                lambda: sum(cpu_seconds(worker.pid) for worker in workers),
                load.events,
            )
        finally:
            for worker in workers:
                worker.terminate()
    rate.verdict = counts.verdict(counts.of_callwatch(client, partitions), load.right)
    return rate


def peer(kafka: KafkaCluster, redis: RedisServer, load: Backlog, name: str) -> Rate:
    """Measure a peer on a backlog."""
    redis.flush()
    client = Redis.from_url(redis.url)
    group = f"{name}-{next(_groups)}"
    command, environment = command_of(name, kafka.address, redis.url, f"{load.name}.calls", group)
    with _running(command, environment) as worker:
        try:
            rate = rate_of(lambda: int(client.get("events") or 0), lambda: cpu_seconds(worker.pid), load.events)
        finally:
            worker.kill()
    rate.verdict = counts.verdict(counts.of_peer(client), load.right)
    return rate


def measure(
    kafka: KafkaCluster, redis: RedisServer, directory: Path, events: int, rounds: int, names: Iterable[str] = PEERS
) -> dict[str, list[Rate]]:
    """Return the rates of callwatch (``own``) and of each peer, a rate for every round."""
    made = calls(events, CONTACTS_PER_SECOND)
    loads: dict[int, Backlog] = {}
    for size in {events, *(int(events * PEERS[name][1]) for name in names)}:
        loads[size] = backlog(kafka, f"bench-{size}", made[:size])
    rates: dict[str, list[Rate]] = {"own": [], **{name: [] for name in names}}
    for _ in range(rounds):
        for name, found in rates.items():
            if name == "own":
                found.append(own(kafka, redis, loads[events], directory))
            else:
                found.append(peer(kafka, redis, loads[int(events * PEERS[name][1])], name))
            _say(name, found[-1])
    return rates


def rows_of(rates: dict[str, list[Rate]]) -> list[dict[str, Any]]:
    """Return the rows of the table: speeds, CPU time, verdicts, and callwatch's ratio over each peer."""
    found: list[dict[str, Any]] = []
    for name, many in rates.items():
        found.append(
            {
                "what": OWN if name == "own" else PEERS[name][0],
                **({"goal": 150_000} if name == "own" else {}),
                "measured": round(median(rate.per_second for rate in many)),
                "unit": "events/s",
                "cpu_us": round(median(rate.cpu_us for rate in many), 2),
                "counts": max((rate.verdict for rate in many), key=lambda verdict: verdict.startswith("WRONG")),
            }
        )
    own_us = median(rate.cpu_us for rate in rates["own"])
    own_speed = median(rate.per_second for rate in rates["own"])
    for name, many in rates.items():
        if name != "own":
            by_time = own_speed / median(rate.per_second for rate in many)
            by_cpu = median(rate.cpu_us for rate in many) / own_us
            found.append(
                {
                    "what": f"worker over {PEERS[name][0]}",
                    "measured": round(by_time, 2),
                    "unit": "times",
                    "by_cpu": round(by_cpu, 2),
                }
            )
    return found


def _running(command: list[str], environment: dict[str, str], core: int = WORKER_CORE) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _say(name: str, rate: Rate) -> None:
    text = f"  {name:<16} {rate.per_second:>10,.0f} events/s  {rate.cpu_us:>7.2f} us CPU  {rate.verdict}"
    print(text, file=sys.stderr, flush=True)
