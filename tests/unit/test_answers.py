"""Every figure of a period over HTTP: what was told of a platform, and nothing of what it does not send."""

import asyncio
from typing import Any, Final

import httpx
import pytest

from agents.board.periods import period_of
from agents.board.web import OPEN_DOOR, Door
from config.tokens import Token, Tokens, digest_of
from streams.measures import Measure
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS, Business, Policies, Promise
from tests.unit.life import START
from tests.unit.told import Told

#: Monday, 2026-01-05, 12:00 UTC.
NOON: Final = START + 3 * HOUR_MS
MAIL: Final = ("sales", "email")
CALLS: Final = ("sales", "voice")
POLICIES: Final = Policies(
    queues={"sales": Promise(backlog_goal=5)},
    business=Business(
        currency="EUR",
        agent_hour_cents=3_000,
        margin_ratio=0.5,
        customers=100,
        customers_counted="2026-01-01",
    ),
)


async def told(door: Door = OPEN_DOOR, policies: Policies = POLICIES) -> Told:
    """Return a day of calls and mails, of which mails alone are settled, and the day before."""
    made = Told(policies, NOON, door)
    at = NOON - HOUR_MS
    calls = {Measure.OFFERED: 30, Measure.HANDLED: 20, Measure.TALK_MS: 20 * 180_000, Measure.ABANDONED: 4}
    mails = {Measure.OFFERED: 10, Measure.HANDLED: 5, Measure.TALK_MS: 5 * 240_000, Measure.FIRST_RESPONSES: 4,
             Measure.FIRST_RESPONSE_MS: 4 * 90_000}  # fmt: skip
    by_agent = {Measure.HANDLED: 20, Measure.TALK_MS: 20 * 180_000}
    await made.count("calls/0", at, {
        CALLS: calls, MAIL: mails, ("ann", "@agent"): by_agent, ("invoice", "@subject"): {Measure.OFFERED: 30},
        ("voice", "@channel"): {Measure.BOT_CONTACTS: 2},
    })  # fmt: skip
    before = {CALLS: {Measure.OFFERED: 100}, ("invoice", "@subject"): {Measure.OFFERED: 3}}
    await made.count("calls/0", at - DAY_MS, before)
    settled = {Measure.OPENED: 10, Measure.KNOWN: 8, Measure.RESOLVED: 6, Measure.RESOLVED_KNOWN: 4, Measure.ORDERS: 2,
               Measure.FIRST_CONTACT: 3, Measure.REVENUE_CENTS: 10_000, Measure.CONVERTED: 2}  # fmt: skip
    tickets = {"t1": (*MAIL, NOON - 10 * HOUR_MS), "t2": (*MAIL, NOON - 2 * HOUR_MS)}
    await made.count("customers/0", at, {
        MAIL: settled, ("", ""): {Measure.CUSTOMERS_JOINED: 3, Measure.CUSTOMERS_LEFT: 2},
        ("ann", "@agent"): {Measure.CLOSED: 7},
    }, tickets)  # fmt: skip
    await made.count("customers/0", at - DAY_MS, {("", ""): {Measure.CUSTOMERS_LEFT: 20}})
    surveys = {Measure.CSAT_ANSWERS: 4, Measure.CSAT_TOP: 3, Measure.CSAT_MILLI: 17_000}
    await made.count(
        "feedback/0", at, {("sales", ""): surveys, ("ann", "@agent"): {Measure.REVIEWS: 2, Measure.REVIEW_MILLI: 1_800}}
    )
    working = {Measure.STATE_ENTERED: 1, Measure.MOMENTS_MS: -at}
    await made.count("agents/0", at, {
        ("", "on_contact"): working, ("ann", "@on_contact"): working,
    }, {"ann": ("on_contact", at, ["sales"])})  # fmt: skip
    await made.look()
    return made


