"""The stream of changes: put together it is what a snapshot would be, and it tells no more than it has to."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import pytest

from agents.board.figures import live_rows
from agents.board.live import NEW, Channel
from streams.policy import HOUR_MS, MINUTE_MS
from tests.unit.life import POLICIES, START, Counting, Stamp, life_of
from tests.unit.served import Served, counted_life, served_life
from tests.unit.test_web import events_of, listening

WINDOW: Final = "1h"
STATES: Final = ("available", "on_contact", "break", "wrap_up", "offline")


class Screen:
    """What a wallboard knows of the rows, by what it was told."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Any, Any], tuple[dict[str, Any], int]] = {}

    def hear(self, told: bytes, now: int) -> list[str]:
        """Take up what was told; return the names of the events."""
        names = []
        for event in told.split(b"\n\n"):
            if event.startswith(b"event: "):
                name, _, data = event.partition(b"\ndata: ")
                names.append(name.decode().removeprefix("event: "))
                self._take(names[-1], json.loads(data), now)
        return names

    def _take(self, name: str, data: dict[str, Any], now: int) -> None:
        if name == "snapshot":
            self.rows = {}
        for queue, channel in data.get("gone", ()):
            del self.rows[queue, channel]
        for row in data["rows"]:
            self.rows[row["queue"], row["channel"]] = (row, now)

    def shown(self, now: int) -> list[dict[str, Any]]:
        """Return the rows as they are shown at ``now``, in the order of a snapshot."""
        found = []
        for _, (row, at) in sorted(self.rows.items(), key=lambda item: (item[0][0] is None, item[0])):
            longest = row["longest_wait_seconds"]
            carried = None if longest is None else (round(longest * 1000) + now - at) / 1000
            found.append({**row, "longest_wait_seconds": carried, "queue_length_average": None})
        return found


def agent_state(number: int, at: int) -> dict[str, Any]:
    """Return an event by which an agent, who serves two queues, is in another state."""
    told = {"id": f"s{number}", "type": "agent.state", "agent_id": f"ann-{number % 2}", "queues": ["sales", "chat"]}
    time = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return {**told, "time": time, "state": STATES[number % len(STATES)]}


def expected(served: Served, window: str, now: int) -> list[dict[str, Any]]:
    rows = live_rows(served.follower.model, POLICIES, window, now)
    return [{**json.loads(json.dumps(row)), "queue_length_average": None} for row in rows]


@pytest.mark.parametrize("window", ["1m", "1h", "today"])
async def test_changes_put_together_are_what_a_snapshot_would_be(window: str) -> None:
    counting, clock, life = Counting(), Stamp(START), life_of(3)
    await counting.feed(life, until=START)
    await counting.beat()
    served = Served(counting.store, clock)
    await served.look()
    live, screen, heard = served.board.live, Screen(), list[str]()
    stream = live.changes(window)
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    since = START
    # Past the end of all contacts, and past midnight: windows run empty, and rows go.
    for step in range(125):
        until = since + (6 * HOUR_MS if step >= 120 else 1_700 if step % 3 else 3 * MINUTE_MS)
        await counting.feed(life, since + 1, until)
        if step % 2:
            await counting.send([agent_state(step, until)], key="agent_id")
        clock.at = since = until
        await served.look()
        live._beat = 0.0
        await asyncio.sleep(0)
        live._tell()
        heard += screen.hear(await waiting, until)
        waiting = asyncio.ensure_future(anext(stream))
        assert screen.shown(until) == expected(served, window, until)
    waiting.cancel()
    assert heard[0] == "snapshot"
    assert set(heard[1:]) == {"changes"}


async def test_what_did_not_change_is_not_told_again() -> None:
    served = await served_life()
    live = served.board.live
    channel = live._channels[WINDOW] = Channel()
    channel.listeners, channel.wants_snapshot = 1, True
    live._tell()
    _, number = channel.since(NEW) or (b"", 0)
    live._beat = 0.0
    live._tell()
    told, _ = channel.since(number) or (b"", 0)
    assert b'"rows":[],"gone":[]' in told
    live._tell()
    assert channel.since(number + 1) == (b"", number + 1)


async def test_who_is_new_begins_with_the_last_snapshot_and_who_is_far_behind_too() -> None:
    channel = Channel()
    assert channel.since(NEW) is None
    channel.begin(b"whole;")
    assert channel.since(NEW) == (b"whole;", 0)
    channel.tell(b"one;")
    channel.tell(b"two;")
    assert channel.since(NEW) == (b"whole;one;two;", 2)
    assert channel.since(1) == (b"two;", 2)
    channel.tell(b"x" * 100_000)
    assert channel.since(2) == (b"x" * 100_000, 3)
    assert channel.since(1) is None
    assert channel.since(NEW) is None
    channel.begin(b"again;")
    assert channel.since(1) == (b"again;", 3)


async def _changes(client: httpx.AsyncClient) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    async with client.stream("GET", "/api/v1/stream", params={"window": WINDOW, "changes": "yes"}) as answer:
        async for name, data in events_of(answer):
            yield name, json.loads(data)


async def test_a_change_is_told_at_once_and_nothing_else_with_it() -> None:
    counting = await counted_life()
    served = Served(counting.store)
    async with listening(served) as address, httpx.AsyncClient(base_url=address, timeout=5) as client:
        told = _changes(client)
        name, first = await anext(told)
        assert name == "snapshot"
        assert set(first) == {"time", "window", "windows", "timezone", "pipeline", "agents", "rows"}
        rows = (await client.get(f"/api/v1/queues?window={WINDOW}")).json()["rows"]
        assert first["rows"] == rows
        at = "2026-01-05T10:00:04Z"
        queued = {"id": "n1", "type": "contact.queued", "time": at, "contact_id": "new", "channel": "voice"}
        await counting.send([{**queued, "queue": "sales"}])
        async for name, changes in told:
            assert name == "changes"
            if changes["rows"]:
                break
        await told.aclose()  # type: ignore[attr-defined]
    assert [row["queue"] for row in changes["rows"]] == ["sales", None]
    assert set(changes) == {"time", "window", "pipeline", "agents", "rows", "gone"}


async def test_the_same_bytes_go_to_all_who_listen() -> None:
    served = await served_life()
    live = served.board.live
    streams = [live.changes(WINDOW) for _ in range(3)]
    for stream in streams:
        await anext(stream)
    waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await asyncio.sleep(0)
    live._tell()
    told = [await each for each in waiting]
    assert told[0].count(b"event: snapshot") == 1
    assert told[0] == told[1] == told[2]
