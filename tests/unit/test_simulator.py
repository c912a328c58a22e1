from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from itertools import islice, pairwise

import msgspec
import pytest

from agents.sources.callcenter import CallCenter, Duration, Queue, Team, scaled
from agents.sources.demo import DAY, demo
from agents.sources.simulator import Simulation, simulate
from agents.sources.wire import Event
from streams import events as ev

START = 1_700_000_000_000
HOUR = 3_600_000


def timeline(center: CallCenter, hours: float, seed: int = 7) -> list[tuple[int, Event]]:
    return list(simulate(center, seed, START, START + int(hours * HOUR)))


@pytest.fixture(scope="module")
def day() -> list[tuple[int, Event]]:
    return timeline(demo(), 3)


def by_contact(events: Iterable[tuple[int, Event]]) -> dict[str, list[Event]]:
    contacts: dict[str, list[Event]] = defaultdict(list)
    for _, event in events:
        if event["type"].startswith(("contact.", "message.")):
            contacts[event["contact_id"]].append(event)
    return contacts


def topic(event: Event) -> str:
    if event["type"] == "agent.state":
        return ev.AGENTS
    if event["type"].startswith(("survey.", "quality.", "customer.", "order.")):
        return ev.FEEDBACK
    return ev.CALLS if event["channel"] == "voice" else ev.CHATS


def test_the_same_seed_gives_the_same_events() -> None:
    first = list(islice(simulate(demo(), 3, START), 5_000))
    assert first == list(islice(simulate(demo(), 3, START), 5_000))
    assert first != list(islice(simulate(demo(), 4, START), 5_000))


def test_no_two_runs_share_an_id() -> None:
    runs = [simulate(demo(), 3, START), simulate(demo(), 4, START), simulate(demo(), 3, START + 1)]
    events = [event for run in runs for _, event in islice(run, 3_000)]
    contacts = [{event.get("contact_id", "") for event in events[i : i + 3_000]} - {""} for i in (0, 3_000, 6_000)]
    assert len({event["id"] for event in events}) == 9_000
    assert not contacts[0] & contacts[1]
    assert not contacts[0] & contacts[2]


def test_events_come_in_time_order_and_say_their_time(day: list[tuple[int, Event]]) -> None:
    assert all(before <= after for (before, _), (after, _) in pairwise(day))
    assert [moment for moment, event in day] == [
        ev.milliseconds(datetime.fromisoformat(event["time"])) for _, event in day
    ]


def test_every_event_keeps_the_contract(day: list[tuple[int, Event]]) -> None:
    kinds: dict[str, type[ev.Envelope]] = {name: kind for kind, name in ev.TYPE_OF.items()}
    for _, event in day:
        kind = kinds[event["type"]]
        assert kind in ev.TOPICS[topic(event)]
        fields = {name: value for name, value in event.items() if name != "type"}
        decoded = msgspec.convert({**fields, "type": event["type"]}, kind)
        assert fields.keys() <= set(decoded.__struct_fields__), event


def test_all_that_a_call_center_does_is_there(day: list[tuple[int, Event]]) -> None:
    kinds = Counter(event["type"] for _, event in day)
    assert kinds.keys() == set(ev.TYPE_OF.values())
    left = {event["reason"] for _, event in day if event["type"] == "contact.left_queue"}
    assert left >= {"overflow", "callback", "exit_key", "withdrawn"}
    assert {event["state"] for _, event in day if event["type"] == "agent.state"} == set(ev.AGENT_STATES)
    assert {event["queue"] for _, event in day if "queue" in event} == {"sales", "support", "billing", "chat", "mail"}
    assert {event["channel"] for _, event in day if event.get("queue") == "chat" and "channel" in event} == {"chat"}


#: What may follow what in a contact's life, wrap-ups, messages and surveys aside.
LAWFUL = {
    "": {"contact.started", "contact.queued"},
    "contact.started": {"contact.queued", "contact.ended"},
    "contact.queued": {"contact.offered", "contact.abandoned", "contact.left_queue"},
    "contact.offered": {"contact.answered", "contact.declined", "contact.abandoned"},
    "contact.declined": {"contact.offered", "contact.abandoned", "contact.left_queue"},
    "contact.answered": {"contact.held", "contact.transferred", "contact.ended"},
    "contact.held": {"contact.resumed"},
    "contact.resumed": {"contact.transferred", "contact.ended"},
    "contact.transferred": {"contact.queued"},
    "contact.left_queue": {"contact.queued", "contact.ended"},
    "contact.abandoned": {"contact.ended"},
    "contact.ended": set[str](),
}


