"""The peer: a loop written by hand, the practical limit of the client: whole fetches, one pipeline to Redis for each.

python -m bench.peers.aiokafka_loop KAFKA REDIS_URL TOPIC GROUP
"""

import asyncio
import sys

import orjson  # type: ignore[import-not-found]  # in the peer's own environment
from aiokafka import AIOKafkaConsumer
from redis.asyncio import Redis

from bench.peers.counting import Counting, fill


async def main(kafka: str, redis_url: str, topic: str, group: str) -> None:
    """Count until ended."""
    redis, counting = Redis.from_url(redis_url), Counting()
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, group_id=group, auto_offset_reset="earliest")
    await consumer.start()
    while True:
        for records in (await consumer.getmany(timeout_ms=200, max_records=5_000)).values():
            for record in records:
                counting.add(orjson.loads(record.value))
        pipeline = redis.pipeline(transaction=False)
        fill(pipeline, counting)
        await pipeline.execute()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
