"""Rows of figures, as the API, the stream and the wallboard give them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from agents.board.model import TODAY, Book, Model
from streams import kpis
from streams.contact import Place
from streams.events import CHANNELS, EPOCH
from streams.measures import Histogram, Measure, Row, exited
from streams.policy import SECOND_MS, Policies, Promise
from streams.windows import fine, state_ms, waited_ms

#: Digits after the point that figures are rounded to.
DIGITS = 6

Figures = dict[str, Any]

#: Of all queues together nobody can say who waits next.
NO_OUTLOOK: Final[Figures] = {
    "estimated_wait_seconds": None,
    "estimated_wait_error_seconds": None,
    "overload": None,
}


def rounded(value: float | None) -> float | None:
    """Return ``value`` as it is shown: a ratio of nothing stays None."""
    return None if value is None else round(value, DIGITS)


def _all_rounded(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: rounded(value) for name, value in values.items()}


def measured(row: Row) -> Figures:
    """Return all that follows from the sums of a window or an interval alone."""
    return {
        **kpis.counts(row),
        "service_level": {**_all_rounded(kpis.service_level(row)), "live": None},
        "abandonment_rate": rounded(kpis.abandonment_rate(row)),
        "average_speed_of_answer_seconds": rounded(kpis.average_speed_of_answer(row)),
        "average_handle_time_seconds": rounded(kpis.average_handle_time(row)),
        "wait_seconds": _all_rounded(kpis.percentiles(row, Histogram.WAIT_ANSWERED)),
        "abandoned_wait_seconds": _all_rounded(kpis.percentiles(row, Histogram.WAIT_ABANDONED)),
        "sums": {
            "wait_answered_seconds": row.get(Measure.WAIT_ANSWERED_MS, 0) / SECOND_MS,
            "wait_abandoned_seconds": row.get(Measure.WAIT_ABANDONED_MS, 0) / SECOND_MS,
            "handle_seconds": kpis.handle_ms(row) / SECOND_MS,
            "hold_seconds": row.get(Measure.HOLD_MS, 0) / SECOND_MS,
        },
    }


def promised(promise: Promise, group: str | None, *, is_open: bool) -> Figures:
    """Return what a queue is held to, as the wallboard needs it."""
    longest = promise.longest_wait_limit_ms
    return {
        "target_ratio": promise.target_ratio,
        "threshold_seconds": promise.threshold_ms / SECOND_MS,
        "formula": promise.formula,
        "abandonment_ratio": promise.abandonment_ratio,
        "queue_length_limit": promise.queue_length_limit,
        "longest_wait_limit_seconds": None if longest is None else longest / SECOND_MS,
        "group": group,
        "open": is_open,
    }


class Rows:
    """Makes the rows of one window at one moment, each by itself."""

    def __init__(self, model: Model, policies: Policies, window: str, now: int, *, outlook: bool = True) -> None:
        """Make rows at ``now`` (ms); what lies ahead is of now, whatever the window; left out without ``outlook``."""
        book = model.contacts
        self._model, self._policies, self._window, self._now, self._outlook = model, policies, window, now, outlook
        self._sums, self._derived, self._start = book.sums(window), book.derived(window), book.start_of(window)
        self._ahead = _ahead(book)

    def places(self) -> set[Place]:
        """Return what has a row. A queue of the configuration has one before its first contact too."""
        waiting = {place for place, waits in self._model.waiting.items() if waits}
        seen = set(self._sums) | waiting | set(self._model.contacts.sums(TODAY))
        return seen | listed(self._policies, {queue for queue, _ in seen})

    def of(self, place: Place) -> Figures:
        """Return the row of a queue and channel."""
        queue, channel = place
        promise, waits = self._policies.of(queue), self._model.waiting.get(place, {}).values()
        row = self._sums.get(place, {})
        if place not in self._derived:
            self._derived[place] = measured(row)
        missed = sum(self._now - since > promise.threshold_ms for since in waits)
        figures = _live(self._derived[place], row, waits, missed, self._start, self._now, self._ahead[place])
        is_open = self._policies.is_open(queue, self._now)
        ahead_of = NO_OUTLOOK
        if self._outlook:
            ahead_of = outlook_of(self._model, place, promise, self._now, is_open=is_open)
        terms = promised(promise, self._policies.groups.get(queue), is_open=is_open)
        return {"queue": queue, "channel": channel, **figures, **ahead_of, "promise": terms}

    def of_all(self) -> Figures:
        """Return the row of all together."""
        everybody: list[int] = []
        missed = 0
        for (queue, _), waits in self._model.waiting.items():
            if waits:
                everybody += waits.values()
                latest = self._now - self._policies.of(queue).threshold_ms
                missed += sum(since < latest for since in waits.values())
        row = self._model.contacts.total(self._window)
        figures = _live(measured(row), row, everybody, missed, self._start, self._now, self._ahead.total())
        return {"queue": None, "channel": None, **figures, **NO_OUTLOOK, "promise": None}


def live_rows(model: Model, policies: Policies, window: str, now: int, *, outlook: bool = True) -> list[Figures]:
    """Return a row for each queue and channel at ``now`` (ms), and last the one of all, as ``Rows`` makes them."""
    rows = Rows(model, policies, window, now, outlook=outlook)
    return [*(rows.of(place) for place in sorted(rows.places())), rows.of_all()]


def outlook_of(model: Model, place: Place, promise: Promise, now: int, *, is_open: bool) -> Figures:
    """Return what lies ahead of a queue now: the next one's wait, how true that proved, whether it is too much."""
    outlook, overload = model.outlook, None
    found = outlook.overload(place, promise) if is_open else None
    if found is not None:
        overload = {
            "since": iso(found.since),
            "arrivals_per_hour": rounded(found.arrivals_per_hour),
            "capacity_per_hour": rounded(found.capacity_per_hour),
            "agents_needed": found.agents_needed,
            "minutes_to_recover": rounded(found.minutes_to_recover),
        }
    return {
        "estimated_wait_seconds": rounded(outlook.expected_wait(place)),
        "estimated_wait_error_seconds": rounded(outlook.error_seconds(place, now)),
        "overload": overload,
    }


