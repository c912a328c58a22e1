"""Feedback and customers: answers to surveys, reviews of contacts; who joined, left, ordered.

A score is one event, counted once: its id is remembered as a contact's is, open for the settling time and as a
digest afterwards. It counts at (queue, "") in the bucket of its own time, without a queue at ("", ""). Reviews count
aside as well: at (agent, "@agent"), and for the agent in the queue at ``reviews_of``. What agents answer about their
own work is never counted by agent.

What a score means depends on the scale that it was asked on, and the event tells it: from ``scale_from`` to
``scale``, or the usual one. It is mapped onto the usual one in a straight line, worst to worst and best to best. That
a platform asked for a recommendation on 1..10 cannot be told from a score, but for 0 that it did not, nor from a
``scale`` of 10, which is the highest on both: only ``scale_from`` says it.
"""

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import Final

import msgspec

from streams.contact import Place
from streams.events import (
    CustomerEvent,
    EventError,
    QualityReviewed,
    Rating,
    SurveyCes,
    SurveyCsat,
    SurveyEsat,
    SurveyNps,
)
from streams.measures import Measure, Row, add
from streams.names import OTHER
from streams.partition import Change, Limits, Partition
from streams.policy import Policies
from streams.told import pass_on

#: The lowest and the highest score of each survey, where the event says nothing else.
SCALES: Final[dict[type[Rating], tuple[int, int]]] = {
    SurveyCsat: (1, 5),
    SurveyCes: (1, 7),
    SurveyNps: (0, 10),
    SurveyEsat: (1, 5),
    QualityReviewed: (0, 100),
}

#: No scale goes beyond this: what does is a mistake.
HIGHEST: Final = 1_000_000

#: From these scores on a customer recommends us, and up to these warns of us.
PROMOTER: Final = 9
DETRACTOR: Final = 6

#: Customers are satisfied from this part of the scale on: the top two of five.
SATISFIED: Final = 0.75

#: As many ids are settled in one commit, lest a watermark that jumps a day keeps Redis busy for seconds.
MOST_SETTLED: Final = 20_000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(int).decode


def reviews_of(agent: str, queue: str) -> Place:
    """Return the place at which the reviews of an agent in a queue count aside; ``reviewed`` reads it."""
    return f"{len(queue)} {queue}{agent}", "@review"


def reviewed(place: Place) -> tuple[str, str]:
    """Return the agent and the queue of a place that ``reviews_of`` has made."""
    length, rest = place[0].split(" ", 1)
    return rest[int(length) :], rest[: int(length)]


def measures_of(event: Rating, quality_ratio: float) -> Row:
    """Return what a score adds up to; a review is to standard from ``quality_ratio`` of its scale on.

    Raise EventError ``invalid_value`` if the score does not lie on its scale.
    """
    lowest, highest = _scale(event)
    way, whole = event.score - lowest, highest - lowest
    share = way / whole
    if isinstance(event, SurveyNps):
        return _recommendation(event.score, lowest)
    if isinstance(event, SurveyCes):
        # Above the middle: the upper two of five, the upper three of seven.
        ces: Row = {Measure.CES_ANSWERS: 1, Measure.CES_MILLI: 1_000 + round(6_000 * way / whole)}
        return ces | ({Measure.CES_TOP: 1} if share > 1 / 2 else {})
    if isinstance(event, QualityReviewed):
        milli = round(1_000 * way / whole)
        review: Row = {Measure.REVIEWS: 1, Measure.REVIEW_MILLI: milli, Measure.REVIEW_SQUARES: milli * milli}
        # In millionths: 0.55 of 100 is 55.00000000000001 otherwise.
        return review | ({Measure.TO_STANDARD: 1} if round(1e6 * share) >= round(1e6 * quality_ratio) else {})
    milli = 1_000 + round(4_000 * way / whole)
    if isinstance(event, SurveyEsat):
        answer: Row = {Measure.ESAT_ANSWERS: 1, Measure.ESAT_MILLI: milli}
        return answer | ({Measure.ESAT_TOP: 1} if share >= SATISFIED else {})
    answer = {Measure.CSAT_ANSWERS: 1, Measure.CSAT_MILLI: milli}
    return answer | ({Measure.CSAT_TOP: 1} if share >= SATISFIED else {})


