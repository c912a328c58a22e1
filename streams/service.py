"""Formulas of customer service beyond the queue: responses, resolution, who came back, what it was worth.

As in ``kpis``, averages and ratios are made last, from sums, and a ratio of nothing is None. What a platform does not
send is None too, rather than 0: each formula takes ``seen``, the measures that were ever counted at the place.
Money is in hundredths, as it is counted.
"""

from collections.abc import Collection, Mapping
from typing import Final

from streams import kpis
from streams.kpis import ratio
from streams.measures import LEFT, Histogram, Measure
from streams.policy import DAY_MS, HOUR_MS, SECOND_MS

Sums = Mapping[int, int]
Seen = Collection[int]

#: A month, on the average of four years.
MONTH_MS: Final = round(365.25 / 12 * DAY_MS)

#: A figure, a count, or several of them by name; None where it is not known.
Figure = float | int | None


def count(row: Sums, seen: Seen, measure: Measure, *signs: Measure) -> int | None:
    """Return how many there were; None where neither ``measure`` nor one of its ``signs`` was ever counted."""
    known = measure in seen or any(sign in seen for sign in signs)
    return row.get(measure, 0) if known else None


def share(row: Sums, part: Measure, whole: Measure) -> float | None:
    """Return one count as a share of another."""
    return ratio(row.get(part, 0), row.get(whole, 0))


def times(row: Sums, amount: Measure, of: Measure, histogram: Histogram) -> dict[str, float | None]:
    """Return mean, median and ninth decile in seconds: {"mean", "p50", "p90"}."""
    return {
        "mean": ratio(row.get(amount, 0), row.get(of, 0) * SECOND_MS),
        "p50": kpis.percentile(row, histogram, 50),
        "p90": kpis.percentile(row, histogram, 90),
    }


def missed(row: Sums) -> int:
    """Return how many visits ended without an agent: given up, left in any way, lost."""
    return sum(row.get(measure, 0) for measure in (Measure.ABANDONED, *LEFT, Measure.LOST))


def resolution(row: Sums, seen: Seen) -> dict[str, Figure]:
    """Return what became of contacts: opened, resolved, and how; all but ``opened`` None where nothing is resolved."""
    settles = Measure.RESOLVED in seen

    def known(value: Figure) -> Figure:
        return value if settles else None

    return {
        "opened": count(row, seen, Measure.OPENED),
        "resolved": known(row.get(Measure.RESOLVED, 0)),
        "reopened": known(row.get(Measure.REOPENED, 0)),
        "resolved_ratio": known(share(row, Measure.RESOLVED, Measure.OPENED)),
        "automated": known(row.get(Measure.AUTOMATED, 0)),
        "automated_ratio": known(share(row, Measure.AUTOMATED, Measure.RESOLVED)),
        "single_reply_ratio": known(share(row, Measure.SINGLE_REPLY, Measure.RESOLVED)),
        # Of a customer that nobody knows nobody can tell whether they came back.
        "first_contact_ratio": share(row, Measure.FIRST_CONTACT, Measure.RESOLVED_KNOWN),
        "first_contact_final_ratio": share(row, Measure.FIRST_CONTACT_FINAL, Measure.FINAL),
        "final": row.get(Measure.FINAL, 0) if Measure.RESOLVED_KNOWN in seen else None,
    }


def repeat(row: Sums) -> dict[str, float | None]:
    """Return which share of contacts was followed by another, or took several agents."""
    return {
        "day_ratio": share(row, Measure.CAME_BACK_DAY, Measure.KNOWN),
        "week_ratio": share(row, Measure.CAME_BACK_WEEK, Measure.KNOWN),
        "several_agents_ratio": share(row, Measure.REPEATED, Measure.OPENED),
    }


def agents_cost(staffed_ms: float, hour_cents: int | None, overhead_cents: int | None, period_ms: float) -> float:
    """Return what ``staffed_ms`` of agents' time cost over a period, with its share of a month's overhead, in cents."""
    return staffed_ms / HOUR_MS * (hour_cents or 0) + period_ms / MONTH_MS * (overhead_cents or 0)


def customers(at_start: int | None, joined: int, gone: int) -> dict[str, Figure]:
    """Return how customers came and went; the ratios are of those there were at the start."""
    kept = None if at_start is None else at_start - gone
    return {
        "at_start": at_start,
        "joined": joined,
        "left": gone,
        "retention_ratio": None if kept is None else ratio(kept, at_start or 0),
        "churn_ratio": None if at_start is None else ratio(gone, at_start),
    }


def lifetime_value(revenue: float, at_start: int | None, gone: int, margin: float | None) -> float | None:
    """Return what a customer is worth: margin x purchases a period x lifetime in periods, in the unit of ``revenue``.

    Purchases are the revenue of a customer over the period, and a customer stays as many periods as it takes to lose
    as many as there are: 1 / churn. None where nobody left: a lifetime without end cannot be told from one period.
    """
    if margin is None or not at_start or not gone:
        return None
    purchases, lifetime = revenue / at_start, at_start / gone
    return margin * purchases * lifetime


def ticket_handle_time(row: Sums) -> float | None:
    """Return the mean time of tickets from first contact to closing, in seconds; None where none was closed."""
    return ratio(row.get(Measure.TICKET_MS, 0), row.get(Measure.TICKETS_CLOSED, 0) * SECOND_MS)


def utilisation(states: Mapping[str, float]) -> float | None:
    """Return the share of agents' paid time, all but offline, that was spent on contacts; ``states`` is ms by state."""
    busy = states.get("on_contact", 0) + states.get("wrap_up", 0)
    return ratio(busy, sum(spent for state, spent in states.items() if state != "offline"))


def concurrency(handle_ms: float, states: Mapping[str, float]) -> float | None:
    """Return how many contacts an agent had at once: the handle time of all, over the time spent on contacts.

    ``states`` is ms by state. Little's law: contacts at a time = contacts by time x time of each.
    """
    return ratio(handle_ms, states.get("on_contact", 0) + states.get("wrap_up", 0))


def occupancy(states: Mapping[str, float]) -> float | None:
    """Return the share of the time for contacts that was spent on them; ``states`` is ms by state."""
    busy = states.get("on_contact", 0) + states.get("wrap_up", 0)
    return kpis.occupancy(busy, states.get("available", 0) + states.get("offered", 0))
