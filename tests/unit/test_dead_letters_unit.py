"""What a dead letter carries: its key, its headers, and the record untouched."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError
from faust.exceptions import ProducerSendError

from agents.processors import insistence
from agents.processors.dead_letters import DeadLetter
from agents.processors.insistence import InsistentOffice, RevokedError, Troubles
from agents.processors.worker import KafkaOffice
from tests.unit.counted import FakeRecord


def letter(key: bytes | None = b"c1") -> DeadLetter:
    record = FakeRecord(17, b"\xff{", key, topic="callcenter.calls", partition=3)
    return DeadLetter(record, "not_json", "not JSON in UTF-8: größe")


def test_the_key_is_the_place_of_the_record_so_that_a_letter_written_twice_is_one() -> None:
    assert letter().key == b"callcenter.calls/3/17"
    assert letter(None).key == letter().key


def test_the_headers_say_why_and_where_and_keep_the_key() -> None:
    assert letter().headers == [
        ("reason", b"not_json"),
        ("error", "not JSON in UTF-8: größe".encode()),
        ("topic", b"callcenter.calls"),
        ("partition", b"3"),
        ("offset", b"17"),
        ("key", b"c1"),
    ]


def test_a_record_without_a_key_gives_no_header_of_it() -> None:
    assert [name for name, _ in letter(None).headers] == ["reason", "error", "topic", "partition", "offset"]
    assert ("key", b"") in letter(b"").headers


def test_a_record_without_a_value_is_a_letter_that_compaction_keeps() -> None:
    empty = DeadLetter(FakeRecord(17, None, b"c1"), "empty", "no value")
    assert empty.value == b""
    assert ("value", b"none") in empty.headers
    assert "value" not in dict(letter().headers)


def test_a_shortened_letter_says_so_and_keeps_a_key_of_sane_length() -> None:
    long = FakeRecord(17, b"x" * 5_000_000, b"k" * 5_000_000)
    short = DeadLetter(long, "too_large", "too large", shortened=True)
    assert short.value == b""
    assert dict(short.headers)["value"].startswith(b"left out")
    assert b"5000000" in dict(short.headers)["value"]
    assert "key" not in dict(short.headers)
    assert sum(len(name) + len(value) for name, value in short.headers) < 1_000


Sent = tuple[str, bytes, bytes, None, None, list[tuple[str, bytes]]]


class Producer:
    """Stands where Faust's does; whatever is longer than ``longest`` is refused, by the client or by the broker."""

    def __init__(self, error: KafkaError | None = None, *, longest: int = 1_000, at_once: bool = False) -> None:
        self.error = error
        self.longest = longest
        self.at_once = at_once
        self.sent: list[Sent] = []

    async def maybe_start_producer(self) -> "Producer":
        return self

    async def send(self, *arguments: Any) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        error = MessageSizeTooLargeError() if len(arguments[2]) > self.longest else self.error
        if error is None:
            self.sent.append(arguments)
            future.set_result(None)
        elif self.at_once:
            raise ProducerSendError("Error while sending") from error
        else:
            future.set_exception(error)
        return future


def office_of(producer: Producer) -> KafkaOffice:
    app: Any = producer
    return KafkaOffice(app, "x.dead-letters")


@pytest.mark.parametrize("at_once", [True, False], ids=["the client refuses", "the broker refuses"])
async def test_a_letter_too_large_for_kafka_is_written_without_its_value_and_the_others_whole(*, at_once: bool) -> None:
    producer = Producer(at_once=at_once)
    large = DeadLetter(FakeRecord(18, b"x" * 1_001, b"c2"), "too_large", "too large")
    await office_of(producer).send([letter(), large])
    written = {key: (value, dict(headers)) for _, key, value, _, _, headers in producer.sent}
    assert len(written) == len(producer.sent) == 2
    assert written[letter().key][0] == b"\xff{"
    value, headers = written[large.key]
    assert (value, headers["key"], headers["reason"]) == (b"", b"c2", b"too_large")
    assert headers["value"].startswith(b"left out")


async def test_another_error_is_told_to_who_insists() -> None:
    producer = Producer(TopicAuthorizationFailedError())
    with pytest.raises(TopicAuthorizationFailedError):
        await office_of(producer).send([letter()])


class Flaky:
    """An office that fails some times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.tries: list[Sequence[DeadLetter]] = []

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        self.tries.append(letters)
        if len(self.tries) <= self.failures:
            raise TopicAuthorizationFailedError


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(insistence, "WAITS_S", (0.0, 0.001))


async def test_letters_that_could_not_be_written_are_tried_again_and_the_log_says_which_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    office = Flaky(3)
    await InsistentOffice(office, lambda: False, Troubles()).send("calls/0", [letter()])
    assert office.tries == [[letter()]] * 4
    said = capsys.readouterr().out
    assert said.count("[warning") == 1
    assert "TopicAuthorizationFailedError" in said
    assert "give callwatch's user in Kafka the right" in said
    assert "that is over" in said


async def test_letters_of_a_partition_that_was_taken_away_are_given_up() -> None:
    office = Flaky(1_000_000)
    with pytest.raises(RevokedError):
        await InsistentOffice(office, lambda: len(office.tries) == 3, Troubles()).send("calls/0", [letter()])
    assert len(office.tries) == 3
