"""What one worker and two workers do with a backlog: catching up, starting, growing, and the memory they take."""

import sys
from pathlib import Path
from statistics import median
from typing import Any, Final

from redis import Redis

from bench.load import calls, even
from bench.machine import SERVERS_CORE, WORKER_CORE, resident_mib
from bench.throughput import PARTITIONS, Backlog, Rate, backlog, offsets, own, pipeline_of
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import wait_until
from tests.harness.redis import RedisServer

Row = dict[str, Any]

OUTAGE_S: Final = 3_600
EVENTS_PER_SECOND: Final = 2_000
#: A contact of the simulator has about as many events.
EVENTS_A_CONTACT: Final = 5.3


def two_workers(kafka: KafkaCluster, redis: RedisServer, directory: Path, events: int, rounds: int) -> list[Row]:
    """Return the rows of two workers on two cores beside one, alternating."""
    load = backlog(kafka, "bench-two", calls(events, 150.0))
    one: list[Rate] = []
    two: list[Rate] = []
    for _ in range(rounds):
        one.append(own(kafka, redis, load, directory))
        two.append(own(kafka, redis, load, directory, cores=(SERVERS_CORE, WORKER_CORE)))
    ratio = median(rate.per_second for rate in two) / median(rate.per_second for rate in one)
    verdict = {rate.verdict for rate in (*one, *two)}
    what = "two workers on two cores over one, Kafka and Redis on the same"
    return [{"what": what, "goal": 1.5, "measured": round(ratio, 2), "unit": "times", "counts": ", ".join(verdict)}]


def catch_up(kafka: KafkaCluster, redis: RedisServer, directory: Path, share: float) -> list[Row]:
    """Return the rows of catching up after an hour's outage, of which ``share`` is sent and measured."""
    events = round(OUTAGE_S * EVENTS_PER_SECOND * share)
    load = backlog(kafka, "bench-outage", calls(events, EVENTS_PER_SECOND / EVENTS_A_CONTACT))
    rate = own(kafka, redis, load, directory)
    # While it catches up, as much comes in as before.
    left = OUTAGE_S * EVENTS_PER_SECOND / max(rate.per_second - EVENTS_PER_SECOND, 1.0)
    what = f"catch-up after an hour at {EVENTS_PER_SECOND:,} events/s, from {share:.0%} of them"
    return [
        {"what": what, "goal": 90, "below": True, "measured": round(rate.start + left, 1), "unit": "s"},
        {"what": "start to first commit", "goal": 8, "below": True, "measured": round(rate.start, 1), "unit": "s"},
    ]


def growth(kafka: KafkaCluster, redis: RedisServer, directory: Path, events: int, largest: int) -> list[Row]:
    """Return the CPU time for each event over queues, partitions and open contacts; ``largest`` of these at most."""
    cases = [("queues", n, n, 8, 1_000) for n in (10, 100, 1_000, 10_000)]
    cases += [("partitions", n, 10, n, 1_000) for n in (1, 8, 64)]
    cases += [("open contacts", n, 10, 8, n) for n in (1_000, 10_000, 100_000, 1_000_000) if n <= largest]
    found: list[Row] = []
    for what, size, queues, partitions, open_contacts in cases:
        # Every contact that is open has to have come first.
        messages = list(even(events + 2 * open_contacts, queues, open_contacts, EVENTS_PER_SECOND))
        name = f"bench-{what.replace(' ', '-')}-{size}"
        rate = own(kafka, redis, backlog(kafka, name, messages, partitions), directory, partitions)
        print(f"  {size:>9,} {what:<14} {rate.cpu_us:6.2f} us {rate.verdict}", file=sys.stderr, flush=True)
        found.append(
            {
                "what": f"{size:,} {what}",
                "series": what,
                "size": size,
                "measured": round(rate.cpu_us, 2),
                "unit": "us CPU/event",
                "per_second": round(rate.per_second),
                "counts": rate.verdict,
            }
        )
    return found


def memory(kafka: KafkaCluster, redis: RedisServer, directory: Path, open_contacts: int) -> list[Row]:
    """Return the memory of a worker with so many open contacts."""
    messages = list(even(3 * open_contacts, 1_000, open_contacts, 1_000))
    mib = _counted(kafka, redis, directory, backlog(kafka, "bench-memory", messages))
    what = f"worker with {open_contacts:,} open contacts"
    return [{"what": what, "goal": 300, "below": True, "measured": round(mib), "unit": "MiB"}]


def _counted(kafka: KafkaCluster, redis: RedisServer, directory: Path, load: Backlog) -> float:
    """Have a worker read a backlog and return the memory that it holds then, in MiB."""
    redis.flush()
    pipeline = pipeline_of(kafka, redis, load.name, directory)
    pipeline.command("topics")
    client = Redis.from_url(redis.url)
    worker = pipeline.add_worker()
    try:
        wait_until(lambda: offsets(client, PARTITIONS) >= load.events, 300, "the backlog is read")
        return resident_mib(worker.pid)
    finally:
        pipeline.stop()
