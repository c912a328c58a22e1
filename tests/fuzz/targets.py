"""What the fuzzers call: any bytes in, and no exception but EventError comes out, whatever they are.

``decode_any`` is the edge: one byte picks the topic, the rest is the message. ``count_any`` is the core behind it:
the bytes are read as a short program of events, in any order and at any time, so that every path of a contact's life
is a few bytes away; then what must hold of any stream is checked.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from streams import events as ev
from streams.contact import State
from streams.contacts import ContactPartition
from streams.events import EventError
from streams.measures import Measure, Row, exited, total
from streams.partition import Limits, Partition
from streams.people import AgentPartition
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS, Policies, Promise

TOPICS: Final = tuple(ev.TOPICS)
#: Monday, 2026-01-05, 9:00 UTC.
BEGIN: Final = 1_767_603_600_000
#: Small limits, so that a short program reaches them.
LIMITS: Final = Limits(settling_ms=MINUTE_MS, open_ms=HOUR_MS, remember_ms=DAY_MS, unlisted_queues=2)
POLICIES: Final = Policies(
    queues={"sales": Promise(), "chat": Promise(longest_credible_wait_ms=10 * MINUTE_MS)},
)
QUEUES: Final = ("sales", "chat", "walk-in", "vip", "", "night")
#: How far each instruction moves the clock, in ms: by nothing, within limits, past them, and back.
MOVES: Final = (0, 1, 999, 5_000, 20_000, MINUTE_MS, 11 * MINUTE_MS, HOUR_MS, 5 * HOUR_MS, 2 * DAY_MS, -1, -30_000)
#: Bytes of one instruction: what, whom, when, where.
WIDTH: Final = 4


def decode_any(data: bytes) -> None:
    """Read a message; what can be read can be written, and read again as the same."""
    topic = TOPICS[data[0] % len(TOPICS)] if data else TOPICS[0]
    try:
        event = ev.decode(topic, data[1:])
    except EventError as error:
        _is_plain(error)
        return
    ev.milliseconds(event.time)
    for key in (None, b"", data[:8], *(getattr(event, name) for name in ev.KEYS[type(event)])):
        _allow(lambda key=key: ev.check_key(event, key.encode() if isinstance(key, str) else key or None))
    assert ev.decode(topic, ev.encode(event)) == event


def count_any(data: bytes) -> None:
    """Count a stream; who waits is who entered less who left, and what is packed is the same when it is unpacked."""
    shop = _Shop()
    for instruction in _instructions(data):
        shop.do(*instruction)
    shop.check()


def _instructions(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    whole = len(data) // WIDTH * WIDTH
    for start in range(0, whole, WIDTH):
        what, whom, when, where = data[start : start + WIDTH]
        yield what, whom, when, where


def _allow(call: Any) -> None:
    try:
        call()
    except EventError as error:
        _is_plain(error)


def _is_plain(error: EventError) -> None:
    """Raise AssertionError unless an error is a reason that is listed and one line."""
    assert error.reason in ev.REASONS
    assert str(error)
    assert "\n" not in str(error)


class _Shop:
    """One partition of contacts and one of agents, and the store's part: the rows, and the ids settled."""

    def __init__(self) -> None:
        self.contacts = ContactPartition(POLICIES, LIMITS)
        self.agents = AgentPartition(POLICIES, LIMITS)
        self.now = BEGIN
        self.rows: list[Row] = []
        self.settled: dict[int, bytes] = {}
        self.open: dict[str, bytes] = {}
        self.done = 0

    def do(self, what: int, whom: int, when: int, where: int) -> None:
        """Count one event, or restart from what was committed."""
        at = self.now + MOVES[when % len(MOVES)]
        # The clock of the events goes on in spite of what comes late.
        self.now = max(self.now, at) if when < 128 else self.now
        self.done += 1
        if what == 255:  # as rare as can be
            self.restart()
            return
        kinds = (*ev.CONTACT_EVENTS, ev.AgentState)
        kind = kinds[what % len(kinds)]
        partition: Partition = self.agents if kind is ev.AgentState else self.contacts
        written = _written(kind, whom, at, where, self.done)
        try:
            event = ev.decode(ev.AGENTS if kind is ev.AgentState else ev.CALLS, written)
        except EventError:
            return
        happened = ev.milliseconds(event.time)
        hours = partition.hours_wanted([happened])
        partition.settled.learn({hour: self.settled.get(hour, b"") for hour in hours})
        _allow(lambda: partition.count(event, happened, self.now))

    def take(self) -> None:
        """Commit what has changed."""
        change = self.contacts.take()
        self.rows += [row for places in change.deltas.values() for row in places.values()]
        for hour, digests in change.settled.items():
            self.settled[hour] = self.settled.get(hour, b"") + b"".join(digests)
        for name, packed in change.open.items():
            self.open.pop(name, None)
            if packed is not None:
                self.open[name] = packed
        self.agents.take()

    def restart(self) -> None:
        """Go on from what is committed, as another worker would."""
        self.take()
        places = dict.fromkeys((queue, "voice") for queue in QUEUES[:2])
        self.contacts = ContactPartition(
            POLICIES, LIMITS, watermark=self.contacts.watermark, places=places, packed=self.open, settled=self.settled
        )

    def check(self) -> None:
        """Raise AssertionError unless all adds up."""
        self.take()
        row = total(self.rows)
        before = self.waiting()
        assert row.get(Measure.OFFERED, 0) - exited(row) == before
        self.restart()
        assert self.waiting() == before
        self.contacts.advance((self.contacts.watermark or BEGIN) + 30 * DAY_MS)
        self.take()
        assert not self.contacts.contacts
        assert not self.open

    def waiting(self) -> int:
        """Return how many contacts wait."""
        return sum(contact.walk.state is State.WAITING for contact in self.contacts.contacts.values())


def _written(kind: Any, whom: int, at: int, where: int, number: int) -> bytes:
    """Return an event as it is on the wire, with all fields that any kind wants."""
    queue = QUEUES[where % len(QUEUES)] or f"queue-{whom}"
    second, rest = divmod(at, 1_000)
    time = datetime.fromtimestamp(second, UTC).strftime(f"%Y-%m-%dT%H:%M:%S.{rest:03d}Z")
    fields = {
        "id": f"e{number if where < 200 else whom}",  # sometimes one that was there before
        "type": ev.TYPE_OF[kind],
        "time": time,
        "contact_id": f"c{whom % 8}",
        "channel": "chat" if where & 64 else "voice",
        "queue": queue,
        "agent_id": f"a{whom % 4}",
    }
    if kind is ev.ContactLeftQueue:
        fields["reason"] = ev.LEFT_REASONS[where % len(ev.LEFT_REASONS)]
    if kind is ev.AgentState:
        states: dict[str, Any] = {"state": ev.AGENT_STATES[where % len(ev.AGENT_STATES)], "queues": [queue]}
        return msgspec.json.encode(fields | states)
    return msgspec.json.encode(fields)
