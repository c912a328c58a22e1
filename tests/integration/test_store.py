"""One suite for every store: in memory, in Redis, in a Redis Cluster of three masters."""

import random

import pytest

from agents.store import NOTHING, Beat, Head
from agents.store.memory import MemoryStore
from agents.store.redis import RedisStore
from streams.partition import Now
from streams.windows import Buckets
from tests.integration.cluster import RedisCluster
from tests.integration.commits import (
    ANN,
    BEAT,
    CALLS,
    FULL,
    ODD,
    SALES,
    AnyStore,
    Follower,
    Writer,
    commit_of,
    committed,
    everything,
    same,
)

pytestmark = pytest.mark.integration


async def test_nothing_is_loaded_of_a_partition_never_seen(store: AnyStore) -> None:
    loaded = await store.load(CALLS)
    assert (loaded.head, loaded.watermark, loaded.open, loaded.totals, loaded.stats) == (NOTHING, None, {}, {}, {})
    assert loaded.fine == loaded.intervals == loaded.settled == loaded.days == set()
    assert loaded.outbox == {}
    assert await store.settled(CALLS, [1]) == {1: b""}
    assert await store.rows(CALLS, [1, 2], [3]) == ({}, {})
    assert (await store.day_rows(CALLS, [1]), await store.days(CALLS)) == ({}, set())


async def test_settled_ids_of_a_partition_never_loaded_are_none(store: AnyStore) -> None:
    assert await store.settled("calls/9", [1, 2]) == {1: b"", 2: b""}
    assert await store.settled("calls/9", []) == {}


async def test_load_returns_what_was_committed(store: AnyStore) -> None:
    head = await committed(store, FULL)
    loaded = await store.load(CALLS)
    assert (loaded.head, loaded.watermark) == (head, 900)
    assert head.offset == 7
    assert loaded.open == {"c1": b"\x00\xffpacked", "c2": b"x"}
    assert loaded.totals == {SALES: ({1: 4}, {}), ODD: ({1: 2}, {2: 1})}
    assert loaded.stats == {"event:contact.queued": 1}
    assert (loaded.fine, loaded.intervals, loaded.settled) == ({100}, {1}, {5})
    assert loaded.terms == FULL.terms
    assert await store.rows(CALLS, [99, 100], [0, 1]) == (
        {100: {SALES: {1: 4}, ODD: {2: -1}}},
        {1: {SALES: {1: 4}}},
    )
    assert await store.settled(CALLS, [4, 5]) == {4: b"", 5: b"12345678"}
    assert await store.intervals(CALLS) == {1}
    assert loaded.days == await store.days(CALLS) == {20_000}
    assert await store.day_rows(CALLS, [19_999, 20_000]) == FULL.days
    assert loaded.outbox == FULL.outbox


async def test_snapshot_is_what_was_committed(store: AnyStore) -> None:
    await committed(store, FULL)
    snapshot = await store.snapshot(CALLS, [100, 101], [1])
    assert snapshot.beat == BEAT
    assert (snapshot.fine, snapshot.intervals) == ({100: FULL.fine[100]}, FULL.intervals)
    assert snapshot.totals == FULL.totals
    assert snapshot.now == {"c1": ("sales", "voice", 5)}
    assert snapshot.stats == {"event:contact.queued": 1}


@pytest.mark.parametrize("base", [NOTHING, Head(7, "another"), Head(6, ""), Head(8, "")])
async def test_a_commit_on_another_head_is_refused_and_changes_nothing_at_all(store: AnyStore, base: Head) -> None:
    head = await committed(store, FULL)
    before = await everything(store)
    wrong = base if base.token or base == NOTHING else Head(base.offset, head.token)
    attempt = commit_of(9, rows={100: {SALES: {1: 99}}, 900: {ODD: {1: 1}}}, opened={"c1": None, "c3": b"y"})
    attempt.settled, attempt.drop_fine, attempt.drop_settled = {5: b"more----"}, [100], [5]
    attempt.days, attempt.drop_days = {20_001: {SALES: {1: 1}}}, [20_000]
    attempt.outbox, attempt.sent = {"c3": b"new"}, FULL.outbox
    assert await store.commit(CALLS, wrong, attempt) is None
    assert await everything(store) == before
    changes = await store.changes(CALLS, (await store.snapshot(CALLS, [], [])).cursor)
    assert changes is not None
    assert changes.deltas == []


