"""Surveys and reviews add up to the same in any order and however often they come, and to what the oracle says."""

import json
import random
from collections import Counter
from fractions import Fraction
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import events as ev
from streams.feedback import FeedbackPartition, reviewed
from streams.measures import Measure
from streams.partition import Limits
from streams.policy import DAY_MS, HOUR_MS, Business, Policies, Promise
from streams.windows import FINE_MS, INTERVAL_MS, Buckets
from tests import survey_oracle
from tests.generate import BEGIN, SETTLING_MS, Arrival, written
from tests.oracle import Event, Table
from tests.property.replay import Kept

LIMITS: Final = Limits(settling_ms=SETTLING_MS)
STANDARD: Final = Fraction(7, 10)
POLICIES: Final = Policies(queues={"sales": Promise()}, business=Business(quality_ratio=float(STANDARD)))


@st.composite
def scores(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a score on its scale: what a platform may send."""
    kind = draw(st.sampled_from(sorted(survey_oracle.USUAL)))
    event: dict[str, Any] = {"type": kind}
    if kind == "survey.nps":
        if draw(st.booleans()):
            event["scale_from"] = draw(st.integers(0, 1))
        if draw(st.booleans()):
            event["scale"] = 10
    elif draw(st.booleans()):
        event["scale"] = draw(st.sampled_from((2, 3, 5, 7, 10, 100)))
        if draw(st.booleans()):
            event["scale_from"] = draw(st.integers(0, 1))
    worst, best = survey_oracle.scale(event)
    event["score"] = draw(st.integers(worst, best))
    if kind != "survey.nps" and event["score"] < best and draw(st.booleans()):
        event["score"] += draw(st.sampled_from((0.25, 0.5)))
    if draw(st.booleans()):
        event["queue"] = draw(st.sampled_from(("sales", "walk-in", "10 sales")))
    if draw(st.booleans()):
        event["agent_id"] = draw(st.sampled_from(("ann", "bob", "sann")))
    return event


#: Scores of a day, by tens of seconds.
answers = st.lists(st.tuples(st.integers(0, 8_639), scores()), min_size=1, max_size=20)


def arrivals_of(drawn: list[tuple[int, dict[str, Any]]], rng: random.Random) -> list[Arrival]:
    """Return the scores as they arrive: in disorder, some after hours, some again and again."""
    found: list[tuple[int, Arrival]] = []
    for number, (tick, fields) in enumerate(drawn):
        at = BEGIN + tick * FINE_MS
        arrival = Arrival(at, {"id": f"e{number}", "time": written(at), "contact_id": "c", **fields})
        late = rng.choice([0, rng.randrange(SETTLING_MS), rng.randrange(20 * HOUR_MS)])
        found.append((at + late, arrival))
        while rng.random() < 0.4:
            found.append((at + late + rng.choice([0, rng.randrange(SETTLING_MS), rng.randrange(DAY_MS)]), arrival))
    return [arrival for _, arrival in sorted(found, key=lambda each: each[0])]


def load(kept: Kept) -> FeedbackPartition:
    places = {place: () for bucket in kept.buckets.values() for place in bucket}
    return FeedbackPartition(
        POLICIES, LIMITS, watermark=kept.watermark, places=places, packed=kept.open, settled=list(kept.settled)
    )


def counted(arrivals: list[Arrival], rng: random.Random) -> Kept:
    """Count in batches of random sizes, by a new owner now and then; refused are repetitions alone."""
    kept, done, seen, refused = Kept(), 0, set[str](), set[tuple[str, bool]]()
    partition = load(kept)
    while done < len(arrivals):
        batch = arrivals[done : done + rng.choice([1, 2, 5])]
        if rng.random() < 0.2:
            partition = load(kept)  # killed before the commit, or after it
        wanted = partition.hours_wanted([arrival.at for arrival in batch])
        partition.settled.learn({hour: kept.settled[hour] for hour in wanted})
        for at, event in batch:
            try:
                partition.count(ev.decode(ev.FEEDBACK, json.dumps(event).encode()), at, at)
            except ev.EventError as error:
                refused.add((error.reason, event["id"] in seen))
            seen.add(event["id"])
        kept.commit(partition.take())
        done += len(batch)
    assert refused <= {("settled", True)}
    return kept


def figures(row: dict[int, int]) -> Counter[str]:
    return Counter({Measure(key).name.lower(): amount for key, amount in row.items()})


def table(buckets: Buckets) -> Table:
    return {
        (number, *place): figures(row) for number, places in buckets.items() for place, row in places.items() if row
    }


def agents(aside: Buckets) -> Table:
    found: Table = {}
    for number, places in aside.items():
        for place, row in places.items():
            agent, queue = (place[0], "*") if place[1] == "@agent" else reviewed(place)
            found[number, agent, queue] = figures(row)
    return found


@settings(max_examples=200, deadline=None)
@given(drawn=answers, seed=st.integers(0, 2**32))
def test_any_order_any_repetition_and_any_restart_give_what_the_oracle_says(
    drawn: list[tuple[int, dict[str, Any]]], seed: int
) -> None:
    rng = random.Random(seed)
    arrivals = arrivals_of(drawn, rng)
    events: list[Event] = [arrival.event for arrival in arrivals]
    kept = counted(arrivals, rng)
    assert table(kept.buckets) == survey_oracle.table(events, STANDARD, FINE_MS)
    assert agents(kept.aside) == survey_oracle.by_agent(events, STANDARD, INTERVAL_MS)


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(sorted(survey_oracle.USUAL)),
    score=st.floats(0, 120, width=32) | st.integers(0, 12).map(float),
    highest=st.none() | st.integers(1, 12),
    lowest=st.none() | st.integers(0, 12),
)
def test_what_is_not_on_its_scale_is_refused_and_nothing_else(
    kind: str, score: float, highest: int | None, lowest: int | None
) -> None:
    given_scale = {"scale": highest, "scale_from": lowest}
    event = {"id": "e", "type": kind, "time": written(BEGIN), "score": score}
    event |= {key: value for key, value in given_scale.items() if value is not None}
    partition = FeedbackPartition(POLICIES, LIMITS)
    message = ev.decode(ev.FEEDBACK, json.dumps(event).encode())
    if survey_oracle.on_scale(event):
        partition.count(message, BEGIN, BEGIN)
        return
    with pytest.raises(ev.EventError) as caught:
        partition.count(message, BEGIN, BEGIN)
    assert (caught.value.reason, partition.watermark, partition.changed) == ("invalid_value", None, False)
