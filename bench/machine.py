"""The machine: who runs on which core, and the time and memory that a process took."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.harness.processes import descendants

_CORES: Final = sorted(os.sched_getaffinity(0))
#: What is measured has this core; Kafka, Redis and the bench have the other.
WORKER_CORE: Final = _CORES[-1]
SERVERS_CORE: Final = _CORES[0]
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def pin(pid: int, *cores: int) -> None:
    """Bind a process, all its threads and all its children to ``cores``."""
    for process in {pid, *descendants(pid)}:
        for thread in Path(f"/proc/{process}/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), cores)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, that a process and its children have taken."""
    total = 0
    for process in {pid, *descendants(pid)}:
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def resident_mib(pid: int) -> float:
    """Return the memory that a process and its children hold now, in MiB."""
    total = 0
    for process in {pid, *descendants(pid)}:
        with suppress(FileNotFoundError, ProcessLookupError):
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return total / 1024