async def test_a_commit_repeated_is_refused(store: AnyStore) -> None:
    await committed(store, FULL)
    assert await store.commit(CALLS, NOTHING, FULL) is None
    assert await store.settled(CALLS, [5]) == {5: b"12345678"}


async def test_two_commits_of_the_same_offset_are_told_apart(store: AnyStore) -> None:
    first = await committed(store, commit_of(5))
    second = await committed(store, commit_of(5), first)
    assert first.offset == second.offset == 5
    assert first.token != second.token
    assert await store.commit(CALLS, first, commit_of(6)) is None
    assert await store.commit(CALLS, second, commit_of(6)) is not None


async def test_partitions_are_apart(store: AnyStore) -> None:
    await store.load("chats/1")
    await store.load(CALLS)
    head = await committed(store, FULL)
    await committed(store, commit_of(1, rows={100: {SALES: {1: 1}}}), partition="chats/1")
    assert await store.partitions() == ["calls/0", "chats/1"]
    assert (await store.load(CALLS)).head == head
    assert await store.rows("chats/1", [100], []) == ({100: {SALES: {1: 1}}}, {})


async def test_rows_are_absolute_and_replace_only_their_own_place(store: AnyStore) -> None:
    head = await committed(store, FULL)
    await committed(store, commit_of(8, rows={100: {SALES: {1: 2}}}), head)
    assert await store.rows(CALLS, [100], [1]) == ({100: {SALES: {1: 2}, ODD: {2: -1}}}, {1: {SALES: {1: 2}}})


async def test_what_is_none_is_forgotten_and_what_is_over_dropped(store: AnyStore) -> None:
    head = await committed(store, FULL)
    last = commit_of(8, opened={"c1": None, "never": None}, now={"c1": None}, rows={200: {SALES: {1: 1}}})
    last.drop_fine, last.drop_intervals, last.drop_settled = [100, 55], [1], [5]
    last.days, last.drop_days = {20_001: {SALES: {1: 5}}}, [20_000, 19_000]
    await committed(store, last, head)
    loaded = await store.load(CALLS)
    assert (loaded.open, loaded.fine, loaded.intervals, loaded.settled) == ({"c2": b"x"}, {200}, {2}, set())
    assert loaded.terms == FULL.terms, "a commit that says nothing of them keeps them"
    assert await store.rows(CALLS, [100], [1]) == ({}, {})
    assert await store.settled(CALLS, [5]) == {5: b""}
    assert loaded.days == {20_001}
    assert await store.day_rows(CALLS, [20_000, 20_001]) == {20_001: {SALES: {1: 5}}}
    assert (await store.snapshot(CALLS, [], [])).now == {}


async def test_settled_ids_are_appended(store: AnyStore) -> None:
    head = await committed(store, FULL)
    more = commit_of(8)
    more.settled = {5: b"abcdefgh", 6: b"ijklmnop"}
    await committed(store, more, head)
    assert await store.settled(CALLS, [5, 6]) == {5: b"12345678abcdefgh", 6: b"ijklmnop"}


async def test_messages_to_send_on_are_kept_until_a_commit_says_that_they_were_sent(store: AnyStore) -> None:
    head = await committed(store, FULL)
    head = await committed(store, commit_of(8), head)
    assert (await store.load(CALLS)).outbox == FULL.outbox
    sent = commit_of(9)
    sent.sent = {"c1": FULL.outbox["c1"], "never": b"there"}
    await committed(store, sent, head)
    assert (await store.load(CALLS)).outbox == {"c2": b"told"}


