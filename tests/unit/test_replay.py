import asyncio
import gzip
import io
import math
import os
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from agents.processors.worker import topic_name
from agents.sources import sender as sender_module
from agents.sources.lines import Lines, Source, open_events, read_lines
from agents.sources.pace import DAY_MS, Pace, parse_speed
from agents.sources.replay import NO_EVENT, NO_KEY, TOO_LONG, Replay, run_replay
from agents.sources.route import decode_head, key_of, names_of, topic_of
from agents.sources.sender import Kafka
from config.errors import UsageError
from streams import events as ev


class Memory:
    """A sender that keeps what it is given; what was added counts as delivered when it is flushed."""

    def __init__(self) -> None:
        self.delivered = 0
        self.failed = 0
        self.events: list[tuple[str, bytes, bytes]] = []
        self.waiting: list[int] = []
        self.flushes = 0

    async def add(self, topic: str, key: bytes, value: bytes, mark: int = 0) -> None:
        self.events.append((topic, key, value))
        self.waiting.append(mark)

    async def flush(self) -> None:
        self.flushes += 1
        self.delivered += len(self.waiting)
        self.waiting.clear()

    async def drain(self, timeout_s: float) -> None:
        assert timeout_s > 0
        await self.flush()

    def first_undelivered(self) -> int | None:
        return min(self.waiting, default=None)


def event(number: int, **more: object) -> bytes:
    common = {"id": f"e{number}", "type": "contact.queued", "time": "2024-01-01T08:00:00Z", "channel": "voice"}
    return msgspec.json.encode({**common, "contact_id": f"c{number}", "queue": "sales", **more})


async def replayed(content: bytes, tmp_path: Path, **options: object) -> tuple[Memory, Replay]:
    file = tmp_path / "events"
    file.write_bytes(content)
    memory = Memory()
    replay = Replay(memory, topic_of, **options)  # type: ignore[arg-type]
    await replay.run(read_lines(open_events(str(file))), lambda _: None)
    return memory, replay


async def test_bytes_go_out_unchanged_with_the_contact_as_key(tmp_path: Path) -> None:
    odd = b'{ "contact_id" : "c\\u00e9",  "type":"contact.queued", "unknown": [1.50, null], "channel":"voice" }'
    memory, _ = await replayed(odd + b"\n" + event(2) + b"\r\n", tmp_path)
    assert memory.events == [
        ("callcenter.calls", "cé".encode(), odd),
        ("callcenter.calls", b"c2", event(2)),
    ]


@pytest.mark.parametrize(
    ("fields", "topic", "key"),
    [
        ({"type": "contact.queued", "channel": "voice", "contact_id": "c", "agent_id": "a"}, "calls", b"c"),
        ({"type": "contact.queued", "channel": "chat", "contact_id": "c"}, "chats", b"c"),
        ({"type": "message.sent", "channel": "email", "contact_id": "c"}, "chats", b"c"),
        ({"type": "agent.state", "agent_id": "a"}, "agents", b"a"),
        ({"type": "survey.csat", "contact_id": "c", "agent_id": "a", "customer_id": "u"}, "feedback", b"c"),
        ({"type": "quality.reviewed", "agent_id": "a"}, "feedback", b"a"),
        ({"type": "order.placed", "customer_id": "u", "contact_id": "c"}, "feedback", b"u"),
        ({"type": "what.is_this", "contact_id": "c"}, "calls", b"c"),
        ({"type": 5, "channel": None, "contact_id": "c", "agent_id": 7}, "chats", b"c"),
        ({"type": "contact.queued", "contact_id": ""}, "calls", b""),
    ],
)
def test_an_event_goes_to_the_topic_of_its_type_and_channel(fields: dict[str, object], topic: str, key: bytes) -> None:
    head = decode_head(msgspec.json.encode(fields))
    assert topic_of(head) == f"callcenter.{topic}"
    assert key_of(head) == key


def test_a_topic_is_called_as_the_workers_call_it() -> None:
    assert names_of("night.shift") == {topic: topic_name("night.shift", topic) for topic in ev.TOPICS}


