"""The simulator's events into Kafka, each at its own time."""

import asyncio
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from agents.sources.callcenter import CallCenter, scaled
from agents.sources.demo import DAY, demo
from agents.sources.pace import Pace
from agents.sources.route import decode_head, key_of, names_of, topic_of
from agents.sources.sender import DELIVERY_TIMEOUT_S, HURRY_S, Kafka, Sender, connect
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
#: Contacts a second; each is some ten events, and for each a hundred people are at work.
MOST_CONTACTS: Final = 10_000


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
            raise UsageError("--history and --for are durations, not below 0")

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


def parse_rate(text: str) -> float:
    """Return how many contacts a second ``text`` asks for; raise UsageError unless it is a number that makes sense."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) is None or not 0 < float(text) <= MOST_CONTACTS:
        raise UsageError(f'"{text}" is no rate; write how many contacts a second, more than 0, at most {MOST_CONTACTS}')
    return float(text)


async def feed(kafka: Kafka, center: CallCenter, run: Run) -> None:
    """Send a simulated call center to Kafka until it is over or cancelled.

    Cancelling ends the contacts under way and sends the agents home, within ``HURRY_S``. Raise UsageError when
    Kafka cannot be reached or its topics do not exist.
    """
    names = names_of(kafka.prefix)
    async with connect(kafka.brokers, names.values(), kafka.security) as sender:
        await send_simulation(Feed(sender, names), run.simulation(center), run.speed)


class Feed:
    """Sends events to the topics that they belong to; ``names`` is what Kafka calls these."""

    def __init__(self, sender: Sender, names: Mapping[str, str]) -> None:
        self.sender = sender
        self._names = names

    async def send(self, event: Event) -> None:
        """Send an event soon."""
        value = msgspec.json.encode(event)
        head = decode_head(value)
        await self.sender.add(self._names[topic_of(head)], key_of(head), value)


async def send_simulation(feed: Feed, simulation: Simulation, speed: float) -> None:
    """Send a simulation's events when they are due; when cancelled, what ends it as well."""
    sender = feed.sender
    try:
        await _send_in_time(feed, simulation, speed)
    except asyncio.CancelledError:
        # Otherwise its contacts would wait on the wallboard until somebody believes it no longer.
        for _, event in simulation.close():
            await feed.send(event)
        await sender.drain(HURRY_S)
        raise
    await sender.drain(DELIVERY_TIMEOUT_S)


async def _send_in_time(feed: Feed, simulation: Simulation, speed: float) -> None:
    pace = Pace(speed)
    flushed = time.monotonic()
    for moment, event in simulation.events():
        clock = time.time() * 1_000
        wait_ms = max(pace.wait_ms(moment, clock), moment - clock)
        if wait_ms > 0 or time.monotonic() - flushed > FLUSH_AFTER_S:
            await feed.sender.flush()
            flushed = time.monotonic()
        if wait_ms > 0:
            await asyncio.sleep(max(wait_ms / 1_000, TICK_S))
        await feed.send(event)


def run_simulator(
    kafka: Kafka,
    run: Run,
    *,
    contacts_per_second: float | None = None,
    daily: bool = False,
    truth: Path | None = None,
) -> Fed:
    """Run ``callwatch simulate``: feed the demonstration call center until SIGINT or SIGTERM ends it.

    ``contacts_per_second`` scales arrivals and agents; ``daily`` lets the hours of a working day (UTC) rule the
    arrivals. ``truth`` is a file that gets the call center's probabilities and how often what they rule happened, as
    JSON, once it has ended. Print what is fed and what came of it; raise UsageError for the user's mistakes.
    """
    center = demo(DAY if daily else ())
    if contacts_per_second is not None:
        center = scaled(center, contacts_per_second)
    agents = sum(team.agents for team in center.teams)

    names = names_of(kafka.prefix)

    async def work() -> Fed:
        started = time.monotonic()
        async with connect(kafka.brokers, names.values(), kafka.security) as sender:
            told = f"{len(center.queues)} queues and {agents} agents feed {kafka.brokers}, seed {run.seed}"
            click.echo(f"{told}; Ctrl-C ends it")
            if truth is not None:
                _write(truth, {})  # better now than after hours that it cannot be written
            simulation = run.simulation(center)
            await until_signal(send_simulation(Feed(sender, names), simulation, run.speed))
            if truth is not None:
                _write(truth, simulation.truth())
            return Fed(sender.delivered, sender.failed, time.monotonic() - started)

    fed = asyncio.run(work())
    lost = f", lost {fed.failed:,}" if fed.failed else ""
    click.echo(f"sent {fed.delivered:,}{lost} in {fed.seconds:.1f} s")
    return fed


def _write(path: Path, truth: dict[str, Any]) -> None:
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(truth)) + b"\n")
    except OSError as error:
        raise UsageError(f"--truth: {path} cannot be written ({error.strerror})") from None
