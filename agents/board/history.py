"""Figures of past times, read from the store when they are asked for."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import MAXYEAR, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from agents.board.figures import Figures, iso, listed, measured, rounded
from agents.board.model import book_of
from agents.store import Reader
from streams import kpis
from streams.contact import Place, is_aside
from streams.events import EPOCH, milliseconds
from streams.measures import Measure, Row, add, exited, total
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Policies
from streams.windows import FINE_MS, INTERVAL_MS, Buckets, fine, interval, midnight, post, waited_ms

UNITS_MS: Final = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}

#: The most intervals that one answer gives.
MOST_INTERVALS: Final = 10_000

#: As many intervals are read at once: Redis and this process do nothing else meanwhile.
READ: Final = 24

__all__ = [
    "MOST_INTERVALS",
    "READ",
    "BadRequestError",
    "Span",
    "interval_parts",
    "interval_rows",
    "iso",
    "rows_at",
    "span_of",
    "steps",
    "time_of",
]


class BadRequestError(Exception):
    """A question that has no answer: what is wrong with it, and what is allowed."""


class Span(NamedTuple):
    """A stretch of intervals, in ms: from, to before, and how long each is."""

    start: int
    end: int
    step: int


def time_of(text: str, name: str) -> int:
    """Return an RFC 3339 time in ms; raise BadRequestError for one that is none, or has no offset."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        # The first and the last years that are known have no midnight before or after them everywhere.
        if moment.tzinfo is not None and EPOCH.year <= moment.year < MAXYEAR:
            return milliseconds(moment)
    except (ValueError, OverflowError):
        pass
    raise BadRequestError(f"{name}: {text!r} is not a time with an offset, like 2026-11-23T10:00:00Z")


def span_of(start: str | None, end: str | None, interval_text: str, now: int, zone: ZoneInfo) -> Span:
    """Return what is asked for, widened to whole quarters of an hour; raise BadRequestError if it cannot be."""
    found = re.fullmatch(r"(\d{1,5})([smhd])", interval_text, re.ASCII)
    step = int(found[1]) * UNITS_MS[found[2]] if found else 0
    if step == 0 or step % INTERVAL_MS or (step > DAY_MS and step % DAY_MS):
        raise BadRequestError(f"interval: {interval_text!r} is not a multiple of 15m up to 1d, or of 1d")
    until = now if end is None else time_of(end, "to")
    since = midnight(until, zone) if start is None else time_of(start, "from")
    since, until = since // INTERVAL_MS * INTERVAL_MS, -(-until // INTERVAL_MS) * INTERVAL_MS
    if until <= since:
        raise BadRequestError("to: must be later than from")
    if (until - since) // step > MOST_INTERVALS:
        raise BadRequestError(f"that is more than {MOST_INTERVALS} intervals; ask for fewer, or longer ones")
    return Span(since, until, step)


async def _contact_partitions(reader: Reader) -> list[str]:
    return [partition for partition in await reader.partitions() if book_of(partition) == "contacts"]


async def rows_at(reader: Reader, at: int, length: int, newest: int, policies: Policies) -> list[Figures]:
    """Return the rows of a window of ``length`` ms that ended at ``at``, to the end of the bucket it is in.

    Nothing stored is later than ``newest`` (ms). The length of a queue then is the one now, with all since undone;
    both come from one snapshot, so that nobody is missed who moves meanwhile.
    """
    first, last = fine(at) - length // FINE_MS + 1, fine(at)
    window: dict[Place, Row] = {}
    levels: Counter[Place] = Counter()
    for partition in await _contact_partitions(reader):
        snapshot = await reader.snapshot(partition, range(first, max(last, fine(newest)) + 1), ())
        levels.update((queue, channel) for queue, channel, _ in snapshot.now.values())
        for number, places in snapshot.fine.items():
            for place, row in places.items():
                if number <= last:
                    add(window.setdefault(place, {}), row)
                else:
                    levels[place] += exited(row) - row.get(Measure.OFFERED, 0)
    start, end = first * FINE_MS, (last + 1) * FINE_MS
    seen = {place for place in {*levels, *window} if levels[place] or window.get(place)}
    shown = sorted(seen | listed(policies, {queue for queue, _ in seen}))
    rows = [_past(place, window.get(place, {}), levels[place], start, end) for place in shown]
    return [*rows, _past((None, None), total(window.values()), levels.total(), start, end)]


