"""One partition's events in, changes out. Pure: its clock is the watermark, and what it needs is passed in.

Every partition of a topic counts for itself: all events of a contact (of an agent) come by the same one.
``Partition`` keeps what all kinds share: the watermark, what is remembered of the settled, the change so far.
``contacts.ContactPartition`` and ``people.AgentPartition`` say what an event means.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from streams.contact import Place
from streams.events import Envelope, EventError
from streams.measures import Row
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS
from streams.windows import FINE_MS, INTERVAL_MS, Buckets

#: The bytes that are remembered of a settled id.
DIGEST_BYTES: Final = 8

#: Settled ids are kept at hand this long, once a late event has asked for them; the store has the others.
AT_HAND_MS: Final = 6 * HOUR_MS

#: What the board has to know of somebody now: a waiting contact's (queue, channel, since ms), an agent's
#: (state, since ms, queues).
Now = tuple[Any, ...]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How late, how long, how many. Durations in ms."""

    #: An event behind the watermark by more than this may find its contact settled.
    settling_ms: int = 10 * MINUTE_MS
    #: After a contact's end this long is left for its wrap-up to happen, before the settling time begins.
    wrap_up_ms: int = 30 * MINUTE_MS
    #: A contact that never ended is settled this long after its last event.
    open_ms: int = DAY_MS
    #: A ticket that nobody closed is settled this long after its last event.
    ticket_ms: int = 35 * DAY_MS
    #: A settled id is remembered this long, and so long a closed ticket stays open to what follows.
    remember_ms: int = 7 * DAY_MS
    #: An event further ahead of now than this is refused.
    future_ms: int = MINUTE_MS
    #: Queues that queues.yaml does not list are counted under their own name up to this many, then as ``other``.
    unlisted_queues: int = 200
    #: Subjects are counted under their own name up to this many within a day, then as ``other``.
    subjects: int = 500


class Change(msgspec.Struct):
    """What some events have changed; ``take`` hands it out for the commit."""

    watermark: int | None = None
    #: fine bucket -> place -> what to add
    deltas: Buckets = {}
    #: interval -> place -> what to add, of places told apart by agent or subject: kept by the interval alone
    aside: Buckets = {}
    #: id -> its packed state, or None where it is no longer open
    open: dict[str, bytes | None] = {}
    #: id -> what the board shows of it, or None where there is nothing to show
    now: dict[str, Now | None] = {}
    #: hour -> digests of the ids settled in it
    settled: dict[int, list[bytes]] = {}
    #: id -> the message that the next ones in line are told, in place of an older one of the id
    told: dict[str, bytes] = {}


def digest(name: str) -> bytes:
    """Return what is remembered of a settled id."""
    return blake2b(name.encode(), digest_size=DIGEST_BYTES).digest()


