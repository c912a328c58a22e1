"""How long it takes an event from being produced to standing on /metrics, while many others come each second."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import monotonic, time

import msgspec

from agents.sources.sender import KafkaSender, connect
from bench.load import Message
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline
from tests.harness.redis import RedisServer

PROBES = 150

#: Probes come this far apart, in seconds: not in step with anything that happens once a second.
APART_S = 0.137

#: The load is sent in slices of this length, in seconds.
SLICE_S = 0.02


class Delays(msgspec.Struct):
    """What was measured, in seconds; each is too long by at most one look at /metrics."""

    p50: float
    p99: float
    worst: float


def _event(kind: str, contact: str, queue: str, number: int) -> Message:
    now = datetime.fromtimestamp(time(), UTC).isoformat()
    event = {"id": f"{contact}-{number}", "type": kind, "time": now, "contact_id": contact, "channel": "voice"}
    fields = {"contact.queued": {"queue": queue}, "contact.answered": {"agent_id": "agent-1"}}
    return Message(contact.encode(), msgspec.json.encode({**event, **fields.get(kind, {})}))


def _contacts(run: str, queues: int) -> Iterator[Message]:
    """Yield the events of contacts that are queued, answered and ended, three events each, interleaved."""
    for number in count():
        for back, kind in ((0, "contact.queued"), (50, "contact.answered"), (200, "contact.ended")):
            if number >= back:
                yield _event(kind, f"{run}-{number - back}", f"queue-{number % queues}", back)


async def load(sender: KafkaSender, topic: str, run: str, per_second: int, queues: int = 10) -> None:
    """Send that many events a second, of now, over ``queues``, until cancelled."""
    messages, began, sent = _contacts(run, queues), monotonic(), 0
    while True:
        while sent < (monotonic() - began) * per_second:
            message = next(messages)
            await sender.add(topic, message.key, message.value)
            sent += 1
        await sender.flush()
        await asyncio.sleep(SLICE_S)


async def _probe(kafka: KafkaCluster, pipeline: Pipeline, per_second: int) -> Delays:
    delays: list[float] = []
    async with connect(kafka.address, [pipeline.calls]) as sender:
        others = asyncio.create_task(load(sender, pipeline.calls, pipeline.name, per_second))
        try:
            # The first probe waits until the group has formed: it is none of the delays.
            for number in range(PROBES + 1):
                message = _event("contact.queued", f"probe-{pipeline.name}-{number}", "probe", 0)
                began = monotonic()
                await sender.add(pipeline.calls, message.key, message.value)
                await sender.flush()
                while await asyncio.to_thread(_probes_seen, pipeline) <= number:
                    if monotonic() - began > 60:
                        raise TimeoutError("a probe never came")
                delays.append(monotonic() - began)
                await asyncio.sleep(APART_S)
        finally:
            others.cancel()
    ordered = sorted(delays[1:])
    return Delays(ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1])


def _probes_seen(pipeline: Pipeline) -> float:
    return sum(
        value
        for labels, value in pipeline.samples("callcenter_contacts_offered_total").items()
        if 'queue="probe"' in labels
    )


def measure(kafka: KafkaCluster, redis: RedisServer, name: str, directory: Path, per_second: int) -> Delays:
    """Return the delays of probes among ``per_second`` other events a second."""
    redis.flush()
    pipeline = Pipeline(kafka.address, redis.url, name, directory)
    pipeline.start()
    try:
        return asyncio.run(_probe(kafka, pipeline, per_second))
    finally:
        pipeline.stop()
