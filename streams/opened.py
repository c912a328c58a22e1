"""One open contact: the set of its events, the walk through them, and the form in which the store keeps it.

The events themselves are kept packed, as the store keeps them: as objects they take most of a worker's memory, and they
are looked at again only where one comes before others. Whether an event is among them is told by its packed id.
"""

from collections.abc import Callable
from sys import intern
from typing import Any, Final

import msgspec
from msgspec import UNSET

from streams.contact import LOST, WAITING, Fact, Place, Step, Walk, advance, facts, walked
from streams.kinds import BOT_SENT, RESOLVED, Kind
from streams.names import Names
from streams.summary import Summary, summary_of
from streams.told import TICKETS

#: A time that does not come.
NEVER: Final = 1 << 62

#: A time before all others.
NEVER_YET: Final = -NEVER

#: So many events of a contact are many: a call has five or six.
MANY: Final = 100

#: As many bits number the kinds of events.
KIND_BITS: Final = 5

_encode = msgspec.msgpack.Encoder().encode
_decode_steps = msgspec.msgpack.Decoder(list[Step]).decode


class Contact:
    """One open contact: the set of its events, and the walk through them."""

    __slots__ = (
        "born",
        "channel",
        "coming",
        "count",
        "customer",
        "due",
        "ids",
        "keep_until",
        "opened",
        "packed",
        "rank",
        "seen",
        "shown",
        "told",
        "walk",
    )

    def __init__(self, seen: int, keep_until: int = 0) -> None:
        #: The time of the event that came first, which tells two lives under one id apart.
        self.born = seen
        #: The time of its earliest event.
        self.opened = seen
        #: The first event that names the customer, and the customer.
        self.customer: tuple[int, str, str] | None = None
        #: What the customers' partition was told of it, or what was counted here in place of that.
        self.told: Summary | None = None
        #: Its events, one packed step behind the other, and how many they are.
        self.packed: bytes | bytearray = b""
        self.count = 0
        #: The ids of its events, once there are ``MANY``: to look through them all for each one would take ever longer.
        self.ids: set[str] | None = None
        #: What has come and is not among them yet; None where nothing has, for a list of its own takes 70 bytes.
        self.coming: list[Step] | None = None
        self.walk = Walk()
        #: The rank and the channel of the last of its steps, but for what is said of the matter.
        self.rank = NEVER_YET
        self.channel = ""
        #: The time of its latest event, of whatever kind.
        self.seen = seen
        #: Not settled before the watermark gets here: the rest of a contact that comes late may come as well.
        self.keep_until = keep_until
        #: When its timer rings next.
        self.due = NEVER
        #: The wait that the board was told of.
        self.shown: tuple[Place, int] | None = None

    @property
    def is_ticket(self) -> bool:
        """Tell whether somebody has to settle it."""
        return self.channel in TICKETS

    @property
    def is_begun(self) -> bool:
        """Tell whether it queued or ended, or is a ticket. If not, it may be a straggler of one settled already."""
        return bool(self.walk.place[0]) or self.walk.ended is not None or self.is_ticket

    def holds(self, event_id: str) -> bool:
        """Tell whether an event is among its steps."""
        if self.ids is not None:
            return event_id in self.ids
        # What is found may be something else, as a queue of that name.
        return _encode(event_id) in self.packed and any(step[2] == event_id for step in self.steps())

    def knows(self, event_id: str) -> bool:
        """Tell whether an event has come before."""
        return self.holds(event_id) or any(step[2] == event_id for step in self.coming or ())

    def keep(self, step: Step) -> None:
        """Add an event to its steps."""
        self.packed += _encode(step)
        self.count += 1
        if self.ids is not None:
            self.ids.add(step[2])
        elif self.count == MANY:
            self.expect_more()

    def expect_more(self) -> None:
        """Keep its many events so that one more takes no longer than before."""
        self.ids, self.packed = {step[2] for step in self.steps()}, bytearray(self.packed)

    def is_next(self, step: Step) -> bool:
        """Tell whether an event comes after all of its steps, but for what is said of the matter."""
        rank = rank_of(step)
        return rank > self.rank or (rank == self.rank and step > _last(self.steps()))

    def steps(self) -> list[Step]:
        """Return its steps, in the order in which they came."""
        return _decode_steps(_array_of(self.count) + self.packed)

    def name_customer(self, named: tuple[int, str, str]) -> None:
        """Remember who the customer is, as an event says, unless an earlier one has said so."""
        if self.customer is None or named < self.customer:
            new = not (self.packed or self.coming)
            if new or not self.knows(named[1]):
                self.customer = named

    def facts(self) -> list[Fact]:
        """Return what is noted of it."""
        walk, noted = self.walk, facts(self.steps())[1]
        if walk.state is LOST:
            noted.append((1, "lost", walk.lost_at, walk.place, walk.lost_at - walk.since))
        return noted

    def summary(self, *, over: bool = False) -> Summary | None:
        """Return what there is to tell of it, None while there is nothing; ``over`` if nothing will follow."""
        if not self.is_begun:
            return None
        if not (over or self.walk.ended is not None or self.is_ticket):
            return None
        customer = self.customer[2] if self.customer else ""
        return summary_of(self.walk, self.opened, self.channel, customer)


