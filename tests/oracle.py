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
    "contact.offered",
    "contact.declined",
    "contact.answered",
    "contact.held",
    "contact.resumed",
    "message.received",
    "message.sent",
    "message.sent by a bot",
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
    agent: str = ""
    subject: str = ""
    #: Which of the contact's events began the visit, and which answered it.
    began: int = field(default=-1, repr=False)
    answered: int = field(default=-1, repr=False)

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
    for life in lives_of(events):
        for visit in _visits_of(life):
            lost_at = visit.queued + rules.get(visit.queue, Rules()).longest
            if visit.waits and lost_at <= watermark:
                visit.exit("lost", lost_at)
            yield visit


def lives_of(events: Iterable[Event]) -> list[list[Event]]:
    """Return the events of each contact, each once, in the order in which they happened."""
    lives: defaultdict[str, dict[str, Event]] = defaultdict(dict)
    for event in events:
        if kind_of(event) in ORDER_OF_LIFE:
            lives[event["contact_id"]][event["id"]] = event
    return [
        sorted(life.values(), key=lambda e: (milliseconds(e["time"]), ORDER_OF_LIFE.index(kind_of(e)), e["id"]))
        for life in lives.values()
    ]


def kind_of(event: Event) -> str:
    """Return an event's type; a bot's line is told from a person's."""
    return "message.sent by a bot" if is_bots(event) else str(event["type"])


def is_bots(event: Event) -> bool:
    """Tell whether a bot wrote a line."""
    return event["type"] == "message.sent" and event.get("sender") == "bot"


def _visits_of(life: Iterable[Event]) -> list[Visit]:
    found: list[Visit] = []
    visit = Visit("", "", 0, outcome="nobody came yet")
    worked: Visit | None = None  # whose after-work may be going on
    for number, event in enumerate(life):
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
            if kind == "answered":
                visit.agent, visit.answered = event["agent_id"], number
        if kind == "queued" and not visit.waits:
            visit = Visit(event["queue"], event["channel"], at, subject=event.get("subject", ""), began=number)
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


def conversations(events: Iterable[Event], interval: int = 15 * MINUTE) -> Table:
    """Return what lines, bots and rings add up to, by queue and channel; nothing that is 0.

    What no queue has to do with stands at (channel, "@channel"); what agents did, and the visits about each subject,
    at (agent, "@agent") and (subject, "@subject").
    """
    result: defaultdict[tuple[int, str, str], Counter[str]] = defaultdict(Counter)
    for life in lives_of(events):
        for at, place, name, amount in _Conversation(life).amounts():
            if amount:
                result[at // interval * interval, *place][name] += amount
    return dict(result)


class _Conversation:
    """One contact's events in order, and what can be asked of them."""

    def __init__(self, life: list[Event]) -> None:
        self.life = life
        self.visits = _visits_of(life)
        self.times = [milliseconds(event["time"]) for event in life]

    def numbers(self, kind: str) -> list[int]:
        """Return which events are of a kind."""
        return [number for number, event in enumerate(self.life) if kind_of(event) == kind]

    def place(self, number: int) -> tuple[str, str]:
        """Return where an event counts: the queue visited last before it."""
        before = [visit for visit in self.visits if visit.began < number]
        return (before[-1].queue, before[-1].channel) if before else (self.life[number]["channel"], "@channel")

    def ends(self) -> list[int]:
        """Return which events ended the contact: an end, or to give up while not talking."""
        found = self.numbers("contact.ended")
        for number in self.numbers("contact.abandoned"):
            talked = _visits_of(self.life[:number])
            if not (talked and talked[-1].talks):
                found.append(number)
        return sorted(found)

    def amounts(self) -> Iterator[tuple[int, tuple[str, str], str, int]]:
        """Yield (time, place, name, amount)."""
        for kind, name in (("contact.offered", "offered_to_agent"), ("contact.declined", "declined")):
            for number in self.numbers(kind):
                yield self.times[number], self.place(number), name, 1
                if name == "declined":
                    yield self.times[number], (self.life[number]["agent_id"], "@agent"), name, 1
        for visit in self.visits:
            if visit.subject:
                yield visit.queued, (visit.subject, "@subject"), "offered", 1
            for at, name, amount in amounts(visit, Rules()):
                if name in ("handled", "talk_ms", "wrap_up_ms"):
                    yield at, (visit.agent, "@agent"), name, amount
        yield from self.responses()
        yield from self.bots()

    def responses(self) -> Iterator[tuple[int, tuple[str, str], str, int]]:
        """Yield how long lines of persons were waited for."""
        asking, lines = self.numbers("message.received"), self.numbers("message.sent")
        asked = min(asking + [visit.began for visit in self.visits], default=None)
        if asked is not None:
            for first in [line for line in lines if line > asked][:1]:
                yield self.times[first], self.place(first), "first_responses", 1
                yield self.times[first], self.place(first), "first_response_ms", self.times[first] - self.times[asked]
        for line in lines:
            since = max([number for number in lines + self.ends() if number < line], default=-1)
            for open_line in [number for number in asking if since < number < line][:1]:
                yield self.times[line], self.place(line), "responses", 1
                yield self.times[line], self.place(line), "response_ms", self.times[line] - self.times[open_line]

    def bots(self) -> Iterator[tuple[int, tuple[str, str], str, int]]:
        """Yield whether a bot wrote, and what came of it."""
        for bot in self.numbers("message.sent by a bot")[:1]:
            place = self.place(bot)
            yield self.times[bot], place, "bot_contacts", 1
            if self.visits and self.visits[0].began > bot:
                yield self.visits[0].queued, place, "bot_handed_over", 1
            for end in [end for end in self.ends() if end > bot][:1]:
                if not self.visits and not [line for line in self.numbers("message.sent") if line < end]:
                    yield self.times[end], place, "left_after_bot", 1


def waited(stays: Iterable[Visit], start: int, end: int) -> int:
    """Return the time that the visits waited between ``start`` and ``end``, together."""
    stretches = ((max(v.queued, start), min(end if v.waits else v.until, end)) for v in stays)
    return sum(until - since for since, until in stretches if until > since)
