"""Recorded events into Kafka: JSON Lines, as they are, in their order."""

import asyncio
import math
import shlex
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, nullcontext
from datetime import datetime
from typing import Final

import click
import msgspec

from agents.sources.lines import DAMAGED, Lines, open_events, read_lines
from agents.sources.pace import Pace, parse_speed
from agents.sources.route import Head, decode_head, key_of, names_of, topic_of
from agents.sources.sender import DELIVERY_TIMEOUT_S, HURRY_S, LONGEST_MESSAGE, Kafka, Sender, connect
from agents.sources.until_signal import until_signal
from config.errors import UsageError

#: So many refused lines are named; the others are counted, by the words for what is wrong with them.
REFUSALS_TOLD: Final = 5
TOO_LONG: Final = "too long"
NO_KEY: Final = "no key"
NO_EVENT: Final = "no JSON object"
#: Events wait so long for others to travel with.
FLUSH_AFTER_S: Final = 0.1


class Refusal(msgspec.Struct, frozen=True):
    """A line that is no event, why in a few fixed words, and what exactly."""

    line: int
    reason: str
    detail: str


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a replay.

    ``delivered`` events are acknowledged by Kafka, ``refused`` lines counted by reason. ``trouble`` is empty when the
    whole file was read; otherwise it says what came between, and all lines before ``resume_line`` are delivered or
    refused.
    """

    delivered: int
    refused: Counter[str]
    refusals: tuple[Refusal, ...]
    seconds: float
    trouble: str
    resume_line: int


class Replay:
    """Sends the lines of a file; afterwards, or cancelled, it knows how far it came.

    ``topic`` says where an event belongs, ``speed`` is infinity or a multiple of the events' own pace, and
    lines before ``from_line`` (from 1) are passed over.
    """

    def __init__(
        self, sender: Sender, topic: Callable[[Head], str], *, speed: float = math.inf, from_line: int = 1
    ) -> None:
        self.refused: Counter[str] = Counter()
        self.refusals: list[Refusal] = []
        self._sender = sender
        self._topic = topic
        self._pace = None if math.isinf(speed) else Pace(speed)
        self._from_line = self._next_line = from_line
        self._flushed = time.monotonic()

    @property
    def resume_line(self) -> int:
        """The first line that is not known to have arrived or been refused."""
        undelivered = self._sender.first_undelivered()
        return self._next_line if undelivered is None else min(undelivered, self._next_line)

    async def run(self, lines: AsyncGenerator[Lines, None], progress: Callable[[int], None]) -> None:
        """Send all lines and tell ``progress`` the position in the file; stop early when an event is lost."""
        async with aclosing(lines):
            while (block := await self._next(lines)) is not None:
                for number, line in enumerate(block.lines, block.first):
                    if number >= self._from_line:
                        await self._line(number, line)
                        self._next_line = number + 1
                    if self._sender.failed:
                        return
                progress(block.position)
                if time.monotonic() - self._flushed > FLUSH_AFTER_S:
                    await self._flush()

    async def _next(self, lines: AsyncGenerator[Lines, None]) -> Lines | None:
        """Return the next lines, None after the last; what is ready goes out while they are slow to come."""
        coming = asyncio.ensure_future(anext(lines, None))
        try:
            done, _ = await asyncio.wait({coming}, timeout=FLUSH_AFTER_S)
            if not done:
                await self._flush()
            return await coming
        finally:
            coming.cancel()

    async def _flush(self) -> None:
        await self._sender.flush()
        self._flushed = time.monotonic()

    async def _line(self, number: int, line: bytes) -> None:
        line = line.removesuffix(b"\r")
        if not line or line.isspace():
            return
        if len(line) > LONGEST_MESSAGE:
            self._refuse(number, TOO_LONG, f"longer than the {LONGEST_MESSAGE:,} bytes that Kafka takes")
            return
        try:
            head = decode_head(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            self._refuse(number, NO_EVENT, str(error))
            return
        key = key_of(head)
        if not key:
            self._refuse(number, NO_KEY, "it has no contact_id, agent_id or customer_id")
            return
        if self._pace is not None:
            await self._keep_pace(self._pace, head)
        await self._sender.add(self._topic(head), key, line, number)

    def _refuse(self, number: int, reason: str, detail: str) -> None:
        self.refused[reason] += 1
        if len(self.refusals) < REFUSALS_TOLD:
            self.refusals.append(Refusal(number, reason, detail))

    async def _keep_pace(self, pace: Pace, head: Head) -> None:
        """Wait until the event is due; one without a time is due at once."""
        moment = _milliseconds(head.time)
        if moment is not None and (wait_ms := pace.wait_ms(moment, time.monotonic() * 1_000)) > 0:
            await self._flush()
            await asyncio.sleep(wait_ms / 1_000)


def _milliseconds(event_time: object) -> int | None:
    """Return an RFC 3339 time as milliseconds since 1970, None when it is none."""
    try:
        return int(datetime.fromisoformat(str(event_time)).timestamp() * 1_000)
    except (ValueError, OverflowError):
        return None


async def replay(file: str, kafka: Kafka, *, to: str | None, speed: float, from_line: int) -> Replayed:
    """Send a file (``-`` for standard input) until its end, SIGINT or SIGTERM; raise UsageError as ``run_replay``."""
    names = names_of(kafka.prefix)

    def topic(head: Head) -> str:
        return to or names[topic_of(head)]

    async with connect(kafka.brokers, names.values() if to is None else (to,), kafka.security) as sender:
        source = open_events(file)
        started = time.monotonic()
        job = Replay(sender, topic, speed=speed, from_line=from_line)
        shown = source.size and sys.stderr.isatty()
        with click.progressbar(length=source.size, label=file, file=sys.stderr) if shown else nullcontext() as bar:

            def progress(position: int) -> None:
                if bar is not None:
                    bar.update(position - bar.pos)

            trouble = ""

            async def work() -> None:
                nonlocal trouble
                try:
                    await job.run(read_lines(source), progress)
                except DAMAGED as error:
                    trouble = f"the file is damaged: {error}"
                # Whoever waits for a broker that does not answer may also have had enough.
                await sender.drain(DELIVERY_TIMEOUT_S)

            if await until_signal(work()):
                trouble = "interrupted"
                await sender.drain(HURRY_S)
        if not trouble and sender.first_undelivered() is not None:
            trouble = f"Kafka at {kafka.brokers} did not take everything"
        return Replayed(
            delivered=sender.delivered,
            refused=job.refused,
            refusals=tuple(job.refusals),
            seconds=time.monotonic() - started,
            trouble=trouble,
            resume_line=job.resume_line,
        )


def run_replay(file: str, kafka: Kafka, *, to: str | None = None, speed: str = "max", from_line: int = 1) -> Replayed:
    """Run ``callwatch replay``: send a file, show how far it is, say what came of it and how to go on.

    ``speed`` is ``max`` or a multiple of the events' own pace such as ``60x``. Raise UsageError when the file
    cannot be opened, Kafka cannot be reached, or a topic does not exist.
    """
    if from_line < 1:
        raise UsageError(f"--from-line {from_line}: lines are counted from 1")
    result = asyncio.run(replay(file, kafka, to=to, speed=parse_speed(speed), from_line=from_line))
    rate = result.delivered / max(result.seconds, 0.001)
    click.echo(
        f"sent {result.delivered:,}, refused {result.refused.total():,} in {result.seconds:.1f} s "
        f"({rate:,.0f} events/s)"
    )
    if result.refused:
        _tell_refused(result)
    if result.trouble:
        command = ["callwatch", "replay", file, "--from-line", str(result.resume_line), "--speed", speed]
        command += [] if to is None else ["--to", to]
        click.echo(f"{result.trouble}; go on with: {shlex.join([*command, '--kafka', kafka.brokers])}", err=True)
    return result


def _tell_refused(result: Replayed) -> None:
    """Say which lines were refused, how many for which reason, and how to send them once they are mended."""
    for refusal in result.refusals:
        click.echo(f"line {refusal.line} refused: {refusal.detail}", err=True)
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in result.refused.most_common())
    click.echo(
        f"{result.refused.total():,} lines were refused ({reasons}); mend them and replay the file again with "
        f"--from-line {result.refusals[0].line}: an event that arrives twice counts once",
        err=True,
    )
