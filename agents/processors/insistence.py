"""Not giving up: a store and an office for dead letters that try again until they can, and say what is in the way."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import chain, repeat
from time import monotonic
from typing import Final, TypeVar

import structlog

from agents.processors.dead_letters import DeadLetter, DeadLetterOffice
from agents.store import Beat, Commit, Head, Loaded, Store, StoreError
from streams.windows import Buckets

#: Waits between two tries, in seconds; the last is repeated.
WAITS_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)

#: The same trouble is said again after this, in seconds.
SAY_AGAIN_S: Final = 60.0

#: What is said of troubles that do not pass by themselves, in lower case, and what to do; the first that matches.
ADVICE: Final = (
    ("username-password", "check the user in CALLWATCH_REDIS, and CALLWATCH_REDIS_PASSWORD; then restart the worker"),
    ("authentication required", "Redis wants a password now: give CALLWATCH_REDIS_PASSWORD, and restart the worker"),
    ("noauth", "Redis wants a password now: give CALLWATCH_REDIS_PASSWORD, and restart the worker"),
    ("permission", "give callwatch's user in Redis the rights that SECURITY.md lists"),
    ("user executing", "give callwatch's user in Redis the rights that SECURITY.md lists"),
    ("read only", "this Redis is a replica: name the master in CALLWATCH_REDIS, or promote this one"),
    ("readonly", "this Redis is a replica: name the master in CALLWATCH_REDIS, or promote this one"),
    ("maxmemory", "Redis is full: give it more memory (maxmemory), or keep less (docs/settings.md)"),
    ("unable to persist", "Redis cannot write to its disk: make room there"),
    ("misconf", "Redis cannot write to its disk: make room there"),
    ("clusterdown", "slots of the Redis Cluster have no master: bring one back"),
    ("topicauthorization", "give callwatch's user in Kafka the right to write to this topic"),
    ("unknowntopic", "make the topic that is missing with: callwatch topics"),
    ("topic", "is the topic there? It is made with: callwatch topics"),
)

T = TypeVar("T")
log = structlog.get_logger()


class RevokedError(Exception):
    """The partition was taken away while the store or Kafka did not answer."""


class Troubles:
    """What is in the way, said at once and then once a minute: one line for all partitions that wait for the same."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], set[str]] = {}
        self._said: dict[tuple[str, str], float] = {}

    def meet(self, who: str, partition: str, error: str) -> None:
        """Note that ``partition`` waits for ``who``; say it if that was not said within the last minute."""
        lowered = error.lower()
        advice = next((advice for sign, advice in ADVICE if sign in lowered), "is it running, and can it be reached?")
        trouble = who, advice
        waiting = self._waiting.setdefault(trouble, set())
        waiting.add(partition)
        now = monotonic()
        if now - self._said.get(trouble, now - SAY_AGAIN_S) >= SAY_AGAIN_S:
            self._said[trouble] = now
            log.warning(who, partition=partition, waiting=len(waiting), error=error, advice=advice)

    def over(self, partition: str, *, quietly: bool = False) -> None:
        """Note that ``partition`` waits no longer; once none does, say so."""
        for trouble in [trouble for trouble, waiting in self._waiting.items() if partition in waiting]:
            self._waiting[trouble].discard(partition)
            if not self._waiting[trouble]:
                del self._waiting[trouble], self._said[trouble]
                if not quietly:
                    log.info("that is over; going on", was=trouble[0])


class InsistentStore:
    """Tries again what the store could not do, until it can or the partition is ``revoked``.

    A commit that timed out may have been applied: its second try is then refused, and the caller loads again.
    """

    def __init__(self, store: Store, revoked: Callable[[], bool], troubles: Troubles | None = None) -> None:
        self._store = store
        self._revoked = revoked
        self._troubles = troubles or Troubles()

    async def load(self, partition: str) -> Loaded:
        """Return what is stored."""
        return await self._insist(partition, lambda: self._store.load(partition))

    async def rows(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> tuple[Buckets, Buckets]:
        """Return single buckets."""
        return await self._insist(partition, lambda: self._store.rows(partition, fine, intervals))

    async def day_rows(self, partition: str, days: Collection[int]) -> Buckets:
        """Return single days."""
        return await self._insist(partition, lambda: self._store.day_rows(partition, days))

    async def settled(self, partition: str, hours: Collection[int]) -> dict[int, bytes]:
        """Return digests by hour."""
        return await self._insist(partition, lambda: self._store.settled(partition, hours))

    async def commit(self, partition: str, base: Head, commit: Commit) -> Head | None:
        """Apply ``commit`` if ``base`` still is the head."""
        return await self._insist(partition, lambda: self._store.commit(partition, base, commit))

    async def beat(self, partition: str, base: Head, beat: Beat) -> bool:
        """Note a sign of life if ``base`` still is the head."""
        return await self._insist(partition, lambda: self._store.beat(partition, base, beat))

    async def pack(self, partition: str, base: Head, names: Collection[str]) -> bool:
        """Keep buckets in less room if ``base`` still is the head."""
        return await self._insist(partition, lambda: self._store.pack(partition, base, names))

    async def close(self) -> None:
        """Let go of connections."""
        await self._store.close()

    async def _insist(self, partition: str, attempt: Callable[[], Awaitable[T]]) -> T:
        for tried, wait in enumerate(chain(WAITS_S, repeat(WAITS_S[-1]))):
            if self._revoked():
                self._troubles.over(partition, quietly=True)
                raise RevokedError(partition)
            try:
                done = await attempt()
            except StoreError as error:
                if tried >= len(WAITS_S):
                    self._troubles.meet("the store does not do what it must; trying on", partition, str(error))
                await asyncio.sleep(wait)
            else:
                if tried > len(WAITS_S):
                    self._troubles.over(partition)
                return done
        raise AssertionError  # pragma: no cover -- the waits never end


class InsistentOffice:
    """Tries again to write dead letters, under the same keys, until it can or the partition is ``revoked``."""

    def __init__(self, office: DeadLetterOffice, revoked: Callable[[], bool], troubles: Troubles) -> None:
        self._office = office
        self._revoked = revoked
        self._troubles = troubles

    async def send(self, partition: str, letters: Sequence[DeadLetter]) -> None:
        """Return once all ``letters`` are written for good. Raise RevokedError."""
        while not self._revoked():
            try:
                await self._office.send(letters)
            except Exception as error:  # noqa: BLE001 -- whatever the client says: a letter must not get lost
                self._troubles.meet("dead letters could not be written; trying on", partition, repr(error))
                await asyncio.sleep(WAITS_S[-1])
            else:
                self._troubles.over(partition)
                return
        self._troubles.over(partition, quietly=True)
        raise RevokedError(partition)
