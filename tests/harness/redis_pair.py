"""Two Redis servers, one of them a replica, behind an address that moves with a fail-over, and what befalls them."""

import resource
import subprocess
import time
from pathlib import Path
from typing import Any

import redis

from agents.embedded.local import LOOPBACK
from tests.harness.proxy import Proxy
from tests.harness.redis import RedisServer

READY_S = 30.0


class RedisNode(RedisServer):
    """A Redis that can run out of disk or of memory, lose the end of its file, and be another's replica."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        super().__init__(directory)
        self._command = [
            # A write beyond the limit on files fails as one on a full disk does, and must not end the server.
            *("env", "--ignore-signal=XFSZ"),
            *self._command,
            *("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--repl-timeout", "5"),
        ]
        #: What this one's replica reads through.
        self.link = Proxy(self.port)

    def start(self, within_s: float = READY_S) -> float:
        """Start; if Redis finds its append-only file damaged, mend it first, with the command that it names itself.

        Redis 7.0 damages it where a write falls short after it has been a replica: it pads the gap with zeros.
        """
        try:
            return super().start(within_s)
        except RuntimeError as refused:
            if "redis-check-aof" not in str(refused):
                raise
        (manifest,) = (self.directory / "appendonlydir").glob("*.manifest")
        subprocess.run(["redis-check-aof", "--fix", manifest], input=b"y\n", check=True, capture_output=True)
        return super().start(within_s)

    def do(self, *command: object) -> Any:
        """Run one command, past every proxy."""
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            return client.execute_command(*command)

    def info(self, section: str) -> dict[str, Any]:
        """Return a section of INFO."""
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            found: dict[str, Any] = client.info(section)
            return found

    def cut_file_short(self, size: int) -> int:
        """Take ``size`` bytes from the end of the append-only file of a dead server; return how many there were."""
        newest = max((self.directory / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
        length = newest.stat().st_size
        with newest.open("r+b") as file:
            file.truncate(max(0, length - size))
        return min(size, length)

    def fill_disk(self) -> None:
        """Let no file of this server grow any more."""
        grown = max(path.stat().st_size for path in (self.directory / "appendonlydir").iterdir())
        self._limit_files(grown)

    def free_disk(self) -> None:
        """Let files grow again."""
        self._limit_files(resource.RLIM_INFINITY)

    def fill_memory(self) -> None:
        """Let the server have no more memory than it has; what would take more is refused."""
        self.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
        self.do("CONFIG", "SET", "maxmemory", self.info("memory")["used_memory"] // 2)

    def free_memory(self) -> None:
        """Let the server have all memory again."""
        self.do("CONFIG", "SET", "maxmemory", 0)

    def replicate(self, other: "RedisNode") -> None:
        """Become the replica of ``other`` and wait until it follows."""
        self.do("REPLICAOF", LOOPBACK, other.link.port)
        give_up = time.monotonic() + READY_S
        while self.info("replication").get("master_link_status") != "up":
            assert time.monotonic() < give_up, "the replica does not follow"
            time.sleep(0.05)

    def _limit_files(self, size: int) -> None:
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, hard))


class RedisPair:
    """A primary and its replica. ``front`` is the address that clients have: it leads to the primary."""

    def __init__(self, directory: Path) -> None:
        self.primary, self.replica = (RedisNode(directory / f"redis-{number}") for number in (1, 2))
        self.front = Proxy(self.primary.port)

    @property
    def url(self) -> str:
        """Return the address that clients have."""
        return f"redis://{LOOPBACK}:{self.front.port}/0"

    @property
    def direct_url(self) -> str:
        """Return the primary's own address."""
        return self.primary.url

    def start(self) -> None:
        """Start both and wait until the replica follows."""
        self.primary.start()
        self.replica.start()
        self.replica.replicate(self.primary)

    def fail_over(self) -> None:
        """Kill the primary and put its replica in its place, with what it has."""
        self.primary.kill()
        self.replica.do("REPLICAOF", "NO", "ONE")
        self.primary.link.heal()
        self.primary, self.replica = self.replica, self.primary
        self.front.lead_to(self.primary.port)

    def bring_back(self) -> None:
        """Start the dead server as the replica of the one that took its place."""
        self.replica.start()
        self.replica.replicate(self.primary)

    def kill(self) -> None:
        """End both with SIGKILL."""
        self.primary.kill()
        self.replica.kill()
