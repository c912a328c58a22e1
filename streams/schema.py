"""The event contract for others: JSON Schema, AsyncAPI, and a page to read, all made from the types."""

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
                name: {"name": name, "summary": _first_line(kind), "payload": {"$ref": _REF.format(name=kind.__name__)}}
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
        f"One JSON object per Kafka message, UTF-8, at most {ev.MAX_BYTES:,} bytes. `time` is RFC 3339 with an offset:",
        "when it happened. What is finer than a millisecond is cut off. Unknown fields are ignored; a message that",
        "breaks the contract goes to the dead-letter topic with its reason.",
        "",
    ]
    for topic, kinds in ev.TOPICS.items():
        lines += [f"## {topic}", "", f"Message key: {' or '.join(sorted(_keys(kinds)))}.", ""]
        lines += ["| type | means | required | may have |", "| --- | --- | --- | --- |"]
        lines += [_table_row(kind) for kind in kinds]
        lines.append("")
    lines += ["## Values", "", "| field | allowed |", "| --- | --- |"]
    lines += [f"| {name} | {', '.join(values)} |" for name, values in _VALUES.items()]
    lines += ["", "## Reasons of dead letters", "", "| reason | means |", "| --- | --- |"]
    lines += [f"| {reason} | {meaning} |" for reason, meaning in ev.REASONS.items()]
    return "\n".join(lines) + "\n"


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


_VALUES: Final = {
    "channel": ev.CHANNELS,
    "reason (contact.left_queue)": ev.LEFT_REASONS,
    "state (agent.state)": ev.AGENT_STATES,
}


def _keys(kinds: tuple[type[ev.Envelope], ...]) -> set[str]:
    return {f"`{key}`" for kind in kinds for key in ev.KEYS[kind]}


def _table_row(kind: type[ev.Envelope]) -> str:
    fields = msgspec.structs.fields(kind)
    required = [f"`{field.name}`" for field in fields if field.required]
    optional = [f"`{field.name}`" for field in fields if not field.required]
    return f"| {ev.TYPE_OF[kind]} | {_first_line(kind)} | {', '.join(required)} | {', '.join(optional)} |"


def _first_line(kind: type[ev.Envelope]) -> str:
    return (kind.__doc__ or "").splitlines()[0]
