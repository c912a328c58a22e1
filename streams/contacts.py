"""The open contacts of one partition: events in, facts measured, timers run by the watermark."""

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from operator import sub
from typing import Any, Final

from streams.contact import WAITING, Fact, Place, Step, advance, difference, expiry, facts, hear, is_aside
from streams.events import ContactEvent, EventError
from streams.kinds import KIND_OF, RESOLVED
from streams.measures import RECORDERS
from streams.names import Names
from streams.opened import DETAILS, KIND_BITS, NEVER, Contact, pack, unpack
from streams.partition import Change, Limits, Partition
from streams.policy import Policies, Promise, Terms
from streams.summary import counts_here, messages
from streams.told import pass_on
from streams.windows import FINE_MS

#: Places that are none of a queue are held to nothing.
ANY_PROMISE: Final = Promise()

#: As many contacts are settled in one commit, lest a watermark that jumps a day keeps Redis busy for seconds.
MOST_SETTLED: Final = 20_000

#: Fewer events than these are counted one by one.
FEW: Final = 8


class ContactPartition(Partition):
    """Counts the contacts of one partition.

    A batch is counted contact by contact where that is sure to come to the same as event by event, in the order they
    came: where no event of it is late, and the timer of its contact does not ring meanwhile. What is looked up and
    noted for each contact is so done once a batch, and not for each of its events.
    """

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
        self.contacts = {contact_id: unpack(data) for contact_id, data in (packed or {}).items()}
        for contact in self.contacts.values():
            contact.due = self._due(contact)
        self._timers = [(contact.due, contact_id) for contact_id, contact in self.contacts.items()]
        heapify(self._timers)
        #: Those that have changed since the last commit.
        self._touched: dict[str, Contact] = {}
        self._settled_now = 0
        self._names = Names(limits, policies.queues, (queue for queue, _ in places or {}))
        if terms is not None and terms != policies.terms:
            self._judge_anew(terms)

    def _judge_anew(self, terms: Terms) -> None:
        """Count the open contacts by today's terms: what is taken back of them later must be what was counted."""
        before = {queue: Promise(threshold_ms=term[0], short_abandon_ms=term[1]) for queue, term in terms.items()}
        for contact in self.contacts.values():
            for sign, name, at, place, duration in contact.facts():
                if is_aside(place):
                    continue
                row, promise = self._row(at, place), before.get(place[0], before[""])
                RECORDERS[name](row, -sign, at, duration, promise)
                RECORDERS[name](row, sign, at, duration, self.policies.of(place[0]))

    @property
    def changed(self) -> bool:
        """Tell whether there is anything to commit but the watermark."""
        return bool(self._touched) or super().changed

    def count_all(self, events: Sequence[Any], times: Sequence[int], nows: Sequence[int]) -> dict[int, EventError]:
        """Count events, as ``Partition.count_all`` does."""
        if len(times) < FEW:
            return super().count_all(events, times, nows)
        if self._is_calm(times, nows):
            return self._count_by_contact(events, times)
        half = len(times) // 2
        refused = self.count_all(events[:half], times[:half], nows[:half])
        rest = self.count_all(events[half:], times[half:], nows[half:])
        return refused | {half + number: error for number, error in rest.items()}

    def _is_calm(self, times: Sequence[int], nows: Sequence[int]) -> bool:
        """Tell whether nothing among events of ``times`` is late, or ahead of now."""
        newest = max(times)
        latest = newest if self.watermark is None else max(newest, self.watermark)
        in_time = min(times) >= latest - self.limits.settling_ms
        return in_time and max(map(sub, times, nows)) <= self.limits.future_ms

    def _count_by_contact(self, events: Sequence[Any], times: Sequence[int]) -> dict[int, EventError]:
        refused: dict[int, EventError] = {}
        newest, contacts, watermark = max(times), self.contacts, self.watermark
        behind: list[tuple[str, Contact]] = []
        for number, (event, at) in enumerate(zip(events, times, strict=True)):
            contact_id, kind = event.contact_id, KIND_OF[type(event)]
            contact = contacts.get(contact_id)
            is_due = contact is not None and contact.due <= newest
            if is_due or kind >= RESOLVED:
                self.watermark = watermark
            if is_due or (kind >= RESOLVED and not self._hears(contact_id, contact)):
                try:
                    self._count(event, at)
                except EventError as error:
                    refused[number] = error
            else:
                if contact is None:
                    contact = contacts[contact_id] = Contact(at)
                if not contact.coming:
                    behind.append((contact_id, contact))
                self._add(contact, event, at, kind)
            if watermark is None or at > watermark:
                watermark = at
        self.watermark = watermark
        for contact_id, contact in behind:
            if contact.coming:
                self._follow(contact_id, contact)
        self._on_watermark(newest)
        return refused

    def _hears(self, contact_id: str, contact: Contact | None) -> bool:
        """Tell whether what is said of the matter is for a contact itself to hear, all that came before counted."""
        if contact is None:
            return False
        if contact.coming:
            self._follow(contact_id, contact)
        return contact.is_begun

    def _count(self, event: ContactEvent, at: int) -> None:
        contact_id, kind = event.contact_id, KIND_OF[type(event)]
        contact = self.contacts.get(contact_id)
        if contact is not None and contact.coming:
            self._follow(contact_id, contact)
        if kind >= RESOLVED and (contact is None or not contact.is_begun):
            self._pass_on(event, at)
            return
        if contact is None:
            contact = self._open(contact_id, at)
        elif self.watermark is not None and contact.due <= self.watermark:
            # Its timer was left to the next commit; for this event it must have rung.
            self._ring(contact_id, contact, self.watermark)
            self._count(event, at)
            return
        elif at <= contact.seen and not contact.holds(event.id):
            # It may be open for the second time: settled before, and come back since.
            try:
                self._refuse_if_over(contact_id, at)
            except EventError:
                if kind < RESOLVED:
                    raise
                self._pass_on(event, at)
                return
        self._add(contact, event, at, kind)
        self._follow(contact_id, contact)

    def _add(self, contact: Contact, event: Any, at: int, kind: int) -> None:
        """Add an event to those of its contact that have come."""
        if at > contact.seen:
            contact.seen = at
        elif at < contact.opened and not contact.knows(event.id):
            contact.opened = at
        # The first event that names the customer decides, in whatever order they come.
        customer = contact.customer
        if (customer is None or at <= customer[0]) and event.customer_id:
            contact.name_customer((at, event.id, event.customer_id))
        details = DETAILS[kind]
        step = (at, kind, event.id, "", event.channel, "") if details is None else details(event, at, kind, self._names)
        if contact.coming is None:
            contact.coming = [step]
        else:
            contact.coming.append(step)

    def _pass_on(self, event: ContactEvent, at: int) -> None:
        """Tell the customers' partition what is said of the matter of a contact that is not open (any more)."""
        if self.watermark is not None and at < self.watermark - self.limits.remember_ms:
            raise EventError("too_late", "older than the ids that are remembered")
        self._change.told.update(pass_on(event))

    def take(self) -> Change:
        """Return what changed since the last call, the open contacts packed."""
        for contact_id, contact in self._touched.items():
            if contact.walk.ended is not None or contact.told is not None or contact.is_ticket:
                self._tell(contact_id, contact)
            self._change.open[contact_id] = pack(contact)
        self._touched = {}
        self._settled_now = 0
        return super().take()

    def _open(self, contact_id: str, at: int) -> Contact:
        self._refuse_if_over(contact_id, at)
        late = self.watermark is not None and at < self.watermark - self.limits.settling_ms
        keep_until = (self.watermark or 0) + self.limits.settling_ms if late else 0
        contact = self.contacts[contact_id] = Contact(at, keep_until)
        return contact

    def _tell(self, contact_id: str, contact: Contact, *, over: bool = False) -> None:
        """Tell what became of a contact that is closed, or a ticket, or ``over``; take back what no longer holds."""
        before, after = contact.told, contact.summary(over=over)
        if after == before:
            return
        if before is not None and counts_here(before):
            self._note(before.facts(-1))
        if after is not None and counts_here(after):
            self._note(after.facts(1))
        self._change.told.update(messages(contact_id, contact.born, contact.count, before, after, over=over))
        contact.told = after

    def _follow(self, contact_id: str, contact: Contact) -> None:
        """Take what has come of a contact into the set of its events, and note what follows."""
        noted: list[Fact] = []
        for step in contact.coming or ():
            if contact.packed and contact.holds(step[2]):
                continue
            rank = step[0] << KIND_BITS | step[1]
            if step[1] >= RESOLVED:
                contact.keep(step)
                hear(contact.walk, step)
            elif rank > contact.rank or contact.is_next(step):
                contact.keep(step)
                contact.rank, contact.channel = rank, step[4]
                advance(contact.walk, step, noted)
            else:
                noted += self._insert(contact, step)
        contact.coming = None
        self._touched[contact_id] = contact
        self._note(noted)
        waiting = contact.walk.state is WAITING
        if waiting or contact.shown is not None:
            self._show(contact_id, contact)
        # In every other state the timer that was set rings early enough.
        if waiting or contact.walk.ended is not None or contact.due == NEVER:
            self._set_timer(contact_id, contact)

    def _insert(self, contact: Contact, step: Step) -> list[Fact]:
        """Add an event that comes before one already seen; return facts(with it) - facts(without it)."""
        before = contact.facts()
        contact.keep(step)
        contact.walk, after = facts(contact.steps())
        self._expire(contact, after)
        return difference(after, before)

    def _expire(self, contact: Contact, noted: list[Fact]) -> None:
        """Note a wait as lost once the watermark has passed the longest credible one."""
        walk = contact.walk
        if walk.state is WAITING:
            step = expiry(walk, self.policies.of(walk.place[0]).longest_credible_wait_ms)
            if self.watermark is not None and step[0] <= self.watermark:
                advance(walk, step, noted)

    def _note(self, noted: list[Fact]) -> None:
        """Add what the facts measure to the rows they count in."""
        deltas, promises, default = self._change.deltas, self.policies.queues, self.policies.default
        for sign, name, at, place, duration in noted:
            if place[1][0] == "@":
                RECORDERS[name](self._row_aside(at, place), sign, at, duration, ANY_PROMISE)
                continue
            places = deltas.get(at // FINE_MS)
            row = None if places is None else places.get(place)
            if row is None:
                row = self._row(at, place)
            RECORDERS[name](row, sign, at, duration, promises.get(place[0], default))

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
                self._timers = [(contact.due, name) for name, contact in self.contacts.items() if contact.due < NEVER]
                heapify(self._timers)

    def _due(self, contact: Contact) -> int:
        """Return the watermark at which something happens to the contact by itself."""
        walk, limits = contact.walk, self.limits
        if walk.state is WAITING:
            return walk.since + self.policies.of(walk.place[0]).longest_credible_wait_ms
        if contact.is_ticket:
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
        contact.due = NEVER
        noted: list[Fact] = []
        self._expire(contact, noted)
        if noted:
            self._note(noted)
            self._touched[contact_id] = contact
        due = NEVER if contact.walk.state is WAITING else self._due(contact)
        if due <= watermark:
            if contact.walk.ended is None or contact_id in self._touched:
                self._tell(contact_id, contact, over=True)
            del self.contacts[contact_id]
            self._touched.pop(contact_id, None)
            if contact.shown is not None:
                self._change.now[contact_id] = None
            self._settle(contact_id, due)
            self._settled_now += 1
        else:
            self._show(contact_id, contact)
            self._set_timer(contact_id, contact)
