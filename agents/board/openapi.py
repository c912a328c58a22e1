"""The description of the HTTP API: OpenAPI for programs, one plain page for people."""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from agents.board import detailed, serviced
from agents.board import fields as f
from agents.board.answers import SUBJECT_PERIODS
from agents.board.volume import USUAL
from streams.policy import FORMULAS

CHANGED = (
    "rows that have changed; of all others longest_wait_seconds goes on with the time, and queue_length_average is not "
    "told until something else of them changes"
)

_REFUSALS = {
    "400": "what is wrong with the question, and what is allowed",
    "401": "a token is needed: `Authorization: Bearer ...`, or the cookie that /login gives",
    "403": "the token's role is not for this",
    "413": "a request this large is not taken",
    "429": "too many wrong tokens from this address; Retry-After says for how long, in seconds",
    "503": "the store cannot be read now, or too many streams are open",
}


def _json(schema: f.Schema) -> f.Schema:
    return {"application/json": {"schema": schema}}


def _refusals(*besides: str) -> f.Schema:
    error = f.record("a refusal", {"error": f.text("what is wrong, in one line")})
    always = ("400", "413")
    return {
        status: {"description": _REFUSALS[status], "content": _json(error)} for status in sorted({*always, *besides})
    }


def _guarded(*besides: str) -> f.Schema:
    return _refusals("401", "403", "429", *besides)


def _answer(schema: f.Schema) -> f.Schema:
    return {"200": {"description": "the figures", "content": _json(schema)}, **_guarded("503")}


def _query(name: str, meaning: str, schema: f.Schema) -> f.Schema:
    return {"name": name, "in": "query", "required": False, "description": meaning, "schema": schema}


def _get(summary: str, parameters: list[f.Schema], responses: f.Schema) -> f.Schema:
    return {"get": {"summary": summary, "parameters": parameters, "responses": responses}}


def _text(kind: str, meaning: str, refusals: f.Schema) -> f.Schema:
    return {"200": {"description": meaning, "content": {kind: {"schema": {"type": "string"}}}}, **refusals}


