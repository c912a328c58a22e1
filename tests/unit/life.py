"""The contacts of a small call center, what its figures obviously are, and their way into a store."""

import json
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final, NamedTuple, Protocol
from zlib import crc32

import msgspec

from agents.processors.processor import Context, Processor, wall_clock
from agents.store import Reader, Store
from agents.store.memory import MemoryStore
from streams import events as ev
from streams.partition import Limits
from streams.policy import HOUR_MS, MINUTE_MS, Policies, Promise
from tests.unit.counted import RETENTION, FakeRecord, Office, Posted, bounds

#: Monday, 2026-01-05, 09:00 UTC.
START: Final = 1_767_603_600_000
WINDOWS: Final = {"1m": MINUTE_MS, "5m": 5 * MINUTE_MS, "1h": HOUR_MS}
POLICIES: Final = Policies(
    queues={
        "sales": Promise(),
        "support": Promise(threshold_ms=30_000, short_abandon_ms=8_000, formula="left_missed"),
        "chat": Promise(target_ratio=0.9, threshold_ms=60_000),
    },
    groups={"sales": "voice"},
    timezone="Europe/Berlin",
)
PLACES: Final = (("sales", "voice"), ("support", "voice"), ("chat", "chat"), ("unlisted", "voice"))
REASONS: Final = ("overflow", "timeout", "exit_key", "callback", "empty", "withdrawn")


class Visit(NamedTuple):
    """One contact's only visit; times in ms. ``how`` is answered, abandoned, or why it left."""

    contact_id: str
    queue: str
    channel: str
    queued: int
    how: str
    exit: int
    held: int
    handled: int
    wrapped: int

    @property
    def wait(self) -> int:
        """Return how long it waited."""
        return self.exit - self.queued

    def waits_at(self, now: int) -> bool:
        """Tell whether it waits at ``now``."""
        return self.queued <= now < self.exit


def life_of(seed: int, *, begin: int = START, length: int = 2 * HOUR_MS, visits: int = 600) -> list[Visit]:
    """Return visits that begin from ``begin`` on, for ``length`` ms."""
    rng = random.Random(seed)

    def visit(number: int) -> Visit:
        queue, channel = rng.choice(PLACES)
        queued = begin + rng.randrange(length)
        how = rng.choices(["answered", "abandoned", rng.choice(REASONS)], [8, 2, 1])[0]
        # Often just at the limits: there is where a target is met or missed.
        wait = rng.choice([0, 4_999, 5_000, 8_000, 20_000, 20_001, 30_000, *(rng.randrange(300_000) for _ in range(7))])
        handled = queued + wait + rng.randrange(400_000)
        held = rng.choice([0, rng.randrange(handled - queued - wait + 1)])
        wrapped = handled + rng.randrange(60_000)
        return Visit(f"c{number}", queue, channel, queued, how, queued + wait, held, handled, wrapped)

    return [visit(number) for number in range(visits)]


def messages(visit: Visit) -> list[tuple[int, dict[str, Any]]]:
    """Return the events of a visit with their times, as they are on the wire."""
    told: list[tuple[int, str, dict[str, Any]]] = [(visit.queued, "queued", {"queue": visit.queue})]
    if visit.how == "answered":
        told += [(visit.exit, "answered", {"agent_id": "a1"}), (visit.handled, "ended", {})]
        if visit.held:
            told += [(visit.exit, "held", {}), (visit.exit + visit.held, "resumed", {})]
        told.append((visit.wrapped, "wrapped", {}))
    elif visit.how == "abandoned":
        told.append((visit.exit, "abandoned", {}))
    else:
        told.append((visit.exit, "left_queue", {"reason": visit.how}))
    return [(at, _event(visit, at, kind, more)) for at, kind, more in told]


def _event(visit: Visit, at: int, kind: str, more: dict[str, Any]) -> dict[str, Any]:
    time = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    envelope = {"id": f"{visit.contact_id}-{kind}", "type": f"contact.{kind}", "time": time}
    return {**envelope, "contact_id": visit.contact_id, "channel": visit.channel, **more}


