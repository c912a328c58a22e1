"""The topics in Kafka: made where they are missing, left alone where they are not."""

from collections.abc import Mapping
from typing import Any, Final

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from agents.processors.worker import LARGEST_LETTER, topic_name
from config.errors import UsageError
from streams import events as ev

#: The broker stamps what it appends: what is too far ahead of now is then the same for whoever reads it again.
EVENTS_CONFIG: Final = {"message.timestamp.type": "LogAppendTime"}

#: A letter written again under its key replaces the first; a letter is its record and a few headers.
LETTERS_CONFIG: Final = {"cleanup.policy": "compact,delete", "max.message.bytes": str(LARGEST_LETTER)}


def make_topics(
    brokers: str, prefix: str, partitions: int, replication: int, security: Mapping[str, Any]
) -> dict[str, int]:
    """Make the topics that are missing; return the number of partitions of each, by name.

    Raise UsageError where Kafka does not answer or refuses.
    """
    names = {topic_name(prefix, topic): EVENTS_CONFIG for topic in ev.TOPICS}
    names[topic_name(prefix, ev.DEAD_LETTERS)] = LETTERS_CONFIG
    try:
        client = KafkaAdminClient(bootstrap_servers=brokers.split(","), request_timeout_ms=10_000, **security)
        try:
            for name in sorted(set(names) - set(client.list_topics())):
                _make(client, NewTopic(name, partitions, replication, topic_configs=names[name]))
            return {topic["name"]: len(topic["partitions"]) for topic in client.describe_topics(sorted(names))}
        finally:
            client.close()
    except (KafkaError, OSError) as error:
        raise UsageError(
            f"Kafka at {brokers} did not make the topics: {str(error) or type(error).__name__}; "
            "is it running, and is the address right (--kafka)?"
        ) from error


def _make(client: KafkaAdminClient, topic: NewTopic) -> None:
    try:
        client.create_topics([topic])
    except TopicAlreadyExistsError:
        return  # somebody else was quicker