def _queued(event: Any, at: int, kind: int, names: Names) -> Step:
    subject = names.subject(event.subject, at) if event.subject else ""
    return (at, kind, event.id, names.queue(event.queue), event.channel, intern(subject))


def _by_agent(event: Any, at: int, kind: int, _names: Names) -> Step:
    return (at, kind, event.id, "", event.channel, intern(event.agent_id))


def _left(event: Any, at: int, kind: int, _names: Names) -> Step:
    return (at, kind, event.id, event.reason, event.channel, "")


def _sent(event: Any, at: int, kind: int, _names: Names) -> Step:
    if event.sender == "bot":
        return (at, BOT_SENT, event.id, "", event.channel, "")
    return (at, kind, event.id, "", event.channel, event.agent_id or "")


def _said(event: Any, at: int, kind: int, _names: Names) -> Step:
    automated = "" if event.automated is UNSET else event.automated
    cost = "" if event.cost is UNSET else event.cost
    return (at, kind, event.id, f"{automated} {cost}", event.channel, event.agent_id or "")


Details = Callable[[Any, int, int, Names], Step]

#: How an event is remembered, by its kind: (event, at, kind, names) -> step. None where it says no more than its kind.
DETAILS: Final[list[Details | None]] = [
    {
        Kind.QUEUED: _queued,
        Kind.OFFERED: _by_agent,
        Kind.DECLINED: _by_agent,
        Kind.ANSWERED: _by_agent,
        Kind.LEFT: _left,
        Kind.SENT: _sent,
        Kind.RESOLVED: _said,
        Kind.REOPENED: _said,
    }.get(kind)
    for kind in Kind
]


def rank_of(step: Step) -> int:
    """Return a number by which steps sort, but for those of one kind at one instant."""
    return step[0] << KIND_BITS | step[1]


def _last(steps: list[Step]) -> Step:
    return max(step for step in steps if step[1] < RESOLVED)


def _array_of(count: int) -> bytes:
    """Return what MessagePack writes before the elements of an array."""
    if count < 16:  # noqa: PLR2004 -- the sizes of MessagePack's three kinds of arrays
        return bytes((0x90 | count,))
    return b"\xdc" + count.to_bytes(2) if count < 1 << 16 else b"\xdd" + count.to_bytes(4)


class Packed(msgspec.Struct, array_like=True):
    """An open contact as the store keeps it."""

    seen: int
    keep_until: int
    lost_at: int
    steps: msgspec.Raw
    born: int
    customer: tuple[int, str, str] | None


_decode = msgspec.msgpack.Decoder(Packed).decode


def pack(contact: Contact) -> bytes:
    """Return what the store keeps of a contact."""
    lost_at = contact.walk.lost_at if contact.walk.state is LOST else 0
    steps = msgspec.Raw(_array_of(contact.count) + contact.packed)
    # The fields of a Packed, as which it is read: a tuple is written the same, and made faster.
    return _encode((contact.seen, contact.keep_until, lost_at, steps, contact.born, contact.customer))


def unpack(data: bytes) -> Contact:
    """Return a contact from what the store kept of it."""
    packed = _decode(data)
    contact = Contact(packed.seen, packed.keep_until)
    steps = _decode_steps(packed.steps)
    contact.count = len(steps)
    contact.packed = bytes(packed.steps)[len(_array_of(contact.count)) :]
    if contact.count >= MANY:
        contact.expect_more()
    walk, _ = walked(steps)
    if packed.lost_at:
        advance(walk, (packed.lost_at, Kind.EXPIRED, "", "", "", ""), [])
    contact.walk, contact.born, contact.customer = walk, packed.born, packed.customer
    last = _last(steps)
    contact.rank, contact.channel = rank_of(last), last[4]
    contact.opened = min(steps)[0]
    contact.shown = (walk.place, walk.since) if walk.state is WAITING else None
    contact.told = contact.summary()
    return contact
