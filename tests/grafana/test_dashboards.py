"""The dashboards: by Grafana's own types, without thresholds of their own, with links that lead somewhere."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from ruamel.yaml import YAML

from agents.board.catalogue import METRICS
from tests.alerts.rules_files import RULES, read
from tests.grafana.dashboards import FILES, FOLDER, ROOT, load, panels, queries

plugins.register_default_plugins()

TITLES = {
    "Live operations",
    "Service level and SLO budget",
    "Queue detail",
    "Agents",
    "Channels and customers",
    "Customer service",
    "callwatch itself",
}
BOARDS = {path.stem: load(path) for path in FILES}


def through_grafanas_types(dashboard: dict[str, Any]) -> Any:
    """Return what Grafana's published types keep of a dashboard: what they do not know is gone."""
    decoded = Dashboard.from_json(json.loads(json.dumps(dashboard)))
    return json.loads(json.dumps(decoded, cls=JSONEncoder))


def lost(before: Any, after: Any, where: str = "") -> list[str]:
    """Return where ``after`` lacks what ``before`` has, or has it otherwise."""
    if isinstance(before, dict):
        found = after if isinstance(after, dict) else {}
        return [path for key, value in before.items() for path in lost(value, found.get(key), f"{where}.{key}")]
    if isinstance(before, list):
        if not isinstance(after, list) or len(before) != len(after):
            return [where]
        pairs = enumerate(zip(before, after, strict=True))
        return [path for at, (old, new) in pairs for path in lost(old, new, f"{where}[{at}]")]
    return [] if before == after else [where]


def test_all_dashboards_are_there() -> None:
    assert {board["title"] for board in BOARDS.values()} == TITLES
    assert len({board["uid"] for board in BOARDS.values()}) == len(TITLES)


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_is_made_of_what_grafana_knows(name: str) -> None:
    assert lost(BOARDS[name], through_grafanas_types(BOARDS[name])) == []


def test_what_grafana_does_not_know_is_noticed() -> None:
    board = load(FILES[0])
    board["colour"] = "red"
    board["panels"][0]["fieldConfig"]["defaults"]["custom"] = {}
    board["panels"][0]["targets"][0]["expression"] = "up"
    assert lost(board, through_grafanas_types(board)) == [".panels[0].targets[0].expression", ".colour"]


@pytest.mark.parametrize("name", BOARDS)
def test_panels_have_ids_of_their_own_and_do_not_overlap(name: str) -> None:
    board = BOARDS[name]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_has_a_unit_a_description_and_the_provisioned_data_source(name: str) -> None:
    provisioned = YAML(typ="safe").load(FOLDER.parent / "datasources" / "prometheus.yml")["datasources"][0]["uid"]
    for panel in panels(BOARDS[name]):
        assert panel["description"], panel["title"]
        assert panel["datasource"]["uid"] == provisioned
        assert all(target["datasource"]["uid"] == provisioned for target in panel["targets"])
        assert panel["type"] == "table" or panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))


def thresholds(value: Any) -> list[float]:
    """Return every threshold below ``value``, be it in defaults or in overrides."""
    if isinstance(value, list):
        return [found for each in value for found in thresholds(each)]
    if isinstance(value, dict):
        steps = value["steps"] if set(value) >= {"steps", "mode"} else []
        return [step["value"] for step in steps if step["value"]] + [
            f for each in value.values() for f in thresholds(each)
        ]
    return []


@pytest.mark.parametrize("name", BOARDS)
def test_no_threshold_is_a_number_of_the_dashboards_own(name: str) -> None:
    # Zero may stand: it divides what is above a target from what is below. Others come from exported series.
    assert thresholds(BOARDS[name]["panels"]) == []


def test_the_lint_sees_a_threshold() -> None:
    panel = {
        "fieldConfig": {"overrides": [{"value": {"mode": "absolute", "steps": [{"value": None}, {"value": 0.8}]}}]}
    }
    assert thresholds([panel]) == [0.8]


@pytest.mark.parametrize("query", queries(), ids=str)
def test_no_expression_compares_with_a_number_of_its_own(query: Any) -> None:
    compared = re.findall(r"(?:[<>]=?|[=!]=)\s*(?:bool\s+)?(-?[0-9.]+)", re.sub(r'"[^"]*"', '""', query.expr))
    assert {float(number) for number in compared} <= {0.0}


def known_series() -> set[str]:
    """Return all series that the board exports and the rules record."""
    exported = {
        spec.name + suffix
        for spec in METRICS
        for suffix in {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}[spec.kind]
    }
    recorded = {
        rule["record"]
        for path in RULES
        for group in read(path)["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    return exported | recorded | {"ALERTS", "up", "scrape_duration_seconds", "scrape_samples_scraped"}


def test_panels_ask_only_for_series_that_there_are() -> None:
    asked = {
        series
        for query in queries()
        for series in re.findall(r"\b((?:callcenter|callwatch|queue|process|scrape)[:_][\w:]+|ALERTS|up)\b", query.expr)
    }
    assert asked <= known_series()
    assert len(asked) > 40


@pytest.mark.parametrize("name", BOARDS)
def test_links_lead_to_dashboards_that_are_there(name: str) -> None:
    uids = {board["uid"] for board in BOARDS.values()}
    links = re.findall(r'"url": "(/d/[^"]*)"', json.dumps(BOARDS[name]))
    assert all(urlsplit(link).path.removeprefix("/d/") in uids for link in links)
    if name == "live":
        assert any("callwatch-queue?var-queue=${" in link for link in links)


@pytest.mark.parametrize("name", BOARDS)
def test_every_dashboard_marks_alerts_and_asks_with_variables_that_it_has(name: str) -> None:
    board = BOARDS[name]
    assert any("ALERTS" in annotation["expr"] for annotation in board["annotations"]["list"])
    variables = {variable["name"] for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$(?!__)(\w+)", "".join(q.expr for q in queries() if q.dashboard == name)))
    assert used <= variables
    assert variables - used == set()


def test_grafana_is_told_to_look_where_they_are() -> None:
    (provider,) = YAML(typ="safe").load(FOLDER / "callwatch.yml")["providers"]
    assert provider["options"]["path"].endswith(FOLDER.relative_to(ROOT / "config" / "grafana").as_posix())
    assert isinstance(FOLDER, Path)
