"""Reading the dead-letter topic: what could not be counted, and why; and sending it again after a fix."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from config.errors import UsageError

#: Nothing new within this is the end, unless letters are followed; in ms.
QUIET_MS = 1_000


class Letter(msgspec.Struct, frozen=True):
    """One dead letter, as it stands in Kafka."""

    #: topic/partition/offset of the message that could not be counted
    place: str
    reason: str
    error: str
    #: when it was written, ms since 1970
    at: int
    key: bytes | None
    value: bytes | None


def read_letters(brokers: str, topic: str, security: Mapping[str, Any], *, follow: bool) -> Iterator[Letter]:
    """Yield the letters of all partitions, oldest first in each; with ``follow`` wait for more for ever."""
    try:
        timeout = float("inf") if follow else QUIET_MS
        consumer = KafkaConsumer(
            bootstrap_servers=brokers.split(","), consumer_timeout_ms=timeout, enable_auto_commit=False, **security
        )
        try:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            if not partitions:
                raise UsageError(f"there is no topic {topic} at {brokers}; make it with: callwatch topics")
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            for record in consumer:
                yield _letter(record)
        finally:
            consumer.close()
    except (KafkaError, OSError) as error:
        problem = str(error) or type(error).__name__
        advice = "is it running, and is the address right (--kafka)?"
        raise UsageError(f"Kafka at {brokers}: {problem}; {advice}") from error


def _letter(record: Any) -> Letter:
    headers = {name: value.decode(errors="replace") for name, value in record.headers if name != "key"}
    own_key = next((value for name, value in record.headers if name == "key"), None)
    place = record.key.decode(errors="replace") if record.key else "?"
    reason, error = headers.get("reason", "?"), headers.get("error", "?")
    return Letter(place, reason, error, record.timestamp, own_key, record.value)


def resend(brokers: str, letters: Iterator[Letter], security: Mapping[str, Any]) -> int:
    """Send letters to the topics they came from, as they came; return how many. What was settled stays settled."""
    producer = KafkaProducer(bootstrap_servers=brokers.split(","), acks="all", **security)
    try:
        sent = [producer.send(letter.place.rsplit("/", 2)[0], letter.value, letter.key) for letter in letters]
        for future in sent:
            future.get(timeout=30)
        return len(sent)
    finally:
        producer.close()
