"""``callwatch dead-letters`` on a real Kafka: lists, filters, sends again."""

import os
import subprocess
import sys

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from agents.processors.letters import read_letters, resend
from config.errors import UsageError
from tests.harness.kafka import KafkaCluster

pytestmark = pytest.mark.integration

PLAIN = {"security_protocol": "PLAINTEXT"}
#: place, reason, key, value
LETTERS = (
    ("{0}.calls/3/17", "not_json", b"c1", b"{ oops \xff"),
    ("{0}.calls/0/5", "empty", b"c2", None),
    ("{0}.chats/1/9", "not_json", None, b"[]" * 700_000),
)


@pytest.fixture
def prefix(kafka: KafkaCluster, unique: str) -> str:
    """A prefix whose topics exist, with three letters."""
    for topic in ("calls", "chats", "dead-letters"):
        kafka.create_topic(f"{unique}.{topic}", partitions=2)
    producer = KafkaProducer(bootstrap_servers=kafka.address, max_request_size=4_000_000)
    try:
        for place, reason, key, value in LETTERS:
            own_key = [] if key is None else [("key", key)]
            headers = [("reason", reason.encode()), ("error", b"what is wrong"), *own_key]
            headers += [("value", b"none")] if value is None else []
            producer.send(f"{unique}.dead-letters", value or b"", place.format(unique).encode(), headers).get(
                timeout=30
            )
    finally:
        producer.close()
    return unique


