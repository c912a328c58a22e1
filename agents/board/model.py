"""What the board knows: one partition's contribution at a time, added up as it comes.

Contacts and agents are kept apart, each in a ``Book``. All sums are of integers, so adding what changed gives
exactly what counting anew would give.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from agents.store import Delta, Snapshot
from streams.contact import Place
from streams.measures import Row, add, total
from streams.policy import MINUTE_MS
from streams.windows import (
    FINE_MS,
    INTERVAL_MS,
    Buckets,
    Rolling,
    Totals,
    coarse,
    fine,
    interval,
    midnight,
    post,
)

#: The window since local midnight.
TODAY = "today"

#: Events may be this far ahead of now.
AHEAD_MS = MINUTE_MS


class Book:
    """The buckets and windows of contacts, or of agents."""

    def __init__(self, windows: Mapping[str, int], zone: ZoneInfo) -> None:
        self._fine: Buckets = {}
        self._zone = zone
        self._longest = max(windows.values()) // FINE_MS
        self._rolling = {label: Rolling(length) for label, length in windows.items()}
        self._lengths = dict(windows)
        self._days: Buckets = {}
        self._today_derived: dict[Place, Any] = {}
        self._now = 0

    def post(self, deltas: Buckets) -> None:
        """Count what changed."""
        oldest = fine(self._now) - self._longest
        recent = {number: places for number, places in deltas.items() if number > oldest}
        post(self._fine, recent)
        for rolling in self._rolling.values():
            rolling.post(recent)
        self._post_days(coarse(deltas))

    def start(self, fine_rows: Buckets, intervals: Buckets) -> None:
        """Count what a partition contributed so far."""
        post(self._fine, fine_rows)
        for rolling in self._rolling.values():
            rolling.post(fine_rows)
        self._post_days(intervals)

    def move(self, now: int) -> None:
        """Let the windows end now."""
        self._now = now
        last = fine(now)
        for rolling in self._rolling.values():
            if rolling.last != last:
                rolling.move(last, self._fine)
        for number in [number for number in self._fine if number <= last - self._longest]:
            del self._fine[number]
        today = midnight(now, self._zone)
        for day in [day for day in self._days if day < today]:
            del self._days[day]
            self._today_derived.clear()

    def sums(self, window: str) -> Mapping[Place, Row]:
        """Return the sums over a window, by place."""
        if window == TODAY:
            return self._days.get(midnight(self._now, self._zone), {})
        return self._rolling[window].sums

    def total(self, window: str) -> Row:
        """Return the sums over a window of all places together."""
        return total(self.sums(window).values()) if window == TODAY else self._rolling[window].total

    def derived(self, window: str) -> dict[Place, Any]:
        """Return what its readers keep of a window, by place; what is kept of a place is gone once its sums change."""
        return self._today_derived if window == TODAY else self._rolling[window].derived

    def later(self) -> dict[Place, Row]:
        """Return the sums of the buckets after the one that now is in: a source's clock may be ahead."""
        last, sums = fine(self._now), dict[Place, Row]()
        for number in [number for number in self._fine if number > last]:
            for place, row in self._fine[number].items():
                add(sums.setdefault(place, {}), row)
        return sums

    def start_of(self, window: str) -> int:
        """Return when a window begins, in ms: the first bucket's start."""
        if window == TODAY:
            return midnight(self._now, self._zone)
        return (fine(self._now) + 1) * FINE_MS - self._lengths[window]

    def _post_days(self, intervals: Buckets) -> None:
        # A day is a bucket too, of 23 to 25 hours, named by its midnight; one to come may have begun elsewhere.
        for number, places in intervals.items():
            day = self._days.setdefault(midnight(number * INTERVAL_MS, self._zone), {})
            for place, row in places.items():
                add(day.setdefault(place, {}), row)
                self._today_derived.pop(place, None)


class Model:
    """All partitions together."""

    def __init__(self, windows: Mapping[str, int], zone: ZoneInfo) -> None:
        self.contacts = Book(windows, zone)
        self.agents = Book(windows, zone)
        self.totals: dict[str, Totals] = {}
        self.stats: dict[str, dict[str, int]] = {}
        #: place -> (partition, contact id) -> waiting since
        self.waiting: defaultdict[Place, dict[tuple[str, str], int]] = defaultdict(dict)
        #: agent id -> state, since, queues
        self.people: dict[str, tuple[str, int, tuple[str, ...]]] = {}
        #: The time up to which the windows reach, in ms; 0 before the first ``move``.
        self.now = 0
        self._places: dict[tuple[str, str], Place] = {}
        #: The counters of all partitions, by place; None where they have changed.
        self._counters: dict[Place, Row | None] = {}
        self._longest = max(windows.values())
        self._zone = zone

    def wanted(self, now: int, until: int | None = None) -> tuple[range, range]:
        """Return the fine buckets and the intervals that a partition's snapshot has to bring for ``now``.

        With ``until`` (ms) they serve every now up to then: a replay moves on while it is read.
        """
        today, last = midnight(now, self._zone), (now if until is None else until) + AHEAD_MS
        return range(fine(now - self._longest), fine(last) + 1), range(interval(today), interval(last) + 1)

    def start(self, partition: str, snapshot: Snapshot) -> None:
        """Take up a partition."""
        self._book(partition).start(snapshot.fine, snapshot.intervals)
        totals = self.totals[partition] = Totals()
        totals.rows = snapshot.totals
        self._note_counted(partition, totals.rows)
        self.stats[partition] = dict(snapshot.stats)
        self._show(partition, snapshot.now.items())

    def apply(self, partition: str, delta: Delta) -> None:
        """Count what one commit changed."""
        self._book(partition).post(delta.deltas)
        self._note_counted(partition, self.totals[partition].post(delta.deltas.values()))
        self.stats[partition].update(delta.stats)
        self._show(partition, delta.now.items())

    def move(self, now: int) -> None:
        """Let all windows end now. They let go of what lies before them: a clock put back needs a new model."""
        self.now = now
        self.contacts.move(now)
        self.agents.move(now)

    def counters(self) -> Mapping[Place, Row]:
        """Return what was ever counted of contacts, by place; it never goes down.

        A place's row is another object once it has changed, and the same until then.
        """
        books = [totals.rows for partition, totals in self.totals.items() if not partition.startswith("agents/")]
        counters: dict[Place, Row] = {}
        for place, known in self._counters.items():
            counters[place] = total(rows[place][0] for rows in books if place in rows) if known is None else known
        self._counters.update(counters)
        return counters

    def _note_counted(self, partition: str, places: Iterable[Place]) -> None:
        if not partition.startswith("agents/"):
            self._counters.update(dict.fromkeys(places))

    def _book(self, partition: str) -> Book:
        return self.agents if partition.startswith("agents/") else self.contacts

    def _show(self, partition: str, changes: Iterable[tuple[str, Any]]) -> None:
        if partition.startswith("agents/"):
            for agent_id, shown in changes:
                if shown is not None:
                    self.people[agent_id] = (shown[0], shown[1], tuple(shown[2]))
            return
        for contact_id, shown in changes:
            key = (partition, contact_id)
            place = self._places.pop(key, None)
            if place is not None:
                self.waiting[place].pop(key, None)
            if shown is not None:
                place = self._places[key] = (shown[0], shown[1])
                self.waiting[place][key] = shown[2]
