"""A contact's life: the set of its events, and the facts that follow from it.

The state of a contact is the set of its events; its facts are a pure function of that set. The rules:

1. Put the events in the order of their times; at one instant in the order of life (``Kind``), then by id.
2. Walk them once through ``TRANSITIONS``: (state, kind) -> (what is noted, next state). A pair that the
   table does not hold changes nothing.
3. ``queued`` for the queue in which the contact waits already says nothing new.
4. A wait that the watermark has carried past the longest credible one is ``lost``, noted at that moment.
   Any later exit takes it back.
5. A new event changes the facts by ``facts(with it) - facts(without it)``. An event later than all before
   it is one step of the walk, which gives the same answer; an event already seen changes nothing.
6. Lines, rings and what is said of the matter (``ANYTIME``) move no contact. A person's first line answers what
   asked first, the entry into a queue or a line of the customer; any line of a person answers the first line of
   the customer that no person has answered since. Bots answer nobody, and are counted apart.
7. What a contact does that has been to no queue counts at (channel, "@channel").

Times are milliseconds since 1970, durations milliseconds.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from enum import IntEnum
from functools import lru_cache
from typing import Final

from streams.kinds import QUEUED, Kind

#: Where a fact counts: queue and channel.
Place = tuple[str, str]


def is_aside(place: Place) -> bool:
    """Tell whether a place is none of a queue: (agent, "@agent"), (subject, "@subject"), (channel, "@channel")."""
    return place[1].startswith("@")


#: (+1 noted or -1 taken back, name, time, place, duration or 0)
Fact = tuple[int, str, int, Place, int]

#: One event as its contact remembers it: time, kind, id, the queue or the reason or what the end is said to be (whether
#: a machine settled it, for how much), channel, and by whom (agent) or about what (subject). They sort as it walks.
Step = tuple[int, int, str, str, str, str]


class State(IntEnum):
    """Where a contact stands."""

    IDLE = 0
    WAITING = 1
    LOST = 2
    TALKING = 3
    ON_HOLD = 4


#: By their own names: Python 3.11 takes 0.1 us to look up a member of an enum, ten times what a name takes.
IDLE, WAITING, LOST, _, ON_HOLD = State


class Walk:
    """How far the walk through a contact's events has come."""

    __slots__ = (
        "agent",
        "agents",
        "answered",
        "asked",
        "bot",
        "ended",
        "held",
        "hold",
        "left_at",
        "lines",
        "lost_at",
        "matter",
        "place",
        "responded",
        "since",
        "state",
        "subject",
        "talks",
        "unanswered",
        "work",
    )

    def __init__(self) -> None:
        self.state = IDLE
        self.place: Place = ("", "")
        #: When the visit began that waits or is served.
        self.since = 0
        self.answered = 0
        #: When the present hold began, and how long earlier ones of this talk were.
        self.held = 0
        self.hold = 0
        self.lost_at = 0
        #: The work that a wrap-up would be for: handled at, where, talk time, by whom.
        self.work: tuple[int, Place, int, str] | None = None
        #: When the contact ended, unless something followed.
        self.ended: int | None = None
        #: Who talked last; and who took part, by talk and line, whoever goes on once.
        self.agent = ""
        self.agents: tuple[str, ...] = ()
        self.subject = ""
        #: When the customer first asked for an answer, and whether a person has written since.
        self.asked: int | None = None
        self.responded = False
        #: The customer's first line that no person has answered.
        self.unanswered: int | None = None
        #: Where a bot wrote first, and when the customer left after that, having asked for nobody.
        self.bot: Place | None = None
        self.left_at: int | None = None
        #: How many lines persons wrote, and how often one began to talk.
        self.lines = 0
        self.talks = 0
        #: What was said of the matter.
        self.matter: tuple[Step, ...] = ()


# One tuple for the same place, and for the same person alone, in all open contacts: each takes 110 bytes less.
@lru_cache(65_536)
def _place(queue: str, channel: str) -> Place:
    return (queue, channel)


@lru_cache(65_536)
def _alone(agent: str) -> tuple[str]:
    return (agent,)


def _where(walk: Walk, step: Step) -> Place:
    return walk.place if walk.place[0] else _place(step[4], "@channel")


def _enter(walk: Walk, step: Step, noted: list[Fact]) -> None:
    at = step[0]
    if walk.asked is None:
        walk.asked = at
    if walk.bot is not None and not walk.place[0]:
        noted.append((1, "bot_handed_over", at, walk.bot, 0))
        if walk.left_at is not None:
            noted.append((-1, "left_after_bot", walk.left_at, walk.bot, 0))
    walk.place, walk.since, walk.ended = _place(step[3], step[4]), at, None
    noted.append((1, "offered", at, walk.place, 0))
    if step[5]:
        walk.subject = step[5]
        noted.append((1, "about", at, (step[5], "@subject"), 0))


