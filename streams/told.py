"""What the partitions of contacts and of feedback tell the customers': messages for the topic ``CUSTOMERS``.

They are committed with what they follow from and sent afterwards, so each comes at least once. Whoever reads them
must not mind repetition or order: a contact's are told apart by its id and version, all others by the event's id.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec
from msgspec import UNSET, structs

from streams.events import (
    EPOCH,
    TYPE_OF,
    ContactEvent,
    ContactReopened,
    ContactResolved,
    ContactTold,
    CustomerEvent,
    Outcome,
    encode,
)

#: Contacts by these are tickets: they are open until somebody settles them. A call or a chat ends by itself.
TICKETS: Final = frozenset({"email", "messaging", "sms"})

#: A version is this many times the second that the contact's life began in, and twice the number of its events; one
#: more once it is over.
LIFE: Final = 1_000_000

#: Of more agents and outcomes than these the latest are told: a message has to stay below what is read.
MOST_AGENTS: Final = 10
MOST_OUTCOMES: Final = 20


class Message(msgspec.Struct, array_like=True, frozen=True):
    """One message for Kafka."""

    key: bytes
    value: bytes


_pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder(Message).decode


def cents(amount: float) -> int:
    """Return an amount of money in whole cents, so that sums are exact."""
    return round(amount * 100)


def outcome_of(event: ContactResolved | ContactReopened, at: int) -> Outcome:
    """Return what an event at ``at`` (ms) says of how its contact ended."""
    return Outcome(
        at=at,
        id=event.id,
        resolved=isinstance(event, ContactResolved),
        automated=None if event.automated is UNSET else event.automated,
        cost_cents=None if event.cost is UNSET else cents(event.cost),
        agent_id=event.agent_id or None,
    )


def told(  # noqa: PLR0913 -- one for each thing that is known of a contact
    contact_id: str,
    channel: str,
    *,
    version: int,
    opened: int,
    customer_id: str | None = None,
    queue: str | None = None,
    subject: str | None = None,
    ended: int | None = None,
    answered_by: Sequence[str] = (),
    replies: int = 0,
    outcomes: Sequence[Outcome] = (),
) -> ContactTold:
    """Return the summary of a contact; times in ms since 1970.

    ``version`` grows with the events that are known: what is told of more of them holds. The queue is the one
    visited last; ``answered_by`` names the agents in order, ``replies`` counts the lines and talks of persons.
    """
    latest = opened if ended is None or ended < opened else ended
    for outcome in outcomes:
        latest = max(latest, outcome.at)
    return ContactTold(
        id=contact_id,
        time=EPOCH + timedelta(0, latest // 1000, latest % 1000 * 1000),
        contact_id=contact_id,
        channel=channel,  # type: ignore[arg-type] # it comes from an event that was checked
        version=version,
        opened=opened,
        customer_id=customer_id or UNSET,
        queue=queue or UNSET,
        subject=subject or UNSET,
        ended=UNSET if ended is None else ended,
        answered_by=tuple(answered_by[-MOST_AGENTS:]),
        replies=replies,
        outcomes=tuple(outcomes[-MOST_OUTCOMES:]),
    )


def key_of(message: ContactTold | ContactEvent | CustomerEvent) -> str:
    """Return what a message is keyed by: the customer, or the contact where no customer is known."""
    if message.customer_id:
        return message.customer_id
    return "" if isinstance(message, CustomerEvent) else message.contact_id


def told_under(summary: ContactTold) -> str | None:
    """Return the key that a contact is told under, None where it is not told at all.

    A call or chat of somebody unknown, with nothing said of how it ended, adds to no figure of customers.
    """
    if summary.customer_id or summary.outcomes or summary.channel in TICKETS:
        return key_of(summary)
    return None


def tell(summary: ContactTold, before: str | None = None) -> dict[str, bytes]:
    """Return what to send so that ``summary`` is known: id in the outbox -> packed message.

    ``before`` is the key that the contact was last told under, None if it never was. Where that was another, the
    customer has become known since, and what was told under the old one is withdrawn.
    """
    messages: dict[str, bytes] = {}
    key = told_under(summary)
    if key is not None:
        messages.update(_message(key, summary))
    if before is not None and before != key:
        customer = UNSET if before == summary.contact_id else before
        messages.update(_message(before, structs.replace(summary, customer_id=customer, withdrawn=True)))
    return messages


def pass_on(event: ContactEvent | CustomerEvent) -> dict[str, bytes]:
    """Return what to send so that an event is known to the customers' partition: id in the outbox -> message."""
    name = f"{TYPE_OF[type(event)]} {event.id}"
    return {name: _pack(Message(key_of(event).encode(), encode(event)))}


def _message(key: str, summary: ContactTold) -> dict[str, bytes]:
    # Of two lives under one id the second must not take the place of what was told of the first.
    life = summary.version // LIFE
    return {f"{key} {summary.contact_id} {life}": _pack(Message(key.encode(), encode(summary)))}
