"""Many command lines in one process: ``python -m tests.harness.commands``, cases in, what came of them out, as JSON.

Each runs in a fork of its own, which is far quicker than an interpreter for each, and as far from the others.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import NamedTuple

#: A command that has not ended by then hangs, in seconds.
LIMIT_S = 60
AT_ONCE = 12


class Ended(NamedTuple):
    """A command's exit code (negative: the signal that ended it) and what it wrote."""

    code: int
    out: str
    err: str


def run_all(cases: Sequence[Sequence[str]]) -> list[Ended]:
    """Run ``callwatch`` with each of ``cases``, its arguments, and no settings in the environment."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("CALLWATCH_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.harness.commands"],
        input=json.dumps(cases),
        env=others,
        capture_output=True,
        text=True,
        check=True,
        timeout=550,
    )
    return [Ended(*each) for each in json.loads(done.stdout)]


class _Child:
    """A command under way."""

    def __init__(self, arguments: list[str]) -> None:
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 -- closed at its end
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(self._out.fileno(), 1)
            os.dup2(self._err.fileno(), 2)
            _become(arguments)

    def end(self, status: int) -> Ended:
        """Return what came of it, its ``status`` as wait gave it."""
        written = []
        for file in (self._out, self._err):
            with file:
                file.seek(0)
                written.append(file.read().decode(errors="replace"))
        return Ended(os.waitstatus_to_exitcode(status), *written)


def _run(cases: list[list[str]]) -> list[Ended]:
    """Run all, some at a time, for most of them wait for somebody who does not answer."""
    done: dict[int, Ended] = {}
    under_way: dict[int, tuple[int, _Child]] = {}
    waiting = list(enumerate(cases))
    while waiting or under_way:
        while waiting and len(under_way) < AT_ONCE:
            number, arguments = waiting.pop()
            child = _Child(arguments)
            under_way[child.pid] = number, child
        pid, status = os.wait()
        number, child = under_way.pop(pid)
        done[number] = child.end(status)
    return [done[number] for number in range(len(cases))]


def _become(arguments: list[str]) -> None:
    """Be the command, to its end."""
    from agents.cli import main  # noqa: PLC0415 -- the one that counts the forks has no need of it

    signal.alarm(LIMIT_S)
    sys.argv = ["callwatch", *arguments]
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001 -- as the interpreter would
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    import agents.cli  # noqa: F401 -- loaded once, for all forks

    json.dump(_run(json.load(sys.stdin)), sys.stdout)
