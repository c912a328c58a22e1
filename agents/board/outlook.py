"""What lies ahead of each queue: how long the next to arrive waits, how true that proved, and whether it is too much.

It is made from what the board holds already: who waits, the agents' states, how long contacts took and how many came
over the last windows. Nothing is said of a queue of which no agent is known or nobody has been handled.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from math import ceil
from typing import Final, NamedTuple, Protocol

from agents.store import Delta
from streams import kpis, staffing
from streams.contact import Place
from streams.measures import LEFT, Histogram, Measure, Row, bins, middle_of
from streams.policy import HOUR_MS, MINUTE_MS, SECOND_MS, Promise
from streams.windows import fine

#: The windows that arrivals are measured over, the short one first.
RATES_MS: Final = {"5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS}
SHORT, LONG = RATES_MS

#: The window since local midnight.
TODAY: Final = "today"

#: Handle time is taken from the shortest window in which as many were handled.
ENOUGH_HANDLED: Final = 5

#: A rate of fewer arrivals in a quarter of an hour is chance.
ENOUGH_ARRIVALS: Final = 10

#: Who is seen waiting only after this was not told anything on arrival.
TOLD_WITHIN_MS: Final = 10_000

#: The states in which an agent serves.
SERVING: Final = ("available", "offered", "on_contact", "wrap_up")

#: (partition, contact id)
Key = tuple[str, str]


class Windows(Protocol):
    """What is asked of the book of contacts."""

    def sums(self, window: str) -> Mapping[Place, Row]:
        """Return the sums over a window, by place."""


class Load(NamedTuple):
    """What a queue is up against: arrivals a second over either window, contacts taken at once, handle time."""

    short: float
    long: float
    places: int
    handle_time: float


class Overload(NamedTuple):
    """Since when (ms) more come than can be taken, and what it would take to recover."""

    since: int
    arrivals_per_hour: float
    capacity_per_hour: float
    agents_needed: int | None
    minutes_to_recover: float | None


class Errors:
    """How far what was told was from what was waited, over the last hour, by the minute."""

    def __init__(self) -> None:
        #: minute, sum of absolute errors in ms, how many
        self._minutes: deque[tuple[int, float, int]] = deque()

    def note(self, error_ms: float, now: int) -> None:
        """Note how far off one estimate was."""
        minute = now // MINUTE_MS
        last, total, count = self._minutes.pop() if self._minutes else (minute, 0.0, 0)
        if last != minute:
            self._minutes.append((last, total, count))
            total, count = 0.0, 0
        self._minutes.append((minute, total + error_ms, count + 1))
        self._forget(now)

    def mean_seconds(self, now: int) -> float | None:
        """Return the mean absolute error of the last hour, in seconds."""
        self._forget(now)
        total = sum(error for _, error, _ in self._minutes)
        return kpis.ratio(total, sum(count for _, _, count in self._minutes) * SECOND_MS)

    def _forget(self, now: int) -> None:
        while self._minutes and self._minutes[0][0] <= (now - HOUR_MS) // MINUTE_MS:
            self._minutes.popleft()


class Outlook:
    """Looks ahead for each queue, and back on what it said."""

    def __init__(
        self,
        contacts: Windows,
        waiting: Mapping[Place, Mapping[Key, int]],
        people: Mapping[str, tuple[str, int, tuple[str, ...]]],
        at_once: Callable[[str], int],
    ) -> None:
        """Look at the model's book of ``contacts``, those ``waiting`` and its ``people``.

        ``at_once`` says how many contacts of a queue an agent has at the same time.
        """
        self._contacts = contacts
        self._waiting = waiting
        self._people = people
        self._at_once = at_once
        #: queue -> agents by state; None when states have changed
        self._staff: dict[str, Counter[str]] | None = None
        self._told: dict[Key, float] = {}
        self._errors: dict[Place, Errors] = {}
        self._since: dict[Place, int] = {}
        self._looked = 0

    def staff_changed(self) -> None:
        """Note that agents' states have changed."""
        self._staff = None

    def staff(self, queue: str) -> Counter[str] | None:
        """Return a queue's agents by state; None if none was ever heard of."""
        if self._staff is None:
            self._staff = {}
            for state, _, queues in self._people.values():
                for each in queues:
                    self._staff.setdefault(each, Counter())[state] += 1
        return self._staff.get(queue)

    def handle_time(self, place: Place) -> float | None:
        """Return how long a contact takes lately, in seconds: talk and wrap-up; None where nobody was handled."""
        for window in (LONG, TODAY):
            row = self._contacts.sums(window).get(place, {})
            if row.get(Measure.HANDLED, 0) >= (ENOUGH_HANDLED if window == LONG else 1):
                return kpis.average_handle_time(row)
        return None

    def knows(self, place: Place) -> bool:
        """Tell whether enough is known of a queue to look ahead."""
        return self.staff(place[0]) is not None and bool(self.handle_time(place))

    def expected_wait(self, place: Place) -> float | None:
        """Return how long the next to arrive waits, in seconds; None where it is not known.

        Who waits ahead are those in the same queue and channel, who serves are all agents of the queue in a state of
        work, each with as many contacts as they have at once, however many other queues they have. So it is too short
        where agents serve several busy queues, and too long where many give up.
        """
        staff, took = self.staff(place[0]), self.handle_time(place)
        if staff is None or not took:
            return None
        ahead, places = len(self._waiting.get(place, ())), self._places(staff, place[0])
        return staffing.expected_wait(ahead, staff["available"], places, took)

    def _places(self, staff: Counter[str], queue: str) -> int:
        """Return how many contacts of a queue those who serve it can have at once."""
        return sum(staff[state] for state in SERVING) * self._at_once(queue)

    def error_seconds(self, place: Place, now: int) -> float | None:
        """Return how far off, on average, what was told on arrival was of those answered in the last hour."""
        errors = self._errors.get(place)
        return None if errors is None else errors.mean_seconds(now)

    def overload(self, place: Place, promise: Promise) -> Overload | None:
        """Return what a queue that takes more than it can needs; None for one that does not.

        As long as a queue keeps its promise its agents do take what comes, whatever was thought that they can.
        """
        since = self._since.get(place)
        load = None if since is None else self._load(place)
        if since is None or load is None or self._keeps(place, promise):
            return None
        needed = staffing.agents_needed(
            load.short, load.handle_time, promise.threshold_ms / SECOND_MS, promise.target_ratio
        )
        waiting = len(self._waiting.get(place, ()))
        took = None if needed is None else staffing.recovery(waiting, load.short, needed, load.handle_time)
        hour = HOUR_MS // SECOND_MS
        able = staffing.capacity(load.places, load.handle_time)
        minutes = None if took is None else took * SECOND_MS / MINUTE_MS
        agents = None if needed is None else ceil(needed / promise.contacts_at_once)
        return Overload(since, load.short * hour, able * hour, agents, minutes)

    def _keeps(self, place: Place, promise: Promise) -> bool:
        level = kpis.service_level(self._contacts.sums(SHORT).get(place, {}))[promise.formula]
        return level is not None and level >= promise.target_ratio

    def move(self, now: int) -> None:
        """Look, once a fine bucket, where more come than can be taken: over both windows, not for a moment alone."""
        if fine(now) == self._looked:
            return
        self._looked = fine(now)
        busy = [
            place for place, row in self._contacts.sums(LONG).items() if row.get(Measure.OFFERED, 0) >= ENOUGH_ARRIVALS
        ]
        over = {place for place in busy if self._too_much(place)}
        self._since = {place: self._since.get(place, now) for place in over}

    def _too_much(self, place: Place) -> bool:
        load = self._load(place)
        return load is not None and min(load.short, load.long) > staffing.capacity(load.places, load.handle_time)

    def _load(self, place: Place) -> Load | None:
        staff, took = self.staff(place[0]), self.handle_time(place)
        if staff is None or not took:
            return None
        rates = [
            self._contacts.sums(window).get(place, {}).get(Measure.OFFERED, 0) * SECOND_MS / length
            for window, length in RATES_MS.items()
        ]
        return Load(rates[0], rates[1], self._places(staff, place[0]), took)

    def observe(self, partition: str, delta: Delta, now: int, places: Mapping[Key, Place]) -> None:
        """Take note of who has arrived and who was answered, before the model shows it.

        Who arrives is told the wait expected then. Several may have left in one commit: which of them were answered,
        and after what wait, follows from their order, since who came first has waited longest.
        """
        left: dict[Place, list[tuple[int, Key]]] = {}
        for contact_id, shown in delta.now.items():
            key = (partition, contact_id)
            place = places.get(key)
            if place is not None and (
                shown is None or (shown[0], shown[1]) != place or shown[2] != self._waiting[place].get(key)
            ):
                left.setdefault(place, []).append((self._waiting[place].get(key, now), key))
            if shown is not None and key not in places and 0 <= now - shown[2] <= TOLD_WITHIN_MS:
                told = self.expected_wait((shown[0], shown[1]))
                if told is not None:
                    self._told[key] = told
        for place, gone in left.items():
            self._compare(place, sorted(gone), _exits(delta, place), now)

    def _compare(
        self, place: Place, gone: list[tuple[int, Key]], exits: list[tuple[float, bool]] | None, now: int
    ) -> None:
        told = [self._told.pop(key, None) for _, key in gone]
        # More may have ended than were seen to wait: they came and went within one commit, so they waited least.
        for said, (waited_ms, answered) in zip(told, exits or (), strict=False):
            if said is not None and answered:
                self._errors.setdefault(place, Errors()).note(abs(said * SECOND_MS - waited_ms), now)


