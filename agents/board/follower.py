"""Keeps the model up to date with the store, and knows how old what it knows is."""

import asyncio
from collections.abc import Callable
from time import monotonic, time
from typing import Final

import msgspec
import structlog

from agents.board.model import Model
from agents.store import Beat, Reader, SchemaMismatchError, StoreError
from streams.policy import SECOND_MS
from streams.windows import fine

#: Between two looks at the store, in seconds: what a figure is late by at most, after its commit.
POLL_S: Final = 0.1

#: New partitions are looked for this often, in polls.
DISCOVER_EVERY: Final = 20

log = structlog.get_logger()


class Health(msgspec.Struct, frozen=True):
    """How far the figures can be trusted."""

    stale: bool
    #: What is wrong, in a sentence for people; None if nothing is.
    reason: str | None
    #: Since the oldest partition's last sign of life, in seconds; None before the first.
    age_seconds: float | None
    #: How far the worker is behind Kafka, in seconds; None if not known.
    lag_seconds: float | None
    store_reachable: bool


class _EmptyError(Exception):
    """The store holds nothing, where it held something before."""


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
        self._cursors: dict[str, str] = {}
        self._beat_seen: dict[str, float] = {}
        self._trouble: str | None = None

    @property
    def now(self) -> int:
        """Return the time that the figures are for, in ms."""
        return self._clock()

    async def run(self) -> None:
        """Follow until cancelled."""
        polls = 0
        while True:
            try:
                await self._poll(discover=polls % DISCOVER_EVERY == 0)
            except StoreError as error:
                self._note_trouble("the store cannot be reached", error)
            except SchemaMismatchError as error:
                self._note_trouble("the store was written by another version of callwatch", error)
            except _EmptyError as error:
                self._note_trouble("the store has lost its figures; a worker rebuilds them from Kafka", error)
            except Exception as error:  # noqa: BLE001 -- a follower that ended would leave its figures to look alive
                self._note_trouble("the figures cannot be followed", error)
            else:
                self._trouble = None
            polls += 1
            await asyncio.sleep(POLL_S)

    def _note_trouble(self, trouble: str, error: Exception) -> None:
        if self._trouble != trouble:
            log.warning("showing the last figures", why=trouble, error=str(error))
        self._trouble = trouble

    async def _poll(self, *, discover: bool) -> None:
        """Take up what changed since the last time."""
        if discover:
            known = await self._reader.partitions()
            if any(partition not in known for partition in self._cursors):
                await self._start_anew()
            for partition in known:
                if partition not in self._cursors:
                    self._cursors[partition] = await self._start(self.model, partition)
        for partition, cursor in list(self._cursors.items()):
            changes = await self._reader.changes(partition, cursor)
            if changes is None:
                await self._start_anew()
                break
            for delta in changes.deltas:
                self.model.apply(partition, delta)
            self._cursors[partition] = changes.cursor
            self._note_beat(partition, changes.beat)
        now = self.now
        if fine(now) < fine(self.model.now):
            await self._start_anew()
        else:
            self.model.move(now)

    async def _start_anew(self) -> None:
        """Build the model again beside the old one, which stays in use until the new one is whole."""
        known = await self._reader.partitions()
        if not known:
            raise _EmptyError("no partition is known there any more")
        model, cursors = self._make_model(), dict[str, str]()
        for partition in known:
            cursors[partition] = await self._start(model, partition)
        self.model, self._cursors = model, cursors
        for gone in self.beats.keys() - cursors.keys():
            del self.beats[gone], self._beat_seen[gone]

    async def _start(self, model: Model, partition: str) -> str:
        """Take ``partition`` up into ``model``; return the cursor to follow it from."""
        asked = self.now
        snapshot = await self._reader.snapshot(partition, *model.wanted(asked))
        self._note_beat(partition, snapshot.beat)
        if fine(self.now) < fine(asked):
            # Where the clock is the watermark, the first beat has told that now is long ago.
            snapshot = await self._reader.snapshot(partition, *model.wanted(self.now))
        model.start(partition, snapshot)
        model.move(self.now)
        return snapshot.cursor

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
        reason = self._trouble
        if reason is None and age is None:
            reason = "no worker has counted anything yet"
        elif reason is None and age is not None and age > self._stale_after:
            reason = f"no sign of life from the worker for {age:.0f} s"
        elif reason is None and lag is not None and lag / SECOND_MS > self._stale_after:
            reason = f"the worker is {lag / SECOND_MS:.0f} s behind Kafka"
        return Health(
            stale=reason is not None,
            reason=reason,
            age_seconds=None if age is None else round(age, 1),
            lag_seconds=None if lag is None else round(lag / SECOND_MS + max(0.0, (age or 0) - 2), 1),
            store_reachable=self._trouble is None,
        )
