"""Fixtures that several integration tests share: stores of each kind, an authority, a Kafka that asks who is there."""

from collections.abc import AsyncIterator, Iterator

import pytest

from agents.store.memory import MemoryStore
from agents.store.redis import RedisStore
from tests.integration.certificates import Authority
from tests.integration.cluster import RedisCluster
from tests.integration.commits import AnyStore
from tests.integration.secure_kafka import SecureKafka


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that signs what servers and clients have."""
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture(scope="session")
def locked_kafka(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecureKafka]:
    """A Kafka that asks who is there."""
    cluster = SecureKafka(tmp_path_factory.mktemp("locked-kafka"), authority)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """A Redis Cluster of three masters."""
    cluster = RedisCluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill()


@pytest.fixture(params=["memory", "redis", "cluster"])
def url(request: pytest.FixtureRequest) -> str | None:
    """The address of an empty Redis, or None for memory."""
    if request.param == "memory":
        return None
    if request.param == "redis":
        return str(request.getfixturevalue("redis_url"))
    cluster: RedisCluster = request.getfixturevalue("cluster")
    cluster.flush()
    return cluster.url


@pytest.fixture
async def store(url: str | None) -> AsyncIterator[AnyStore]:
    """A store in memory, in Redis, in a Redis Cluster."""
    store: AnyStore = MemoryStore() if url is None else RedisStore(url)
    yield store
    await store.close()
