"""docs/kpis.md tells of every figure there is, by the name it goes by."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from agents.board import openapi
from agents.board.catalogue import METRICS

PAGE: Final = (Path(__file__).parents[2] / "docs" / "kpis.md").read_text(encoding="utf-8")
NAMED: Final = set(re.findall(r"`([\w./]+)`", PAGE))
#: What says which row it is, or how a number is to be read, and is no figure.
NO_FIGURES: Final = {"queue", "channel"}
#: Told as one: the parts of a time are explained at its name, those of a survey in the text.
AS_ONE: Final = ("satisfaction.csat", "satisfaction.nps", "satisfaction.ces", "satisfaction.esat")


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the dotted names of all fields of a record."""
    for name, inner in schema.get("properties", {}).items():
        below = f"{path}{name}"
        parts = inner if "properties" in inner else next((s for s in inner.get("anyOf", ()) if "properties" in s), None)
        if below.endswith("_seconds") or below in AS_ONE or parts is None:
            yield below
        else:
            yield from leaves(parts, f"{below}.")


def rows_of(path: str) -> dict[str, Any]:
    """Return the schema of a row of an answer."""
    document = openapi.document("1", ["5m", "today"])
    answer = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    row: dict[str, Any] = answer["properties"]["rows"]["items"]
    name = row.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"][name] if name else row


def test_every_metric_of_the_call_center_is_told_at_its_figure() -> None:
    ours = {m.name + ("_total" if m.kind == "counter" else "") for m in METRICS if m.name.startswith("callcenter_")}
    assert sorted(ours - NAMED) == []
    assert {name for name in NAMED if name.startswith("callcenter_")} <= ours


def test_every_figure_of_the_api_is_told_by_its_field() -> None:
    figures = set(leaves(rows_of("/api/v1/figures"))) - NO_FIGURES
    assert len(figures) > 50
    assert sorted(figures - NAMED) == []


def test_every_source_named_is_listed_and_every_source_listed_is_named() -> None:
    text, _, table = PAGE.partition("## Sources")
    listed = set(re.findall(r"^\| ([^|]+?) \| [^|]+ \| (?:<http|W\.|E\.)", table, re.MULTILINE))
    assert set(re.findall(r"\[([^\]]+)\]\(#sources\)", text)) == listed


def test_every_benchmark_says_where_it_is_from() -> None:
    for told in re.findall(r"\*\*Typical\*\*(.*?)(?=\*\*[A-Z])", PAGE, re.DOTALL):
        assert "](#sources)" in told, told
