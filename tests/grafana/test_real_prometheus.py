"""Every expression of every panel, asked of a real Prometheus that scrapes a real board under the simulator."""

import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.grafana.dashboards import FILES, Query, load, queries
from tests.grafana.history import backfill
from tests.harness.kafka import KafkaCluster
from tests.harness.monitoring import Prometheus
from tests.harness.pipeline import Pipeline, wait_until
from tests.harness.redis import RedisServer
from tests.harness.server import Server

pytestmark = [pytest.mark.integration, pytest.mark.alerts]

#: What Grafana would put in the place of its variables.
VALUES = {"__rate_interval": "5m", "__range": "5m", "window": "15m", "period": "28d", "channel": ".*", "queue": ".*"}
#: What is shown only while something is wrong, or was: its expression must be right, and may give nothing.
QUIET = ("callwatch_dead_letters_total",)
#: What minutes of a simulated call center that has no goals, no costs and no past cannot show.
UNTOLD = (
    "callcenter_backlog_goal",
    "callcenter_agents_needed",
    "callcenter_first_contact_resolution_final_ratio",
    "callcenter_cost_per_resolution",
    "callcenter_cost_per_conversation",
    "callcenter_customer_retention_ratio",
    "callcenter_customer_churn_ratio",
)


@pytest.fixture(scope="module")
def prometheus(
    kafka: KafkaCluster, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Prometheus over a board that shows the last 10 minutes of the demonstration call center, and goes on."""
    redis_server.flush()
    folder = tmp_path_factory.mktemp("grafana")
    name = f"grafana-{time.monotonic_ns()}"
    pipeline = Pipeline(kafka.address, redis_server.url, name, folder, CALLWATCH_PARTITIONS="2")
    command = [sys.executable, "-m", "agents.cli", "simulate", "--speed", "max", "--history", "10m"]
    simulator = Server(
        "simulator", ["env", *(f"{k}={v}" for k, v in pipeline.environment.items()), *command], folder, lambda: True
    )
    server = Prometheus(
        folder / "prometheus", pipeline.port, None, {"scrape_interval": "1s", "evaluation_interval": "2s"}
    )
    try:
        pipeline.start()
        simulator.start()
        wait_until(lambda: enough(pipeline), 90, "the simulator's last 10 minutes")
        backfill(server.data, pipeline.port, int(time.time()), minutes=400)
        server.start()
        for number in range(2):
            some_give_up(pipeline, folder / f"{number}.jsonl")
            some_are_served(pipeline, folder / f"served-{number}.jsonl")
            seen = f"callcenter_contacts_left_by_reason_total{{queue='support', reason='timeout'}} > {number}"
            wait_until(lambda seen=seen: len(server.query(seen)) > 0, 60, seen)  # type: ignore[misc]
        wait_until(lambda: len(server.query("queue:service_level_burn:rate6h")) > 0, 90, "the rules are evaluated")
        yield server
    finally:
        for each in (server, simulator, pipeline):
            each.stop()


def some_give_up(pipeline: Pipeline, file: Path) -> None:
    """Have customers of support give up, and others sent elsewhere: the simulated ones may just now be content."""
    now = datetime.now(UTC)
    events = [
        {
            "id": f"{file.stem}-{kind}-{channel}",
            "type": kind,
            "contact_id": f"{file.stem}-{end}-{channel}",
            "channel": channel,
            "time": (now - timedelta(seconds=ago)).isoformat(),
            "queue": "support",
            **({"reason": "timeout"} if kind == "contact.left_queue" else {}),
        }
        for channel in ("voice", "chat")
        for end in ("contact.abandoned", "contact.left_queue")
        for kind, ago in (("contact.queued", 9), (end, 1))
    ]
    for event in events:
        event["id"] += event["contact_id"]
    file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    pipeline.command("replay", str(file))


def some_are_served(pipeline: Pipeline, file: Path) -> None:
    """Tell of what the simulator tells seldom: resolved by a machine, an order that follows, reviews."""
    now, name = datetime.now(UTC), file.stem
    contact = {"contact_id": f"{name}-chat", "customer_id": name, "channel": "chat", "queue": "support"}
    events: list[dict[str, object]] = [
        {"type": "contact.queued", **contact},
        {"type": "contact.ended", **contact},
        {"type": "contact.resolved", "automated": True, **contact},
        {"type": "order.placed", "customer_id": name, "amount": 20.0},
        {"type": "survey.esat", "agent_id": "alice", "score": 5, "scale": 5},
        {"type": "quality.reviewed", "agent_id": "alice", "queue": "support", "score": 90, "scale": 100},
        {"type": "quality.reviewed", "agent_id": "bob", "queue": "support", "score": 70, "scale": 100},
    ]
    lines = [
        {**event, "id": f"{name}-{number}", "time": (now - timedelta(seconds=9 - number)).isoformat()}
        for number, event in enumerate(events)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    pipeline.command("replay", str(file))


def enough(pipeline: Pipeline) -> bool:
    """Tell whether the board shows some minutes."""
    return sum(pipeline.samples("callcenter_contacts_answered_total").values()) > 150


def filled(expr: str, queue: str = ".*") -> str:
    """Return ``expr`` with Grafana's variables replaced."""
    return re.sub(r"\$(\w+)", lambda found: {**VALUES, "queue": queue}[found[1]], expr)


def test_every_expression_of_every_panel_returns_data(prometheus: Prometheus) -> None:
    left = [query for query in queries() if not any(series in query.expr for series in (*QUIET, *UNTOLD))]
    # A rate wants two scrapes, and somebody who gave up between them.
    end = time.monotonic() + 60
    while left and time.monotonic() < end:
        left = [query for query in left if not has_data(prometheus, query)]
        time.sleep(1)
    assert not left, "\n".join(str(query) for query in left)


def test_what_shows_only_trouble_is_a_query_that_prometheus_takes(prometheus: Prometheus) -> None:
    for query in queries():
        if any(series in query.expr for series in QUIET):
            assert not has_data(prometheus, query)


def test_what_the_simulator_does_not_tell_is_a_query_that_prometheus_takes(prometheus: Prometheus) -> None:
    for query in queries():
        if any(series in query.expr for series in UNTOLD):
            has_data(prometheus, query)


def has_data(prometheus: Prometheus, query: Query) -> bool:
    queue = "support" if query.dashboard == "queue" else ".*"
    found = prometheus.query(filled(query.expr, queue), 0 if query.instant else 30)
    return any(numbers(series) for series in found)


def numbers(series: dict[str, Any]) -> list[float]:
    """Return the values of a series that are numbers."""
    values = series["values"] if "values" in series else [series["value"]]
    return [float(value) for _, value in values if value != "NaN"]


def test_annotations_and_variables_are_queries_that_prometheus_takes(prometheus: Prometheus) -> None:
    for board in map(load, FILES):
        for annotation in board["annotations"]["list"]:
            prometheus.query(filled(annotation["expr"]))
        for variable in board["templating"]["list"]:
            asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
            assert asked is not None
            found = {series["metric"][asked[2]] for series in prometheus.query(asked[1])}
            assert len(found) > 1, asked[0]


def test_the_rules_are_all_healthy(prometheus: Prometheus) -> None:
    groups = prometheus.get("/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
    assert len(rules) > 40


def test_a_tile_shows_what_the_board_shows(prometheus: Prometheus) -> None:
    margin = {
        series["metric"]["queue"]: float(series["value"][1])
        for series in prometheus.query("queue:service_level:ratio15m - queue:service_level_target:max")
    }
    targets = {s["metric"]["queue"]: float(s["value"][1]) for s in prometheus.query("queue:service_level_target:max")}
    assert targets == {"sales": 0.8, "support": 0.8, "billing": 0.8, "chat": 0.9, "mail": 0.9}
    assert set(margin) == set(targets)
    assert all(-target <= margin[queue] <= 1 - target for queue, target in targets.items())
