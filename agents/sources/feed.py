"""The simulator's events into Kafka, each at its own time."""

import asyncio
import math
import time
from typing import Final

import click
import msgspec

from agents.sources.callcenter import CallCenter, scaled
from agents.sources.demo import DAY, demo
from agents.sources.pace import Pace
from agents.sources.route import TOPICS, decode_head, key_of, topic_of
from agents.sources.sender import DELIVERY_TIMEOUT_S, HURRY_S, Sender, connect
from agents.sources.simulator import Simulation
from agents.sources.until_signal import until_signal
from agents.sources.wire import Event
from config.errors import UsageError

#: Events that fall into the same moment travel together; nobody sees on a wallboard how long that is.
TICK_S: Final = 0.02
#: While there is always more to send, batches that fill slowly are sent after this long all the same.
FLUSH_AFTER_S: Final = 0.1
#: How far back a run faster than life begins, unless told.
HISTORY_S: Final = 86_400.0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a simulation: raise UsageError where that makes no sense.

    No event is sent before its time. At ``speed`` 1 the simulation begins now. Faster (60, infinity), it begins
    ``history_s`` seconds ago (a day, unless given) and goes on as fast as life once it has caught up with the
    clock. It has no end, or nobody new arrives after ``duration_s`` seconds of the simulation's time.
    """

    seed: int = 1
    speed: float = 1.0
    history_s: float | None = None
    duration_s: float | None = None

    def __post_init__(self) -> None:
        if self.speed < 1:
            raise UsageError(f"--speed {self.speed:g}x: a live call center is at least as fast as life, 1x")
        if self.history_s and self.speed == 1:
            raise UsageError("--history needs a --speed above 1x, such as max, to catch up with the clock")
        if (self.history_s or 0) < 0 or (self.duration_s or 0) < 0:
            raise UsageError("--history and --duration are seconds, not below 0")

    def simulation(self, center: CallCenter) -> Simulation:
        """Return the simulation of ``center`` that begins now, or as long ago as told."""
        history_s = self.history_s
        if history_s is None:
            history_s = HISTORY_S if self.speed > 1 else 0.0
        start_ms = int((time.time() - history_s) * 1_000)
        until_ms = None if self.duration_s is None else start_ms + int(self.duration_s * 1_000)
        return Simulation(center, self.seed, start_ms, until_ms)


class Fed(msgspec.Struct, frozen=True):
    """What came of a feed: events that arrived, events that were lost, and how many seconds it took."""

    delivered: int
    failed: int
    seconds: float


async def feed(kafka: str, center: CallCenter, run: Run) -> None:
    """Send a simulated call center to Kafka (``host:port``) until it is over or cancelled.

    Cancelling ends the contacts under way and sends the agents home, within ``HURRY_S``. Raise UsageError when
    Kafka cannot be reached or its topics do not exist.
    """
    async with connect(kafka, TOPICS) as sender:
        await send_simulation(sender, center, run)


async def send_simulation(sender: Sender, center: CallCenter, run: Run) -> None:
    """Send a simulation's events when they are due; when cancelled, what ends it as well."""
    simulation = run.simulation(center)
    try:
        await _send_in_time(sender, simulation, run.speed)
    except asyncio.CancelledError:
        # Otherwise its contacts would wait on the wallboard until somebody believes it no longer.
        for _, event in simulation.close():
            await _send(sender, event)
        await sender.drain(HURRY_S)
        raise
    await sender.drain(DELIVERY_TIMEOUT_S)


async def _send_in_time(sender: Sender, simulation: Simulation, speed: float) -> None:
    pace = Pace(speed)
    flushed = time.monotonic()
    for moment, event in simulation.events():
        clock = time.time() * 1_000
        wait_ms = max(pace.wait_ms(moment, clock), moment - clock)
        if wait_ms > 0 or time.monotonic() - flushed > FLUSH_AFTER_S:
            await sender.flush()
            flushed = time.monotonic()
        if wait_ms > 0:
            await asyncio.sleep(max(wait_ms / 1_000, TICK_S))
        await _send(sender, event)


async def _send(sender: Sender, event: Event) -> None:
    value = msgspec.json.encode(event)
    head = decode_head(value)
    await sender.add(topic_of(head), key_of(head), value)


def run_simulator(kafka: str, run: Run, *, contacts_per_second: float | None = None, daily: bool = False) -> Fed:
    """Run ``callwatch simulate``: feed the demonstration call center until SIGINT or SIGTERM ends it.

    ``contacts_per_second`` scales arrivals and agents; ``daily`` lets the hours of a working day (UTC) rule the
    arrivals. Print what is fed and what came of it; raise UsageError for the user's mistakes.
    """
    center = demo(DAY if daily else ())
    if contacts_per_second is not None:
        if not 0 < contacts_per_second < math.inf:
            raise UsageError(f"--rate {contacts_per_second:g}: give the contacts a second, more than 0")
        center = scaled(center, contacts_per_second)
    agents = sum(team.agents for team in center.teams)

    async def work() -> Fed:
        started = time.monotonic()
        async with connect(kafka, TOPICS) as sender:
            click.echo(f"{len(center.queues)} queues and {agents} agents feed {kafka}, seed {run.seed}; Ctrl-C ends it")
            await until_signal(send_simulation(sender, center, run))
            return Fed(sender.delivered, sender.failed, time.monotonic() - started)

    fed = asyncio.run(work())
    lost = f", lost {fed.failed:,}" if fed.failed else ""
    click.echo(f"sent {fed.delivered:,}{lost} in {fed.seconds:.1f} s")
    return fed
