"""What the wallboard's pages ask beyond the live stream: a queue's last hour, its breach, its day against another."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from agents.board import history
from agents.board.figures import Figures, rounded
from agents.board.follower import Follower
from agents.board.guard import Json
from agents.board.history import Span, iso
from agents.board.lasthour import Hour, LastHour, breach_since, samples
from agents.board.model import TODAY
from agents.board.questions import BadRequestError, asked
from agents.store import Reader
from streams import kpis
from streams.contact import Place
from streams.events import CHANNELS
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Policies
from streams.windows import FINE_MS, INTERVAL_MS, midnight

STATIC: Final = Path(__file__).parent / "static"

#: Half hours are what a day is compared by.
STEP_MS: Final = 30 * MINUTE_MS

#: What a half hour is told by.
COUNTS: Final = tuple(kpis.counts({}))

#: So many of those who wait are named one by one; all are counted.
MOST_WAITING: Final = 50

PAGES: Final = ("queue", "report", "figures")


class Asked(NamedTuple):
    """A queue and channel that was asked for."""

    queue: str
    channel: str


class Detail:
    """Answers for the page of one queue, from the follower's model and the store."""

    def __init__(self, follower: Follower, reader: Reader, policies: Policies, windows: dict[str, int]) -> None:
        """Know the rolling ``windows``, label -> ms."""
        self._follower = follower
        self._reader = reader
        self._policies = policies
        self._windows = {label: length for label, length in windows.items() if FINE_MS <= length <= HOUR_MS}
        self._hour = LastHour(reader, max(self._windows.values(), default=HOUR_MS))

    def routes(self) -> list[Route]:
        """Return the routes of the pages and of what they ask."""
        return [
            *(Route(f"/{name}", _page(name)) for name in PAGES),
            Route("/api/v1/trend", self.trend),
            Route("/api/v1/breaches", self.breaches),
            Route("/api/v1/weekday", self.weekday),
        ]

    async def trend(self, request: Request) -> Response:
        """Serve a queue's last hour, who waits in it since when, and its agents by state."""
        given = asked(request)
        place, window = self._place(given), self._window(given)
        hour = await self._hour.at(self._follower.now)
        waits = hour.waiting.get(place, [])
        first = [{"position": i, "since": iso(since)} for i, since in enumerate(waits[:MOST_WAITING], 1)]
        return Json(
            {
                "time": iso(hour.now),
                "window": window,
                "queue": place.queue,
                "channel": place.channel,
                "timezone": self._policies.timezone,
                **self._columns(hour, place, window),
                "waiting": {"count": len(waits), "first": first},
                "agents": self._agents(place.queue),
            }
        )

    def _columns(self, hour: Hour, place: Place, window: str) -> dict[str, list[Any]]:
        """Return the trend by column: time (Unix seconds), length, service level by its own formula, abandonment."""
        formula = self._policies.of(place[0]).formula
        found = samples(hour, place, self._windows[window])
        return {
            "times": [sample.at / SECOND_MS for sample in found],
            "queue_length": [sample.length for sample in found],
            "service_level": [rounded(kpis.service_level(sample.sums)[formula]) for sample in found],
            "abandonment_rate": [rounded(kpis.abandonment_rate(sample.sums)) for sample in found],
        }

    def _agents(self, queue: str) -> dict[str, int]:
        """Return how many of the agents who serve a queue are in each state."""
        counts: dict[str, int] = {}
        for state, _, queues in self._follower.model.people.values():
            if queue in queues:
                counts[state] = counts.get(state, 0) + 1
        return counts

    async def breaches(self, request: Request) -> Response:
        """Serve since when each open queue's promises have been broken; a queue that keeps them has no row."""
        window = self._window(asked(request))
        hour = await self._hour.at(self._follower.now)
        places = {place for rows in hour.fine.values() for place in rows} | set(hour.waiting)
        rows = []
        for place in sorted(places):
            if not self._policies.is_open(place[0], hour.now):
                continue
            since = breach_since(hour, place, self._policies.of(place[0]), self._windows[window])
            if since is not None:
                named = {"queue": place[0], "channel": place[1]}
                rows.append({**named, "since": iso(since.at), "at_least": since.at_least})
        return Json({"time": iso(hour.now), "window": window, "rows": rows})

    async def weekday(self, request: Request) -> Response:
        """Serve a queue's day up to the last whole quarter of an hour, beside the same weekday a week before."""
        place, now = self._place(asked(request)), self._follower.now
        today = midnight(now, self._policies.zone)
        before = midnight(today - 7 * DAY_MS + DAY_MS // 2, self._policies.zone)
        passed = now // INTERVAL_MS * INTERVAL_MS - today
        days = {name: await self._day(place, start, passed) for name, start in (("today", today), ("before", before))}
        return Json({"queue": place.queue, "channel": place.channel, "until": iso(today + passed), **days})

    async def _day(self, place: Asked, start: int, passed: int) -> dict[str, Any]:
        """Return a day's figures over its first ``passed`` ms, and the counts of its half hours by local time."""
        end = midnight(start + DAY_MS + DAY_MS // 2, self._policies.zone)
        whole = await self._rows(place, Span(start, start + passed, passed)) if passed > 0 else []
        steps = await self._rows(place, Span(start, end, STEP_MS))
        return {
            "date": self._local(start).date().isoformat(),
            "figures": whole[0] if whole else None,
            "half_hours": self._half_hours(steps),
        }

    def _half_hours(self, rows: list[Figures]) -> dict[str, Counter[str]]:
        """Return the counts of half hours by their local time; the hour that comes twice in autumn is one of both."""
        result: dict[str, Counter[str]] = {}
        for row in rows:
            result.setdefault(self._clock(row["start"]), Counter()).update({name: row[name] for name in COUNTS})
        return result

    async def _rows(self, place: Asked, span: Span) -> list[Figures]:
        rows = await history.interval_rows(self._reader, span, self._policies.zone, place.queue)
        return [row for row in rows if (row["queue"], row["channel"]) == place]

    def _clock(self, start: str) -> str:
        return self._local(history.time_of(start, "start")).strftime("%H:%M")

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at / SECOND_MS, self._policies.zone)

    def _place(self, given: dict[str, str]) -> Asked:
        """Return the place that is asked for; raise BadRequestError for a queue that nobody knows."""
        queue, channel = given.get("queue"), given.get("channel")
        if queue is None:
            raise BadRequestError("queue: name one, as in ?queue=sales&channel=voice")
        model = self._follower.model
        known = {place for place in (*model.contacts.sums(TODAY), *model.waiting) if place[0] == queue}
        if not known and queue not in self._policies.queues:
            raise BadRequestError(f"queue: {queue!r} is not known; /api/v1/queues names those that are")
        if channel is None:
            usual = self._policies.channels.get(queue, CHANNELS[0])
            channel = min(known)[1] if known else usual
        if channel not in CHANNELS:
            raise BadRequestError(f"channel: {channel!r} is not one of {', '.join(CHANNELS)}")
        return Asked(queue, channel)

    def _window(self, given: dict[str, str]) -> str:
        usual = list(self._windows)[min(1, len(self._windows) - 1)]
        window = given.get("window", usual)
        if window not in self._windows:
            raise BadRequestError(f"window: {window!r} is not one of {', '.join(self._windows)}")
        return window


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def serve(_request: Request) -> Response:
        return FileResponse(STATIC / f"{name}.html")

    return serve