class BothSides(Store, Reader, Protocol):
    """A store that can be written and read."""


class Counting:
    """Processors of all partitions of calls and chats over one store."""

    def __init__(self, store: BothSides | None = None, policies: Policies = POLICIES, partitions: int = 3) -> None:
        self.store = store or MemoryStore()
        self.office = Office()
        self._partitions = partitions
        # Kafka may hand out what it has long held: ages are judged by its own timestamps, as set here.
        self._context = Context(self.store, self.office, Posted(), policies, Limits(), RETENTION, wall_clock)
        self._processors: dict[str, Processor] = {}
        self._offsets: dict[str, int] = {}

    async def feed(self, visits: Iterable[Visit], since: int = 0, until: int = 1 << 62, batch: int = 40) -> None:
        """Count the events of ``visits`` from ``since`` up to and with ``until``, in the order of their times."""
        told = [entry for visit in visits for entry in messages(visit) if since <= entry[0] <= until]
        told.sort(key=lambda entry: (entry[0], entry[1]["type"] != "contact.queued"))
        for start in range(0, len(told), batch):
            await self.send([event for _, event in told[start : start + batch]])

    async def send(self, events: Sequence[dict[str, Any]], key: str = "contact_id") -> None:
        """Count ``events`` as they come."""
        parts: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            parts.setdefault(self._part_of(event, event[key]), []).append(event)
        for name, found in parts.items():
            processor = await self._processor(name)
            await processor.process([self._record(name, event, event[key]) for event in found], None)

    async def beat(self) -> None:
        """Have every worker give a sign of life."""
        for name, processor in self._processors.items():
            await processor.tick(self._offsets[name])

    def _part_of(self, event: dict[str, Any], key: str) -> str:
        return "agents/0" if event["type"] == "agent.state" else self._name(key, event["channel"])

    def _name(self, key: str, channel: str) -> str:
        return "chats/0" if channel == "chat" else f"calls/{crc32(key.encode()) % self._partitions}"

    async def _processor(self, name: str) -> Processor:
        if name not in self._processors:
            topic = {"calls": ev.CALLS, "chats": ev.CHATS, "agents": ev.AGENTS}[name.partition("/")[0]]
            processor = self._processors[name] = Processor(topic, name, self._context)
            self._offsets[name] = await processor.load(bounds(0, 1 << 40))
        return self._processors[name]

    def _record(self, name: str, event: dict[str, Any], key: str) -> FakeRecord:
        offset = self._offsets[name]
        self._offsets[name] = offset + 1
        at = ev.milliseconds(datetime.fromisoformat(event["time"]))
        return FakeRecord(offset, json.dumps(event).encode(), key.encode(), timestamp=at)


def exactly(seconds: float | None) -> float | None:
    """Return a figure as the board rounds it."""
    return None if seconds is None else round(seconds, 6)


def _share(top: float, bottom: float) -> float | None:
    return exactly(top / bottom) if bottom else None


def nearest_rank(waits: Sequence[int], percent: int) -> float | None:
    """Return the percentile of waits in ms, in seconds, as school teaches it."""
    return sorted(waits)[ceil(percent * len(waits) / 100) - 1] / 1000 if waits else None