async def test_what_is_no_event_is_refused_with_its_line_and_the_rest_goes_on(tmp_path: Path) -> None:
    bad = [b"\x00\xff\x01", b"[1]", b'{"id": 1}', b'{"contact_id": "c"', b"[" * 100_000, b'{"contact_id": "\xff"}']
    long = b'{"contact_id":"c","x":"' + b"y" * 1_100_000 + b'"}'
    lines = [event(1), b"", *bad, long, b"  ", event(2)]
    memory, replay = await replayed(b"\n".join(lines), tmp_path)
    assert [key for _, key, _ in memory.events] == [b"c1", b"c2"]
    assert replay.refused == {NO_EVENT: len(bad) - 1, NO_KEY: 1, TOO_LONG: 1}
    assert [refusal.line for refusal in replay.refusals] == [3, 4, 5, 6, 7]
    assert replay.refusals[2].detail == "it has no contact_id, agent_id or customer_id"


async def test_a_line_longer_than_any_memory_is_cut_and_refused(tmp_path: Path) -> None:
    memory, replay = await replayed(b"x" * 5_000_000 + b"\n" + event(1), tmp_path)
    assert len(memory.events) == 1
    assert "1,000,000 bytes" in replay.refusals[0].detail
    source = open_events(str(tmp_path / "events"))
    longest = [len(line) async for block in read_lines(source) for line in block.lines]
    assert longest[0] < 1_300_000


async def test_gzip_is_known_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    lines = b"\n".join(event(number) for number in range(5_000)) + b"\n"
    two_members = gzip.compress(lines) + gzip.compress(event(5_000) + b"\n")
    memory, _ = await replayed(two_members, tmp_path)
    assert [key for _, key, _ in memory.events] == [f"c{number}".encode() for number in range(5_001)]


async def test_a_plain_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    for content in (event(1), event(1) + b"\n"):
        memory, replay = await replayed(b"\xef\xbb\xbf" + content, tmp_path)
        assert [value for _, _, value in memory.events] == [event(1)]
        assert not replay.refused


async def test_a_truncated_gzip_gives_what_can_be_read_and_says_that_it_is_damaged(tmp_path: Path) -> None:
    text = b"\n".join(event(number, note=str(math.sin(number))) for number in range(20_000))
    file = tmp_path / "cut"
    file.write_bytes(gzip.compress(text)[:-2_000])
    memory = Memory()
    replay = Replay(memory, topic_of)
    with pytest.raises(EOFError):
        await replay.run(read_lines(open_events(str(file))), lambda _: None)
    await memory.drain(1)
    assert 1_000 < memory.delivered < 20_000
    assert replay.resume_line == memory.delivered + 1


async def test_replay_begins_at_the_line_asked_for(tmp_path: Path) -> None:
    lines = b"\n".join(event(number) for number in range(1, 11))
    memory, _ = await replayed(lines, tmp_path, from_line=8)
    assert [key for _, key, _ in memory.events] == [b"c8", b"c9", b"c10"]


async def test_only_acknowledged_lines_are_left_out_when_it_goes_on(tmp_path: Path) -> None:
    memory, replay = await replayed(b"\n".join(event(number) for number in range(1, 11)), tmp_path)
    memory.waiting = [4, 7]
    assert replay.resume_line == 4
    await memory.flush()
    assert replay.resume_line == 11


async def test_it_stops_at_the_first_event_that_is_lost(tmp_path: Path) -> None:
    class Broken(Memory):
        async def add(self, topic: str, key: bytes, value: bytes, mark: int = 0) -> None:
            await super().add(topic, key, value, mark)
            self.failed += mark == 3

    (tmp_path / "events").write_bytes(b"\n".join(event(number) for number in range(1, 11)))
    broken = Broken()
    replay = Replay(broken, topic_of)
    await replay.run(read_lines(open_events(str(tmp_path / "events"))), lambda _: None)
    assert len(broken.events) == 3


