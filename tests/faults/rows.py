"""Rows of the board and of the oracle, in one form: place -> counts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

#: The board's counts, and how the oracle's add up to them.
COUNTS: Final = (
    *("offered", "answered", "answered_within_target", "abandoned", "abandoned_within_target"),
    *("short_abandoned", "left", "lost", "handled"),
)


def counts(row: Mapping[str, int]) -> dict[str, int]:
    """Return a row of the oracle as the board's counts."""
    left = sum(amount for name, amount in row.items() if name.startswith("left_"))
    return {name: left if name == "left" else row.get(name, 0) for name in COUNTS}


def board_table(rows: list[dict[str, Any]]) -> dict[tuple[int, str, str], dict[str, int]]:
    """Return the board's answer about intervals: place -> counts; without the rows of all queues."""
    return {
        (_milliseconds(row["start"]), row["queue"], row["channel"]): {name: row[name] for name in COUNTS}
        for row in rows
        if row["queue"] is not None
    }


def _milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)
