"""The dashboards as they stand in the repository, and what their panels ask."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "config" / "grafana" / "provisioning" / "dashboards"
FILES: Final = sorted(FOLDER.glob("*.json"))


class Query(NamedTuple):
    """One expression of a panel."""

    dashboard: str
    panel: str
    expr: str
    instant: bool

    def __str__(self) -> str:
        """Return the name that its test has."""
        return f"{self.dashboard}: {self.panel}: {self.expr}"


def load(path: Path) -> dict[str, Any]:
    """Return a dashboard."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all panels that show something."""
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def queries() -> list[Query]:
    """Return every expression of every panel."""
    boards = [(path.stem, load(path)) for path in FILES]
    return [
        Query(name, panel["title"], target["expr"], bool(target["instant"]))
        for name, board in boards
        for panel in panels(board)
        for target in panel["targets"]
    ]
