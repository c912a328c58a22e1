"""A Redis Cluster of three masters, each with a replica that takes its place when it dies."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import redis

from agents.embedded.local import LOOPBACK
from tests.integration.cluster import MASTERS, RedisCluster, _Master

FORMS_S: Final = 30.0


class ReplicatedCluster(RedisCluster):
    """Three masters that share the slots, three replicas."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.replicas = [_Master(directory / f"replica-{number}") for number in range(MASTERS)]

    @property
    def nodes(self) -> list[_Master]:
        """All servers, whatever their part is at the moment."""
        return [*self.masters, *self.replicas]

    @property
    def direct_url(self) -> str:
        """Return the address of the cluster by a node that is there."""
        alive = next(node for node in self.nodes if part_of(node) is not None)
        return f"redis-cluster://{LOOPBACK}:{alive.port}"

    def start(self) -> None:
        """Start everything and wait until each master has its replica."""
        super().start()
        for master, replica in zip(self.masters, self.replicas, strict=True):
            name = master.do("CLUSTER", "MYID").decode()
            replica.start()
            replica.do("CLUSTER", "MEET", LOOPBACK, self.masters[0].port, self.masters[0].bus)
            _wait(lambda name=name, replica=replica: _follows(replica, name), "a replica that follows")  # type: ignore[misc]
        self.wait_whole()

    def wait_whole(self) -> None:
        """Wait until all nodes are up, three of them masters and three replicas in step with theirs."""
        whole = ["master"] * MASTERS + ["replica"] * MASTERS
        _wait(lambda: sorted(str(part_of(node)) for node in self.nodes) == whole, "three masters, three replicas")

    def leaders(self) -> list[_Master]:
        """Return the nodes that are masters now."""
        return [node for node in self.nodes if part_of(node) == "master"]

    def kill(self) -> None:
        """End all nodes with SIGKILL."""
        for node in self.nodes:
            node.kill()


def part_of(node: _Master) -> str | None:
    """Return what a node is: a master, a replica (in step), or None where it is neither or does not answer."""
    with suppress(redis.RedisError), redis.Redis.from_url(node.url, socket_timeout=1) as client:
        found = client.info("replication")
        if found["role"] == "master":
            return "master"
        return "replica" if found["master_link_status"] == "up" else None
    return None


def _follows(replica: _Master, name: str) -> bool:
    with suppress(redis.ResponseError):  # it does not know the master yet
        replica.do("CLUSTER", "REPLICATE", name)
        return True
    return False


def _wait(true: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + FORMS_S
    while not true():
        assert time.monotonic() < give_up, f"not within {FORMS_S} s: {what}"
        time.sleep(0.1)
