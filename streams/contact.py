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

Times are milliseconds since 1970, durations milliseconds.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Final

from streams import events as ev

#: Where a fact counts: queue and channel.
Place = tuple[str, str]

#: (+1 noted or -1 taken back, name, time, place, duration or 0)
Fact = tuple[int, str, int, Place, int]

#: One event as its contact remembers it: time, kind, id, the queue or the reason, channel.
#: As tuples they sort in the order of the walk.
Step = tuple[int, int, str, str, str]


class Kind(IntEnum):
    """What happened, in the order of life in which things of one instant happen."""

    WRAPPED = 0
    QUEUED = 1
    ANSWERED = 2
    HELD = 3
    RESUMED = 4
    ABANDONED = 5
    LEFT = 6
    TRANSFERRED = 7
    ENDED = 8
    #: Not an event: the watermark has passed the longest credible wait.
    EXPIRED = 9


#: The events that move a contact; all others only show that it is alive. Plain numbers, as they stand in a Step.
KIND_OF: Final[dict[type[ev.Envelope], int]] = {
    ev.ContactWrapped: int(Kind.WRAPPED),
    ev.ContactQueued: int(Kind.QUEUED),
    ev.ContactAnswered: int(Kind.ANSWERED),
    ev.ContactHeld: int(Kind.HELD),
    ev.ContactResumed: int(Kind.RESUMED),
    ev.ContactAbandoned: int(Kind.ABANDONED),
    ev.ContactLeftQueue: int(Kind.LEFT),
    ev.ContactTransferred: int(Kind.TRANSFERRED),
    ev.ContactEnded: int(Kind.ENDED),
}


class State(IntEnum):
    """Where a contact stands."""

    IDLE = 0
    WAITING = 1
    LOST = 2
    TALKING = 3
    ON_HOLD = 4


#: By their own names: Python 3.11 takes 0.1 us to look up a member of an enum, ten times what a name takes.
IDLE, WAITING, LOST, _, ON_HOLD = State
QUEUED: Final = int(Kind.QUEUED)
LEFT: Final = int(Kind.LEFT)


class Walk:
    """How far the walk through a contact's events has come."""

    __slots__ = ("answered", "ended", "held", "hold", "lost_at", "place", "since", "state", "work")

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
        #: The work that a wrap-up would be for: handled at, where, talk time.
        self.work: tuple[int, Place, int] | None = None
        #: When the contact ended, unless something followed.
        self.ended: int | None = None


def _enter(walk: Walk, step: Step, noted: list[Fact]) -> None:
    walk.place, walk.since, walk.ended = (step[3], step[4]), step[0], None
    noted.append((1, "offered", step[0], walk.place, 0))


def _stop_waiting(walk: Walk, noted: list[Fact]) -> None:
    if walk.state is LOST:
        noted.append((-1, "lost", walk.lost_at, walk.place, 0))


def _answer(walk: Walk, step: Step, noted: list[Fact]) -> None:
    _stop_waiting(walk, noted)
    walk.answered, walk.hold = step[0], 0
    noted.append((1, "answered", step[0], walk.place, step[0] - walk.since))


def _abandon(walk: Walk, step: Step, noted: list[Fact]) -> None:
    _stop_waiting(walk, noted)
    walk.ended = step[0]
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
    walk.work = (at, place, talk)
    noted.append((1, "handled", at, place, talk))
    noted.append((1, "handle_time", at, place, talk))
    if walk.hold:
        noted.append((1, "held", at, place, walk.hold))


def _handle_and_enter(walk: Walk, step: Step, noted: list[Fact]) -> None:
    _handle(walk, step, noted)
    _enter(walk, step, noted)


def _handle_and_finish(walk: Walk, step: Step, noted: list[Fact]) -> None:
    _handle(walk, step, noted)
    walk.ended = step[0]


def _finish(walk: Walk, step: Step, _noted: list[Fact]) -> None:
    walk.ended = step[0]


def _wrap(walk: Walk, step: Step, noted: list[Fact]) -> None:
    if walk.work is None:
        return
    handled_at, place, talk = walk.work
    walk.work = None
    wrap = step[0] - handled_at
    noted.append((1, "wrapped", step[0], place, wrap))
    # The time to handle the contact is known better now: it moves, where it was noted.
    noted.append((-1, "handle_time", handled_at, place, talk))
    noted.append((1, "handle_time", handled_at, place, talk + wrap))


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

#: The table as the walk reads it: [state][kind], two look-ups in lists in place of two hashes of enums.
_TABLE: Final = [[TRANSITIONS[state].get(kind) for kind in Kind] for state in State]


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


def expiry(walk: Walk, longest_ms: int) -> Step:
    """Return the step that makes a wait ``lost``: at the moment it passes ``longest_ms``."""
    return (walk.since + longest_ms, Kind.EXPIRED, "", "", "")


def facts(steps: Iterable[Step]) -> tuple[Walk, list[Fact]]:
    """Walk a contact's events from the start; return where it stands and the facts, taken-back ones left out."""
    walk, noted = Walk(), list[Fact]()
    for step in sorted(steps):
        advance(walk, step, noted)
    return walk, difference(noted, ())


def difference(after: Iterable[Fact], before: Iterable[Fact]) -> list[Fact]:
    """Return the facts that lead from ``before`` to ``after``."""
    net: Counter[tuple[str, int, Place, int]] = Counter()
    for sign, *fact in after:
        net[tuple(fact)] += sign  # type: ignore[index]
    for sign, *fact in before:
        net[tuple(fact)] -= sign  # type: ignore[index]
    return [(1 if count > 0 else -1, *fact) for fact, count in net.items() for _ in range(abs(count))]
