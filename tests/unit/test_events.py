"""The contract on the wire: what is read, what is refused, why, and that no customer is named in saying so."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import pytest
from msgspec import UNSET

from streams import events as ev

ENVELOPE: Final = {"id": "e1", "time": "2026-01-05T09:00:00.250000+01:00", "source": "pbx/7"}
CONTACT: Final = {**ENVELOPE, "contact_id": "c1", "channel": "voice", "customer_id": "k1"}
#: What a type needs or may have beyond its envelope.
BEYOND: Final[dict[str, dict[str, Any]]] = {
    "contact.queued": {"queue": "sales", "priority": 3, "subject": "bill"},
    "contact.offered": {"agent_id": "ann"},
    "contact.declined": {"agent_id": "ann", "reason": "busy"},
    "contact.answered": {"agent_id": "ann"},
    "contact.left_queue": {"reason": "exit_key"},
    "contact.ended": {"ended_by": "customer"},
    "contact.wrapped": {"agent_id": "ann"},
    "message.received": {"sender": "bot"},
    "message.sent": {"sender": "agent"},
    "contact.resolved": {"automated": True, "cost": 1.5},
    "contact.reopened": {"automated": False, "cost": 0.0},
    "agent.state": {"agent_id": "ann", "state": "break", "queues": ["sales", "chat"], "reason": "lunch"},
    "order.placed": {"customer_id": "k1", "amount": 12.5},
    "customer.joined": {"customer_id": "k1"},
    "customer.left": {"customer_id": "k1"},
}


def example(topic: str, name: str) -> dict[str, Any]:
    """Return an event of that type, with every field it may have that says something."""
    if topic in (ev.CALLS, ev.CHATS):
        return {**CONTACT, "type": name, **BEYOND.get(name, {})}
    score = (
        {"score": 4.0, "scale": 5, "contact_id": "c1", "queue": "sales"} if name.startswith(("survey", "qual")) else {}
    )
    return {**ENVELOPE, "type": name, **score, **BEYOND.get(name, {})}


EXAMPLES: Final = [(topic, example(topic, ev.TYPE_OF[kind])) for topic, kinds in ev.TOPICS.items() for kind in kinds]
LEFT: Final = example(ev.CALLS, "contact.left_queue")


def message(**changes: object) -> bytes:
    """Return a contact.left_queue with some fields changed; a field changed to ``...`` is left out."""
    fields = {**LEFT, **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


@pytest.mark.parametrize(("topic", "fields"), EXAMPLES)
def test_every_type_is_read_and_written_as_it_was(topic: str, fields: dict[str, Any]) -> None:
    event = ev.decode(topic, json.dumps(fields).encode())
    assert ev.TYPE_OF[type(event)] == fields["type"]
    assert {name: getattr(event, name) for name in fields if name not in ("type", "time", "queues")} == {
        name: value for name, value in fields.items() if name not in ("type", "time", "queues")
    }
    assert event.time == datetime(2026, 1, 5, 8, 0, 0, 250_000, tzinfo=UTC)
    assert ev.decode(topic, ev.encode(event)) == event
    assert json.loads(ev.encode(event)) == fields


def test_every_type_of_the_contract_has_an_example_and_each_topic_reads_its_own_alone() -> None:
    assert {fields["type"] for _, fields in EXAMPLES} == set(ev.TYPE_OF.values())
    for topic, fields in EXAMPLES:
        for other in set(ev.TOPICS) - {topic}:
            if ev.TOPICS[other] != ev.TOPICS[topic]:
                with pytest.raises(ev.EventError) as caught:
                    ev.decode(other, json.dumps(fields).encode())
                assert caught.value.reason == "unknown_type"


def test_unknown_fields_are_ignored_and_absent_ones_are_unset() -> None:
    event = ev.decode(ev.CALLS, message(source=..., customer_id=..., colour="red", nested={"a": [1]}))
    assert (event.source, event.customer_id, event.queue) == (UNSET, UNSET, UNSET)


SURNAME: Final = "Mustermann"
REFUSED: Final[list[tuple[str, bytes | None]]] = [
    ("empty", None),
    ("empty", b""),
    ("too_large", message(source="x" * ev.MAX_BYTES)),
    ("too_large", b"x" * 2**20),
    ("not_json", b"Mustermann"),
    ("not_json", b"\x00\xff\xfe\x80"),
    ("not_json", message()[:-1]),
    ("not_json", message() + b"x"),
    ("not_json", message().replace(b"e1", b"\xff")),
    ("not_json", message(contact_id="\ud800")),
    ("not_an_object", b"[]"),
    ("not_an_object", b"5"),
    ("not_an_object", b"null"),
    ("not_an_object", b"[" * 60_000),
    ("unknown_type", message(type="contact.Mustermann")),
    ("unknown_type", message(type="agent.state")),
    ("unknown_type", message(type="Mustermann: missing required field")),
    ("missing_field", message(id=...)),
    ("missing_field", message(type=...)),
    ("missing_field", message(time=...)),
    ("missing_field", message(contact_id=...)),
    ("missing_field", message(channel=...)),
    ("missing_field", message(reason=...)),
    ("wrong_type", message(id=5)),
    ("wrong_type", message(type=5)),
    ("wrong_type", message(time=1_767_603_600)),
    ("wrong_type", message(customer_id=[SURNAME])),
    ("wrong_type", message(contact_id=None)),
    ("naive_time", message(time="2026-01-05T09:00:00")),
    ("invalid_value", message(time=SURNAME)),
    ("invalid_value", message(time="2026-01-05T23:59:60Z")),
    ("invalid_value", message(id="")),
    ("invalid_value", message(contact_id=SURNAME * 26)),
    ("invalid_value", message(channel=SURNAME)),
    ("invalid_value", message(reason="Mustermann: missing required field")),
    ("invalid_value", message(reason="Mustermann has no timezone component")),
    ("invalid_value", message(reason="Mustermann' - at `$.type`")),
]


@pytest.mark.parametrize(("reason", "value"), REFUSED)
def test_message_that_breaks_the_contract_is_refused_for_its_reason_without_being_quoted(
    reason: str, value: bytes | None
) -> None:
    with pytest.raises(ev.EventError) as caught:
        ev.decode(ev.CALLS, value)
    assert caught.value.reason == reason
    assert str(caught.value)
    assert SURNAME not in str(caught.value)
    # Nor in what a log would make of it.
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (message(reason=...), "Object missing required field `reason`"),
        (message(customer_id=5), "Expected `str`, got `int` - at `$.customer_id`"),
        (message(channel="fax"), "This value is not allowed - at `$.channel`"),
        (message(id=""), "Expected `str` of length >= 1 - at `$.id`"),
    ],
)
def test_error_names_the_field(value: bytes, told: str) -> None:
    with pytest.raises(ev.EventError) as caught:
        ev.decode(ev.CALLS, value)
    assert str(caught.value) == told


@pytest.mark.parametrize("score", [-1, "1e999", '"4"'])
def test_score_that_is_none_is_refused(score: object) -> None:
    value = b'{"id":"e","type":"survey.csat","time":"2026-01-05T09:00:00Z","score":%s}' % str(score).encode()
    with pytest.raises(ev.EventError) as caught:
        ev.decode(ev.FEEDBACK, value)
    assert caught.value.reason in ("invalid_value", "wrong_type")


def test_every_reason_of_decoding_has_a_message_that_causes_it() -> None:
    counted = {"wrong_key", "future", "settled", "too_late"}  # found by the key, or by what was counted before
    assert {reason for reason, _ in REFUSED} == set(ev.REASONS) - counted


@pytest.mark.parametrize(
    ("topic", "fields", "keys"),
    [
        (ev.CALLS, LEFT, [b"c1"]),
        (ev.AGENTS, example(ev.AGENTS, "agent.state"), [b"ann"]),
        (ev.FEEDBACK, {**example(ev.FEEDBACK, "survey.nps"), "customer_id": "k1"}, [b"c1", b"k1"]),
        (ev.FEEDBACK, example(ev.FEEDBACK, "order.placed"), [b"k1"]),
    ],
)
def test_key_has_to_be_the_id_that_the_partition_is_chosen_by(
    topic: str, fields: dict[str, Any], keys: list[bytes]
) -> None:
    event = ev.decode(topic, json.dumps(fields).encode())
    for key in keys:
        ev.check_key(event, key)
    for wrong in (None, b"", b"e1", b"\xff"):
        with pytest.raises(ev.EventError) as caught:
            ev.check_key(event, wrong)
        assert caught.value.reason == "wrong_key"


def test_what_is_finer_than_a_millisecond_is_cut_off() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    assert ev.milliseconds(datetime(1970, 1, 1, 5, 30, 1, 999, tzinfo=east)) == 1_000
    assert ev.milliseconds(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


def test_times_at_the_ends_of_the_calendar_are_read() -> None:
    latest = ev.decode(ev.CALLS, message(time="9999-12-31T23:59:59-23:59"))
    earliest = ev.decode(ev.CALLS, message(time="0001-01-01T00:00:00+23:59"))
    assert ev.milliseconds(latest.time) - ev.milliseconds(earliest.time) > 9_998 * 365 * 86_400_000


def test_a_time_before_1970_is_refused() -> None:
    times = {"1970-01-01T00:00:00Z": 0, "1970-01-01T02:00:00+02:00": 0, "9999-12-31T23:59:59.999Z": 253_402_300_799_999}
    for time, at in times.items():
        assert ev.moment(ev.decode(ev.CALLS, message(time=time))) == at
    for time in ("1969-12-31T23:59:59.999Z", "1970-01-01T01:59:59+02:00", "0001-01-01T00:00:00Z"):
        with pytest.raises(ev.EventError, match="before 1970") as caught:
            ev.moment(ev.decode(ev.CALLS, message(time=time)))
        assert caught.value.reason == "invalid_value"
