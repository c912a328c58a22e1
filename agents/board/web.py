"""What the board serves: the wallboard, the JSON API, the live stream, the exposition, and its own health."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from agents.board import history, openapi
from agents.board.answers import Answers
from agents.board.detail import Detail
from agents.board.exposition import text_of
from agents.board.figures import Figures, agents_by_state, live_rows, occupancy, rounded
from agents.board.follower import Follower
from agents.board.guard import Guard, Json, failure
from agents.board.history import BadRequestError, iso, time_of
from agents.board.live import Live
from agents.board.login import Login
from agents.board.metrics import Collector
from agents.board.model import AHEAD_MS, TODAY
from agents.board.questions import asked
from agents.board.volume import Volume
from agents.store import Reader, StoreError
from config.tokens import Tokens
from streams.policy import MINUTE_MS, Policies

STATIC: Final = Path(__file__).parent / "static"

#: Closing the connections to the store may take this long, in seconds.
CLOSE_S: Final = 1.0

#: Who finds the board full asks again after this, in seconds.
FULL_RETRY_S: Final = 10


class Stream(StreamingResponse):
    """A stream that is counted for as long as it is open."""

    def __init__(self, content: AsyncIterator[bytes], counted: set[object]) -> None:
        super().__init__(content, media_type="text/event-stream")
        self._counted = counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream until either side ends it."""
        self._counted.add(self)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._counted.discard(self)


class Door(msgspec.Struct, frozen=True):
    """Who is let in: with whose tokens (None: everybody), under which names (None: any), to how many streams."""

    tokens: Tokens | None = None
    hosts: Collection[str] | None = None
    streams: int = 200


OPEN_DOOR: Final = Door()


