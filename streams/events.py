"""The events on the wire: types, validation, and the errors of what cannot be read.

One JSON object per Kafka message. ``decode`` reads and checks it in one pass; what it returns needs no
further look. The envelope follows CloudEvents (``id, type, time, source``); unknown fields are ignored.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Union, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

#: The longest message that is read, in bytes.
MAX_BYTES: Final = 65_536

CALLS: Final = "callcenter.calls"
CHATS: Final = "callcenter.chats"
AGENTS: Final = "callcenter.agents"
FEEDBACK: Final = "callcenter.feedback"
CUSTOMERS: Final = "callcenter.customers"
DEAD_LETTERS: Final = "callcenter.dead-letters"

Channel = Literal["voice", "chat", "email", "messaging", "sms", "video"]
Reason = Literal["overflow", "timeout", "exit_key", "callback", "empty", "withdrawn"]
State = Literal["available", "offered", "on_contact", "wrap_up", "break", "offline"]

CHANNELS: Final[tuple[str, ...]] = get_args(Channel)
LEFT_REASONS: Final[tuple[str, ...]] = get_args(Reason)
AGENT_STATES: Final[tuple[str, ...]] = get_args(State)

Id = Annotated[str, Meta(min_length=1, max_length=256)]
QueueName = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(max_length=256)]
Time = Annotated[datetime, Meta(tz=True, description="when it happened, RFC 3339 with an offset")]
Amount = Annotated[float, Meta(ge=0)]


class Envelope(Struct, frozen=True, kw_only=True, gc=False):
    """What every event carries."""

    id: Annotated[Id, Meta(description="names the event: one with an id already seen changes nothing")]
    time: Time
    source: Text | UnsetType = UNSET


class ContactEvent(Envelope, frozen=True, kw_only=True, gc=False):
    """What every event of a contact carries; the message key is the ``contact_id``."""

    contact_id: Id
    channel: Channel
    customer_id: Id | UnsetType = UNSET
    queue: QueueName | UnsetType = UNSET
    agent_id: Id | UnsetType = UNSET


class ContactStarted(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.started"):
    """The contact reached us (IVR, bot) and asked for nobody yet."""


class ContactQueued(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.queued"):
    """The contact entered a queue: a visit begins."""

    queue: QueueName
    priority: int | UnsetType = UNSET
    subject: Text | UnsetType = UNSET


class ContactOffered(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.offered"):
    """An agent's phone rings."""

    agent_id: Id