async def test_what_is_ready_goes_out_while_the_pipe_is_silent() -> None:
    async def silent() -> AsyncGenerator[Lines, None]:
        yield Lines(1, [event(1)], 0)
        await asyncio.sleep(60)

    class Telling(Memory):
        async def flush(self) -> None:
            await super().flush()
            flushed.set()

    flushed = asyncio.Event()
    memory = Telling()
    job = asyncio.create_task(Replay(memory, topic_of).run(silent(), lambda _: None))
    async with asyncio.timeout(5):
        await flushed.wait()
    assert memory.delivered == 1
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job


async def test_a_silent_pipe_does_not_hold_up_the_end() -> None:
    read_end, write_end = os.pipe()
    raw = io.BufferedReader(io.FileIO(read_end))
    with open(write_end, "wb"):  # noqa: ASYNC230, PTH123 - a pipe has no path
        reading = asyncio.create_task(anext(read_lines(Source(raw, raw, 0))))
        await asyncio.sleep(0.05)
        reading.cancel()
        started = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert time.monotonic() - started < 1


def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path) -> None:
    content = gzip.compress(b"\n".join(event(number, note=str(math.sin(number))) for number in range(30_000)))
    file = tmp_path / "events"
    file.write_bytes(content)
    told: list[int] = []
    asyncio.run(Replay(Memory(), topic_of).run(read_lines(open_events(str(file))), told.append))
    assert told == sorted(told)
    assert told[-1] == len(content)
    assert len(told) > 5


@pytest.mark.parametrize(("text", "speed"), [("max", math.inf), ("60x", 60.0), ("1x", 1.0), ("2.5", 2.5)])
def test_a_speed_is_max_or_a_multiple(text: str, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["fast", "0x", "-1x", "", "nan", "x", "60 x"])
def test_another_speed_is_a_mistake_told_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="give max, or how many times"):
        parse_speed(text)


def test_the_pace_keeps_distances_and_never_waits_for_an_earlier_event() -> None:
    pace = Pace(60)
    assert pace.wait_ms(1_000_000, 500) == 0
    assert pace.wait_ms(1_060_000, 500) == pytest.approx(1_000)
    assert pace.wait_ms(1_030_000, 1_500) < 0
    assert pace.wait_ms(1_120_000, 1_500) == pytest.approx(1_000)


def test_the_pace_does_not_wait_for_a_jump_of_more_than_a_day() -> None:
    pace = Pace(1)
    pace.wait_ms(0, 0)
    assert pace.wait_ms(100 * DAY_MS, 10) == 0
    assert pace.wait_ms(1_000, 20) == 0
    assert pace.wait_ms(2_000, 20) == pytest.approx(1_000)


async def test_a_paced_replay_takes_as_long_as_its_events_did(tmp_path: Path) -> None:
    times = ["2024-01-01T08:00:00Z", "2024-01-01T08:00:09+00:00", "2024-01-01T08:00:03Z", "never"]
    lines = b"\n".join(event(number, time=moment) for number, moment in enumerate(times))
    started = time.monotonic()
    memory, _ = await replayed(lines, tmp_path, speed=60.0)
    assert 0.15 <= time.monotonic() - started < 2
    assert len(memory.events) == 4


def test_a_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        open_events(str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        open_events(str(tmp_path))


def test_a_kafka_that_is_not_there_is_told_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, unused_tcp_port: int
) -> None:
    with pytest.raises(UsageError, match=f"no Kafka answers at 127.0.0.1:{unused_tcp_port}"):
        run_replay(str(tmp_path / "x"), Kafka(f"127.0.0.1:{unused_tcp_port}"))
    assert not caplog.records


def test_lines_are_counted_from_one() -> None:
    with pytest.raises(UsageError, match="counted from 1"):
        run_replay("x", Kafka("127.0.0.1:1"), from_line=0)


@pytest.mark.parametrize(
    # The values of the Java client's own test, org.apache.kafka.common.utils.UtilsTest.
    ("key", "murmur2"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)],
)
def test_keys_are_hashed_as_the_java_client_does(key: bytes, murmur2: int) -> None:
    assert sender_module._hash(key) == murmur2 & 0x7FFFFFFF
