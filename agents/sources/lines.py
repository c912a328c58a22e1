"""Reading a file of events: plain or gzip, a file or standard input, without ever stopping the sending."""

import asyncio
import gzip
import io
import os
import threading
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Final, NamedTuple

from agents.sources.sender import LONGEST_MESSAGE
from config.errors import UsageError, one_line

BLOCK_BYTES: Final = 262_144
#: Blocks read ahead.
READ_AHEAD: Final = 4
GZIP_MAGIC: Final = b"\x1f\x8b"
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
STDIN: Final = "-"
#: What reading a damaged file raises.
DAMAGED: Final = (OSError, EOFError, zlib.error)


class Source(NamedTuple):
    """An open file: the text in it, the file as it lies on the disk, and that one's size, 0 when unknown."""

    text: "gzip.GzipFile | io.BufferedReader[io.FileIO]"
    raw: "io.BufferedReader[io.FileIO]"
    size: int


class Lines(NamedTuple):
    """Some lines without their ends, the number of the first (from 1), and how far into the file they reach."""

    first: int
    lines: list[bytes]
    position: int


def open_events(file: str) -> Source:
    """Open a file of events, ``-`` for standard input; what begins like gzip is read as gzip, whatever its name.

    Raise UsageError when it cannot be opened.
    """
    try:
        # A copy of standard input's descriptor is its reader's own, whatever the interpreter closes at its end.
        raw = io.BufferedReader(io.FileIO(os.dup(0) if file == STDIN else file))
        size = 0 if file == STDIN else Path(file).stat().st_size
        packed = raw.peek(2)[:2] == GZIP_MAGIC
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(one_line(f"{file} cannot be read: {why}")) from error
    return Source(gzip.GzipFile(fileobj=raw) if packed else raw, raw, size)


async def read_lines(source: Source) -> AsyncGenerator[Lines, None]:
    """Yield the lines of a file in order, then close it; raise one of DAMAGED after all lines that can be read.

    A line longer than Kafka takes is cut, still too long, so that no file can fill the memory.
    """
    number, rest = 1, b""
    async with aclosing(_read_ahead(source)) as blocks:
        async for block, position in blocks:
            *lines, rest = (rest + block).split(b"\n")
            if number == 1 and lines:
                lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
            rest = rest[: LONGEST_MESSAGE + 1]
            if lines:
                yield Lines(number, lines, position)
            number += len(lines)
    if rest:
        yield Lines(number, [rest.removeprefix(BYTE_ORDER_MARK) if number == 1 else rest], source.size)


class _Reader:
    """Reads blocks in a thread that nobody waits for.

    A pipe that says nothing would otherwise stop what is being sent, and the end of the program.
    """

    def __init__(self, source: Source, loop: asyncio.AbstractEventLoop) -> None:
        self.blocks: asyncio.Queue[tuple[bytes, int] | Exception] = asyncio.Queue()
        self.room = threading.Semaphore(READ_AHEAD)
        self.over = False
        self._source = source
        self._loop = loop
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with self._source.raw:
            try:
                while block := self._source.text.read1(BLOCK_BYTES):
                    self._hand_over((block, self._source.raw.tell() if self._source.size else 0))
                    if self.over:
                        return
                self._hand_over((b"", 0))
            except DAMAGED as error:
                self._hand_over(error)

    def _hand_over(self, item: tuple[bytes, int] | Exception) -> None:
        self.room.acquire()
        if not self.over:
            self._loop.call_soon_threadsafe(self.blocks.put_nowait, item)


async def _read_ahead(source: Source) -> AsyncGenerator[tuple[bytes, int], None]:
    """Yield blocks as they come, each with the position in the file after it."""
    reader = _Reader(source, asyncio.get_running_loop())
    try:
        while True:
            item = await reader.blocks.get()
            reader.room.release()
            if isinstance(item, Exception):
                raise item
            if not item[0]:
                return
            yield item
    finally:
        reader.over = True
        reader.room.release()