def _stop_waiting(walk: Walk, noted: list[Fact]) -> None:
    if walk.state is LOST:
        noted.append((-1, "lost", walk.lost_at, walk.place, 0))


def _answer(walk: Walk, step: Step, noted: list[Fact]) -> None:
    _stop_waiting(walk, noted)
    walk.answered, walk.hold, walk.agent = step[0], 0, step[5]
    walk.talks += 1
    walk.agents = (*walk.agents, step[5]) if walk.agents else _alone(step[5])
    noted.append((1, "answered", step[0], walk.place, step[0] - walk.since))


def _abandon(walk: Walk, step: Step, noted: list[Fact]) -> None:
    _stop_waiting(walk, noted)
    walk.ended, walk.unanswered = step[0], None
    noted.append((1, "abandoned", step[0], walk.place, step[0] - walk.since))


def _leave(walk: Walk, step: Step, noted: list[Fact]) -> None:
    _stop_waiting(walk, noted)
    noted.append((1, f"left_{step[3]}", step[0], walk.place, step[0] - walk.since))


def _overflow(walk: Walk, step: Step, noted: list[Fact]) -> None:
    _stop_waiting(walk, noted)
    noted.append((1, "left_overflow", step[0], walk.place, step[0] - walk.since))
    _enter(walk, step, noted)


def _expire(walk: Walk, step: Step, noted: list[Fact]) -> None:
    walk.lost_at = step[0]
    noted.append((1, "lost", step[0], walk.place, step[0] - walk.since))


def _hold(walk: Walk, step: Step, _noted: list[Fact]) -> None:
    walk.held = step[0]


def _resume(walk: Walk, step: Step, _noted: list[Fact]) -> None:
    walk.hold += step[0] - walk.held


def _handle(walk: Walk, step: Step, noted: list[Fact]) -> None:
    at, place = step[0], walk.place
    if walk.state is ON_HOLD:
        _resume(walk, step, noted)
    talk = at - walk.answered
    walk.work = (at, place, talk, walk.agent)
    noted.append((1, "handled", at, place, talk))
    noted.append((1, "handle_time", at, place, talk))
    noted.append((1, "handled", at, (walk.agent, "@agent"), talk))
    if walk.hold:
        noted.append((1, "held", at, place, walk.hold))


def _handle_and_enter(walk: Walk, step: Step, noted: list[Fact]) -> None:
    _handle(walk, step, noted)
    _enter(walk, step, noted)


def _handle_and_finish(walk: Walk, step: Step, noted: list[Fact]) -> None:
    _handle(walk, step, noted)
    walk.ended, walk.unanswered = step[0], None


def _finish(walk: Walk, step: Step, noted: list[Fact]) -> None:
    walk.ended, walk.unanswered = step[0], None
    if walk.bot is not None and walk.left_at is None and not walk.place[0] and not walk.lines:
        walk.left_at = step[0]
        noted.append((1, "left_after_bot", step[0], walk.bot, 0))


def _wrap(walk: Walk, step: Step, noted: list[Fact]) -> None:
    if walk.work is None:
        return
    handled_at, place, talk, agent = walk.work
    walk.work = None
    wrap = step[0] - handled_at
    noted.append((1, "wrapped", step[0], place, wrap))
    noted.append((1, "wrapped", step[0], (agent, "@agent"), wrap))
    # The time to handle the contact is known better now: it moves, where it was noted.
    noted.append((-1, "handle_time", handled_at, place, talk))
    noted.append((1, "handle_time", handled_at, place, talk + wrap))


def _ring(walk: Walk, step: Step, noted: list[Fact]) -> None:
    noted.append((1, "offered_to_agent", step[0], _where(walk, step), 0))


def _decline(walk: Walk, step: Step, noted: list[Fact]) -> None:
    noted.append((1, "declined", step[0], _where(walk, step), 0))
    noted.append((1, "declined", step[0], (step[5], "@agent"), 0))


def _receive(walk: Walk, step: Step, _noted: list[Fact]) -> None:
    if walk.asked is None:
        walk.asked = step[0]
    if walk.unanswered is None:
        walk.unanswered = step[0]


def _reply(walk: Walk, step: Step, noted: list[Fact]) -> None:
    at, place = step[0], _where(walk, step)
    walk.lines += 1
    # Who writes without a talk of their own, as on a ticket, or joins one, takes part as well.
    if step[5] and walk.agents[-1:] != (step[5],):
        walk.agents = (*walk.agents, step[5])
    if walk.asked is not None and not walk.responded:
        walk.responded = True
        noted.append((1, "first_response", at, place, at - walk.asked))
    if walk.unanswered is not None:
        took, walk.unanswered = at - walk.unanswered, None
        noted.append((1, "response", at, place, took))


def _reply_by_bot(walk: Walk, step: Step, noted: list[Fact]) -> None:
    if walk.bot is None:
        walk.bot = _where(walk, step)
        noted.append((1, "bot_contacts", step[0], walk.bot, 0))


