"""Topics that are missing, vanish, grow, or no longer hold what was stored: said, counted, carried on."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import NewTopic

from agents.processors.topics import make_topics
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline, wait_until
from tests.integration.silence import loaded, offered, send_calls

pytestmark = pytest.mark.integration


@pytest.fixture
def admin(kafka: KafkaCluster) -> Iterator[KafkaAdminClient]:
    """An administrator of the cluster."""
    client = KafkaAdminClient(bootstrap_servers=kafka.address)
    yield client
    client.close()


@pytest.fixture
def pipeline(kafka: KafkaCluster, redis_url: str, unique: str, tmp_path: Path) -> Iterator[Pipeline]:
    """Topics of two partitions, no worker yet."""
    pipeline = Pipeline(kafka.address, redis_url, unique, tmp_path, CALLWATCH_PARTITIONS="2")
    pipeline.command("topics")
    yield pipeline
    pipeline.stop()


def test_partitions_that_are_added_while_it_runs_are_read_from_their_beginning(
    pipeline: Pipeline, kafka: KafkaCluster, redis_url: str, admin: KafkaAdminClient
) -> None:
    worker = pipeline.add_worker()
    send_calls(kafka.address, pipeline.calls, range(10), partition=0)
    wait_until(lambda: offered(redis_url, 2) == 10, 60, "the first calls counted")
    admin.create_partitions({pipeline.calls: 3})
    send_calls(kafka.address, pipeline.calls, range(10, 20), partition=2)
    wait_until(lambda: offered(redis_url, 3) == 20, 45, "the new partition counted")
    send_calls(kafka.address, pipeline.calls, range(20, 30), partition=0)
    wait_until(lambda: offered(redis_url, 3) == 30, 30, "the old partition still counted")
    wait_until(lambda: "has got more partitions" in worker.log.read_text(), 30, "said")


def test_a_topic_that_vanishes_is_said_and_read_anew_once_it_is_back(
    pipeline: Pipeline, kafka: KafkaCluster, redis_url: str, admin: KafkaAdminClient
) -> None:
    worker = pipeline.add_worker()
    send_calls(kafka.address, pipeline.calls, range(10), partition=0)
    wait_until(lambda: offered(redis_url, 2) == 10, 60, "the first calls counted")
    admin.delete_topics([pipeline.calls])
    wait_until(lambda: "a topic is missing" in worker.log.read_text(), 60, "said that it is missing")
    admin.create_topics([NewTopic(pipeline.calls, 2, 1)])
    send_calls(kafka.address, pipeline.calls, range(10, 13), partition=0)
    wait_until(lambda: offered(redis_url, 2) == 13, 60, "the new topic counted")
    said = worker.log.read_text()
    assert "Kafka no longer holds the stored offset" in said
    assert loaded(redis_url).stats["offset_resets"] == 1
    assert not worker.ended


def test_what_retention_has_deleted_is_said_counted_and_carried_on_from(
    pipeline: Pipeline, kafka: KafkaCluster, redis_url: str, admin: KafkaAdminClient
) -> None:
    worker = pipeline.add_worker()
    send_calls(kafka.address, pipeline.calls, range(10), partition=0)
    wait_until(lambda: offered(redis_url, 2) == 10, 60, "the first calls counted")
    worker.kill()
    send_calls(kafka.address, pipeline.calls, range(10, 30), partition=0)
    admin.delete_records({TopicPartition(pipeline.calls, 0): 25})
    again = pipeline.add_worker()
    wait_until(lambda: offered(redis_url, 2) == 15, 60, "what is left counted")
    assert loaded(redis_url).stats["offset_resets"] == 1
    (line,) = [line for line in again.log.read_text().splitlines() if "no longer holds" in line]
    for part in ("calls/0", "stored", "10", "oldest", "25"):
        assert part in line


def test_topics_missing_at_the_start_are_made_and_those_with_fewer_partitions_are_said(
    kafka: KafkaCluster, unique: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kafka.create_topic(f"{unique}.calls", partitions=2)
    counts = make_topics(kafka.address, unique, 4, 1, {"security_protocol": "PLAINTEXT"})
    assert counts[f"{unique}.calls"] == 2
    assert counts[f"{unique}.chats"] == 4
    said = [line for line in capsys.readouterr().out.splitlines() if "fewer partitions than set" in line]
    assert len(said) == 1
    assert f"{unique}.calls" in said[0]


def test_a_topic_that_a_broker_knows_no_partitions_of_yet_is_taken_as_it_is_made(
    kafka: KafkaCluster, unique: str, admin: KafkaAdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.create_topic(f"{unique}.calls", partitions=4)
    # For a moment after another worker has made a topic a broker describes it like this.
    described = partial(empty, admin.describe_topics)
    monkeypatch.setattr(KafkaAdminClient, "describe_topics", lambda _, names: described(names))
    counts = make_topics(kafka.address, unique, 4, 1, {"security_protocol": "PLAINTEXT"})
    assert set(counts.values()) == {4}


def empty(describe: Any, names: list[str]) -> list[dict[str, Any]]:
    return [{**topic, "partitions": []} for topic in describe(names)]
