"""A real Redis with an append-only file, in a folder of its own."""

import socket
from contextlib import suppress
from pathlib import Path

import redis

from agents.embedded.local import LOOPBACK
from agents.embedded.redis import server_command
from config.errors import UsageError
from tests.harness.server import Server, free_port, missing


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
    return False


class RedisServer(Server):
    """``redis-server``, or Valkey where there is none; every write is on disk within a second."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        try:
            command = server_command(self.port, directory, append_only=True)
        except UsageError as error:
            missing(str(error))
        super().__init__("redis", command, directory, lambda: _answers(self.port))

    @property
    def url(self) -> str:
        """Return the address of database 0."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def flush(self) -> None:
        """Empty all databases and the script cache."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()
            client.script_flush()
