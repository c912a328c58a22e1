"""The contract for others says what the code does."""

import json
import re
from typing import Any, Final

import msgspec
import pytest
from jsonschema import Draft202012Validator

from streams import events as ev
from streams import schema
from streams.contact import TRANSITIONS, State
from streams.kinds import Kind
from tests.generate import call_center

VALIDATOR: Final = Draft202012Validator(schema.json_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
QUEUED: Final[dict[str, Any]] = {
    "id": "e1",
    "type": "contact.queued",
    "time": "2026-01-05T09:00:00Z",
    "contact_id": "c1",
    "channel": "voice",
    "queue": "sales",
}
AGENT: Final[dict[str, Any]] = {"id": "e2", "type": "agent.state", "time": "2026-01-05T09:00:00Z", "agent_id": "a"}
SCORE: Final[dict[str, Any]] = {"id": "e3", "type": "survey.nps", "time": "2026-01-05T09:00:00Z"}

#: What both accept, and what both refuse.
GOOD: Final[list[tuple[str, dict[str, Any]]]] = [
    (ev.CALLS, QUEUED),
    (ev.CALLS, QUEUED | {"priority": -1, "colour": "red", "time": "2026-01-05T09:00:00.123+05:30"}),
    (ev.AGENTS, AGENT | {"state": "break"}),
    (ev.AGENTS, AGENT | {"state": "available", "queues": ["sales", "chat"]}),
    (ev.FEEDBACK, SCORE | {"score": 9}),
    (ev.FEEDBACK, SCORE | {"score": 0.5, "scale": 10, "contact_id": "c1"}),
]
BAD: Final[list[tuple[str, dict[str, Any]]]] = [
    (ev.CALLS, {name: value for name, value in QUEUED.items() if name != "queue"}),
    (ev.CALLS, {name: value for name, value in QUEUED.items() if name != "id"}),
    (ev.CALLS, QUEUED | {"id": ""}),
    (ev.CALLS, QUEUED | {"id": 5}),
    (ev.CALLS, QUEUED | {"type": "contact.vanished"}),
    (ev.CALLS, QUEUED | {"channel": "fax"}),
    (ev.CALLS, QUEUED | {"queue": "q" * 129}),
    (ev.CALLS, QUEUED | {"priority": "high"}),
    (ev.AGENTS, AGENT | {"state": "asleep"}),
    (ev.AGENTS, AGENT | {"state": "break", "queues": [""]}),
    (ev.FEEDBACK, SCORE | {"score": -1}),
    (ev.FEEDBACK, SCORE | {"score": 1, "scale": 0}),
]


def test_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema.json_schema())


@pytest.mark.parametrize(("topic", "event"), GOOD)
def test_schema_accepts_what_is_read(topic: str, event: dict[str, Any]) -> None:
    ev.decode(topic, json.dumps(event).encode())
    VALIDATOR.validate(event)


@pytest.mark.parametrize(("topic", "event"), BAD)
def test_schema_refuses_what_is_refused(topic: str, event: dict[str, Any]) -> None:
    with pytest.raises(ev.EventError):
        ev.decode(topic, json.dumps(event).encode())
    assert not VALIDATOR.is_valid(event)


def test_schema_accepts_a_whole_call_center() -> None:
    for event in call_center(seed=7, contacts=30).events:
        VALIDATOR.validate(event)


def test_asyncapi_refers_to_nothing_that_it_does_not_hold() -> None:
    document = schema.asyncapi()
    assert {channel["address"] for channel in document["channels"].values()} == set(ev.TOPICS)
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        found = document
        for part in reference.split("/"):
            found = found[part]
    assert set(document["components"]["messages"]) == set(ev.TYPE_OF.values())


def sections() -> dict[str, str]:
    """Return what docs/events.md says of each type."""
    parts = schema.markdown().partition("## Reasons")[0].split("\n### ")
    return {part.partition("\n")[0]: part for part in parts[1:]}


def test_page_names_every_topic_type_value_and_reason() -> None:
    page = schema.markdown()
    for name in (*ev.TOPICS, *ev.LEFT_REASONS, *ev.CHANNELS, *ev.AGENT_STATES, *ev.REASONS):
        assert name in page
    assert sorted(sections()) == sorted(ev.TYPE_OF.values())


@pytest.mark.parametrize("kind", ev.TYPE_OF, ids=ev.TYPE_OF.values())
def test_page_tells_of_every_field_whether_it_is_required_and_what_it_holds(kind: type[ev.Envelope]) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (yes|) \| (.+) \|$", sections()[ev.TYPE_OF[kind]], re.MULTILINE)
    assert {name: bool(required) for name, required, _ in rows} == {
        field.name: field.required for field in msgspec.structs.fields(kind)
    }
    values = {name: value for name, _, value in rows}
    assert (values["id"], values["time"]) == ("string, 1 to 256 characters", "time, RFC 3339 with an offset")
    assert values.get("queue", "string, 1 to 128 characters") == "string, 1 to 128 characters"
    assert values.get("score", "number, at least 0") == "number, at least 0"


@pytest.mark.parametrize("kind", ev.TYPE_OF, ids=ev.TYPE_OF.values())
def test_every_type_has_an_example_that_is_read(kind: type[ev.Envelope]) -> None:
    (text,) = re.findall(r"```json\n(.*)\n```", sections()[ev.TYPE_OF[kind]])
    event = json.loads(text)
    VALIDATOR.validate(event)
    (topic, *_) = [topic for topic, kinds in ev.TOPICS.items() if kind in kinds]
    read = ev.decode(topic, text.encode())
    assert type(read) is kind
    key = next(str(getattr(read, name)) for name in ev.KEYS[kind] if isinstance(getattr(read, name), str))
    ev.check_key(read, key.encode())
    # Nothing in it that callwatch would pass over.
    assert set(event) - {"type"} <= {field.name for field in msgspec.structs.fields(kind)}
    assert {"payload": event} in schema.asyncapi()["components"]["messages"][ev.TYPE_OF[kind]]["examples"]


def test_diagram_draws_every_transition_of_the_table_and_no_other() -> None:
    first, second, *arrows = schema.contact_diagram().splitlines()
    assert (first, second) == ("stateDiagram-v2", "    [*] --> IDLE")
    drawn = set()
    for arrow in arrows:
        found = re.fullmatch(r"    ([A-Z_]+) --> ([A-Z_]+): ([a-z, ]+)", arrow)
        assert found is not None
        drawn |= {(State[found[1]], Kind[name.upper()], State[found[2]]) for name in found[3].split(", ")}
    assert drawn == {(state, kind, to) for state, kinds in TRANSITIONS.items() for kind, (_, to) in kinds.items()}
    assert "    WAITING --> IDLE: abandoned, ended" in arrows