def _recommendation(score: float, lowest: int) -> Row:
    row: Row = {Measure.NPS_ANSWERS: 1}
    if score >= PROMOTER:
        row[Measure.NPS_PROMOTERS] = 1
    elif score <= DETRACTOR:
        row[Measure.NPS_DETRACTORS] = 1
    if lowest:
        row[Measure.NPS_FROM_ONE] = 1
    return row


def _scale(event: Rating) -> tuple[int, int]:
    """Return the lowest and the highest score that were possible, once the score is known to lie between them."""
    usual = SCALES[type(event)]
    lowest = usual[0] if event.scale_from is msgspec.UNSET else event.scale_from
    highest = usual[1] if event.scale is msgspec.UNSET else event.scale
    if isinstance(event, SurveyNps) and (highest != usual[1] or lowest > 1):
        raise EventError("invalid_value", "A recommendation is asked for on 0 to 10, or on 1 to 10 - at `$.scale`")
    if highest > HIGHEST:
        raise EventError("invalid_value", f"A scale ends at {HIGHEST:,} at most - at `$.scale`")
    if lowest >= highest:
        what = f"A scale from {lowest} to {highest} leaves nothing to choose from - at `$.scale`"
        raise EventError("invalid_value", what)
    if not lowest <= event.score <= highest:
        raise EventError("invalid_value", f"This score is not on its scale, {lowest} to {highest} - at `$.score`")
    if isinstance(event, SurveyNps) and not event.score.is_integer():
        raise EventError("invalid_value", "A recommendation is a whole number - at `$.score`")
    return lowest, highest


class FeedbackPartition(Partition):
    """Counts the scores of one partition, and passes on what customers' figures are made of."""

    def __init__(
        self,
        policies: Policies,
        limits: Limits,
        *,
        watermark: int | None = None,
        places: Iterable[Place] = (),
        packed: Mapping[str, bytes] | None = None,
        settled: Iterable[int] = (),
    ) -> None:
        """Start from what was committed: watermark, places known, scores not settled yet, hours with settled ids."""
        super().__init__(limits, watermark, settled)
        self.policies = policies
        #: event id -> the watermark at which it is settled
        self.scores: dict[str, int] = {name: _decode(data) for name, data in (packed or {}).items()}
        self._timers = [(due, name) for name, due in self.scores.items()]
        heapify(self._timers)
        self._settled_now = 0
        self._unlisted = {queue for queue, _ in places} - {*policies.queues, OTHER, ""}

    def take(self) -> Change:
        """Return what changed since the last call."""
        self._settled_now = 0
        return super().take()

    def _count(self, event: Rating | CustomerEvent, at: int) -> None:
        if isinstance(event, CustomerEvent):
            self._pass_on(event, at)
        else:
            self._rate(event, at)

    def _pass_on(self, event: CustomerEvent, at: int) -> None:
        """Tell the customers' partition, which knows what it has been told before."""
        if self.watermark is not None and at < self.watermark - self.limits.remember_ms:
            raise EventError("too_late", "older than the ids that are remembered")
        self._change.told.update(pass_on(event))

    def _rate(self, event: Rating, at: int) -> None:
        row = measures_of(event, self.policies.business.quality_ratio)
        if event.id in self.scores:
            return
        self._refuse_if_over(event.id, at)
        queue = self._name(event.queue or "")
        add(self._row(at, (queue, "")), row)
        if isinstance(event, QualityReviewed) and event.agent_id:
            add(self._row_aside(at, (event.agent_id, "@agent")), row)
            if queue:
                add(self._row_aside(at, reviews_of(event.agent_id, queue)), row)
        self._remember(event.id, max(at, self.watermark or 0))

    def _remember(self, name: str, seen: int) -> None:
        """Know an id again until the settling time is over, and from then on by its digest."""
        # One more, for "behind by more than the settling time" and "settled" have to meet without a gap.
        due = self.scores[name] = seen + self.limits.settling_ms + 1
        heappush(self._timers, (due, name))
        self._change.open[name] = _encode(due)

    def _name(self, queue: str) -> str:
        """Return the name that ``queue`` is counted under."""
        if not queue or queue in self.policies.queues or queue in self._unlisted:
            return queue
        if len(self._unlisted) >= self.limits.unlisted_queues:
            return OTHER
        self._unlisted.add(queue)
        return queue

    def _on_watermark(self, watermark: int) -> None:
        while self._timers and self._timers[0][0] <= watermark and self._settled_now < MOST_SETTLED:
            due, name = heappop(self._timers)
            del self.scores[name]
            self._settle(name, due)
            self._settled_now += 1
