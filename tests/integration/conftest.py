"""Fixtures that several integration tests share: an authority, and a Kafka that asks who is there."""

from collections.abc import Iterator

import pytest

from tests.integration.certificates import Authority
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