def is_letter(story: list[Event]) -> bool:
    return bool(story[0]["channel"] == "email")


def test_every_contact_lives_lawfully_and_to_its_end(day: list[tuple[int, Event]]) -> None:
    for contact, events in by_contact(day).items():
        story = [event["type"] for event in events if event["type"] in LAWFUL]
        lawful = LAWFUL | {"contact.ended": {"contact.queued"}} if is_letter(events) else LAWFUL
        assert all(after in lawful[before] for before, after in pairwise(["", *story])), (contact, story)
        # A letter may end with an answer to which nobody has written back.
        assert story[-1] == "contact.ended" or (is_letter(events) and story[-1] == "contact.transferred")


def test_letters_are_answered_settled_reopened_and_left_open(day: list[tuple[int, Event]]) -> None:
    letters = [events for events in by_contact(day).values() if is_letter(events)]
    kinds = [Counter(event["type"] for event in events) for events in letters]
    assert all(story["message.sent"] == story["contact.answered"] >= 1 for story in kinds)
    assert any(story["contact.resolved"] == 0 for story in kinds)
    assert any(story["contact.queued"] > 1 and not story["contact.reopened"] for story in kinds)
    assert any(story["contact.resolved"] == 2 and story["contact.reopened"] == 1 for story in kinds)
    costs = [event["cost"] for events in letters for event in events if event["type"] == "contact.resolved"]
    assert sum(costs) / len(costs) == pytest.approx(3.5, rel=0.25)


def test_who_leaves_a_queue_or_is_transferred_is_queued_at_a_later_time(day: list[tuple[int, Event]]) -> None:
    moved = Counter[str]()
    for events in by_contact(day).values():
        story = [event for event in events if event["type"] in LAWFUL]
        for before, after in pairwise(story):
            if before["type"] in {"contact.left_queue", "contact.transferred"} and after["type"] == "contact.queued":
                assert after["time"] > before["time"]
                moved[before.get("reason", "transfer")] += 1
                same = before.get("reason") == "callback" or before["type"] == "contact.transferred"
                assert (after["queue"] == before["queue"]) == same
    assert min(moved["transfer"], moved["callback"], moved["overflow"]) > 0


def test_an_agent_talks_to_no_more_contacts_at_once_than_they_can(day: list[tuple[int, Event]]) -> None:
    talking: dict[str, set[str]] = defaultdict(set)
    most: dict[str, int] = defaultdict(int)
    for _, event in day:
        if event["type"] == "contact.answered":
            mine = talking[event["agent_id"]]
            mine.add(event["contact_id"])
            most[event["channel"]] = max(most[event["channel"]], len(mine))
        elif event["type"] in {"contact.transferred", "contact.ended"} and "agent_id" in event:
            talking[event["agent_id"]].discard(event["contact_id"])
    assert most == {"voice": 1, "chat": 3, "email": 1}


def test_an_agent_is_on_contact_exactly_while_talking(day: list[tuple[int, Event]]) -> None:
    talking: dict[str, set[str]] = defaultdict(set)
    states: dict[str, str] = {}
    for i, (moment, event) in enumerate(day):
        if event["type"] == "agent.state":
            states[event["agent_id"]] = event["state"]
        elif event["type"] == "contact.answered":
            talking[event["agent_id"]].add(event["contact_id"])
        elif event["type"] in {"contact.transferred", "contact.ended"} and "agent_id" in event:
            talking[event["agent_id"]].discard(event["contact_id"])
        if i + 1 < len(day) and day[i + 1][0] > moment:
            busy = {agent for agent, contacts in talking.items() if contacts}
            assert busy == {agent for agent, state in states.items() if state == "on_contact"}


def test_an_agent_declines_and_is_away_for_a_while(day: list[tuple[int, Event]]) -> None:
    declined = [(moment, event["agent_id"]) for moment, event in day if event["type"] == "contact.declined"]
    breaks = {(moment, event["agent_id"]) for moment, event in day if event.get("state") == "break"}
    voice = [(moment, agent) for moment, agent in declined if agent < "agent-092"]
    assert voice
    assert set(voice) <= breaks


