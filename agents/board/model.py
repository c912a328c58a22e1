"""What the board knows: one partition's contribution at a time, added up as it comes.

Contacts, agents, feedback and customers are kept apart, each in a ``Book``. What stands aside, by agent or subject,
never comes among the rows of queues. All sums are of integers, so adding what changed gives exactly what counting anew
would give.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from agents.board.outlook import RATES_MS, Outlook
from agents.store import Delta, Snapshot
from streams.contact import Place, is_aside
from streams.measures import Row, add, total
from streams.policy import DAY_MS, MINUTE_MS
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

#: Changes of intervals older than this are not told from each other any more.
VERSIONS_MS: Final = 100 * DAY_MS

#: The book that a topic's partitions are counted in.
BOOK_OF: Final = {
    "calls": "contacts",
    "chats": "contacts",
    "agents": "agents",
    "feedback": "feedback",
    "customers": "customers",
}
BOOKS: Final = ("contacts", "agents", "feedback", "customers")


def book_of(partition: str) -> str:
    """Return the name of the book that a partition is counted in."""
    return BOOK_OF[partition.partition("/")[0]]


def split(intervals: Buckets) -> tuple[Buckets, Buckets]:
    """Return the rows of queues, and those that stand aside."""
    own: Buckets = {}
    aside: Buckets = {}
    for number, places in intervals.items():
        for place, row in places.items():
            (aside if is_aside(place) else own).setdefault(number, {})[place] = row
    return own, aside


class Book:
    """The buckets and windows of contacts, of agents, of feedback, or of customers."""

    def __init__(self, windows: Mapping[str, int], zone: ZoneInfo) -> None:
        self._fine: Buckets = {}
        self._zone = zone
        self._longest = max(windows.values()) // FINE_MS
        self._rolling = {label: Rolling(length) for label, length in windows.items()}
        self._lengths = dict(windows)
        self._days: Buckets = {}
        self._days_aside: Buckets = {}
        self._today_derived: dict[Place, Any] = {}
        self._now = 0
        #: interval -> how many changes of it came: who keeps sums of past times sees by it whether they still hold.
        self.versions: dict[int, int] = {}

    def post(self, deltas: Buckets, aside: Buckets | None = None) -> None:
        """Count what changed, and what stands aside by interval."""
        oldest = fine(self._now) - self._longest
        recent = {number: places for number, places in deltas.items() if number > oldest}
        post(self._fine, recent)
        for rolling in self._rolling.values():
            rolling.post(recent)
        intervals = coarse(deltas)
        self._post_days(intervals)
        self._post_aside(aside or {})
        for number in intervals.keys() | (aside or {}).keys():
            self.versions[number] = self.versions.get(number, 0) + 1

    def start(self, fine_rows: Buckets, intervals: Buckets) -> None:
        """Count what a partition contributed so far."""
        post(self._fine, fine_rows)
        for rolling in self._rolling.values():
            rolling.post(fine_rows)
        own, aside = split(intervals)
        self._post_days(own)
        self._post_aside(aside)

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
        for day in [day for day in self._days_aside if day < today]:
            del self._days_aside[day]
            # A version that is gone makes sums be read again once, no more.
            for number in [number for number in self.versions if number < interval(now - VERSIONS_MS)]:
                del self.versions[number]

    def sums(self, window: str) -> Mapping[Place, Row]:
        """Return the sums over a window, by place."""
        if window == TODAY:
            return self._days.get(midnight(self._now, self._zone), {})
        return self._rolling[window].sums

    def aside(self) -> Mapping[Place, Row]:
        """Return the sums since midnight of what stands aside, by place."""
        return self._days_aside.get(midnight(self._now, self._zone), {})

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

    def _post_aside(self, intervals: Buckets) -> None:
        for number, places in intervals.items():
            post(self._days_aside, {midnight(number * INTERVAL_MS, self._zone): places})


def _one(_queue: str) -> int:
    return 1


class Touched(msgspec.Struct):
    """What may show other figures than before, apart from what time alone carries on."""

    #: Every place: the windows have moved, or a partition was taken up.
    everything: bool = False
    places: set[Place] = msgspec.field(default_factory=set)
    #: Whose agents' states have changed.
    queues: set[str] = msgspec.field(default_factory=set)


class Model:
    """All partitions together."""

    def __init__(self, windows: Mapping[str, int], zone: ZoneInfo, at_once: Callable[[str], int] = _one) -> None:
        """Show ``windows``, by days of ``zone``; ``at_once`` says how many contacts of a queue an agent has at once."""
        # What comes is measured over windows of its own, whatever windows are shown.
        lengths = {**RATES_MS, **windows}
        self.contacts = Book(lengths, zone)
        self.agents = Book(windows, zone)
        self.feedback = Book(windows, zone)
        self.customers = Book(windows, zone)
        self.totals: dict[str, Totals] = {}
        self.stats: dict[str, dict[str, int]] = {}
        #: place -> (partition, contact id) -> waiting since
        self.waiting: defaultdict[Place, dict[tuple[str, str], int]] = defaultdict(dict)
        #: place -> (partition, contact id) -> open since, of tickets
        self.tickets: defaultdict[Place, dict[tuple[str, str], int]] = defaultdict(dict)
        #: agent id -> state, since, queues
        self.people: dict[str, tuple[str, int, tuple[str, ...]]] = {}
        #: The time up to which the windows reach, in ms; 0 before the first ``move``.
        self.now = 0
        self.outlook = Outlook(self.contacts, self.waiting, self.people, at_once)
        self._touched = Touched(everything=True)
        self._places: dict[tuple[str, str], Place] = {}
        #: By book, the counters of all partitions, by place; None where they have changed.
        self._counters: dict[str, dict[Place, Row | None]] = {name: {} for name in BOOKS}
        self._longest = max(lengths.values())
        self._zone = zone

    def book(self, name: str) -> Book:
        """Return the book of a name of ``BOOKS``."""
        books = (self.contacts, self.agents, self.feedback, self.customers)
        return dict(zip(BOOKS, books, strict=True))[name]

    def wanted(self, now: int, until: int | None = None) -> tuple[range, range]:
        """Return the fine buckets and the intervals that a partition's snapshot has to bring for ``now``.

        With ``until`` (ms) they serve every now up to then: a replay moves on while it is read.
        """
        today, last = midnight(now, self._zone), (now if until is None else until) + AHEAD_MS
        return range(fine(now - self._longest), fine(last) + 1), range(interval(today), interval(last) + 1)

    def start(self, partition: str, snapshot: Snapshot) -> None:
        """Take up a partition."""
        self._touched.everything = True
        name = book_of(partition)
        self.book(name).start(snapshot.fine, snapshot.intervals)
        totals = self.totals[partition] = Totals()
        totals.rows = snapshot.totals
        self._counters[name].update(dict.fromkeys(totals.rows))
        self.stats[partition] = dict(snapshot.stats)
        self._show(partition, snapshot.now.items())

    def apply(self, partition: str, delta: Delta) -> None:
        """Count what one commit changed."""
        name = book_of(partition)
        self.book(name).post(delta.deltas, delta.aside)
        self._counters[name].update(dict.fromkeys(self.totals[partition].post(delta.deltas.values())))
        self.stats[partition].update(delta.stats)
        if name == "contacts":
            self._touched.places.update(*delta.deltas.values())
            self.outlook.observe(partition, delta, self.now, self._places)
        self._show(partition, delta.now.items())

    def move(self, now: int) -> None:
        """Let all windows end now. They let go of what lies before them: a clock put back needs a new model."""
        self._touched.everything |= fine(now) != fine(self.now)
        self.now = now
        for name in BOOKS:
            self.book(name).move(now)
        self.outlook.move(now)

    def touched(self) -> Touched:
        """Return what was touched since this was last asked."""
        found, self._touched = self._touched, Touched()
        return found

    def counters(self, name: str = "contacts") -> Mapping[Place, Row]:
        """Return what was ever counted in a book, by place; it never goes down.

        A place's row is another object once it has changed, and the same until then.
        """
        books = [totals.rows for partition, totals in self.totals.items() if book_of(partition) == name]
        kept = self._counters[name]
        counters: dict[Place, Row] = {}
        for place, known in kept.items():
            counters[place] = total(rows[place][0] for rows in books if place in rows) if known is None else known
        kept.update(counters)
        return counters

    def _show(self, partition: str, changes: Iterable[tuple[str, Any]]) -> None:
        name = book_of(partition)
        if name == "agents":
            for agent_id, shown in changes:
                if shown is not None:
                    self._touched.queues.update(self.people.get(agent_id, ("", 0, ()))[2], shown[2])
                    self.people[agent_id] = (shown[0], shown[1], tuple(shown[2]))
            self.outlook.staff_changed()
            return
        shelf = self.tickets if name == "customers" else self.waiting
        for contact_id, shown in changes:
            key = (partition, contact_id)
            place = self._places.pop(key, None)
            if place is not None:
                shelf[place].pop(key, None)
                self._touched.places.add(place)
            if shown is not None:
                place = self._places[key] = (shown[0], shown[1])
                shelf[place][key] = shown[2]
                self._touched.places.add(place)
