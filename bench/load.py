"""The load: calls of the simulator as a competent switch would send them, and sending them to Kafka."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import count
from time import time

import msgspec

from agents.sources.callcenter import CallCenter, scaled
from agents.sources.demo import demo
from agents.sources.sender import connect
from agents.sources.simulator import simulate


class Message(msgspec.Struct):
    """One event, ready to be sent."""

    key: bytes
    value: bytes


def calls(events: int, contacts_per_second: float, center: CallCenter | None = None) -> list[Message]:
    """Return that many events of contacts, of the demo unless another is given, the last about now."""
    encode = msgspec.json.encode
    made: list[Message] = []
    seconds = events / (contacts_per_second * 4)
    for _, event in simulate(scaled(center or demo(), contacts_per_second), 1, int((time() - seconds) * 1000)):
        if event["type"].startswith("contact."):
            made.append(Message(event["contact_id"].encode(), encode(event)))
            if len(made) == events:
                break
    return made


def even(events: int, queues: int, open_contacts: int, per_second: float) -> Iterator[Message]:
    """Yield events of contacts that are queued, answered and ended, evenly over ``queues``, the last about now.

    Once that many have begun, ``open_contacts`` are open at any moment, one in ten of them waiting.
    """
    encode, began = msgspec.json.encode, time() - events / per_second
    steps = ((0, "contact.queued"), (open_contacts // 10, "contact.answered"), (open_contacts, "contact.ended"))
    made = 0
    for number in count():
        for behind, kind in steps:
            if number < behind:
                continue
            if made == events:
                return
            contact = number - behind
            event = {
                "id": f"{contact}-{behind}",
                "type": kind,
                "time": datetime.fromtimestamp(began + made / per_second, UTC).isoformat(timespec="milliseconds"),
                "contact_id": f"contact-{contact}",
                "channel": "voice",
                "queue": f"queue-{contact % queues}",
                "agent_id": f"agent-{contact % 1000}",
            }
            made += 1
            yield Message(str(event["contact_id"]).encode(), encode(event))


def send(kafka: str, topic: str, messages: Iterable[Message]) -> None:
    """Send all of them and wait until Kafka has them."""

    async def sending() -> None:
        async with connect(kafka, [topic]) as sender:
            for message in messages:
                await sender.add(topic, message.key, message.value)
            await sender.drain(60)

    asyncio.run(sending())
