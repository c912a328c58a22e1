"""Packed buckets, in every store: they take less room, and hold what they held."""

import random
from typing import Final

import pytest

from tests.integration.commits import (
    ANN,
    CALLS,
    FULL,
    ODD,
    SALES,
    AnyStore,
    Writer,
    commit_of,
    committed,
    everything,
    same,
)

pytestmark = pytest.mark.integration

NAMES: Final = ["f100", "i1", "d20000", "s5"]


async def test_what_is_packed_is_read_as_before(store: AnyStore) -> None:
    head = await committed(store, FULL)
    before = await everything(store)
    assert await store.pack(CALLS, head, NAMES)
    after = await everything(store)
    assert after[1:] == before[1:]
    loaded = await store.load(CALLS)
    assert loaded.head == head, "what is stored is the same: nobody has to start anew"
    assert (loaded.fine, loaded.intervals, loaded.days, loaded.settled) == ({100}, {1}, {20_000}, {5})
    assert (await store.intervals(CALLS), await store.days(CALLS)) == ({1}, {20_000})


async def test_what_is_not_packed_is_told(store: AnyStore) -> None:
    head = await committed(store, FULL)
    assert (await store.load(CALLS)).loose == set(NAMES)
    assert await store.pack(CALLS, head, NAMES[1:])
    assert (await store.load(CALLS)).loose == {"f100"}
    await committed(store, commit_of(8, rows={100: {SALES: {1: 2}}}), head)
    assert (await store.load(CALLS)).loose == {"f100", "i1"}


@pytest.mark.parametrize("again", [False, True], ids=["once", "and again"])
async def test_what_comes_late_stands_in_place_of_what_was_packed(store: AnyStore, *, again: bool) -> None:
    head = await committed(store, FULL)
    assert await store.pack(CALLS, head, NAMES)
    late = commit_of(8, rows={100: {SALES: {1: 2}}})
    late.days, late.settled = {20_000: {ANN: {14: 4}}}, {5: b"abcdefgh"}
    head = await committed(store, late, head)
    assert not again or await store.pack(CALLS, head, NAMES)
    assert await store.rows(CALLS, [100], [1]) == ({100: {SALES: {1: 2}, ODD: {2: -1}}}, {1: {SALES: {1: 2}}})
    assert await store.day_rows(CALLS, [20_000]) == {20_000: {SALES: {1: 9}, ANN: {14: 4}}}
    digests = (await store.settled(CALLS, [5]))[5]
    assert {digests[:8], digests[8:]} == {b"12345678", b"abcdefgh"}
    assert (await store.snapshot(CALLS, [100], [1])).fine == {100: {SALES: {1: 2}, ODD: {2: -1}}}


async def test_packing_on_another_head_is_refused(store: AnyStore) -> None:
    head = await committed(store, FULL)
    last = await committed(store, commit_of(8, rows={100: {SALES: {1: 2}}}), head)
    before = await everything(store)
    assert not await store.pack(CALLS, head, NAMES)
    assert await everything(store) == before
    assert await store.pack(CALLS, last, NAMES)


async def test_what_is_packed_is_dropped_like_the_rest(store: AnyStore) -> None:
    head = await committed(store, FULL)
    assert await store.pack(CALLS, head, NAMES)
    last = commit_of(8)
    last.drop_fine, last.drop_intervals, last.drop_days, last.drop_settled = [100], [1], [20_000], [5]
    await committed(store, last, head)
    loaded = await store.load(CALLS)
    assert loaded.fine == loaded.intervals == loaded.days == loaded.settled == set()
    assert loaded.loose == set()
    assert await store.rows(CALLS, [100], [1]) == ({}, {})
    assert (await store.day_rows(CALLS, [20_000]), await store.settled(CALLS, [5])) == ({}, {5: b""})


@pytest.mark.parametrize("seed", range(3))
async def test_packing_at_any_time_changes_no_row(store: AnyStore, seed: int) -> None:
    chance = random.Random(seed)
    writer = Writer(chance)
    for _ in range(80):
        writer.head = await committed(store, writer.next(), writer.head)
        loose = sorted((await store.load(CALLS)).loose)
        some = chance.sample(loose, min(len(loose), chance.randrange(6)))
        assert not some or await store.pack(CALLS, writer.head, some)
    fine, intervals = await store.rows(CALLS, range(60, 120), range(2))
    assert (same(fine), same(intervals)) == (same(writer.fine), same(writer.intervals))
