"""A server of the tests' own: started, killed, paused, and never left running."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

from agents.embedded.local import LOOPBACK
from agents.embedded.process import bound, tail

# A bound child dies with the thread that started it, and a test may call start() from a thread of its own.
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
# Below the range from which the kernel takes ports for outgoing connections: a killed server gets its port back.
# Each of the two processes that share the tests has its own half.
_HALF = 20_000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 2 * 6_000
_PORTS = iter(range(_HALF + os.getpid() % 20 * 100, _HALF + 6_000))


def free_port() -> int:
    """Return a loopback port that nothing uses and that this run has not handed out before."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port is left to this run")


def accepts(port: int) -> bool:
    """Tell whether something on loopback accepts connections on ``port``."""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def missing(what: str) -> NoReturn:
    """Skip the test for want of ``what``; fail it on CI, where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}; CI must have it", pytrace=False)
    pytest.skip(what)


class Server:
    """One child process that can be killed and started again with the same command, on the same data."""

    def __init__(self, name: str, command: Sequence[str], directory: Path, ready: Callable[[], bool]) -> None:
        self.name = name
        self.directory = directory
        self.log = directory / f"{name}.log"
        self._command = command
        self._ready = ready
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id; the server must have been started."""
        assert self._child is not None
        return self._child.pid

    @property
    def ended(self) -> bool:
        """Tell whether the process, once started, has ended without being asked to."""
        return self._child is not None and self._child.poll() is not None

    def launch(self) -> None:
        """Start the process without waiting for it."""
        with self.log.open("ab") as output:
            self._child = _SPAWNER.submit(
                subprocess.Popen,
                bound(self._command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                start_new_session=True,
            ).result()

    def wait_ready(self, within_s: float = 60.0) -> float:
        """Wait until the server answers; return the seconds that took."""
        began = time.monotonic()
        assert self._child is not None
        while not self._ready():
            if self._child.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self._child.returncode}:\n{tail(self.log)}")
            if time.monotonic() - began > within_s:
                raise RuntimeError(f"{self.name} did not answer within {within_s:g} s:\n{tail(self.log)}")
            time.sleep(0.02)
        return time.monotonic() - began

    def start(self, within_s: float = 60.0) -> float:
        """Start the process and wait until it answers; return the seconds that took."""
        self.launch()
        return self.wait_ready(within_s)

    def kill(self) -> None:
        """End the process with SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the process in good order, or by SIGKILL after 10 s."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Freeze the process: its connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        child = self._child
        if child is None:
            return
        child.send_signal(number)
        child.send_signal(signal.SIGCONT)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._child = None
