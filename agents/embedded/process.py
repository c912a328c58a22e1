"""A child process that is known to be ready, says why it failed, and never outlives its parent."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

#: Seconds between two looks at whether a process is ready.
POLL_S: Final = 0.05
#: How much of the end of a log is read for its last lines.
TAIL_BYTES: Final = 16_384

_BOUND: Final = Path(__file__).with_name("bound.py")


class ProcessFailedError(Exception):
    """A child process ended by itself or did not become ready; the message has its last lines."""


def bound(command: Sequence[str]) -> list[str]:
    """Return ``command`` wrapped so that the kernel kills it when the thread that starts it, or this process, dies."""
    return [sys.executable, "-I", "-S", str(_BOUND), str(os.getpid()), *command]


def tail(log: Path, lines: int = 12) -> str:
    """Return the last ``lines`` lines of ``log``, indented, or a note that it is empty."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        last = file.read().decode(errors="replace").strip().splitlines()[-lines:]
    return "\n".join(f"    {line}" for line in last) or "    (it wrote nothing)"


class Process:
    """A running child in a session of its own, so that a terminal's Ctrl-C reaches its parent only.

    Make one with ``start``. ``name`` is what messages call it; its output goes to ``log``.
    """

    def __init__(self, name: str, log: Path, child: asyncio.subprocess.Process, stop_signal: signal.Signals) -> None:
        self.name = name
        self.log = log
        self.pid = child.pid
        self._child = child
        self._stop_signal = stop_signal

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> "Process":
        """Start ``command`` with its output in ``log``.

        ``env`` and ``cwd`` replace this process's own; ``stop_signal`` is what ends the command in good order.
        """
        with log.open("ab") as output:
            child = await asyncio.create_subprocess_exec(
                *bound(command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        return cls(name, log, child, stop_signal)

    @property
    def running(self) -> bool:
        """Tell whether the child has not ended yet."""
        return self._child.returncode is None

    def failure(self) -> ProcessFailedError:
        """Return what to say about a child that ended by itself: how, and its last lines."""
        code = self._child.returncode
        how = f"exit code {code}" if code is None or code >= 0 else f"killed by {signal.Signals(-code).name}"
        return ProcessFailedError(f"{self.name} ended by itself ({how}); its last lines:\n{tail(self.log)}")

    async def wait(self) -> int:
        """Wait for the end; return the exit code, negative for the signal that killed it."""
        return await self._child.wait()

    async def wait_ready(self, probe: Callable[[], Awaitable[bool]], timeout: float) -> None:  # noqa: ASYNC109  # its end has a message of its own
        """Wait until ``probe`` answers true; raise ``ProcessFailedError`` after ``timeout`` seconds or an early end."""
        clock = asyncio.get_running_loop()
        give_up = clock.time() + timeout
        while True:
            ready = await probe()
            # Looked at second: on a port that somebody else holds, somebody else answers.
            if not self.running:
                raise self.failure()
            if ready:
                return
            if clock.time() > give_up:
                raise ProcessFailedError(
                    f"{self.name} did not get ready within {timeout:g} s; its last lines:\n{tail(self.log)}"
                )
            await asyncio.sleep(POLL_S)

    async def stop(self, grace: float) -> int:
        """Ask the child to end, kill its whole group after ``grace`` seconds, return its exit code."""
        with suppress(ProcessLookupError):
            self._child.send_signal(self._stop_signal)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._child.wait(), grace)
        # Also after an end in good order: what the child itself started goes with it.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return await self._child.wait()