def _say(walk: Walk, step: Step, _noted: list[Fact]) -> None:
    walk.matter = (*walk.matter, step)


Action = Callable[[Walk, Step, list[Fact]], None]

#: All that can happen to a contact.
TRANSITIONS: Final[dict[State, dict[Kind, tuple[Action, State]]]] = {
    State.IDLE: {
        Kind.QUEUED: (_enter, State.WAITING),
        Kind.ABANDONED: (_finish, State.IDLE),
        Kind.ENDED: (_finish, State.IDLE),
        Kind.WRAPPED: (_wrap, State.IDLE),
    },
    State.WAITING: {
        Kind.QUEUED: (_overflow, State.WAITING),
        Kind.ANSWERED: (_answer, State.TALKING),
        Kind.ABANDONED: (_abandon, State.IDLE),
        Kind.ENDED: (_abandon, State.IDLE),
        Kind.LEFT: (_leave, State.IDLE),
        Kind.WRAPPED: (_wrap, State.WAITING),
        Kind.EXPIRED: (_expire, State.LOST),
    },
    State.LOST: {
        Kind.QUEUED: (_overflow, State.WAITING),
        Kind.ANSWERED: (_answer, State.TALKING),
        Kind.ABANDONED: (_abandon, State.IDLE),
        Kind.ENDED: (_abandon, State.IDLE),
        Kind.LEFT: (_leave, State.IDLE),
        Kind.WRAPPED: (_wrap, State.LOST),
    },
    State.TALKING: {
        Kind.QUEUED: (_handle_and_enter, State.WAITING),
        Kind.TRANSFERRED: (_handle, State.IDLE),
        Kind.ENDED: (_handle_and_finish, State.IDLE),
        Kind.HELD: (_hold, State.ON_HOLD),
        Kind.WRAPPED: (_wrap, State.TALKING),
    },
    State.ON_HOLD: {
        Kind.QUEUED: (_handle_and_enter, State.WAITING),
        Kind.TRANSFERRED: (_handle, State.IDLE),
        Kind.ENDED: (_handle_and_finish, State.IDLE),
        Kind.RESUMED: (_resume, State.TALKING),
        Kind.WRAPPED: (_wrap, State.ON_HOLD),
    },
}

#: What may happen to a contact in any state, and leaves it there. That it started says when it was opened, no more.
ANYTIME: Final[dict[Kind, Action]] = {
    Kind.OFFERED: _ring,
    Kind.DECLINED: _decline,
    Kind.RECEIVED: _receive,
    Kind.SENT: _reply,
    Kind.BOT_SENT: _reply_by_bot,
    Kind.RESOLVED: _say,
    Kind.REOPENED: _say,
}


def _entry(state: State, kind: Kind) -> tuple[Action, State] | None:
    return (ANYTIME[kind], state) if kind in ANYTIME else TRANSITIONS[state].get(kind)


#: The tables as the walk reads them: [state][kind], two look-ups in lists in place of two hashes of enums.
_TABLE: Final = [[_entry(state, kind) for kind in Kind] for state in State]


def advance(walk: Walk, step: Step, noted: list[Fact]) -> None:
    """Take one step of the walk and append what is noted."""
    entry = _TABLE[walk.state][step[1]]
    if entry is None:
        return
    if step[1] == QUEUED and step[3] == walk.place[0] and (walk.state is WAITING or walk.state is LOST):
        return
    action, state = entry
    action(walk, step, noted)
    walk.state = state


def hear(walk: Walk, step: Step) -> None:
    """Take what is said of the matter into the walk, in whatever order: it moves no contact, and nothing is noted."""
    walk.matter = tuple(sorted((*walk.matter, step)))


def expiry(walk: Walk, longest_ms: int) -> Step:
    """Return the step that makes a wait ``lost``: at the moment it passes ``longest_ms``."""
    return (walk.since + longest_ms, Kind.EXPIRED, "", "", "", "")


def facts(steps: Iterable[Step]) -> tuple[Walk, list[Fact]]:
    """Walk a contact's events from the start; return where it stands and the facts, taken-back ones left out."""
    walk, noted = walked(steps)
    return walk, difference(noted, ())


def walked(steps: Iterable[Step]) -> tuple[Walk, list[Fact]]:
    """Walk a contact's events from the start; return where it stands and all that was noted on the way."""
    noted: list[Fact] = []
    walk = Walk()
    for step in sorted(steps):
        advance(walk, step, noted)
    return walk, noted


def difference(after: Iterable[Fact], before: Iterable[Fact]) -> list[Fact]:
    """Return the facts that lead from ``before`` to ``after``."""
    net: Counter[tuple[str, int, Place, int]] = Counter()
    for sign, *fact in after:
        net[tuple(fact)] += sign  # type: ignore[index]
    for sign, *fact in before:
        net[tuple(fact)] -= sign  # type: ignore[index]
    return [(1 if count > 0 else -1, *fact) for fact, count in net.items() for _ in range(abs(count))]
