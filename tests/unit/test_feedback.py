"""Surveys, reviews, and what is passed on of customers."""

import json
from typing import Final

import pytest

from streams import events as ev
from streams.feedback import MOST_SETTLED, FeedbackPartition, measures_of, reviewed, reviews_of
from streams.measures import Measure, Row
from streams.partition import Limits
from streams.policy import DAY_MS, HOUR_MS, Business, Policies, Promise
from streams.told import unpack
from streams.windows import fine, interval
from tests.generate import BEGIN, written

LIMITS: Final = Limits()
POLICIES: Final = Policies(queues={"sales": Promise()}, business=Business(quality_ratio=0.55))


def event_of(kind: str, at: int = 0, **fields: object) -> ev.Envelope:
    """Return an event ``at`` ms after the beginning."""
    about = {"id": "e", "type": kind, "time": written(BEGIN + at)}
    event: ev.Envelope = ev.decode(ev.FEEDBACK, json.dumps(about | fields).encode())
    return event


def row_of(kind: str, **fields: object) -> dict[str, int]:
    """Return what a score adds up to, by name."""
    event = event_of(kind, 0, **fields)
    assert isinstance(event, ev.Rating)
    return {Measure(key).name.lower(): amount for key, amount in measures_of(event, 0.55).items()}


def count(partition: FeedbackPartition, kind: str, at: int = 0, **fields: object) -> None:
    partition.count(event_of(kind, at, **fields), BEGIN + at, BEGIN + at)


@pytest.mark.parametrize(
    ("fields", "milli", "top"),
    [
        ({"score": 1}, 1_000, 0),
        ({"score": 3.5}, 3_500, 0),
        ({"score": 4}, 4_000, 1),
        ({"score": 5}, 5_000, 1),
        ({"score": 1, "scale": 2}, 1_000, 0),
        ({"score": 2, "scale": 2}, 5_000, 1),
        ({"score": 5, "scale": 7}, 3_667, 0),
        ({"score": 6, "scale": 7}, 4_333, 1),
        ({"score": 80, "scale": 100, "scale_from": 0}, 4_200, 1),
        ({"score": 0, "scale": 10, "scale_from": 0}, 1_000, 0),
    ],
)
def test_satisfaction_is_mapped_onto_one_to_five(fields: dict[str, float], milli: int, top: int) -> None:
    for name in ("csat", "esat"):
        expected = {f"{name}_answers": 1, f"{name}_milli": milli} | ({f"{name}_top": 1} if top else {})
        assert row_of(f"survey.{name}", **fields) == expected


@pytest.mark.parametrize(
    ("fields", "milli", "top"),
    [
        ({"score": 1}, 1_000, 0),
        ({"score": 4}, 4_000, 0),
        ({"score": 5}, 5_000, 1),
        ({"score": 7}, 7_000, 1),
        ({"score": 3, "scale": 5}, 4_000, 0),
        ({"score": 4, "scale": 5}, 5_500, 1),
        ({"score": 5, "scale": 5}, 7_000, 1),
    ],
)
def test_effort_is_mapped_onto_one_to_seven(fields: dict[str, float], milli: int, top: int) -> None:
    assert row_of("survey.ces", **fields) == {"ces_answers": 1, "ces_milli": milli} | ({"ces_top": 1} if top else {})


@pytest.mark.parametrize(
    ("score", "who"), [(0, "detractor"), (6, "detractor"), (7, ""), (8, ""), (9, "promoter"), (10, "promoter")]
)
def test_nine_and_ten_promote_and_up_to_six_detract(score: int, who: str) -> None:
    assert row_of("survey.nps", score=score) == {"nps_answers": 1} | ({f"nps_{who}s": 1} if who else {})


def test_recommendation_is_marked_where_the_event_says_that_its_scale_begins_at_one() -> None:
    assert row_of("survey.nps", score=1, scale_from=1) == {"nps_answers": 1, "nps_detractors": 1, "nps_from_one": 1}
    # The highest score is 10 on either scale: it tells nothing of the lowest.
    assert "nps_from_one" not in row_of("survey.nps", score=1, scale=10)


def test_review_is_to_standard_from_the_standard_on() -> None:
    of_55 = {"reviews": 1, "review_milli": 550, "review_squares": 302_500, "to_standard": 1}
    assert row_of("quality.reviewed", score=55) == of_55
    assert row_of("quality.reviewed", score=5.5, scale=10) == of_55
    assert row_of("quality.reviewed", score=54.99) == {"reviews": 1, "review_milli": 550, "review_squares": 302_500}
    assert row_of("quality.reviewed", score=0) == {"reviews": 1, "review_milli": 0, "review_squares": 0}


