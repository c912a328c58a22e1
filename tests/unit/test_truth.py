"""What the simulator knows to have happened is what the API tells: in order, out of order, doubled, after a restart."""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, NamedTuple

import httpx
import pytest
from msgspec import structs

from agents.board.follower import Follower
from agents.board.model import Model
from agents.board.web import Board
from agents.sources.callcenter import After, CallCenter, Duration, Queue, Team
from agents.sources.demo import demo
from agents.sources.simulator import Simulation
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS, Business, Policies, Promise
from tests.site import Event, Site
from tests.truth import Truth, differences, part
from tests.unit.life import Stamp

#: Monday, 2026-01-05, 10:00 in Berlin.
START: Final = 1_767_603_600_000
LENGTH: Final = 40 * MINUTE_MS
#: An event may come so much later than it happened and still be in time for all that it changes.
LATE_MS: Final = 4 * MINUTE_MS
WINDOWS: Final = {"5m": 5 * MINUTE_MS, "1h": HOUR_MS}
QUEUES: Final = {
    "sales": "voice",
    "support": "voice",
    "billing": "voice",
    "chat": "chat",
    "mail": "email",
    "letters": "email",
}
POLICIES: Final = Policies(
    queues={queue: Promise() for queue in QUEUES},
    channels=QUEUES,
    timezone="Europe/Berlin",
    business=Business(currency="EUR", agent_hour_cents=3_000, customers=1_000, customers_counted="2026-01-05"),
)
#: Letters: some are settled at once, some after another letter, some are still open in the end.
MAIL: Final = Queue(
    name="letters",
    channel="email",
    rate_per_hour=150,
    service=Duration(60),
    again_after_s=240,
    subjects=("invoice", "return"),
    survey=0.3,
    surveys=("survey.csat", "survey.ces", "survey.nps"),
    after=After(resolved=0.6, reopened=0.2, reopened_after_s=200, cost=4.2),
)
WAYS: Final = ("in order", "out of order", "doubled", "restarted")


class Day(NamedTuple):
    """A simulation that is over: its events in order, and what it says itself."""

    events: list[tuple[int, Event]]
    truth: Truth
    happened: dict[str, Any]
    subjects: dict[str, int]


@pytest.fixture(scope="module")
def day() -> Day:
    told_of: CallCenter = demo()
    center = structs.replace(
        told_of,
        queues=(*told_of.queues, MAIL),
        teams=(*told_of.teams, Team(queues=("letters",), agents=6)),
    )
    simulation = Simulation(center, 11, START, START + LENGTH)
    events = list(simulation.events())
    told = simulation.truth()
    return Day(events, Truth([event for _, event in events]), told["happened"], told["subjects"])


def deliveries(events: list[tuple[int, Event]], way: str) -> Iterator[tuple[int, Event]]:
    """Yield events with the moments at which Kafka gets them."""
    random = Random(3)
    if way in ("in order", "restarted"):
        yield from events
        return
    late = [(at + random.random() * LATE_MS, at, event) for at, event in events]
    if way == "doubled":
        late += [(at + random.random() * LATE_MS, at, event) for at, event in events if random.random() < 0.3]
    late.sort(key=lambda entry: entry[0])
    for arrived, _, event in late:
        yield int(arrived), event


async def counted(day: Day, way: str) -> Site:
    """Return a site that has counted the day in some way."""
    site, told = Site(POLICIES), list(deliveries(day.events, way))
    if way == "restarted":
        for first in range(0, len(told), 5_000):
            await site.feed(told[first : first + 5_000], tell=False)
            await site.restart()
    else:
        await site.feed(told)
    return site


async def asked(site: Site, now: int, path: str, *, looking_ms: int = 0) -> Any:
    """Return what a board answers at ``now`` that has looked on for so long."""
    clock = Stamp(now - looking_ms)
    follower = Follower(site.store, lambda: Model(WINDOWS, POLICIES.zone), clock, 10_000)
    board = Board(follower, site.store, POLICIES, windows=WINDOWS, fine_retention_ms=2 * HOUR_MS, version="1")
    await follower._poll(discover=True)
    clock.at = now
    await follower._poll(discover=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(board.app()), base_url="http://board") as client:
        answer = await client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def told_by_simulator(day: Day) -> dict[str, Any]:
    """Return the figures of all together that the simulator counted itself while it happened."""
    happened = day.happened

    def all_of(name: str) -> int:
        return sum(counts[name] for queue, counts in happened.items() if queue)

    return {
        "responses": {
            "first_responses": all_of("first_responses"),
            "first_response_seconds": {"mean": part(all_of("first_response_ms") / 1000, all_of("first_responses"))},
            "responses": all_of("responses"),
            "response_seconds": {"mean": part(all_of("response_ms") / 1000, all_of("responses"))},
        },
        "bot": {
            "contacts": all_of("bot"),
            "handed_over": all_of("handed_over"),
            "left": all_of("left_after_bot"),
        },
        "resolution": {
            "resolved": all_of("resolved") - all_of("reopened"),
            "reopened": all_of("reopened"),
        },
        "value": {"orders": all_of("ordered")},
        "quality": {"reviews": all_of("reviewed")},
        "satisfaction": {
            "csat": {"answers": all_of("survey.csat")},
            "nps": {"answers": all_of("survey.nps")},
            "ces": {"answers": all_of("survey.ces")},
        },
        "customers": {"joined": happened[""]["joined"], "left": happened[""]["left"], "at_start": 1_000},
    }


