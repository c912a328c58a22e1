"""A store that cannot: tried again, said once a minute with what to do, given up with the partition."""

from typing import Any, Final

import pytest

from agents.processors import insistence
from agents.processors.insistence import InsistentStore, RevokedError, Troubles
from agents.store import NOTHING, Beat, SchemaMismatchError, StoreError
from agents.store.memory import MemoryStore

BEAT: Final = Beat(0, 0, 0, None)
FULL: Final = "Redis: command not allowed when used memory > 'maxmemory'."


class Time:
    """A clock that a wait moves on."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Time as the module sees it."""
    moved = Time()
    monkeypatch.setattr(insistence, "monotonic", moved.monotonic)
    monkeypatch.setattr("agents.processors.insistence.asyncio.sleep", moved.sleep)
    return moved


class Failing(MemoryStore):
    """Fails until a moment of the clock."""

    def __init__(self, clock: Time, until: float, error: Exception) -> None:
        super().__init__()
        self.clock, self.until, self.error = clock, until, error

    async def beat(self, *arguments: Any) -> bool:
        if self.clock.at < self.until:
            raise self.error
        return await super().beat(*arguments)


def lines(capsys: pytest.CaptureFixture[str], words: str) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if words in line]


async def test_a_store_away_for_an_hour_is_said_once_a_minute_with_what_to_do(
    clock: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    store = InsistentStore(Failing(clock, 3_600, StoreError(FULL)), lambda: False)
    await store.beat("calls/0", NOTHING, BEAT)
    said = lines(capsys, "[warning")
    assert 59 <= len(said) <= 61
    assert all("maxmemory" in line and "give it more memory" in line for line in said)


async def test_a_short_hiccup_is_not_worth_a_word(clock: Time, capsys: pytest.CaptureFixture[str]) -> None:
    store = InsistentStore(Failing(clock, 1.5, StoreError("Redis: gone")), lambda: False)
    await store.beat("calls/0", NOTHING, BEAT)
    assert capsys.readouterr().out == ""


async def test_what_is_over_is_said_and_the_next_time_is_said_at_once(
    clock: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = Failing(clock, 10, StoreError("Redis: gone"))
    store = InsistentStore(failing, lambda: False)
    await store.beat("calls/0", NOTHING, BEAT)
    failing.until = clock.at + 10
    await store.beat("calls/0", NOTHING, BEAT)
    told = capsys.readouterr().out
    assert told.count("[warning") == told.count("that is over") == 2


def test_all_partitions_that_wait_for_the_same_are_one_line(clock: Time, capsys: pytest.CaptureFixture[str]) -> None:
    troubles = Troubles()
    for number in range(32):
        troubles.meet("the store does not", f"calls/{number}", f"Redis: Error {number} connecting")
    assert len(lines(capsys, "the store does not")) == 1
    clock.at += 60
    troubles.meet("the store does not", "calls/0", "Redis: Error connecting")
    (again,) = lines(capsys, "the store does not")
    assert "waiting=32" in again or "32" in again
    for number in range(32):
        troubles.over(f"calls/{number}")
    assert len(lines(capsys, "that is over")) == 1


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("Redis: invalid username-password pair or user is disabled.", "CALLWATCH_REDIS_PASSWORD"),
        ("Redis: Authentication required.", "CALLWATCH_REDIS_PASSWORD"),
        ("Redis: You can't write against a read only replica.", "name the master"),
        ("Redis: this user has no permissions to run the 'evalsha' command", "SECURITY.md"),
        (FULL, "more memory"),
        ("Redis: Redis is configured to save RDB snapshots, but it's currently unable to persist on disk", "make room"),
        ("Redis: Error 111 connecting to 127.0.0.1:6379. Connection refused.", "is it running"),
    ],
)
def test_what_does_not_pass_by_itself_is_said_with_what_to_do(
    error: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Troubles().meet("the store does not", "calls/0", error)
    assert advice in capsys.readouterr().out


async def test_a_partition_that_was_taken_away_is_given_up(clock: Time) -> None:
    store = InsistentStore(Failing(clock, 1_000, StoreError("Redis: gone")), lambda: clock.at > 30)
    with pytest.raises(RevokedError):
        await store.beat("calls/0", NOTHING, BEAT)
    assert clock.at < 40


async def test_a_store_of_another_version_is_not_tried_again(clock: Time) -> None:
    store = InsistentStore(Failing(clock, 1_000, SchemaMismatchError("form 999")), lambda: False)
    with pytest.raises(SchemaMismatchError):
        await store.beat("calls/0", NOTHING, BEAT)
    assert clock.at == 0
