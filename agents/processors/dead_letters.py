"""What could not be counted: kept as it came, with the reason, for somebody to look at."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


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

    @property
    def key(self) -> bytes:
        """Return the key that makes a letter written twice one: topic/partition/offset."""
        return f"{self.record.topic}/{self.record.partition}/{self.record.offset}".encode()

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """Return the reason, the error, and where the record stands; and its own key, where it has one."""
        record = self.record
        headers = [
            ("reason", self.reason.encode()),
            ("error", self.error.encode()),
            ("topic", record.topic.encode()),
            ("partition", str(record.partition).encode()),
            ("offset", str(record.offset).encode()),
        ]
        return headers if record.key is None else [*headers, ("key", record.key)]


class DeadLetterOffice(Protocol):
    """Where dead letters go."""

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Return once all ``letters`` are written for good; try again for as long as it takes."""
