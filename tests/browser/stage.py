"""A board for the page under test: serves the real static files and a scripted stream."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.browser.scenes import WINDOWS, Snapshot

STATIC = Path(__file__).parents[2] / "agents" / "board" / "static"

# As strict as a policy can be: whatever the page needs beyond its own files fails the tests.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEARTBEAT_S = 1.0
LOOK_S = 0.02


class Policed:
    """ASGI middleware that adds the content security policy to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def policed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"content-security-policy", POLICY.encode()))
            await send(message)

        await self.app(scope, receive, policed)


class Stage:
    """A server on loopback, in a thread of its own, that can be scripted, muted, stopped, started again.

    A snapshot is sent when it is shown and then once a second, stamped with the time and the asked-for window.
    """

    def __init__(self) -> None:
        self.windows_asked: list[str | None] = []
        self.windows = WINDOWS
        #: What other paths of the API answer, and what they were asked.
        self.answers: dict[str, Any] = {"breaches": {"rows": []}}
        self.asked: list[str] = []
        self._shown: Snapshot | None = None
        self._kind = "snapshot"
        self._version = 0
        self._muted = False
        self._stopping = False
        self._port = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Return the address of the page."""
        return f"http://127.0.0.1:{self._port}/"

    def show(self, snapshot: Snapshot) -> None:
        """Send ``snapshot`` from now on."""
        self._send("snapshot", snapshot)

    def change(self, snapshot: Snapshot, gone: list[list[str]]) -> None:
        """Send that the rows of ``snapshot`` have changed, and which are ``gone``, from now on."""
        self._send("changes", snapshot | {"gone": gone})

    def _send(self, kind: str, shown: Snapshot) -> None:
        self._kind, self._shown = kind, shown
        self._muted = False
        self._version += 1

    def mute(self) -> None:
        """Keep connections open and send nothing."""
        self._muted = True

    def start(self) -> None:
        """Serve; after the first time at the same port."""
        self._stopping = False
        server = uvicorn.Server(
            uvicorn.Config(self._app(), host="127.0.0.1", port=self._port, log_level="error", lifespan="off"),
        )
        self._thread = threading.Thread(target=server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline, "the test server did not start"
            assert self._thread.is_alive(), "the test server could not listen"
            time.sleep(LOOK_S)
        self._port = server.servers[0].sockets[0].getsockname()[1]
        self._server = server

    def stop(self) -> None:
        """End every connection and stop listening."""
        self._stopping = True
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(10)
            assert not self._thread.is_alive(), "the test server did not stop"

    def _app(self) -> ASGIApp:
        routes = [
            Route("/", self._page),
            Route("/api/v1/stream", self._stream),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/api/v1/{name}", self._answer),
            Route("/{page}", self._page),
        ]
        return Policed(Starlette(routes=routes))

    async def _page(self, request: Request) -> Response:
        return FileResponse(STATIC / f"{request.path_params.get('page', 'index')}.html")

    async def _answer(self, request: Request) -> Response:
        self.asked.append(f"{request.url.path}?{request.url.query}")
        answer = self.answers.get(request.path_params["name"])
        if callable(answer):
            answer = answer(request.query_params)
        if answer is None:
            return JSONResponse({"error": "nothing scripted"}, status_code=400)
        return JSONResponse(answer)

    async def _stream(self, request: Request) -> Response:
        asked = request.query_params.get("window")
        self.windows_asked.append(asked)
        window = self.windows[1] if asked is None else asked
        if window not in self.windows:
            return Response("no such window", status_code=400)
        return StreamingResponse(self._events(window), media_type="text/event-stream")

    async def _events(self, window: str) -> AsyncIterator[str]:
        sent_version = -1
        sent_at = 0.0
        while not self._stopping:
            due = self._version != sent_version or time.monotonic() - sent_at >= HEARTBEAT_S
            if due and self._shown is not None and not self._muted:
                sent_version, sent_at = self._version, time.monotonic()
                known = {"windows": self.windows} if self._kind == "snapshot" else {}
                yield _event(self._kind, known | self._shown, window)
            await asyncio.sleep(LOOK_S)


def _event(kind: str, snapshot: Snapshot, window: str) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data = json.dumps({"time": now, "window": window} | snapshot)
    return f"event: {kind}\ndata: {data}\n\n"