def _exits(delta: Delta, place: Place) -> list[tuple[float, bool]] | None:
    """Return the waits (ms) that ended in a commit, longest first, each with whether it was answered.

    None where some ended otherwise, or were taken back: then nobody can tell who was who.
    """
    rows = [places[place] for places in delta.deltas.values() if place in places]
    if any(row.get(measure) for row in rows for measure in (*LEFT, Measure.LOST)):
        return None
    found: list[tuple[float, bool]] = []
    for row in rows:
        for histogram, answered in ((Histogram.WAIT_ANSWERED, True), (Histogram.WAIT_ABANDONED, False)):
            waits = list(bins(row, histogram))
            if any(count < 0 for _, count in waits):
                return None
            found += _waits(row, waits, answered=answered)
    return sorted(found, reverse=True)


def _waits(row: Row, waits: Iterable[tuple[int, int]], *, answered: bool) -> list[tuple[float, bool]]:
    """Return the waits of one kind in a row, in ms: exact of a single one, otherwise to their bins."""
    each = [(middle_of(number), answered) for number, count in waits for _ in range(count)]
    exact = row.get(Measure.WAIT_ANSWERED_MS if answered else Measure.WAIT_ABANDONED_MS, 0)
    return [(float(exact), answered)] if len(each) == 1 else each
