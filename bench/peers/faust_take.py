"""The peer: Faust with ``take``: up to 1,000 events at once, one pipeline of sums to Redis for all of them.

python -m bench.peers.faust_take KAFKA REDIS_URL TOPIC GROUP
"""

import sys
from typing import Any

import orjson  # type: ignore[import-not-found]  # in the peer's own environment
from faust.types import StreamT
from redis.asyncio import Redis

from bench.peers.counting import Counting, fill
from bench.peers.faust_app import run


def main(kafka: str, redis_url: str, topic: str, group: str) -> None:
    """Count until ended."""
    redis, counting = Redis.from_url(redis_url), Counting()

    async def count(stream: StreamT[Any]) -> None:
        async for values in stream.take(1000, within=0.1):
            for value in values:
                counting.add(orjson.loads(value))
            pipeline = redis.pipeline(transaction=False)
            fill(pipeline, counting)
            await pipeline.execute()

    run(kafka, topic, group, count)


if __name__ == "__main__":
    main(*sys.argv[1:5])
