"""The customers of one partition: what was told of contacts and orders in, facts measured, timers by the watermark.

What comes was committed elsewhere before it was told, so nothing is refused for being late. It comes at least once, and
in any order: a customer's ``History`` is a set, so that adds nothing. What is over is kept for weeks after it came, by
the broker's clock: in a replay one partition of contacts may be months ahead of another, which must not be forgotten.
A history at rest is kept packed: there are far more customers than those who are heard of at any moment.
"""

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import Final

import msgspec

from streams.accounts import Accounts, account_alone, accounts, difference, facts, next_final, note, note_told
from streams.contact import Place, is_aside
from streams.customer import Contact, History, Late, Moment, Stories, Story, Windows, slot_of, story, tickets
from streams.events import (
    ContactReopened,
    ContactResolved,
    ContactTold,
    CustomerEvent,
    CustomerJoined,
    CustomerLeft,
    Envelope,
    OrderPlaced,
)
from streams.measures import Measure, Row, add
from streams.partition import Change, Limits, Partition
from streams.policy import DAY_MS
from streams.told import TICKETS, cents, key_of, outcome_of

#: What is over is remembered for this long after what could follow from it: so late may anything come, or come again.
KEEP_MS: Final = 28 * DAY_MS

#: A ticket that nobody has touched for this long is forgotten, open as it is.
TICKET_MS: Final = 180 * DAY_MS

#: An id with more than this is no person, but shared by many: the rest of it counts as if no customer were known.
MOST_KEPT: Final = 200

#: As many timers ring in one commit, lest a watermark that jumps a week keeps Redis busy for seconds.
MOST_RUNG: Final = 5_000

#: The queue under which all are counted beyond the limit of those that queues.yaml does not list.
OTHER: Final = "other"

_NEVER: Final = 1 << 62

_MEASURES: Final[dict[type[Envelope], int]] = {
    OrderPlaced: int(Measure.ORDERS),
    CustomerJoined: int(Measure.CUSTOMERS_JOINED),
    CustomerLeft: int(Measure.CUSTOMERS_LEFT),
}

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(History).decode


