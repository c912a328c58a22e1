"""What could not be counted: kept as it came, with the reason, for somebody to look at."""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

#: The header that says why a letter has no value of its own, and what it says of a record that had none: a letter
#: without a value would be a tombstone to Kafka, and gone with the next compaction.
VALUE: Final = "value"
NONE: Final = b"none"

#: A letter that Kafka does not take keeps its record's key up to this length, in bytes.
LONGEST_KEY: Final = 4_096


class Record(Protocol):
    """One Kafka record, as aiokafka's consumer gives it."""

    topic: str
    partition: int
    offset: int
    #: Milliseconds since 1970; ``timestamp_type`` says who set it: 0 the producer, 1 the broker.
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that cannot be counted, and why: one word, and a sentence without the customer's data."""

    record: Record
    reason: str
    error: str
    #: Kafka does not take the whole of it: the record's value stays where it came from.
    shortened: bool = False

    @property
    def key(self) -> bytes:
        """Return the key that makes a letter written twice one: topic/partition/offset."""
        return f"{self.record.topic}/{self.record.partition}/{self.record.offset}".encode()

    @property
    def value(self) -> bytes:
        """Return the record's value; nothing where it had none, or where it is too large to be kept."""
        return b"" if self.shortened else self.record.value or b""

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """Return the reason, the error, and where the record stands; its own key, and what became of its value."""
        record = self.record
        headers = [
            ("reason", self.reason.encode()),
            ("error", self.error.encode()),
            ("topic", record.topic.encode()),
            ("partition", str(record.partition).encode()),
            ("offset", str(record.offset).encode()),
        ]
        if record.key is not None and not (self.shortened and len(record.key) > LONGEST_KEY):
            headers.append(("key", record.key))
        if record.value is None:
            headers.append((VALUE, NONE))
        elif self.shortened:
            headers.append((VALUE, b"left out: Kafka does not take its %d bytes here" % len(record.value)))
        return headers


class DeadLetterOffice(Protocol):
    """Where dead letters go."""

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Return once all ``letters`` are written for good; raise whatever kept one of them from it."""
