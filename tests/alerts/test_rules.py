"""The alert rules: each proven by promtool to fire and to stay silent, and fit to wake somebody."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.alerts.rules_files import CASES, ROOT, RULES, alerts, expectations, read
from tests.harness.server import missing

pytestmark = pytest.mark.alerts

ALERTS = alerts()
#: The names of the windows that the board is told to make unless somebody says otherwise.
WINDOWS = {"1m", "5m", "15m", "30m", "1h", "today"}


def run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which(tool)
    if found is None:
        missing(f"no {tool} on the path: apt-get install prometheus prometheus-alertmanager")
    return subprocess.run([found, *arguments], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name)
def test_every_case_comes_out_as_promtool_is_told(path: Path) -> None:
    tested = run("promtool", "test", "rules", str(path))
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_a_case_that_fires(name: str) -> None:
    assert any(alert == name and expected for alert, expected in expectations())


@pytest.mark.parametrize("name", [name for name in ALERTS if name != "Watchdog"])
def test_every_alert_has_a_case_that_stays_silent(name: str) -> None:
    assert any(alert == name and not expected for alert, expected in expectations())


def test_no_case_is_of_an_alert_that_is_gone() -> None:
    assert {alert for alert, _ in expectations()} == set(ALERTS)


def test_every_alert_that_fires_says_its_severity_and_queue() -> None:
    for name, expected in expectations():
        for alert in expected:
            labels = alert["exp_labels"]
            assert labels["severity"] in {"page", "ticket", "none"}, name
            assert labels["queue"], name


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_leads_to_an_entry_of_the_runbook_and_to_the_board(name: str) -> None:
    annotations = ALERTS[name]["annotations"]
    anchor = annotations["runbook_url"].partition("#")[2]
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert annotations["runbook_url"].startswith("{{ $externalLabels.runbook }}#")
    assert annotations["board"].startswith("{{ $externalLabels.board }}/")


def test_the_runbook_has_no_entry_of_an_alert_that_is_gone() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_rules_hold_no_numbers_of_their_own(name: str) -> None:
    # Without series names, label values and lengths of time.
    left = re.sub(r'[a-zA-Z_:][\w:]*|"[^"]*"|\b\d+[smhd]\b', "", str(ALERTS[name]["expr"]))
    assert set(re.findall(r"\d+(?:\.\d+)?", left)) <= {"0", "1"}


def test_rules_ask_for_windows_that_the_board_makes() -> None:
    asked = {w for path in RULES for w in re.findall(r'window="(\w+)"', path.read_text(encoding="utf-8"))}
    assert asked
    assert asked <= WINDOWS


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=WorkerDown severity=page scope=pipeline queue=all", "pages"),
        ("alertname=QueueTooLong severity=page scope=queue queue=sales", "pages"),
        ("alertname=AbandonmentTooHigh severity=ticket scope=queue queue=sales", "tickets"),
        ("alertname=SomethingElse", "tickets"),
        ("alertname=Watchdog severity=none scope=watchdog queue=all", "watchdog"),
    ],
)
def test_pages_and_tickets_go_their_own_ways(labels: str, receiver: str) -> None:
    config = str(ROOT / "config" / "alertmanager" / "alertmanager.yml")
    routed = run("amtool", "config", "routes", "test", f"--config.file={config}", *labels.split())
    assert (routed.stdout.strip(), routed.returncode) == (receiver, 0), routed.stderr


def test_inhibitions_name_alerts_that_exist() -> None:
    rules = read(ROOT / "config" / "alertmanager" / "alertmanager.yml")["inhibit_rules"]
    matchers = [m for rule in rules for m in (*rule["source_matchers"], *rule["target_matchers"])]
    for matcher in matchers:
        if (named := re.fullmatch(r'alertname (?:!?=) (\w+)|alertname =~ "(.+)"', matcher)) is not None:
            patterns = (named[1] or named[2]).split("|")
            assert all(any(re.fullmatch(pattern, name) for name in ALERTS) for pattern in patterns), matcher
