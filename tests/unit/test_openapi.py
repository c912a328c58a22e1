"""The description of the API: valid, whole, and true to what the board answers."""

from typing import Any

import jsonschema
import pytest
from starlette.routing import Route

from agents.board import fields
from agents.board.openapi import document, page
from streams import kpis
from streams.measures import Measure
from tests.unit.life import WINDOWS
from tests.unit.served import Served, served_life

#: What OpenAPI 3.1 asks of a document that has only what this one has.
SHAPE: dict[str, Any] = {
    "type": "object",
    "required": ["openapi", "info", "paths"],
    "additionalProperties": False,
    "properties": {
        "openapi": {"const": "3.1.0"},
        "info": {"type": "object", "required": ["title", "version"]},
        "components": {"type": "object", "required": ["schemas"], "additionalProperties": {"type": "object"}},
        "paths": {
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "minProperties": 1,
                "properties": {"get": {"$ref": "#/$defs/operation"}, "post": {"$ref": "#/$defs/operation"}},
            },
        },
    },
    "$defs": {
        "operation": {
            "type": "object",
            "required": ["summary", "parameters", "responses"],
            "properties": {
                "parameters": {"type": "array", "items": {"$ref": "#/$defs/parameter"}},
                "responses": {
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": {"pattern": "^[1-5][0-9]{2}$"},
                    "additionalProperties": {"$ref": "#/$defs/response"},
                },
            },
        },
        "parameter": {
            "type": "object",
            "required": ["name", "in", "schema"],
            "properties": {"in": {"const": "query"}, "schema": {"type": "object"}},
        },
        "response": {
            "type": "object",
            "required": ["description"],
            "properties": {
                "content": {
                    "type": "object",
                    "additionalProperties": {"type": "object", "required": ["schema"]},
                }
            },
        },
    },
}


def described() -> dict[str, Any]:
    return document("1.2.3", [*WINDOWS, "today"])


def schemas_in(node: Any) -> list[dict[str, Any]]:
    found = []
    for name, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if name == "schema":
            found.append(value)
        found += schemas_in(value)
    return found


def validator_of(path: str) -> jsonschema.Draft202012Validator:
    whole = described()
    answer = whole["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    return jsonschema.Draft202012Validator({**answer, "components": whole["components"]})


def test_the_document_has_the_shape_of_openapi() -> None:
    jsonschema.validate(described(), SHAPE)


def test_every_schema_in_it_is_a_json_schema() -> None:
    whole = described()
    found = [*schemas_in(whole), *whole["components"]["schemas"].values()]
    assert len(found) > 10
    for schema in found:
        jsonschema.Draft202012Validator.check_schema(schema)


async def test_every_route_of_the_app_is_described_and_no_other() -> None:
    routes = [route for route in (await served_life()).board.routes() if isinstance(route, Route)]
    served = {route.path: {method.lower() for method in (route.methods or ()) if method != "HEAD"} for route in routes}
    assert {path: set(methods) for path, methods in described()["paths"].items()} == served


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/api/v1/queues", "/api/v1/queues"),
        ("/api/v1/queues", "/api/v1/queues?window=5m&at=2026-01-05T09:40:00Z"),
        ("/api/v1/intervals", "/api/v1/intervals?interval=15m"),
        ("/api/v1/agents", "/api/v1/agents"),
        ("/api/v1/trend", "/api/v1/trend?queue=sales&channel=voice&window=5m"),
        ("/api/v1/breaches", "/api/v1/breaches"),
        ("/api/v1/weekday", "/api/v1/weekday?queue=sales"),
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
        ("/openapi.json", "/openapi.json"),
    ],
)
async def test_what_the_board_answers_is_what_is_described(path: str, asked: str) -> None:
    served = await served_life()
    async with served.client() as client:
        answer = (await client.get(asked)).json()
    validator_of(path).validate(answer)
    if "rows" in answer and not path.endswith("breaches"):
        assert len(answer["rows"]) > 1
        name = "IntervalRow" if path.endswith("intervals") else "Row"
        known = described()["components"]["schemas"][name]["properties"]
        assert all(set(row) <= set(known) for row in answer["rows"])


async def test_the_windows_that_are_described_are_those_that_are_served() -> None:
    served = await served_life()
    window = described()["paths"]["/api/v1/queues"]["get"]["parameters"][0]
    async with served.client() as client:
        for label in window["schema"]["enum"]:
            assert (await client.get("/api/v1/queues", params={"window": label})).status_code == 200


def test_the_page_names_every_path_and_escapes_what_it_shows() -> None:
    whole = described()
    whole["info"]["version"] = "<script>"
    text = page(whole)
    assert "<script>" not in text
    assert all(f">{path}<" in text or f" {path}<" in text for path in whole["paths"])


def fields_in(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = list(schema.get("properties", {}).items())
    inner = [*(field for _, field in found), *([schema["items"]] if "items" in schema else [])]
    return [*found, *(each for field in inner for each in fields_in(field))]


def test_every_field_says_what_it_means_and_every_duration_its_unit() -> None:
    whole = described()
    schemas = [*schemas_in(whole), *whole["components"]["schemas"].values()]
    fields = [field for schema in schemas for field in fields_in(schema)]
    assert len(fields) > 100
    for name, field in fields:
        assert len(field.get("description", "")) > 3, name
        if name.endswith("_seconds"):
            assert "second" in field["description"], name
        if name.endswith(("_ratio", "_rate")) and field.get("type") != "array":
            assert "0 to 1" in field["description"] or "the share" in field["description"], name


def test_the_page_explains_every_field_and_every_formula_by_name() -> None:
    text = page(described())
    for name in ("service_level", "queue_length_average", "longest_wait_seconds", "sums.hold_seconds", "promise.open"):
        assert f"<td>{name}<" in text
    for name, formula in kpis.service_level({Measure.ANSWERED: 1}).items():
        assert formula in (0.0, None)
        assert f"<td>{name}<" in text
    assert "everybody who waits past the target now counts as missed" in text


def test_the_counts_that_are_described_are_those_that_are_counted() -> None:
    assert list(fields.COUNTS) == list(kpis.counts({}))


async def test_the_description_is_served_with_the_windows_of_this_board() -> None:
    served = Served((await served_life()).board._reader)
    async with served.client() as client:
        assert (await client.get("/openapi.json")).json() == described()
