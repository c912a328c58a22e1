"""The live streams: a whole snapshot each second, or one and then only what changed; made once for all who listen."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from itertools import islice
from time import monotonic, thread_time
from typing import Any, Final

import msgspec
import structlog

from agents.board.figures import Figures, Rows, agents_by_state, iso, live_rows
from agents.board.follower import Follower
from agents.board.model import Touched
from streams.contact import Place
from streams.policy import SECOND_MS, Policies

#: So often a second a stream looks whether the server wants to end.
LOOKS: Final = 4

#: Who listens is told something at least this often, in seconds.
BEAT_S: Final = 1.0

#: What changed is told no sooner than this after the last, in seconds.
PACE_S: Final = 0.05

#: Nor sooner than this many times as long as it took to work it out, and this long for each who listens.
REST: Final = 10
PACE_EACH_S: Final = 0.000_5

#: As many bytes of changes are kept for who falls behind, where a snapshot has not more.
KEPT_BYTES: Final = 64 * 1024

#: Who was told nothing yet.
NEW: Final = -1

RETRY: Final = b"retry: 1000\n\n"

log = structlog.get_logger()


class Table:
    """The rows of a window as they were last told."""

    def __init__(self) -> None:
        #: place -> its row without what time alone moves; None: of all together
        self._told: dict[Place | None, Figures] = {}

    def changed(self, rows: Rows, touched: Touched, now: int) -> tuple[list[Figures], list[Place]]:
        """Return the rows that are not as they were told, and the places that have none any more."""
        places = rows.places()
        gone = [place for place in self._told if place is not None and place not in places]
        for place in gone:
            del self._told[place]
        looked = sorted(place for place in places if _is_touched(place, touched) or place not in self._told)
        found = [row for place in looked if self._is_news(place, row := rows.of(place), now)]
        return [*found, *(row for row in [rows.of_all()] if self._is_news(None, row, now))], gone

    def _is_news(self, place: Place | None, row: Figures, now: int) -> bool:
        still = _still(row, now)
        if self._told.get(place) == still:
            return False
        self._told[place] = still
        return True


def _is_touched(place: Place, touched: Touched) -> bool:
    return touched.everything or place in touched.places or place[0] in touched.queues


def _still(row: Figures, now: int) -> Figures:
    """Return a row with the moment that its longest wait began in place of what time alone moves."""
    longest = row["longest_wait_seconds"]
    began = None if longest is None else now - round(longest * SECOND_MS)
    return {**row, "longest_wait_seconds": began, "queue_length_average": None}


class Channel:
    """What those who listen to the changes of one window are told."""

    def __init__(self) -> None:
        self.table = Table()
        self.listeners = 0
        #: Somebody is new, or too far behind for what is kept.
        self.wants_snapshot = False
        #: How many messages were ever told; the last of them; a snapshot, and how many were told when it was made.
        self._told = 0
        self._messages: deque[bytes] = deque()
        self._snapshot, self._snapshot_told = b"", -1
        self._bytes = 0
        self._came = asyncio.Event()

    def tell(self, message: bytes) -> None:
        """Tell all of a change."""
        self._messages.append(message)
        self._told += 1
        self._bytes += len(message)
        # A new snapshot is less to read than changes that are longer together.
        while self._bytes > max(len(self._snapshot), KEPT_BYTES) and len(self._messages) > 1:
            self._bytes -= len(self._messages.popleft())
        self.wake()

    def begin(self, snapshot: bytes) -> None:
        """Let who is new begin with a snapshot of now."""
        self._snapshot, self._snapshot_told, self.wants_snapshot = snapshot, self._told, False
        self.wake()

    def since(self, number: int) -> tuple[bytes, int] | None:
        """Return what there is to tell to one who was told ``number`` messages, and how many those are then.

        It may begin with a snapshot. None where neither that nor all messages since are kept.
        """
        first = self._told - len(self._messages)
        if number >= first:
            return b"".join(islice(self._messages, number - first, None)), self._told
        if self._snapshot_told >= first:
            later = islice(self._messages, self._snapshot_told - first, None)
            return b"".join((self._snapshot, *later)), self._told
        return None

    async def wait(self) -> None:
        """Wait until there may be more to tell."""
        await self._came.wait()

    def wake(self) -> None:
        """Let all who wait look again."""
        came, self._came = self._came, asyncio.Event()
        came.set()


class Live:
    """Serves both kinds of stream."""

    def __init__(self, follower: Follower, policies: Policies, windows: Sequence[str]) -> None:
        """Serve ``windows``, their labels."""
        self._follower = follower
        self._policies = policies
        self._windows = windows
        self._snapshots: dict[str, tuple[int, bytes]] = {}
        self._channels: dict[str, Channel] = {}
        self._beat = 0.0
        #: Tells that the server wants to end: it waits for its answers, and a stream is one that ends only now.
        self.ending: Callable[[], bool] = lambda: False

    async def snapshots(self, window: str) -> AsyncIterator[bytes]:
        """Yield a snapshot each second."""
        yield RETRY
        while not self.ending():
            yield b"event: snapshot\ndata: " + self.snapshot(window) + b"\n\n"
            for _ in range(LOOKS):
                if self.ending():
                    return
                await asyncio.sleep(1 / LOOKS)

    def snapshot(self, window: str) -> bytes:
        """Return what the wallboard shows, as JSON; made once a second however many look at it."""
        second = int(asyncio.get_running_loop().time())
        made, data = self._snapshots.get(window, (-1, b""))
        if made != second:
            now = self._follower.now
            data = self._whole(window, now, live_rows(self._follower.model, self._policies, window, now))
            self._snapshots[window] = (second, data)
        return data

    async def changes(self, window: str) -> AsyncIterator[bytes]:
        """Yield a snapshot, and then what changed, as soon as it is known."""
        channel, number = self._channels.setdefault(window, Channel()), NEW
        channel.listeners += 1
        try:
            yield RETRY
            while not self.ending():
                found = channel.since(number)
                if found is None:
                    channel.wants_snapshot = True
                elif found[0]:
                    data, number = found
                    yield data
                    continue
                await channel.wait()
        finally:
            channel.listeners -= 1

    async def run(self) -> None:
        """Tell of changes until the server wants to end."""
        while not self.ending():
            with suppress(TimeoutError):
                async with asyncio.timeout(1 / LOOKS):
                    await self._follower.polled.wait()
            self._follower.polled.clear()
            began = thread_time()
            try:
                self._tell()
            except Exception:  # who listens would see figures that stand still, and no more than that
                log.exception("changes could not be told")
            listeners = sum(channel.listeners for channel in self._channels.values())
            await asyncio.sleep(max(PACE_S, REST * (thread_time() - began), PACE_EACH_S * listeners))
        for channel in self._channels.values():
            channel.wake()

    def _tell(self) -> None:
        """Tell each channel what changed."""
        self._channels = {window: channel for window, channel in self._channels.items() if channel.listeners}
        model = self._follower.model
        touched = model.touched()
        beats = monotonic() - self._beat >= BEAT_S
        if beats:
            self._beat = monotonic()
            # Who waits passes the target as time goes on.
            touched.places.update(place for place, waits in model.waiting.items() if waits)
        news = beats or touched.everything or bool(touched.places or touched.queues)
        for window, channel in self._channels.items():
            if news or channel.wants_snapshot:
                self._tell_one(window, channel, touched, beats=beats)

    def _tell_one(self, window: str, channel: Channel, touched: Touched, *, beats: bool) -> None:
        now = self._follower.now
        rows = Rows(self._follower.model, self._policies, window, now)
        changed, gone = channel.table.changed(rows, touched, now)
        if changed or gone or beats or touched.queues:
            data = msgspec.json.encode({**self._head(window, now), "rows": changed, "gone": gone})
            channel.tell(_event(b"changes", data))
        if channel.wants_snapshot:
            every = [*(rows.of(place) for place in sorted(rows.places())), rows.of_all()]
            channel.begin(_event(b"snapshot", self._whole(window, now, every)))

    def _head(self, window: str, now: int) -> dict[str, Any]:
        health, agents = self._follower.health(), agents_by_state(self._follower.model)
        return {"time": iso(now), "window": window, "pipeline": health, "agents": agents}

    def _whole(self, window: str, now: int, rows: list[Figures]) -> bytes:
        head = {"windows": self._windows, "timezone": self._policies.timezone}
        return msgspec.json.encode({**self._head(window, now), **head, "rows": rows})


def _event(name: bytes, data: bytes) -> bytes:
    return b"event: " + name + b"\ndata: " + data + b"\n\n"