async def ask(made: Told, path: str, **headers: str) -> httpx.Response:
    """Return the answer to a question."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(made.app), base_url="http://board") as client:
        return await client.get(path, headers=headers)


def row_of(answer: httpx.Response, queue: str | None, channel: str | None) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    (row,) = [row for row in answer.json()["rows"] if (row["queue"], row["channel"]) == (queue, channel)]
    assert isinstance(row, dict)
    return row


async def test_rows_are_of_queues_then_channels_and_last_of_all() -> None:
    rows = (await ask(await told(), "/api/v1/figures")).json()["rows"]
    names = [(row["queue"], row["channel"]) for row in rows]
    assert names == [MAIL, CALLS, (None, "email"), (None, "voice"), (None, None)]
    assert ["customers" in row for row in rows] == [False] * 4 + [True]


async def test_today_has_no_figure_of_yesterday_and_what_stands_aside_is_no_queue() -> None:
    answer = await ask(await told(), "/api/v1/figures?period=today")
    assert row_of(answer, None, None)["volume"] == {"offered": 40, "share": 1.0}
    assert row_of(answer, *CALLS)["volume"] == {"offered": 30, "share": 0.75}
    assert answer.json()["from"] == "2026-01-05T00:00:00Z"


@pytest.mark.parametrize(("period", "offered"), [("1h", 40), ("24h", 40), ("7d", 140), ("28d", 140), ("month", 140)])
async def test_longer_periods_add_what_the_store_holds_of_days_before(period: str, offered: int) -> None:
    answer = await ask(await told(), f"/api/v1/figures?period={period}")
    assert row_of(answer, None, None)["volume"]["offered"] == offered


async def test_a_late_event_of_yesterday_is_in_an_answer_once_it_is_time_to_read_again() -> None:
    made = await told()
    await ask(made, "/api/v1/figures?period=7d")
    await made.count("calls/0", NOON - DAY_MS - 5 * MINUTE_MS, {CALLS: {Measure.OFFERED: 7}})
    await made.look()
    offered = 130
    # Reading takes no more than a twentieth of the time, however long it took.
    async with asyncio.timeout(20):
        while offered == 130:
            await asyncio.sleep(0.02)
            made.board._answers._made.clear()
            offered = row_of(await ask(made, "/api/v1/figures?period=7d"), *CALLS)["volume"]["offered"]
    assert offered == 137


async def test_contacts_of_nobody_known_are_opened_too() -> None:
    made = await told()
    await made.count("calls/0", NOON, {CALLS: {Measure.OPENED: 9}, ("voice", "@channel"): {Measure.OPENED: 2}})
    await made.look()
    answer = await ask(made, "/api/v1/figures")
    opened = {name: row_of(answer, *name)["resolution"]["opened"] for name in (CALLS, MAIL, (None, "voice"))}
    assert opened == {CALLS: 9, MAIL: 10, (None, "voice"): 11}
    assert row_of(answer, None, None)["resolution"]["resolved_ratio"] == pytest.approx(6 / 21, abs=1e-6)


async def test_what_a_platform_does_not_send_is_null_and_not_zero() -> None:
    answer = await ask(await told(), "/api/v1/figures")
    calls, mails = row_of(answer, *CALLS), row_of(answer, *MAIL)
    assert calls["resolution"]["resolved"] is None
    assert calls["responses"]["first_responses"] is None
    assert calls["handling"]["offered_to_agents"] is None
    assert calls["backlog"] == {"open": None, "goal": None, "oldest_seconds": None, "p50_age_seconds": None}
    assert mails["bot"] == {"contacts": None, "handed_over": None, "left": None}
    assert row_of(answer, None, "voice")["bot"] == {"contacts": 2, "handed_over": 0, "left": 0}
    assert mails["satisfaction"]["nps"] is None


async def test_figures_are_those_worked_out_by_hand() -> None:
    mails = row_of(await ask(await told(), "/api/v1/figures"), *MAIL)
    assert mails["resolution"]["resolved_ratio"] == 0.6
    assert mails["resolution"]["first_contact_ratio"] == 0.75
    assert mails["responses"]["first_response_seconds"]["mean"] == 90
    assert mails["backlog"] == {"open": 2, "goal": 5, "oldest_seconds": 36_000, "p50_age_seconds": 21_600}
    assert mails["value"]["converted_ratio"] == 0.25
    assert mails["value"]["revenue"] == 100.0
    # Wilson's interval of 3 of 4, as tables give it.
    assert mails["satisfaction"]["csat"]["interval"] == pytest.approx([0.3006, 0.9544], abs=1e-4)
    assert mails["satisfaction"]["csat"]["mean"] == 4.25


async def test_the_cost_of_staffed_hours_is_shared_by_handle_time() -> None:
    answer = await ask(await told(), "/api/v1/figures")
    # One hour of one agent at 30.00; 60 of 80 minutes of handle time are calls.
    assert row_of(answer, None, None)["value"]["cost"] == 30.0
    assert row_of(answer, *CALLS)["value"]["cost"] == 22.5
    assert row_of(answer, *MAIL)["value"]["cost_per_resolution"] == 1.25
    assert row_of(answer, *MAIL)["value"]["cost_per_conversation"] == 1.5


async def test_customers_at_the_start_are_those_counted_and_who_came_and_went_since() -> None:
    customers = row_of(await ask(await told(), "/api/v1/figures"), None, None)["customers"]
    # 100 on the first, 20 left yesterday: 80 this morning, of whom 2 left. 100.00 / 80 x 0.5 / (2 / 80) = 25.
    assert (customers["at_start"], customers["joined"], customers["left"]) == (80, 3, 2)
    assert (customers["retention_ratio"], customers["churn_ratio"]) == (0.975, 0.025)
    assert customers["lifetime_value"] == 25.0


async def test_answers_are_of_those_handled_at_their_queue_whatever_channel_they_came_by() -> None:
    answer = await ask(await told(), "/api/v1/figures")
    ratios = [row_of(answer, *name)["satisfaction"]["csat"]["response_ratio"] for name in (CALLS, MAIL, (None, None))]
    assert ratios == [0.16] * 3
    # Nobody knows which of its two channels the answers are of.
    assert row_of(answer, None, "voice")["satisfaction"]["csat"] is None


async def test_scores_of_a_queue_with_one_channel_are_that_channels_too() -> None:
    made = await told()
    await made.count("calls/0", NOON - HOUR_MS, {("support", "chat"): {Measure.OFFERED: 5, Measure.HANDLED: 5}})
    await made.count("feedback/0", NOON - HOUR_MS, {("support", ""): {Measure.CSAT_ANSWERS: 1, Measure.CSAT_TOP: 1}})
    await made.look()
    csat = row_of(await ask(made, "/api/v1/figures"), None, "chat")["satisfaction"]["csat"]
    assert (csat["answers"], csat["top_ratio"], csat["response_ratio"]) == (1, 1.0, 0.2)


async def test_of_customers_and_hours_that_nobody_tells_nothing_is_said() -> None:
    made = Told(POLICIES, NOON)
    await made.count("calls/0", NOON - HOUR_MS, {CALLS: {Measure.OFFERED: 3, Measure.HANDLED: 3, Measure.TALK_MS: 9}})
    await made.count("customers/0", NOON - HOUR_MS, {CALLS: {Measure.OPENED: 3, Measure.RESOLVED: 3}})
    await made.look()
    whole = row_of(await ask(made, "/api/v1/figures"), None, None)
    assert whole["customers"] is None
    assert whole["value"]["cost"] is None


async def test_costs_that_events_tell_need_no_handle_time() -> None:
    made = Told(Policies(), NOON)
    await made.count("customers/0", NOON - HOUR_MS, {MAIL: {Measure.RESOLVED: 3, Measure.COST_CENTS: 1_260}})
    await made.look()
    answer = await ask(made, "/api/v1/figures")
    for name in (MAIL, (None, "email"), (None, None)):
        assert row_of(answer, *name)["value"]["cost_per_resolution"] == 4.2


async def test_tickets_are_handled_from_first_contact_to_closing() -> None:
    made = await told()
    closed = {Measure.CLOSED: 2, Measure.TICKETS_CLOSED: 2, Measure.TICKET_MS: 3 * HOUR_MS}
    await made.count("customers/0", NOON, {MAIL: closed})
    await made.look()
    answer = await ask(made, "/api/v1/figures")
    assert row_of(answer, *MAIL)["handling"]["ticket_handle_time_seconds"] == 5_400
    assert row_of(answer, None, "voice")["handling"]["ticket_handle_time_seconds"] is None


async def test_one_queue_alone_has_its_own_rows_and_their_sum() -> None:
    made = await told()
    await made.count("calls/0", NOON - HOUR_MS - MINUTE_MS, {("support", "voice"): {Measure.OFFERED: 5}})
    await made.look()
    rows = (await ask(made, "/api/v1/figures?queue=support")).json()["rows"]
    assert [(row["queue"], row["channel"]) for row in rows] == [("support", "voice"), (None, "voice"), (None, None)]
    assert {row["volume"]["offered"] for row in rows} == {5}


async def test_what_rises_beyond_chance_comes_first() -> None:
    made = await told()
    await made.count("calls/0", NOON - DAY_MS - 2 * HOUR_MS, {("login", "@subject"): {Measure.OFFERED: 50}})
    await made.count("calls/0", NOON - 2 * HOUR_MS, {
        ("login", "@subject"): {Measure.OFFERED: 55}, ("other", "@subject"): {Measure.OFFERED: 4}})  # fmt: skip
    await made.look()
    found = (await ask(made, "/api/v1/subjects?period=24h")).json()
    assert found["other"] == {"offered": 4, "before": 0}
    assert [(row["subject"], row["offered"], row["before"], row["rising"]) for row in found["rows"]] == [
        ("invoice", 30, 3, True),
        ("login", 55, 50, False),
    ]


async def test_people_are_told_with_what_they_did() -> None:
    (ann,) = (await ask(await told(), "/api/v1/agents?period=today")).json()["people"]
    assert (ann["agent_id"], ann["state"], ann["handled"], ann["closed"]) == ("ann", "on_contact", 20, 7)
    assert ann["time_in_state_seconds"]["on_contact"] == 3_600
    assert (ann["average_handle_time_seconds"], ann["occupancy"], ann["quality_mean"]) == (180, 1.0, 0.9)
    assert (ann["declined"], ann["adherence"], ann["concurrency"]) == (None, None, 1.0)


async def test_what_people_did_is_for_the_role_admin_alone() -> None:
    tokens = Tokens((Token("wall", "wallboard", digest_of("w" * 32)), Token("boss", "admin", digest_of("a" * 32))))
    made = await told(Door(tokens=tokens))
    wall, boss = ({"Authorization": f"Bearer {secret * 32}"} for secret in "wa")
    assert (await ask(made, "/api/v1/agents?period=today", **wall)).status_code == 403
    assert "people" not in (await ask(made, "/api/v1/agents", **wall)).json()
    assert (await ask(made, "/api/v1/figures", **wall)).status_code == 200
    assert "people" in (await ask(made, "/api/v1/agents?period=today", **boss)).json()


@pytest.mark.parametrize("path", ["figures?period=year", "subjects?period=28d", "agents?period=x", "figures?at=1"])
async def test_a_question_that_has_no_answer_is_refused(path: str) -> None:
    assert (await ask(await told(), f"/api/v1/{path}")).status_code == 400


async def test_live_rows_hold_no_place_of_agents_subjects_tickets_or_surveys() -> None:
    made = await told()
    rows = (await ask(made, "/api/v1/queues?window=today")).json()["rows"]
    assert [(row["queue"], row["channel"]) for row in rows] == [MAIL, CALLS, (None, None)]
    assert rows[-1]["queue_length"] == 0
    intervals = (await ask(made, "/api/v1/intervals?interval=1d")).json()["rows"]
    assert {(row["queue"], row["channel"]) for row in intervals} == {MAIL, CALLS, (None, None)}


def test_a_quarter_begins_with_its_first_month_at_local_midnight() -> None:
    zone = Policies(timezone="Europe/Berlin").zone
    march = 1_772_000_000_000  # 2026-02-25
    assert period_of("quarter", march, zone).start == 1_767_222_000_000  # 2025-12-31T23:00Z
