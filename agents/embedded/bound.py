"""Run a command that ends with its parent: ``python bound.py PARENT COMMAND...``.

Linux kills a process whose parent died if the process asked for it, and the wish survives an exec. Asking here,
in a fresh interpreter, keeps Python code out of the moment between fork and exec of a threaded parent, where a
lock that another thread held stays locked for ever. Elsewhere than on Linux the command simply runs.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Become ``command``, which the kernel kills as soon as ``parent``, the process that started this one, dies."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        # The parent may have died before the wish was made: then nobody is left to grant it.
        if os.getppid() != parent:
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606  # no shell, and the command is the caller's


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
