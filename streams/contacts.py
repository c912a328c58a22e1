"""The open contacts of one partition: events in, facts measured, timers run by the watermark."""

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import Any, Final

import msgspec
from msgspec import UNSET

from streams.contact import (
    LOST,
    STAYS,
    WAITING,
    Fact,
    Place,
    Step,
    Walk,
    advance,
    difference,
    expiry,
    facts,
    is_aside,
)
from streams.events import ContactEvent, EventError
from streams.kinds import ANSWERED, BOT_SENT, KIND_OF, LEFT, OFFERED, QUEUED, RESOLVED, SENT, Kind
from streams.measures import RECORDERS
from streams.partition import Change, Limits, Partition
from streams.policy import DAY_MS, Policies, Promise, Terms
from streams.summary import Summary, counts_here, messages, summary_of
from streams.told import TICKETS, pass_on

#: The name under which all are counted beyond the limit: queues that queues.yaml does not list, and subjects.
OTHER: Final = "other"

_NEVER: Final = 1 << 62

#: Places that are none of a queue are held to nothing.
ANY_PROMISE: Final = Promise()

#: As many contacts are settled in one commit, lest a watermark that jumps a day keeps Redis busy for seconds.
MOST_SETTLED: Final = 20_000


class Contact:
    """One open contact: the set of its events, and the walk through them."""

    __slots__ = ("born", "customer", "due", "keep_until", "last", "opened", "seen", "shown", "steps", "told", "walk")

    def __init__(self, seen: int, keep_until: int = 0) -> None:
        #: The time of the event that came first, which tells two lives under one id apart.
        self.born = seen
        #: The time of its earliest event.
        self.opened = seen
        #: The first event that names the customer, and the customer.
        self.customer: tuple[int, str, str] | None = None
        #: What the customers' partition was told of it, or what was counted here in place of that.
        self.told: Summary | None = None
        self.steps: dict[str, Step] = {}
        self.walk = Walk()
        self.last: Step | None = None
        #: The time of its latest event, of whatever kind.
        self.seen = seen
        #: Not settled before the watermark gets here: the rest of a contact that comes late may come as well.
        self.keep_until = keep_until
        #: When its timer rings next.
        self.due = _NEVER
        #: The wait that the board was told of.
        self.shown: tuple[Place, int] | None = None


class PackedContact(msgspec.Struct, array_like=True):
    """An open contact as the store keeps it."""

    seen: int
    keep_until: int
    lost_at: int
    steps: list[Step]
    born: int
    customer: tuple[int, str, str] | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(PackedContact).decode


