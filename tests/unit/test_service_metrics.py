"""What Prometheus is told of customer service: the numbers of the API, and no series of what is not sent."""

from typing import Final

from prometheus_client.metrics_core import Metric

from agents.board.catalogue import METRICS
from agents.board.metrics import Collector
from streams.measures import Measure
from streams.policy import HOUR_MS
from tests.unit.life import WINDOWS
from tests.unit.test_answers import CALLS, MAIL, NOON, POLICIES, told
from tests.unit.test_metrics import read

SPECS: Final = {spec.name: spec for spec in METRICS}


async def families() -> dict[str, Metric]:
    made = await told()
    long = {"28d": (await made.board._answers.rows("28d"))[1]}
    return read(Collector(made.follower, POLICIES, WINDOWS, "1", long))


def series(family: Metric) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels[name] for name in SPECS[family.name].labels): sample.value for sample in family.samples}


async def test_counters_are_there_for_what_was_ever_seen_alone() -> None:
    found = await families()
    assert series(found["callcenter_contacts_resolved"]) == {("sales", "email"): 6}
    assert series(found["callcenter_first_responses"]) == {("sales", "email"): 4}
    assert series(found["callcenter_survey_answers"]) == {("sales", "csat"): 4}
    assert series(found["callcenter_survey_satisfied"]) == {("sales", "csat"): 3}
    assert not found["callcenter_agent_offers"].samples


async def test_what_was_opened_is_told_by_the_customer_and_where_nobody_knows_them_by_the_contact() -> None:
    made = await told()
    await made.count("calls/0", NOON, {CALLS: {Measure.OPENED: 9, Measure.CLOSED: 8}, MAIL: {Measure.OPENED: 1}})
    await made.look()
    found = read(Collector(made.follower, POLICIES, WINDOWS, "1", {}))
    assert series(found["callcenter_contacts_opened"]) == {CALLS: 9, MAIL: 11}
    assert series(found["callcenter_contacts_closed"]) == {CALLS: 8}


async def test_bots_quality_and_agents_satisfaction_are_told_by_period() -> None:
    made = await told()
    bots = {Measure.BOT_CONTACTS: 6, Measure.BOT_HANDED_OVER: 4, Measure.LEFT_AFTER_BOT: 2}
    await made.count("calls/0", NOON - HOUR_MS, {("voice", "@channel"): bots})
    own = {Measure.ESAT_ANSWERS: 5, Measure.ESAT_TOP: 4, Measure.ESAT_MILLI: 20_000}
    reviews = {Measure.REVIEWS: 4, Measure.REVIEW_MILLI: 3_000, Measure.REVIEW_SQUARES: 2_300_000}
    await made.count("feedback/0", NOON - HOUR_MS, {("sales", ""): reviews, ("", ""): own})
    await made.look()
    long = {"28d": (await made.board._answers.rows("28d"))[1]}
    found = read(Collector(made.follower, POLICIES, WINDOWS, "1", long))
    assert series(found["callcenter_bot_contacts"]) == {("voice", "28d"): 8}
    assert series(found["callcenter_bot_handover_ratio"]) == {("voice", "28d"): 0.5}
    assert series(found["callcenter_left_after_bot_ratio"]) == {("voice", "28d"): 0.25}
    assert series(found["callcenter_quality_ratio"]) == {("sales", "28d"): 0.75}
    assert series(found["callcenter_employee_satisfaction_ratio"]) == {("28d",): 0.8}
    assert series(found["callcenter_reviews"]) == {("sales",): 4}


async def test_tickets_are_told_with_their_age_and_goal() -> None:
    found = await families()
    assert series(found["callcenter_tickets_open"]) == {("sales", "email"): 2}
    assert series(found["callcenter_oldest_ticket_seconds"]) == {("sales", "email"): 36_000}
    assert series(found["callcenter_backlog_goal"]) == {("sales", "email"): 5}


async def test_long_periods_are_what_was_worked_out_for_them() -> None:
    found = await families()
    assert series(found["callcenter_first_contact_resolution_ratio"]) == {("sales", "email", "28d"): 0.75}
    assert series(found["callcenter_customer_satisfaction_ratio"]) == {("sales", "28d"): 0.75}
    assert series(found["callcenter_cost_per_resolution"])["sales", "email", "28d"] > 0


async def test_nothing_is_labelled_by_agent_subject_or_customer() -> None:
    for family in (await families()).values():
        for sample in family.samples:
            assert not {"ann", "invoice", "t1"} & set(sample.labels.values()), sample
            assert not any(value.startswith("@") for value in sample.labels.values()), sample
