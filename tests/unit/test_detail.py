"""What a queue's page asks of the board."""

from collections import Counter
from datetime import datetime

import jsonschema
import pytest

from agents.board.openapi import document
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS
from tests.unit.life import POLICIES, START, WINDOWS, Counting, Stamp, figures, life_of
from tests.unit.served import NOW, Served, served_life

SALES = {"queue": "sales", "channel": "voice"}


@pytest.mark.parametrize(
    "path", ["/api/v1/trend?queue=sales", "/api/v1/breaches?window=1m", "/api/v1/weekday?queue=sales"]
)
async def test_what_is_answered_is_what_is_described(path: str) -> None:
    whole = document("1.2.3", [*WINDOWS, "today"])
    described = whole["paths"][path.partition("?")[0]]["get"]["responses"]["200"]["content"]["application/json"]
    served = await served_life()
    async with served.client() as client:
        answer = (await client.get(path)).json()
    jsonschema.Draft202012Validator({**described["schema"], "components": whole["components"]}).validate(answer)


async def test_the_trend_ends_with_what_the_live_rows_show() -> None:
    served = await served_life()
    async with served.client() as client:
        trend = (await client.get("/api/v1/trend", params={**SALES, "window": "5m"})).json()
        rows = (await client.get("/api/v1/queues", params={"window": "5m"})).json()["rows"]
    row = next(row for row in rows if row["queue"] == "sales")
    assert trend["queue_length"][-1] == row["queue_length"] == trend["waiting"]["count"]
    assert trend["service_level"][-1] == row["service_level"]["answered_of_offered"]
    assert trend["abandonment_rate"][-1] == row["abandonment_rate"]
    assert len(trend["times"]) == 360
    assert trend["times"] == sorted(trend["times"])


async def test_who_waits_is_told_by_position_and_moment_and_nothing_else() -> None:
    served = await served_life()
    async with served.client() as client:
        answer = await client.get("/api/v1/trend", params=SALES)
    waiting = answer.json()["waiting"]
    own = sorted(v.queued for v in life_of(1) if v.queue == "sales" and v.waits_at(NOW))
    told = [datetime.fromisoformat(one["since"]).timestamp() * 1000 for one in waiting["first"]]
    assert told == own
    assert own
    assert [one["position"] for one in waiting["first"]] == list(range(1, len(own) + 1))
    assert all(set(one) == {"position", "since"} for one in waiting["first"])


async def test_a_queue_has_the_agents_that_serve_it() -> None:
    counting = Counting()
    await counting.feed(life_of(1), until=NOW)
    told = [("ann", "available", ["sales"]), ("bob", "on_contact", ["sales", "chat"]), ("cid", "break", ["chat"])]
    kind = {"type": "agent.state", "time": "2026-01-05T09:30:00Z"}
    events = [{**kind, "id": name, "agent_id": name, "state": state, "queues": of} for name, state, of in told]
    await counting.send(events, key="agent_id")
    served = Served(counting.store)
    await served.look()
    async with served.client() as client:
        assert (await client.get("/api/v1/trend", params=SALES)).json()["agents"] == {"available": 1, "on_contact": 1}


async def test_a_day_is_compared_with_the_same_hours_a_week_before() -> None:
    now = [v for v in life_of(1) if v.queue == "sales"]
    then = life_of(2, begin=START - 7 * DAY_MS)
    counting = Counting()
    await counting.feed(then)
    await counting.feed(life_of(1), until=NOW)
    served = Served(counting.store)
    await served.look()
    async with served.client() as client:
        answer = (await client.get("/api/v1/weekday", params=SALES)).json()
    assert answer["until"] == "2026-01-05T10:00:00Z"
    assert (answer["today"]["date"], answer["before"]["date"]) == ("2026-01-05", "2025-12-29")
    for day, visits, start in (("today", now, START), ("before", then, START - 7 * DAY_MS)):
        own = [v for v in visits if v.queue == "sales"]
        expected = figures(own, POLICIES.of, start, start + HOUR_MS, NOW)
        shown = answer[day]["figures"]
        assert {name: shown[name] for name in ("offered", "answered", "abandoned")} == {
            name: expected[name] for name in ("offered", "answered", "abandoned")
        }
        half = figures(own, POLICIES.of, start + 30 * MINUTE_MS, start + HOUR_MS, NOW)
        # Half past nine in UTC is half past ten in Berlin.
        assert answer[day]["half_hours"]["10:30"]["offered"] == half["offered"]


async def test_the_hour_that_comes_twice_in_autumn_is_counted_twice() -> None:
    # In Berlin the clocks go back from 03:00 to 02:00 on 2026-10-25, at 01:00 UTC.
    night = 1_792_886_400_000
    visits = life_of(1, begin=night, length=3 * HOUR_MS)
    counting = Counting()
    await counting.feed(visits)
    served = Served(counting.store, Stamp(night + 12 * HOUR_MS))
    await served.look()
    async with served.client() as client:
        half_hours = (await client.get("/api/v1/weekday", params=SALES)).json()["today"]["half_hours"]
    offered = Counter((v.queued - night) // (30 * MINUTE_MS) for v in visits if v.queue == "sales")
    twice = {"02:00": offered[0] + offered[2], "02:30": offered[1] + offered[3]}
    once = {"03:00": offered[4], "03:30": offered[5]}
    shown = {name: half["offered"] for name, half in half_hours.items() if half["offered"]}
    assert shown == {**twice, **once}


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/api/v1/trend", "queue: name one, as in ?queue=sales&channel=voice"),
        ("/api/v1/trend?queue=nobody", "queue: 'nobody' is not known; /api/v1/queues names those that are"),
        ("/api/v1/trend?queue=sales&channel=pigeon", "channel: 'pigeon' is not one of voice, chat"),
        ("/api/v1/trend?queue=sales&window=today", "window: 'today' is not one of 1m, 5m, 1h"),
        ("/api/v1/breaches?queue=sales", "'queue' is not a parameter here; allowed: window"),
    ],
)
async def test_what_cannot_be_answered_is_told(path: str, error: str) -> None:
    served = await served_life()
    async with served.client() as client:
        answer = await client.get(path)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)


@pytest.mark.parametrize("page", ["/queue", "/report"])
async def test_the_pages_are_served(page: str) -> None:
    served = await served_life()
    async with served.client() as client:
        answer = await client.get(page)
    assert answer.status_code == 200
    assert "<!doctype html>" in answer.text