class Board:
    """The routes, over what the follower knows and the store holds."""

    def __init__(
        self,
        follower: Follower,
        reader: Reader,
        policies: Policies,
        *,
        windows: dict[str, int],
        fine_retention_ms: int,
        version: str,
        door: Door = OPEN_DOOR,
    ) -> None:
        """Serve ``windows``, label -> length in ms; the second is the wallboard's usual."""
        self._follower = follower
        self._reader = reader
        self._policies = policies
        self._windows = windows
        self._fine_retention = fine_retention_ms
        self._version = version
        self._answers = Answers(follower, reader, policies)
        self._collector = Collector(follower, policies, windows, version, self._answers.long)
        self._usual = list(windows)[min(1, len(windows) - 1)]
        self._door = door
        self._streams: set[object] = set()
        self._login = Login()
        self._detail = Detail(follower, reader, policies, windows)
        self._volume = Volume(follower, reader, policies)
        self.live = Live(follower, policies, [*windows, TODAY])

    def routes(self) -> list[BaseRoute]:
        """Return all routes; what is not described by ``openapi`` is not among them."""
        return [
            Route("/", self.wallboard),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/login", self._login.login, methods=["GET", "POST"]),
            Route("/logout", self._login.logout, methods=["POST"]),
            Route("/metrics", self.metrics),
            Route("/api/v1/queues", self.queues),
            Route("/api/v1/intervals", self.intervals),
            Route("/api/v1/agents", self.agents),
            Route("/api/v1/stream", self.stream),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            *self._detail.routes(),
            *self._volume.routes(),
            *self._answers.routes(),
            Route("/openapi.json", self.openapi),
            Route("/docs", self.docs),
        ]

    def app(self) -> ASGIApp:
        """Return the application behind its guard; while it runs, the follower follows."""
        app = Starlette(
            routes=self.routes(),
            exception_handlers={
                BadRequestError: _refuse,
                StoreError: _unavailable,
                HTTPException: _not_here,
                Exception: _broken,
            },
            lifespan=self._lifespan,
        )
        # Starlette would send on to an address made of whatever host the request names.
        app.router.redirect_slashes = False
        self._login.guard = Guard(app, self._door.tokens, self._door.hosts)
        return self._login.guard

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        running = [asyncio.create_task(self._follower.run()), asyncio.create_task(self._answers.run())]
        running.append(asyncio.create_task(self.live.run()))
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            # A store that hangs does not keep the board from ending.
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._reader.close()

    async def wallboard(self, _request: Request) -> Response:
        """Serve the page."""
        return FileResponse(STATIC / "index.html")

    async def metrics(self, request: Request) -> Response:
        """Serve the exposition, in OpenMetrics where that is asked for."""
        openly = "application/openmetrics-text" in request.headers.get("accept", "")
        parts: list[bytes] = []
        for family in self._collector.collect():
            if family is not None:
                parts.append(text_of(family, openmetrics=openly).encode())
            # A thousand queues take a while: nobody else has to wait for all of them.
            await asyncio.sleep(0)
        if openly:
            parts.append(b"# EOF\n")
        kind = openmetrics.CONTENT_TYPE_LATEST if openly else exposition.CONTENT_TYPE_LATEST
        return Response(b"".join(parts), headers={"Content-Type": kind})

    async def queues(self, request: Request) -> Response:
        """Serve a row for each queue over a window, now or as it was."""
        given, now = asked(request), self._follower.now
        window, past = self._window(given), given.get("at")
        if past is None:
            rows = live_rows(self._follower.model, self._policies, window, now)
            return Json({"time": iso(now), "window": window, "rows": rows, "pipeline": self._follower.health()})
        at = time_of(past, "at")
        return Json({"time": iso(at), "window": window, "rows": await self._rows_at(window, at, now)})

    async def _rows_at(self, window: str, at: int, now: int) -> list[dict[str, Any]]:
        if window == TODAY:
            raise BadRequestError("today has no rows of a past time; ask /api/v1/intervals for that day")
        marks = [beat.watermark for beat in self._follower.beats.values() if beat.watermark is not None]
        until = max(marks, default=now)
        if at > now + AHEAD_MS:
            raise BadRequestError("at: lies ahead of now")
        if at - self._windows[window] < until - self._fine_retention:
            kept = f"windows are kept for {self._fine_retention // MINUTE_MS} minutes"
            raise BadRequestError(f"{kept}; ask /api/v1/intervals for older times")
        # What is committed while this is read may be later than what the last beats told.
        return await history.rows_at(self._reader, at, self._windows[window], until + 2 * AHEAD_MS, self._policies)

    async def intervals(self, request: Request) -> Response:
        """Serve rows by interval."""
        given, zone = asked(request), self._policies.zone
        interval = given.get("interval", "30m")
        span = history.span_of(given.get("from"), given.get("to"), interval, self._follower.now, zone)
        parts = history.interval_parts(self._reader, span, zone, given.get("queue"))
        written = [part async for part in _written(parts)]
        head = {"from": iso(span.start), "to": iso(span.end), "interval": interval}
        return Json({**head, "rows": msgspec.Raw(b"[" + b",".join(filter(None, written)) + b"]")})

    async def agents(self, request: Request) -> Response:
        """Serve every agent's state, how many there are in each, their occupancy; to an admin, what each has done."""
        given = asked(request)
        window, model, now = self._window(given), self._follower.model, self._follower.now
        told: dict[str, Any] = {}
        if "period" in given:
            if request.state.role != "admin":
                return failure(403, "what each agent has done is for a token of the role admin")
            told = {"period": given["period"], "people": await self._answers.people(given["period"])}
        people = [
            {"agent_id": name, "state": state, "since": iso(since), "queues": queues}
            for name, (state, since, queues) in sorted(model.people.items())
        ]
        share = rounded(occupancy(model, window, now))
        states = agents_by_state(model)
        head = {"time": iso(now), "window": window, "states": states, "occupancy": share}
        return Json({**head, "agents": people, **told})

    async def stream(self, request: Request) -> Response:
        """Serve a snapshot each second, or one and then what changed, as server-sent events."""
        given = asked(request)
        window, changes = self._window(given), given.get("changes", "no")
        if changes not in ("yes", "no"):
            raise BadRequestError("changes: yes or no")
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        if len(self._streams) >= self._door.streams:
            full = f"{self._door.streams} streams are open, which is as many as CALLWATCH_STREAMS allows"
            return failure(503, full, Retry_After=str(FULL_RETRY_S))
        told = self.live.changes(window) if changes == "yes" else self.live.snapshots(window)
        return Stream(told, self._streams)

    async def healthz(self, request: Request) -> Response:
        """Tell that this process serves; to a role, as what version."""
        return Json({"status": "ok", "version": self._version} if _is_told(request) else {"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Tell whether the store is reachable and the pipeline's lag known; to a role, why not."""
        health = self._follower.health()
        # Without a sign of life the lag is what it was, not what it is.
        ready = health.store_reachable and health.lag_seconds is not None and self._follower.alive
        details = {"pipeline": health} if _is_told(request) else {}
        return Json({"ready": ready, **details}, status_code=200 if ready else 503)

    async def openapi(self, _request: Request) -> Response:
        """Serve the description of the API."""
        return JSONResponse(openapi.document(self._version, [*self._windows, TODAY]))

    async def docs(self, _request: Request) -> Response:
        """Serve the description of the API for people."""
        return HTMLResponse(openapi.page(openapi.document(self._version, [*self._windows, TODAY])))

    def _window(self, given: Mapping[str, str]) -> str:
        window = given.get("window", self._usual)
        if window not in self._windows and window != TODAY:
            raise BadRequestError(f"window: {window!r} is not one of {', '.join([*self._windows, TODAY])}")
        return window


def _is_told(request: Request) -> bool:
    return request.state.role in ("wallboard", "admin")


async def _written(parts: AsyncIterator[Callable[[], list[Figures]]]) -> AsyncIterator[bytes]:
    """Yield rows as JSON, without the brackets, made on a thread: a month of them takes seconds."""
    async for part in parts:
        yield await asyncio.to_thread(_without_brackets, part)


def _without_brackets(part: Callable[[], list[Figures]]) -> bytes:
    return msgspec.json.encode(part())[1:-1]


async def _refuse(_request: Request, error: Exception) -> Response:
    return failure(400, str(error))


async def _unavailable(_request: Request, error: Exception) -> Response:
    return failure(503, f"the store cannot be read now: {error}")


async def _not_here(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    answer = failure(status, {404: "there is nothing here", 405: "that is not done here"}.get(status, "no"))
    answer.headers.update(getattr(error, "headers", None) or {})
    return answer


async def _broken(_request: Request, _error: Exception) -> Response:
    return failure(500, "something is wrong with the board; its log says what")