async def test_a_message_told_anew_is_kept_though_the_one_before_it_was_sent(store: AnyStore) -> None:
    head = await committed(store, FULL)
    anew = commit_of(8)
    anew.outbox = {"c1": b"anew", "c2": FULL.outbox["c2"]}
    # Of one commit, what was sent is forgotten first: the same message told again is to be sent again.
    anew.sent = {"c2": FULL.outbox["c2"]}
    head = await committed(store, anew, head)
    assert (await store.load(CALLS)).outbox == {"c1": b"anew", "c2": b"told"}
    late = commit_of(9)
    late.sent = dict(FULL.outbox)
    await committed(store, late, head)
    assert (await store.load(CALLS)).outbox == {"c1": b"anew"}


async def test_20000_messages_are_kept_and_forgotten(store: AnyStore) -> None:
    many = commit_of(8)
    many.outbox = {f"c{number}": b"%d" % number for number in range(20_000)}
    head = await committed(store, many)
    assert (await store.load(CALLS)).outbox == many.outbox
    gone = commit_of(9)
    gone.sent = {**many.outbox, "c7": b"another"}
    await committed(store, gone, head)
    assert (await store.load(CALLS)).outbox == {"c7": b"7"}


async def test_a_day_is_replaced_place_by_place(store: AnyStore) -> None:
    head = await committed(store, FULL)
    more = commit_of(8)
    more.days = {20_000: {SALES: {1: 10}}}
    await committed(store, more, head)
    assert await store.day_rows(CALLS, [20_000]) == {20_000: {SALES: {1: 10}, ANN: {14: 3}}}


async def test_a_beat_is_noted_on_the_right_head_alone(store: AnyStore) -> None:
    head = await committed(store, FULL)
    assert await store.beat(CALLS, head, Beat(2_000, 0, 0, 1_500))
    assert (await store.load(CALLS)).watermark == 1_500
    assert not await store.beat(CALLS, NOTHING, Beat(3_000, 0, 0, 9_999))
    snapshot = await store.snapshot(CALLS, [], [])
    assert snapshot.beat == Beat(2_000, 0, 0, 1_500)
    changes = await store.changes(CALLS, snapshot.cursor)
    assert changes is not None
    assert changes.beat == Beat(2_000, 0, 0, 1_500)


async def test_a_beat_before_the_first_commit_does_not_bar_it(store: AnyStore) -> None:
    assert await store.beat(CALLS, NOTHING, BEAT)
    assert (await store.load(CALLS)).head == NOTHING
    assert await store.commit(CALLS, NOTHING, FULL) is not None


async def test_a_commit_of_20000_fields_is_applied_whole(store: AnyStore) -> None:
    opened: dict[str, bytes | None] = {f"c{number}": b"%d" % number for number in range(20_000)}
    now: dict[str, Now | None] = {f"c{number}": ("sales", "voice", number) for number in range(20_000)}
    rows: Buckets = {100: {(f"q{number}", "voice"): {1: number} for number in range(20_000)}}
    commit = commit_of(20_000, opened=opened, now=now, rows=rows, deltas=rows)
    commit.settled = {hour: b"%08d" % hour for hour in range(5_000)}
    cursor = (await store.snapshot(CALLS, [], [])).cursor
    head = await committed(store, commit)
    loaded = await store.load(CALLS)
    assert loaded.open == opened
    assert len(loaded.settled) == 5_000
    assert await store.rows(CALLS, [100], []) == (rows, {})
    changes = await store.changes(CALLS, cursor)
    assert changes is not None
    assert changes.deltas == [commit.delta]
    gone = commit_of(20_001, opened=dict.fromkeys(opened), now=dict.fromkeys(now))
    gone.drop_settled = list(range(5_000))
    await committed(store, gone, head)
    loaded = await store.load(CALLS)
    assert (loaded.open, loaded.settled) == ({}, set())


