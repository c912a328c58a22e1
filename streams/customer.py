"""A customer's history: the set of what was told of them, and the facts that follow from it.

As with a contact, the facts are a pure function of a set: summaries of contacts, orders, comings and goings. The rules:

1. A contact is opened once. It is closed by its end or its resolution, whichever came first, and open again once
   reopened. What says nothing new (resolved while resolved, reopened while open) changes nothing.
2. Its resolution is the one that still holds. Its time is that from the opening, less the time it was resolved before.
3. It was resolved at first contact if it was never reopened and no other contact of the customer on the subject was
   opened between its own opening and the end of the window to come back, which begins with the resolution. A contact
   without a subject may be about any. Once the watermark has passed that window the answer is final.
4. The customer came back if their next contact, on whatever subject, was opened within the time, opening to opening.
5. A contact is converted by an order within the window for orders, which begins with its opening. An order counts where
   the last such contact was.
6. Where no customer is known, nothing is said of coming back.

Times are milliseconds since 1970, durations milliseconds. A fact stands in the bucket of its moment: opened, closed,
resolved, ordered; what is final at the end of its window.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from streams.contact import Place
from streams.events import ContactTold, Outcome
from streams.measures import Histogram, Measure, Row, add, bin_of
from streams.policy import DAY_MS, Business
from streams.told import LIFE, TICKETS

#: The measures by their own names, as plain numbers: Python 3.11 takes long to hash a member of an enum.
_ORDERS: Final = int(Measure.ORDERS)
_FIRST_CONTACT: Final = int(Measure.FIRST_CONTACT)
_FINAL: Final = int(Measure.FINAL)
_FIRST_CONTACT_FINAL: Final = int(Measure.FIRST_CONTACT_FINAL)
_REVENUE_CENTS: Final = int(Measure.REVENUE_CENTS)
_OPENED: Final = int(Measure.OPENED)
_KNOWN: Final = int(Measure.KNOWN)
_REPEATED: Final = int(Measure.REPEATED)
_CLOSED: Final = int(Measure.CLOSED)
_TICKETS_CLOSED: Final = int(Measure.TICKETS_CLOSED)
_TICKET_MS: Final = int(Measure.TICKET_MS)
_REOPENED: Final = int(Measure.REOPENED)
_COST_CENTS: Final = int(Measure.COST_CENTS)
_RESOLVED: Final = int(Measure.RESOLVED)
_RESOLVED_KNOWN: Final = int(Measure.RESOLVED_KNOWN)
_RESOLUTION_MS: Final = int(Measure.RESOLUTION_MS)
_AUTOMATED: Final = int(Measure.AUTOMATED)
_SINGLE_REPLY: Final = int(Measure.SINGLE_REPLY)
_CAME_BACK_DAY: Final = int(Measure.CAME_BACK_DAY)
_CAME_BACK_WEEK: Final = int(Measure.CAME_BACK_WEEK)
_CONVERTED: Final = int(Measure.CONVERTED)
_RESOLUTION_BINS: Final = int(Histogram.RESOLUTION)

#: (moment, place) -> what counts there
Facts = dict[tuple[int, Place], Row]

#: The place of what belongs to no queue.
NOWHERE: Final[Place] = ("", "")


class Windows(NamedTuple):
    """Within what time a customer comes back, and orders because of a contact."""

    return_ms: int = Business().return_window_ms
    order_ms: int = Business().order_window_ms


class Contact(msgspec.Struct, array_like=True, frozen=True):
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


class Moment(msgspec.Struct, array_like=True, frozen=True):
    """Something that happened to a customer at one moment: ORDERS, CUSTOMERS_JOINED or CUSTOMERS_LEFT."""

    id: str
    at: int
    measure: int
    cents: int = 0
    arrived: int = 0


class Late(msgspec.Struct, array_like=True, frozen=True):
    """What was said of a contact after it was settled, and when the last message came that said it."""

    outcomes: tuple[Outcome, ...] = ()
    arrived: int = 0


class Story(NamedTuple):
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

    def copy(self) -> "History":
        """Return a history that can be changed while this one stays as it is."""
        return History(self.due, self.noted, self.windows, dict(self.contacts), dict(self.moments), dict(self.late))

    def stories(self) -> "Stories":
        """Return the contacts that are not withdrawn with what became of them, first opened first."""
        contacts = sorted((each for each in self.contacts.values() if not each.withdrawn), key=_opening)
        if len({contact.id for contact in contacts}) == len(contacts):
            late = self.late
            return [(each, story(each, late[each.id].outcomes if each.id in late else ())) for each in contacts]
        return self._of_lives(contacts)

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
    slot = f"{told.contact_id}\0{told.version // LIFE}"
    first = history.contacts.get(told.contact_id)
    if slot in history.contacts or (first is not None and first.version // LIFE != told.version // LIFE):
        return slot
    return told.contact_id


#: What is done first of what happened at one instant.
_SETTLES, _ENDS, _OPENS = range(3)


def story(contact: Contact, late: Iterable[Outcome] = ()) -> Story:
    """Walk once through what happened to ``contact``: what its summary tells, and what was said ``late``."""
    outcomes = {outcome.id: outcome for outcome in (*late, *contact.outcomes)}
    if not outcomes:
        return Story(None, 0, contact.ended, (), (), max(contact.opened, contact.ended or 0))
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
    latest = max(contact.opened, max(steps)[0] if steps else 0)
    return Story(resolved, open_ms, closed_at, tuple(reopened), costs, latest)


def facts(history: History, stories: Stories, watermark: int, windows: Windows) -> Facts:
    """Return all that counts of a customer, as known when the watermark stood at ``watermark``.

    ``stories`` are those of the history: whoever calls needs them as well, and they take longest.
    """
    found: Facts = {}
    orders = [each.at for each in history.moments.values() if each.measure == _ORDERS]
    for number, (contact, known) in enumerate(stories):
        _note_contact(found, contact, known)
        if contact.known:
            _note(found, contact.opened, contact.place, _of_return(number, stories, orders, windows))
            if known.resolved is not None:
                until = known.resolved.at + windows.return_ms
                first = not known.reopened and not _came_back(number, stories, until)
                if first:
                    _note(found, known.resolved.at, contact.place, {_FIRST_CONTACT: 1})
                if watermark >= until:
                    _note(found, until, contact.place, {_FINAL: 1, _FIRST_CONTACT_FINAL: int(first)})
    for moment in history.moments.values():
        row: Row = {moment.measure: 1, _REVENUE_CENTS: moment.cents}
        _note(found, moment.at, _place_of(moment, stories, windows), row)
    return found


def _note_contact(found: Facts, contact: Contact, known: Story) -> None:
    """Note what a contact tells by itself."""
    place = contact.place
    several = int(len(set(contact.answered_by)) > 1)
    row: Row = {_OPENED: 1, _KNOWN: int(contact.known), _REPEATED: several}
    _note(found, contact.opened, place, row)
    if known.closed_at is not None:
        row = {_CLOSED: 1}
        if contact.channel in TICKETS:
            row |= {_TICKETS_CLOSED: 1, _TICKET_MS: max(0, known.closed_at - contact.opened)}
        _note(found, known.closed_at, place, row)
        agent = _closer(contact, known)
        if agent:
            _note(found, known.closed_at, (agent, "@agent"), {_CLOSED: 1})
    for at in known.reopened:
        _note(found, at, place, {_REOPENED: 1})
    for at, cents in known.costs:
        _note(found, at, place, {_COST_CENTS: cents})
    if known.resolved is not None:
        _note(found, known.resolved.at, place, _of_resolution(contact, known, known.resolved))


def _closer(contact: Contact, known: Story) -> str | None:
    """Return the agent who closed a contact: who is said to have resolved it, or who took part last."""
    said = None if known.resolved is None else known.resolved.agent_id
    return said or (contact.answered_by[-1] if contact.answered_by else None)


def _of_resolution(contact: Contact, known: Story, resolved: Outcome) -> Row:
    nobody = not (contact.answered_by or contact.replies or resolved.agent_id)
    return {
        _RESOLVED: 1,
        _RESOLVED_KNOWN: int(contact.known),
        _RESOLUTION_MS: known.open_ms,
        _RESOLUTION_BINS + bin_of(known.open_ms): 1,
        _AUTOMATED: int(nobody and resolved.automated is not False),
        _SINGLE_REPLY: int(contact.replies == 1),
    }


def _of_return(number: int, stories: Stories, orders: list[int], windows: Windows) -> Row:
    """Return what followed a contact: the customer's next one, an order."""
    opened = stories[number][0].opened
    after = stories[number + 1][0].opened - opened if number + 1 < len(stories) else None
    return {
        _CAME_BACK_DAY: int(after is not None and after <= DAY_MS),
        _CAME_BACK_WEEK: int(after is not None and after <= 7 * DAY_MS),
        _CONVERTED: int(any(opened <= at <= opened + windows.order_ms for at in orders)),
    }


