"""A store that was told of customer service by hand: rows as partitions commit them, and a board over it."""

from collections.abc import Mapping
from typing import Any

from agents.board.follower import Follower
from agents.board.model import Model
from agents.board.web import OPEN_DOOR, Board, Door
from agents.store import Beat, Commit, Delta, Head
from agents.store.memory import MemoryStore
from streams.contact import Place, is_aside
from streams.policy import HOUR_MS, Policies
from streams.windows import Totals, fine, interval
from tests.unit.life import WINDOWS, Stamp


class Told:
    """What was counted, partition by partition, and a board that reads it at ``now``."""

    def __init__(self, policies: Policies, now: int, door: Door = OPEN_DOOR) -> None:
        self.store, self.clock = MemoryStore(), Stamp(now)
        self._heads: dict[str, Head] = {}
        self._totals: dict[str, Totals] = {}
        self.follower = Follower(self.store, lambda: Model(WINDOWS, policies.zone), self.clock, 10_000)
        self.board = Board(
            self.follower, self.store, policies, windows=WINDOWS, fine_retention_ms=2 * HOUR_MS, version="1", door=door
        )
        self.app = self.board.app()

    async def count(
        self,
        partition: str,
        at: int,
        places: Mapping[Place, Mapping[Any, int]],
        now: Mapping[str, tuple[Any, ...]] | None = None,
    ) -> None:
        """Commit rows of one moment: those of queues to their fine bucket, those aside to the interval alone."""
        known = await self.store.load(partition)
        number = interval(at)
        _, stored = await self.store.rows(partition, (), [number])
        rows = {place: dict(row) for place, row in stored.get(number, {}).items()}
        for place, row in places.items():
            for measure, amount in row.items():
                own = rows.setdefault(place, {})
                own[measure] = own.get(measure, 0) + amount
        queues = {place: dict(row) for place, row in places.items() if not is_aside(place)}
        aside = {place: dict(row) for place, row in places.items() if is_aside(place)}
        totals = self._totals.setdefault(partition, Totals())
        changed = totals.post([queues])
        delta = Delta({fine(at): queues} if queues else {}, dict(now or {}), {}, {number: aside} if aside else {})
        commit = Commit(
            offset=known.head.offset + 1,
            delta=delta,
            beat=Beat(at, 0, 0, at),
            fine=delta.deltas,
            intervals={number: rows},
            totals={place: totals.rows[place] for place in changed},
        )
        assert await self.store.commit(partition, known.head, commit) is not None

    async def look(self) -> None:
        """Have the board take up what is stored."""
        await self.follower._poll(discover=True)
