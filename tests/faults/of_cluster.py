"""What befalls a Redis Cluster: its masters die, and their replicas take over."""

import time

from tests.faults.faults import Chance, fault
from tests.faults.site import Site
from tests.harness.pipeline import wait_until
from tests.harness.redis_cluster import part_of


@fault("a master of the Redis Cluster is killed and started again", cluster=True)
def master_killed(site: Site, chance: Chance) -> None:
    """SIGKILL; it is back, with its append-only file, before it is given up."""
    master = chance.rng.choice(site.cluster.leaders())
    master.kill()
    chance.sleep(0.5, 1.0)
    master.start()
    site.healed = time.monotonic()
    site.cluster.wait_whole()


@fault("a master of the Redis Cluster is lost and its replica takes over", cluster=True)
def master_lost(site: Site, chance: Chance) -> None:
    """SIGKILL; the others give it up after 2 s; when it comes back it is a replica."""
    master = chance.rng.choice(site.cluster.leaders())
    master.kill()
    others = [node for node in site.cluster.nodes if node is not master]
    wait_until(lambda: [part_of(node) for node in others].count("master") == 3, 30, "a replica takes over")
    site.healed = time.monotonic()
    master.start()
    site.cluster.wait_whole()
