"""The peer: PyFlink, DataStream, one task: Kafka's connector in Java, the counting in Python, a pipeline to Redis.

Flink's Python runs inside its JVM (``thread`` mode), the faster of its two ways. Contacts are kept by the function
that counts, not in Flink's keyed state, which is slower.

    python -m bench.peers.flink KAFKA REDIS_URL TOPIC GROUP CONNECTOR_JAR
"""

import sys
from pathlib import Path
from threading import Lock, Thread
from time import sleep
from typing import Any

import orjson  # type: ignore[import-not-found]  # in the peer's own environment
from pyflink.common import Configuration, Types, WatermarkStrategy  # type: ignore[import-not-found]
from pyflink.common.serialization import SimpleStringSchema  # type: ignore[import-not-found]
from pyflink.datastream import StreamExecutionEnvironment  # type: ignore[import-not-found]
from pyflink.datastream.connectors.kafka import (  # type: ignore[import-not-found]
    KafkaOffsetsInitializer,
    KafkaSource,
)
from pyflink.datastream.functions import MapFunction  # type: ignore[import-not-found]
from redis import Redis

from bench.peers.counting import Counting, fill

FLUSH_EVENTS = 5_000
FLUSH_S = 0.1


class Count(MapFunction):  # type: ignore[misc]  # of an Any
    """Counts events and writes the sums, after so many and after so long."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url

    def open(self, _context: Any) -> None:
        """Connect to Redis."""
        self._redis, self._counting = Redis.from_url(self._redis_url), Counting()
        self._lock, self._since = Lock(), 0
        Thread(target=self._flush_now_and_then, daemon=True).start()

    def map(self, value: str) -> int:
        """Count one event."""
        with self._lock:
            self._counting.add(orjson.loads(value))
            self._since += 1
            if self._since >= FLUSH_EVENTS:
                self._flush()
        return 0

    def _flush(self) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        fill(pipeline, self._counting)
        pipeline.execute()
        self._since = 0

    def _flush_now_and_then(self) -> None:
        while True:
            sleep(FLUSH_S)
            with self._lock:
                if self._since:
                    self._flush()


def main(kafka: str, redis_url: str, topic: str, group: str, jar: str) -> None:
    """Count until ended."""
    settings = Configuration()
    settings.set_string("python.execution-mode", "thread")
    settings.set_string("python.executable", sys.executable)
    settings.set_string("pipeline.jars", Path(jar).as_uri())
    settings.set_string("parallelism.default", "1")
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(kafka)
        .set_topics(topic)
        .set_group_id(group)
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    environment = StreamExecutionEnvironment.get_execution_environment(settings)
    events = environment.from_source(source, WatermarkStrategy.no_watermarks(), "calls")
    counted = events.map(Count(redis_url), Types.INT())
    counted.filter(lambda number: number).print()
    environment.execute("bench")


if __name__ == "__main__":
    main(*sys.argv[1:6])
