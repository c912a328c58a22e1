"""A caller whose exit never comes, through real Kafka and Redis: lost in time, and taken back when it comes late."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaProducer

from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline, wait_until

pytestmark = pytest.mark.integration

LONGEST_S: Final = 8
QUEUES: Final = f"""
timezone: UTC
queues:
  sales: {{}}
  support:
    service_level: {{within: 2s}}
    longest_credible_wait: {LONGEST_S}s
"""
PARTITIONS: Final = 2


class Line:
    """Sends events to a partition of one's choice, and asks the board what became of them."""

    def __init__(self, pipeline: Pipeline, producer: Any) -> None:
        self.pipeline = pipeline
        self._producer = producer

    def tell(self, contact: str, kind: str, at: datetime, *, partition: int = 0, **fields: str) -> None:
        event = {"id": f"{contact}-{kind}", "type": f"contact.{kind}", "time": at.isoformat(), "contact_id": contact}
        event |= {"channel": "voice", "queue": "support", "agent_id": "a1", **fields}
        value = json.dumps(event).encode()
        self._producer.send(self.pipeline.calls, value, contact.encode(), partition=partition).get(timeout=30)

    def totals(self, day: datetime) -> dict[str, int]:
        """Return what support's intervals of that day add up to."""
        begin = day.replace(hour=0, minute=0, second=0, microsecond=0)
        span = {"from": begin.isoformat(), "to": (begin + timedelta(days=2)).isoformat()}
        rows = self.pipeline.get("/api/v1/intervals", interval="1d", queue="support", **span)["rows"]
        names = ("offered", "answered", "abandoned", "lost", "handled")
        return {name: sum(row[name] for row in rows if row["queue"] == "support") for name in names}

    def waiting(self) -> int:
        rows = self.pipeline.get("/api/v1/queues", window="5m")["rows"]
        return sum(row["queue_length"] for row in rows if row["queue"] == "support")

    def wait_empty(self) -> None:
        """Wait until nobody waits: intervals come from Redis itself, and the board's model follows."""
        wait_until(lambda: self.waiting() == 0, 20, "nobody waits any more")

    def wait_for(self, day: datetime, within_s: float = 40, **expected: int) -> None:
        def reached() -> bool:
            found = self.totals(day)
            return all(found[name] == count for name, count in expected.items())

        wait_until(reached, within_s, f"{expected}")


@pytest.fixture(params=["wall", "watermark"])
def line(
    request: pytest.FixtureRequest, kafka: KafkaCluster, redis_url: str, unique: str, tmp_path: Path
) -> Iterator[Line]:
    """A worker and a board for which a wait of more than 8 s is none; its board goes by the wall or the watermark."""
    queues = tmp_path / "queues.yaml"
    queues.write_text(QUEUES)
    settings = {"CALLWATCH_QUEUES": str(queues), "CALLWATCH_PARTITIONS": str(PARTITIONS)}
    pipeline = Pipeline(kafka.address, redis_url, unique, tmp_path, CALLWATCH_CLOCK=request.param, **settings)
    producer = KafkaProducer(bootstrap_servers=kafka.address)
    try:
        pipeline.start()
        yield Line(pipeline, producer)
    finally:
        producer.close()
        pipeline.stop()


@pytest.mark.parametrize("line", ["wall"], indirect=True)
def test_a_ghost_is_lost_while_its_partition_is_idle_and_a_late_exit_takes_it_back(line: Line) -> None:
    queued = datetime.now(UTC)
    line.tell("ghost", "queued", queued)
    line.tell("other ghost", "queued", queued, partition=1)
    line.wait_for(queued, offered=2, lost=0)
    # Nothing more comes: the clock alone carries both partitions on.
    line.wait_for(queued, offered=2, lost=2, answered=0, abandoned=0)
    line.wait_empty()
    assert (datetime.now(UTC) - queued).total_seconds() > LONGEST_S
    # The one's exit came before it was given up, the other's after.
    line.tell("ghost", "answered", queued + timedelta(seconds=3))
    line.tell("other ghost", "abandoned", queued + timedelta(seconds=LONGEST_S + 2), partition=1)
    line.wait_for(queued, offered=2, lost=0, answered=1, abandoned=1)
    line.wait_empty()
    line.tell("ghost", "ended", queued + timedelta(seconds=6))
    line.wait_for(queued, lost=0, answered=1, handled=1)


@pytest.mark.parametrize("line", ["watermark"], indirect=True)
def test_a_ghost_of_history_is_lost_by_the_time_that_is_replayed(line: Line) -> None:
    queued = datetime.now(UTC) - timedelta(days=3)
    line.tell("idle ghost", "queued", queued, partition=1)
    line.tell("ghost", "queued", queued)
    line.tell("later", "queued", queued + timedelta(seconds=LONGEST_S, milliseconds=-1))
    line.wait_for(queued, within_s=20, offered=3)
    # Time stands where the replay stands; it goes on with the events, or with the clock where none come.
    line.tell("later still", "queued", queued + timedelta(hours=1), queue="sales")
    line.wait_for(queued, within_s=20, offered=3, lost=3)
    line.wait_empty()
    line.tell("ghost", "answered", queued + timedelta(minutes=5))
    line.wait_for(queued, within_s=20, offered=3, lost=2, answered=1)
