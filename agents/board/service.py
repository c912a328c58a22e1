"""Every figure of customer service over a period, by queue and channel."""

from collections.abc import Mapping
from statistics import median
from typing import Any, Final

from agents.board.figures import Figures, rounded
from agents.board.parts import Known, Part, parts_of
from streams import kpis, satisfaction, service
from streams.contact import Place
from streams.feedback import reviewed
from streams.measures import Histogram, Measure, Row, total
from streams.policy import SECOND_MS

CENTS: Final = 100


def rows_of(known: Known, queue: str | None = None) -> list[Figures]:
    """Return a row for each queue and channel, one for each channel, and last the one of all.

    Of ``queue`` alone they are its own. What was at no queue counts in the rows of its channel and of all.
    """
    parts = parts_of(known, queue)
    whole = parts[-1]
    return [_row(known, part, whole, last=part is whole and queue is None) for part in parts]


def _row(known: Known, part: Part, whole: Part, *, last: bool) -> Figures:
    contacts = part.contacts
    made = {
        "queue": part.queue,
        "channel": part.channel,
        "volume": {
            "offered": contacts.get(Measure.OFFERED, 0),
            "share": rounded(kpis.ratio(contacts.get(Measure.OFFERED, 0), whole.contacts.get(Measure.OFFERED, 0))),
        },
        "waits": _waits(part.contacts),
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
        made["staff"] = _staff(known)
    return made


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: rounded(value) if isinstance(value, float) else value for name, value in values.items()}


def _waits(row: Row) -> Figures:
    """Return how those waited whose wait ended in the period."""
    return {
        "answered": row.get(Measure.ANSWERED, 0),
        "abandoned": row.get(Measure.ABANDONED, 0),
        "service_level": _rounded(kpis.service_level(row)),
        "abandonment_rate": rounded(kpis.abandonment_rate(row)),
        "average_speed_of_answer_seconds": rounded(kpis.average_speed_of_answer(row)),
        "wait_seconds": _rounded(kpis.percentiles(row, Histogram.WAIT_ANSWERED)),
    }


def _staff(known: Known) -> Figures | None:
    """Return how busy all agents together were; None where none ever told a state."""
    if known.states is None:
        return None
    return {
        "occupancy": rounded(service.occupancy(known.states)),
        "utilisation": rounded(service.utilisation(known.states)),
        "concurrency": rounded(service.concurrency(kpis.handle_ms(known.everything), known.states)),
    }


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
    if known.states is None and business.agent_hour_cents is not None:
        return None
    everything = kpis.handle_ms(known.everything)
    own = 1.0 if part.contacts == known.everything else kpis.ratio(kpis.handle_ms(part.contacts), everything)
    if own is None:
        return None
    period_ms = known.period.end - known.period.start
    staffed = sum(spent for state, spent in (known.states or {}).items() if state != "offline")
    spent = service.agents_cost(staffed, *rates, period_ms)
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
