"""Reading the dead-letter topic: what could not be counted, and why; and sending it again after a fix."""

from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError

from agents.processors.asking import BOOTSTRAP_MS, asking
from agents.processors.worker import LARGEST_LETTER
from config.errors import UsageError

#: One poll waits this long for letters, in ms.
POLL_MS: Final = 500

#: A Kafka that holds more letters and gives none for this long has stopped to answer, in seconds.
GIVE_UP_S: Final = 10.0


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
    """Yield the letters of all partitions that there are now, oldest first in each; with ``follow`` also all to come.

    What is written while they are read is left out: a letter sent again may soon be back. Raise UsageError.
    """
    with asking(brokers):
        consumer = KafkaConsumer(
            bootstrap_servers=brokers.split(","),
            bootstrap_timeout_ms=BOOTSTRAP_MS,
            enable_auto_commit=False,
            **security,
        )
        try:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            if not partitions:
                raise UsageError(f"there is no topic {topic} at {brokers}; make it with: callwatch topics")
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = None if follow else consumer.end_offsets(partitions)
            for record in _records(consumer, ends):
                yield _letter(record)
        finally:
            consumer.close()


def _records(consumer: KafkaConsumer, ends: Mapping[TopicPartition, int] | None) -> Iterator[Any]:
    """Yield the records before ``ends``, or for ever."""
    heard = monotonic()
    while ends is None or any(consumer.position(partition) < end for partition, end in ends.items()):
        for partition, records in consumer.poll(timeout_ms=POLL_MS).items():
            heard = monotonic()
            yield from (record for record in records if ends is None or record.offset < ends[partition])
        if ends is not None and monotonic() - heard > GIVE_UP_S:
            raise KafkaTimeoutError("it does not answer any more")


def _letter(record: Any) -> Letter:
    headers = {name: value.decode(errors="replace") for name, value in record.headers if name != "key"}
    own_key = next((value for name, value in record.headers if name == "key"), None)
    place = record.key.decode(errors="replace") if record.key else "?"
    reason, error = headers.get("reason", "?"), headers.get("error", "?")
    return Letter(place, reason, error, record.timestamp, own_key, record.value)


def resend(brokers: str, letters: Iterator[Letter], security: Mapping[str, Any]) -> int:
    """Send letters to the topics they came from, as they came; return how many. What was settled stays settled.

    Raise UsageError where Kafka does not take them.
    """
    with asking(brokers):
        producer = KafkaProducer(
            bootstrap_servers=brokers.split(","),
            bootstrap_timeout_ms=BOOTSTRAP_MS,
            acks="all",
            max_request_size=LARGEST_LETTER,
            **security,
        )
        try:
            sent = [producer.send(letter.place.rsplit("/", 2)[0], letter.value, letter.key) for letter in letters]
            for future in sent:
                future.get(timeout=30)
            return len(sent)
        finally:
            producer.close()
