"""A queue's last hour and its breaches, held against the visits themselves."""

import pytest

from agents.board.lasthour import Hour, LastHour, Since, breach_since, samples
from streams.measures import Measure
from streams.policy import HOUR_MS, MINUTE_MS, Promise
from streams.windows import FINE_MS, Buckets, fine
from tests.unit.life import POLICIES, START, Counting, figures, life_of

NOW = START + HOUR_MS + 45 * MINUTE_MS + 5_000
SALES = ("sales", "voice")
NEVER = Promise(target_ratio=0.0, abandonment_ratio=1.0, queue_length_limit=None, longest_wait_limit_ms=None)


async def read(seed: int) -> Hour:
    counting = Counting()
    await counting.feed(life_of(seed), until=NOW)
    return await LastHour(counting.store, HOUR_MS).at(NOW)


@pytest.mark.parametrize("window", [MINUTE_MS, 5 * MINUTE_MS, HOUR_MS])
async def test_the_last_hour_is_what_the_visits_say(window: int) -> None:
    hour, own = await read(3), [v for v in life_of(3) if v.queue == "sales"]
    found = samples(hour, SALES, window)
    assert len(found) == HOUR_MS // FINE_MS
    for sample in found:
        end = (fine(sample.at - 1) + 1) * FINE_MS
        expected = figures(own, POLICIES.of, end - window, end, NOW)
        known = min(end - 1, NOW)
        assert sample.length == sum(v.waits_at(known) for v in own), sample.at
        assert sample.sums.get(Measure.ANSWERED, 0) == expected["answered"]
        assert sample.sums.get(Measure.ANSWERED_WITHIN_TARGET, 0) == expected["answered_within_target"]
        assert sample.sums.get(Measure.ABANDONED, 0) == expected["abandoned"]


async def test_who_waits_is_named_by_the_moment_the_wait_began() -> None:
    hour = await read(4)
    for place in (("sales", "voice"), ("chat", "chat")):
        own = [v.queued for v in life_of(4) if v.queue == place[0] and v.waits_at(NOW)]
        assert hour.waiting.get(place, []) == sorted(own)
    assert any(hour.waiting.values())


def long_queue(lengths: list[int]) -> Hour:
    """Return an hour whose last fine buckets ended with these many waiting; before them nobody did."""
    first, before = fine(NOW) - len(lengths) + 1, 0
    buckets: Buckets = {}
    for number, length in enumerate(lengths, first):
        change = length - before
        measure = Measure.OFFERED if change > 0 else Measure.ANSWERED
        buckets[number] = {SALES: {measure: abs(change)}} if change else {}
        before = length
    return Hour(NOW, buckets, {SALES: [NOW] * lengths[-1]})


LIMIT = Promise(target_ratio=0.0, abandonment_ratio=1.0, queue_length_limit=3, longest_wait_limit_ms=None)


def test_a_breach_begins_with_the_last_unbroken_run() -> None:
    hour = long_queue([5, 5, 1, 4, 6, 5])
    assert breach_since(hour, SALES, LIMIT, MINUTE_MS) == Since((fine(NOW) - 2) * FINE_MS, at_least=False)


def test_a_promise_that_is_kept_now_is_no_breach_whatever_was() -> None:
    assert breach_since(long_queue([9, 9, 9, 3]), SALES, LIMIT, MINUTE_MS) is None


def test_a_breach_older_than_the_hour_is_told_as_at_least_so_old() -> None:
    found = breach_since(long_queue([4] * 500), SALES, LIMIT, MINUTE_MS)
    assert found == Since((fine(NOW) - HOUR_MS // FINE_MS + 1) * FINE_MS, at_least=True)


def test_a_wait_beyond_its_limit_is_a_breach_from_the_moment_it_passed_it() -> None:
    hour = Hour(NOW, {fine(NOW) - 30: {SALES: {Measure.OFFERED: 1}}}, {SALES: [NOW - 290_000]})
    promise = Promise(longest_wait_limit_ms=200_000, queue_length_limit=None)
    assert breach_since(hour, SALES, promise, MINUTE_MS) == Since(NOW - 90_000, at_least=False)
    assert breach_since(hour, SALES, NEVER, MINUTE_MS) is None


async def test_the_store_is_asked_once_however_many_look() -> None:
    asked = 0
    counting = Counting()
    await counting.feed(life_of(5), until=NOW)
    snapshot = counting.store.snapshot

    async def counted(partition: str, fine: range, intervals: tuple[()]) -> object:
        nonlocal asked
        asked += 1
        return await snapshot(partition, fine, intervals)

    counting.store.snapshot = counted  # type: ignore[assignment,method-assign]
    hour = LastHour(counting.store, HOUR_MS)
    first, second = await hour.at(NOW), await hour.at(NOW + 1_000)
    assert first is second
    assert asked == len(await counting.store.partitions())
