"""What the rows of a period are made of: sums by queue and channel, by channel, and of everything."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

from agents.board.model import Model
from agents.board.periods import Period, Sums
from streams.contact import Place, is_aside
from streams.events import AGENT_STATES
from streams.measures import Measure, Row, total
from streams.policy import Policies
from streams.told import TICKETS
from streams.windows import state_ms

#: The places of a row: of one queue and channel, of all queues of a channel, of everything.
Scope = Collection[Place]


class Known(NamedTuple):
    """What rows are made of: the sums of a period by book, which measures were ever counted where, tickets now."""

    period: Period
    contacts: Sums
    feedback: Sums
    customers: Sums
    ever: Mapping[str, Mapping[Place, Row]]
    #: place -> since when each open ticket is open
    tickets: Mapping[Place, list[int]]
    policies: Policies
    #: how many customers there were when the period began
    at_start: int | None
    now: int
    #: how long all agents together were in each state, in ms; None if none ever told
    states: Mapping[str, int] | None
    #: what was counted of all contacts
    everything: Row
    #: what was ever told of customers, at whatever queue
    told: frozenset[int]
    #: queue -> how many were handled there, whatever channel they came by
    handled: Mapping[str, int]


class Part(NamedTuple):
    """What belongs to one row: its sums by book, and what was ever counted there."""

    queue: str | None
    channel: str | None
    contacts: Row
    customers: Row
    feedback: Row
    seen: frozenset[int]
    tickets: list[int]
    #: whether there are tickets at all, rather than calls and chats alone; and how many may be open
    ticketed: bool
    goal: int | None
    #: how many were handled of whom scores may come
    asked: int


def known_of(
    model: Model, policies: Policies, period: Period, books: Mapping[str, Sums], at_start: int | None
) -> Known:
    """Return what the rows of a period are made of."""
    ever = {name: model.counters(name) for name in ("contacts", "feedback", "customers")}
    tickets = {place: sorted(since.values()) for place, since in model.tickets.items() if since}
    everything = total(
        row for place, row in books["contacts"].items() if place[1] != "@agent" and place[1] != "@subject"
    )
    return Known(
        period=period,
        contacts=books["contacts"],
        feedback=books["feedback"],
        customers=books["customers"],
        ever=ever,
        tickets=tickets,
        policies=policies,
        at_start=at_start,
        now=model.now,
        states=_time_in_state(model, books["agents"], period) if model.people else None,
        everything=everything,
        told=frozenset(
            measure for row in (*ever["customers"].values(), *books["customers"].values()) for measure in row
        ),
        handled=_handled(books["contacts"]),
    )


def _handled(contacts: Sums) -> Counter[str]:
    handled: Counter[str] = Counter()
    for place, row in contacts.items():
        if not is_aside(place):
            handled[place[0]] += row.get(Measure.HANDLED, 0)
    return handled


def _time_in_state(model: Model, agents: Sums, period: Period) -> dict[str, int]:
    """Return how long all agents together were in each state over a period, in ms."""
    levels = Counter(state for state, _, _ in model.people.values())
    return {
        state: max(0, state_ms(agents.get(("", state), {}), period.start, period.end, levels[state]))
        for state in AGENT_STATES
    }


def parts_of(known: Known, queue: str | None = None) -> list[Part]:
    """Return what belongs to each queue and channel, to each channel, and last to all; of ``queue`` alone its own.

    What was at no queue counts with its channel and with all.
    """
    places = {place for place in (*known.contacts, *known.customers, *known.tickets) if place[0] and place[1]}
    places = {place for place in places if not is_aside(place) and queue in (None, place[0])}
    channels = {place[1] for place in places}
    if queue is None:
        channels |= {place[0] for place in (*known.contacts, *known.customers) if place[1] == "@channel"}
        channels |= {channel for name, channel in (*known.customers, *known.tickets) if not name and channel}
    parts = [_part(known, *place) for place in sorted(places)]
    parts += [_of_channel(known, queue, channel) for channel in sorted(channels)]
    parts.append(_of_all(known, queue))
    return parts


def _part(known: Known, queue: str, channel: str) -> Part:
    # A score names a queue and no channel: it is told of each channel of the queue.
    return _summed(known, (queue, channel), [(queue, channel)], [(queue, channel)], [(queue, "")])


def _of_channel(known: Known, queue: str | None, channel: str) -> Part:
    own = _within(known, queue, channel)
    elsewhere = {place[0] for place in _within(known, queue, None) if place[1] != channel}
    # Of a queue of several channels nobody knows which one a score is of.
    scored = [(name, "") for name in sorted({place[0] for place in own if place[1] == channel} - elsewhere) if name]
    return _summed(known, (None, channel), own, own, scored)


def _of_all(known: Known, queue: str | None) -> Part:
    own = _within(known, queue, None)
    scored = [place for place in known.ever["feedback"] if queue in (None, place[0])]
    return _summed(known, (None, None), own, own, scored)


def _within(known: Known, queue: str | None, channel: str | None) -> list[Place]:
    """Return all places of a queue and a channel, either or both of them any."""
    found = {*known.contacts, *known.customers, *known.tickets, *known.ever["contacts"], *known.ever["customers"]}
    own = [
        place for place in found if not is_aside(place) and channel in (None, place[1]) and queue in (None, place[0])
    ]
    if queue is None:
        own += [place for place in found if place[1] == "@channel" and channel in (None, place[0])]
    return own


def _summed(
    known: Known, name: tuple[str | None, str | None], contacts: Scope, customers: Scope, scored: Scope
) -> Part:
    sums = [(known.contacts, contacts), (known.customers, customers), (known.feedback, scored)]
    rows = [total(book[place] for place in places if place in book) for book, places in sums]
    ever = zip(("contacts", "customers", "feedback"), (contacts, customers, scored), strict=True)
    seen = {measure for book, places in ever for place in places for measure in known.ever[book].get(place, ())}
    seen.update(*rows)
    counted, settled, told = rows
    tickets = sorted(since for place in customers for since in known.tickets.get(place, ()))
    of_tickets = {place[0] for place in customers if place[1] in TICKETS and place in known.ever["customers"]}
    of_tickets |= {place[0] for place in customers if place in known.tickets}
    asked = _asked(known, scored if name[0] is None else [(name[0], "")])
    if name == (None, None):
        asked = counted.get(Measure.HANDLED, 0)
    goals = [known.policies.of(queue).backlog_goal for queue in of_tickets]
    return Part(*name, counted, settled, told, frozenset(seen), tickets, bool(of_tickets), _sum_of(goals), asked)


def _sum_of(goals: list[int | None]) -> int | None:
    """Return what may be open of several queues; None where one of them has no goal."""
    return None if None in goals or not goals else sum(goal for goal in goals if goal is not None)


def _asked(known: Known, scored: Scope) -> int:
    """Return how many were handled at the queues that scores are of."""
    return sum(known.handled.get(queue, 0) for queue in {place[0] for place in scored})
