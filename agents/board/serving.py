"""The board's HTTP server: where it listens, whom it lets in, how long it waits, and how it ends."""

import asyncio
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from agents.board.web import Board, Door
from config.errors import UsageError
from config.settings import Settings
from config.tokens import load_tokens

#: Who has not said within this what is wanted, or not taken an answer, is let go, in seconds.
REQUEST_S: Final = 10.0
UNTAKEN_S: Final = 20

#: Answers that are under way when the board ends have this long, in seconds.
GRACE_S: Final = 1

#: The longest address with all headers, in bytes.
LARGEST_HEAD: Final = 16 * 1024

#: Names of this machine that no other site can take for its own.
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can ask at ``host``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def door_of(settings: Settings) -> Door:
    """Return who is let in. Raise UsageError where everybody would be."""
    tokens = None if settings.tokens_file is None else load_tokens(settings.tokens_file)
    loopback = is_loopback(settings.host)
    if tokens is None and not loopback and settings.guarded == "no":
        raise UsageError(
            f"CALLWATCH_HOST: {settings.host} can be reached from elsewhere, and nobody is asked for a token; set "
            "CALLWATCH_TOKENS_FILE (callwatch token makes its lines), or CALLWATCH_GUARDED=yes behind a proxy that asks"
        )
    # Another site may have its own name point at 127.0.0.1, and then its pages could read a board without tokens.
    given = () if settings.hosts is None else tuple(_bracketed(host) for host in settings.hosts)
    named = bool(given) or (loopback and tokens is None)
    return Door(tokens, (*given, *LOOPBACK_NAMES, _bracketed(settings.host)) if named else None, settings.streams)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def listen(settings: Settings) -> socket.socket:
    """Return a socket bound to the board's address; raise UsageError if it cannot be used."""
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # A screen that was switched off, or a reader that reads no more, holds no stream for ever.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_S * 1_000)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"port {settings.port} on {settings.host} cannot be used ({error.strerror}); "
            "free it or give another with --port"
        ) from None
    return listener


class TimelyProtocol(H11Protocol):
    """HTTP/1.1 in which who takes too long to say what is wanted is let go."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Take what came; a request that is whole is no longer waited for."""
        super().handle_events()
        if self._is_answering():
            self._stop_waiting()
        elif self._deadline is None:
            self._wait()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        if self._deadline is None and not self._is_answering():
            self._wait()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Server(uvicorn.Server):
    """Ends on SIGINT and SIGTERM, and that is a success: uvicorn raises the signal once more, and dies of it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ask the server to end when a signal comes."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def server_of(board: Board, trusted_proxies: Sequence[str], **options: Any) -> Server:
    """Return a server for ``board``, whose streams end with it; ``options`` are uvicorn's."""
    server = Server(
        uvicorn.Config(
            board.app(),
            http=TimelyProtocol,
            ws="none",
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            proxy_headers=True,
            forwarded_allow_ips=list(trusted_proxies),
            **options,
        )
    )
    board.live.ending = lambda: server.should_exit
    return server


async def serve(board: Board, listener: socket.socket, trusted_proxies: Sequence[str]) -> None:
    """Serve ``board`` on ``listener`` until SIGINT or SIGTERM."""
    await server_of(board, trusted_proxies).serve(sockets=[listener])