class CustomerPartition(Partition):
    """Counts what becomes of the contacts of one partition of customers."""

    def __init__(
        self,
        limits: Limits,
        windows: Windows | None = None,
        *,
        watermark: int | None = None,
        queues: Iterable[str] = (),
        places: Iterable[Place] = (),
        packed: Mapping[str, bytes] | None = None,
    ) -> None:
        """Start from what was committed: watermark, places known, histories. ``queues`` are those of queues.yaml."""
        super().__init__(limits, watermark)
        self.windows = windows or Windows()
        self._keep_ms = KEEP_MS + max(self.windows)
        #: What nobody has heard of since the last commit, packed; and what somebody has.
        self._packed: dict[str, bytes] = dict(packed or {})
        self._awake: dict[str, History] = {}
        #: Whether anything may be remembered apart from the customer that it is of.
        self._any_apart = any("\0" in name for name in self._packed)
        self._rung = 0
        #: When the message came that is being counted.
        self._arrived = 0
        listed = set(queues)
        self._names = listed | {queue for queue, channel in places if not is_aside((queue, channel))}
        self._unlisted = len(self._names - listed - {OTHER, ""})
        self._timers = [(_decode(data).due, name) for name, data in self._packed.items()]
        heapify(self._timers)

    def count(self, event: Envelope, at: int, now: int) -> None:
        """Count one message as of ``at``, which came at ``now`` (both ms). Raise EventError ``future``."""
        self._arrived = now
        super().count(event, at, now)

    def take(self) -> Change:
        """Return what changed since the last call, the histories packed."""
        for name, history in self._awake.items():
            if history.empty:
                self._change.open[name] = None
                self._packed.pop(name, None)
            else:
                self._change.open[name] = self._packed[name] = _encode(history)
        self._awake.clear()
        self._rung = 0
        return super().take()

    def _count(self, event: ContactTold | ContactResolved | ContactReopened | CustomerEvent, at: int) -> None:
        if isinstance(event, ContactTold):
            self._count_contact(event)
        elif isinstance(event, CustomerEvent):
            self._count_moment(event, at)
        else:
            self._count_late(event, at)

    def _count_contact(self, event: ContactTold) -> None:
        key = key_of(event)
        name, history = self._find(key, event.contact_id)
        slot = slot_of(history, event)
        known = history.contacts.get(slot)
        if known is not None and known.version >= event.version:
            return
        contact = Contact(
            event.contact_id,
            event.version,
            event.opened,
            self._queue_name(event.queue or ""),
            event.channel,
            event.subject or None,
            event.ended if isinstance(event.ended, int) else None,
            event.answered_by,
            event.replies,
            event.outcomes,
            known=bool(event.customer_id) and name == key,
            withdrawn=event.withdrawn,
            arrived=self._arrived,
        )
        if history.empty and not contact.withdrawn:
            history.contacts[slot] = contact
            self._begin(name, history, contact)
            return
        noted = self._noted(history)
        history.contacts[slot] = contact
        self._renew(name, history, noted)

    def _count_late(self, event: ContactResolved | ContactReopened, at: int) -> None:
        name, history = self._find(key_of(event), event.contact_id)
        said = history.late.get(event.contact_id, Late())
        if any(outcome.id == event.id for outcome in said.outcomes):
            return
        noted = self._noted(history)
        history.late[event.contact_id] = Late((*said.outcomes, outcome_of(event, at)), self._arrived)
        self._renew(name, history, noted)

    def _count_moment(self, event: CustomerEvent, at: int) -> None:
        name, history = self._find(event.customer_id, event.id)
        if event.id in history.moments:
            return
        amount = cents(event.amount) if isinstance(event, OrderPlaced) and event.amount else 0
        noted = self._noted(history)
        history.moments[event.id] = Moment(event.id, at, _MEASURES[type(event)], amount, self._arrived)
        self._renew(name, history, noted)

    def _find(self, key: str, item: str) -> tuple[str, History]:
        """Return under which name something is remembered of a customer, and what: the key, unless that is full."""
        history = self._history(key)
        if item in history.contacts or item in history.moments or item in history.late:
            return key, history
        full = len(history.contacts) + len(history.moments) >= MOST_KEPT
        if full or self._any_apart:
            apart = f"{key}\0{item}"
            if full or apart in self._packed or apart in self._awake:
                self._any_apart = True
                return apart, self._history(apart)
        return key, history

    def _queue_name(self, queue: str) -> str:
        """Return the name that a queue counts under."""
        if queue in self._names or not queue:
            return queue
        if self._unlisted >= self.limits.unlisted_queues:
            return OTHER
        self._unlisted += 1
        self._names.add(queue)
        return queue

    def _history(self, name: str) -> History:
        """Return what is remembered under a name; whoever changes it has to keep it."""
        history = self._awake.get(name)
        if history is not None and not history.empty:
            return history
        data = self._packed.get(name) if history is None else None
        return History(due=_NEVER, windows=self.windows) if data is None else _decode(data)

    def _noted(self, history: History) -> tuple[Stories, Accounts]:
        """Return the stories of a history that is about to change, and its accounts as they were noted last."""
        stories = history.stories()
        return stories, accounts(history, stories, history.noted, history.windows)

    def _begin(self, name: str, history: History, contact: Contact) -> None:
        """Note the first contact of a customer, as most are: in fewer steps, what ``_renew`` comes to."""
        watermark, known = self.watermark or 0, story(contact)
        account = account_alone(contact, known, watermark, self.windows)
        note_told(self._row_of, account, 1)
        if known.closed_at is None:
            self._show(name, [], [(contact, known)])
        history.noted = watermark
        due = self._contact_end(contact, known) + 1
        if known.resolved is not None and contact.known and account.final is None:
            due = min(due, known.resolved.at + self.windows.return_ms)
        self._keep(name, history, due)

    def _renew(self, name: str, history: History, noted: tuple[Stories, Accounts]) -> Stories:
        """Note what follows as of now from a history that has changed, in place of ``noted``; return its stories."""
        was, gone = noted
        history.noted, history.windows = self.watermark or 0, self.windows
        stories = history.stories()
        found = accounts(history, stories, history.noted, history.windows)
        if gone:
            gone, found = difference(gone, found)
        if gone:
            for (at, place), row in facts(found, gone).items():
                if any(row.values()):
                    add(self._row_of(at, place), row)
        else:
            for account in found:
                note(self._row_of, account, 1)
        self._show(name, was, stories)
        self._keep(name, history, self._due(history, stories))
        return stories

    def _keep(self, name: str, history: History, due: int) -> None:
        """Remember a history, and to look at it again when the watermark is ``due``."""
        self._awake[name] = history
        self._change.open[name] = b""  # packed when the change is taken
        if due < history.due:
            heappush(self._timers, (due, name))
            history.due = due

    def _row_of(self, at: int, place: Place) -> Row:
        """Return the row of this change that something at ``at`` counts in, at whatever place."""
        return self._row_aside(at, place) if is_aside(place) else self._row(at, place)

    def _show(self, name: str, before: Stories, after: Stories) -> None:
        """Tell the board which tickets were opened and closed, each by whose it is: that may turn out to change."""
        was, now = tickets(before), tickets(after)
        if not was and not now:
            return
        for contact_id in was.keys() | now.keys():
            ticket = now.get(contact_id)
            if was.get(contact_id) != ticket:
                self._change.now[f"{name} {contact_id}"] = ticket

    def _on_watermark(self, watermark: int) -> None:
        while self._timers and self._timers[0][0] <= watermark and self._rung < MOST_RUNG:
            due, name = heappop(self._timers)
            history = self._history(name)
            if history.due == due:
                self._ring(name, history, watermark)

    def _ring(self, name: str, history: History, watermark: int) -> None:
        """Make final what has become so, and forget what is over."""
        self._rung += 1
        noted = self._noted(history)
        history.due = _NEVER
        stories = self._renew(name, history, noted)
        self._forget(history, stories, watermark)
        # What is forgotten still counts: it only shows no longer.
        left = history.stories()
        self._show(name, stories, left)
        self._keep(name, history, self._due(history, left))

    def _keep_until(self, history: History, stories: Stories) -> list[tuple[int, str, int]]:
        """Return all that is remembered: when it began, its name, and when it may be forgotten."""
        shown = {contact.life: known for contact, known in stories}
        ends = [
            (contact.opened, slot, self._contact_end(contact, shown.get(contact.life)))
            for slot, contact in history.contacts.items()
        ]
        keep_ms = self._keep_ms
        ends += [(each.at, each.id, max(each.at, each.arrived) + keep_ms) for each in history.moments.values()]
        for name in history.late.keys() - history.contacts.keys():
            late = history.late[name]
            latest = max(outcome.at for outcome in late.outcomes)
            ends.append((latest, name, max(latest, late.arrived) + keep_ms))
        return ends

    def _contact_end(self, contact: Contact, known: Story | None) -> int:
        """Return until when a contact is remembered; without a story it is one that shows no longer."""
        if known is None:
            return max(contact.opened, contact.arrived) + self._keep_ms
        is_open = known.closed_at is None and contact.channel in TICKETS
        return max(known.latest, contact.arrived) + (TICKET_MS if is_open else self._keep_ms)

    def _due(self, history: History, stories: Stories) -> int:
        """Return the watermark at which something of a history is due by itself."""
        end = self._oldest_end(history, stories)
        final = next_final(stories, history.noted, history.windows)
        return end + 1 if final is None or end < final else final

    def _oldest_end(self, history: History, stories: Stories) -> int:
        """Return until when the oldest of a history is remembered."""
        late, contacts = history.late, history.contacts
        told_of = not history.moments and (not late or late.keys() <= contacts.keys())
        if told_of and len(stories) == len(contacts) > 0:
            # All that is remembered are contacts with their stories, first opened first.
            first = stories[0]
            if len(stories) == 1 or first[0].opened < stories[1][0].opened:
                return self._contact_end(*first)
        return min(self._keep_until(history, stories), default=(0, "", _NEVER - 1))[2]

    def _forget(self, history: History, stories: Stories, watermark: int) -> None:
        """Forget what is over, the oldest first: what began later may have to do with what is still remembered."""
        for _, name, end in sorted(self._keep_until(history, stories)):
            if end >= watermark:
                break
            history.contacts.pop(name, None)
            history.moments.pop(name, None)
            history.late.pop(name, None)