class ContactPartition(Partition):
    """Counts the contacts of one partition."""

    def __init__(
        self,
        policies: Policies,
        limits: Limits,
        *,
        watermark: int | None = None,
        places: Mapping[Place, object] | None = None,
        packed: Mapping[str, bytes] | None = None,
        settled: Iterable[int] = (),
        terms: Terms | None = None,
    ) -> None:
        """Start from what was committed: watermark, places known, open contacts, hours with settled ids, terms."""
        super().__init__(limits, watermark, settled)
        self.policies = policies
        self.contacts: dict[str, Contact] = {}
        self._timers: list[tuple[int, str]] = []
        self._settled_now = 0
        #: subject -> when it was last seen
        self._subjects: dict[str, int] = {}
        self._names = {queue: queue for queue, _ in places or {}} | {queue: queue for queue in policies.queues}
        self._unlisted = len(set(self._names) - set(policies.queues) - {OTHER})
        for contact_id, data in (packed or {}).items():
            self._unpack(contact_id, data)
        if terms is not None and terms != policies.terms:
            self._judge_anew(terms)

    def _judge_anew(self, terms: Terms) -> None:
        """Count the open contacts by today's terms: what is taken back of them later must be what was counted."""
        before = {queue: Promise(threshold_ms=term[0], short_abandon_ms=term[1]) for queue, term in terms.items()}
        for contact in self.contacts.values():
            for sign, name, at, place, duration in self._facts_of(contact):
                if is_aside(place):
                    continue
                row, promise = self._row(at, place), before.get(place[0], before[""])
                RECORDERS[name](row, -sign, at, duration, promise)
                RECORDERS[name](row, sign, at, duration, self.policies.of(place[0]))

    def _count(self, event: ContactEvent, at: int) -> None:
        contact_id, kind = event.contact_id, KIND_OF[type(event)]
        contact = self.contacts.get(contact_id)
        if kind >= RESOLVED and (contact is None or not _is_begun(contact)):
            self._pass_on(event, at)
            return
        if contact is None:
            contact = self._open(contact_id, at)
        elif self.watermark is not None and contact.due <= self.watermark:
            # Its timer was left to the next commit; for this event it must have rung.
            self._ring(contact_id, contact, self.watermark)
            self._count(event, at)
            return
        elif at > contact.seen:
            contact.seen = at
        elif event.id not in contact.steps:
            # It may be open for the second time: settled before, and come back since.
            try:
                self._refuse_if_over(contact_id, at)
            except EventError:
                if kind < RESOLVED:
                    raise
                self._pass_on(event, at)
                return
            contact.opened = min(contact.opened, at)
        self._change.open[contact_id] = b""  # packed when the change is taken
        # The first event that names the customer decides, in whatever order they come.
        customer = contact.customer
        if (customer is None or at <= customer[0]) and event.customer_id:
            self._name_customer(contact, (at, event.id, event.customer_id))
        self._add(contact_id, contact, self._step(event, at, kind))

    def _name_customer(self, contact: Contact, named: tuple[int, str, str]) -> None:
        if named[1] not in contact.steps and (contact.customer is None or named < contact.customer):
            contact.customer = named

    def _step(self, event: Any, at: int, kind: int) -> Step:
        """Return an event as its contact remembers it."""
        detail = by = ""
        if kind == QUEUED:
            detail = self._name(event.queue)
            if event.subject:
                by = self._subject(event.subject, at)
        elif OFFERED <= kind <= ANSWERED:  # with DECLINED in between
            by = event.agent_id
        elif kind == LEFT:
            detail = event.reason
        elif kind == SENT:
            if event.sender == "bot":
                kind = BOT_SENT
            else:
                by = event.agent_id or ""
        elif kind >= RESOLVED:
            automated = "" if event.automated is UNSET else event.automated
            detail = f"{automated} {'' if event.cost is UNSET else event.cost}"
            by = event.agent_id or ""
        return (at, kind, event.id, detail, event.channel, by)

    def _pass_on(self, event: ContactEvent, at: int) -> None:
        """Tell the customers' partition what is said of the matter of a contact that is not open (any more)."""
        if self.watermark is not None and at < self.watermark - self.limits.remember_ms:
            raise EventError("too_late", "older than the ids that are remembered")
        self._change.told.update(pass_on(event))

    def take(self) -> Change:
        """Return what changed since the last call, the open contacts packed."""
        for contact_id, packed in self._change.open.items():
            if packed is not None:
                contact = self.contacts[contact_id]
                if contact.walk.ended is not None or contact.told is not None or _is_ticket(contact):
                    self._tell(contact_id, contact)
                self._change.open[contact_id] = _pack(contact)
        self._settled_now = 0
        return super().take()

    def _open(self, contact_id: str, at: int) -> Contact:
        self._refuse_if_over(contact_id, at)
        late = self.watermark is not None and at < self.watermark - self.limits.settling_ms
        keep_until = (self.watermark or 0) + self.limits.settling_ms if late else 0
        contact = self.contacts[contact_id] = Contact(at, keep_until)
        self._set_timer(contact_id, contact)
        return contact

    def _name(self, queue: str) -> str:
        """Return the name that ``queue`` is counted under."""
        name = self._names.get(queue)
        if name is None:
            if self._unlisted >= self.limits.unlisted_queues:
                return OTHER
            self._unlisted += 1
            name = self._names[queue] = queue
        return name

    def _subject(self, subject: str, at: int) -> str:
        """Return the name that ``subject`` is counted under."""
        known = self._subjects
        if subject not in known and len(known) >= self.limits.subjects:
            newest = max(known.values())
            if min(known.values()) > newest - DAY_MS:
                return OTHER
            self._subjects = known = {name: seen for name, seen in known.items() if seen > newest - DAY_MS}
        known[subject] = max(at, known.get(subject, 0))
        return subject

    def _tell(self, contact_id: str, contact: Contact, *, over: bool = False) -> None:
        """Tell what became of a contact that is closed, or a ticket, or ``over``; take back what no longer holds."""
        before, after = contact.told, _summary(contact, over=over)
        if after == before:
            return
        if before is not None and counts_here(before):
            self._note(before.facts(-1))
        if after is not None and counts_here(after):
            self._note(after.facts(1))
        self._change.told.update(messages(contact_id, contact.born, len(contact.steps), before, after, over=over))
        contact.told = after

    def _add(self, contact_id: str, contact: Contact, step: Step) -> None:
        """Add an event to the set of its contact and note what follows."""
        if step[2] in contact.steps:
            return
        noted: list[Fact] = []
        if contact.last is None or step > contact.last:
            contact.last = step
            contact.steps[step[2]] = step
            advance(contact.walk, step, noted)
            if STAYS[step[1]]:
                if noted:
                    self._note(noted)
                return
        else:
            noted = self._insert(contact, step)
        if noted:
            self._note(noted)
        waiting = contact.walk.state is WAITING
        if waiting or contact.shown is not None:
            self._show(contact_id, contact)
        # In every other state the timer that was set rings early enough.
        if waiting or contact.walk.ended is not None:
            self._set_timer(contact_id, contact)

    def _insert(self, contact: Contact, step: Step) -> list[Fact]:
        """Add an event that comes before one already seen; return facts(with it) - facts(without it)."""
        before = self._facts_of(contact)
        contact.steps[step[2]] = step
        contact.walk, after = facts(contact.steps.values())
        self._expire(contact, after)
        return difference(after, before)

    def _facts_of(self, contact: Contact) -> list[Fact]:
        """Return what is noted of a contact."""
        walk, noted = contact.walk, facts(contact.steps.values())[1]
        if walk.state is LOST:
            noted.append((1, "lost", walk.lost_at, walk.place, walk.lost_at - walk.since))
        return noted

    def _expire(self, contact: Contact, noted: list[Fact]) -> None:
        """Note a wait as lost once the watermark has passed the longest credible one."""
        walk = contact.walk
        if walk.state is WAITING:
            step = expiry(walk, self.policies.of(walk.place[0]).longest_credible_wait_ms)
            if self.watermark is not None and step[0] <= self.watermark:
                advance(walk, step, noted)

    def _note(self, noted: list[Fact]) -> None:
        """Add what the facts measure to the rows they count in."""
        promise_of, row_of, row_aside = self.policies.of, self._row, self._row_aside
        for sign, name, at, place, duration in noted:
            if place[1][0] == "@":
                RECORDERS[name](row_aside(at, place), sign, at, duration, ANY_PROMISE)
            else:
                RECORDERS[name](row_of(at, place), sign, at, duration, promise_of(place[0]))

    def _show(self, contact_id: str, contact: Contact) -> None:
        """Tell the board if the contact began or stopped waiting."""
        walk = contact.walk
        shown = (walk.place, walk.since) if walk.state is WAITING else None
        if shown != contact.shown:
            contact.shown = shown
            self._change.now[contact_id] = (*walk.place, walk.since) if shown else None

    def _set_timer(self, contact_id: str, contact: Contact) -> None:
        """Have the timer ring early enough; if it rings too early, it is set anew."""
        due = self._due(contact)
        if due < contact.due:
            contact.due = due
            heappush(self._timers, (due, contact_id))
            # Timers that were set anew are dropped once they are most of all: a wait's runs hours, a call only minutes.
            if len(self._timers) > 4 * len(self.contacts) + 1_000:
                self._timers = [(contact.due, name) for name, contact in self.contacts.items() if contact.due < _NEVER]
                heapify(self._timers)

    def _due(self, contact: Contact) -> int:
        """Return the watermark at which something happens to the contact by itself."""
        walk, limits = contact.walk, self.limits
        if walk.state is WAITING:
            return walk.since + self.policies.of(walk.place[0]).longest_credible_wait_ms
        if contact.last is not None and contact.last[4] in TICKETS:
            due = contact.seen + (limits.ticket_ms if walk.ended is None else limits.remember_ms)
        elif walk.ended is None:
            due = contact.seen + limits.open_ms
        else:
            # From its latest event, not its end: what followed the end may say more once the rest has come.
            last = max(contact.seen, walk.ended + limits.wrap_up_ms) if walk.work else contact.seen
            # One more, for "behind by more than the settling time" and "settled" have to meet without a gap.
            due = last + limits.settling_ms + 1
        return max(due, contact.keep_until)

    def _on_watermark(self, watermark: int) -> None:
        while self._timers and self._timers[0][0] <= watermark and self._settled_now < MOST_SETTLED:
            due, contact_id = heappop(self._timers)
            contact = self.contacts.get(contact_id)
            if contact is not None and contact.due == due:
                self._ring(contact_id, contact, watermark)

    def _ring(self, contact_id: str, contact: Contact, watermark: int) -> None:
        contact.due = _NEVER
        noted: list[Fact] = []
        self._expire(contact, noted)
        if noted:
            self._note(noted)
            self._change.open[contact_id] = b""
        if contact.walk.state is not WAITING and self._due(contact) <= watermark:
            if contact.walk.ended is None or contact_id in self._change.open:
                self._tell(contact_id, contact, over=True)
            del self.contacts[contact_id]
            if contact.shown is not None:
                self._change.now[contact_id] = None
            self._settle(contact_id)
            self._settled_now += 1
        else:
            self._show(contact_id, contact)
            self._set_timer(contact_id, contact)

    def _unpack(self, contact_id: str, data: bytes) -> None:
        packed = _decode(data)
        contact = self.contacts[contact_id] = Contact(packed.seen, packed.keep_until)
        contact.steps = {step[2]: step for step in packed.steps}
        contact.walk, _ = facts(packed.steps)
        if packed.lost_at:
            advance(contact.walk, (packed.lost_at, Kind.EXPIRED, "", "", "", ""), [])
        contact.born, contact.customer = packed.born, packed.customer
        contact.last, contact.opened = max(packed.steps), min(packed.steps)[0]
        walk = contact.walk
        contact.shown = (walk.place, walk.since) if walk.state is WAITING else None
        contact.told = _summary(contact)
        contact.due = self._due(contact)
        heappush(self._timers, (contact.due, contact_id))


def _is_begun(contact: Contact) -> bool:
    """Tell whether it queued or ended, or is a ticket. If not, it may be a straggler of one that is settled already."""
    return bool(contact.walk.place[0]) or contact.walk.ended is not None or _is_ticket(contact)


def _is_ticket(contact: Contact) -> bool:
    return contact.last is not None and contact.last[4] in TICKETS


def _summary(contact: Contact, *, over: bool = False) -> Summary | None:
    """Return what there is to tell of a contact, None while there is nothing."""
    if contact.last is None or not _is_begun(contact):
        return None
    if not (over or contact.walk.ended is not None or _is_ticket(contact)):
        return None
    customer = contact.customer[2] if contact.customer else ""
    return summary_of(contact.walk, contact.opened, contact.last[4], customer)


def _pack(contact: Contact) -> bytes:
    lost_at = contact.walk.lost_at if contact.walk.state is LOST else 0
    steps = tuple(contact.steps.values())
    # The fields of a PackedContact, as which it is read: a tuple is written the same, and made faster.
    return _encode((contact.seen, contact.keep_until, lost_at, steps, contact.born, contact.customer))
