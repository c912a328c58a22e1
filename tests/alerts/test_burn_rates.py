"""The limits of the burn rates: derived from each target, always within reach, as the workbook's where it is tight."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.alerts.rules_files import ROOT
from tests.harness.server import missing

pytestmark = pytest.mark.alerts

#: Limit -> (the workbook's factor, the part of the promise that may be lost before the alert fires).
LIMITS = {"fast": (14.4, 0.5), "steady": (6.0, 0.25), "slow": (3.0, 0.125)}
TARGETS = (0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def limit(target: float, name: str) -> float:
    """Return a limit as docs/operations.md says it: from what is left of the promise."""
    workbook, lost = LIMITS[name]
    kept = target * (1 - lost)
    return min(workbook, (1 - kept) / (1 - target))


def ask(tmp_path: Path, series: dict[str, float], asked: dict[str, float]) -> subprocess.CompletedProcess[str]:
    """Have promtool evaluate the rules over constant series, and compare."""
    rules = ROOT / "config" / "prometheus" / "rules" / "service-level.yml"
    case = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "group_eval_order": ["queues", "service-level-budget", "service-level-alerts"],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": f"{value!r}x10"} for name, value in series.items()],
                # promtool compares exactly, and digits beyond the ninth are the machine's.
                "promql_expr_test": [
                    {
                        "expr": f"round({expr}, 1e-6)",
                        "eval_time": "5m",
                        "exp_samples": [{"labels": '{channel="voice", queue="q"}', "value": round(value, 6)}],
                    }
                    for expr, value in asked.items()
                ],
            }
        ],
    }
    file = tmp_path / "case.json"
    file.write_text(json.dumps(case), encoding="utf-8")  # JSON is YAML
    tool = shutil.which("promtool")
    if tool is None:
        missing("promtool is not installed: apt-get install prometheus")
    return subprocess.run([tool, "test", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False)


def named(name: str, window: str = "") -> str:
    labels = 'queue="q", channel="voice"' + (f', window="{window}"' if window else "")
    return f"callcenter_{name}{{{labels}}}"


@pytest.mark.parametrize("target", TARGETS)
def test_limits_follow_from_the_target(tmp_path: Path, target: float) -> None:
    asked = {f"queue:service_level_burn_limit:{name}": limit(target, name) for name in LIMITS}
    asked_of = ask(tmp_path, {named("service_level_target_ratio"): target}, asked)
    assert asked_of.returncode == 0, asked_of.stdout + asked_of.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_a_total_breakdown_passes_every_limit(tmp_path: Path, target: float) -> None:
    series = {
        named("service_level_target_ratio"): target,
        named("service_level_contacts", "1h"): 50.0,
        named("service_level_met_contacts", "1h"): 0.0,
    }
    most = 1 / (1 - target)
    asked = ask(tmp_path, series, {"queue:service_level_burn:rate1h": most})
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert all(1 < limit(target, name) < most for name in LIMITS)
    assert limit(target, "fast") > limit(target, "steady") > limit(target, "slow")


def test_a_wrong_figure_is_noticed(tmp_path: Path) -> None:
    asked = ask(tmp_path, {named("service_level_target_ratio"): 0.8}, {"queue:service_level_burn_limit:fast": 3.1})
    assert asked.returncode != 0


def test_figures_of_the_documentation_hold() -> None:
    assert [round(limit(0.8, name), 3) for name in LIMITS] == [3.0, 2.0, 1.5]
    assert [round(limit(0.9, name), 3) for name in LIMITS] == [5.5, 3.25, 2.125]
    assert [round(limit(0.99, name), 3) for name in LIMITS] == [14.4, 6.0, 3.0]


def test_at_80_percent_no_breakdown_would_reach_the_workbooks_factors() -> None:
    worst = 1 / (1 - 0.8)
    assert [workbook > worst for workbook, _ in LIMITS.values()] == [True, True, False]
