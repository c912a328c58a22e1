"""What is told to the customers' partition: committed first, then sent until Kafka has it, then forgotten."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import pytest

from agents.processors import outbox as module
from agents.processors.insistence import Troubles
from agents.processors.outbox import Outbox
from agents.processors.processor import Processor, RefusedError
from agents.store import Beat, Commit, Delta
from agents.store.memory import MemoryStore
from streams import events as ev
from streams.events import Outcome
from streams.told import Message, tell, told, unpack
from tests.unit.counted import NAME, START, FakeRecord, Office, Posted, bounds, context_of, processor_of, record

pytestmark = pytest.mark.usefixtures("steady")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITS_S", (0.01,))


def told_of(contact: str, offset: int = 0, at: int = 0) -> list[FakeRecord]:
    """Return the records of a call of a customer, from the queue to its end."""
    return [
        record(offset, "queued", contact, at, queue="sales", customer_id=f"of-{contact}"),
        record(offset + 1, "answered", contact, at + 1_000, agent_id="ann"),
        record(offset + 2, "ended", contact, at + 2_000),
    ]


async def until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within 5 s")


async def outbox_of(store: MemoryStore) -> dict[str, bytes]:
    return (await store.load(NAME)).outbox


def contacts(messages: Sequence[Message]) -> list[str]:
    """Return whom the messages tell of; each must go where its customer's others go."""
    found = [ev.decode(ev.CUSTOMERS, message.value) for message in messages]
    assert [message.key for message in messages] == [event.customer_id.encode() for event in found]
    return [event.contact_id for event in found]


async def test_a_closed_contact_is_told_once_it_is_committed_and_then_forgotten() -> None:
    store, post = MemoryStore(), Posted()
    processor = await processor_of(context_of(store, Office(), post=post))
    await processor.process(told_of("c1"), 3)
    (message,) = (await outbox_of(store)).values()
    await until(lambda: bool(post.messages))
    assert post.messages == [unpack(message)]
    assert contacts(post.messages) == ["c1"]
    await processor.tick(3)
    assert await outbox_of(store) == {}
    await processor.tick(3)
    assert len(post.messages) == 1


async def test_what_kafka_did_not_take_is_sent_until_it_does() -> None:
    store, post = MemoryStore(), Posted()
    post.error = ConnectionError("Kafka is away")
    processor = await processor_of(context_of(store, Office(), post=post))
    await processor.process(told_of("c1"), 3)
    await processor.process(told_of("c2", 3, 10_000), 6)
    await asyncio.sleep(0.05)
    await processor.tick(6)
    assert len(await outbox_of(store)) == 2
    post.error = None
    await until(lambda: len(post.messages) == 2)
    await processor.tick(6)
    assert await outbox_of(store) == {}


async def test_the_next_owner_sends_what_the_last_one_committed_and_may_not_have_sent() -> None:
    store, away = MemoryStore(), Posted()
    away.error = ConnectionError("Kafka is away")
    killed = await processor_of(context_of(store, Office(), post=away))
    await killed.process(told_of("c1"), 3)
    killed.revoked = True
    post = Posted()
    processor = await processor_of(context_of(store, Office(), post=post))
    await until(lambda: bool(post.messages))
    assert contacts(post.messages) == ["c1"]
    await processor.tick(3)
    assert await outbox_of(store) == {}
    assert away.messages == []


async def test_what_was_sent_and_not_yet_forgotten_is_sent_again_by_the_next_owner() -> None:
    store, post = MemoryStore(), Posted()
    killed = await processor_of(context_of(store, Office(), post=post))
    await killed.process(told_of("c1"), 3)
    await until(lambda: len(post.messages) == 1)
    killed.revoked = True
    await processor_of(context_of(store, Office(), post=post))
    await until(lambda: len(post.messages) == 2)
    assert post.messages[0] == post.messages[1]


async def test_a_commit_that_is_refused_sends_nothing() -> None:
    store, post = MemoryStore(), Posted()
    processor = await processor_of(context_of(store, Office(), post=post))
    head = (await store.load(NAME)).head
    await store.commit(NAME, head, Commit(0, Delta({}, {}, {}), Beat(START, 0, 0, None)))
    with pytest.raises(RefusedError):
        await processor.process(told_of("c1"), 3)
    await asyncio.sleep(0.05)
    assert post.messages == []
    await processor.load(bounds(0, 3))
    await processor.process(told_of("c1"), 3)
    await until(lambda: bool(post.messages))
    assert contacts(post.messages) == ["c1"]


class Slow(Posted):
    """Takes what it is told to, one message after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()

    async def send(self, messages: Sequence[Message]) -> None:
        await self.free.wait()
        await super().send(messages)


def _pack(word: str) -> bytes:
    return msgspec.msgpack.encode(Message(b"key", word.encode()))


async def test_newer_words_are_sent_after_older_ones_and_only_the_newest_are_forgotten() -> None:
    post = Slow()
    outbox = Outbox("calls/0", post, lambda: False, Troubles(), {})
    old, new = _pack("old"), _pack("new")
    outbox.committed({"c1": old}, {})
    await asyncio.sleep(0.02)
    outbox.committed({"c1": new}, {})
    post.free.set()
    await until(lambda: len(post.messages) == 2)
    assert [message.value for message in post.messages] == [b"old", b"new"]
    await until(lambda: outbox.sent == {"c1": new})
    outbox.committed({}, {"c1": old})
    assert outbox.sent == {"c1": new}
    outbox.committed({}, {"c1": new})
    assert outbox.sent == {}


async def test_with_too_much_unsent_a_partition_says_that_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNSENT", 2)
    post = Posted()
    post.error = ConnectionError("Kafka is away")
    processor: Processor = await processor_of(context_of(MemoryStore(), Office(), post=post))
    full = [processor.full]
    for number in range(3):
        await processor.process(told_of(f"c{number}", number * 3, number * 1_000), 9)
    full.append(processor.full)
    assert full == [False, True]
    post.error = None
    await until(lambda: not processor.full)


def test_the_longest_that_can_be_told_is_read() -> None:
    longest = "\x01" * 256  # six bytes each, as JSON
    outcomes = [Outcome(number, longest[:250] + f"{number:06}", resolved=True) for number in range(1_000)]
    summary = told(
        longest,
        "messaging",
        version=1 << 53,
        opened=0,
        customer_id=longest,
        queue=longest[:128],
        subject=longest,
        answered_by=[longest] * 1_000,
        replies=1_000,
        outcomes=outcomes,
    )
    (message,) = tell(summary).values()
    event = ev.decode(ev.CUSTOMERS, unpack(message).value)
    assert event.outcomes[-1] == outcomes[-1]