class Settled:
    """The settled ids, by the hour in which they were over, as the watermark tells time.

    They are asked for only when an event comes more than the settling time late, so they stay in the store
    until then: ``missing`` says which hours are wanted, ``learn`` takes them. An hour at hand is whole: it was
    learnt, or began here.
    """

    def __init__(self, stored: Iterable[int] = ()) -> None:
        self._stored = set(stored)
        self._hours: dict[int, set[bytes]] = {}

    def missing(self, oldest: int, newest: int) -> list[int]:
        """Return the hours not at hand in which an id with an event at ``oldest`` can be settled by ``newest``."""
        first, last = oldest // HOUR_MS, newest // HOUR_MS
        return sorted(hour for hour in self._stored if first <= hour <= last and hour not in self._hours)

    def learn(self, hours: Mapping[int, bytes]) -> None:
        """Take the digests of some hours, as the store keeps them: one after the other."""
        for hour, digests in hours.items():
            cut = range(0, len(digests), DIGEST_BYTES)
            self._hours[hour] = {digests[start : start + DIGEST_BYTES] for start in cut}

    def add(self, hour: int, name: bytes) -> None:
        """Remember an id settled now."""
        if hour not in self._stored:
            self._stored.add(hour)
            self._hours[hour] = set()
        if hour in self._hours:
            self._hours[hour].add(name)

    def forget(self, before: int) -> None:
        """Leave the hours before the time ``before`` (ms) to the store again."""
        for hour in [hour for hour in self._hours if hour < before // HOUR_MS]:
            del self._hours[hour]

    def known(self, name: bytes, at: int) -> bool:
        """Tell whether an id with an event at ``at`` was settled since: whatever older hours are at hand."""
        return any(name in digests for hour, digests in self._hours.items() if hour >= at // HOUR_MS)


class Partition(ABC):
    """What counting keeps of one partition between two events."""

    def __init__(self, limits: Limits, watermark: int | None = None, settled: Iterable[int] = ()) -> None:
        """Start from what was committed: the watermark, and the hours in which ids were settled."""
        self.limits = limits
        self.watermark = watermark
        self.settled = Settled(settled)
        self._change = Change()

    def count(self, event: Envelope, at: int, now: int) -> None:
        """Count one event that happened at ``at`` and arrived at ``now`` (both ms).

        Raise EventError where it cannot count: ``future``, ``settled`` or ``too_late``.
        """
        if at - now > self.limits.future_ms:
            raise EventError("future", f"{(at - now) / 1000:.0f} s ahead of now; a source's clock is wrong")
        self._count(event, at)
        if self.watermark is None or at > self.watermark:
            self.watermark = at
            self._on_watermark(at)

    def count_all(self, events: Sequence[Any], times: Sequence[int], nows: Sequence[int]) -> dict[int, EventError]:
        """Count events that happened at ``times`` and arrived at ``nows`` (both ms), in the order they came.

        Return what cannot be counted: the number of each among them, and why.
        """
        refused: dict[int, EventError] = {}
        for number, (event, at, now) in enumerate(zip(events, times, nows, strict=True)):
            try:
                self.count(event, at, now)
            except EventError as error:
                refused[number] = error
        return refused

    def hours_wanted(self, times: Collection[int]) -> list[int]:
        """Return the hours whose settled ids have to be at hand before events of ``times`` are counted."""
        if not times:
            return []
        oldest, newest = min(times), max(times)
        if self.watermark is not None:
            # What is older than the ids remembered is too late by the watermark as it is, whatever it will be.
            oldest, newest = max(oldest, self.watermark - self.limits.remember_ms), max(newest, self.watermark)
        if oldest >= newest - self.limits.settling_ms:
            # Between batches only: within one, what was at hand at its start must stay so.
            self.settled.forget(newest - AT_HAND_MS)
            return []
        return self.settled.missing(oldest, newest)

    def advance(self, watermark: int) -> None:
        """Carry the watermark on; it never goes back."""
        if self.watermark is None or watermark > self.watermark:
            self.watermark = watermark
            self._on_watermark(watermark)

    @property
    def changed(self) -> bool:
        """Tell whether there is anything to commit but the watermark."""
        change = self._change
        return bool(change.deltas or change.aside or change.open or change.now or change.settled or change.told)

    def take(self) -> Change:
        """Return what changed since the last call."""
        change, self._change = self._change, Change()
        change.watermark = self.watermark
        return change

    @abstractmethod
    def _count(self, event: Any, at: int) -> None: ...

    def _on_watermark(self, watermark: int) -> None:  # noqa: B027 -- contacts alone have timers
        """Do what becomes due at ``watermark``: here, nothing."""

    def _refuse_if_over(self, name: str, at: int) -> None:
        """Raise EventError if an event of somebody not open is too old to count."""
        if self.watermark is None or at >= self.watermark - self.limits.settling_ms:
            return
        if at < self.watermark - self.limits.remember_ms:
            raise EventError("too_late", "older than the ids that are remembered")
        if self.settled.known(digest(name), at):
            raise EventError("settled", "its contact was settled before")

    def _row(self, at: int, place: Place) -> Row:
        """Return the row of this change that something at ``at`` counts in."""
        bucket = at // FINE_MS
        places = self._change.deltas.get(bucket)
        if places is None:
            places = self._change.deltas[bucket] = {}
        row = places.get(place)
        if row is None:
            row = places[place] = {}
        return row

    def _row_aside(self, at: int, place: Place) -> Row:
        """Return the row that something at ``at`` counts in at a place that is none of a queue."""
        number = at // INTERVAL_MS
        places = self._change.aside.get(number)
        if places is None:
            places = self._change.aside[number] = {}
        row = places.get(place)
        if row is None:
            row = places[place] = {}
        return row

    def _settle(self, name: str, due: int) -> None:
        """Close somebody who was over at ``due``: nothing of it is kept but that it was here.

        By the watermark of that moment, and not of this one: when the timers are looked at depends on the batches.
        """
        hour, known = due // HOUR_MS, digest(name)
        self._change.open[name] = None
        self._change.settled.setdefault(hour, []).append(known)
        self.settled.add(hour, known)
