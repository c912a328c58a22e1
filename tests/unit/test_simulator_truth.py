"""What the simulator says that it does is what its events show, as often as their probabilities ask for."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
import pytest

from agents.sources.afterwards import CUSTOMERS
from agents.sources.callcenter import After, CallCenter, Duration, Leaving, Queue, Team
from agents.sources.simulator import Simulation
from agents.sources.wire import Event
from streams.events import milliseconds

START = 1_700_000_000_000
HOUR = 3_600_000
AFTER = After(
    resolved=0.8,
    reopened=0.1,
    reopened_after_s=200,
    returns=0.25,
    returns_after_s=300,
    orders=0.3,
    orders_after_s=400,
    order_amount=50,
    reviewed=0.2,
)
QUEUE = Queue(
    name="q",
    channel="chat",
    rate_per_hour=1_800,
    service=Duration(120),
    patience_s=200,
    ivr_s=10,
    ivr_hangup=0.1,
    bot=True,
    bot_resolves=0.2,
    message_gap_s=40,
    leavings=(Leaving("timeout", 1.0, 40), Leaving("exit_key", 0.2, 20), Leaving("withdrawn", 0.1, 30)),
    subjects=("login", "invoice"),
    survey=0.3,
    surveys=("survey.csat", "survey.nps", "survey.ces"),
    after=AFTER,
)
TEAM = Team(queues=("q",), agents=20, concurrency=2, break_probability=0.2, break_s=60, esat=0.5)
CENTER = CallCenter(queues=(QUEUE,), teams=(TEAM,), joins_per_hour=90, leaves_per_hour=40)


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return Simulation(CENTER, 5, START, START + 8 * HOUR)


@pytest.fixture(scope="module")
def events(simulation: Simulation) -> list[Event]:
    return [event for _, event in simulation.events()]


@pytest.fixture(scope="module")
def happened(simulation: Simulation, events: list[Event]) -> dict[str, Any]:
    """What the simulation says, once it is over, as others read it."""
    assert events
    truth = msgspec.json.decode(msgspec.json.encode(simulation.truth()))
    assert msgspec.convert(truth["call_center"], CallCenter) == CENTER
    return dict(truth["happened"])


def often(count: int, trials: int, probability: float) -> None:
    """Hold a count against a probability: 99.99 % of honest runs lie within."""
    assert trials > 1_000
    assert abs(count - trials * probability) < 3.9 * math.sqrt(trials * probability * (1 - probability))


def stories(events: Iterable[Event]) -> dict[str, list[Event]]:
    told: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event["type"].startswith(("contact.", "message.")):
            told[event["contact_id"]].append(event)
    return told


def test_what_it_says_is_what_its_events_show(events: list[Event], happened: dict[str, Any]) -> None:
    kinds = Counter(event["type"] for event in events)
    told = {name: happened["q"].get(name, 0) for name in ("resolved", "reopened", "ordered", "reviewed")}
    assert told == {
        "resolved": kinds["contact.resolved"],
        "reopened": kinds["contact.reopened"],
        "ordered": kinds["order.placed"],
        "reviewed": kinds["quality.reviewed"],
    }
    assert happened[""] == {"joined": kinds["customer.joined"], "left": kinds["customer.left"]}
    assert {name: kinds[name] for name in QUEUE.surveys} == {name: happened["q"][name] for name in QUEUE.surveys}
    assert happened["q"]["automated"] == sum(event.get("automated", False) for event in events)


def test_what_follows_a_talk_follows_as_often_as_its_probability_says(
    events: list[Event], happened: dict[str, Any]
) -> None:
    talks = sum(event["type"] == "contact.answered" for event in events)
    by_people = happened["q"]["resolved"] - happened["q"]["automated"]
    often(by_people, talks, AFTER.resolved)
    # What would come after the end does not come at all: of the last minutes of eight hours.
    for what, count, trials in (
        (AFTER.returns, happened["q"]["returned"], talks),
        (AFTER.orders, happened["q"]["ordered"], talks),
        (AFTER.reopened, happened["q"]["reopened"], happened["q"]["resolved"]),
    ):
        assert count / trials == pytest.approx(what, rel=0.12)
    assert sum(happened["q"][name] for name in QUEUE.surveys) / talks == pytest.approx(QUEUE.survey, rel=0.12)


def test_a_bot_settles_or_loses_as_many_as_told_and_hands_over_the_others(
    events: list[Event], happened: dict[str, Any]
) -> None:
    contacts = stories(events)
    automated = [story for story in contacts.values() if any(event.get("automated") for event in story)]
    lost = [story for story in contacts.values() if not queued(story)]
    often(len(automated), len(contacts), QUEUE.bot_resolves)
    often(len(lost) - len(automated), len(contacts), QUEUE.ivr_hangup)
    assert len(automated) == happened["q"]["automated"]
    for story in contacts.values():
        assert [event["type"] for event in story[:3]] == ["contact.started", "message.received", "message.sent"]
        assert story[2]["sender"] == "bot"
        assert "agent_id" not in story[2]


def test_bots_and_responses_are_told_as_the_events_show_them(
    simulation: Simulation, events: list[Event], happened: dict[str, Any]
) -> None:
    shown: Counter[str] = Counter()
    for story in stories(events).values():
        shown["bot"] += 1
        shown["handed_over" if queued(story) else "left_after_bot"] += 1
        lines = [event for event in story if event["type"].startswith("message.") and event.get("sender") != "bot"]
        asked = [moment(event) for event in lines if event["type"] == "message.received"]
        sent = [moment(event) for event in lines if event["type"] == "message.sent"]
        shown["first_responses"] += bool(sent)
        shown["first_response_ms"] += sent[0] - asked[0] if sent else 0
        open_since = None
        for event in lines:
            if event["type"] == "message.received":
                open_since = moment(event) if open_since is None else open_since
            elif open_since is not None:
                shown["responses"] += 1
                shown["response_ms"] += moment(event) - open_since
                open_since = None
    assert {name: happened["q"][name] for name in shown} == dict(shown)
    visits = Counter(event["subject"] for event in events if event["type"] == "contact.queued")
    assert simulation.truth()["subjects"] == visits


def moment(event: Event) -> int:
    return milliseconds(datetime.fromisoformat(event["time"]))


def queued(story: list[Event]) -> bool:
    return any(event["type"] == "contact.queued" for event in story)


def test_who_comes_back_is_the_same_customer_on_the_same_subject(events: list[Event], happened: dict[str, Any]) -> None:
    came = [event["customer_id"] for event in events if event["type"] == "contact.started"]
    first = len(came) - happened["q"]["returned"]
    # Of the others too some come twice, by chance.
    by_chance = first - CUSTOMERS * (1 - (1 - 1 / CUSTOMERS) ** first)
    assert len(came) - len(set(came)) == pytest.approx(happened["q"]["returned"] + by_chance, rel=0.03)
    subjects: dict[str, list[str]] = defaultdict(list)
    for event in events:
        if event["type"] == "contact.queued":
            subjects[event["customer_id"]].append(event["subject"])
    twice = [asked for asked in subjects.values() if len(asked) == 2]
    assert sum(len(set(asked)) == 1 for asked in twice) > 0.85 * len(twice) > 500
    assert {subject for asked in subjects.values() for subject in asked} == set(QUEUE.subjects)


def test_a_queue_is_left_by_every_way_out(events: list[Event]) -> None:
    left = Counter(event["reason"] for event in events if event["type"] == "contact.left_queue")
    assert min(left["timeout"], left["exit_key"], left["withdrawn"]) > 5
    assert left.keys() == {"timeout", "exit_key", "withdrawn"}


def test_scores_keep_to_their_scales(events: list[Event]) -> None:
    scales = {"survey.csat": (1, 5), "survey.ces": (1, 7), "survey.nps": (0, 10), "survey.esat": (1, 5)}
    scores: dict[str, set[int]] = defaultdict(set)
    for event in events:
        if event["type"] in scales:
            assert event["scale"] == scales[event["type"]][1]
            scores[event["type"]].add(event["score"])
    assert scores.keys() == scales.keys()
    assert all(scales[kind][0] <= min(given) and max(given) <= scales[kind][1] for kind, given in scores.items())
