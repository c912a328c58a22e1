"""``callwatch up`` as somebody runs it who has nothing else: it is live, and one signal ends all of it."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest

from agents.embedded.local import LOOPBACK
from tests.alerts.promtool import check_metrics
from tests.harness.pipeline import wait_until
from tests.harness.processes import descendants, still_running
from tests.harness.server import accepts, free_port

pytestmark = pytest.mark.integration

#: From the command to the wallboard, on a machine that does other things too.
UP_WITHIN_S = 120.0
END_WITHIN_S = 5.0


class CallwatchUp:
    """The command, its ports, and what it printed."""

    def __init__(self, *arguments: str) -> None:
        self.port, self.kafka_port, self.redis_port = free_port(), free_port(), free_port()
        ports = ("--port", self.port, "--kafka-port", self.kafka_port, "--redis-port", self.redis_port)
        self._arguments = (*map(str, ports), *arguments)
        self._process: subprocess.Popen[str] | None = None
        self.family: set[int] = set()

    @property
    def process(self) -> subprocess.Popen[str]:
        """Return the running command."""
        assert self._process is not None
        return self._process

    def start(self) -> str:
        """Run until it says that it is up; return what it has said."""
        self._process = _callwatch_up(self._arguments)
        assert self._process.stdout is not None
        give_up = threading.Timer(UP_WITHIN_S, self._process.kill)
        give_up.start()
        said = ""
        for line in self._process.stdout:
            said += line
            if line.startswith("Ctrl-C"):
                break
        give_up.cancel()
        assert "Ctrl-C" in said, said + (self._process.stderr.read() if self._process.stderr else "")
        self.family = descendants(self._process.pid)
        return said

    def end(self, number: signal.Signals) -> float:
        """Send one signal; return the seconds until the command had ended."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - began

    def kill(self) -> None:
        """End whatever is left."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def text(self, path: str) -> str:
        """Return what the board answers."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def get(self, path: str) -> Any:
        """Return what the board answers, as JSON."""
        return msgspec.json.decode(self.text(path))

    def totals(self, path: str = "/api/v1/queues?window=1h") -> Any:
        """Return the row of all queues."""
        return self.get(path)["rows"][-1]


def _callwatch_up(arguments: Sequence[str]) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CALLWATCH_")}
    return subprocess.Popen(
        [sys.executable, "-m", "agents.cli", "up", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


@pytest.fixture
def callwatch() -> Iterator[CallwatchUp]:
    command = CallwatchUp()
    yield command
    command.kill()


def ended_cleanly(callwatch: CallwatchUp) -> None:
    assert still_running(callwatch.family) == set()
    assert not [port for port in (callwatch.port, callwatch.kafka_port, callwatch.redis_port) if accepts(port)]


def channels(callwatch: CallwatchUp) -> set[str | None]:
    return {row["channel"] for row in callwatch.get("/api/v1/queues")["rows"]}


def test_a_live_call_center_is_on_the_wallboard_and_ctrl_c_ends_it_all(callwatch: CallwatchUp) -> None:
    said = callwatch.start()
    assert f"http://127.0.0.1:{callwatch.port}/" in said
    # As pasted they make other commands find what runs here.
    assert f"\n  export CALLWATCH_KAFKA=127.0.0.1:{callwatch.kafka_port}\n" in said
    assert f"\n  export CALLWATCH_REDIS=redis://127.0.0.1:{callwatch.redis_port}/0\n" in said
    assert 'id="board"' in callwatch.text("/")
    # The simulator first sends the quarter of an hour that has just passed.
    wait_until(lambda: callwatch.totals()["offered"] > 50, 60, "contacts of the quarter of an hour before")
    before = callwatch.totals("/api/v1/queues?window=today")["offered"]
    wait_until(lambda: callwatch.totals("/api/v1/queues?window=today")["offered"] > before, 60, "contacts that move")
    wait_until(lambda: not callwatch.get("/api/v1/queues")["pipeline"]["stale"], 30, "fresh figures")
    wait_until(lambda: channels(callwatch) >= {"voice", "chat", None}, 30, "calls and chats")
    assert sum(callwatch.get("/api/v1/agents")["states"].values()) > 0
    exposition = callwatch.text("/metrics")
    assert check_metrics(exposition) == ""
    assert "callcenter_contacts_offered_total{" in exposition
    assert "\ncallwatch_up 1.0" in exposition
    # Wallboards that are connected do not hold it up.
    listening = [urllib.request.urlopen(f"http://{LOOPBACK}:{callwatch.port}/api/v1/stream") for _ in range(3)]
    assert callwatch.end(signal.SIGINT) < END_WITHIN_S
    assert callwatch.process.returncode == 0
    for stream in listening:
        stream.close()
    ended_cleanly(callwatch)
    assert callwatch.process.stderr is not None
    assert callwatch.process.stderr.read() == ""


def test_sigterm_ends_everything_too(callwatch: CallwatchUp) -> None:
    callwatch.start()
    assert callwatch.end(signal.SIGTERM) < END_WITHIN_S
    assert callwatch.process.returncode == 0
    ended_cleanly(callwatch)


@pytest.mark.parametrize("flag", ["--port", "--kafka-port", "--redis-port"])
def test_a_port_in_use_is_one_line_and_exit_code_2(flag: str) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        arguments = {name: str(free_port()) for name in ("--port", "--kafka-port", "--redis-port")} | {flag: str(port)}
        process = _callwatch_up([part for pair in arguments.items() for part in pair])
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 2
    assert complaint.count("\n") == 1
    assert complaint.startswith("callwatch: ")
    assert str(port) in complaint
    assert flag in complaint


def test_a_file_of_queues_that_is_not_there_is_one_line_and_exit_code_2() -> None:
    process = _callwatch_up(["--queues", "nowhere.yaml", "--port", str(free_port())])
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 2
    assert complaint.count("\n") == 1
    assert "nowhere.yaml" in complaint
