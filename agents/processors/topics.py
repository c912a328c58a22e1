"""The topics in Kafka: made where they are missing, left alone where they are not."""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError

from agents.processors.asking import BOOTSTRAP_MS, asking
from agents.processors.worker import LARGEST_LETTER, topic_name
from streams import events as ev

#: The broker stamps what it appends: what is too far ahead of now is then the same for whoever reads it again.
EVENTS_CONFIG: Final = {"message.timestamp.type": "LogAppendTime"}

#: A letter written again under its key replaces the first; a letter is its record and a few headers.
LETTERS_CONFIG: Final = {"cleanup.policy": "compact,delete", "max.message.bytes": str(LARGEST_LETTER)}

#: With more copies than this one of them may be missing when an event is acknowledged.
SPARE: Final = 2

log = structlog.get_logger()


def make_topics(
    brokers: str, prefix: str, partitions: int, replication: int, security: Mapping[str, Any]
) -> dict[str, int]:
    """Make the topics that are missing; return the number of partitions of each, by name.

    Raise UsageError where Kafka does not answer or refuses.
    """
    names = {topic_name(prefix, topic): EVENTS_CONFIG for topic in (*ev.TOPICS, *ev.INTERNAL_TOPICS)}
    names[topic_name(prefix, ev.DEAD_LETTERS)] = LETTERS_CONFIG
    # What was acknowledged is in all copies but one, and one broker may be away.
    durable = {"min.insync.replicas": str(replication - 1)} if replication > SPARE else {}
    with asking(brokers):
        client = KafkaAdminClient(
            bootstrap_servers=brokers.split(","),
            bootstrap_timeout_ms=BOOTSTRAP_MS,
            request_timeout_ms=10_000,
            **security,
        )
        try:
            there = sorted(set(names) & set(client.list_topics()))
            # Those that are made are not asked for: the brokers learn of them only by and by.
            for name in sorted(set(names) - set(there)):
                _make(client, NewTopic(name, partitions, replication, topic_configs={**names[name], **durable}))
            described = client.describe_topics(there) if there else []
            # One that somebody else has just made has none as far as this broker knows.
            found = {topic["name"]: len(topic["partitions"]) for topic in described if topic["partitions"]}
        finally:
            client.close()
    for name, number in found.items():
        if number < partitions and name != topic_name(prefix, ev.DEAD_LETTERS):
            advice = "as many workers can share it; adding partitions moves contacts: see docs/reliability.md"
            log.warning(
                "a topic has fewer partitions than set", topic=name, found=number, set=partitions, advice=advice
            )
    return dict.fromkeys(names, partitions) | found


def _make(client: KafkaAdminClient, topic: NewTopic) -> None:
    try:
        client.create_topics([topic])
    except TopicAlreadyExistsError:
        return  # somebody else was quicker
