"""What this machine offers: free ports on loopback, and server binaries that Python packages carry."""

import asyncio
import errno
import os
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from config.errors import UsageError

LOOPBACK: Final = "127.0.0.1"


def require_free_port(port: int, flag: str) -> None:
    """Raise ``UsageError`` that names ``flag`` unless a server can listen on ``port``."""
    if port == 0:
        raise UsageError(f"{flag}: 0 means any port, and the others could not find it; give one from 1 to 65535")
    with socket.socket() as probe:
        # As servers do it: connections of an earlier run that still linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            why = "is in use; free it or" if in_use else f"cannot be used ({error.strerror});"
            raise UsageError(f"port {port} on {LOOPBACK} {why} give {flag}") from error


async def listens(port: int) -> bool:
    """Tell whether something on loopback accepts connections on ``port``."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True


def packaged_binary(package: str, pattern: str) -> Path | None:
    """Return the executable that matches ``pattern`` in an installed ``package``, which is not imported for it."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    found = (file for folder in folders or () for file in sorted(Path(folder).glob(pattern)))
    return next((file for file in found if os.access(file, os.X_OK)), None)