def test_agents_are_available_at_the_start_and_offline_after_the_end(day: list[tuple[int, Event]]) -> None:
    agents = sum(team.agents for team in demo().teams)
    assert [event["state"] for _, event in day[:agents]] == ["available"] * agents
    assert [event["state"] for _, event in day[-agents:]] == ["offline"] * agents


def test_the_queues_of_the_demonstration_differ(day: list[tuple[int, Event]]) -> None:
    queued: dict[str, int] = {}
    offered, met = Counter[str](), Counter[str]()
    for moment, event in day:
        if event["type"] == "contact.queued":
            queued[event["contact_id"]] = moment
        elif event["type"] in {"contact.answered", "contact.abandoned"}:
            offered[event["queue"]] += 1
            wait = moment - queued[event["contact_id"]]
            met[event["queue"]] += event["type"] == "contact.answered" and wait <= 20_000
    level = {queue: met[queue] / count for queue, count in offered.items()}
    assert level["sales"] > 0.8
    assert 0.55 < level["billing"] < 0.9
    assert level["support"] < 0.65


def test_ending_early_ends_every_contact_and_sends_everybody_home() -> None:
    simulation = Simulation(demo(), 5, START)
    events = list(islice(simulation.events(), 4_321))
    closing = simulation.close()
    stories = by_contact({event["id"]: (moment, event) for moment, event in [*events, *closing]}.values())
    talks = [story for story in stories.values() if not is_letter(story)]
    assert all("contact.ended" in {event["type"] for event in story} for story in talks)
    assert any(event.get("reason") == "empty" for _, event in closing)
    agents = {event["agent_id"] for _, event in events if event["type"] == "agent.state"}
    assert {event["agent_id"] for _, event in closing if event.get("state") == "offline"} == agents


def test_the_hours_of_the_day_rule_the_arrivals() -> None:
    center = demo(DAY)
    midnight = START - START % (24 * HOUR)
    simulation = Simulation(scaled(center, 0.1), 1, midnight, midnight + 24 * HOUR)
    arrivals = Counter(
        (moment - midnight) // HOUR for moment, event in simulation.events() if event["type"] == "contact.started"
    )
    assert arrivals[10] > 5 * arrivals[6] > 0
    again = sum(what["returned"] for what in simulation.truth()["happened"].values())
    rate = 0.1 * 3_600
    assert sum(arrivals.values()) - again == pytest.approx(rate * sum(DAY), rel=0.05)


def test_a_scaled_call_center_has_as_many_contacts_a_second_as_asked() -> None:
    center = scaled(demo(), 20)
    seconds = 120
    events = list(islice(simulate(center, 1, START), 30_000))
    contacts = [moment for moment, event in events if event["type"] == "contact.started"]
    within = sum(moment < START + seconds * 1_000 for moment in contacts)
    assert events[-1][0] > START + seconds * 1_000
    # The swings of the queues start at different points; over two minutes they do not quite cancel out.
    assert within / seconds == pytest.approx(20, rel=0.35)
    assert len({event["agent_id"] for _, event in events if event["type"] == "agent.state"}) > 1_000


def plain(**more: object) -> Queue:
    return msgspec.convert({"name": "q", "rate_per_hour": 60, "service": Duration(60), **more}, Queue)


@pytest.mark.parametrize(
    ("queue", "team", "says"),
    [
        (plain(profile=(1.0,)), Team(queues=("q",), agents=1), "24 factors"),
        (plain(swing=1.5), Team(queues=("q",), agents=1), "swing"),
        (plain(transfer=0.1, transfer_to="x"), Team(queues=("q",), agents=1), "another queue"),
        (plain(overflow_after_s=9, overflow_to="q"), Team(queues=("q",), agents=1), "another queue"),
        (plain(bot_resolves=0.1), Team(queues=("q",), agents=1), "needs the time"),
        (plain(bot=True, bot_resolves=0.6, ivr_hangup=0.6, ivr_s=9), Team(queues=("q",), agents=1), "than there are"),
        (plain(), Team(queues=("q", "x"), agents=1), "serves x"),
        (plain(), Team(queues=("q",), agents=0), "at least one agent"),
        (plain(), Team(queues=(), agents=1), "no team serves q"),
    ],
)
def test_a_call_center_that_does_not_fit_together_is_refused(queue: Queue, team: Team, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CallCenter(queues=(queue,), teams=(team,))