def _came_back(number: int, stories: Stories, until: int) -> bool:
    """Tell whether the customer came back on the subject of a contact, up to ``until``."""
    contact = stories[number][0]
    for other, _ in islice(stories, number + 1, None):
        if other.opened > until:
            return False
        if _same_subject(contact, other):
            return True
    return False


def _same_subject(one: Contact, other: Contact) -> bool:
    return one.subject is None or other.subject is None or one.subject == other.subject


def _place_of(moment: Moment, stories: Stories, windows: Windows) -> Place:
    """Return where a moment counts: an order at the last contact that it can have followed from."""
    if moment.measure == _ORDERS:
        for contact, _ in reversed(stories):
            if contact.known and contact.opened <= moment.at <= contact.opened + windows.order_ms:
                return contact.place
    return NOWHERE


def _note(found: Facts, at: int, place: Place, row: Mapping[int, int]) -> None:
    """Add a row; ``add`` leaves out what is nothing."""
    add(found.setdefault((at, place), {}), row)


def tickets(stories: Stories) -> dict[str, tuple[str, str, int]]:
    """Return the tickets that are open: contact -> queue, channel, opened."""
    return {
        contact.id: (contact.queue, contact.channel, contact.opened)
        for contact, known in stories
        if known.closed_at is None and contact.channel in TICKETS
    }


def next_final(stories: Stories, watermark: int, windows: Windows) -> int | None:
    """Return the watermark at which the next answer becomes final, None if there is none to come."""
    ends = (
        known.resolved.at + windows.return_ms
        for contact, known in stories
        if known.resolved is not None and contact.known
    )
    return min((end for end in ends if end > watermark), default=None)
