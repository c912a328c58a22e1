"""What a dead letter carries: its key, its headers, and the record untouched."""

import asyncio
from typing import Any

import pytest

from agents.processors.dead_letters import DeadLetter
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


class FlakyProducer:
    """A producer whose first letters get lost."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.sent: list[tuple[object, ...]] = []

    async def send(self, *arguments: object) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.failures:
            self.failures -= 1
            future.set_exception(ConnectionError("gone"))
        else:
            self.sent.append(arguments)
            future.set_result(None)
        return future


async def test_letters_that_could_not_be_written_are_tried_again_under_the_same_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    producer = FlakyProducer(failures=1)
    waits: list[float] = []

    async def no_wait(seconds: float) -> None:
        waits.append(seconds)

    class App:
        async def maybe_start_producer(self) -> FlakyProducer:
            return producer

    monkeypatch.setattr("agents.processors.worker.asyncio.sleep", no_wait)
    app: Any = App()
    await KafkaOffice(app, "x.dead-letters").send([letter()])
    assert waits == [1]
    topic, key, value, _, _, headers = producer.sent[-1]
    assert (topic, key, value) == ("x.dead-letters", b"callcenter.calls/3/17", b"\xff{")
    assert headers == letter().headers
    assert "could not be written" in capsys.readouterr().out
