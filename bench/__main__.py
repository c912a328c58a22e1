"""Run the benchmarks, print the table, write bench/results.json; exit with 1 where a ratio fell under its floor.

    python -m bench [--quick | --full] [NAME ...]

--quick takes a twentieth of the events, for trying out: it writes no results. --full also measures a million open
contacts and the whole of an hour's outage, which takes longer than half an hour.
"""

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from agents.app import version
from bench import board, latency, retention, throughput, workers
from bench.machine import SERVERS_CORE, pin
from bench.peers.environment import PACKAGES
from tests.harness.jars import kafka_version
from tests.harness.kafka import KafkaCluster
from tests.harness.redis import RedisServer

Row = dict[str, Any]
RESULTS: Final = Path(__file__).with_name("results.json")

#: A fifth below the lower of two whole runs; ratios of CPU time for each event in one run, since machines differ.
FLOORS: Final = {
    "worker over Faust, one event at a time": 15.6,
    "worker over Faust with take(1000)": 4.3,
    "worker over Quix Streams 3": 0.6,
    "worker over PyFlink 2.3": 0.7,
    "worker over Bytewax 0.21": 0.24,
    "worker over hand-written aiokafka loop": 0.21,
}


class Size(msgspec.Struct, frozen=True):
    """How much is measured."""

    events: int = 600_000
    rounds: int = 3
    outage: float = 0.1
    open_contacts: int = 100_000
    wallboards: int = 500
    queues: int = 1_000
    smaller: int = retention.SMALLER


SIZES: Final = {
    "--quick": Size(events=30_000, rounds=1, outage=0.005, open_contacts=5_000, wallboards=50, queues=100, smaller=200),
    "": Size(),
    "--full": Size(outage=1.0, open_contacts=1_000_000),
}
#: As many events a second as the delays are measured among.
LATENCY_EVENTS: Final = 5_000


class Bench:
    """The benchmarks on one Kafka and one Redis."""

    def __init__(self, kafka: KafkaCluster, redis: RedisServer, directory: Path, size: Size) -> None:
        self._edge = kafka, redis, directory
        self._size = size

    def throughput(self) -> list[Row]:
        """Return the rows of throughput, callwatch beside its peers."""
        return throughput.rows_of(throughput.measure(*self._edge, self._size.events, self._size.rounds))

    def two(self) -> list[Row]:
        """Return the rows of two workers."""
        return workers.two_workers(*self._edge, self._size.events // 2, self._size.rounds)

    def catchup(self) -> list[Row]:
        """Return the rows of catching up and of starting."""
        return workers.catch_up(*self._edge, self._size.outage)

    def latency(self) -> list[Row]:
        """Return the rows of delays."""
        kafka, redis, directory = self._edge
        delays = latency.measure(kafka, redis, "bench-latency", directory / "latency", LATENCY_EVENTS)
        return [
            {
                "what": f"event to {place} at {LATENCY_EVENTS:,} events/s, {name}",
                **({"goal": goal, "below": True} if goal else {}),
                "measured": round(delay, 3),
                "unit": "s",
            }
            for place, found in delays.items()
            for name, delay, goal in (("p50", found.p50, 0.15), ("p99", found.p99, 0.4), ("worst", found.worst, None))
        ]

    def board(self) -> list[Row]:
        """Return the rows of the board."""
        return board.measure(*self._edge, self._size.queues, self._size.wallboards)

    def memory(self) -> list[Row]:
        """Return the rows of memory."""
        of_worker = workers.memory(*self._edge, min(self._size.open_contacts, 100_000))
        return of_worker + retention.redis_full(*self._edge, self._size.smaller)

    def growth(self) -> list[Row]:
        """Return the rows of growth."""
        return workers.growth(*self._edge, self._size.events // 6, self._size.open_contacts)


NAMES: Final = ("throughput", "two", "catchup", "latency", "board", "memory", "growth")


def ratio(row: Row) -> float | None:
    """Return how many times the goal is met: 1 is just so, more is better."""
    if "goal" not in row or not row["measured"]:
        return None
    return float(row["goal"] / row["measured"] if row.get("below") else row["measured"] / row["goal"])


def line(row: Row) -> str:
    """Return one line of the table: what, measured, goal, ratio, CPU time for each event, and who counted wrong."""
    met = ratio(row)
    goal = "" if met is None else f"goal {'<' if row.get('below') else '>'} {row['goal']:,}  {met:.2f} x"
    cpu = f"{row['cpu_us']:.2f} us CPU" if "cpu_us" in row else ""
    by_cpu = f"by CPU {row['by_cpu']}" if "by_cpu" in row else ""
    texts = (goal, cpu, by_cpu, row.get("counts", ""))
    return f"{row['what']:<66} {row['measured']:>11,} {row['unit']:<12} " + "  ".join(filter(None, texts))


def fallen(rows: list[Row]) -> list[str]:
    """Return a line for each ratio that is under its floor, and for callwatch where it counted wrong."""
    found = [
        f"below its floor of {FLOORS[row['what']]}: {row['what']} {row['by_cpu']}"
        for row in rows
        if row["what"] in FLOORS and row["by_cpu"] < FLOORS[row["what"]]
    ]
    wrong = [row for row in rows if row["what"] == throughput.OWN and row["counts"].startswith("WRONG")]
    return found + [f"{row['what']}: {row['counts']}" for row in wrong]


def run(names: list[str], size: Size) -> list[Row]:
    """Run the benchmarks named, one after the other; what one cannot do stops none of the others."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        for name in ("kafka", "redis"):
            (directory / name).mkdir()
        kafka, redis = KafkaCluster(directory / "kafka"), RedisServer(directory / "redis")
        try:
            kafka.start()
            redis.start()
            for server in (*kafka.brokers, redis):
                pin(server.pid, SERVERS_CORE)
            bench = Bench(kafka, redis, directory, size)
            runs: dict[str, Callable[[], list[Row]]] = {name: getattr(bench, name) for name in NAMES}
            for name in names:
                print(f"{name} ...", file=sys.stderr, flush=True)
                rows += [{"bench": name, **row} for row in runs[name]()]
        finally:
            kafka.kill()
            redis.kill()
    return rows


def main(arguments: list[str]) -> int:
    """Run the benchmarks named, or all."""
    option = next((argument for argument in arguments if argument.startswith("--")), "")
    names = [argument for argument in arguments if not argument.startswith("--")] or list(NAMES)
    if option not in SIZES or not set(names) <= set(NAMES):
        print(f"python -m bench [--quick | --full] [{'|'.join(NAMES)} ...]", file=sys.stderr)
        return 2
    rows = run(names, SIZES[option])
    print("\n".join(line(row) for row in rows))
    if option != "--quick":
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "kafka": kafka_version()}
        results = {"callwatch": version(), "machine": machine, "peers": PACKAGES, "rows": rows}
        RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    under = fallen(rows)
    for text in under:
        print(text, file=sys.stderr)
    return 1 if under else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