def _past(place: tuple[str | None, str | None], row: Row, level: int, start: int, end: int) -> Figures:
    return {
        "queue": place[0],
        "channel": place[1],
        **measured(row),
        "queue_length": level,
        "longest_wait_seconds": None,
        "queue_length_average": rounded(kpis.ratio(waited_ms(row, start, end, level), end - start)),
    }


async def interval_rows(reader: Reader, span: Span, zone: ZoneInfo, queue: str | None) -> list[Figures]:
    """Return, for each interval that has any contact, a row for each queue and channel and one for all."""
    return [row async for part in interval_parts(reader, span, zone, queue) for row in part()]


async def interval_parts(
    reader: Reader, span: Span, zone: ZoneInfo, queue: str | None
) -> AsyncIterator[Callable[[], list[Figures]]]:
    """Yield the rows of ``interval_rows`` a stretch at a time, each to be called for, on another thread if need be.

    Making the rows of a month takes seconds, in which nothing else may have to wait.
    """
    stored = await _stored(reader, range(interval(span.start), interval(span.end)))
    numbers = sorted(set().union(*stored.values()))
    starts, table = _Steps(span, zone), dict[int, dict[Place, Row]]()
    for first in range(0, len(numbers), READ):
        asked = numbers[first : first + READ]
        sums: Buckets = {}
        for partition, own in stored.items():
            _, found = await reader.rows(partition, (), [number for number in asked if number in own])
            post(sums, found)
        for number in asked:
            begin = starts.of(number)
            for place, row in sums.get(number, {}).items():
                if not is_aside(place) and queue in (None, place[0]):
                    add(table.setdefault(begin, {}).setdefault(place, {}), row)
        # The last one may go on in what is read next.
        whole = {begin: table.pop(begin) for begin in sorted(table)[:-1]}
        yield partial(_rows, whole)
    yield partial(_rows, table)


def _rows(table: dict[int, dict[Place, Row]]) -> list[Figures]:
    return [row for begin in sorted(table) for row in _interval(begin, table[begin])]


async def _stored(reader: Reader, asked: range) -> dict[str, set[int]]:
    """Return which of the intervals that are asked for each partition has."""
    partitions = await _contact_partitions(reader)
    return {name: {number for number in await reader.intervals(name) if number in asked} for name in partitions}


class _Steps:
    """Tells in which step of a span an interval lies; asked for ever later ones."""

    def __init__(self, span: Span, zone: ZoneInfo) -> None:
        self._starts = list(steps(span, zone))
        self._at = 0

    def of(self, number: int) -> int:
        """Return the start, in ms, of the step that interval ``number`` lies in."""
        while self._at + 1 < len(self._starts) and self._starts[self._at + 1] <= number * INTERVAL_MS:
            self._at += 1
        return self._starts[self._at]


def _interval(begin: int, places: dict[Place, Row]) -> Iterator[Figures]:
    now_values = {"queue_length": None, "longest_wait_seconds": None}
    everything = [(place, places[place]) for place in sorted(places) if places[place]]
    labelled: list[tuple[tuple[str | None, str | None], Row]] = [*everything]
    labelled.append(((None, None), total(row for _, row in everything)))
    for (queue, channel), row in labelled if everything else ():
        yield {"start": iso(begin), "queue": queue, "channel": channel, **measured(row), **now_values}


def steps(span: Span, zone: ZoneInfo) -> Iterator[int]:
    """Yield the starts of the intervals of a span.

    Shorter than a day they are aligned to local midnight, the first cut where the span begins; from a day up they
    count local days from the span's start, daylight saving included.
    """
    start, end, step = span
    if step < DAY_MS:
        day = midnight(start, zone)
        at = day + (start - day) // step * step
        while at < end:
            yield max(at, start)
            following = midnight(day + DAY_MS + DAY_MS // 2, zone)
            at += step
            if at >= following:
                day = at = following
        return
    at = start
    while at < end:
        yield at
        local = (EPOCH + timedelta(milliseconds=at)).astimezone(zone)
        ahead = datetime(local.year, local.month, local.day, local.hour, local.minute) + timedelta(days=step // DAY_MS)  # noqa: DTZ001
        at = milliseconds(ahead.replace(tzinfo=zone))
