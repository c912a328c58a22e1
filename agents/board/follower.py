"""Keeps the model up to date with the store, and knows how old what it knows is."""

import asyncio
from collections.abc import Callable, Collection
from time import monotonic, time
from typing import Final

import structlog

from agents.board.health import SENTENCES, Cause, Health
from agents.board.model import Model
from agents.store import Beat, Reader, SchemaMismatchError, Snapshot, StoreError
from streams.policy import SECOND_MS
from streams.windows import fine

#: Between two looks at the store, in seconds: what a figure is late by at most, after its commit.
POLL_S: Final = 0.1

#: New partitions are looked for this often, in polls.
DISCOVER_EVERY: Final = 20

#: All partitions answer within this, in seconds, or the others go on without them.
PATIENCE_S: Final = 0.5

#: A store in trouble is asked less often.
SLOWER_IN_TROUBLE: Final = 5

#: Figures that a worker rebuilds are waited for this long, in seconds; then those there are are shown.
REBUILD_S: Final = 60.0

#: A clock set back by no more than this only waits until it is there again.
CLOCK_SLIP_MS: Final = 5_000

log = structlog.get_logger()


class _EmptyError(Exception):
    """The store holds nothing, where it held something before."""


class _RebuildingError(Exception):
    """The store holds less than is shown already."""