async def test_5000_buckets_are_read_at_once(store: AnyStore) -> None:
    rows: Buckets = {number: {SALES: {1: number}} for number in range(5_000)}
    await committed(store, commit_of(1, rows=rows))
    fine, intervals = await store.rows(CALLS, range(6_000), [0, 55])
    assert fine == rows
    assert set(intervals) == {0, 55}
    assert (await store.snapshot(CALLS, range(5_000), [])).fine == rows


async def test_a_reader_that_is_up_to_date_gets_nothing_new(store: AnyStore) -> None:
    empty = await store.snapshot(CALLS, [], [])
    changes = await store.changes(CALLS, empty.cursor)
    assert changes is not None
    assert (changes.deltas, changes.beat) == ([], None)
    await committed(store, FULL)
    changes = await store.changes(CALLS, changes.cursor)
    assert changes is not None
    assert (changes.deltas, changes.beat) == ([FULL.delta], BEAT)
    again = await store.changes(CALLS, changes.cursor)
    assert again is not None
    assert again.deltas == []


async def test_a_reader_too_far_behind_has_to_start_anew(store: AnyStore) -> None:
    cursor, head = (await store.snapshot(CALLS, [], [])).cursor, NOTHING
    for offset in range(50):
        head = await committed(store, commit_of(offset), head)
    changes = await store.changes(CALLS, cursor)
    assert changes is not None
    assert len(changes.deltas) == 50
    near = changes.cursor
    for offset in range(50, 400):
        head = await committed(store, commit_of(offset), head)
    assert await store.changes(CALLS, cursor) is None
    assert await store.changes(CALLS, near) is None


async def test_an_emptied_store_has_nothing_for_a_worker_and_none_for_a_reader(
    store: AnyStore, url: str | None, request: pytest.FixtureRequest
) -> None:
    head = await committed(store, FULL)
    cursor = (await store.snapshot(CALLS, [], [])).cursor
    if isinstance(store, MemoryStore):
        store.forget()
    else:
        request.getfixturevalue("cluster" if url and "cluster" in url else "redis_server").flush()
    assert await store.changes(CALLS, cursor) is None
    assert not await store.beat(CALLS, head, BEAT)
    assert await store.commit(CALLS, head, FULL) is None
    assert (await store.load(CALLS)).head == NOTHING
    await committed(store, commit_of(3))
    assert await store.changes(CALLS, cursor) is None


@pytest.mark.parametrize("seed", range(3))
async def test_following_by_changes_equals_starting_anew_after_any_sequence(store: AnyStore, seed: int) -> None:
    chance = random.Random(seed)
    writer, buckets = Writer(chance), (range(60, 120), range(2))
    follower = Follower(await store.snapshot(CALLS, *buckets))
    for _ in range(120):
        if chance.random() < 0.2:
            stale = Writer(chance)
            assert await store.commit(CALLS, Head(writer.offset, "stale"), stale.next()) is None
        writer.head = await committed(store, writer.next(), writer.head)
        if chance.random() < 0.3:
            changes = await store.changes(CALLS, follower.cursor)
            assert changes is not None
            for delta in changes.deltas:
                follower.apply(delta)
            follower.cursor, follower.beat = changes.cursor, changes.beat
            anew = await store.snapshot(CALLS, *buckets)
            assert (same(follower.fine), same(follower.intervals)) == (same(anew.fine), same(anew.intervals))
            assert (follower.now, follower.stats, follower.beat) == (anew.now, anew.stats, anew.beat)
            assert follower.totals.rows == anew.totals
            assert same(anew.fine) == same(writer.fine)


async def test_a_partition_shares_one_slot_of_a_cluster_and_partitions_are_spread(cluster: RedisCluster) -> None:
    cluster.flush()
    store = RedisStore(cluster.url)
    for number in range(12):
        await committed(store, FULL, partition=f"calls/{number}")
    await store.close()
    assert all(key.startswith("callwatch:") for key in cluster.names())
    spread = [sum(b":head" in key for key in master.do("KEYS", "*")) for master in cluster.masters]
    assert sum(spread) == 12
    assert min(spread) > 0
