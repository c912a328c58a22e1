"""Every figure of customer service over a period, by queue and channel."""

from collections import Counter
from collections.abc import Collection, Mapping
from statistics import median
from typing import Any, Final, NamedTuple

from agents.board.figures import Figures, rounded
from agents.board.model import Model
from agents.board.periods import Period, Sums
from streams import kpis, satisfaction, service
from streams.contact import Place, is_aside
from streams.events import AGENT_STATES
from streams.feedback import reviewed
from streams.measures import Histogram, Measure, Row, total
from streams.policy import SECOND_MS, Policies
from streams.told import TICKETS
from streams.windows import state_ms

CENTS: Final = 100

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
    #: how long all agents together were at work, in ms, None if none ever told; and what was counted of all contacts
    staffed_ms: int | None
    everything: Row
    #: what was ever told of customers, at whatever queue
    told: frozenset[int]


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
    staffed = sum(spent for state, spent in time_in_state(model, books["agents"], period).items() if state != "offline")
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
        staffed_ms=staffed if model.people else None,
        everything=everything,
        told=frozenset(
            measure for row in (*ever["customers"].values(), *books["customers"].values()) for measure in row
        ),
    )


def time_in_state(model: Model, agents: Sums, period: Period) -> dict[str, int]:
    """Return how long all agents together were in each state over a period, in ms."""
    levels = Counter(state for state, _, _ in model.people.values())
    return {
        state: max(0, state_ms(agents.get(("", state), {}), period.start, period.end, levels[state]))
        for state in AGENT_STATES
    }


