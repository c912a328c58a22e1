"""What the board serves: the wallboard, the JSON API, the live stream, the exposition, and its own health."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.board import history, openapi
from agents.board.figures import agents_by_state, live_rows, occupancy, rounded
from agents.board.follower import Follower
from agents.board.history import BadRequestError, iso, time_of
from agents.board.metrics import Collector
from agents.board.model import AHEAD_MS, TODAY
from agents.store import Reader, StoreError
from streams.policy import MINUTE_MS, Policies

STATIC: Final = Path(__file__).parent / "static"

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Json(Response):
    """JSON as msgspec writes it."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return ``content`` as JSON."""
        return msgspec.json.encode(content)


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
    ) -> None:
        """Serve ``windows``, label -> length in ms; the first but one is the wallboard's usual."""
        self._follower = follower
        self._reader = reader
        self._policies = policies
        self._windows = windows
        self._fine_retention = fine_retention_ms
        self._version = version
        self._collector = Collector(follower, policies, windows, version)
        self._usual = list(windows)[min(1, len(windows) - 1)]
        self._snapshots: dict[str, tuple[int, bytes]] = {}
        #: Tells that the server wants to end: it waits for its answers, and a stream is one that ends only now.
        self.ending: Callable[[], bool] = lambda: False

    def app(self) -> Starlette:
        """Return the application; while it runs, the follower follows."""
        return Starlette(
            routes=[
                Route("/", self.wallboard),
                Mount("/static", StaticFiles(directory=STATIC)),
                Route("/metrics", self.metrics),
                Route("/api/v1/queues", self.queues),
                Route("/api/v1/intervals", self.intervals),
                Route("/api/v1/agents", self.agents),
                Route("/api/v1/stream", self.stream),
                Route("/healthz", self.healthz),
                Route("/readyz", self.readyz),
                Route("/openapi.json", self.openapi),
                Route("/docs", self.docs),
            ],
            middleware=[Middleware(SecureHeaders)],
            exception_handlers={BadRequestError: _refuse, StoreError: _unavailable},
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(self._follower.run())
        try:
            yield
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            await self._reader.close()

    async def wallboard(self, _request: Request) -> Response:
        """Serve the page."""
        return FileResponse(STATIC / "index.html")

    async def metrics(self, request: Request) -> Response:
        """Serve the exposition, in OpenMetrics where that is asked for."""
        if "application/openmetrics-text" in request.headers.get("accept", ""):
            text: bytes = openmetrics.generate_latest(self._collector)  # type: ignore[no-untyped-call]
            return Response(text, headers={"Content-Type": openmetrics.CONTENT_TYPE_LATEST})
        text = exposition.generate_latest(self._collector)
        return Response(text, headers={"Content-Type": exposition.CONTENT_TYPE_LATEST})

    async def queues(self, request: Request) -> Response:
        """Serve a row for each queue over a window, now or as it was."""
        window, now = self._window(request), self._follower.now
        asked = request.query_params.get("at")
        if asked is None:
            rows = live_rows(self._follower.model, self._policies, window, now)
            return Json({"time": iso(now), "window": window, "rows": rows, "pipeline": self._follower.health()})
        at = time_of(asked, "at")
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
        return await history.rows_at(self._reader, at, self._windows[window], until + 2 * AHEAD_MS)

    async def intervals(self, request: Request) -> Response:
        """Serve rows by interval."""
        asked, zone = request.query_params, self._policies.zone
        interval = asked.get("interval", "30m")
        span = history.span_of(asked.get("from"), asked.get("to"), interval, self._follower.now, zone)
        rows = await history.interval_rows(self._reader, span, zone, asked.get("queue"))
        return Json({"from": iso(span.start), "to": iso(span.end), "interval": interval, "rows": rows})

    async def agents(self, request: Request) -> Response:
        """Serve every agent's state, how many there are in each, and their occupancy."""
        window, model, now = self._window(request), self._follower.model, self._follower.now
        people = [
            {"agent_id": name, "state": state, "since": iso(since), "queues": queues}
            for name, (state, since, queues) in sorted(model.people.items())
        ]
        share = rounded(occupancy(model, window, now))
        states = agents_by_state(model)
        return Json({"time": iso(now), "window": window, "states": states, "occupancy": share, "agents": people})

    async def stream(self, request: Request) -> Response:
        """Serve a snapshot each second, as server-sent events."""
        window = self._window(request)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return StreamingResponse(self._events(window), media_type="text/event-stream")

    async def _events(self, window: str) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n"
        while not self.ending():
            yield b"event: snapshot\ndata: " + self.snapshot(window) + b"\n\n"
            await asyncio.sleep(1)

    def snapshot(self, window: str) -> bytes:
        """Return what the wallboard shows, as JSON; made once a second however many look at it."""
        second = int(asyncio.get_running_loop().time())
        made, data = self._snapshots.get(window, (-1, b""))
        if made != second:
            follower, now = self._follower, self._follower.now
            data = msgspec.json.encode(
                {
                    "time": iso(now),
                    "window": window,
                    "windows": [*self._windows, TODAY],
                    "timezone": self._policies.timezone,
                    "pipeline": follower.health(),
                    "agents": agents_by_state(follower.model),
                    "rows": live_rows(follower.model, self._policies, window, now),
                }
            )
            self._snapshots[window] = (second, data)
        return data

    async def healthz(self, _request: Request) -> Response:
        """Tell that this process serves."""
        return Json({"status": "ok", "version": self._version})

    async def readyz(self, _request: Request) -> Response:
        """Tell whether the store is reachable and the pipeline's lag known."""
        health = self._follower.health()
        # Without a sign of life the lag is what it was, not what it is.
        ready = health.store_reachable and health.lag_seconds is not None and self._follower.alive
        return Json({"ready": ready, "pipeline": health}, status_code=200 if ready else 503)

    async def openapi(self, _request: Request) -> Response:
        """Serve the description of the API."""
        return JSONResponse(openapi.document(self._version, [*self._windows, TODAY]))

    async def docs(self, _request: Request) -> Response:
        """Serve the description of the API for people."""
        return HTMLResponse(openapi.page(openapi.document(self._version, [*self._windows, TODAY])))

    def _window(self, request: Request) -> str:
        window = request.query_params.get("window", self._usual)
        if window not in self._windows and window != TODAY:
            raise BadRequestError(f"window: {window!r} is not one of {', '.join([*self._windows, TODAY])}")
        return window


class SecureHeaders:
    """Adds the security headers to every answer; plain ASGI, so that streams pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _refuse(_request: Request, error: Exception) -> Response:
    return Json({"error": str(error)}, status_code=400)


async def _unavailable(_request: Request, error: Exception) -> Response:
    return Json({"error": f"the store cannot be read now: {error}"}, status_code=503)