def dead_letters(kafka: KafkaCluster, prefix: str, *arguments: str) -> list[str]:
    listed = subprocess.run(
        [sys.executable, "-m", "agents.cli", "dead-letters", "--kafka", kafka.address, *arguments],
        env={**os.environ, "CALLWATCH_TOPIC_PREFIX": prefix},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert listed.stderr == ""
    return sorted(listed.stdout.splitlines())


def records_of(kafka: KafkaCluster, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    consumer = KafkaConsumer(bootstrap_servers=kafka.address, enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in range(2)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends, found = consumer.end_offsets(partitions), []
        while any(consumer.position(tp) < ends[tp] for tp in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found += [(record.key, record.value) for record in records]
        return found
    finally:
        consumer.close()


def write(kafka: KafkaCluster, topic: str, key: str, headers: list[tuple[str, bytes]]) -> None:
    """Write a letter without a value."""
    producer = KafkaProducer(bootstrap_servers=kafka.address)
    try:
        producer.send(topic, b"", key.encode(), headers).get(timeout=30)
    finally:
        producer.close()


def test_all_letters_are_listed_with_place_reason_and_error(kafka: KafkaCluster, prefix: str) -> None:
    assert dead_letters(kafka, prefix) == [
        f"{prefix}.calls/0/5  empty (the message has no value): what is wrong",
        f"{prefix}.calls/3/17  not_json (not JSON in UTF-8): what is wrong",
        f"{prefix}.chats/1/9  not_json (not JSON in UTF-8): what is wrong",
    ]


def test_letters_are_chosen_by_reason_and_number(kafka: KafkaCluster, prefix: str) -> None:
    assert [line.split()[0] for line in dead_letters(kafka, prefix, "--reason", "empty")] == [f"{prefix}.calls/0/5"]
    assert len(dead_letters(kafka, prefix, "--limit", "2")) == 2
    assert dead_letters(kafka, prefix, "--reason", "settled") == []


def test_values_are_printed_only_when_asked_for(kafka: KafkaCluster, prefix: str) -> None:
    assert "oops" not in "".join(dead_letters(kafka, prefix))
    assert "    { oops \\xff" in dead_letters(kafka, prefix, "--with-value", "--reason", "not_json")


def test_letters_sent_again_arrive_as_they_first_came(kafka: KafkaCluster, prefix: str) -> None:
    assert dead_letters(kafka, prefix, "--resend") == ["sent 3 again"]
    assert sorted(records_of(kafka, f"{prefix}.calls")) == [(b"c1", b"{ oops \xff"), (b"c2", None)]
    assert records_of(kafka, f"{prefix}.chats") == [(None, b"[]" * 700_000)]


def test_a_letter_goes_back_to_the_partition_that_it_came_from_whatever_its_key(
    kafka: KafkaCluster, unique: str
) -> None:
    for topic in ("calls", "dead-letters"):
        kafka.create_topic(f"{unique}.{topic}", partitions=2)
    for number in range(6):
        place, key = f"{unique}.calls/1/{number}", b"contact %d" % number
        write(kafka, f"{unique}.dead-letters", place, [("reason", b"future"), ("key", key)])
    assert dead_letters(kafka, unique, "--resend") == ["sent 6 again"]
    consumer = KafkaConsumer(bootstrap_servers=kafka.address)
    try:
        assert consumer.end_offsets([TopicPartition(f"{unique}.calls", number) for number in range(2)]) == {
            TopicPartition(f"{unique}.calls", 0): 0,
            TopicPartition(f"{unique}.calls", 1): 6,
        }
    finally:
        consumer.close()


def test_a_letter_that_was_sent_again_is_neither_listed_nor_sent_once_more(kafka: KafkaCluster, prefix: str) -> None:
    assert dead_letters(kafka, prefix, "--resend", "--reason", "empty") == ["sent 1 again"]
    assert len(dead_letters(kafka, prefix)) == 2
    assert dead_letters(kafka, prefix, "--resend") == ["sent 2 again"]
    assert dead_letters(kafka, prefix, "--resend") == ["sent 0 again"]
    assert dead_letters(kafka, prefix) == []
    assert len(records_of(kafka, f"{prefix}.calls")) == 2


def test_a_letter_sent_again_and_written_anew_by_a_worker_that_reads_again_stays_done(
    kafka: KafkaCluster, prefix: str
) -> None:
    dead_letters(kafka, prefix, "--resend")
    write(kafka, f"{prefix}.dead-letters", f"{prefix}.calls/3/17", [("reason", b"not_json")])
    assert dead_letters(kafka, prefix) == []


def test_a_letter_written_twice_is_told_and_sent_once(kafka: KafkaCluster, prefix: str) -> None:
    for _ in range(3):
        write(kafka, f"{prefix}.dead-letters", f"{prefix}.calls/0/5", [("reason", b"empty"), ("value", b"none")])
    assert len(dead_letters(kafka, prefix)) == 3
    assert dead_letters(kafka, prefix, "--resend", "--reason", "empty") == ["sent 1 again"]


def test_a_letter_that_does_not_hold_its_message_is_listed_but_not_sent(kafka: KafkaCluster, prefix: str) -> None:
    write(kafka, f"{prefix}.dead-letters", f"{prefix}.calls/0/6", [("reason", b"too_large"), ("value", b"left out")])
    letters = list(read_letters(kafka.address, f"{prefix}.dead-letters", PLAIN, follow=False))
    (large,) = [letter for letter in letters if letter.reason == "too_large"]
    assert (large.complete, large.value) == (False, None)
    assert resend(kafka.address, [large], PLAIN) == 0
    assert records_of(kafka, f"{prefix}.calls") == []
    assert large in list(read_letters(kafka.address, f"{prefix}.dead-letters", PLAIN, follow=False))


def test_only_chosen_letters_are_sent_again(kafka: KafkaCluster, prefix: str) -> None:
    assert dead_letters(kafka, prefix, "--resend", "--reason", "empty") == ["sent 1 again"]
    assert records_of(kafka, f"{prefix}.calls") == [(b"c2", None)]


def test_a_letter_written_while_letters_are_read_waits_for_the_next_time(kafka: KafkaCluster, prefix: str) -> None:
    topic = f"{prefix}.dead-letters"
    letters = read_letters(kafka.address, topic, PLAIN, follow=False)
    first = next(letters)
    producer = KafkaProducer(bootstrap_servers=kafka.address)
    try:
        for number in range(4):
            producer.send(topic, b"again", b"x.calls/0/%d" % number).get(timeout=30)
    finally:
        producer.close()
    assert len([first, *letters]) == 3
    assert len(list(read_letters(kafka.address, topic, PLAIN, follow=False))) == 7


def test_followed_letters_come_as_they_are_written(kafka: KafkaCluster, prefix: str) -> None:
    topic = f"{prefix}.dead-letters"
    letters = read_letters(kafka.address, topic, PLAIN, follow=True)
    assert {next(letters).reason for _ in range(3)} == {"empty", "not_json"}
    producer = KafkaProducer(bootstrap_servers=kafka.address)
    try:
        producer.send(topic, b"new", b"x.calls/0/1").get(timeout=30)
    finally:
        producer.close()
    letter = next(letters)
    letters.close()  # type: ignore[attr-defined] # a generator
    assert (letter.place, letter.reason, letter.value) == ("x.calls/0/1", "?", b"new")


def test_a_topic_that_is_missing_is_said_with_what_to_do(kafka: KafkaCluster, unique: str) -> None:
    with pytest.raises(UsageError, match=rf"no topic {unique} at .*callwatch topics"):
        list(read_letters(kafka.address, unique, PLAIN, follow=False))
