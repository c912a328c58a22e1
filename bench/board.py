"""The board at its largest: /metrics of 1,000 queues, what else waits meanwhile, and hundreds of wallboards."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from time import monotonic
from typing import Any, Final
from urllib.request import urlopen

import httpx
import msgspec
from redis import Redis

from agents.embedded.local import LOOPBACK
from agents.sources.sender import connect
from bench.latency import load
from bench.load import even
from bench.machine import SERVERS_CORE, WORKER_CORE, cpu_seconds, pin
from bench.throughput import PARTITIONS, backlog, offsets, pipeline_of
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline, wait_until
from tests.harness.redis import RedisServer

Row = dict[str, Any]

SCRAPES: Final = 10
EVENTS: Final = 100_000
#: Between one look at /healthz and the next.
LOOK_S: Final = 0.01
LISTENING_S: Final = 15
#: Events a second while /metrics is asked for: none, and so many that most queues change in between.
BUSY_EVENTS: Final = (0, 1_000)
#: Events a second while the wallboards listen: two million contacts a day.
LIVE_EVENTS: Final = 100


def measure(kafka: KafkaCluster, redis: RedisServer, directory: Path, queues: int, wallboards: int) -> list[Row]:
    """Return the rows of a board that has ``queues`` queues and as many wallboards."""
    redis.flush()
    read = backlog(kafka, "bench-board", list(even(EVENTS, queues, 1_000, 1_000)))
    pipeline = pipeline_of(kafka, redis, read.name, directory, CALLWATCH_STREAMS="1000")
    client = Redis.from_url(redis.url)
    try:
        pipeline.start()
        pin(pipeline.board.pid, WORKER_CORE)
        wait_until(lambda: offsets(client, PARTITIONS) >= read.events, 300, "the backlog is read")
        pin(pipeline.workers[0].pid, SERVERS_CORE)
        rows = [row for events in BUSY_EVENTS for row in asyncio.run(_exposition(pipeline, queues, events))]
        return rows + asyncio.run(_wallboards(pipeline, queues, wallboards))
    finally:
        pipeline.stop()


async def _exposition(pipeline: Pipeline, queues: int, events: int) -> list[Row]:
    address = f"http://{LOOPBACK}:{pipeline.port}"
    cpu: list[float] = []
    took: list[float] = []
    stalls: list[float] = []
    text = b""
    async with _events(pipeline, events, queues), httpx.AsyncClient(base_url=address, timeout=60) as client:
        looking = asyncio.create_task(_look(client, stalls))
        for _ in range(SCRAPES):
            # What a board does anyway, follow and answer /healthz, is not the scrape's.
            idle = cpu_seconds(pipeline.board.pid)
            await asyncio.sleep(1)
            began, before = monotonic(), cpu_seconds(pipeline.board.pid)
            # On a thread: this side is not to be what /healthz waits for.
            text = await asyncio.to_thread(_get, f"{address}/metrics")
            took.append(monotonic() - began)
            cpu.append(cpu_seconds(pipeline.board.pid) - before - (before - idle) * took[-1])
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
    samples = sum(1 for line in text.splitlines() if not line.startswith(b"#"))
    what = f"/metrics with {queues:,} queues, {samples:,} samples, {events:,} events/s"
    health = f"/healthz meanwhile, {events:,} events/s"
    return [
        {"what": f"{what}, CPU", "goal": 0.25, "below": True, "measured": round(median(cpu), 3), "unit": "s"},
        {"what": f"{what}, until it came", "measured": round(median(took), 3), "unit": "s"},
        {
            "what": f"{health}, p99",
            "goal": 0.1,
            "below": True,
            "measured": _p99(stalls),
            "unit": "s",
        },
        {"what": f"{health}, worst", "measured": round(max(stalls), 3), "unit": "s"},
    ]


def _get(address: str) -> bytes:
    with urlopen(address, timeout=60) as answer:  # noqa: S310  # the board's own
        found: bytes = answer.read()
    return found


@asynccontextmanager
async def _events(pipeline: Pipeline, per_second: int, queues: int) -> AsyncIterator[None]:
    """Have that many events a second come meanwhile."""
    async with connect(pipeline.environment["CALLWATCH_KAFKA"], [pipeline.calls]) as sender:
        events = asyncio.create_task(load(sender, pipeline.calls, f"live-{per_second}", per_second, queues))
        try:
            yield
        finally:
            events.cancel()


async def _look(client: httpx.AsyncClient, stalls: list[float]) -> None:
    while True:
        began = monotonic()
        await client.get("/healthz")
        stalls.append(monotonic() - began)
        await asyncio.sleep(LOOK_S)


def _p99(values: list[float]) -> float:
    return round(quantiles(values, n=100)[98], 3) if len(values) > 1 else float("inf")


async def _wallboards(pipeline: Pipeline, queues: int, wallboards: int) -> list[Row]:
    delays: list[float] = []
    clients = [asyncio.create_task(_listen(pipeline.port, delays)) for _ in range(wallboards)]
    async with _events(pipeline, LIVE_EVENTS, queues):
        await asyncio.sleep(5)
        delays.clear()
        began, before = monotonic(), cpu_seconds(pipeline.board.pid)
        await asyncio.sleep(LISTENING_S)
        cpu = (cpu_seconds(pipeline.board.pid) - before) / (monotonic() - began)
    for client in clients:
        client.cancel()
    failed = [found for found in await asyncio.gather(*clients, return_exceptions=True) if isinstance(found, Exception)]
    if failed:
        print(f"  {len(failed)} wallboards were cut off: {failed[0]!r}", file=sys.stderr)
    what = f"{wallboards} wallboards of {queues:,} queues"
    return [
        {
            "what": f"{what}, age of a snapshot on arrival, p99",
            "goal": 1.0,
            "below": True,
            "measured": _p99(delays),
            "unit": "s",
        },
        {"what": f"{what}, core used", "goal": 0.5, "below": True, "measured": round(cpu, 3), "unit": "cores"},
        {"what": f"{what}, snapshots received", "measured": len(delays), "unit": ""},
    ]


class _Time(msgspec.Struct):
    time: str


async def _listen(port: int, delays: list[float]) -> None:
    """Note how long after its own time each snapshot has come whole."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port, limit=2**24)
    writer.write(f"GET /api/v1/stream?window=5m&changes=yes HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\n\r\n".encode())
    decode = msgspec.json.Decoder(_Time).decode
    try:
        while line := await reader.readuntil(b"\n"):
            if line.startswith(b"data:"):
                # Only the beginning: hundreds of whole snapshots a second would measure this side.
                head = line[5:200].split(b",", 1)[0].strip() + b"}"
                made = datetime.fromisoformat(decode(head).time)
                delays.append((datetime.now(UTC) - made).total_seconds())
    finally:
        writer.close()