@pytest.mark.parametrize("way", WAYS)
async def test_every_figure_is_what_happened(day: Day, way: str) -> None:
    site = await counted(day, way)
    assert site.office.reasons == []
    now = day.events[-1][0] + 2 * LATE_MS
    rows = {(r["queue"], r["channel"]): r for r in (await asked(site, now, "figures?period=today"))["rows"]}
    wrong: list[str] = []
    for queue, channel in [*QUEUES.items(), (None, "voice"), (None, "chat"), (None, "email"), (None, None)]:
        wrong += differences(rows[queue, channel], day.truth.row(queue, channel), f"{queue} {channel}")
    for queue, channel in QUEUES.items():
        expected = {"satisfaction": day.truth.satisfaction(queue)}
        wrong += differences(rows[queue, channel], expected, queue)
    whole = rows[None, None]
    wrong += differences(whole, told_by_simulator(day), "all")
    wrong += differences(whole, {"staff": day.truth.staff()}, "all")
    wrong += differences(whole, {"satisfaction": {**day.truth.satisfaction(None), "esat": day.truth.esat()}}, "all")
    wrong += differences(whole, {"quality": day.truth.quality(), "customers": day.truth.customers(1_000)}, "all")
    assert wrong == []


async def test_subjects_agents_and_volume_are_what_happened(day: Day) -> None:
    site = await counted(day, "out of order")
    now = day.events[-1][0] + 2 * LATE_MS
    subjects = (await asked(site, now, "subjects?period=24h"))["rows"]
    assert {row["subject"]: row["offered"] for row in subjects} == day.subjects
    people = (await asked(site, now, "agents?period=today"))["people"]
    talks: dict[str, int] = {}
    for event in day.truth.events:
        if event["type"] == "contact.answered":
            talks[event["agent_id"]] = talks.get(event["agent_id"], 0) + 1
    assert {person["agent_id"]: person["handled"] for person in people if person["handled"]} == talks
    assert {person["agent_id"]: person["closed"] for person in people if person["closed"]} == day.truth.closed_by()
    states = day.truth.time_in_state()
    shown = {person["agent_id"]: person["time_in_state_seconds"] for person in people}
    assert {agent: {state: ms for state, ms in spent.items() if ms} for agent, spent in states.items()} == {
        agent: {state: round(seconds * 1_000) for state, seconds in spent.items() if seconds and state != "offline"}
        for agent, spent in shown.items()
    }
    chatting = [p["concurrency"] for p in people if p["queues"] == ["chat"] and p["handled"] > 10]
    assert 1 < min(chatting) < max(chatting) < 3.5
    speaking = [p["concurrency"] for p in people if p["queues"] == ["sales"] and p["handled"] > 5]
    # Wrapping up and talking is all that they do on contact, one contact at a time.
    assert speaking == pytest.approx([1.0] * len(speaking), abs=0.05)
    whole = (await asked(site, now, "figures?period=today"))["rows"][-1]
    # Nobody is there any more, at 30.00 an hour.
    staffed = sum(spent.total() for spent in states.values()) / 1_000
    assert whole["value"]["cost"] == pytest.approx(staffed / 3_600 * 30 + day.truth.costs(), abs=1e-4)
    assert day.truth.costs() > 0
    volume = (await asked(site, now, "volume?by=day"))["rows"]
    offered = day.truth.row(None, None)["volume"]["offered"]
    assert [row["offered"] for row in volume if row["queue"] is None][-1] == offered


async def test_once_the_time_to_come_back_is_over_first_contact_resolution_is_final(day: Day) -> None:
    site = await counted(day, "in order")
    now = day.events[-1][0]
    before = (await asked(site, now, "figures?period=today"))["rows"][-1]["resolution"]
    assert before["final"] == 0
    assert before["first_contact_final_ratio"] is None
    later = now + 8 * DAY_MS
    # Time passes where events come: a few customers join in every partition.
    await site.feed((later, _joined(number, later)) for number in range(40))
    resolution = (await asked(site, later + MINUTE_MS, "figures?period=28d"))["rows"][-1]["resolution"]
    assert resolution["final"] == before["resolved"]
    assert resolution["first_contact_final_ratio"] == before["first_contact_ratio"]


def _joined(number: int, at: int) -> Event:
    time = datetime.fromtimestamp(at / 1000, UTC).isoformat()
    return {"id": f"late-{number}", "type": "customer.joined", "time": time, "customer_id": f"late-{number}"}


async def test_a_queue_to_which_more_come_than_its_agents_can_take_is_overloaded_and_no_other() -> None:
    def queue(name: str, rate_per_hour: float) -> Queue:
        return Queue(name=name, rate_per_hour=rate_per_hour, service=Duration(120), patience_s=900)

    # Three agents take 90 an hour, four take 120.
    center = CallCenter(
        queues=(queue("busy", 180), queue("calm", 60)),
        teams=(Team(queues=("busy",), agents=3), Team(queues=("calm",), agents=4)),
    )
    now = START + LENGTH - 1  # the last moment of a bucket, so that the window is whole
    events = [(at, event) for at, event in Simulation(center, 7, START, now).events() if at <= now]
    site = Site(POLICIES)
    await site.feed(events)
    rows = {row["queue"]: row for row in (await asked(site, now, "queues?window=5m", looking_ms=10_000))["rows"]}
    assert rows["calm"]["overload"] is None
    overload = rows["busy"]["overload"]
    lately = [event for at, event in events if now - 5 * MINUTE_MS < at and event["type"] == "contact.queued"]
    came = sum(event["queue"] == "busy" for event in lately)
    assert overload["arrivals_per_hour"] == came * 12
    assert overload["capacity_per_hour"] == pytest.approx(90, rel=0.25)
    assert overload["arrivals_per_hour"] > overload["capacity_per_hour"]
    assert overload["agents_needed"] > came * 12 * 120 / 3_600