def iso(at: int) -> str:
    """Return a time as RFC 3339, in UTC: whole seconds where it is one."""
    text = (EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds" if at % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def listed(policies: Policies, seen: Collection[str]) -> set[Place]:
    """Return where the first contacts of queues that had none yet are expected."""
    return {(queue, policies.channels.get(queue, CHANNELS[0])) for queue in policies.queues if queue not in seen}


def _ahead(book: Book) -> Counter[Place]:
    """Return by how many fewer there were at the end of the present bucket than there are now, by place.

    A source's clock may be ahead: who has come or gone "later" is counted in a bucket that is still to come.
    """
    return Counter({place: exited(row) + row.get(Measure.STATE_EXITED, 0)
                    - row.get(Measure.OFFERED, 0) - row.get(Measure.STATE_ENTERED, 0)
                    for place, row in book.later().items()})  # fmt: skip


def _not_yet(since: Iterable[int], now: int) -> int:
    """Return the time, in ms, that the present bucket's "later" ones have still to come."""
    return sum(max(0, moment - now) for moment in since if fine(moment) <= fine(now))


def _live(
    figures: Figures, row: Row, waits: Collection[int], past_target: int, start: int, now: int, ahead: int
) -> Figures:
    waited = waited_ms(row, start, now, len(waits) + ahead) + _not_yet(waits, now)
    return {
        **figures,
        "service_level": {**figures["service_level"], "live": rounded(kpis.live_service_level(row, past_target))},
        "queue_length": len(waits),
        "longest_wait_seconds": max(0, now - min(waits)) / SECOND_MS if waits else None,
        "queue_length_average": rounded(kpis.ratio(max(0, waited), now - start)),
    }


def agents_by_state(model: Model) -> dict[str, int]:
    """Return how many agents are in each state now."""
    counts = dict.fromkeys(("available", "offered", "on_contact", "wrap_up", "break", "offline"), 0)
    for state, _, _ in model.people.values():
        counts[state] += 1
    return counts


def occupancy(model: Model, window: str, now: int, queue: str = "") -> float | None:
    """Return busy / (busy + available) over a window, of a queue's agents or of all; ringing is not yet busy."""
    sums, start, ahead = model.agents.sums(window), model.agents.start_of(window), _ahead(model.agents)

    def spent(state: str) -> int:
        place = (queue, state)
        since = _in_state(model, queue, state)
        spent_ms = state_ms(sums.get(place, {}), start, now, len(since) + ahead[place]) + _not_yet(since, now)
        return max(0, spent_ms)

    return kpis.occupancy(spent("on_contact") + spent("wrap_up"), spent("available") + spent("offered"))


def _in_state(model: Model, queue: str, wanted: str) -> list[int]:
    """Return since when each agent is in a state, in ms."""
    return [
        since for state, since, queues in model.people.values() if state == wanted and (not queue or queue in queues)
    ]
