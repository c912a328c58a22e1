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


#: Who waits where nobody does.
NOBODY: Final[Mapping[tuple[str, str], int]] = {}


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

    def kept(self, place: Place) -> dict[str, Any]:
        """Return what is kept of a place's sums, for more to be kept with it; it is gone once they change."""
        kept: dict[str, Any] = self._derived.setdefault(place, {})
        return kept

    def settled(self, place: Place) -> Figures:
        """Return what follows from a place's sums alone, whoever waits there now."""
        kept = self.kept(place)
        if "settled" not in kept:
            kept["settled"] = measured(self.sums(place))
        settled: Figures = kept["settled"]
        return settled

    def sums(self, place: Place) -> Row:
        """Return what was counted at a place."""
        return self._sums.get(place, {})

    def waits(self, place: Place) -> Collection[int]:
        """Return since when each one who waits at a place does, in ms."""
        return self._model.waiting.get(place, NOBODY).values()

    def live(self, place: Place, waited_too_long: int | None = None) -> float | None:
        """Return a place's live service level, as if so many had waited past the target; as many as do if None."""
        if waited_too_long is None:
            latest = self._now - self._policies.of(place[0]).threshold_ms
            waited_too_long = sum(since < latest for since in self.waits(place))
        return rounded(kpis.live_service_level(self.sums(place), waited_too_long))

    def average(self, place: Place) -> float | None:
        """Return a place's average queue length, exactly."""
        kept = self.kept(place)
        if "flow" not in kept:
            # The time waited grows by as much for each ms that the window begins later: worked out once for all times.
            row = self.sums(place)
            kept["flow"] = (waited_ms(row, 0, 0, 0), row.get(Measure.OFFERED, 0) - exited(row))
        flow, each_ms = kept["flow"]
        return _average(
            flow + each_ms * self._start,
            self.waits(place),
            self._ahead.get(place, 0),
            self._now - self._start,
            self._now,
        )

    def of(self, place: Place) -> Figures:
        """Return the row of a queue and channel."""
        queue, settled = place[0], self.settled(place)
        is_open = self._policies.is_open(queue, self._now)
        return {
            **self.present(place, is_open=is_open),
            **settled,
            "service_level": {**settled["service_level"], "live": self.live(place)},
            "queue_length_average": self.average(place),
            "promise": promised(self._policies.of(queue), self._policies.groups.get(queue), is_open=is_open),
        }

    def present(self, place: Place, *, is_open: bool | None = None) -> Figures:
        """Return of the row of a queue and channel what is of now, whatever the window."""
        if is_open is None:
            is_open = self._policies.is_open(place[0], self._now)
        ahead = NO_OUTLOOK
        if self._outlook:
            ahead = outlook_of(self._model, place, self._policies.of(place[0]), self._now, is_open=is_open)
        return {"queue": place[0], "channel": place[1], **_waiting(self.waits(place), self._now), **ahead}

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
        level = rounded(kpis.live_service_level(row, missed))
        flow = waited_ms(row, self._start, self._start, 0)
        average = _average(flow, everybody, self._ahead.total(), self._now - self._start, self._now)
        settled = measured(row)
        return {
            "queue": None,
            "channel": None,
            **_waiting(everybody, self._now),
            **NO_OUTLOOK,
            **settled,
            "service_level": {**settled["service_level"], "live": level},
            "queue_length_average": average,
            "promise": None,
        }


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


def _waiting(waits: Collection[int], now: int) -> Figures:
    longest = max(0, now - min(waits)) / SECOND_MS if waits else None
    return {"queue_length": len(waits), "longest_wait_seconds": longest}


def _average(flow: int, waits: Collection[int], ahead: int, length: int, now: int) -> float | None:
    """Return the average of a queue over the last ``length`` ms, ``flow`` being what came and went waited for."""
    waited = flow + (len(waits) + ahead) * length
    if waits:
        waited += _not_yet(waits, now)
    return rounded(kpis.ratio(max(0, waited), length))


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
