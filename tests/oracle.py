"""The slow, obvious answer to what a stream of events adds up to; it knows nothing of ``streams``.

Cut every contact's life into visits, then look at each visit and count. No windows, no state, no partitions,
no order of arrival: an event is one of a set. Times and durations are whole milliseconds.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Event = Mapping[str, Any]
#: (start of the interval in ms, queue, channel) -> name -> count or sum
Table = dict[tuple[int, str, str], Counter[str]]

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE

#: In which order things of one instant happen.
ORDER_OF_LIFE: Final = (
    "contact.started",
    "contact.wrapped",
    "contact.queued",
    "contact.answered",
    "contact.held",
    "contact.resumed",
    "contact.abandoned",
    "contact.left_queue",
    "contact.transferred",
    "contact.ended",
)


@dataclass(frozen=True)
class Rules:
    """What a queue's visits are judged by."""

    target: int = 20_000
    short: int = 5_000
    longest: int = 4 * HOUR


@dataclass
class Visit:
    """One stay in one queue, and the talk that it may have led to."""

    queue: str
    channel: str
    queued: int
    #: answered, abandoned, left_*, lost, or nothing while it still waits
    outcome: str = ""
    until: int = 0
    talked_until: int | None = None
    held: int = 0
    wrapped_at: int | None = None
    holds_since: int | None = field(default=None, repr=False)

    @property
    def waits(self) -> bool:
        """Tell whether nothing is known of how it went on."""
        return not self.outcome

    @property
    def talks(self) -> bool:
        """Tell whether the customer talks to an agent, or is on hold."""
        return self.outcome == "answered" and self.talked_until is None

    def exit(self, outcome: str, at: int) -> None:
        """Stop waiting."""
        self.outcome, self.until = outcome, at

    def hang_up(self, at: int) -> None:
        """Stop talking."""
        self.resume(at)
        self.talked_until = at

    def resume(self, at: int) -> None:
        """Talk again, if on hold."""
        if self.holds_since is not None:
            self.held += at - self.holds_since
            self.holds_since = None


def milliseconds(text: str) -> int:
    """Return the time of an event in ms since 1970."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def read(lines: Iterable[str | bytes]) -> list[Event]:
    """Return the events of a file of JSON Lines."""
    return [json.loads(line) for line in lines]


def visits(events: Iterable[Event], watermark: int, rules: Mapping[str, Rules]) -> Iterator[Visit]:
    """Yield every visit; one that nothing ended by ``watermark`` within the longest credible wait is lost."""
    lives: defaultdict[str, dict[str, Event]] = defaultdict(dict)
    for event in events:
        if event["type"] in ORDER_OF_LIFE:
            lives[event["contact_id"]][event["id"]] = event
    for life in lives.values():
        for visit in _visits_of(life.values()):
            lost_at = visit.queued + rules.get(visit.queue, Rules()).longest
            if visit.waits and lost_at <= watermark:
                visit.exit("lost", lost_at)
            yield visit


def _visits_of(life: Iterable[Event]) -> list[Visit]:
    found: list[Visit] = []
    visit = Visit("", "", 0, outcome="nobody came yet")
    worked: Visit | None = None  # whose after-work may be going on
    in_order = sorted(life, key=lambda e: (milliseconds(e["time"]), ORDER_OF_LIFE.index(e["type"]), e["id"]))
    for event in in_order:
        at, kind = milliseconds(event["time"]), event["type"].removeprefix("contact.")
        if kind == "wrapped" and worked is not None:
            worked.wrapped_at, worked = at, None
        elif visit.talks and kind in ("queued", "transferred", "ended"):
            visit.hang_up(at)
            worked = visit
        elif visit.talks and kind == "held" and visit.holds_since is None:
            visit.holds_since = at
        elif visit.talks and kind == "resumed":
            visit.resume(at)
        elif visit.waits:
            _while_waiting(visit, kind, at, event)
        if kind == "queued" and not visit.waits:
            visit = Visit(event["queue"], event["channel"], at)
            found.append(visit)
    return found


def _while_waiting(visit: Visit, kind: str, at: int, event: Event) -> None:
    if kind == "answered":
        visit.exit("answered", at)
    elif kind in ("abandoned", "ended"):
        visit.exit("abandoned", at)
    elif kind == "left_queue":
        visit.exit(f"left_{event['reason']}", at)
    elif kind == "queued" and event["queue"] != visit.queue:
        visit.exit("left_overflow", at)


def amounts(visit: Visit, rules: Rules) -> Iterator[tuple[int, str, int]]:
    """Yield (time, name, amount) of all that one visit counts for."""
    yield visit.queued, "offered", 1
    if visit.waits:
        return
    wait = visit.until - visit.queued
    yield visit.until, visit.outcome, 1
    if visit.outcome in ("answered", "abandoned"):
        yield visit.until, f"wait_{visit.outcome}_ms", wait
        if wait <= rules.target:
            yield visit.until, f"{visit.outcome}_within_target", 1
    if visit.outcome == "abandoned" and wait < rules.short:
        yield visit.until, "short_abandoned", 1
    if visit.talked_until is not None:
        yield visit.talked_until, "handled", 1
        yield visit.talked_until, "talk_ms", visit.talked_until - visit.until
        yield visit.talked_until, "hold_ms", visit.held
        if visit.wrapped_at is not None:
            yield visit.wrapped_at, "wrap_up_ms", visit.wrapped_at - visit.talked_until


def table(
    events: Iterable[Event], watermark: int, rules: Mapping[str, Rules] | None = None, interval: int = 15 * MINUTE
) -> Table:
    """Return counts and sums by interval, queue and channel; nothing that is 0."""
    rules = rules or {}
    result: defaultdict[tuple[int, str, str], Counter[str]] = defaultdict(Counter)
    for visit in visits(events, watermark, rules):
        for at, name, amount in amounts(visit, rules.get(visit.queue, Rules())):
            if amount:
                result[at // interval * interval, visit.queue, visit.channel][name] += amount
    return dict(result)


def waited(stays: Iterable[Visit], start: int, end: int) -> int:
    """Return the time that the visits waited between ``start`` and ``end``, together."""
    stretches = ((max(v.queued, start), min(end if v.waits else v.until, end)) for v in stays)
    return sum(until - since for since, until in stretches if until > since)
