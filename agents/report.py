"""Interval rows as text, and the documents that are made from the code."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from agents.board import catalogue
from streams import schema

Rows = Sequence[dict[str, Any]]

#: Columns of the table and the CSV: heading, how to find it in a row.
COLUMNS: Final[tuple[tuple[str, Callable[[dict[str, Any]], Any]], ...]] = (
    ("start", lambda row: row["start"]),
    ("queue", lambda row: row["queue"] or "all"),
    ("channel", lambda row: row["channel"] or "all"),
    *((name, lambda row, name=name: row[name]) for name in (
        "offered", "answered", "answered_within_target", "abandoned", "short_abandoned", "left", "lost", "handled",
    )),
    ("service_level", lambda row: row["service_level"]["answered_of_offered"]),
    ("abandonment_rate", lambda row: row["abandonment_rate"]),
    ("asa_seconds", lambda row: row["average_speed_of_answer_seconds"]),
    ("aht_seconds", lambda row: row["average_handle_time_seconds"]),
    ("wait_p90_seconds", lambda row: row["wait_seconds"]["p90"]),
)  # fmt: skip

RATIOS: Final = ("service_level", "abandonment_rate")


def as_table(rows: Rows) -> str:
    """Return rows for people: ratios in percent, a dash for a ratio of nothing."""
    cells = [[heading.replace("_", " ") for heading, _ in COLUMNS]]
    cells += [[_shown(heading, find(row)) for heading, find in COLUMNS] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join(lines) + "\n"


def _shown(heading: str, value: Any) -> str:
    if value is None:
        return "-"
    if heading in RATIOS:
        return f"{100 * value:.1f} %"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def as_csv(rows: Rows) -> str:
    """Return rows for a spreadsheet: plain numbers, nothing for a ratio of nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([heading for heading, _ in COLUMNS])
    writer.writerows([find(row) for _, find in COLUMNS] for row in rows)
    return text.getvalue()


def as_json(rows: Rows) -> str:
    """Return rows for programs, a line each."""
    return "".join(json.dumps(row) + "\n" for row in rows)


FORMS: Final[dict[str, Callable[[Rows], str]]] = {"table": as_table, "csv": as_csv, "json": as_json}


def documents() -> dict[str, str]:
    """Return the documents made from the types and tables of the code, by file name under docs/."""
    return {
        "events.md": schema.markdown(),
        "asyncapi.json": json.dumps(schema.asyncapi(), indent=2) + "\n",
        "metrics.md": catalogue.markdown(),
        "contact.md": _contact(),
    }


def _contact() -> str:
    made = "Made from the table in `streams/contact.py` by `callwatch schema --write`."
    return f"# The states of a contact\n\n{made}\n\n```mermaid\n{schema.contact_diagram().rstrip()}\n```\n"
