"""What each agent did over a period."""

from collections.abc import Mapping

from agents.board.figures import Figures, rounded
from agents.board.history import iso
from agents.board.model import Model
from agents.board.periods import Period, Sums
from streams import kpis, satisfaction, service
from streams.events import AGENT_STATES
from streams.measures import Measure, Row
from streams.people import adhered_ms
from streams.policy import SECOND_MS, Policies
from streams.schedules import scheduled_ms
from streams.windows import state_ms


def people_rows(model: Model, policies: Policies, period: Period, books: Mapping[str, Sums]) -> list[Figures]:
    """Return a row for each agent known, by the id of the events: what they do now, and what they did in the period.

    An agent who did something and never told a state has None for what follows from states.
    """
    aside = [books[name] for name in ("contacts", "customers", "feedback")]
    names = {place[0] for book in aside for place in book if place[1] == "@agent" and place[0]} | set(model.people)
    settles = any(Measure.OPENED in row for row in model.counters("customers").values())
    rings = any(Measure.OFFERED_TO_AGENT in row for row in model.counters().values())
    return [_person(model, policies, period, books, name, settles=settles, rings=rings) for name in sorted(names)]


def _person(
    model: Model,
    policies: Policies,
    period: Period,
    books: Mapping[str, Sums],
    name: str,
    *,
    settles: bool,
    rings: bool,
) -> Figures:
    place = (name, "@agent")
    worked, closed, reviewed = (books[book].get(place, {}) for book in ("contacts", "customers", "feedback"))
    state, since, queues = model.people.get(name, (None, None, ()))
    states = _states(model, books["agents"], period, name)
    return {
        "agent_id": name,
        "state": state,
        "since": None if since is None else iso(since),
        "queues": queues,
        "handled": worked.get(Measure.HANDLED, 0),
        "closed": closed.get(Measure.CLOSED, 0) if settles else None,
        "average_handle_time_seconds": rounded(kpis.average_handle_time(worked)),
        "occupancy": rounded(service.occupancy(states)),
        "utilisation": rounded(service.utilisation(states)),
        "concurrency": rounded(service.concurrency(kpis.handle_ms(worked), states)),
        "adherence": rounded(_adherence(model, policies, period, name, books["agents"].get(place, {}))),
        "declined": worked.get(Measure.DECLINED, 0) if rings else None,
        "quality_mean": rounded(satisfaction.mean_quality(reviewed)),
        "time_in_state_seconds": {each: spent / SECOND_MS for each, spent in states.items()},
    }


def _states(model: Model, agents: Sums, period: Period, name: str) -> dict[str, float]:
    """Return how long an agent was in each state over a period, in ms; of one who never told any, nothing."""
    if name not in model.people:
        return {}
    now = model.people[name][0]
    return {
        state: max(0, state_ms(agents.get((name, f"@{state}"), {}), period.start, period.end, int(state == now)))
        for state in AGENT_STATES
    }


def _adherence(model: Model, policies: Policies, period: Period, name: str, row: Row) -> float | None:
    """Return the share of an agent's scheduled time spent in a state of work, the present one as far as it has come."""
    scheduled = scheduled_ms(policies, name, period.start, period.end)
    if name not in model.people:
        return None
    state, since, _ = model.people[name]
    lasting = adhered_ms(policies, name, state, max(since, period.start), period.end)
    return kpis.ratio(row.get(Measure.ADHERED_MS, 0) + lasting, scheduled)
