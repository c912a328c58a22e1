"""A store that does not give up: what its caller needs done before anything else can go on."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from itertools import chain, repeat
from typing import Final, TypeVar

import structlog

from agents.store import Beat, Commit, Head, Loaded, Store, StoreError
from streams.windows import Buckets

#: Waits between two tries, in seconds; the last is repeated.
WAITS_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)

T = TypeVar("T")
log = structlog.get_logger()


class RevokedError(Exception):
    """The partition was taken away while the store did not answer."""


class InsistentStore:
    """Tries again what the store could not do, until it can or the partition is ``revoked``.

    A commit that timed out may have been applied: its second try is then refused, and the caller loads again.
    """

    def __init__(self, store: Store, revoked: Callable[[], bool]) -> None:
        self._store = store
        self._revoked = revoked

    async def load(self, partition: str) -> Loaded:
        """Return what is stored."""
        return await self._insist(partition, lambda: self._store.load(partition))

    async def rows(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> tuple[Buckets, Buckets]:
        """Return single buckets."""
        return await self._insist(partition, lambda: self._store.rows(partition, fine, intervals))

    async def settled(self, partition: str, hours: Collection[int]) -> dict[int, bytes]:
        """Return digests by hour."""
        return await self._insist(partition, lambda: self._store.settled(partition, hours))

    async def commit(self, partition: str, base: Head, commit: Commit) -> Head | None:
        """Apply ``commit`` if ``base`` still is the head."""
        return await self._insist(partition, lambda: self._store.commit(partition, base, commit))

    async def beat(self, partition: str, base: Head, beat: Beat) -> bool:
        """Note a sign of life if ``base`` still is the head."""
        return await self._insist(partition, lambda: self._store.beat(partition, base, beat))

    async def close(self) -> None:
        """Let go of connections."""
        await self._store.close()

    async def _insist(self, partition: str, attempt: Callable[[], Awaitable[T]]) -> T:
        for tried, wait in enumerate(chain(WAITS_S, repeat(WAITS_S[-1]))):
            if self._revoked():
                raise RevokedError(partition)
            try:
                return await attempt()
            except StoreError as error:
                if tried == len(WAITS_S):
                    log.warning("the store does not answer; trying on", partition=partition, error=str(error))
                await asyncio.sleep(wait)
        raise AssertionError  # pragma: no cover -- the waits never end
