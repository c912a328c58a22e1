"""Who counted right: what callwatch and each peer left in Redis, beside the oracle's answer."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from redis import Redis

from agents.store.keys import Keys, numbers
from agents.store.packed import merged_rows
from bench.load import Message
from streams.measures import Measure
from tests import oracle

#: (number of the 10 s bucket, queue, name) -> amount
Counts = Counter[tuple[int, str, str]]

BUCKET_MS: Final = 10_000
MEASURES: Final = {
    "offered": Measure.OFFERED,
    "answered": Measure.ANSWERED,
    "answered_within_target": Measure.ANSWERED_WITHIN_TARGET,
    "abandoned": Measure.ABANDONED,
    "handled": Measure.HANDLED,
    "wait_answered_ms": Measure.WAIT_ANSWERED_MS,
    "wait_abandoned_ms": Measure.WAIT_ABANDONED_MS,
    "talk_ms": Measure.TALK_MS,
}


def right(messages: Iterable[Message]) -> Counts:
    """Return the oracle's answer."""
    events = [msgspec.json.decode(message.value) for message in messages]
    counts: Counts = Counter()
    # As if nobody were lost yet: no peer knows how.
    for (at, queue, _), row in oracle.table(events, 0, interval=BUCKET_MS).items():
        counts.update({(at // BUCKET_MS, queue, name): amount for name, amount in row.items() if name in MEASURES})
    return counts


def of_callwatch(redis: Redis, partitions: int) -> Counts:
    """Return what the worker counted."""
    counts: Counts = Counter()
    for keys in (Keys(f"calls/{number}") for number in range(partitions)):
        members: Any = redis.smembers(keys.buckets)
        for bucket in numbers(members, "f"):
            loose: list[Any] = [part for pair in redis.hgetall(keys.bucket(f"f{bucket}")).items() for part in pair]
            packed: Any = redis.get(keys.packed(f"f{bucket}"))
            for (queue, _), row in merged_rows(loose, packed).items():
                named = {(bucket, queue, name): row.get(measure, 0) for name, measure in MEASURES.items()}
                counts.update({key: amount for key, amount in named.items() if amount})
    return counts


def of_peer(redis: Redis) -> Counts:
    """Return what a peer counted."""
    counts: Counts = Counter()
    for key in redis.scan_iter("bucket:*", count=1_000):
        _, number, queue = bytes(key).decode().split(":", 2)
        found: dict[Any, Any] = redis.hgetall(key)
        counts.update({(int(number), queue, name.decode()): int(n) for name, n in found.items() if int(n)})
    return counts


def verdict(found: Counts, expected: Counts) -> str:
    """Say in a few words whether the counts are the oracle's."""
    wrong = {key for key in {*found, *expected} if found[key] != expected[key]}
    return "as the oracle" if not wrong else f"WRONG in {len(wrong)} of {len(expected)} counts"
