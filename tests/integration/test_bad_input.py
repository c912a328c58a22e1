"""Whatever stands in a topic, through real Kafka and a real worker: a dead letter with its reason, or counted right."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from agents.store import Loaded
from agents.store.redis import RedisStore
from streams.measures import Measure
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline, wait_until

pytestmark = pytest.mark.integration

NOW: Final = datetime.now(UTC)


class Sent(NamedTuple):
    """One message, and the reason for which it must be a dead letter, or None: it counts."""

    name: str
    key: bytes | None
    value: bytes | None
    reason: str | None


def event(contact: str = "bad", kind: str = "queued", **fields: Any) -> dict[str, Any]:
    made = {"id": f"{contact}-{kind}", "type": f"contact.{kind}", "time": NOW.isoformat(), "contact_id": contact}
    return {**made, "channel": "voice", "queue": "sales", **fields}


def message(name: str, fields: object, reason: str | None, key: bytes | None = b"bad") -> Sent:
    return Sent(name, key, json.dumps(fields).encode(), reason)


def without(name: str) -> dict[str, Any]:
    return {field: value for field, value in event().items() if field != name}


def good(contact: str, **fields: Any) -> list[Sent]:
    """Return a call that waits 10 s, is answered, and ends after a minute."""
    key, began = contact.encode(), NOW - timedelta(minutes=5)
    steps: tuple[tuple[str, int, dict[str, str]], ...] = (
        ("queued", 0, {}),
        ("answered", 10, {"agent_id": "a1"}),
        ("ended", 70, {}),
    )
    return [
        message(
            contact, event(contact, kind, time=(began + timedelta(seconds=at)).isoformat(), **more, **fields), None, key
        )
        for kind, at, more in steps
    ]


BAD: Final = (
    Sent("not JSON", b"bad", b"{ queued", "not_json"),
    Sent("binary garbage", b"\xfe\xff", bytes(range(256)) * 10, "not_json"),
    Sent("not UTF-8", b"bad", json.dumps(event(id="?")).encode().replace(b"?", b"\xff"), "not_json"),
    Sent("deeper than any stack", b"bad", b'{"deep":' + b"[" * 60_000, "not_json"),
    Sent("no value", b"bad", None, "empty"),
    Sent("an empty value", b"bad", b"", "empty"),
    message("an array", [1, 2], "not_an_object"),
    message("a number", 7, "not_an_object"),
    message("a type that is not known", event(type="contact.exploded"), "unknown_type"),
    message("a type of another topic", event(type="agent.state"), "unknown_type"),
    message("no type", without("type"), "missing_field"),
    message("no id", without("id"), "missing_field"),
    message("no time", without("time"), "missing_field"),
    message("no contact", without("contact_id"), "missing_field"),
    message("no queue", without("queue"), "missing_field"),
    message("a number for an id", event(id=7), "wrong_type"),
    message("null for a contact", event(contact_id=None), "wrong_type"),
    message("a list for a queue", event(queue=["sales"]), "wrong_type"),
    message("an empty id", event(id=""), "invalid_value"),
    message("a channel that is not known", event(channel="pigeon"), "invalid_value"),
    message("an id that is too long", event(id="x" * 257), "invalid_value"),
    message("a time without an offset", event(time="2026-01-05T09:00:00"), "naive_time"),
    message("no time at all", event(time="noon"), "invalid_value"),
    message("an hour ahead", event(time=(NOW + timedelta(hours=1)).isoformat()), "future"),
    message("the last second there is", event(time="9999-12-31T23:59:59-12:00"), "future"),
    message("1970", event(time="1970-01-01T00:00:00Z"), "too_late"),
    message("the first second there is", event(time="0001-01-01T00:00:00+12:00"), "invalid_value"),
    message("another's key", event(), "wrong_key", key=b"somebody else"),
    message("an empty key", event(), "wrong_key", key=b""),
    message("no key", event(), "wrong_key", key=None),
    Sent("1 MiB", b"bad", json.dumps(event(source="x" * 1_048_576)).encode(), "too_large"),
    Sent("one byte too long", b"bad", b" " * 65_537, "too_large"),
)  # fmt: skip

COUNTED: Final = (
    *good("c1"),
    *good("c2"),
    *good("unlisted", queue="a queue: größe"),
    *good("nul\0", queue="sales"),
    message("the same id again", event("c1", "queued", time=(NOW - timedelta(minutes=5)).isoformat()), None, b"c1"),
    message("a field that nobody knows", event("c3", shoe_size=44, priority=10**30), None, b"c3"),
)


def interleaved() -> list[Sent]:
    """Return the messages that count, with a few that do not after each."""
    mixed = list(COUNTED)
    for number, bad in enumerate(BAD):
        mixed.insert(3 + (3 * number) % (len(COUNTED) + number - 2), bad)
    return mixed


@pytest.fixture
def pipeline(kafka: KafkaCluster, redis_url: str, unique: str, tmp_path: Path) -> Iterator[Pipeline]:
    """A worker, and topics of two partitions."""
    pipeline = Pipeline(kafka.address, redis_url, unique, tmp_path, CALLWATCH_PARTITIONS="2")
    try:
        pipeline.command("topics")
        yield pipeline
    finally:
        pipeline.stop()


def send(kafka: KafkaCluster, topic: str, messages: list[Sent]) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.address, max_request_size=4_000_000)
    try:
        for sent in messages:
            producer.send(topic, sent.value, sent.key, partition=0)
        producer.flush(30)
    finally:
        producer.close()


def letters_of(kafka: KafkaCluster, topic: str, count: int) -> dict[bytes, Any]:
    """Return the dead letters by their keys."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.address, enable_auto_commit=False)
    found: dict[bytes, Any] = {}
    try:
        partitions = [TopicPartition(topic, number) for number in range(2)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        assert sum(ends.values()) == count
        while any(consumer.position(tp) < ends[tp] for tp in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found |= {record.key: record for record in records}
        return found
    finally:
        consumer.close()


def stored(redis_url: str) -> Loaded:
    """Return what the worker has committed of the first partition of calls."""

    async def load() -> Loaded:
        store = RedisStore(redis_url)
        try:
            return await store.load("calls/0")
        finally:
            await store.close()

    return asyncio.run(load())


def read_by(pipeline: Pipeline, redis_url: str, messages: int) -> Loaded:
    pipeline.add_worker()
    wait_until(lambda: stored(redis_url).head.offset >= messages, 90, f"{messages} messages committed")
    assert stored(redis_url).head.offset == messages
    return stored(redis_url)


def test_bad_messages_are_dead_letters_as_they_came_and_the_rest_counts(
    pipeline: Pipeline, kafka: KafkaCluster, redis_url: str
) -> None:
    messages = interleaved()
    send(kafka, pipeline.calls, messages)
    loaded = read_by(pipeline, redis_url, len(messages))
    letters = letters_of(kafka, f"{pipeline.name}.dead-letters", len(BAD))
    for offset, sent in enumerate(messages):
        letter = letters.pop(f"{pipeline.calls}/0/{offset}".encode(), None)
        if sent.reason is None:
            assert letter is None, f"{sent.name}: {dict(letter.headers)}"
            continue
        assert letter is not None, sent.name
        headers = dict(letter.headers)
        assert headers["reason"].decode() == sent.reason, f"{sent.name}: {headers}"
        assert (headers["topic"], headers["partition"], headers["offset"]) == (
            pipeline.calls.encode(),
            b"0",
            str(offset).encode(),
        )
        assert headers["error"]
        assert headers.get("key") == sent.key
        assert letter.value == (sent.value or b""), sent.name
        assert headers.get("value") == (b"none" if sent.value is None else None), sent.name
    assert letters == {}
    assert_counted(loaded)


def assert_counted(loaded: Loaded) -> None:
    """Hold the figures against what ``COUNTED`` says."""
    reasons = [sent.reason for sent in BAD]
    dead = {name: count for name, count in loaded.stats.items() if name.startswith("dead:")}
    assert dead == {f"dead:{reason}": reasons.count(reason) for reason in reasons}
    assert sum(count for name, count in loaded.stats.items() if name.startswith("event:")) == len(COUNTED)
    figures = {place: counters for place, (counters, owed) in loaded.totals.items() if not any(owed.values())}
    assert set(figures) == {("sales", "voice"), ("a queue: größe", "voice")}
    sales, other = figures["sales", "voice"], figures["a queue: größe", "voice"]
    assert (sales[Measure.OFFERED], sales[Measure.ANSWERED], sales[Measure.HANDLED]) == (4, 3, 3)
    assert (sales[Measure.WAIT_ANSWERED_MS], sales[Measure.TALK_MS]) == (30_000, 180_000)
    assert (other[Measure.OFFERED], other[Measure.ANSWERED_WITHIN_TARGET], other[Measure.HANDLED]) == (1, 1, 1)


def test_a_letter_that_kafka_does_not_take_blocks_nothing(
    kafka: KafkaCluster, redis_url: str, unique: str, tmp_path: Path
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)
    try:
        admin.create_topics([NewTopic(f"{unique}.dead-letters", 2, 1, topic_configs={"max.message.bytes": "2000"})])
    finally:
        admin.close()
    pipeline = Pipeline(kafka.address, redis_url, unique, tmp_path, CALLWATCH_PARTITIONS="2")
    messages = [Sent("large", b"big", b"x" * 70_000, "too_large"), Sent("small", b"bad", b"{", "not_json"), *good("c1")]
    try:
        pipeline.command("topics")
        send(kafka, pipeline.calls, messages)
        loaded = read_by(pipeline, redis_url, len(messages))
        assert "too large for Kafka" in pipeline.workers[0].log.read_text()
    finally:
        pipeline.stop()
    letters = letters_of(kafka, f"{unique}.dead-letters", 2)
    large, small = (letters[f"{unique}.calls/0/{offset}".encode()] for offset in (0, 1))
    assert large.value == b""
    assert dict(large.headers)["value"].startswith(b"left out")
    assert (dict(large.headers)["reason"], dict(large.headers)["key"]) == (b"too_large", b"big")
    assert small.value == b"{"
    assert loaded.totals["sales", "voice"][0][Measure.HANDLED] == 1


def test_a_lone_surrogate_does_not_stop_the_worker(pipeline: Pipeline, kafka: KafkaCluster, redis_url: str) -> None:
    odd = [
        Sent("in the id of the contact", b"bad", json.dumps(event(contact_id="\ud800")).encode(), "not_json"),
        Sent("in the queue", b"bad", json.dumps(event(queue="\udfff")).encode(), "not_json"),
    ]
    messages = [*odd, *good("c1")]
    send(kafka, pipeline.calls, messages)
    loaded = read_by(pipeline, redis_url, len(messages))
    assert loaded.stats["dead:not_json"] == 2
    assert loaded.totals["sales", "voice"][0][Measure.HANDLED] == 1
