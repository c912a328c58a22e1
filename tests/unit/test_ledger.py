"""The rows of one partition: absolute in the commit, right whatever is at hand, dropped when their time is over."""

import random
from collections.abc import Collection
from typing import Final

from agents.processors.ledger import CALM_MS, FINE_AT_HAND, MOST_PACKED, Ledger, Retention
from agents.store import NOTHING, Beat, Head
from agents.store.memory import MemoryStore
from streams.contact import Place
from streams.partition import Change
from streams.policy import DAY_MS, HOUR_MS
from streams.windows import Buckets, Totals, coarse, post
from tests.unit.counted import NAME, SALES, START

RETENTION: Final = Retention(2 * HOUR_MS, 35 * DAY_MS, 7 * DAY_MS)
BEAT: Final = Beat(0, 0, 0, START)
CARE: Final[Place] = ("care", "chat")
NOW: Final = START // 10_000
HOUR: Final = START // HOUR_MS


class Asked(MemoryStore):
    """A store that remembers which rows were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[list[int], list[int]]] = []

    async def rows(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> tuple[Buckets, Buckets]:
        self.asked.append((sorted(fine), sorted(intervals)))
        return await super().rows(partition, fine, intervals)


async def ledger_of(store: MemoryStore, retention: Retention = RETENTION) -> Ledger:
    return Ledger(NAME, await store.load(NAME), retention)


def change_of(deltas: Buckets, watermark: int | None = START) -> Change:
    return Change(watermark=watermark, deltas=deltas)


async def commit(
    store: MemoryStore, ledger: Ledger, change: Change, stats: dict[str, int] | None = None, *, base: Head | None = None
) -> Head:
    """Commit a change, on the stored head unless another is given."""
    made = await ledger.commit_of(store, change, 1, BEAT, stats or {})
    head = await store.commit(NAME, base or (await store.load(NAME)).head, made)
    assert head is not None
    return head


async def test_a_commit_holds_rows_as_they_stand_and_a_delta_of_what_is_added() -> None:
    store = MemoryStore()
    ledger = await ledger_of(store)
    await commit(store, ledger, change_of({NOW: {SALES: {1: 2}}}), base=NOTHING)
    made = await ledger.commit_of(store, change_of({NOW: {SALES: {1: 3, 2: -1}}}), 9, BEAT, {})
    assert made.fine == {NOW: {SALES: {1: 5, 2: -1}}}
    assert made.intervals == {NOW // 90: {SALES: {1: 5, 2: -1}}}
    assert made.delta.deltas == {NOW: {SALES: {1: 3, 2: -1}}}
    assert made.totals == {SALES: ({1: 5}, {2: 1})}
    assert (made.offset, made.beat) == (9, BEAT)


async def test_only_places_that_changed_are_written() -> None:
    store = MemoryStore()
    ledger = await ledger_of(store)
    await commit(store, ledger, change_of({NOW: {SALES: {1: 2}, CARE: {1: 1}}}))
    made = await ledger.commit_of(store, change_of({NOW: {CARE: {1: 1}}}), 2, BEAT, {})
    assert made.fine == {NOW: {CARE: {1: 2}}}
    assert set(made.totals) == {CARE}


async def test_rows_of_a_former_owner_are_fetched_once_and_added_to() -> None:
    store = Asked()
    await commit(store, await ledger_of(store), change_of({NOW: {SALES: {1: 2}}, NOW - 1: {SALES: {1: 7}}}))
    ledger = await ledger_of(store)
    await commit(store, ledger, change_of({NOW: {SALES: {1: 1}}}))
    await commit(store, ledger, change_of({NOW: {SALES: {1: 1}}}))
    assert store.asked == [([NOW], [NOW // 90])]
    fine, intervals = await store.rows(NAME, [NOW - 1, NOW], [NOW // 90])
    assert fine == {NOW: {SALES: {1: 4}}, NOW - 1: {SALES: {1: 7}}}
    assert sum(row[1] for places in intervals.values() for row in places.values()) in (4, 11)


async def test_a_new_bucket_is_not_asked_for() -> None:
    store = Asked()
    await commit(store, await ledger_of(store), change_of({NOW: {SALES: {1: 2}}}))
    assert store.asked == []


async def test_stats_go_on_from_what_is_stored() -> None:
    store = MemoryStore()
    await commit(store, await ledger_of(store), change_of({}), {"event:x": 2, "dead:y": 1})
    ledger = await ledger_of(store)
    made = await ledger.commit_of(store, change_of({}), 2, BEAT, {"event:x": 3})
    assert made.delta.stats == {"event:x": 5}


async def test_a_bucket_past_its_retention_is_dropped_and_not_written_again() -> None:
    store = MemoryStore()
    ledger = await ledger_of(store)
    await commit(store, ledger, change_of({NOW: {SALES: {1: 2}}}))
    later = START + 2 * HOUR_MS + 10_000
    await commit(store, ledger, change_of({later // 10_000: {SALES: {1: 1}}}, later))
    assert (await store.load(NAME)).fine == {later // 10_000}
    made = await ledger.commit_of(store, change_of({NOW: {SALES: {1: 1}}}, later), 3, BEAT, {})
    assert (made.fine, made.intervals) == ({}, {NOW // 90: {SALES: {1: 3}}})
    assert made.totals[SALES] == ({1: 4}, {})


async def test_the_oldest_bucket_inside_the_retention_is_kept() -> None:
    store = MemoryStore()
    ledger = await ledger_of(store)
    await commit(store, ledger, change_of({NOW: {SALES: {1: 2}}}))
    later = START + 2 * HOUR_MS
    await commit(store, ledger, change_of({}, later))
    assert (await store.load(NAME)).fine == {NOW}


async def test_settled_ids_and_intervals_are_dropped_when_they_are_over() -> None:
    store = MemoryStore()
    ledger = await ledger_of(store)
    hour = START // HOUR_MS
    first = Change(watermark=START, deltas={NOW: {SALES: {1: 1}}}, settled={hour: [b"12345678", b"abcdefgh"]})
    await commit(store, ledger, first)
    assert await store.settled(NAME, [hour]) == {hour: b"12345678abcdefgh"}
    await commit(store, ledger, change_of({}, START + 7 * DAY_MS))
    assert (await store.load(NAME)).settled == {hour}
    await commit(store, ledger, change_of({}, START + 7 * DAY_MS + HOUR_MS))
    assert (await store.load(NAME)).settled == set()
    assert (await store.load(NAME)).intervals == {NOW // 90}
    await commit(store, ledger, change_of({}, START + 36 * DAY_MS))
    assert (await store.load(NAME)).intervals == set()


async def test_what_is_counted_aside_is_kept_by_the_interval_alone_and_told_to_readers() -> None:
    store = MemoryStore()
    ledger = await ledger_of(store)
    ann, number = ("ann", "@agent"), NOW // 90
    await commit(store, ledger, Change(watermark=START, aside={number: {ann: {14: 1}}}))
    change = Change(watermark=START, deltas={NOW: {SALES: {1: 2}}}, aside={number: {ann: {14: 2}}, 0: {ann: {14: 9}}})
    made = await ledger.commit_of(store, change, 2, BEAT, {})
    assert made.delta.aside == {number: {ann: {14: 2}}}, "what is older than what is kept is not told"
    assert made.intervals == {number: {SALES: {1: 2}, ann: {14: 3}}}
    assert (made.fine, set(made.totals)) == ({NOW: {SALES: {1: 2}}}, {SALES})


async def test_what_is_told_goes_to_the_outbox() -> None:
    ledger = await ledger_of(MemoryStore())
    made = await ledger.commit_of(MemoryStore(), Change(watermark=START, told={"c1": b"told"}), 2, BEAT, {})
    assert made.outbox == {"c1": b"told"}


async def test_rows_are_right_whatever_is_at_hand_and_whoever_owns_them() -> None:
    chance = random.Random(7)
    store = Asked()
    ledger = await ledger_of(store)
    fine: Buckets = {}
    totals = Totals()
    spread = range(NOW - 3 * FINE_AT_HAND, NOW)
    for step in range(150):
        if step % 40 == 39:
            ledger = await ledger_of(store)  # another worker goes on
        deltas: Buckets = {}
        for _ in range(5):
            row = {chance.randrange(1, 4): chance.choice((-1, 1, 2))}
            deltas.setdefault(chance.choice(spread), {})[chance.choice((SALES, CARE))] = row
        post(fine, deltas)
        totals.post(deltas.values())
        await commit(store, ledger, change_of(deltas))
    assert store.asked, "nothing was ever out of reach: nothing is shown"
    stored, intervals = await store.rows(NAME, spread, range(spread[0] // 90, NOW // 90 + 1))
    assert stored == fine
    summed = coarse(fine)
    assert intervals == summed
    assert (await store.load(NAME)).totals == totals.rows


async def test_a_bucket_is_calm_once_it_has_not_changed_for_long() -> None:
    store = MemoryStore()
    ledger = await ledger_of(store)
    await commit(store, ledger, change_of({NOW: {SALES: {1: 2}}}))
    assert ledger.calm(START + CALM_MS - 1) == []
    assert ledger.calm(START + CALM_MS) == [f"f{NOW}", f"i{NOW // 90}"]
    await commit(store, ledger, change_of({NOW: {SALES: {1: 1}}}, START + 1_000))
    assert ledger.calm(START + CALM_MS) == []


async def test_what_was_packed_is_not_packed_again_until_it_changes() -> None:
    store = MemoryStore()
    ledger = await ledger_of(store)
    await commit(store, ledger, change_of({NOW: {SALES: {1: 2}}}))
    ledger.packed([f"f{NOW}"])
    assert ledger.calm(START + CALM_MS) == [f"i{NOW // 90}"]
    await commit(store, ledger, change_of({NOW: {SALES: {1: 2}}}))
    assert ledger.calm(START + CALM_MS) == [f"f{NOW}", f"i{NOW // 90}"]


async def test_another_owner_packs_what_the_one_before_has_not() -> None:
    store = MemoryStore()
    ledger = await ledger_of(store)
    head = await commit(store, ledger, Change(watermark=START, settled={HOUR: [b"12345678"], HOUR + 1: [b"12345678"]}))
    assert await store.pack(NAME, head, [f"s{HOUR}"])
    assert (await ledger_of(store)).calm(START + CALM_MS) == [f"s{HOUR + 1}"]


async def test_only_some_buckets_are_packed_at_once_and_none_that_is_gone() -> None:
    store = MemoryStore()
    ledger = await ledger_of(store)
    hours = {HOUR + number: [b"12345678"] for number in range(MOST_PACKED + 1)}
    await commit(store, ledger, Change(watermark=START, settled=hours))
    assert ledger.calm(START + CALM_MS) == [f"s{HOUR + number}" for number in range(MOST_PACKED)]
    await commit(store, ledger, change_of({}, START + 8 * DAY_MS))
    assert ledger.calm(START + 9 * DAY_MS) == []
