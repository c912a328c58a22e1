"""Which processes are there: what a parent started, and whether it has ended. Linux only, as the tests are."""

import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def descendants(pid: int) -> set[int]:
    """Return the ids of all processes that ``pid`` and its children have started and that still run."""
    found: set[int] = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                found |= {child, *descendants(child)}
    return found


def is_running(pid: int) -> bool:
    """Tell whether ``pid`` runs; one that has ended and only waits for its parent to notice does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in {"Z", "X"}
    return False


def ignores(pid: int, number: signal.Signals) -> bool:
    """Tell whether ``pid`` has asked the kernel not to hear ``number``."""
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return bool(int(fields.get("SigIgn", "0"), 16) >> (number - 1) & 1)
    return False


def still_running(pids: Iterable[int], within_s: float = 2.0) -> set[int]:
    """Return which of ``pids`` run on after ``within_s`` seconds; sooner when none does."""
    give_up = time.monotonic() + within_s
    left = set(pids)
    while left and time.monotonic() < give_up:
        time.sleep(0.02)
        left = {pid for pid in left if is_running(pid)}
    return left
