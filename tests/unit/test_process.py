"""A child process: when it is ready, what is said when it fails, and that nothing of it is left."""

import signal
import sys
import time
from pathlib import Path

import pytest

from agents.embedded.local import LOOPBACK, listens
from agents.embedded.process import Process, ProcessFailedError
from tests.harness.children import FAILING, PARENT, SLEEPER, STUBBORN
from tests.harness.processes import descendants, ignores, still_running
from tests.harness.server import free_port


async def always() -> bool:
    return True


async def never() -> bool:
    return False


async def test_ready_is_when_the_probe_says_so(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", LOOPBACK, str(port)]
    process = await Process.start("server", command, log=tmp_path / "log")
    await process.wait_ready(lambda: listens(port), 10)
    assert process.running
    assert await process.stop(grace=2) == -signal.SIGTERM
    assert not process.running


async def test_a_child_that_ends_early_is_told_with_its_last_lines(tmp_path: Path) -> None:
    process = await Process.start("worker", FAILING, log=tmp_path / "log")
    with pytest.raises(ProcessFailedError, match=r"worker ended by itself \(exit code 3\)[^$]*no such queue: sales"):
        await process.wait_ready(never, 10)


async def test_a_child_that_never_gets_ready_is_told_with_the_limit(tmp_path: Path) -> None:
    process = await Process.start("board", SLEEPER, log=tmp_path / "log")
    with pytest.raises(ProcessFailedError, match=r"board did not get ready within 0.2 s[^$]*wrote nothing"):
        await process.wait_ready(never, 0.2)
    await process.stop(grace=2)


async def test_somebody_elses_server_does_not_make_a_dead_child_ready(tmp_path: Path) -> None:
    process = await Process.start("kafka", ["false"], log=tmp_path / "log")
    await process.wait()
    with pytest.raises(ProcessFailedError, match="kafka ended by itself"):
        await process.wait_ready(always, 10)


async def test_a_child_deaf_to_the_signal_is_killed_after_the_grace(tmp_path: Path) -> None:
    process = await Process.start("stubborn", STUBBORN, log=tmp_path / "log")

    async def is_deaf() -> bool:
        return ignores(process.pid, signal.SIGTERM)

    await process.wait_ready(is_deaf, 10)
    began = time.monotonic()
    assert await process.stop(grace=0.3) == -signal.SIGKILL
    assert 0.3 <= time.monotonic() - began < 1.5


async def test_stop_ends_what_the_child_started_too(tmp_path: Path) -> None:
    process = await Process.start("parent", PARENT, log=tmp_path / "log")

    async def has_children() -> bool:
        return bool(descendants(process.pid))

    await process.wait_ready(has_children, 10)
    family = descendants(process.pid)
    await process.stop(grace=2)
    assert still_running(family) == set()


async def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    process = await Process.start("sleeper", SLEEPER, log=tmp_path / "log")
    first = await process.stop(grace=2)
    assert await process.stop(grace=2) == first
