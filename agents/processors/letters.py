"""Reading the dead-letter topic: what could not be counted, and why; and sending it again after a fix."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from time import monotonic
from typing import Any, Final

import msgspec
import structlog
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError

from agents.processors.asking import BOOTSTRAP_MS, asking
from agents.processors.dead_letters import NONE, VALUE
from agents.processors.worker import LARGEST_LETTER
from config.errors import UsageError

#: One poll waits this long for letters, in ms.
POLL_MS: Final = 500

#: A Kafka that holds more letters and gives none for this long has stopped to answer, in seconds.
GIVE_UP_S: Final = 10.0

#: The header of a mark: the letter under this key has been sent again.
RESENT: Final = "resent"

#: As many letters are sent again at once, then marked.
AT_ONCE: Final = 200

#: As many places are remembered, so that a letter written twice is told once.
REMEMBERED: Final = 100_000

log = structlog.get_logger()


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
    #: the topic of dead letters that it stands in
    topic: str = ""
    #: whether the message is in it; one too large for a letter is only where it came from
    complete: bool = True


def read_letters(brokers: str, topic: str, security: Mapping[str, Any], *, follow: bool) -> Iterator[Letter]:
    """Yield the letters of all partitions that there are now, oldest first in each; with ``follow`` also all to come.

    Each is told once, however often it was written; those that were sent again are left out. So is what is written
    while they are read: a letter sent again may soon be back. Raise UsageError.
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
            yield from _letters(consumer, partitions, follow=follow)
        finally:
            consumer.close()


def _letters(consumer: KafkaConsumer, partitions: list[TopicPartition], *, follow: bool) -> Iterator[Letter]:
    ends = consumer.end_offsets(partitions)
    consumer.seek_to_beginning(*partitions)
    # Places, not letters: a flood of bad messages is more than fits into memory.
    done = {_place(record) for record in _records(consumer, ends) if _is_mark(record)}
    consumer.seek_to_beginning(*partitions)
    told: dict[str, None] = {}
    for record in _records(consumer, None if follow else ends):
        place = _place(record)
        if record.value is None and not record.headers:
            continue  # a tombstone: somebody deleted the letter
        if _is_mark(record):
            done.add(place)
        elif place not in done and place not in told:
            told[place] = None
            if len(told) > REMEMBERED:
                del told[next(iter(told))]
            yield _letter(record)


def _place(record: Any) -> str:
    return record.key.decode(errors="replace") if record.key else "?"


def _is_mark(record: Any) -> bool:
    return any(name == RESENT for name, _ in record.headers)


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
    missing = headers.get(VALUE)
    return Letter(
        place=_place(record),
        reason=headers.get("reason", "?"),
        error=headers.get("error", "?"),
        at=record.timestamp,
        key=own_key,
        value=record.value if missing is None else None,
        topic=record.topic,
        complete=missing in (None, NONE.decode()),
    )


def resend(brokers: str, letters: Iterable[Letter], security: Mapping[str, Any]) -> int:
    """Send letters to the topics they came from, key and bytes as they came; return how many.

    Each is marked once Kafka has it, and then neither listed nor sent again. Whoever is killed between the two sends
    a few twice, which changes nothing: an event that was counted counts once, however often it comes. What is still
    wrong comes back as a letter of its own, and what was settled stays settled. Raise UsageError where Kafka does not
    take them.
    """
    waiting, sent, left = iter(letters), 0, 0
    with asking(brokers):
        producer = KafkaProducer(
            bootstrap_servers=brokers.split(","),
            bootstrap_timeout_ms=BOOTSTRAP_MS,
            acks="all",
            max_request_size=LARGEST_LETTER,
            **security,
        )
        try:
            while some := list(islice(waiting, AT_ONCE)):
                whole = [letter for letter in some if letter.complete and "/" in letter.place]
                _send(producer, [(*_origin(producer, letter), letter.key, letter.value, []) for letter in whole])
                marks = [(letter.topic, None, letter.place.encode(), b"", [(RESENT, b"")]) for letter in whole]
                _send(producer, [mark for mark in marks if mark[0]])
                sent, left = sent + len(whole), left + len(some) - len(whole)
        finally:
            producer.close()
    if left:
        log.warning("some letters do not hold their message: send those from their source", letters=left)
    return sent


def _origin(producer: KafkaProducer, letter: Letter) -> tuple[str, int | None]:
    """Return the topic and partition that a letter's message came from; no partition where it is there no more.

    Whoever wrote it may choose partitions by other rules than this client, and its contact's other events are there.
    """
    topic, partition, _ = letter.place.rsplit("/", 2)
    return topic, int(partition) if int(partition) in (producer.partitions_for(topic) or ()) else None


def _send(
    producer: KafkaProducer, messages: list[tuple[str, int | None, bytes | None, bytes | None, list[Any]]]
) -> None:
    """Return once Kafka has all ``messages``: topic, partition, key, value, headers."""
    futures = [
        producer.send(topic, value, key, headers, partition) for topic, partition, key, value, headers in messages
    ]
    for future in futures:
        future.get(timeout=30)
