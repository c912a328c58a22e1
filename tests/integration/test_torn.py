"""A Redis that has lost the end of a commit must not show a part of it later.

Redis (all up to 8, Valkey up to 9; valkey-io/valkey#4342) cuts a file that ends inside of a transaction behind the last
whole command. It has not applied the transaction, but the next time that it starts it does, as a part of the next one.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.store import NOTHING, Commit, Head
from agents.store.redis import RedisStore
from tests.harness.redis_pair import RedisNode
from tests.integration.commits import CALLS, FULL, SALES, commit_of, committed

pytestmark = pytest.mark.integration

#: What is lost: all open contacts of it are there, or none is.
LOST = commit_of(
    9,
    opened={f"lost{n}": b"z" * 50 for n in range(20)},
    rows={100: {SALES: {1: 7}}, 7_000: {SALES: {1: 7}}},
    now={"lost0": ("a", "voice", 1)},
)
OTHER = "chats/1"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RedisNode]:
    node = RedisNode(tmp_path / "node")
    node.start()
    try:
        yield node
    finally:
        node.kill()


def file_of(node: RedisNode) -> Path:
    (file,) = (node.directory / "appendonlydir").glob("*.incr.aof")
    return file


async def commit(node: RedisNode, commit: Commit, base: Head = NOTHING, partition: str = CALLS) -> Head:
    store = RedisStore(node.url)
    try:
        return await committed(store, commit, base, partition)
    finally:
        await store.close()


async def all_of(node: RedisNode) -> tuple[object, ...]:
    """Return what a worker and a reader are given; a reader comes first, as it may."""
    store = RedisStore(node.url)
    try:
        loaded = await store.load(CALLS)
        snapshot = await store.snapshot(CALLS, [100], [1])
        return loaded.torn, loaded.head, loaded.open, snapshot.fine, snapshot.intervals, snapshot.now, loaded.settled
    finally:
        await store.close()


async def shown_after(node: RedisNode, lost: int, *, again: bool) -> tuple[object, ...]:
    """Lose the last ``lost`` bytes, commit to this partition (``again``) or another, restart; return all there is."""
    node.kill()
    node.cut_file_short(lost)
    node.start()
    if again:
        store = RedisStore(node.url)
        base = (await store.load(CALLS)).head
        await store.close()
        await commit(node, commit_of(8, opened={"c2": None, "lost0": None}), base)
    else:
        await commit(node, FULL, partition=OTHER)
    node.kill()
    node.start()
    return await all_of(node)


@pytest.mark.parametrize("again", [True, False])
async def test_a_commit_that_lost_its_end_is_whole_or_nothing_after_two_restarts(
    node: RedisNode, *, again: bool
) -> None:
    head = await commit(node, FULL)
    before = file_of(node).read_bytes()
    await commit(node, LOST, head)
    whole = file_of(node).read_bytes()
    length = len(whole) - len(before)
    torn = 0
    for lost in sorted({*range(1, length, length // 12), 5, 15, length}):
        node.kill()
        file_of(node).write_bytes(whole)
        node.start()
        is_torn, at, opened, fine, intervals, now, settled = await shown_after(node, lost, again=again)
        torn += bool(is_torn)
        names = set(opened) if isinstance(opened, dict) else set()
        lost_names = {name for name in names if name.startswith("lost")}
        if is_torn:
            assert (at, opened, fine, intervals, now, settled) == (NOTHING, {}, {}, {}, {}, set())
            assert node.do("KEYS", "callwatch:{calls/0}:*") == [], "what no name tells of would never be taken away"
        elif again:
            assert isinstance(at, Head)
            assert (at.offset, names, lost_names, fine) == (8, {"c1"}, set(), {100: FULL.fine[100]})
        else:
            assert at == head or (isinstance(at, Head) and at.offset == LOST.offset)
            assert len(lost_names) == (0 if at == head else len(LOST.open))
            assert fine == {100: FULL.fine[100] if at == head else FULL.fine[100] | LOST.fine[100]}
    assert torn > 5


async def test_what_is_torn_takes_no_commit_and_no_sign_of_life_and_is_not_shown(node: RedisNode) -> None:
    head = await commit(node, FULL)
    node.do("HINCRBY", "callwatch:{calls/0}:head", "commits", 1)
    store = RedisStore(node.url)
    try:
        assert await store.commit(CALLS, head, LOST) is None
        assert not await store.beat(CALLS, head, FULL.beat)
        with pytest.raises(Exception, match="half of a commit of calls/0"):
            await store.snapshot(CALLS, [], [])
        assert (await store.load(CALLS)).torn
        assert node.do("KEYS", "callwatch:{calls/0}:*") == []
        assert not (await store.load(CALLS)).torn
        assert await store.commit(CALLS, NOTHING, LOST) is not None
    finally:
        await store.close()


@pytest.mark.parametrize("again", [True, False])
async def test_a_packing_that_lost_its_end_leaves_all_as_it_was_or_is_torn(node: RedisNode, *, again: bool) -> None:
    head = await commit(node, FULL)
    before = file_of(node).read_bytes()
    store = RedisStore(node.url)
    assert await store.pack(CALLS, head, ["f100", "i1", "d20000", "s5"])
    await store.close()
    whole = file_of(node).read_bytes()
    length = len(whole) - len(before)
    torn = 0
    for lost in sorted({*range(1, length, length // 12), length}):
        node.kill()
        file_of(node).write_bytes(whole)
        node.start()
        is_torn, _, opened, fine, intervals, _, settled = await shown_after(node, lost, again=again)
        torn += bool(is_torn)
        found = (opened, fine, intervals, settled)
        contacts = {"c1"} if again else {"c1", "c2"}
        opened_then = {name: FULL.open[name] for name in contacts}
        assert not is_torn or node.do("KEYS", "callwatch:{calls/0}:*") == []
        assert found == (({}, {}, {}, set()) if is_torn else (opened_then, FULL.fine, FULL.intervals, {5}))
    assert torn > 3
