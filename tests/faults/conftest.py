"""The sites that the tests of faults share: what one test leaves behind, the next begins with.

They end with their module: brokers, workers and boards that nobody asks any more would slow all that follows.
"""

from collections.abc import Iterator

import pytest

from tests.faults.scenario import Chance, run
from tests.faults.site import Site
from tests.harness.kafka import KafkaCluster
from tests.harness.redis_cluster import ReplicatedCluster
from tests.harness.redis_pair import RedisPair

SEED = 3


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Three brokers, each behind a proxy."""
    kafka = KafkaCluster(tmp_path_factory.mktemp("brokers"), brokers=3, proxied=True)
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.kill()


@pytest.fixture(scope="module")
def site(brokers: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A Redis with a replica, three workers, a board."""
    directory = tmp_path_factory.mktemp("pair")
    yield from lasting(Site(brokers, RedisPair(directory), "faults-pair", directory / "site", SEED))


@pytest.fixture(scope="module")
def clustered(brokers: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A Redis Cluster with replicas, three workers, a board."""
    directory = tmp_path_factory.mktemp("cluster")
    yield from lasting(Site(brokers, ReplicatedCluster(directory), "faults-cluster", directory / "site", SEED))


def lasting(site: Site) -> Iterator[Site]:
    """Give ``site`` once it has proven itself in a round without faults; somebody looks at its board from then on."""
    try:
        site.store.start()
        site.start()
        run(site, [], Chance(str(SEED), brief=True), contacts=60)
        site.watch.start()
        yield site
    finally:
        site.stop()
        site.store.kill()
