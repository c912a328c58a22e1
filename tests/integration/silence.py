"""What the tests of long outages share: a pipeline's store, asked from outside, and events of a given time."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Final

from kafka import KafkaProducer

from agents.store import Beat, Loaded
from agents.store.redis import RedisStore
from streams.measures import Measure

BEGAN: Final = datetime.now(UTC) - timedelta(minutes=5)


def loaded(url: str, partition: str = "calls/0") -> Loaded:
    """Return what is committed of a partition."""

    async def ask() -> Loaded:
        store = RedisStore(url)
        try:
            return await store.load(partition)
        finally:
            await store.close()

    return asyncio.run(ask())


def beat(url: str, partition: str = "calls/0") -> Beat | None:
    """Return a partition's last sign of life."""

    async def ask() -> Beat | None:
        store = RedisStore(url)
        try:
            return (await store.snapshot(partition, [], [])).beat
        finally:
            await store.close()

    return asyncio.run(ask())


def offered(url: str, partitions: int) -> int:
    """Return how many visits were counted in all partitions of calls."""
    found = 0
    for number in range(partitions):
        totals = loaded(url, f"calls/{number}").totals
        found += sum(counters.get(Measure.OFFERED, 0) for counters, _ in totals.values())
    return found


def send_calls(kafka: str, topic: str, contacts: range, *, padding: int = 0, partition: int | None = None) -> None:
    """Send one ``contact.queued`` for each of ``contacts``, each ``padding`` bytes longer than it must be."""
    producer = KafkaProducer(bootstrap_servers=kafka, linger_ms=20, batch_size=500_000, delivery_timeout_ms=300_000)
    try:
        for number in contacts:
            name = f"c{number}"
            event = {"id": f"{name}-queued", "type": "contact.queued", "time": BEGAN.isoformat(), "contact_id": name}
            event |= {"channel": "voice", "queue": "sales", "padding": "x" * padding}
            producer.send(topic, json.dumps(event).encode(), name.encode(), partition=partition)
        producer.flush(300)
    finally:
        producer.close()
