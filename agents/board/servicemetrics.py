"""What Prometheus is told of customer service beyond the queue.

A series is there once its event was ever seen at its place: what a platform does not send has none. Long periods are
worked out elsewhere, in the background; here they are only written down.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Final

from agents.board.catalogue import SERVICE
from agents.board.exposition import Family, counter, gauge
from agents.board.figures import Figures
from agents.board.model import Model
from streams import kpis
from streams.contact import Place
from streams.measures import Measure
from streams.policy import SECOND_MS, Policies

_SPECS: Final = {spec.name: spec for spec in SERVICE}

#: What counts with the customer where one is known, and with the contact where not.
_EITHER: Final = (
    ("callcenter_contacts_opened", Measure.OPENED),
    ("callcenter_contacts_closed", Measure.CLOSED),
)

#: By the book that it is counted in, what is told where it was ever seen.
_COUNTED: Final = (
    ("contacts", "callcenter_first_responses", Measure.FIRST_RESPONSES),
    ("contacts", "callcenter_responses", Measure.RESPONSES),
    ("contacts", "callcenter_agent_offers", Measure.OFFERED_TO_AGENT),
    ("contacts", "callcenter_agent_declines", Measure.DECLINED),
    ("customers", "callcenter_contacts_resolved", Measure.RESOLVED),
    ("customers", "callcenter_contacts_reopened", Measure.REOPENED),
    ("customers", "callcenter_contacts_automated", Measure.AUTOMATED),
    ("customers", "callcenter_orders", Measure.ORDERS),
)

_SURVEYS: Final = (
    ("csat", Measure.CSAT_ANSWERS, Measure.CSAT_TOP),
    ("nps", Measure.NPS_ANSWERS, Measure.NPS_PROMOTERS),
    ("ces", Measure.CES_ANSWERS, Measure.CES_TOP),
)

_MEANS: Final = (
    ("callcenter_first_response_seconds", Measure.FIRST_RESPONSE_MS, Measure.FIRST_RESPONSES),
    ("callcenter_response_seconds", Measure.RESPONSE_MS, Measure.RESPONSES),
)

Read = Callable[[Figures], float | None]

_OF_PERIODS: Final[tuple[tuple[str, Read], ...]] = (
    ("callcenter_resolved_ratio", lambda row: row["resolution"]["resolved_ratio"]),
    ("callcenter_automated_resolution_ratio", lambda row: row["resolution"]["automated_ratio"]),
    ("callcenter_resolution_seconds", lambda row: row["resolution"]["time_to_resolution_seconds"]["mean"]),
    ("callcenter_first_contact_resolution_ratio", lambda row: row["resolution"]["first_contact_ratio"]),
    ("callcenter_first_contact_resolution_final_ratio", lambda row: row["resolution"]["first_contact_final_ratio"]),
    ("callcenter_single_reply_ratio", lambda row: row["resolution"]["single_reply_ratio"]),
    ("callcenter_ticket_handle_time_seconds", lambda row: row["handling"]["ticket_handle_time_seconds"]),
    ("callcenter_repeat_contacts_ratio", lambda row: row["repeat"]["week_ratio"]),
    ("callcenter_repeat_contacts_day_ratio", lambda row: row["repeat"]["day_ratio"]),
    ("callcenter_several_agents_ratio", lambda row: row["repeat"]["several_agents_ratio"]),
    ("callcenter_revenue", lambda row: row["value"]["revenue"]),
    ("callcenter_conversion_ratio", lambda row: row["value"]["converted_ratio"]),
    ("callcenter_cost_per_resolution", lambda row: row["value"]["cost_per_resolution"]),
    ("callcenter_cost_per_conversation", lambda row: row["value"]["cost_per_conversation"]),
)

_OF_QUALITY: Final = (
    ("callcenter_quality_ratio", "mean_ratio"),
    ("callcenter_quality_to_standard_ratio", "to_standard_ratio"),
    ("callcenter_quality_spread_ratio", "spread"),
)

_OF_SURVEYS: Final = (
    ("callcenter_customer_satisfaction_ratio", "csat", "top_ratio"),
    ("callcenter_customer_satisfaction_score", "csat", "mean"),
    ("callcenter_net_promoter_score", "nps", "score"),
    ("callcenter_customer_effort_score", "ces", "mean"),
)


def service_metrics(
    model: Model,
    policies: Policies,
    windows: Sequence[str],
    rows: Iterable[Figures],
    long: Mapping[str, list[Figures]],
) -> Iterator[Family]:
    """Yield the families of ``SERVICE``: from the model, the live ``rows`` of places, and those of ``long`` periods."""
    yield from _counters(model)
    yield from _means(model, windows)
    yield from _tickets(model, policies)
    yield from _outlook(model, list(rows))
    yield from _periods(long)


def _counters(model: Model) -> Iterator[Family]:
    for book, name, measure in _COUNTED:
        ever = model.counters(book)
        yield counter(_SPECS[name], sorted((place, row[measure]) for place, row in ever.items() if measure in row))
    for name, measure in _EITHER:
        sums: Counter[Place] = Counter()
        for book in ("contacts", "customers"):
            sums.update({place: row[measure] for place, row in model.counters(book).items() if measure in row})
        yield counter(_SPECS[name], sorted(sums.items()))
    feedback = sorted((place[0], row) for place, row in model.counters("feedback").items())
    asked = [(queue, row, *each) for queue, row in feedback for each in _SURVEYS if each[1] in row]
    answers = [((queue, survey), row[count]) for queue, row, survey, count, _ in asked]
    yield counter(_SPECS["callcenter_survey_answers"], answers)
    satisfied = [((queue, survey), row.get(top, 0)) for queue, row, survey, _, top in asked]
    yield counter(_SPECS["callcenter_survey_satisfied"], satisfied)
    reviews = Measure.REVIEWS
    yield counter(_SPECS["callcenter_reviews"], [((queue,), row[reviews]) for queue, row in feedback if reviews in row])


def _means(model: Model, windows: Sequence[str]) -> Iterator[Family]:
    ever = model.counters()
    for name, amount, of in _MEANS:
        places = sorted(place for place, row in ever.items() if of in row)
        found = [
            ((*place, window), kpis.ratio(row.get(amount, 0), row.get(of, 0) * SECOND_MS))
            for window in windows
            for place, row in ((place, model.contacts.sums(window).get(place, {})) for place in places)
        ]
        yield gauge(_SPECS[name], found)


def _tickets(model: Model, policies: Policies) -> Iterator[Family]:
    open_since: dict[Place, list[int]] = {place: list(since.values()) for place, since in model.tickets.items()}
    shown = sorted(open_since.items())
    yield gauge(_SPECS["callcenter_tickets_open"], [(place, len(since)) for place, since in shown])
    ages = [(place, max(0, model.now - min(since)) / SECOND_MS) for place, since in shown if since]
    yield gauge(_SPECS["callcenter_oldest_ticket_seconds"], ages)
    middles = [(place, max(0, model.now - median(since)) / SECOND_MS) for place, since in shown if since]
    yield gauge(_SPECS["callcenter_ticket_age_median_seconds"], middles)
    goals = [(place, policies.of(place[0]).backlog_goal) for place, _ in shown]
    yield gauge(_SPECS["callcenter_backlog_goal"], goals)


def _outlook(model: Model, rows: list[Figures]) -> Iterator[Family]:
    places = [((row["queue"], row["channel"]), row) for row in rows]
    for name in ("estimated_wait_seconds", "estimated_wait_error_seconds"):
        yield gauge(_SPECS[f"callcenter_{name}"], [(place, row[name]) for place, row in places])
    known = [(place, row["overload"]) for place, row in places if model.outlook.knows(place)]
    yield gauge(_SPECS["callcenter_overloaded"], [(place, float(found is not None)) for place, found in known])
    needed = [(place, found["agents_needed"]) for place, found in known if found is not None]
    yield gauge(_SPECS["callcenter_agents_needed"], needed)


def _periods(long: Mapping[str, list[Figures]]) -> Iterator[Family]:
    rows = [(period, row) for period, found in long.items() for row in found if row["queue"] is not None]
    for name, read in _OF_PERIODS:
        labelled = (((row["queue"], row["channel"], period), read(row)) for period, row in rows)
        yield gauge(_SPECS[name], labelled)
    # A score names a queue and no channel, so all rows of a queue tell the same.
    surveys = {(row["queue"], period): row["satisfaction"] for period, row in rows}
    for name, survey, figure in _OF_SURVEYS:
        told = ((labels, found[survey]) for labels, found in surveys.items())
        yield gauge(_SPECS[name], [(labels, None if each is None else each[figure]) for labels, each in told])
    responses = [
        ((queue, survey, period), found[survey]["response_ratio"])
        for (queue, period), found in surveys.items()
        for survey, _, _ in _SURVEYS
        if found[survey] is not None
    ]
    yield gauge(_SPECS["callcenter_survey_response_ratio"], responses)
    quality = {(row["queue"], period): row["quality"] for period, row in rows}
    for name, figure in _OF_QUALITY:
        yield gauge(_SPECS[name], [(labels, found[figure]) for labels, found in quality.items()])
    yield from _bots([(period, row) for period, found in long.items() for row in found])
    yield from _of_all({period: found[-1] for period, found in long.items()})


def _bots(rows: Sequence[tuple[str, Figures]]) -> Iterator[Family]:
    """Yield what bots did by channel: most of it before there is a queue."""
    bots = [((row["channel"], period), row["bot"]) for period, row in rows if row["queue"] is None and row["channel"]]
    yield gauge(_SPECS["callcenter_bot_contacts"], [(labels, bot["contacts"]) for labels, bot in bots])
    for name, part in (("callcenter_bot_handover_ratio", "handed_over"), ("callcenter_left_after_bot_ratio", "left")):
        told = ((labels, kpis.ratio(bot[part], bot["contacts"])) for labels, bot in bots if bot["contacts"])
        yield gauge(_SPECS[name], told)


def _of_all(whole: Mapping[str, Figures]) -> Iterator[Family]:
    """Yield what is known of all together alone, by period."""
    esat = [((period,), (row["satisfaction"]["esat"] or {}).get("top_ratio")) for period, row in whole.items()]
    yield gauge(_SPECS["callcenter_employee_satisfaction_ratio"], esat)
    staff = [(period, row["staff"] or {}) for period, row in whole.items()]
    for name, figure in (("callcenter_utilisation_ratio", "utilisation"), ("callcenter_concurrency", "concurrency")):
        yield gauge(_SPECS[name], [((period,), row.get(figure)) for period, row in staff])
    customers = [(period, row["customers"] or {}) for period, row in whole.items()]
    for name in ("retention_ratio", "churn_ratio", "lifetime_value"):
        yield gauge(_SPECS[f"callcenter_customer_{name}"], [((period,), row.get(name)) for period, row in customers])
