"""The board's routes: what they answer, what they refuse and how, and the live stream on a real socket."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import pairwise
from time import monotonic

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from agents.board import history
from agents.board.figures import Figures
from agents.board.guard import HEADERS
from agents.board.serving import server_of
from agents.processors.processor import wall_clock
from agents.store import Beat, StoreError
from agents.store.memory import MemoryStore
from streams.contact import Place
from streams.measures import Row
from streams.policy import HOUR_MS
from tests.unit.life import POLICIES, WINDOWS, assert_same, figures, life_of, live_figures
from tests.unit.served import NOW, Served, counted_life, served_life

ROUTES = (
    *("/", "/metrics", "/api/v1/queues", "/api/v1/intervals", "/api/v1/agents", "/healthz", "/readyz"),
    *("/openapi.json", "/docs", "/static/wallboard.js"),
)
COUNTS = {
    *("offered", "answered", "answered_within_target", "abandoned", "abandoned_within_target", "short_abandoned"),
    *("left", "lost", "handled"),
}
#: What the design promises of every row; there may be more.
ROW = {
    *COUNTS,
    *("queue", "channel", "service_level", "abandonment_rate", "average_speed_of_answer_seconds"),
    *("average_handle_time_seconds", "wait_seconds", "queue_length", "longest_wait_seconds"),
}
LEVELS = {
    *("answered_of_offered", "answered_of_answered", "abandoned_in_target_met", "abandoned_in_target_ignored"),
    *("short_abandoned_ignored", "left_missed", "live"),
}


class Down(MemoryStore):
    """A store that cannot be reached."""

    async def partitions(self) -> list[str]:
        raise StoreError("Redis: connection refused")


@pytest.mark.parametrize("route", ROUTES)
async def test_every_route_answers_get_and_head_with_the_security_headers(route: str) -> None:
    served = await served_life()
    async with served.client() as client:
        answer, head = await client.get(route), await client.head(route)
    assert (answer.status_code, head.status_code) == (200, 200)
    assert head.content == b""
    assert head.headers["content-type"] == answer.headers["content-type"]
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


@pytest.mark.parametrize("route", ["/nothing", "/api/v1/nothing", "/static/nothing.js", "/static/../web.py", "/api"])
async def test_an_unknown_route_is_404_with_the_security_headers(route: str) -> None:
    served = await served_life()
    async with served.client() as client:
        answer = await client.get(route)
    assert (answer.status_code, answer.json()) == (404, {"error": "there is nothing here"})
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


async def test_nothing_can_be_changed_through_the_board() -> None:
    served = await served_life()
    async with served.client() as client:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = await client.request(method, "/api/v1/queues")
            assert (answer.status_code, answer.json()) == (405, {"error": "that is not done here"})
            assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("/api/v1/queues?window=2m", "window: '2m' is not one of 1m, 5m, 1h, today"),
        ("/api/v1/queues?window=", "window: '' is not one of 1m, 5m, 1h, today"),
        ("/api/v1/agents?window=x", "window: 'x' is not one of 1m, 5m, 1h, today"),
        ("/api/v1/stream?window=x", "window: 'x' is not one of 1m, 5m, 1h, today"),
        ("/api/v1/queues?at=yesterday", "at: 'yesterday' is not a time with an offset, like 2026-11-23T10:00:00Z"),
        ("/api/v1/queues?at=2026-01-05T10:02:00Z", "at: lies ahead of now"),
        ("/api/v1/queues?at=2026-01-04T10:00:00Z", "windows are kept for 120 minutes; ask /api/v1/intervals"),
        ("/api/v1/queues?window=today&at=2026-01-05T09:00:00Z", "today has no rows of a past time"),
        ("/api/v1/queues?windw=5m", "'windw' is not a parameter here; allowed: window, at"),
        ("/api/v1/intervals?form=2026-01-05", "'form' is not a parameter here; allowed: from, to, interval, queue"),
        ("/api/v1/agents?queue=sales", "'queue' is not a parameter here; allowed: window"),
        ("/api/v1/stream?window=5m&at=x", "'at' is not a parameter here; allowed: window, changes"),
        ("/api/v1/stream?changes=on", "changes: yes or no"),
        ("/api/v1/queues?window=5m&window=1h", "window: given twice; give it once"),
        ("/api/v1/intervals?interval=7m", "interval: '7m' is not a multiple of 15m up to 1d, or of 1d"),
        ("/api/v1/intervals?from=x", "from: 'x' is not a time with an offset"),
        ("/api/v1/intervals?to=2026-01-05", "to: '2026-01-05' is not a time with an offset"),
        ("/api/v1/intervals?from=2026-01-06T00:00:00Z", "to: must be later than from"),
    ],
)
async def test_a_wrong_question_is_400_and_one_line_that_says_what_is_allowed(asked: str, message: str) -> None:
    served = await served_life()
    async with served.client() as client:
        answer = await client.get(asked)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].startswith(message)
    assert "\n" not in answer.json()["error"]


async def test_a_row_has_the_fields_of_the_contract() -> None:
    served = await served_life()
    async with served.client() as client:
        live = (await client.get("/api/v1/queues?window=1h")).json()
        past = (await client.get("/api/v1/queues?window=1h&at=2026-01-05T09:50:00Z")).json()
        table = (await client.get("/api/v1/intervals?interval=15m")).json()
    assert (set(live) - {"pipeline"}, set(past)) == ({"time", "window", "rows"}, {"time", "window", "rows"})
    assert set(table) == {"from", "to", "interval", "rows"}
    assert (live["time"], past["time"]) == ("2026-01-05T10:00:05Z", "2026-01-05T09:50:00Z")
    for answer in (live, past, table):
        assert (answer["rows"][-1]["queue"], answer["rows"][-1]["channel"]) == (None, None)
        for row in answer["rows"]:
            assert set(row) >= (ROW | {"start"} if answer is table else ROW)
            assert set(row["service_level"]) == LEVELS
            assert set(row["wait_seconds"]) == {"p50", "p90", "p95", "p99"}
            assert all(isinstance(row[name], int) for name in COUNTS)


async def test_the_figures_that_are_served_are_what_the_visits_add_up_to() -> None:
    served, visits = await served_life(), life_of(1)
    start = NOW // 10_000 * 10_000 + 10_000 - HOUR_MS
    async with served.client() as client:
        row = (await client.get("/api/v1/queues?window=1h")).json()["rows"][-1]
        first = (await client.get("/api/v1/intervals?interval=1h&from=2026-01-05T09:00:00Z")).json()["rows"]
    assert_same(row, live_figures(visits, POLICIES.of, start, NOW + 1, NOW), "now")
    hour = next(row for row in first if row["start"] == "2026-01-05T09:00:00Z" and row["queue"] is None)
    expected = figures(visits, POLICIES.of, NOW - 5_000 - HOUR_MS, NOW - 5_000, NOW)
    expected["service_level"]["live"] = None
    assert_same(hour, {**expected, "queue_length": None, "longest_wait_seconds": None}, "9 to 10")


async def test_the_rows_of_intervals_are_made_while_others_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    served, making, made = await served_life(), threading.Event(), threading.Event()
    rows = history._rows

    def slow(table: dict[int, dict[Place, Row]]) -> list[Figures]:
        making.set()
        assert made.wait(20)
        return rows(table)

    monkeypatch.setattr(history, "_rows", slow)
    async with served.client() as client:
        asked = asyncio.create_task(client.get("/api/v1/intervals?interval=15m"))
        assert await asyncio.to_thread(making.wait, 20)
        assert (await client.get("/api/v1/queues")).status_code == 200
        assert not asked.done()
        made.set()
        assert len((await asked).json()["rows"]) > 4


async def test_a_ratio_of_nothing_is_null() -> None:
    served = Served(MemoryStore())
    async with served.client() as client:
        *_, row = (await client.get("/api/v1/queues")).json()["rows"]
    assert set(row["service_level"].values()) == {None}
    assert row["abandonment_rate"] is row["average_speed_of_answer_seconds"] is row["longest_wait_seconds"] is None
    assert row["queue_length"] == 0


async def test_agents_are_listed_with_their_states() -> None:
    served = await served_life()
    async with served.client() as client:
        answer = (await client.get("/api/v1/agents?window=1m")).json()
    assert answer["states"] == {"available": 1, "offered": 0, "on_contact": 1, "wrap_up": 0, "break": 1, "offline": 0}
    assert answer["occupancy"] == 0.5
    ann = {"agent_id": "ann", "state": "available", "since": "2026-01-05T09:30:00Z", "queues": []}
    assert answer["agents"][0] == ann


async def test_prometheus_gets_its_text_and_openmetrics_where_it_asks_for_it() -> None:
    served = await served_life()
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    async with served.client() as client:
        plain, modern = await client.get("/metrics"), await client.get("/metrics", headers={"Accept": accept})
    assert plain.headers["content-type"].startswith("text/plain")
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")
    old = {family.name: family.type for family in text_string_to_metric_families(plain.text)}
    new = {family.name: family.type for family in openmetrics(modern.text)}  # type: ignore[no-untyped-call]
    assert old == new
    assert len(old) > 30


async def test_a_store_that_is_away_is_503_for_history_and_the_last_figures_for_now() -> None:
    served = Served(Down())
    async with served.client() as client:
        past, live = await client.get("/api/v1/intervals"), await client.get("/api/v1/queues")
    assert past.status_code == 503
    assert "Redis: connection refused" in past.json()["error"]
    assert live.status_code == 200


async def test_ready_means_store_reachable_and_lag_known() -> None:
    store = MemoryStore()
    served = Served(store)
    async with served.client() as client:
        assert (await client.get("/readyz")).status_code == 503
        await served.look()
        assert (await client.get("/readyz")).status_code == 503
        await store.beat("calls/0", (await store.load("calls/0")).head, Beat(wall_clock(), 0, 0, NOW))
        await served.look()
        assert (await client.get("/readyz")).status_code == 200
        served.follower._note_trouble("store_away", StoreError("gone"))
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["pipeline"]["reason"] == "the store cannot be reached"
        assert (await client.get("/healthz")).json() == {"status": "ok", "version": "1.2.3"}


async def test_the_page_asks_for_nothing_that_its_policy_forbids() -> None:
    served = await served_life()
    async with served.client() as client:
        page = (await client.get("/")).text
        for address in re.findall(r'(?:href|src)="([^"#]+)"', page):
            assert not address.startswith(("http", "//"))
            assert (await client.get(f"/{address}")).status_code == 200
    assert "<style" not in page
    assert " style=" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)


@asynccontextmanager
async def listening(served: Served) -> AsyncIterator[str]:
    server = server_of(served.board, (), host="127.0.0.1", port=0)
    serving = asyncio.create_task(server.serve())
    end = monotonic() + 10
    while not server.started:
        assert monotonic() < end
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, 5)


async def events_of(answer: httpx.Response) -> AsyncIterator[tuple[str, str]]:
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, line.removeprefix("data: ")


async def test_the_stream_gives_a_snapshot_at_once_and_then_one_a_second() -> None:
    served = Served((await counted_life()).store)
    async with listening(served) as address, httpx.AsyncClient(base_url=address) as client:
        await asyncio.sleep(0.5)
        began, came, snapshots = monotonic(), [], []
        async with client.stream("GET", "/api/v1/stream", params={"window": "1h"}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for name, data in events_of(answer):
                assert name == "snapshot"
                came.append(monotonic() - began)
                snapshots.append(json.loads(data))
                if len(came) == 4:
                    break
        rows = (await client.get("/api/v1/queues?window=1h")).json()["rows"]
    assert came[0] < 0.5
    assert all(0.8 < later - earlier < 1.4 for earlier, later in pairwise(came))
    first = snapshots[0]
    assert set(first) == {"time", "window", "windows", "timezone", "pipeline", "agents", "rows"}
    assert (first["window"], first["windows"]) == ("1h", [*WINDOWS, "today"])
    assert first["rows"] == rows
    assert datetime.fromisoformat(first["time"]).timestamp() * 1000 == NOW


async def test_head_of_the_stream_ends() -> None:
    served = await served_life()
    async with listening(served) as address, httpx.AsyncClient(base_url=address) as client:
        answer = await client.head("/api/v1/stream", timeout=3)
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_wallboards_that_listen_do_not_keep_the_board_from_ending(caplog: pytest.LogCaptureFixture) -> None:
    served = await served_life()
    async with httpx.AsyncClient() as client:
        async with listening(served) as address:
            request = client.build_request("GET", f"{address}/api/v1/stream")
            answers = [await client.send(request, stream=True) for _ in range(5)]
            began = monotonic()
        assert monotonic() - began < 3
        assert caplog.text == ""
        for answer in answers:
            await answer.aclose()