def figures(
    visits: Sequence[Visit], promise_of: Callable[[str], Promise], start: int, end: int, known: int
) -> dict[str, Any]:
    """Return what happened from ``start`` to before ``end``, as far as it was ``known``, straight from the visits."""

    def inside(at: int) -> bool:
        return start <= at < end and at <= known

    answered = [v for v in visits if v.how == "answered" and inside(v.exit)]
    abandoned = [v for v in visits if v.how == "abandoned" and inside(v.exit)]
    left = [v for v in visits if v.how in REASONS and inside(v.exit)]
    handled = [v for v in visits if v.how == "answered" and inside(v.handled)]
    wrapped = [v for v in visits if v.how == "answered" and inside(v.wrapped)]
    a_in = sum(v.wait <= promise_of(v.queue).threshold_ms for v in answered)
    b_in = sum(v.wait <= promise_of(v.queue).threshold_ms for v in abandoned)
    short = sum(v.wait < promise_of(v.queue).short_abandon_ms for v in abandoned)
    a, b = len(answered), len(abandoned)
    handle_s = (sum(v.handled - v.exit for v in handled) + sum(v.wrapped - v.handled for v in wrapped)) / 1000
    return {
        "offered": sum(inside(v.queued) for v in visits),
        "answered": a,
        "answered_within_target": a_in,
        "abandoned": b,
        "abandoned_within_target": b_in,
        "short_abandoned": short,
        "left": len(left),
        "lost": 0,
        "handled": len(handled),
        "service_level": {
            "answered_of_offered": _share(a_in, a + b),
            "answered_of_answered": _share(a_in, a),
            "abandoned_in_target_met": _share(a_in + b_in, a + b),
            "abandoned_in_target_ignored": _share(a_in, a + b - b_in),
            "short_abandoned_ignored": _share(a_in, a + b - short),
            "left_missed": _share(a_in, a + b + len(left)),
        },
        "abandonment_rate": _share(b, a + b),
        "average_speed_of_answer_seconds": _share(sum(v.wait for v in answered) / 1000, a),
        "average_handle_time_seconds": _share(handle_s, len(handled)),
        "wait_seconds": {f"p{p}": nearest_rank([v.wait for v in answered], p) for p in (50, 90, 95, 99)},
        "abandoned_wait_seconds": {f"p{p}": nearest_rank([v.wait for v in abandoned], p) for p in (50, 90, 95, 99)},
        "sums": {
            "wait_answered_seconds": sum(v.wait for v in answered) / 1000,
            "wait_abandoned_seconds": sum(v.wait for v in abandoned) / 1000,
            "handle_seconds": handle_s,
            "hold_seconds": sum(v.held for v in handled) / 1000,
        },
    }


def live_figures(
    visits: Sequence[Visit], promise_of: Callable[[str], Promise], start: int, end: int, now: int
) -> dict[str, Any]:
    """Return the same and the figures of now: who waits, how long, how many on average since ``start``."""
    found = figures(visits, promise_of, start, end, now)
    waiting = [v for v in visits if v.waits_at(now)]
    missed = sum(now - v.queued > promise_of(v.queue).threshold_ms for v in waiting)
    ended = found["answered"] + found["abandoned"] + missed
    waited = sum(max(0, min(v.exit, now) - max(v.queued, start)) for v in visits)
    found["service_level"]["live"] = _share(found["answered_within_target"], ended)
    found["queue_length"] = len(waiting)
    found["longest_wait_seconds"] = max((now - v.queued for v in waiting), default=None)
    if waiting:
        found["longest_wait_seconds"] /= 1000
    found["queue_length_average"] = _share(waited, now - start)
    return found


def assert_same(shown: dict[str, Any], expected: dict[str, Any], what: object) -> None:
    """Assert that a row shows what is expected: percentiles within 5 %, everything else exactly."""
    outlook = {"estimated_wait_seconds", "estimated_wait_error_seconds", "overload"}
    rest = {"queue", "channel", "start", "promise", *outlook}
    assert set(shown) - rest == set(expected), what
    for name, value in expected.items():
        if name.endswith("wait_seconds") and isinstance(value, dict):
            for percentile, exact in value.items():
                found = shown[name][percentile]
                assert (found is None) == (exact is None), (what, name, percentile)
                assert exact is None or abs(found - exact) <= 0.05 * exact + 0.001, (what, name, percentile)
        elif name == "sums":
            for total, exact in value.items():
                assert round(shown[name][total] * 1000) == round(exact * 1000), (what, total)
        else:
            assert shown[name] == value, (what, name)


class Stamp(msgspec.Struct):
    """A clock that stands until it is set."""

    at: int

    def __call__(self) -> int:
        """Return the time, in ms."""
        return self.at
