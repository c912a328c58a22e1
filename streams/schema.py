"""The event contract for others: JSON Schema, AsyncAPI, and a page to read, all made from the types."""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from streams import events as ev
from streams.contact import TRANSITIONS, Action, State

_REF: Final = "#/components/schemas/{name}"


def _schemas() -> dict[str, Any]:
    kinds = list(ev.TYPE_OF)
    _, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    return components


def json_schema() -> dict[str, Any]:
    """Return one JSON Schema (2020-12) that every event of every topic satisfies."""
    schema = msgspec.json.schema(ev.ANY_EVENT)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "callwatch events", **schema}


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 description of the topics."""
    channels, operations = {}, {}
    for topic, kinds in ev.TOPICS.items():
        name = topic.removeprefix("callcenter.")
        messages = {ev.TYPE_OF[kind]: {"$ref": f"#/components/messages/{ev.TYPE_OF[kind]}"} for kind in kinds}
        channels[name] = {"address": topic, "messages": messages}
        operations[f"count-{name}"] = {"action": "receive", "channel": {"$ref": f"#/channels/{name}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "callwatch", "version": "1", "description": "What happens to every call and chat."},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "summary": _first_line(kind),
                    "payload": {"$ref": _REF.format(name=kind.__name__)},
                    "examples": [{"payload": example(kind)}],
                }
                for kind, name in ev.TYPE_OF.items()
            },
            "schemas": _schemas(),
        },
    }


def markdown() -> str:
    """Return docs/events.md."""
    lines = [
        "# Events",
        "",
        "Made from `streams/events.py` by `callwatch schema --write`.",
        "",
        f"One JSON object per Kafka message, UTF-8, at most {ev.MAX_BYTES:,} bytes. Each has the `type` that its",
        "section is named after. `time` is when it happened, RFC 3339 with an offset, from 1970 on; what is finer",
        "than a millisecond is cut off. Unknown fields are ignored; a message that breaks the contract goes to the",
        "dead-letter topic with its reason.",
        "",
        "| topic | message key | carries |",
        "| --- | --- | --- |",
    ]
    for topic, kinds in ev.TOPICS.items():
        keys = " or ".join(dict.fromkeys(f"`{key}`" for kind in kinds for key in ev.KEYS[kind]))
        # A few words for many types: all of a contact go to either of two topics.
        carried = ", ".join(dict.fromkeys(f"[{_family(kind)}.*](#{_family(kind)})" for kind in kinds))
        lines.append(f"| {topic} | {keys} | {carried} |")
    for family in dict.fromkeys(map(_family, ev.TYPE_OF)):
        lines += ["", f"## {family}"]
        for kind in ev.TYPE_OF:
            lines += ["", *_section(kind)] if _family(kind) == family else []
    lines += ["", "## Reasons of dead letters", "", "| reason | means |", "| --- | --- |"]
    lines += [f"| {reason} | {meaning} |" for reason, meaning in ev.REASONS.items()]
    return "\n".join(lines) + "\n"


def example(kind: type[ev.Envelope]) -> dict[str, Any]:
    """Return a message of ``kind`` as it may come: what is required, and what is of use beside it."""
    name = ev.TYPE_OF[kind]
    values = _EXAMPLE | _EXAMPLES.get(_family(kind), {}) | _EXAMPLES.get(name, {})
    fields = msgspec.structs.fields(kind)
    shown = {field.name: values[field.name] for field in fields if field.required or field.name in _SHOWN.get(name, ())}
    return {"id": shown.pop("id"), "type": name, **shown}


def contact_diagram() -> str:
    """Return the life of a contact as a Mermaid state diagram: ``contact.TRANSITIONS``, drawn."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.IDLE.name}"]
    for state, kinds in TRANSITIONS.items():
        # What does the same and leads to the same place shares one arrow.
        arrows: dict[tuple[Action, State], list[str]] = {}
        for kind, leads_to in kinds.items():
            arrows.setdefault(leads_to, []).append(kind.name.lower())
        lines += [f"    {state.name} --> {to.name}: {', '.join(names)}" for (_, to), names in arrows.items()]
    return "\n".join(lines) + "\n"


def _family(kind: type[ev.Envelope]) -> str:
    return ev.TYPE_OF[kind].partition(".")[0]


def _section(kind: type[ev.Envelope]) -> list[str]:
    """Return what docs/events.md says of one type: meaning, fields, an example."""
    properties = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    fields = sorted(msgspec.structs.fields(kind), key=lambda field: not field.required)
    return [
        f"### {ev.TYPE_OF[kind]}",
        "",
        _first_line(kind),
        "",
        "| field | required | value |",
        "| --- | --- | --- |",
        *(
            f"| `{field.name}` | {'yes' if field.required else ''} | {_value(properties[field.name])} |"
            for field in fields
        ),
        "",
        "```json",
        json.dumps(example(kind)),
        "```",
    ]


def _value(schema: Mapping[str, Any]) -> str:
    """Return what JSON Schema says of a field, in words."""
    if "enum" in schema:
        return "one of " + ", ".join(f"`{word}`" for word in schema["enum"])
    if schema["type"] == "array":
        return f"list, each: {_value(schema['items'])}"
    if schema.get("format") == "date-time":
        return "time, RFC 3339 with an offset"
    if "maxLength" in schema:
        return f"string, {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    return f"{schema['type']}, at least {schema['minimum']}" if "minimum" in schema else str(schema["type"])


#: Of the examples: what fields hold, unless the type or its family has something else, and what is shown though not
#: required.
_EXAMPLE: Final[dict[str, Any]] = {
    "id": "e-1042",
    "time": "2026-01-05T09:00:12.250+01:00",
    "contact_id": "c-17",
    "channel": "voice",
    "customer_id": "u-3",
    "queue": "support",
    "agent_id": "anna",
}
_EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "contact.queued": {"priority": 1, "subject": "invoice"},
    "contact.declined": {"reason": "no answer"},
    "contact.left_queue": {"reason": "callback"},
    "contact.ended": {"ended_by": "customer"},
    "contact.resolved": {"automated": False, "cost": 4.2},
    "message": {"channel": "chat", "sender": "bot"},
    "agent": {"state": "break", "queues": ["support", "billing"], "reason": "lunch"},
    "survey": {"score": 4, "scale": 5},
    "survey.nps": {"score": 9, "scale": 10},
    "quality": {"score": 87.5, "scale": 100},
    "order": {"amount": 59.9},
}
_RATED: Final = ("scale", "contact_id", "customer_id", "queue", "agent_id")
_SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "contact.started": ("customer_id",),
    "contact.queued": ("customer_id", "priority", "subject"),
    "contact.declined": ("reason",),
    "contact.transferred": ("queue", "agent_id"),
    "contact.ended": ("ended_by",),
    "contact.wrapped": ("agent_id",),
    "message.sent": ("sender",),
    "contact.resolved": ("automated", "cost"),
    "agent.state": ("queues", "reason"),
    "survey.csat": _RATED,
    "survey.ces": _RATED,
    "survey.nps": _RATED,
    "survey.esat": ("scale", "agent_id"),
    "quality.reviewed": ("scale", "contact_id", "queue", "agent_id"),
    "order.placed": ("amount",),
}


def _first_line(kind: type[ev.Envelope]) -> str:
    return (kind.__doc__ or "").splitlines()[0]
