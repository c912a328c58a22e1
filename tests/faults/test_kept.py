"""What an acknowledged event outlives: topics that are kept three times want it in two of them."""

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from agents.processors.topics import make_topics
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import wait_until

pytestmark = pytest.mark.integration

PLAINTEXT = {"security_protocol": "PLAINTEXT"}
NAME = "min.insync.replicas"


def set_on_topics(brokers: str, prefix: str) -> dict[str, str]:
    """Return how many copies each topic itself wants; those that leave it to the brokers are not in it."""
    admin = KafkaAdminClient(bootstrap_servers=brokers)
    try:
        topics = [name for name in admin.list_topics() if name.startswith(f"{prefix}.")]
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in topics])
    finally:
        admin.close()
    wanted = {name: configs.get(NAME, {}) for name, configs in found["topic"].items()}
    return {
        name: config["value"]
        for name, config in wanted.items()
        if config.get("config_source") == "DYNAMIC_TOPIC_CONFIG"
    }


@pytest.mark.parametrize(("replication", "wanted"), [(3, {"2"}), (2, set()), (1, set())])
def test_a_topic_kept_three_times_wants_an_event_in_two_before_it_is_acknowledged(
    brokers: KafkaCluster, unique: str, replication: int, wanted: set[str]
) -> None:
    made = make_topics(brokers.address, unique, 1, replication, PLAINTEXT)

    def as_wanted() -> bool:
        found = set_on_topics(brokers.address, unique)
        return set(found.values()) == wanted and len(found) in {0, len(made)}

    # A broker hears of a topic a moment after another has made it.
    wait_until(as_wanted, 10, f"topics that want {wanted or 'what the brokers do'}")
