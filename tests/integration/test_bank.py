"""A month of a real bank's calls, through real Kafka, Faust and Redis, equals the oracle: in order, then in none."""

import gzip
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.bank import COUNTS, EVENTS, ORACLE, write_january
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline

MONTH = {"from": "1999-01-01T00:00:00Z", "to": "1999-02-01T00:00:00Z"}
FIGURES = ("abandonment_rate", "average_speed_of_answer_seconds", "average_handle_time_seconds")

pytestmark = [pytest.mark.integration, pytest.mark.bank]


@pytest.fixture(scope="module")
def january(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bank's January as events."""
    path = tmp_path_factory.mktemp("bank") / "january.jsonl"
    write_january(path)
    assert path.read_bytes().count(b"\n") == EVENTS
    return path


def oracle(events: Path, *arguments: str) -> list[dict[str, Any]]:
    """Return what the shared oracle says of a file of events."""
    command = [sys.executable, str(ORACLE), str(events), *arguments]
    answered = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in answered.stdout.splitlines()]


@pytest.fixture
def pipeline(kafka: KafkaCluster, redis_url: str, unique: str, tmp_path: Path) -> Iterator[Pipeline]:
    """A worker and a board."""
    pipeline = Pipeline(kafka.address, redis_url, unique, tmp_path)
    try:
        pipeline.start()
        yield pipeline
    finally:
        pipeline.stop()


def assert_equals_oracle(pipeline: Pipeline, january: Path) -> None:
    """Hold the month, each queue of it, and every half hour of every queue against the oracle."""
    month = pipeline.get("/api/v1/intervals", **MONTH, interval="31d")["rows"]
    assert_same(month[-1:], oracle(january))
    assert_same(month[:-1], oracle(january, "--by", "queue"))
    halves = pipeline.get("/api/v1/intervals", **MONTH, interval="30m")["rows"]
    assert_same([row for row in halves if row["queue"]], oracle(january, "--by", "queue", "--interval", "30m"))
    assert_same([row for row in halves if not row["queue"]], oracle(january, "--interval", "30m"))


def assert_same(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(rows) == len(expected)
    for row, right in zip(rows, expected, strict=True):
        names = (*COUNTS, "left", *FIGURES)
        assert {name: row[name] for name in names} == {name: right[name] for name in names}
        assert {name: row["service_level"][name] for name in right["service_level"]} == right["service_level"]
        assert all(row[name] == right[name] for name in ("start", "queue", "channel") if name in right)
        # The sums themselves, and not only what they divide to: the bank's clock ticks in whole seconds.
        assert row["sums"]["wait_answered_seconds"] == round((right[FIGURES[1]] or 0) * right["answered"])
        assert row["sums"]["handle_seconds"] == round((right[FIGURES[2]] or 0) * right["handled"])


def test_january_in_order_equals_the_oracle(pipeline: Pipeline, january: Path, tmp_path: Path) -> None:
    packed = tmp_path / "january.jsonl.gz"
    packed.write_bytes(gzip.compress(january.read_bytes(), compresslevel=1))
    pipeline.command("replay", str(packed), "--to", pipeline.calls)
    pipeline.wait_read(EVENTS)
    assert pipeline.samples("callwatch_dead_letters_total") == {}
    assert_equals_oracle(pipeline, january)


def disordered(january: Path) -> list[bytes]:
    """Return the stream out of order by up to five minutes, every tenth event twice, some copies hours later."""
    chance = random.Random(1999)
    stream: list[tuple[datetime, bytes]] = []
    for number, line in enumerate(january.read_bytes().splitlines()):
        at = datetime.fromisoformat(json.loads(line)["time"])
        arrives = at + timedelta(seconds=chance.uniform(0, 300))
        stream.append((arrives, line))
        if number % 10 == 0:
            late = timedelta(hours=chance.uniform(2, 9)) if number % 20 == 0 else timedelta()
            stream.append((arrives + late, line))
    return [line for _, line in sorted(stream)]


def test_january_disordered_doubled_and_the_worker_killed_five_times_equals_the_oracle(
    pipeline: Pipeline, january: Path, tmp_path: Path
) -> None:
    lines = disordered(january)
    assert len(lines) > 1.09 * EVENTS
    path = tmp_path / "disordered.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    with ThreadPoolExecutor(1) as sender:
        sending = sender.submit(pipeline.command, "replay", str(path), "--to", pipeline.calls)
        for kill in range(1, 6):
            # In the middle of it, with records read, counted and not yet committed.
            pipeline.wait_read(len(lines) * kill // 8)
            pipeline.workers[-1].kill()
            assert pipeline.read() < len(lines), "the worker was done before it was killed: nothing is shown"
            # Small batches: a worker at full speed would be done between two looks.
            pipeline.add_worker(CALLWATCH_BATCH_RECORDS="200")
        sending.result()
    pipeline.wait_read(len(lines))
    assert_equals_oracle(pipeline, january)