def document(version: str, windows: Iterable[str]) -> f.Schema:
    """Return the OpenAPI description, as JSON-ready values."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "callwatch",
            "version": version,
            "description": f"A call center's figures, live and by interval. {f.LETTERS}",
        },
        "paths": {**_api(list(windows)), **_others()},
        "components": {
            "schemas": {
                "Row": f.live_row(),
                "IntervalRow": f.row(start=f.time("when the interval begins")),
                "PeriodRow": serviced.row(),
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "roles: wallboard, metrics, admin"}
            },
        },
    }


def _rows(name: str) -> f.Schema:
    return {
        "type": "array",
        "description": "a row for each queue and channel, and last the one of all",
        "items": {"$ref": f"#/components/schemas/{name}"},
    }


def _api(windows: list[str]) -> f.Schema:
    window = _query("window", "the rolling window", {"type": "string", "enum": windows})
    shown = {"type": "string", "enum": windows, "description": "the window that the figures are over"}
    moment = {"type": "string", "format": "date-time"}
    live = {"time": f.time("when the figures are of"), "window": shown, "rows": _rows("Row"), "pipeline": f.pipeline()}
    snapshot = {
        **live,
        "windows": {"type": "array", "items": {"type": "string"}, "description": "the windows there are"},
        "timezone": f.text("the call center's time zone"),
        "agents": f.states(),
    }
    table = {
        "from": f.time("first moment, to a quarter of an hour"),
        "to": f.time("end, to a quarter of an hour"),
        "interval": f.text("how long each interval is"),
        "rows": _rows("IntervalRow"),
    }
    people = {
        "time": f.time("when the figures are of"),
        "window": shown,
        "states": f.states(),
        "occupancy": f.number("busy / (busy + available) over the window, from 0 to 1"),
        "agents": {"type": "array", "items": f.agent(), "description": "every agent known"},
        "period": serviced.period_names() | {"description": "the period that was asked for"},
        "people": serviced.people(),
    }
    over = _query("period", "tells besides what each agent did in it; to the role admin", serviced.period_names())
    asked = [
        _query("from", "first moment; local midnight where left out", moment),
        _query("to", "end; now where left out", moment),
        _query("interval", "a multiple of 15m up to 1d, or of 1d", {"type": "string", "default": "30m"}),
        _query("queue", "one queue alone", {"type": "string"}),
    ]
    changes = {
        **live,
        "agents": f.states(),
        "gone": {"type": "array", "description": "queue and channel of each row that is no more"},
    }
    changes["rows"] = {**_rows("Row"), "description": CHANGED}
    stream = _text("text/event-stream", "server-sent events named snapshot, or changes", _guarded("503"))
    stream["200"]["content"]["text/event-stream"]["x-event"] = f.record("the data of each snapshot", snapshot)
    stream["200"]["content"]["text/event-stream"]["x-event-changes"] = f.record("the data of changes", changes)
    only = _query(
        "changes",
        "yes: a snapshot once, then only what changed, as soon as it did",
        {"type": "string", "enum": ["yes", "no"]},
    )
    return {
        "/api/v1/queues": _get(
            "Every queue over a window, and all together",
            [window, _query("at", "a past time; now where it is left out", moment)],
            _answer(f.record("the figures of now, or of a past time", live, "pipeline")),
        ),
        "/api/v1/intervals": _get("Every queue by interval", asked, _answer(f.record("the figures", table))),
        "/api/v1/agents": _get("Every agent's state", [window, over], _answer(_told(people))),
        "/api/v1/stream": _get("A snapshot each second, or what changed", [window, only], stream),
        **_detail(windows),
        **_service(),
    }


def _detail(windows: list[str]) -> f.Schema:
    rolling = _query("window", "the rolling window, an hour at most", {"type": "string", "enum": windows[:-1]})
    place = [
        _query("queue", "the queue", {"type": "string"}) | {"required": True},
        _query("channel", "its channel; the queue's first where left out", {"type": "string"}),
    ]
    return {
        "/api/v1/trend": _get("A queue's last hour, and who waits", [*place, rolling], _answer(detailed.trend())),
        "/api/v1/breaches": _get("Since when promises are broken", [rolling], _answer(detailed.breaches())),
        "/api/v1/weekday": _get("A queue's day beside the same weekday", place, _answer(detailed.weekday())),
        "/api/v1/volume": _get("How many contacts came", _volume(), _answer(detailed.volume())),
    }


def _told(people: dict[str, f.Schema]) -> f.Schema:
    return f.record("the agents", people, "period", "people")


def _service() -> f.Schema:
    period = _query("period", "which period", serviced.period_names() | {"default": "today"})
    queue = _query("queue", "one queue alone", {"type": "string"})
    lately = _query("period", "which period", {"type": "string", "enum": list(SUBJECT_PERIODS), "default": "24h"})
    return {
        "/api/v1/figures": _get(
            "Every figure of customer service over a period", [period, queue], _answer(serviced.figures())
        ),
        "/api/v1/subjects": _get("What customers ask about", [lately], _answer(serviced.subjects())),
    }


def _volume() -> list[f.Schema]:
    moment = {"type": "string", "format": "date-time"}
    units = {"type": "string", "enum": list(USUAL), "default": "day"}
    return [
        _query("by", "what is counted by, in the call center's time zone", units),
        _query("from", "first moment; where left out, as many units back as fill a chart", moment),
        _query("to", "end; now where left out", moment),
        _query("queue", "one queue alone", {"type": "string"}),
        _query("channel", "one channel alone", {"type": "string"}),
    ]


def _others() -> f.Schema:
    healthy = f.record(
        "health",
        {"status": {"const": "ok", "description": "that it serves"}, "version": f.text("callwatch's; to a role alone")},
        "version",
    )
    ready = f.record(
        "readiness",
        {"ready": {"type": "boolean", "description": "whether figures are fresh"}, "pipeline": f.pipeline()},
        "pipeline",
    )
    page = {"200": {"description": "a page", "content": {"text/html": {"schema": {"type": "string"}}}}}
    to_login = {"303": {"description": "a browser that is not known is sent to /login"}}
    done = {"303": {"description": "done; the cookie is set, or taken back"}}
    form = {"content": {"application/x-www-form-urlencoded": {"schema": _form()}}, "required": True}
    posted = {"408": {"description": "the form did not arrive in time"}, "415": {"description": "that is no form"}}
    return {
        "/metrics": _get(
            "Exposition for Prometheus", [], _text("text/plain", "Prometheus text or OpenMetrics", _guarded())
        ),
        "/healthz": _get(
            "Does this process serve?", [], {"200": {"description": "yes", "content": _json(healthy)}, **_refusals()}
        ),
        "/readyz": _get(
            "Is the store reachable and the pipeline's lag known?",
            [],
            {
                "200": {"description": "yes", "content": _json(ready)},
                **_refusals(),
                "503": {"description": "no; a role is told why", "content": _json(ready)},
            },
        ),
        "/": _get("The wallboard", [], {**page, **to_login, **_guarded()}),
        "/queue": _get("One queue's page", [], {**page, **to_login, **_guarded()}),
        "/figures": _get("Every figure of customer service", [], {**page, **to_login, **_guarded()}),
        "/report": _get("The report by interval", [], {**page, **to_login, **_guarded()}),
        "/docs": _get("This description, for people", [], {**page, **to_login, **_guarded()}),
        "/openapi.json": _get("This description, for programs", [], _answer({"type": "object"})),
        "/login": {
            **_get("Where a browser shows its token", [], {**page, **done, **_refusals()}),
            "post": {
                "summary": "Show a token, get a cookie",
                "parameters": [],
                "requestBody": form,
                "responses": {**done, **posted, **_guarded()},
            },
        },
        "/logout": {
            "post": {"summary": "Give the cookie back", "parameters": [], "responses": {**done, **_refusals()}}
        },
    }


def _form() -> f.Schema:
    return f.record("the form", {"token": f.text("the token"), "next": f.text("where to go then")}, "next")


def page(described: f.Schema) -> str:
    """Return the description as one HTML page that needs no script."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>callwatch API</title>",
        '<meta name=viewport content="width=device-width"><link rel=stylesheet href=/static/docs.css>',
        f"<h1>callwatch API {escape(described['info']['version'])}</h1>",
        f"<p>{escape(described['info']['description'])}</p>",
        '<p>For programs: <a href="/openapi.json">openapi.json</a></p>',
    ]
    schemas = described["components"]["schemas"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            parts += _operation(path, method, operation)
            parts += _table(_shown(operation))
    for name, schema in schemas.items():
        parts.append(f"<h2 id={escape(name)}>{escape(name)}</h2><p>{escape(schema['description'])}</p>")
        parts += _table(schema)
    parts.append("<h2>Service level by each formula</h2><table><tr><th>name<th>formula</tr>")
    parts += [f"<tr><td>{name}<td>{escape(f.FORMULA_MEANINGS[name])}</tr>" for name in (*FORMULAS, "live")]
    return "".join([*parts, "</table>"])


def _operation(path: str, method: str, operation: f.Schema) -> Iterator[str]:
    where = f'<a href="{escape(path)}">{escape(path)}</a>' if method == "get" else escape(path)
    yield f"<h2>{method.upper()} {where}</h2><p>{escape(operation['summary'])}</p>"
    if operation["parameters"]:
        yield "<table><tr><th>parameter<th>meaning<th>values</tr>"
        yield from (_parameter(parameter) for parameter in operation["parameters"])
        yield "</table>"


def _parameter(parameter: f.Schema) -> str:
    schema = parameter["schema"]
    values = ", ".join(schema.get("enum", [])) or schema.get("format", schema["type"])
    return f"<tr><td>{escape(parameter['name'])}<td>{escape(parameter['description'])}<td>{escape(values)}</tr>"


def _shown(operation: f.Schema) -> f.Schema:
    """Return the schema of what is answered, be it JSON or the data of an event; nothing for a page."""
    for content in operation["responses"].get("200", {}).get("content", {}).values():
        found: f.Schema = content.get("x-event", content["schema"])
        return found if "properties" in found or "$ref" in found else {}
    return {}


def _table(schema: f.Schema) -> Iterator[str]:
    lines = list(_fields(schema, ""))
    if lines:
        yield "<table><tr><th>field<th>type<th>meaning</tr>"
        yield from lines
        yield "</table>"


def _fields(schema: f.Schema, before: str) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        inner = field.get("items", {})
        meaning = escape(field.get("description", ""))
        if "$ref" in inner:
            target = escape(inner["$ref"].rpartition("/")[2])
            meaning += f'; each as <a href="#{target}">{target}</a>'
        yield f"<tr><td>{escape(before + name)}<td>{escape(_type(field))}<td>{meaning}</tr>"
        yield from _fields(field, f"{before}{name}.")
        yield from _fields(inner, f"{before}{name}[].")


def _type(field: Any) -> str:
    kind = field.get("format") or field.get("type", "string")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
