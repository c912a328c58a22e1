"""Run all benchmarks, print the table, write bench/results.json; exit with 1 where a ratio fell under its floor.

python -m bench [NAME ...]      names: throughput latency
"""

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.app import version
from bench import latency, throughput
from tests.harness.jars import kafka_version
from tests.harness.kafka import KafkaCluster
from tests.harness.redis import RedisServer

EVENTS = 400_000

#: A fifth below what was reached; a ratio of two speeds in one run, since machines differ.
FLOORS = {"worker over plain Faust": 8.0}

Row = dict[str, Any]


def run_throughput(kafka: KafkaCluster, redis: RedisServer, directory: Path) -> list[Row]:
    """Return the rows of throughput."""
    peer = throughput.plain_faust(kafka, redis, "bench-faust")
    own = throughput.callwatch(kafka, redis, "bench-worker", directory / "throughput", EVENTS)
    return [
        {"what": "plain Faust, one event at a time", "measured": round(peer.per_second), "unit": "events/s"},
        {
            "what": "callwatch worker on one core, exactly once",
            "goal": 50_000,
            "measured": round(own.per_second),
            "unit": "events/s",
        },
        {"what": "worker over plain Faust", "measured": round(own.per_second / peer.per_second, 1), "unit": "times"},
    ]


def run_latency(kafka: KafkaCluster, redis: RedisServer, directory: Path) -> list[Row]:
    """Return the rows of latency."""
    delays = latency.measure(kafka, redis, "bench-latency", directory / "latency", 1_000)
    what = "event to /metrics at 1,000 events/s"
    return [
        {"what": f"{what}, p50", "measured": round(delays.p50, 3), "unit": "s"},
        {"what": f"{what}, p99", "goal": 1.0, "measured": round(delays.p99, 3), "unit": "s"},
        {"what": f"{what}, worst", "measured": round(delays.worst, 3), "unit": "s"},
    ]


RUNS: dict[str, Callable[[KafkaCluster, RedisServer, Path], list[Row]]] = {
    "throughput": run_throughput,
    "latency": run_latency,
}


def main(names: list[str]) -> int:
    """Run the benchmarks named, or all."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        for name in ("kafka", "redis"):
            (directory / name).mkdir()
        kafka, redis = KafkaCluster(directory / "kafka"), RedisServer(directory / "redis")
        try:
            kafka.start()
            redis.start()
            for name in names or RUNS:
                print(f"{name} ...", file=sys.stderr, flush=True)
                rows += RUNS[name](kafka, redis, directory)
        finally:
            kafka.kill()
            redis.kill()
    for row in rows:
        goal = f"goal {row['goal']:>9,}" if "goal" in row else ""
        print(f"{row['what']:<48} {row['measured']:>12,} {row['unit']:<9} {goal}")
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "kafka": kafka_version()}
    results = {"callwatch": version(), "machine": machine, "rows": rows}
    Path(__file__).with_name("results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    fallen = [row for row in rows if row["what"] in FLOORS and row["measured"] < FLOORS[row["what"]]]
    for row in fallen:
        print(f"below its floor of {FLOORS[row['what']]}: {row['what']} {row['measured']}", file=sys.stderr)
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