@pytest.mark.parametrize(
    ("kind", "fields", "detail"),
    [
        ("survey.csat", {"score": 6}, "This score is not on its scale, 1 to 5 - at `$.score`"),
        ("survey.csat", {"score": 0}, "This score is not on its scale, 1 to 5 - at `$.score`"),
        ("survey.csat", {"score": 1, "scale": 1}, "A scale from 1 to 1 leaves nothing to choose from - at `$.scale`"),
        ("survey.ces", {"score": 6, "scale": 5}, "This score is not on its scale, 1 to 5 - at `$.score`"),
        ("survey.ces", {"score": 7.5}, "This score is not on its scale, 1 to 7 - at `$.score`"),
        ("survey.nps", {"score": 11}, "This score is not on its scale, 0 to 10 - at `$.score`"),
        ("survey.nps", {"score": 0, "scale_from": 1}, "This score is not on its scale, 1 to 10 - at `$.score`"),
        ("survey.nps", {"score": 8.5}, "A recommendation is a whole number - at `$.score`"),
        ("survey.nps", {"score": 4, "scale": 5}, "A recommendation is asked for on 0 to 10, or on 1 to 10 - at"),
        ("quality.reviewed", {"score": 101}, "This score is not on its scale, 0 to 100 - at `$.score`"),
        ("quality.reviewed", {"score": 1, "scale": 10**30}, "A scale ends at 1,000,000 at most - at `$.scale`"),
    ],
)
def test_score_that_is_not_on_its_scale_is_refused_and_moves_nothing(
    kind: str, fields: dict[str, float], detail: str
) -> None:
    partition = FeedbackPartition(POLICIES, LIMITS)
    with pytest.raises(ev.EventError, match=r".+") as caught:
        count(partition, kind, 0, **fields)
    assert caught.value.reason == "invalid_value"
    assert str(caught.value).startswith(detail)
    assert (partition.watermark, partition.changed) == (None, False)


def test_score_counts_at_its_queue_in_the_bucket_of_its_own_time() -> None:
    partition = FeedbackPartition(POLICIES, LIMITS)
    count(partition, "survey.csat", HOUR_MS, id="a", score=5, queue="sales")
    count(partition, "survey.csat", 0, id="b", score=1)
    row: Row = {Measure.CSAT_ANSWERS: 1, Measure.CSAT_MILLI: 5_000, Measure.CSAT_TOP: 1}
    change = partition.take()
    assert change.deltas == {
        fine(BEGIN + HOUR_MS): {("sales", ""): row},
        fine(BEGIN): {("", ""): {Measure.CSAT_ANSWERS: 1, Measure.CSAT_MILLI: 1_000}},
    }
    assert (change.aside, change.told) == ({}, {})


def test_review_counts_for_its_agent_too_and_what_an_agent_answers_does_not() -> None:
    partition = FeedbackPartition(POLICIES, LIMITS)
    count(partition, "quality.reviewed", id="a", score=90, queue="sales", agent_id="ann")
    count(partition, "quality.reviewed", id="b", score=50, agent_id="ann")
    count(partition, "survey.esat", id="c", score=2, agent_id="ann", queue="sales")
    places = partition.take().aside[interval(BEGIN)]
    assert set(places) == {("ann", "@agent"), reviews_of("ann", "sales")}
    assert (places["ann", "@agent"][Measure.REVIEWS], places["ann", "@agent"][Measure.REVIEW_MILLI]) == (2, 1_400)
    assert places[reviews_of("ann", "sales")][Measure.REVIEW_MILLI] == 900


@pytest.mark.parametrize(("agent", "queue"), [("ann", "sales"), ("1 a", "2 b:@c"), ("a:b", "")])
def test_agent_and_queue_of_a_place_are_told_apart(agent: str, queue: str) -> None:
    place = reviews_of(agent, queue)
    assert reviewed(place) == (agent, queue)
    assert place[1] == "@review"
    assert reviews_of("b", "xa") != reviews_of("ab", "x")


