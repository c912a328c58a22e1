"""What the page of customer service asks: figures of a period, subjects, people."""

import asyncio
from datetime import date
from time import monotonic
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.board.figures import Figures
from agents.board.follower import Follower
from agents.board.guard import Json
from agents.board.history import iso
from agents.board.parts import known_of
from agents.board.people import people_rows
from agents.board.periods import LONG, PERIODS, Period, Periods, Sums, midnight_of, period_of
from agents.board.questions import BadRequestError, asked
from agents.board.service import rows_of
from agents.board.subjects import subject_rows
from agents.store import Reader, StoreError
from streams.measures import Measure
from streams.policy import DAY_MS, HOUR_MS, Policies

#: Of what subjects are counted, and how long before they are compared with, in ms.
SUBJECT_PERIODS: Final = {"1h": HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS}

#: Long periods are worked out anew in the background this often, in seconds.
EVERY_S: Final = 30.0

#: Rows that were made are good for so many times as long as it took to make them.
GOOD_FOR: Final = 20


class Answers:
    """Makes rows of periods, and keeps those of the long ones for Prometheus."""

    def __init__(self, follower: Follower, reader: Reader, policies: Policies) -> None:
        self._follower = follower
        self._policies = policies
        self._periods = Periods(follower, reader, policies.zone)
        self._made: dict[str, tuple[float, float, Period, list[Figures]]] = {}
        self._making = asyncio.Lock()
        #: period -> the rows of ``LONG`` periods, as they were worked out last
        self.long: dict[str, list[Figures]] = {}

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/api/v1/figures", self.figures), Route("/api/v1/subjects", self.subjects)]

    async def run(self) -> None:
        """Keep the rows of long periods up to date, until cancelled."""
        while True:
            if self._follower.whole:
                for name in LONG:
                    try:
                        self.long[name] = (await self.rows(name))[1]
                    except StoreError:
                        # What was known last is told as long as the store is away, as everywhere.
                        break
            await asyncio.sleep(EVERY_S if self.long else 1)

    async def figures(self, request: Request) -> Response:
        """Serve a row for each queue and channel over a period, one for each channel, and one of all."""
        given = asked(request)
        period, rows = await self.rows(given.get("period", PERIODS[0]), given.get("queue"))
        return Json({**_head(period), "rows": rows})

    async def rows(self, name: str, queue: str | None = None) -> tuple[Period, list[Figures]]:
        """Return the rows of a period. Raise BadRequestError for an unknown one, StoreError if it cannot be read."""
        period = self._period(name)
        async with self._making:
            at, took, of, rows = self._made.get(name, (0.0, 0.0, period, []))
            if queue is None and rows and monotonic() - at < took * GOOD_FOR:
                return of, rows
            books, at_start = await self._periods.books(period), await self._at_start(period)
            began = monotonic()
            known = known_of(self._follower.model, self._policies, period, books, at_start)
            # It is a copy, and a thousand queues take a while: nobody else has to wait for all of them.
            rows = await asyncio.to_thread(rows_of, known, queue)
            if queue is None:
                self._made[name] = (monotonic(), monotonic() - began, period, rows)
            return period, rows

    async def subjects(self, request: Request) -> Response:
        """Serve how many visits there were about each subject, what rises first, beside the time before."""
        name = asked(request).get("period", "24h")
        if name not in SUBJECT_PERIODS:
            raise BadRequestError(f"period: {name!r} is not one of {', '.join(SUBJECT_PERIODS)}")
        period, length = self._period(name), SUBJECT_PERIODS[name]
        own = await self._periods.sums("contacts", period.start, period.end)
        before = await self._periods.sums("contacts", period.start - length, period.start)
        rows, other = subject_rows(own, before, (period.end - period.start) / length)
        return Json({**_head(period), "rows": rows, "other": other})

    async def people(self, name: str) -> list[Figures]:
        """Return a row for each agent over a period."""
        period = self._period(name)
        return people_rows(self._follower.model, self._policies, period, await self._periods.books(period))

    def _period(self, name: str) -> Period:
        return period_of(name, self._follower.now, self._policies.zone)

    async def _at_start(self, period: Period) -> int | None:
        """Return how many customers there were at the start of a period: those once counted, and who came and went."""
        business, zone = self._policies.business, self._policies.zone
        if business.customers is None or business.customers_counted is None:
            return None
        counted = midnight_of(date.fromisoformat(business.customers_counted), zone)
        first, last = sorted((counted, period.start))
        change = _net(await self._periods.sums("customers", first, last)) if first < last else 0
        return business.customers + (change if counted < period.start else -change)


def _net(sums: Sums) -> int:
    joined, gone = Measure.CUSTOMERS_JOINED, Measure.CUSTOMERS_LEFT
    return sum(row.get(joined, 0) - row.get(gone, 0) for row in sums.values())


def _head(period: Period) -> dict[str, Any]:
    return {"time": iso(period.end), "period": period.name, "from": iso(period.start), "to": iso(period.end)}
