"""Fixtures that tests of every kind share: a real Kafka and a real Redis, started when first asked for."""

import uuid
from collections.abc import Iterator

import pytest

from tests.harness.kafka import KafkaCluster
from tests.harness.redis import RedisServer


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Apache Kafka with one broker, for the whole session. A test that kills it starts it again."""
    cluster = KafkaCluster(tmp_path_factory.mktemp("kafka"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Redis with an append-only file, for the whole session. A test that kills it starts it again."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of an empty Redis."""
    redis_server.flush()
    return redis_server.url


@pytest.fixture
def unique() -> str:
    """A name that no other test has, for topics, groups and key prefixes."""
    return f"test-{uuid.uuid4().hex[:12]}"
