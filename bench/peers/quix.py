"""The peer: Quix Streams, its batching sink counting and writing a checkpoint's events with one pipeline to Redis.

python -m bench.peers.quix KAFKA REDIS_URL TOPIC GROUP
"""

import sys
from typing import Any

from quixstreams import Application  # type: ignore[import-not-found]  # in the peer's own environment
from quixstreams.sinks import BatchingSink, SinkBatch  # type: ignore[import-not-found]
from redis import Redis

from bench.peers.counting import Counting, fill


class Counted(BatchingSink):  # type: ignore[misc]  # of an Any
    """Counts what a checkpoint holds of a partition, and writes the sums."""

    def __init__(self, redis: Any) -> None:
        super().__init__()
        self._redis = redis
        self._counting = Counting()

    def write(self, batch: SinkBatch) -> None:
        """Write a batch's sums."""
        for item in batch:
            self._counting.add(item.value)
        pipeline = self._redis.pipeline(transaction=False)
        fill(pipeline, self._counting)
        pipeline.execute()


def main(kafka: str, redis_url: str, topic: str, group: str) -> None:
    """Count until ended."""
    app = Application(
        broker_address=kafka,
        consumer_group=group,
        auto_offset_reset="earliest",
        commit_every=5_000,
        commit_interval=0.2,
        auto_create_topics=False,
        loglevel="ERROR",
    )
    app.dataframe(app.topic(topic, value_deserializer="json")).sink(Counted(Redis.from_url(redis_url)))
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:5])
