"""The peer: plain Faust, one event at a time, as its tutorial leads to.

python -m bench.peers.plain_faust KAFKA REDIS_URL TOPIC GROUP
"""

import json
import sys
from typing import Any

from faust.types import StreamT
from redis.asyncio import Redis

from bench.peers.counting import Counting, fill
from bench.peers.faust_app import run


def main(kafka: str, redis_url: str, topic: str, group: str) -> None:
    """Count until ended."""
    redis, counting = Redis.from_url(redis_url), Counting()

    async def count(stream: StreamT[Any]) -> None:
        async for value in stream:
            counting.add(json.loads(value))
            pipeline = redis.pipeline(transaction=False)
            fill(pipeline, counting)
            await pipeline.execute()

    run(kafka, topic, group, count)


if __name__ == "__main__":
    main(*sys.argv[1:5])
