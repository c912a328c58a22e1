"""What the follower says of how far its figures can be trusted."""

from pathlib import Path
from time import time

import pytest

from agents.board import follower as following
from agents.board import health
from agents.board.health import CAUSES, SENTENCES
from agents.processors.processor import wall_clock
from agents.store import Beat, SchemaMismatchError
from agents.store.memory import MemoryStore
from streams.policy import HOUR_MS
from tests.unit.following import MARK, Frail, follower_of, poll, running, until
from tests.unit.life import Counting, life_of


async def test_a_store_of_another_version_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "POLL_S", 0.001)
    store = Frail()
    store.fail(SchemaMismatchError("form 9"))
    follower = follower_of(store)
    async with running(follower):
        await until(lambda: "another version" in str(follower.health().reason))
        store.fail(None)
        await Counting(store).feed(life_of(7), until=MARK)
        await until(lambda: not follower.health().stale)


async def test_a_board_over_an_empty_store_says_that_nothing_was_counted_yet() -> None:
    follower = follower_of(MemoryStore())
    await poll(follower)
    health = follower.health()
    assert (health.reason, health.age_seconds, health.lag_seconds) == ("no worker has counted anything yet", None, None)
    assert health.store_reachable


async def test_a_worker_that_died_before_the_board_started_is_stale_at_once() -> None:
    store = MemoryStore()
    await store.load("calls/0")
    await store.beat("calls/0", (await store.load("calls/0")).head, Beat(wall_clock() - HOUR_MS, 0, 0, MARK))
    follower = follower_of(store)
    await poll(follower)
    health = follower.health()
    assert health.age_seconds == pytest.approx(3_600, abs=2)
    assert health.lag_seconds == pytest.approx(3_598, abs=2)
    assert str(health.reason).startswith("no sign of life from the worker for 3600 s")


async def test_the_clock_of_another_host_makes_nothing_stale_once_a_second_beat_is_seen() -> None:
    store = MemoryStore()
    head = (await store.load("calls/0")).head
    follower = follower_of(store)
    for beat in range(2):
        await store.beat("calls/0", head, Beat(wall_clock() - HOUR_MS + beat, 0, 0, MARK))
        await poll(follower)
    assert not follower.health().stale


async def test_the_oldest_sign_of_life_counts_and_not_the_newest() -> None:
    store, now = MemoryStore(), int(time() * 1000)
    for partition, age in (("calls/0", 30_000), ("calls/1", 0)):
        await store.beat(partition, (await store.load(partition)).head, Beat(now - age, 0, 0, MARK))
    follower = follower_of(store)
    await poll(follower)
    assert follower.health().stale


async def test_a_worker_far_behind_kafka_makes_the_figures_stale() -> None:
    store = MemoryStore()
    await store.beat("calls/0", (await store.load("calls/0")).head, Beat(wall_clock(), 60_000, 1_000, MARK))
    follower = follower_of(store)
    await poll(follower)
    assert follower.health().reason == "the worker is 60 s behind Kafka"


def test_every_cause_has_its_sentence_and_the_wallboard_one_in_each_language() -> None:
    assert set(SENTENCES) == set(CAUSES)
    for words in sorted((Path(health.__file__).parent / "static" / "words").glob("??.js")):
        told = words.read_text(encoding="utf-8").partition("  causes: {")[2].partition("  },")[0]
        assert {line.partition(":")[0].strip() for line in told.strip().splitlines()} == set(CAUSES), words.name
