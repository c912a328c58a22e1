"""No resolution of a contact gets lost on its way to its customer, whatever order and however often its events come."""

import random
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from streams import events as ev
from streams.customer import History
from streams.customers import CustomerPartition
from streams.partition import Change, Limits
from streams.policy import DAY_MS
from streams.told import unpack
from tests.faults.load import Round
from tests.generate import BEGIN, POLICIES
from tests.unit.desk import Desk


class Teller(Desk):
    """A desk that commits and restarts now and then, and keeps what the customers' partition is told."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(POLICIES)
        self._rng = rng
        self.outbox: dict[str, bytes] = {}
        self.told: list[bytes] = []

    def repeat(self, message: dict[str, Any]) -> None:
        """Count an event (again); settled ids are asked of the store between two commits, as a worker does."""
        if self.partition.hours_wanted([ev.milliseconds(datetime.fromisoformat(message["time"]))]):
            self._commit()
        super().repeat(message)

    def commit(self) -> Change:
        """Commit some events together."""
        return Change() if self._rng.random() < 0.95 else self._commit()

    def _commit(self) -> Change:
        """Commit; some of what is told is sent before the next."""
        change = super().commit()
        self.outbox |= change.told
        if self._rng.random() < 0.5:
            self.send()
        if self._rng.random() < 0.1:
            self.restart()
        return change

    def close(self, at: int) -> None:
        """Carry the watermark on, commit and send all that is left."""
        self.partition.advance(at)
        self.outbox |= super().commit().told
        self.send()

    def send(self) -> None:
        """Send all that was committed, some of it twice."""
        for message in self.outbox.values():
            self.told += [unpack(message).value] * self._rng.choice([1, 1, 2])
        self.outbox.clear()


def resolved_of(messages: list[bytes]) -> set[str]:
    """Return the contacts that a partition of customers has as resolved, once it was told ``messages``."""
    partition, kept = CustomerPartition(Limits()), dict[str, bytes]()
    for message in messages:
        event = ev.decode(ev.CUSTOMERS, message)
        partition.count(event, ev.milliseconds(event.time), BEGIN + DAY_MS)
        for name, packed in partition.take().open.items():
            if packed is None:
                kept.pop(name, None)
            else:
                kept[name] = packed
    histories = [msgpack.decode(packed, type=History) for packed in kept.values()]
    return {contact.id for each in histories for contact, known in each.stories() if known.resolved is not None}


@given(st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_every_resolution_is_told_however_the_events_come(seed: int) -> None:
    rng, part = random.Random(seed), Round(seed, 0, 40)
    desk = Teller(rng)
    for arrival in part.arrivals:
        try:
            desk.repeat(arrival.event)
        except ev.EventError as error:
            assert error.reason == "settled"  # noqa: PT017 -- the only reason it may have
    desk.close(part.close)
    rng.shuffle(desk.told)
    resolved = resolved_of(desk.told)
    assert part.over <= resolved <= part.resolved