def rows_of(known: Known, queue: str | None = None) -> list[Figures]:
    """Return a row for each queue and channel, one for each channel, and last the one of all.

    Of ``queue`` alone they are its own. What was at no queue counts in the rows of its channel and of all.
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
    whole = parts[-1]
    return [_row(known, part, whole, last=part is whole and queue is None) for part in parts]


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
    """Return how many were handled at the queues that scores are of, whatever channel they came by."""
    queues = {place[0] for place in scored}
    return sum(
        row.get(Measure.HANDLED, 0)
        for place, row in known.contacts.items()
        if place[0] in queues and not is_aside(place)
    )


def _row(known: Known, part: Part, whole: Part, *, last: bool) -> Figures:
    contacts = part.contacts
    made = {
        "queue": part.queue,
        "channel": part.channel,
        "volume": {
            "offered": contacts.get(Measure.OFFERED, 0),
            "share": rounded(kpis.ratio(contacts.get(Measure.OFFERED, 0), whole.contacts.get(Measure.OFFERED, 0))),
        },
        "responses": _responses(part),
        "handling": _handling(part),
        "bot": _bot(part),
        "missed": service.missed(contacts),
        "resolution": _resolution(part),
        "backlog": _backlog(known, part),
        "repeat": _rounded(service.repeat(part.customers)),
        "satisfaction": _satisfaction(part, last=last),
        "quality": _quality(known, part, last=last),
        "value": _value(known, part),
    }
    if last:
        made["customers"] = _customers(known, part)
    return made


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: rounded(value) if isinstance(value, float) else value for name, value in values.items()}


def _responses(part: Part) -> Figures:
    row, seen = part.contacts, part.seen
    first = service.times(row, Measure.FIRST_RESPONSE_MS, Measure.FIRST_RESPONSES, Histogram.FIRST_RESPONSE)
    each = service.times(row, Measure.RESPONSE_MS, Measure.RESPONSES, Histogram.RESPONSE)
    return {
        "first_response_seconds": _rounded(first),
        "first_responses": service.count(row, seen, Measure.FIRST_RESPONSES),
        "response_seconds": _rounded(each),
        "responses": service.count(row, seen, Measure.RESPONSES),
    }


def _handling(part: Part) -> Figures:
    row, seen = part.contacts, part.seen
    rings = Measure.OFFERED_TO_AGENT
    return {
        "average_handle_time_seconds": rounded(kpis.average_handle_time(row)),
        "ticket_handle_time_seconds": rounded(service.ticket_handle_time(part.customers)),
        "handled": row.get(Measure.HANDLED, 0),
        "offered_to_agents": service.count(row, seen, rings),
        "declined": service.count(row, seen, Measure.DECLINED, rings),
        "decline_ratio": rounded(service.share(row, Measure.DECLINED, rings)),
    }


def _bot(part: Part) -> Figures:
    row, seen, bots = part.contacts, part.seen, Measure.BOT_CONTACTS
    return {
        "contacts": service.count(row, seen, bots),
        "handed_over": service.count(row, seen, Measure.BOT_HANDED_OVER, bots),
        "left": service.count(row, seen, Measure.LEFT_AFTER_BOT, bots),
    }


def _resolution(part: Part) -> Figures:
    # Of a call or chat of somebody unknown the contact tells that it was opened and closed, of all others the customer.
    own = (Measure.OPENED, Measure.CLOSED)
    row = total((part.customers, {measure: part.contacts.get(measure, 0) for measure in own}))
    took = service.times(row, Measure.RESOLUTION_MS, Measure.RESOLVED, Histogram.RESOLUTION)
    return {**_rounded(service.resolution(row, part.seen)), "time_to_resolution_seconds": _rounded(took)}


def _backlog(known: Known, part: Part) -> Figures:
    """Return the tickets that are open now; a call or a chat is none, so where nothing else is there is nothing."""
    ages = [max(0, known.now - since) / SECOND_MS for since in part.tickets]
    return {
        "open": len(ages) if part.ticketed else None,
        "goal": part.goal,
        "oldest_seconds": rounded(max(ages, default=None)),
        "p50_age_seconds": rounded(median(ages) if ages else None),
    }


def _satisfaction(part: Part, *, last: bool) -> Figures:
    """Return what customers answered; what agents did only of all together."""
    row = part.feedback
    told = {
        "csat": _survey(row, Measure.CSAT_ANSWERS, Measure.CSAT_TOP, satisfaction.mean_satisfaction(row)),
        "nps": _promoters(row),
        "ces": _survey(row, Measure.CES_ANSWERS, Measure.CES_TOP, satisfaction.mean_effort(row)),
    }
    for survey, answers in (("csat", Measure.CSAT_ANSWERS), ("nps", Measure.NPS_ANSWERS), ("ces", Measure.CES_ANSWERS)):
        each = told[survey]
        if each is not None:
            each["response_ratio"] = rounded(kpis.ratio(row.get(answers, 0), part.asked))
        told[survey] = each if answers in part.seen else None
    if last:
        mean = satisfaction.mean_employee_satisfaction(row)
        told["esat"] = _survey(row, Measure.ESAT_ANSWERS, Measure.ESAT_TOP, mean)
    return told


def _survey(row: Row, answers: Measure, top: Measure, mean: float | None) -> Figures | None:
    count = row.get(answers, 0)
    return {
        "answers": count,
        "top_ratio": rounded(service.share(row, top, answers)),
        "mean": rounded(mean),
        "interval": _interval(satisfaction.wilson(row.get(top, 0), count)),
    }


def _promoters(row: Row) -> Figures | None:
    return {
        "answers": row.get(Measure.NPS_ANSWERS, 0),
        "score": rounded(satisfaction.net_promoter_score(row)),
        "interval": _interval(satisfaction.net_promoter_interval(row)),
        "from_one": row.get(Measure.NPS_FROM_ONE, 0),
    }


def _interval(found: tuple[float, float] | None) -> list[float | None] | None:
    return None if found is None else [rounded(end) for end in found]


def _quality(known: Known, part: Part, *, last: bool) -> Figures:
    row, reviews = part.feedback, Measure.REVIEWS
    places = [place for place in known.feedback if _reviewed(place, part.queue)]
    spread = satisfaction.spread_of_quality(known.feedback[place] for place in places)
    return {
        "reviews": service.count(row, part.seen, reviews),
        "mean_ratio": rounded(satisfaction.mean_quality(row)),
        "to_standard_ratio": rounded(service.share(row, Measure.TO_STANDARD, reviews)),
        "spread": rounded(spread) if last or part.queue is not None else None,
    }


def _reviewed(place: Place, queue: str | None) -> bool:
    """Tell whether the reviews of one agent stand at a place: of all their contacts, or of those of a queue."""
    return place[1] == "@agent" if queue is None else place[1] == "@review" and reviewed(place)[1] == queue


def _value(known: Known, part: Part) -> Figures:
    """Return what contacts brought and cost. Whether orders are told at all shows anywhere, not at each queue."""
    row, business = part.customers, known.policies.business
    orders = Measure.ORDERS in known.told
    cost = _cost(known, part)
    return {
        "orders": row.get(Measure.ORDERS, 0) if orders else None,
        "revenue": rounded(row.get(Measure.REVENUE_CENTS, 0) / CENTS) if orders else None,
        "converted_ratio": rounded(service.share(row, Measure.CONVERTED, Measure.KNOWN)) if orders else None,
        "cost": _money(cost),
        "cost_per_resolution": _money(None if cost is None else kpis.ratio(cost, row.get(Measure.RESOLVED, 0))),
        "cost_per_conversation": _money(
            None if cost is None else kpis.ratio(cost, part.contacts.get(Measure.HANDLED, 0))
        ),
        "currency": business.currency,
    }


def _money(cents: float | None) -> float | None:
    return None if cents is None else rounded(cents / CENTS)


def _cost(known: Known, part: Part) -> float | None:
    """Return what contacts cost, in hundredths; None where neither rates nor costs are known.

    Agents' time and overhead are those of the whole call center: a row bears as much of them as of its handle time.
    Where the hour has its price and no agent ever told a state, nobody knows how many hours they were.
    """
    business = known.policies.business
    rates = (business.agent_hour_cents, business.overhead_month_cents)
    reported = part.customers.get(Measure.COST_CENTS, 0)
    if rates == (None, None):
        return reported if Measure.COST_CENTS in known.told else None
    if known.staffed_ms is None and business.agent_hour_cents is not None:
        return None
    everything = kpis.handle_ms(known.everything)
    own = 1.0 if part.contacts == known.everything else kpis.ratio(kpis.handle_ms(part.contacts), everything)
    if own is None:
        return None
    period_ms = known.period.end - known.period.start
    spent = service.agents_cost(known.staffed_ms or 0, *rates, period_ms)
    return spent * own + reported


def _customers(known: Known, part: Part) -> Figures | None:
    """Return how customers came and went; None where nobody tells."""
    row, business = part.customers, known.policies.business
    # Whoever tells of one tells of the other: that nobody left is news only where somebody would say so.
    if not {Measure.CUSTOMERS_JOINED, Measure.CUSTOMERS_LEFT} & known.told:
        return None
    gone = row.get(Measure.CUSTOMERS_LEFT, 0)
    value = service.lifetime_value(
        row.get(Measure.REVENUE_CENTS, 0) / CENTS, known.at_start, gone, business.margin_ratio
    )
    counted = service.customers(known.at_start, row.get(Measure.CUSTOMERS_JOINED, 0), gone)
    return {**_rounded(counted), "lifetime_value": rounded(value) if Measure.ORDERS in part.seen else None}
