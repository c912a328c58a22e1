"""Buckets, rolling windows, intervals, totals: where in time a count belongs.

Fine buckets of 10 s make the rolling windows, intervals of 15 min make days and reports, totals make the
Prometheus counters. A bucket's number is its start divided by its length. An event counts in the bucket of
its own time, however late. Nothing here asks a clock: time is passed in.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from streams.contact import Place
from streams.events import EPOCH, milliseconds
from streams.measures import Measure, Row, add, exited
from streams.policy import MINUTE_MS

FINE_MS: Final = 10_000
INTERVAL_MS: Final = 15 * MINUTE_MS

#: bucket number -> place -> measures
Buckets = dict[int, dict[Place, Row]]


def fine(at: int) -> int:
    """Return the number of the fine bucket that ``at`` is in."""
    return at // FINE_MS


def interval(at: int) -> int:
    """Return the number of the interval that ``at`` is in."""
    return at // INTERVAL_MS


def interval_of_fine(bucket: int) -> int:
    """Return the number of the interval that a fine bucket lies in."""
    return bucket * FINE_MS // INTERVAL_MS


def coarse(deltas: Buckets) -> Buckets:
    """Sum changes of fine buckets into changes of intervals."""
    result: Buckets = {}
    for bucket, places in deltas.items():
        target = result.setdefault(interval_of_fine(bucket), {})
        for place, row in places.items():
            add(target.setdefault(place, {}), row)
    return result


def post(buckets: Buckets, deltas: Buckets) -> None:
    """Add ``deltas`` to ``buckets``."""
    for bucket, places in deltas.items():
        target = buckets.setdefault(bucket, {})
        for place, row in places.items():
            add(target.setdefault(place, {}), row)


class Totals:
    """What was ever counted at each place, as counters that never go down.

    A fact taken back makes no counter smaller, since Prometheus would read that as a restart from nothing:
    what was taken back is owed, and what is counted next pays that debt first.
    """

    def __init__(self) -> None:
        #: place -> (counters, owed); counters - owed is what was truly counted.
        self.rows: dict[Place, tuple[Row, Row]] = {}

    def post(self, deltas: Iterable[Mapping[Place, Row]]) -> set[Place]:
        """Count ``deltas``; return the places that changed."""
        # Of all buckets together first: what only moved from one to another changes no counter.
        sums: dict[Place, Row] = {}
        for places in deltas:
            for place, row in places.items():
                add(sums.setdefault(place, {}), row)
        for place, delta in sums.items():
            counters, owed = self.rows.setdefault(place, ({}, {}))
            for measure, amount in delta.items():
                if measure == Measure.MOMENTS_MS:
                    continue  # goes down as often as up: no counter
                if not owed and amount > 0:
                    counters[measure] = counters.get(measure, 0) + amount
                    continue
                net = amount - owed.pop(measure, 0)
                if net > 0:
                    counters[measure] = counters.get(measure, 0) + net
                elif net < 0:
                    owed[measure] = -net
        return set(sums)


class Rolling:
    """The sums over a window of ``length_ms``, kept up to date by what enters and what leaves it.

    The window at a moment is the ``length_ms / 10 s`` buckets up to and with the one the moment is in. Its cost
    grows with what changes, not with its length.
    """

    def __init__(self, length_ms: int) -> None:
        self.width = length_ms // FINE_MS
        self.last: int | None = None
        self.sums: dict[Place, Row] = {}
        #: The sum of all places.
        self.total: Row = {}
        #: What others have worked out from a place's sums; it is dropped when they change.
        self.derived: dict[Place, Any] = {}

    @property
    def first(self) -> int | None:
        """Return the number of the oldest bucket inside."""
        return None if self.last is None else self.last - self.width + 1

    def move(self, last: int, buckets: Buckets) -> set[Place]:
        """Let the window end with bucket ``last``; return the places whose sums changed."""
        before = range(0) if self.last is None else range(self.last - self.width + 1, self.last + 1)
        after = range(last - self.width + 1, last + 1)
        self.last = last
        changed: set[Place] = set()
        for sign, gone, kept in ((-1, before, after), (1, after, before)):
            for number in gone:
                if number not in kept and number in buckets:
                    for place, row in buckets[number].items():
                        self._add(place, row, sign)
                        changed.add(place)
        return changed

    def post(self, deltas: Buckets) -> set[Place]:
        """Count changes of buckets that the window holds; return the places whose sums changed."""
        changed: set[Place] = set()
        if self.last is None:
            return changed
        for number, places in deltas.items():
            if self.last - self.width < number <= self.last:
                for place, row in places.items():
                    self._add(place, row, 1)
                    changed.add(place)
        return changed

    def _add(self, place: Place, row: Row, sign: int) -> None:
        target = self.sums.setdefault(place, {})
        self.derived.pop(place, None)
        add(target, row, sign)
        add(self.total, row, sign)
        if not target:
            del self.sums[place]


def midnight(at: int, zone: ZoneInfo) -> int:
    """Return the last local midnight, in ms, before or at ``at``; daylight saving included."""
    local = (EPOCH + timedelta(milliseconds=at)).astimezone(zone)
    return milliseconds(datetime(local.year, local.month, local.day, tzinfo=zone))


def day_of(at: int, zone: ZoneInfo) -> int:
    """Return the local date that ``at`` (ms) is in, as its ordinal."""
    return (EPOCH + timedelta(milliseconds=at)).astimezone(zone).toordinal()


def start_of_day(day: int, zone: ZoneInfo) -> int:
    """Return when a local date, given as its ordinal, begins, in ms; daylight saving included."""
    return milliseconds(datetime.combine(date.fromordinal(day), time(), zone))


def waited_ms(row: Mapping[int, int], start: int, end: int, level_at_end: int) -> int:
    """Return the time spent waiting between ``start`` and ``end``, in visit-milliseconds, exactly.

    ``row`` sums the buckets from ``start``, where one begins, to ``end``; ``level_at_end`` visits wait at ``end``.
    """
    return _level_time(row, start, end, level_at_end, row.get(Measure.OFFERED, 0) - exited(row))


def state_ms(row: Mapping[int, int], start: int, end: int, level_at_end: int) -> int:
    """Return the time agents spent in a state between ``start`` and ``end``, in agent-milliseconds, exactly."""
    entered = row.get(Measure.STATE_ENTERED, 0) - row.get(Measure.STATE_EXITED, 0)
    return _level_time(row, start, end, level_at_end, entered)


def _level_time(row: Mapping[int, int], start: int, end: int, level_at_end: int, entered: int) -> int:
    # Who is there at the end was there all the time, less the stretch before each entry, plus that before each
    # exit: level * (end - start) - sum(entry - start) + sum(exit - start).
    return level_at_end * (end - start) + row.get(Measure.MOMENTS_MS, 0) + entered * start
