"""A network that can break: a TCP proxy on loopback that cuts, holds, delays, and changes where it leads to."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from typing import Any

from agents.embedded.local import LOOPBACK
from tests.harness.server import free_port

CHUNK = 65_536
#: What a proxy was told is done within this, in seconds.
OBEY_S = 10.0


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop of all proxies, in a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="proxies", daemon=True).start()
    return loop


def _run(work: Coroutine[Any, Any, None]) -> None:
    future: Future[None] = asyncio.run_coroutine_threadsafe(work, _loop())
    future.result(OBEY_S)


class Proxy:
    """Passes connections on to loopback port ``target``, until told otherwise.

    What it holds is not lost, as TCP would send it again: it arrives once ``heal`` is called, on connections that
    are still there.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._refuses = False
        self._delay_s = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        _run(self._open())

    async def _open(self) -> None:
        self._there, self._back = asyncio.Event(), asyncio.Event()
        self._there.set()
        self._back.set()
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)

    def cut(self) -> None:
        """Reset all connections and refuse new ones."""
        self._do(self._cut)

    def drop(self) -> None:
        """Reset all connections once; new ones are welcome."""
        self._do(self._drop)

    def hold(self, *, answers_only: bool = False) -> None:
        """Let connections stand and nothing pass; or let requests through, but not the answers: half open."""

        def stop() -> None:
            self._back.clear()
            if not answers_only:
                self._there.clear()

        self._do(stop)

    def delay(self, seconds: float) -> None:
        """Pass everything on only after ``seconds``."""
        self._delay_s = seconds

    def lead_to(self, target: int) -> None:
        """Lead to another port from now on; connections to the old one are reset."""
        self._target = target
        self.drop()

    def heal(self) -> None:
        """Pass everything on at once, what was held first."""

        def go_on() -> None:
            self._refuses = False
            self._delay_s = 0.0
            self._there.set()
            self._back.set()

        self._do(go_on)

    def close(self) -> None:
        """Let go of the port and all connections."""
        self._do(self._server.close)
        self._do(self._drop)

    def _do(self, act: Callable[[], None]) -> None:
        async def do() -> None:
            act()

        _run(do())

    def _cut(self) -> None:
        self._refuses = True
        self._drop()

    def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _reset_when_closed(writer)
        if self._refuses:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:
            writer.transport.abort()
            return
        _reset_when_closed(far_writer)
        ends = {writer, far_writer}
        self._writers |= ends
        there = asyncio.ensure_future(self._pump(reader, far_writer, self._there))
        back = asyncio.ensure_future(self._pump(far_reader, writer, self._back))
        await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        for each in (there, back):
            each.cancel()
        for end in ends:
            end.transport.abort()
        self._writers -= ends

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                await gate.wait()
                target.write(data)
                await target.drain()


def _reset_when_closed(end: asyncio.StreamWriter) -> None:
    """Have a connection end as with a host that is gone, or a firewall."""
    end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
