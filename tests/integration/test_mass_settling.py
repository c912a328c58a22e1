"""A jump of the watermark settles all that was open, some in each commit; each is applied once, by a slow Redis too."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest

from agents.processors.processor import Processor, RefusedError
from agents.store.redis import RedisStore
from streams import events as ev
from streams.contacts import MOST_SETTLED
from streams.measures import Measure
from streams.policy import HOUR_MS
from tests.unit.counted import NAME, SALES, START, Clock, Office, bounds, context_of, record

pytestmark = pytest.mark.integration

CONTACTS: Final = 40_000
BATCH: Final = 2_000


@pytest.fixture
async def patient(redis_url: str) -> AsyncIterator[RedisStore]:
    """A store that waits for as long as it takes."""
    store = RedisStore(redis_url, timeout_s=60)
    yield store
    await store.close()


@pytest.mark.parametrize("timeout_s", [60, 0.15], ids=["patient", "impatient"])
async def test_a_jump_that_settles_many_contacts_at_once_is_applied_once(
    redis_url: str, patient: RedisStore, timeout_s: float
) -> None:
    counting = await opened(patient)
    assert len((await patient.load(NAME)).open) == CONTACTS
    impatient = RedisStore(redis_url, timeout_s=timeout_s)
    counting._store._store = impatient
    last = record(CONTACTS, "queued", "last", 26 * HOUR_MS, queue="sales")
    for _ in range(100):
        try:
            await counting.process([last], CONTACTS + 1)
            break
        except RefusedError:
            counting._store._store = patient
            await counting.load(bounds(0, CONTACTS + 1))
    left = len((await patient.load(NAME)).open) - 1
    assert CONTACTS - MOST_SETTLED <= left < CONTACTS
    while left:
        await asyncio.sleep(0.01)
        await counting.tick(CONTACTS + 1, silent_s=0.0)
        before, left = left, len((await patient.load(NAME)).open) - 1
        assert before - left <= MOST_SETTLED
    await impatient.close()
    loaded = await patient.load(NAME)
    counters, owed = loaded.totals[SALES]
    assert (loaded.head.offset, set(loaded.open)) == (CONTACTS + 1, {"last"})
    assert counters[Measure.OFFERED] - owed.get(Measure.OFFERED, 0) == CONTACTS + 1
    assert counters[Measure.LOST] - owed.get(Measure.LOST, 0) == CONTACTS
    assert sum(map(len, (await patient.settled(NAME, loaded.settled)).values())) % CONTACTS == 0


async def opened(store: RedisStore) -> Processor:
    """Return a processor with so many contacts waiting."""
    counting = Processor(ev.CALLS, NAME, context_of(store, Office(), Clock(START + 48 * HOUR_MS)))
    await counting.load(bounds(0, CONTACTS + 1))
    for start in range(0, CONTACTS, BATCH):
        numbers = range(start, start + BATCH)
        await counting.process(
            [record(n, "queued", f"contact-{n}", n % 60_000, queue="sales") for n in numbers], start + BATCH
        )
    return counting
