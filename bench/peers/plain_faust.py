"""The peer: plain Faust, one event at a time, counts per queue and 10 s bucket by pipelined Redis increments.

What Faust's own tutorial leads to. It keeps open contacts in memory, so it forgets them at a restart, counts
what is delivered twice twice, and knows no order but the one of arrival.

    python -m bench.peers.plain_faust KAFKA REDIS_URL TOPIC GROUP
"""

import json
import sys
from datetime import datetime
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import faust
from faust.types import StreamT
from redis.asyncio import Redis


def make(kafka: str, redis_url: str, topic: str, group: str) -> faust.App:
    """Return the app."""
    app = faust.App(
        group,
        broker=f"kafka://{kafka}",
        value_serializer="raw",
        store="memory://",
        datadir=Path(gettempdir()) / "callwatch-bench-faust",
        web_enabled=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=10.0,
        broker_request_timeout=30.0,
    )
    events = app.topic(topic, value_serializer="raw")
    redis = Redis.from_url(redis_url)
    contacts: dict[str, dict[str, Any]] = {}

    async def count(stream: StreamT[Any]) -> None:
        async for value in stream:
            event = json.loads(value)
            at = datetime.fromisoformat(event["time"]).timestamp()
            found = counted(contacts, event, at)
            pipeline = redis.pipeline(transaction=False)
            for queue, name, amount in found:
                pipeline.hincrby(f"bucket:{int(at // 10)}:{queue}", name, amount)
            pipeline.incr("events")
            await pipeline.execute()

    app.agent(events, name=f"{group}.count")(count)
    return app


def counted(contacts: dict[str, dict[str, Any]], event: dict[str, Any], at: float) -> list[tuple[str, str, int]]:
    """Return (queue, name, amount) for one event."""
    kind, contact_id = event["type"], event["contact_id"]
    if kind == "contact.queued":
        contacts[contact_id] = {"queue": event["queue"], "queued": at}
        return [(event["queue"], "offered", 1)]
    contact = contacts.get(contact_id)
    if contact is None:
        return []
    queue = contact["queue"]
    if kind == "contact.answered":
        wait = at - contact["queued"]
        contact["answered"] = at
        return [(queue, "answered", 1), (queue, "wait_ms", int(wait * 1000)), (queue, "within", int(wait <= 20))]
    if kind == "contact.abandoned":
        del contacts[contact_id]
        return [(queue, "abandoned", 1)]
    if kind in ("contact.ended", "contact.transferred") and "answered" in contact:
        del contacts[contact_id]
        return [(queue, "handled", 1), (queue, "talk_ms", int((at - contact["answered"]) * 1000))]
    return []


if __name__ == "__main__":
    worker = faust.Worker(make(*sys.argv[1:5]), loglevel="error")
    worker.execute_from_commandline()
