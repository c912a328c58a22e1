"""The description of the HTTP API: OpenAPI for programs, one plain page for people."""

from collections.abc import Iterable
from html import escape
from typing import Any

from streams.policy import FORMULAS

_NUMBER = {"type": ["number", "null"]}
_COUNTS = (
    "offered",
    "answered",
    "answered_within_target",
    "abandoned",
    "abandoned_within_target",
    "short_abandoned",
    "left",
    "lost",
    "handled",
)


def _object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _row(beyond: dict[str, Any], *optional: str) -> dict[str, Any]:
    waits = _object({f"p{percent}": _NUMBER for percent in (50, 90, 95, 99)})
    return _object(
        {
            "queue": {"type": ["string", "null"], "description": "null in the row of all"},
            "channel": {"type": ["string", "null"]},
            **{name: {"type": "integer"} for name in _COUNTS},
            "service_level": _object(dict.fromkeys((*FORMULAS, "live"), _NUMBER)),
            "abandonment_rate": _NUMBER,
            "average_speed_of_answer_seconds": _NUMBER,
            "average_handle_time_seconds": _NUMBER,
            "wait_seconds": {**waits, "description": "of the answered"},
            "abandoned_wait_seconds": waits,
            "sums": {"type": "object", "description": "the exact sums that the averages are made of"},
            "queue_length": {"type": ["integer", "null"]},
            "longest_wait_seconds": _NUMBER,
            **beyond,
        },
        *optional,
    )


def _live_row() -> dict[str, Any]:
    promise = {"type": ["object", "null"], "description": "what the queue is held to; left out of past times"}
    return _row({"queue_length_average": _NUMBER, "promise": promise}, "promise")


def _answer(schema: dict[str, Any]) -> dict[str, Any]:
    failed = {
        "description": "what is wrong, and what is allowed",
        "content": _json(_object({"error": {"type": "string"}})),
    }
    return {"200": {"description": "the figures", "content": _json(schema)}, "400": failed, "503": failed}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _query(name: str, meaning: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": meaning, "schema": schema}


def _get(summary: str, parameters: list[dict[str, Any]], responses: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"summary": summary, "parameters": parameters, "responses": responses}}


def _text(kind: str, meaning: str) -> dict[str, Any]:
    return {"200": {"description": meaning, "content": {kind: {"schema": {"type": "string"}}}}}


def document(version: str, windows: Iterable[str]) -> dict[str, Any]:
    """Return the OpenAPI description, as JSON-ready values."""
    window = _query("window", "the rolling window", {"type": "string", "enum": list(windows)})
    time = {"type": "string", "format": "date-time"}
    rows = {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}
    intervals = {"type": "array", "items": {"$ref": "#/components/schemas/IntervalRow"}}
    at = _query("at", "a past time; now where it is left out", time)
    interval = _query("interval", "a multiple of 15m up to 1d, or of 1d", {"type": "string", "default": "30m"})
    since = _query("from", "first moment; local midnight where left out", time)
    until = _query("to", "end; now where left out", time)
    table = _answer(_object({"from": time, "to": time, "interval": {"type": "string"}, "rows": intervals}))
    trust = {"type": "object", "description": "how far the figures can be trusted; left out of past times"}
    live = _answer(_object({"time": time, "window": {"type": "string"}, "rows": rows, "pipeline": trust}, "pipeline"))
    people = _object({"time": time, "states": {"type": "object"}, "occupancy": _NUMBER, "agents": {"type": "array"}})
    health = {"200": {"description": "yes"}, "503": {"description": "no, and why"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "callwatch",
            "version": version,
            "description": "A call center's figures, live and by interval.",
        },
        "paths": {
            "/api/v1/queues": _get("Every queue over a window, and all together", [window, at], live),
            "/api/v1/intervals": _get(
                "Every queue by interval",
                [since, until, interval, _query("queue", "one queue alone", {"type": "string"})],
                table,
            ),
            "/api/v1/agents": _get("Every agent's state", [window], _answer(people)),
            "/api/v1/stream": _get(
                "A snapshot each second", [window], _text("text/event-stream", "server-sent events")
            ),
            "/metrics": _get("Exposition for Prometheus", [], _text("text/plain", "Prometheus text or OpenMetrics")),
            "/healthz": _get("Does this process serve?", [], {"200": {"description": "yes"}}),
            "/readyz": _get("Is the store reachable and the pipeline's lag known?", [], health),
            "/": _get("The wallboard", [], _text("text/html", "a page")),
            "/docs": _get("This description, for people", [], _text("text/html", "a page")),
            "/openapi.json": _get("This description, for programs", [], _answer({"type": "object"})),
        },
        "components": {"schemas": {"Row": _live_row(), "IntervalRow": _row({"start": time})}},
    }


def page(described: dict[str, Any]) -> str:
    """Return the description as one HTML page that needs no script."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>callwatch API</title>",
        '<meta name=viewport content="width=device-width"><link rel=stylesheet href=/static/docs.css>',
        f"<h1>callwatch API {escape(described['info']['version'])}</h1>",
        '<p>For programs: <a href="/openapi.json">openapi.json</a></p>',
    ]
    for path, methods in described["paths"].items():
        operation = methods["get"]
        parts.append(f'<h2>GET <a href="{escape(path)}">{escape(path)}</a></h2><p>{escape(operation["summary"])}</p>')
        if operation["parameters"]:
            parts.append("<table><tr><th>parameter<th>meaning<th>values</tr>")
            parts += [_parameter(parameter) for parameter in operation["parameters"]]
            parts.append("</table>")
    return "".join(parts)


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    values = ", ".join(schema.get("enum", [])) or schema.get("format", schema["type"])
    return f"<tr><td>{escape(parameter['name'])}<td>{escape(parameter['description'])}<td>{escape(values)}</tr>"
