"""Which topic and key an event belongs to, by the event contract."""

from typing import Final

import msgspec

from streams.events import AGENTS, CALLS, CHATS, FEEDBACK

#: All topics that sources feed, as the contract calls them.
TOPICS: Final = (CALLS, CHATS, AGENTS, FEEDBACK)
CUSTOMER_TYPES: Final = ("customer.", "order.")
FEEDBACK_TYPES: Final = ("survey.", "quality.", *CUSTOMER_TYPES)


class Head(msgspec.Struct, gc=False):
    """The fields that decide where an event goes. They are taken as they come: judging them is the processors' job."""

    type: object = ""
    time: object = ""
    channel: object = ""
    contact_id: object = ""
    agent_id: object = ""
    customer_id: object = ""


#: Read the head of an event's JSON; raise what msgspec raises, UnicodeError, or RecursionError.
decode_head: Final = msgspec.json.Decoder(Head).decode


def names_of(prefix: str) -> dict[str, str]:
    """Return what Kafka calls the topics of the contract where their names begin with ``prefix``."""
    return {topic: f"{prefix}.{topic.removeprefix('callcenter.')}" for topic in TOPICS}


def topic_of(head: Head) -> str:
    """Return the topic; an event of no known type goes where contacts go, and what is wrong with it is said there."""
    kind = head.type if isinstance(head.type, str) else ""
    if kind.startswith("agent."):
        return AGENTS
    if kind.startswith(FEEDBACK_TYPES):
        return FEEDBACK
    return CALLS if head.channel in ("voice", "") else CHATS


def key_of(head: Head) -> bytes:
    """Return the message key: the contact it is about, or else the agent or the customer; empty when there is none."""
    keys = [head.contact_id, head.agent_id, head.customer_id]
    if isinstance(head.type, str):
        if head.type.startswith("agent."):
            keys.insert(0, head.agent_id)
        elif head.type.startswith(CUSTOMER_TYPES):
            keys.insert(0, head.customer_id)
    return next((key.encode() for key in keys if isinstance(key, str) and key), b"")
