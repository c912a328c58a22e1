"""One partition's rows, as they stand: what a change is added to before it is committed.

Rows are committed as they stand and not as increments, so the worker keeps those it is likely to change again
and asks the store for the others first. That is safe because only the owner of the stored head can commit.
"""

from collections.abc import Collection
from typing import Final

from agents.store import Beat, Commit, Delta, Loaded, Store
from streams.partition import Change
from streams.policy import HOUR_MS
from streams.windows import Buckets, Totals, coarse, fine, interval, post

#: As many buckets of a kind are kept at hand.
AT_HAND: Final = 128


class Retention:
    """How long buckets and settled ids are kept behind the watermark, in ms."""

    def __init__(self, fine_ms: int, intervals_ms: int, settled_ms: int) -> None:
        self.fine_ms = fine_ms
        self.intervals_ms = intervals_ms
        self.settled_ms = settled_ms


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
        self._fine: Buckets = {}
        self._intervals: Buckets = {}

    async def commit_of(self, store: Store, change: Change, offset: int, beat: Beat, stats: dict[str, int]) -> Commit:
        """Post ``change`` and the increments ``stats``; return what has to be committed for them."""
        horizon = change.watermark or 0
        oldest_fine = fine(horizon - self._retention.fine_ms)
        oldest_interval = interval(horizon - self._retention.intervals_ms)
        recent = {number: rows for number, rows in change.deltas.items() if number >= oldest_fine}
        intervals = {number: rows for number, rows in coarse(change.deltas).items() if number >= oldest_interval}
        await self._fetch(store, recent, intervals)
        post(self._fine, recent)
        post(self._intervals, intervals)
        for name, increment in stats.items():
            self.stats[name] = self.stats.get(name, 0) + increment
        changed = self.totals.post(change.deltas.values())
        settled = {hour: b"".join(digests) for hour, digests in change.settled.items()}
        self._stored_fine |= recent.keys()
        self._stored_intervals |= intervals.keys()
        self._stored_settled |= settled.keys()
        commit = Commit(
            offset=offset,
            delta=Delta(change.deltas, change.now, {name: self.stats[name] for name in stats}),
            beat=beat,
            fine=_touched(self._fine, recent),
            intervals=_touched(self._intervals, intervals),
            totals={place: self.totals.rows[place] for place in changed},
            open=change.open,
            settled=settled,
            drop_fine=_over(self._stored_fine, oldest_fine),
            drop_intervals=_over(self._stored_intervals, oldest_interval),
            drop_settled=_over(self._stored_settled, (horizon - self._retention.settled_ms) // HOUR_MS),
        )
        self._forget(commit)
        return commit

    async def _fetch(self, store: Store, recent: Buckets, intervals: Buckets) -> None:
        """Have the rows at hand of all buckets that change."""
        fines = [number for number in recent if number not in self._fine and number in self._stored_fine]
        coarser = [n for n in intervals if n not in self._intervals and n in self._stored_intervals]
        if fines or coarser:
            found_fine, found_intervals = await store.rows(self._partition, fines, coarser)
            self._fine.update(found_fine)
            self._intervals.update(found_intervals)

    def _forget(self, commit: Commit) -> None:
        """Keep at hand only the newest buckets, and no trace of those dropped."""
        self._stored_fine.difference_update(commit.drop_fine)
        self._stored_intervals.difference_update(commit.drop_intervals)
        self._stored_settled.difference_update(commit.drop_settled)
        for at_hand in (self._fine, self._intervals):
            if len(at_hand) > AT_HAND:
                for number in sorted(at_hand)[:-AT_HAND]:
                    del at_hand[number]


def _touched(rows: Buckets, deltas: Buckets) -> Buckets:
    """Return the rows as they stand at the places that ``deltas`` changed."""
    return {number: {place: rows[number][place] for place in places} for number, places in deltas.items()}


def _over(numbers: set[int], oldest: int) -> Collection[int]:
    return [number for number in numbers if number < oldest] if numbers and min(numbers) < oldest else ()