def test_queues_that_are_not_listed_keep_their_names_up_to_the_limit_also_after_a_restart() -> None:
    limits = Limits(unlisted_queues=1)
    partition = FeedbackPartition(POLICIES, limits)
    for number, queue in enumerate(("sales", "a", "b", "a")):
        count(partition, "survey.csat", id=str(number), score=5, queue=queue)
    places = partition.take().deltas[fine(BEGIN)]
    assert {place: row[Measure.CSAT_ANSWERS] for place, row in places.items()} == {
        ("sales", ""): 1,
        ("a", ""): 2,
        ("other", ""): 1,
    }
    partition = FeedbackPartition(POLICIES, limits, places=places)
    for queue in ("c", "a", "sales"):
        count(partition, "survey.csat", id=queue, score=5, queue=queue)
    assert set(partition.take().deltas[fine(BEGIN)]) == {("other", ""), ("a", ""), ("sales", "")}


def test_repetition_changes_nothing_while_open_and_is_refused_once_settled() -> None:
    partition = FeedbackPartition(POLICIES, LIMITS)
    count(partition, "survey.csat", score=5)
    first = partition.take()
    assert set(first.open) == {"e"}
    partition.advance(BEGIN + LIMITS.settling_ms)
    count(partition, "survey.csat", score=5)
    assert not partition.take().deltas
    partition.advance(BEGIN + LIMITS.settling_ms + 1)
    change = partition.take()
    assert (change.open, partition.scores) == ({"e": None}, {})
    assert sum(map(len, change.settled.values())) == 1
    with pytest.raises(ev.EventError) as caught:
        count(partition, "survey.csat", score=5)
    assert caught.value.reason == "settled"
    partition.advance(BEGIN + LIMITS.remember_ms + 1)
    with pytest.raises(ev.EventError) as caught:
        count(partition, "survey.csat", score=5)
    assert caught.value.reason == "too_late"


def test_score_that_comes_hours_late_counts_where_it_belongs_once() -> None:
    partition = FeedbackPartition(POLICIES, LIMITS, watermark=BEGIN + DAY_MS)
    for _ in range(2):
        count(partition, "survey.csat", score=5)
    row = partition.take().deltas[fine(BEGIN)]["", ""]
    assert row[Measure.CSAT_ANSWERS] == 1


def test_new_owner_settles_what_was_open() -> None:
    partition = FeedbackPartition(POLICIES, LIMITS)
    count(partition, "survey.csat", score=5)
    change = partition.take()
    packed = {name: data for name, data in change.open.items() if data is not None}
    partition = FeedbackPartition(POLICIES, LIMITS, watermark=change.watermark, packed=packed)
    count(partition, "survey.csat", score=5)
    assert not partition.changed
    partition.advance(BEGIN + LIMITS.settling_ms + 1)
    assert partition.take().open == {"e": None}


def test_so_many_at_most_are_settled_in_one_commit() -> None:
    partition = FeedbackPartition(POLICIES, LIMITS)
    partition.scores = {str(number): BEGIN for number in range(MOST_SETTLED + 5)}
    partition._timers = [(BEGIN, name) for name in partition.scores]
    partition.advance(BEGIN)
    assert len(partition.take().open) == MOST_SETTLED
    partition.advance(BEGIN + 1)
    assert (len(partition.take().open), partition.scores) == (5, {})


@pytest.mark.parametrize(
    ("kind", "fields"), [("order.placed", {"amount": 12.5}), ("customer.joined", {}), ("customer.left", {})]
)
def test_what_customers_do_is_passed_on_as_it_came_and_moves_the_watermark(
    kind: str, fields: dict[str, object]
) -> None:
    partition = FeedbackPartition(POLICIES, LIMITS)
    for _ in range(2):
        count(partition, kind, 0, customer_id="kim", **fields)
    change = partition.take()
    [(name, message)] = change.told.items()
    assert name == f"{kind} e"
    assert unpack(message).key == b"kim"
    assert ev.decode(ev.CUSTOMERS, unpack(message).value) == event_of(kind, 0, customer_id="kim", **fields)
    assert (change.watermark, change.deltas, change.open) == (BEGIN, {}, {})


def test_order_older_than_what_is_remembered_is_not_passed_on() -> None:
    partition = FeedbackPartition(POLICIES, LIMITS, watermark=BEGIN + LIMITS.remember_ms + 1)
    with pytest.raises(ev.EventError) as caught:
        count(partition, "order.placed", customer_id="kim")
    assert caught.value.reason == "too_late"
    count(partition, "order.placed", 1, customer_id="kim")
    assert len(partition.take().told) == 1
