"""The alert rules as they stand in the repository, and their cases for promtool."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

ROOT: Final = Path(__file__).parents[2]
RULES: Final = sorted((ROOT / "config" / "prometheus" / "rules").glob("*.yml"))
CASES: Final = sorted((Path(__file__).parent / "rules").glob("*.test.yml"))


def read(path: Path) -> Any:
    """Return what a YAML file says."""
    return YAML(typ="safe").load(path)


def alerts() -> dict[str, Mapping[str, Any]]:
    """Return all alert rules, by name."""
    groups = (group for path in RULES for group in read(path)["groups"])
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def expectations() -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Return (alert, the alerts expected) for every case."""
    cases = (case for path in CASES for case in read(path)["tests"])
    return [(each["alertname"], each["exp_alerts"]) for case in cases for each in case["alert_rule_test"]]