class Follower:
    """Reads what was committed, partition by partition, and keeps what it knew while the store is away."""

    def __init__(
        self, reader: Reader, make_model: Callable[[], Model], clock: Callable[[], int], stale_after_ms: int
    ) -> None:
        """Follow ``reader``; ``clock`` gives the time that figures are for, in ms, from the beats known."""
        self.model = make_model()
        self.beats: dict[str, Beat] = {}
        self._reader = reader
        self._make_model = make_model
        self._clock = clock
        self._stale_after = stale_after_ms / SECOND_MS
        #: partition -> from where to ask for changes; None before it is taken up
        self._cursors: dict[str, str | None] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._beat_seen: dict[str, float] = {}
        #: partition -> the newest fine bucket that anything of it was counted in
        self._newest: dict[str, int] = {}
        self._trouble: Cause | None = None
        #: The partitions that cannot be read just now.
        self._away: dict[str, StoreError] = {}
        #: The model no longer goes with what the store holds.
        self._broken = False
        self._behind_since: float | None = None
        #: All partitions that there were have been taken up once: until then sums lack what is still to come, and
        #: Prometheus would take a counter that begins with a part of itself for one that starts again.
        self.whole = False
        #: Set after each look at the store, for whoever waits for news.
        self.polled = asyncio.Event()

    @property
    def now(self) -> int:
        """Return the time that the figures are for, in ms."""
        return self._clock()

    @property
    def silence_ms(self) -> int:
        """Return for how long no worker at all gave a sign of life, beyond what is allowed: time stands still then.

        If it went on, the windows would run empty, and a call center that nobody counts would look idle.
        """
        return max(0, round((min(self.ages().values(), default=0.0) - self._stale_after) * SECOND_MS))

    async def run(self) -> None:
        """Follow until cancelled."""
        polls = 0
        try:
            while True:
                await self._poll_and_note(discover=polls % DISCOVER_EVERY == 0)
                self.polled.set()
                polls += 1
                await asyncio.sleep(POLL_S if self._trouble is None else POLL_S * SLOWER_IN_TROUBLE)
        finally:
            asking = list(self._asking.values())
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def _poll_and_note(self, *, discover: bool) -> None:
        try:
            await self._poll(discover=discover)
        except StoreError as error:
            self._note_trouble("store_away", error)
        except SchemaMismatchError as error:
            self._note_trouble("other_version", error)
        except _EmptyError as error:
            self._note_trouble("emptied", error)
        except _RebuildingError as error:
            self._note_trouble("rebuilding", error)
        except Exception as error:  # noqa: BLE001 -- a follower that ended would leave its figures to look alive
            self._note_trouble("unreadable", error)
        else:
            self._trouble = None

    def _note_trouble(self, trouble: Cause, error: Exception) -> None:
        if self._trouble != trouble:
            log.warning("showing the last figures", why=SENTENCES[trouble], error=str(error))
        self._trouble = trouble

    async def _poll(self, *, discover: bool) -> None:
        """Take up what changed since the last time."""
        try:
            if discover:
                await self._discover()
            await self._ask_all()
        finally:
            self._move()
        if self._broken:
            await self._start_anew()
        self.whole = self.whole or (bool(self._cursors) and None not in self._cursors.values())

    async def _discover(self) -> None:
        known = await self._reader.partitions()
        if any(partition not in known for partition in self._cursors):
            self._broken = True
        for partition in known:
            self._cursors.setdefault(partition, None)

    async def _ask_all(self) -> None:
        """Ask all partitions at once. Who does not answer in time is not waited for, and asked again once it has."""
        for partition in self._cursors:
            if partition not in self._asking:
                self._asking[partition] = asyncio.create_task(self._ask(partition))
        if self._asking:
            await asyncio.wait(self._asking.values(), timeout=PATIENCE_S)
        failed: list[BaseException] = []
        for partition, task in [(name, task) for name, task in self._asking.items() if task.done()]:
            del self._asking[partition]
            error = task.exception()
            self._away.pop(partition, None)
            if isinstance(error, StoreError):
                self._away[partition] = error
            elif error is not None:
                failed.append(error)
        self._away = {name: error for name, error in self._away.items() if name in self._cursors}
        if failed:
            raise failed[0]
        if self._away and len(self._away) == len(self._cursors):
            raise next(iter(self._away.values()))

    async def _ask(self, partition: str) -> None:
        model, cursor = self.model, self._cursors[partition]
        if cursor is None:
            found = await self._read(model, partition)
            if model is self.model:
                self._take_up(model, partition, found)
                self._cursors[partition] = found.cursor
                _note_newest(self._newest, partition, found.fine)
            return
        changes = await self._reader.changes(partition, cursor)
        if model is not self.model:
            return
        if changes is None:
            self._broken = True
            return
        for delta in changes.deltas:
            model.apply(partition, delta)
            _note_newest(self._newest, partition, delta.deltas)
        self._cursors[partition] = changes.cursor
        self._note_beat(partition, changes.beat)

    def _move(self) -> None:
        now = self.now
        if self.model.now - CLOCK_SLIP_MS <= now < self.model.now:
            return
        if fine(now) < fine(self.model.now):
            self._broken = True
        else:
            self.model.move(now)

    async def _start_anew(self) -> None:
        """Build the model again beside the old one, which stays in use until the new one is whole.

        Figures are not exchanged for older ones: what a worker still has to rebuild is waited for, but not for ever.
        """
        known = await self._reader.partitions()
        if not known:
            raise _EmptyError("no partition is known there any more")
        await self._require_no_less(known)
        model, cursors, newest = self._make_model(), dict[str, str | None](), dict[str, int]()
        for partition in known:
            found = await self._read(model, partition)
            self._take_up(model, partition, found)
            cursors[partition] = found.cursor
            _note_newest(newest, partition, found.fine)
        self.model, self._cursors, self._newest = model, cursors, newest
        self._broken, self._away = False, {}
        self._behind_since = None
        for gone in self.beats.keys() - cursors.keys():
            del self.beats[gone], self._beat_seen[gone]

    async def _require_no_less(self, known: Collection[str]) -> None:
        """Raise _RebuildingError while the store holds less of any partition than was seen of it."""
        names = [name for name in self._newest if name in known]
        found = await asyncio.gather(*(self._reader.snapshot(name, (), ()) for name in names))
        less = [name for name in self._newest if name not in known]
        less += [name for name, now in zip(names, found, strict=True) if not _reaches(now.beat, self._newest[name])]
        if not less:
            self._behind_since = None
            return
        self._behind_since = self._behind_since or monotonic()
        if monotonic() - self._behind_since < REBUILD_S:
            raise _RebuildingError(f"{len(less)} of {len(self._newest)} partitions are not yet what they were")

    async def _read(self, model: Model, partition: str) -> Snapshot:
        """Return all that ``model`` needs of ``partition`` at what is now by then."""
        ahead = 0
        while True:
            asked = self.now
            snapshot = await self._reader.snapshot(partition, *model.wanted(asked, asked + ahead))
            self._note_beat(partition, snapshot.beat)
            now = self.now
            if fine(asked) <= fine(now) <= fine(asked + ahead):
                return snapshot
            # Where the clock is the watermark, the first beat tells that now is long ago, and a replay moves on while
            # it is read: the next question reaches further ahead than the clock has just come.
            ahead = max(0, 4 * (now - asked))

    def _take_up(self, model: Model, partition: str, snapshot: Snapshot) -> None:
        model.start(partition, snapshot)
        model.move(max(self.now, model.now))

    def _note_beat(self, partition: str, beat: Beat | None) -> None:
        # Ages are taken from this process's own steady clock, from when it saw the beat: clocks of two hosts differ.
        # Only of the first beat it is not known when it came, and a worker may be long dead when a board starts.
        known = self.beats.get(partition)
        if beat is not None and beat != known:
            self.beats[partition] = beat
            past = max(0.0, time() - beat.at / SECOND_MS) if known is None else 0.0
            self._beat_seen[partition] = monotonic() - past

    @property
    def alive(self) -> bool:
        """Tell whether every partition's worker gave a sign of life lately."""
        return all(age <= self._stale_after for age in self.ages().values())

    def ages(self) -> dict[str, float]:
        """Return how long ago each partition's worker gave a sign of life, in seconds."""
        now = monotonic()
        return {partition: now - seen for partition, seen in self._beat_seen.items()}

    def health(self) -> Health:
        """Return how far the figures can be trusted now."""
        age = monotonic() - min(self._beat_seen.values()) if self._beat_seen else None
        lag = max((beat.lag_ms for beat in self.beats.values()), default=None)
        cause, values = self._cause(age, lag)
        return Health(
            stale=cause is not None,
            reason=None if cause is None else SENTENCES[cause].format(*values),
            cause=cause,
            values=values,
            age_seconds=None if age is None else round(age, 1),
            lag_seconds=None if lag is None else round(lag / SECOND_MS + max(0.0, (age or 0) - 2), 1),
            store_reachable=self._trouble is None,
        )

    def _cause(self, age: float | None, lag_ms: int | None) -> tuple[Cause | None, tuple[int, ...]]:
        """Return what is wrong, and the numbers in its sentence."""
        if self._trouble is not None:
            return self._trouble, ()
        away, age_s, lag_s = len(self._away), age or 0.0, (lag_ms or 0) / SECOND_MS
        problems: tuple[tuple[bool, Cause, tuple[int, ...]], ...] = (
            (away > 0, "partitions_away", (away, len(self._cursors))),
            (age is None, "nothing_counted", ()),
            (not self.whole, "reading", ()),
            (age_s > self._stale_after, "silent", (round(age_s),)),
            (lag_s > self._stale_after, "behind", (round(lag_s),)),
        )
        return next(((cause, values) for there, cause, values in problems if there), (None, ()))


def _note_newest(newest: dict[str, int], partition: str, buckets: Collection[int]) -> None:
    if buckets:
        newest[partition] = max(newest.get(partition, 0), *buckets)


def _reaches(beat: Beat | None, newest: int) -> bool:
    """Tell whether a worker that rebuilds has come past fine bucket ``newest``, or to the end of Kafka inside it."""
    if beat is None or beat.watermark is None:
        return False
    return fine(beat.watermark) > newest or (fine(beat.watermark) == newest and not beat.behind)
