"""One partition's rows, as they stand: what a change is added to before it is committed.

Rows are committed as they stand and not as increments, so the worker keeps those it is likely to change again
and asks the store for the others first. That is safe because only the owner of the stored head can commit.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from agents.processors.at_hand import AtHand
from agents.store import Beat, Commit, Delta, Loaded, Store, bucket_names
from streams.contact import Place
from streams.measures import Row, add
from streams.partition import Change
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS
from streams.windows import (
    INTERVAL_MS,
    Buckets,
    Totals,
    coarse,
    day_of,
    fine,
    interval,
    post,
    start_of_day,
)

#: As many buckets are kept at hand: 20 minutes of fine ones, twice the settling time, and 8 hours of intervals.
FINE_AT_HAND: Final = 128
INTERVALS_AT_HAND: Final = 32

#: A bucket that has not changed for this long, by the watermark, will hardly change again: most come late within the
#: settling time, and what is told of an interval comes while it lasts.
CALM_MS: Final = 30 * MINUTE_MS

#: As many buckets are packed at once.
MOST_PACKED: Final = 4


class Retention(msgspec.Struct, frozen=True):
    """How long buckets and settled ids are kept behind the watermark, in ms, and where days begin."""

    fine_ms: int
    intervals_ms: int
    settled_ms: int
    days_ms: int = 400 * DAY_MS
    settling_ms: int = 10 * MINUTE_MS
    zone: ZoneInfo = ZoneInfo("UTC")


class Ledger:
    """The rows, totals and statistics of one partition."""

    def __init__(self, partition: str, loaded: Loaded, retention: Retention) -> None:
        self._partition = partition
        self._retention = retention
        self.totals = Totals()
        self.totals.rows = loaded.totals
        self.stats = loaded.stats
        #: Which buckets the store holds, and those of them at hand.
        self._stored_fine, self._stored_intervals, self._stored_settled = loaded.fine, loaded.intervals, loaded.settled
        self._fine = AtHand(FINE_AT_HAND)
        self._intervals = AtHand(INTERVALS_AT_HAND)
        self._stored_days = loaded.days
        self._day_of = lru_cache(None)(lambda number: day_of(number * INTERVAL_MS, retention.zone))
        #: day -> its intervals in the store, of days that have no row of their own yet
        self._open_days: defaultdict[int, set[int]] = defaultdict(set)
        self._note_days(loaded.intervals)
        #: name of a bucket that is not packed -> the watermark at its last change; who changed last stands last
        self._loose = dict.fromkeys(sorted(loaded.loose), loaded.watermark or 0)

    async def commit_of(self, store: Store, change: Change, offset: int, beat: Beat, stats: dict[str, int]) -> Commit:
        """Post ``change`` and the increments ``stats``; return what has to be committed for them."""
        horizon = change.watermark or 0
        oldest_fine = fine(horizon - self._retention.fine_ms)
        oldest_interval = interval(horizon - self._retention.intervals_ms)
        recent = {number: rows for number, rows in change.deltas.items() if number >= oldest_fine}
        oldest_day = day_of(horizon - self._retention.days_ms, self._retention.zone)
        everything = coarse(change.deltas)
        # Their places are none of a queue: nothing has to be added up.
        for number, places in change.aside.items():
            everything.setdefault(number, {}).update(places)
        aside = {number: rows for number, rows in change.aside.items() if number >= oldest_interval}
        # What is older counts all the same where its day is still to be made of it.
        intervals = {
            number: rows
            for number, rows in everything.items()
            if number >= oldest_interval or self._is_open(number, oldest_day)
        }
        await self._fetch(store, recent, intervals)
        fine_changed, intervals_changed = self._fine.post(recent), self._intervals.post(intervals)
        for name, increment in stats.items():
            self.stats[name] = self.stats.get(name, 0) + increment
        changed = self.totals.post(change.deltas.values())
        settled = {hour: b"".join(digests) for hour, digests in change.settled.items()}
        self._stored_fine |= recent.keys()
        self._stored_intervals |= intervals.keys()
        self._note_days(intervals)
        days = await self._days_changed(store, everything)
        days |= await self._day_due(store, horizon, oldest_day)
        self._stored_days |= days.keys()
        self._stored_settled |= settled.keys()
        commit = Commit(
            offset=offset,
            delta=Delta(change.deltas, change.now, {name: self.stats[name] for name in stats}, aside),
            beat=beat,
            fine=fine_changed,
            intervals=intervals_changed,
            days=days,
            totals={place: self.totals.rows[place] for place in changed},
            open=change.open,
            settled=settled,
            outbox=change.told,
            drop_fine=_over(self._stored_fine, oldest_fine),
            drop_intervals=[
                number
                for number in _over(self._stored_intervals, oldest_interval)
                if not self._is_open(number, oldest_day)
            ],
            drop_days=_over(self._stored_days, oldest_day),
            drop_settled=_over(self._stored_settled, (horizon - self._retention.settled_ms) // HOUR_MS),
        )
        self._forget(commit)
        self._note_loose(commit, horizon)
        return commit

    def calm(self, watermark: int) -> list[str]:
        """Return the names of some buckets that are not packed and have not changed for long."""
        found = takewhile(lambda name: self._loose[name] <= watermark - CALM_MS, self._loose)
        return list(islice(found, MOST_PACKED))

    def packed(self, names: Iterable[str]) -> None:
        """Note that buckets are packed."""
        for name in names:
            del self._loose[name]

    def _note_loose(self, commit: Commit, watermark: int) -> None:
        for name in bucket_names(commit.fine, commit.intervals, commit.days, commit.settled):
            self._loose.pop(name, None)
            self._loose[name] = watermark
        for name in bucket_names(commit.drop_fine, commit.drop_intervals, commit.drop_days, commit.drop_settled):
            self._loose.pop(name, None)

    async def _fetch(self, store: Store, recent: Buckets, intervals: Buckets) -> None:
        """Have the rows at hand of all buckets that change."""
        fines = [number for number in recent if number not in self._fine and number in self._stored_fine]
        coarser = [n for n in intervals if n not in self._intervals and n in self._stored_intervals]
        if fines or coarser:
            found_fine, found_intervals = await store.rows(self._partition, fines, coarser)
            self._fine.learn(found_fine)
            self._intervals.learn(found_intervals)

    def _is_open(self, number: int, oldest: int) -> bool:
        """Tell whether the day of an interval is still to be made."""
        return self._day_of(number) >= oldest and self._day_of(number) not in self._stored_days

    def _note_days(self, intervals: Iterable[int]) -> None:
        for number in intervals:
            day = self._day_of(number)
            if day not in self._stored_days:
                self._open_days[day].add(number)

    async def _days_changed(self, store: Store, intervals: Buckets) -> Buckets:
        """Return the rows of days that have one and that still change: a correction may reach further back."""
        deltas: Buckets = {}
        for number, places in intervals.items():
            if self._day_of(number) in self._stored_days:
                post(deltas, {self._day_of(number): places})
        if not deltas:
            return {}
        found = await store.day_rows(self._partition, list(deltas))
        post(found, deltas)
        return _touched(found, deltas)

    async def _day_due(self, store: Store, watermark: int, oldest: int) -> Buckets:
        """Return the rows of the oldest day that nothing more can come for, made of its intervals; one at most."""
        for day in [day for day in self._open_days if day < oldest]:
            del self._open_days[day]
        wait = self._retention.settled_ms + self._retention.settling_ms
        first = min(self._open_days, default=None)
        if first is None or start_of_day(first + 1, self._retention.zone) + wait > watermark:
            return {}
        numbers = self._open_days.pop(first)
        _, found = await store.rows(self._partition, [], [n for n in numbers if n not in self._intervals])
        rows: dict[Place, Row] = {}
        for number in numbers:
            at_hand = number in self._intervals
            for place, row in (self._intervals.rows(number) if at_hand else found.get(number, {})).items():
                add(rows.setdefault(place, {}), row)
        return {first: rows}

    def _forget(self, commit: Commit) -> None:
        """Keep at hand only the newest buckets, and no trace of those dropped."""
        self._stored_fine.difference_update(commit.drop_fine)
        self._stored_intervals.difference_update(commit.drop_intervals)
        self._stored_days.difference_update(commit.drop_days)
        for number in commit.drop_intervals:
            self._open_days.get(self._day_of(number), set()).discard(number)
        self._stored_settled.difference_update(commit.drop_settled)
        self._fine.forget()
        self._intervals.forget()


def _touched(rows: Buckets, deltas: Buckets) -> Buckets:
    """Return the rows as they stand at the places that ``deltas`` changed."""
    return {number: {place: rows[number][place] for place in places} for number, places in deltas.items()}


def _over(numbers: set[int], oldest: int) -> Collection[int]:
    return [number for number in numbers if number < oldest] if numbers and min(numbers) < oldest else ()