class ContactDeclined(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.declined"):
    """The agent did not take it."""

    agent_id: Id
    reason: Text | UnsetType = UNSET


class ContactAnswered(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.answered"):
    """The customer talks to a person."""

    agent_id: Id


class ContactAbandoned(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.abandoned"):
    """The customer gave up waiting."""


class ContactLeftQueue(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.left_queue"):
    """The contact left the queue without giving up."""

    reason: Reason


class ContactHeld(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.held"):
    """The agent put the customer on hold."""


class ContactResumed(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.resumed"):
    """The hold is over."""


class ContactTransferred(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.transferred"):
    """This agent is done; another queue or agent follows."""


class ContactEnded(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.ended"):
    """The conversation is over."""

    ended_by: Literal["customer", "agent", "system"] | UnsetType = UNSET


class ContactWrapped(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.wrapped"):
    """The agent's after-work is done."""


class MessageReceived(ContactEvent, frozen=True, kw_only=True, gc=False, tag="message.received"):
    """The customer wrote a line; its text stays where it is."""

    sender: Literal["agent", "bot"] | UnsetType = UNSET


class MessageSent(ContactEvent, frozen=True, kw_only=True, gc=False, tag="message.sent"):
    """An agent or a bot wrote a line; its text stays where it is."""

    sender: Literal["agent", "bot"] | UnsetType = UNSET


class ContactResolved(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.resolved"):
    """The matter is settled."""

    automated: bool | UnsetType = UNSET
    cost: Amount | UnsetType = UNSET


class ContactReopened(ContactEvent, frozen=True, kw_only=True, gc=False, tag="contact.reopened"):
    """The matter is not settled after all."""

    automated: bool | UnsetType = UNSET
    cost: Amount | UnsetType = UNSET


class AgentState(Envelope, frozen=True, kw_only=True, gc=False, tag="agent.state"):
    """An agent entered a state; the message key is the ``agent_id``."""

    agent_id: Id
    state: State
    queues: tuple[QueueName, ...] = ()
    reason: Text | UnsetType = UNSET


class Rating(Envelope, frozen=True, kw_only=True, gc=False):
    """What every score carries: the score, and the lowest and highest one possible where they are not the usual."""

    score: Annotated[float, Meta(ge=0)]
    scale: Annotated[int, Meta(ge=1, description="the highest score possible")] | UnsetType = UNSET
    scale_from: Annotated[int, Meta(ge=0, description="the lowest score possible")] | UnsetType = UNSET
    contact_id: Id | UnsetType = UNSET
    customer_id: Id | UnsetType = UNSET
    queue: QueueName | UnsetType = UNSET
    agent_id: Id | UnsetType = UNSET


class SurveyCsat(Rating, frozen=True, kw_only=True, gc=False, tag="survey.csat"):
    """How satisfied the customer is."""


class SurveyCes(Rating, frozen=True, kw_only=True, gc=False, tag="survey.ces"):
    """How little effort it took the customer."""


class SurveyNps(Rating, frozen=True, kw_only=True, gc=False, tag="survey.nps"):
    """How likely the customer is to recommend us."""


class SurveyEsat(Rating, frozen=True, kw_only=True, gc=False, tag="survey.esat"):
    """How satisfied the agent is."""


class QualityReviewed(Rating, frozen=True, kw_only=True, gc=False, tag="quality.reviewed"):
    """A reviewer scored a contact."""


class CustomerEvent(Envelope, frozen=True, kw_only=True, gc=False):
    """What every event of a customer carries; the message key is the ``customer_id``."""

    customer_id: Id
    amount: Amount | UnsetType = UNSET


class CustomerJoined(CustomerEvent, frozen=True, kw_only=True, gc=False, tag="customer.joined"):
    """Somebody became a customer."""


class CustomerLeft(CustomerEvent, frozen=True, kw_only=True, gc=False, tag="customer.left"):
    """Somebody is a customer no longer."""


class OrderPlaced(CustomerEvent, frozen=True, kw_only=True, gc=False, tag="order.placed"):
    """A customer bought something."""


class Outcome(Struct, frozen=True, array_like=True, gc=False):
    """That a contact was resolved, or reopened: when (ms since 1970), by which event, and what that event told."""

    at: int
    id: str
    resolved: bool
    automated: bool | None = None
    cost_cents: int | None = None
    agent_id: str | None = None


class ContactTold(Envelope, frozen=True, kw_only=True, gc=False, tag="contact.told"):
    """What became of a contact, as one partition of contacts tells the customers'; ``id`` is the contact's.

    Internal: it comes by ``CUSTOMERS`` alone. ``time`` is the latest moment in it, all other times are ms since 1970.
    The higher ``version`` of a life holds. Withdrawn is what is told under its key no more. See ``streams.told``.
    """

    contact_id: Id
    channel: Channel
    version: int
    opened: int
    customer_id: Id | UnsetType = UNSET
    queue: QueueName | UnsetType = UNSET
    subject: Text | UnsetType = UNSET
    ended: int | UnsetType = UNSET
    answered_by: tuple[Id, ...] = ()
    replies: int = 0
    outcomes: tuple[Outcome, ...] = ()
    withdrawn: bool = False


CONTACT_EVENTS: Final[tuple[type[ContactEvent], ...]] = (
    ContactStarted,
    ContactQueued,
    ContactOffered,
    ContactDeclined,
    ContactAnswered,
    ContactAbandoned,
    ContactLeftQueue,
    ContactHeld,
    ContactResumed,
    ContactTransferred,
    ContactEnded,
    ContactWrapped,
    MessageReceived,
    MessageSent,
    ContactResolved,
    ContactReopened,
)
FEEDBACK_EVENTS: Final[tuple[type[Envelope], ...]] = (
    SurveyCsat,
    SurveyCes,
    SurveyNps,
    SurveyEsat,
    QualityReviewed,
    CustomerJoined,
    CustomerLeft,
    OrderPlaced,
)

#: Which events a topic carries.
TOPICS: Final[dict[str, tuple[type[Envelope], ...]]] = {
    CALLS: CONTACT_EVENTS,
    CHATS: CONTACT_EVENTS,
    AGENTS: (AgentState,),
    FEEDBACK: FEEDBACK_EVENTS,
}

#: Written by callwatch itself, and by nobody else: what became of contacts, by customer; no part of the contract.
INTERNAL_TOPICS: Final[dict[str, tuple[type[Envelope], ...]]] = {
    CUSTOMERS: (ContactTold, ContactResolved, ContactReopened, OrderPlaced, CustomerJoined, CustomerLeft),
}

#: An event's type as it is written on the wire, by its class.
TYPE_OF: Final[dict[type[Envelope], str]] = {
    kind: str(kind.__struct_config__.tag) for kinds in TOPICS.values() for kind in kinds
}

#: Which field a message's key repeats.
KEYS: Final[dict[type[Envelope], tuple[str, ...]]] = {
    **dict.fromkeys(CONTACT_EVENTS, ("contact_id",)),
    AgentState: ("agent_id",),
    **dict.fromkeys(FEEDBACK_EVENTS[:5], ("contact_id", "customer_id", "agent_id")),
    **dict.fromkeys(FEEDBACK_EVENTS[5:], ("customer_id",)),
}


class EventError(Exception):
    """A message that cannot be counted.

    ``reason`` is one of a few fixed words (they become a metric's label), ``str(error)`` says what is wrong
    and where, without repeating the customer's data.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: What msgspec says, and the reason it stands for; the first that matches.
_REASONS: Final = (
    (re.compile(r"^Object missing required field"), "missing_field"),
    (re.compile(r"^Expected `datetime` with a timezone component"), "naive_time"),
    (re.compile(r"^Invalid value .* - at `\$\.type`$", re.DOTALL), "unknown_type"),
    (re.compile(r"^Expected `object`, got"), "not_an_object"),
    (re.compile(r"^Expected `\w+(?: \| \w+)*`(?:, got| - at `\$\.type`)"), "wrong_type"),
)

#: Why a message is a dead letter.
REASONS: Final = {
    "empty": "the message has no value",
    "too_large": f"longer than {MAX_BYTES:,} bytes",
    "not_json": "not JSON in UTF-8",
    "not_an_object": "JSON, but no object",
    "unknown_type": "a type that the topic does not carry",
    "missing_field": "a required field is missing",
    "wrong_type": "a field has the wrong type",
    "naive_time": "a time without an offset",
    "invalid_value": "a value that is not allowed",
    "wrong_key": "the message key is not the id that its partition is chosen by",
    "future": "happened more than the allowed time ahead of now",
    "settled": "came late, and its contact was settled before",
    "too_late": "older than the ids that are remembered",
}

#: Any event of any topic.
ANY_EVENT: Final = Union[tuple(TYPE_OF)]  # noqa: UP007 -- the union is made from a table

#: One decoder a topic: a type that belongs elsewhere is as unknown there as one that does not exist.
DECODERS: Final[dict[str, Callable[[bytes], Any]]] = {
    topic: msgspec.json.Decoder(Union[kinds]).decode  # noqa: UP007 -- the union is made from a table
    for topic, kinds in (TOPICS | INTERNAL_TOPICS).items()
}


def milliseconds(time: datetime) -> int:
    """Return ``time`` as whole milliseconds since 1970, what is finer cut off."""
    since = time - EPOCH  # its parts are whole numbers; dividing it by a millisecond takes twice as long
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000


def moment(event: Envelope) -> int:
    """Return when ``event`` happened, in ms since 1970. Raise EventError ``invalid_value`` for what lies before."""
    at = milliseconds(event.time)
    if at < 0:
        raise EventError("invalid_value", "This time lies before 1970 - at `$.time`")
    return at


def decode(topic: str, value: bytes | None) -> Any:
    """Read one message of ``topic``; return the event, an instance of one of those that the topic carries.

    Raise EventError where the message breaks the contract: ``empty``, ``too_large``, ``not_json``,
    ``not_an_object``, ``unknown_type``, ``missing_field``, ``wrong_type``, ``naive_time``, ``invalid_value``.
    """
    if not value:
        raise EventError("empty", "the message has no value")
    if len(value) > MAX_BYTES:
        raise EventError("too_large", f"{len(value)} bytes; at most {MAX_BYTES} are read")
    try:
        return DECODERS[topic](value)
    except msgspec.ValidationError as error:
        detail = str(error)
        reason = next((name for pattern, name in _REASONS if pattern.search(detail)), "invalid_value")
        raise EventError(reason, _without_values(detail)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventError("not_json", f"not JSON in UTF-8: {_without_values(str(error))}") from None


def check_key(event: Any, key: bytes | None) -> None:
    """Raise EventError ``wrong_key`` unless the message's key is the id that its partition is chosen by.

    Without it the events of one contact would be counted in several partitions, each missing the others.
    """
    names = KEYS[type(event)]
    for name in names:
        value = getattr(event, name)
        if value and key == value.encode():
            return
    raise EventError("wrong_key", f"the message key is not the event's {' or '.join(names)}")


def _without_values(detail: str) -> str:
    """Cut what msgspec quotes of the message: a wrong value may be a customer's name."""
    return re.sub(r"(?s)^Invalid (enum )?value .*(?= - at `)", "This value is not allowed", detail)


def encode(event: Envelope) -> bytes:
    """Return the event as the message that ``decode`` reads."""
    return msgspec.json.encode(event)
