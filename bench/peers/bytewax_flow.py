"""The peer: Bytewax, its Kafka source in batches of 1,000, one pipeline to Redis for each.

Contacts are kept in the step that counts, not in Bytewax's own keyed state, which knows one contact at a time and is
slower: all of a contact's events come through one worker here.

    python -m bench.peers.bytewax_flow KAFKA REDIS_URL TOPIC GROUP
"""

import sys
from typing import Any

import orjson  # type: ignore[import-not-found]  # in the peer's own environment
from bytewax import operators as op  # type: ignore[import-not-found]  # in the peer's own environment
from bytewax.connectors.kafka import KafkaSource  # type: ignore[import-not-found]
from bytewax.dataflow import Dataflow  # type: ignore[import-not-found]
from bytewax.outputs import DynamicSink, StatelessSinkPartition  # type: ignore[import-not-found]
from bytewax.testing import cluster_main  # type: ignore[import-not-found]
from redis import Redis

from bench.peers.counting import Counting, fill


class Written(StatelessSinkPartition):  # type: ignore[misc]  # of an Any
    """Writes the sums of what was counted."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    def write_batch(self, items: list[Counting]) -> None:
        """Write the sums of a batch; all items are the one counting."""
        pipeline = self._redis.pipeline(transaction=False)
        fill(pipeline, items[0])
        pipeline.execute()


class Sink(DynamicSink):  # type: ignore[misc]  # of an Any
    """Makes one such partition for each worker."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url

    def build(self, _step_id: str, _index: int, _count: int) -> Written:
        """Return a worker's partition."""
        return Written(Redis.from_url(self._redis_url))


def flow(kafka: str, redis_url: str, topic: str) -> Dataflow:
    """Return the dataflow."""
    counting = Counting()

    def count(batch: list[Any]) -> list[Counting]:
        for message in batch:
            counting.add(orjson.loads(message.value))
        return [counting] if batch else []

    made = Dataflow("bench")
    read = op.input("read", made, KafkaSource(kafka.split(","), [topic], batch_size=1_000))
    op.output("write", op.flat_map_batch("count", read, count), Sink(redis_url))
    return made


if __name__ == "__main__":
    cluster_main(flow(*sys.argv[1:4]), [], 0)
