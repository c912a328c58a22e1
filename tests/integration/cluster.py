"""A real Redis Cluster of three masters on loopback, each a process of its own."""

import time
from pathlib import Path
from typing import Any, Final

import redis

from agents.embedded.local import LOOPBACK
from tests.harness.redis import RedisServer
from tests.harness.server import free_port

SLOTS: Final = 16_384
MASTERS: Final = 3


class _Master(RedisServer):
    """One server in cluster mode; its bus has a port that nobody else was given."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        super().__init__(directory)
        self.bus = free_port()
        self._command = [*self._command, "--cluster-enabled", "yes", "--cluster-port", str(self.bus)]
        self._command += ["--cluster-node-timeout", "2000"]

    def do(self, *command: object) -> Any:
        """Run one command on this server alone."""
        with redis.Redis.from_url(f"redis://{LOOPBACK}:{self.port}") as client:
            return client.execute_command(*command)


class RedisCluster:
    """Three masters that share the slots; no replicas."""

    def __init__(self, directory: Path) -> None:
        self.masters = [_Master(directory / f"master-{number}") for number in range(MASTERS)]

    @property
    def url(self) -> str:
        """Return the address of the cluster, as callwatch takes it."""
        return f"redis-cluster://{LOOPBACK}:{self.masters[0].port}"

    def start(self) -> None:
        """Start the masters, give each its share of the slots, and wait until all know of all."""
        for master in self.masters:
            master.start()
        for number, master in enumerate(self.masters):
            first, last = SLOTS * number // MASTERS, SLOTS * (number + 1) // MASTERS - 1
            master.do("CLUSTER", "ADDSLOTSRANGE", first, last)
            master.do("CLUSTER", "MEET", LOOPBACK, self.masters[0].port, self.masters[0].bus)
        give_up = time.monotonic() + 30
        while not all(self._knows_all(master) for master in self.masters):
            assert time.monotonic() < give_up, "the cluster did not form within 30 s"
            time.sleep(0.1)

    @staticmethod
    def _knows_all(master: _Master) -> bool:
        info = master.do("CLUSTER", "INFO")
        text = info.decode() if isinstance(info, bytes) else "\n".join(f"{k}:{v}" for k, v in dict(info).items())
        return "cluster_state:ok" in text and f"cluster_size:{MASTERS}" in text

    def flush(self) -> None:
        """Empty all masters."""
        for master in self.masters:
            master.do("FLUSHALL")

    def names(self) -> set[str]:
        """Return the names of all keys."""
        return {key.decode() for master in self.masters for key in master.do("KEYS", "*")}

    def kill(self) -> None:
        """End all masters with SIGKILL."""
        for master in self.masters:
            master.kill()
