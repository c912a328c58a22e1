"""A customer's history: the set of what was told of them, and what became of each contact.

As with a contact, the facts are a pure function of a set: summaries of contacts, orders, comings and goings. The rules
for one contact are here, those for all of a customer's together are in ``streams.accounts``:

1. A contact is opened once. It is closed by its end or its resolution, whichever came first, and open again once
   reopened. What says nothing new (resolved while resolved, reopened while open) changes nothing.
2. Its resolution is the one that still holds. Its time is that from the opening, less the time it was resolved before.

Times are milliseconds since 1970, durations milliseconds.
"""

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from streams.contact import Place
from streams.events import ContactTold, Outcome
from streams.policy import Business
from streams.told import LIFE, TICKETS


class Windows(NamedTuple):
    """Within what time a customer comes back, and orders because of a contact."""

    return_ms: int = Business().return_window_ms
    order_ms: int = Business().order_window_ms


class Contact(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is known of one contact of a customer."""

    id: str
    version: int
    opened: int
    queue: str
    channel: str
    subject: str | None = None
    ended: int | None = None
    answered_by: tuple[str, ...] = ()
    replies: int = 0
    outcomes: tuple[Outcome, ...] = ()
    #: Whether a customer is known, rather than the contact alone.
    known: bool = True
    withdrawn: bool = False
    #: When the message came that told it.
    arrived: int = 0

    @property
    def life(self) -> tuple[str, int]:
        """Return what tells its lives apart, and from all other contacts'."""
        return self.id, self.version // LIFE

    @property
    def place(self) -> Place:
        """Return where it counts: its queue, or its channel alone where it has been to none."""
        return (self.queue, self.channel) if self.queue else (self.channel, "@channel")


class Moment(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Something that happened to a customer at one moment: ORDERS, CUSTOMERS_JOINED or CUSTOMERS_LEFT."""

    id: str
    at: int
    measure: int
    cents: int = 0
    arrived: int = 0


class Late(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was said of a contact after it was settled, and when the last message came that said it."""

    outcomes: tuple[Outcome, ...] = ()
    arrived: int = 0


class Story(msgspec.Struct, frozen=True, gc=False):
    """What became of a contact: the resolution that holds, time open until then, closing, reopenings, last news."""

    resolved: Outcome | None
    open_ms: int
    closed_at: int | None
    reopened: tuple[int, ...]
    costs: tuple[tuple[int, int], ...]
    latest: int


class History(msgspec.Struct, array_like=True):
    """What is remembered of one customer, and as of what its facts were noted."""

    #: When something becomes due by itself.
    due: int = 0
    #: The watermark, and the windows, by which the facts were noted last.
    noted: int = 0
    windows: Windows = Windows()
    contacts: dict[str, Contact] = {}
    moments: dict[str, Moment] = {}
    late: dict[str, Late] = {}

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to remember."""
        return not (self.contacts or self.moments or self.late)

    def stories(self) -> "Stories":
        """Return the contacts that are not withdrawn with what became of them, first opened first."""
        late = self.late
        if not self.contacts:
            return []
        if len(self.contacts) == 1:
            (contact,) = self.contacts.values()
            said = late.get(contact.id) if late else None
            return [] if contact.withdrawn else [(contact, story(contact, said.outcomes if said else ()))]
        contacts = sorted((each for each in self.contacts.values() if not each.withdrawn), key=_opening)
        if len({contact.id for contact in contacts}) < len(contacts):
            return self._of_lives(contacts)
        return [(each, story(each, late[each.id].outcomes if each.id in late else ())) for each in contacts]

    def _of_lives(self, contacts: "list[Contact]") -> "Stories":
        """Return the stories of ``contacts``, some of which have an id in common: lives that began after one another.

        A later life that was in no queue is what followed the one before, as a line of thanks: what is said in it is
        said of that one. What was said late is said of the life that was the latest then.
        """
        lives: dict[str, list[Contact]] = {}
        said: dict[tuple[str, int], list[Outcome]] = {}
        for contact in contacts:
            own = lives.setdefault(contact.id, [])
            if contact.queue or not own:
                own.append(contact)
            else:
                said.setdefault(own[-1].life, []).extend(contact.outcomes)
        for name, own in lives.items():
            for outcome in self.late[name].outcomes if name in self.late else ():
                begun = [each for each in own if each.opened <= outcome.at]
                said.setdefault((begun or own[:1])[-1].life, []).append(outcome)
        kept = sorted((contact for own in lives.values() for contact in own), key=_opening)
        return [(contact, story(contact, said.get(contact.life, ()))) for contact in kept]


#: Contacts with what became of them, in the order of their opening.
Stories = list[tuple[Contact, Story]]


def _opening(contact: Contact) -> tuple[int, str, int]:
    return contact.opened, contact.id, contact.version


def slot_of(history: History, told: ContactTold) -> str:
    """Return under which name of ``history.contacts`` a life of a contact stands, or is to stand."""
    if not history.contacts:
        return told.contact_id
    slot = f"{told.contact_id}\0{told.version // LIFE}"
    first = history.contacts.get(told.contact_id)
    if slot in history.contacts or (first is not None and first.version // LIFE != told.version // LIFE):
        return slot
    return told.contact_id


#: What is done first of what happened at one instant.
_SETTLES, _ENDS, _OPENS = range(3)


def story(contact: Contact, late: Collection[Outcome] = ()) -> Story:
    """Return what became of ``contact``: by what its summary tells, and by what was said ``late``."""
    if late or len(contact.outcomes) > 1 or (contact.outcomes and not contact.outcomes[0].resolved):
        return _walk(contact, late)
    # Resolved once at most, and nothing else was said: what the walk comes to, without it.
    opened, ended = contact.opened, contact.ended
    if not contact.outcomes:
        return Story(None, 0, ended, (), (), max(opened, ended or 0))
    resolved = contact.outcomes[0]
    at, cents = resolved.at, resolved.cost_cents
    open_ms = at - opened if at > opened else 0
    closed_at = at if ended is None or at < ended else ended
    latest = max(opened, at) if ended is None else max(opened, at, ended)
    return Story(resolved, open_ms, closed_at, (), ((at, cents),) if cents else (), latest)


def _walk(contact: Contact, late: Collection[Outcome]) -> Story:
    """Walk once through what happened to a contact of which something was said."""
    outcomes = {outcome.id: outcome for outcome in (*late, *contact.outcomes)}
    steps = [(each.at, _SETTLES if each.resolved else _OPENS, each.id) for each in outcomes.values()]
    if contact.ended is not None:
        steps.append((contact.ended, _ENDS, ""))
    resolved: Outcome | None = None
    closed_at: int | None = None
    reopened: list[int] = []
    since, open_ms = contact.opened, 0
    for at, kind, name in sorted(steps):
        if kind == _OPENS:
            if closed_at is None:
                continue
            if resolved is not None:
                since = at
            resolved = closed_at = None
            reopened.append(at)
        else:
            if kind == _SETTLES and resolved is None:
                resolved = outcomes[name]
                open_ms += max(0, at - since)
            closed_at = at if closed_at is None else closed_at
    costs = tuple((each.at, each.cost_cents) for each in outcomes.values() if each.cost_cents)
    latest = max(contact.opened, max(steps)[0])
    return Story(resolved, open_ms, closed_at, tuple(reopened), costs, latest)


def tickets(stories: Stories) -> dict[str, tuple[str, str, int]]:
    """Return the tickets that are open: contact -> queue, channel, opened."""
    found: dict[str, tuple[str, str, int]] = {}
    for contact, known in stories:
        if known.closed_at is None and contact.channel in TICKETS:
            found[contact.id] = (contact.queue, contact.channel, contact.opened)
    return found
