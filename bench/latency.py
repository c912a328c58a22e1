"""How long an event takes from being produced to /metrics, the API and a wallboard's pixels, among many others."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic, time

import msgspec

from agents.sources.sender import KafkaSender, connect
from bench.load import Message
from bench.screen import shown_at, wallboard
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline
from tests.harness.redis import RedisServer

PROBES = 150

#: The queue that probes are queued in, one more with each.
PROBE = "probe"

#: Where they are seen.
METRICS, API, PIXELS = "/metrics", "the API", "the wallboard's pixels"

#: Between one look at /metrics and the API and the next, in seconds.
LOOK_S = 0.01

#: Probes come this far apart, in seconds: not in step with anything that happens once a second.
APART_S = 0.137

#: The load is sent in slices of this length, in seconds.
SLICE_S = 0.02


class Delays(msgspec.Struct):
    """What was measured, in seconds; each is too long by at most one look, or one frame."""

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


async def _seen(seen: Callable[[], int], number: int) -> float:
    """Return when more than ``number`` probes were seen."""
    began = monotonic()
    while await asyncio.to_thread(seen) <= number:
        if monotonic() - began > 60:
            raise TimeoutError("a probe never came")
        await asyncio.sleep(LOOK_S)
    return time()


async def _probe(kafka: KafkaCluster, pipeline: Pipeline, per_second: int) -> dict[str, Delays]:
    looks = {METRICS: partial(_on_metrics, pipeline), API: partial(_in_api, pipeline)}
    sent: list[float] = []
    delays: dict[str, list[float]] = {name: [] for name in (*looks, PIXELS)}
    async with (
        connect(kafka.address, [pipeline.calls]) as sender,
        wallboard(pipeline.port, PROBE) as page,
    ):
        others = asyncio.create_task(load(sender, pipeline.calls, pipeline.name, per_second))
        try:
            # The first probe waits until the group has formed: it is none of the delays.
            for number in range(PROBES + 1):
                message = _event("contact.queued", f"probe-{pipeline.name}-{number}", PROBE, 0)
                sent.append(time())
                await sender.add(pipeline.calls, message.key, message.value)
                await sender.flush()
                seen = await asyncio.gather(*(_seen(look, number) for look in looks.values()))
                for name, at in zip(looks, seen, strict=True):
                    delays[name].append(at - sent[-1])
                await asyncio.sleep(APART_S)
            await asyncio.sleep(1)
            shown = await shown_at(page)
        finally:
            others.cancel()
    # A number that was passed over between two frames was there by the time that a later one was.
    delays[PIXELS] = [min(at for length, at in shown.items() if length > n) - began for n, began in enumerate(sent)]
    return {name: _of(found[1:]) for name, found in delays.items()}


def _of(delays: list[float]) -> Delays:
    ordered = sorted(delays)
    return Delays(ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1])


def _on_metrics(pipeline: Pipeline) -> int:
    offered = pipeline.samples("callcenter_contacts_offered_total").items()
    return round(sum(value for labels, value in offered if f'queue="{PROBE}"' in labels))


def _in_api(pipeline: Pipeline) -> int:
    rows = pipeline.get("/api/v1/queues", window="5m")["rows"]
    return sum(row["offered"] for row in rows if row["queue"] == PROBE)


def measure(kafka: KafkaCluster, redis: RedisServer, name: str, directory: Path, per_second: int) -> dict[str, Delays]:
    """Return the delays of probes among ``per_second`` other events a second, by where they are seen."""
    redis.flush()
    pipeline = Pipeline(kafka.address, redis.url, name, directory)
    pipeline.start()
    try:
        return asyncio.run(_probe(kafka, pipeline, per_second))
    finally:
        pipeline.stop()
