"""A board over a store that a small call center was counted into, asked without a network."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import httpx

from agents.board.follower import Follower
from agents.board.model import Model
from agents.board.web import OPEN_DOOR, Board, Door
from agents.store import Reader
from streams.policy import HOUR_MS
from tests.unit.life import POLICIES, START, WINDOWS, Counting, Stamp, life_of

NOW: Final = START + HOUR_MS + 5_000
AGENTS: Final = (("ann", "available"), ("bob", "on_contact"), ("cid", "break"))


class Served:
    """A board, the follower behind it, and the store under it."""

    def __init__(self, reader: Reader, clock: Callable[[], int] | None = None, door: Door = OPEN_DOOR) -> None:
        self.follower = Follower(reader, lambda: Model(WINDOWS, POLICIES.zone), clock or Stamp(NOW), 10_000)
        self.board = Board(
            self.follower, reader, POLICIES, windows=WINDOWS, fine_retention_ms=2 * HOUR_MS, version="1.2.3", door=door
        )
        self.app = self.board.app()

    async def look(self) -> None:
        """Take up what the store holds."""
        await self.follower._poll(discover=True)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Give a client that asks the board without a network."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://board") as client:
            yield client


async def counted_life(seed: int = 1) -> Counting:
    """Return an hour of contacts and agents, counted."""
    counting = Counting()
    await counting.feed(life_of(seed), until=NOW)
    events = [
        {"id": name, "type": "agent.state", "time": "2026-01-05T09:30:00Z", "agent_id": name, "state": state}
        for name, state in AGENTS
    ]
    await counting.send(events, key="agent_id")
    await counting.beat()
    return counting


async def served_life(seed: int = 1, door: Door = OPEN_DOOR) -> Served:
    """Return a board that has seen an hour of contacts and agents."""
    served = Served((await counted_life(seed)).store, door=door)
    await served.look()
    return served
