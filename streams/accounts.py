"""What counts of a customer: an account of each contact, order, coming and going, and the facts that it adds up to.

An account holds all that the facts of one of them depend on, so a message changes the accounts of the contact that it
tells of and of those that it has to do with; all others stay as they are. The rules, beside those for one contact in
``streams.customer``:

1. A contact was resolved at first contact if it was never reopened and no other contact of the customer on the subject
   was opened between its own opening and the end of the window to come back, which begins with the resolution. A
   contact without a subject may be about any. Once the watermark has passed that window the answer is final.
2. The customer came back if their next contact, on whatever subject, was opened within the time, opening to opening.
3. A contact is converted by an order within the window for orders, which begins with its opening. An order counts where
   the last such contact was.
4. Where no customer is known, nothing is said of coming back.

A fact stands in the bucket of its moment: opened, closed, resolved, ordered; what is final at the end of its window.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

import msgspec

from streams.contact import Place
from streams.customer import Contact, History, Moment, Stories, Story, Windows
from streams.events import Outcome
from streams.measures import Histogram, Measure, Row, bin_of
from streams.policy import DAY_MS
from streams.told import TICKETS

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

_WEEK_MS: Final = 7 * DAY_MS

#: The place of what belongs to no queue.
NOWHERE: Final[Place] = ("", "")

#: (moment, place) -> what counts there
Facts = dict[tuple[int, Place], Row]

#: Finds the row of a moment and a place.
Rows = Callable[[int, Place], Row]


class Told(msgspec.Struct, frozen=True, gc=False):
    """The account of a contact: what became of it, and what followed."""

    contact: Contact
    known: Story
    #: How long after it the customer's next contact was opened, where that was within the week.
    returned_ms: int | None = None
    converted: bool = False
    #: Whether it was resolved at first contact, so far.
    first: bool = False
    #: Since when that is final.
    final: int | None = None


class Happened(msgspec.Struct, frozen=True, gc=False):
    """The account of an order, a coming or a going: where it counts."""

    moment: Moment
    place: Place


#: In the order of the contacts' openings, what happened behind.
Accounts = list[Told | Happened]


def accounts(history: History, stories: Stories, watermark: int, windows: Windows) -> Accounts:
    """Return the accounts of a customer, as known when the watermark stood at ``watermark``.

    ``stories`` are those of the history: whoever calls needs them as well.
    """
    if not history.moments and len(stories) <= 1:
        return [account_alone(contact, known, watermark, windows) for contact, known in stories]
    moments = history.moments.values()
    orders = [each.at for each in moments if each.measure == _ORDERS]
    found: Accounts = []
    for number, (contact, known) in enumerate(stories):
        account = account_alone(contact, known, watermark, windows)
        found.append(_with_others(account, number, stories, orders, windows) if contact.known else account)
    found += [Happened(moment, _place_of(moment, stories, windows)) for moment in moments]
    return found


def account_alone(contact: Contact, known: Story, watermark: int, windows: Windows) -> Told:
    """Return the account of a contact that is all that is remembered of a customer."""
    resolved = known.resolved
    if resolved is None or not contact.known:
        return Told(contact, known)
    final = resolved.at + windows.return_ms
    return Told(contact, known, first=not known.reopened, final=final if watermark >= final else None)


def _with_others(account: Told, number: int, stories: Stories, orders: list[int], windows: Windows) -> Told:
    """Return the account of a contact beside the customer's other ones, and the orders."""
    contact, resolved = account.contact, account.known.resolved
    opened, returned_ms = contact.opened, None
    if number + 1 < len(stories) and stories[number + 1][0].opened - opened <= _WEEK_MS:
        returned_ms = stories[number + 1][0].opened - opened
    converted = any(opened <= at <= opened + windows.order_ms for at in orders)
    first = account.first
    if first and resolved is not None:
        first = not _came_back(number, stories, resolved.at + windows.return_ms)
    return Told(contact, account.known, returned_ms, converted=converted, first=first, final=account.final)


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


def difference(was: Accounts, now: Accounts) -> tuple[Accounts, Accounts]:
    """Return what to take back and what to note so that ``was`` becomes ``now``.

    A message changes accounts in one stretch of the order: what is alike before and behind it is left out.
    """
    begin, left, right = 0, len(was), len(now)
    while begin < left and begin < right and was[begin] == now[begin]:
        begin += 1
    while left > begin and right > begin and was[left - 1] == now[right - 1]:
        left -= 1
        right -= 1
    return was[begin:left], now[begin:right]


def facts(found: Iterable[Told | Happened], gone: Iterable[Told | Happened] = ()) -> Facts:
    """Return all that counts in accounts ``found``, less what counts in those ``gone``; what is alike leaves zeros."""
    rows: Facts = {}

    def row_of(at: int, place: Place) -> Row:
        row = rows.get((at, place))
        if row is None:
            row = rows[at, place] = {}
        return row

    for account in gone:
        note(row_of, account, -1)
    for account in found:
        note(row_of, account, 1)
    return rows


def note(rows: Rows, account: Told | Happened, sign: int) -> None:
    """Add to ``rows`` what counts in an account (``sign`` 1), or take it back (-1)."""
    if isinstance(account, Told):
        note_told(rows, account, sign)
        return
    moment = account.moment
    row = rows(moment.at, account.place)
    _add(row, moment.measure, sign)
    if moment.cents:
        _add(row, _REVENUE_CENTS, sign * moment.cents)


def note_told(rows: Rows, account: Told, sign: int) -> None:
    """Add to ``rows`` what counts of a contact, or take it back."""
    contact, known = account.contact, account.known
    place, resolved = contact.place, known.resolved
    row = rows(contact.opened, place)
    _note_opening(row, account, sign)
    closed_at = known.closed_at
    if closed_at is not None:
        row = rows(closed_at, place)
        _note_closing(row, contact, closed_at, sign)
        agent = _closer(contact, resolved)
        if agent:
            _add(rows(closed_at, (agent, "@agent")), _CLOSED, sign)
    if resolved is not None:
        # Mostly it was the resolution that closed it: then both are in one row.
        row = row if resolved.at == closed_at else rows(resolved.at, place)
        _note_resolution(row, account, resolved, sign)
    if account.final is not None:
        row = rows(account.final, place)
        _add(row, _FINAL, sign)
        if account.first:
            _add(row, _FIRST_CONTACT_FINAL, sign)
    for at in known.reopened:
        _add(rows(at, place), _REOPENED, sign)
    for at, cents in known.costs:
        _add(rows(at, place), _COST_CENTS, sign * cents)


def _note_opening(row: Row, account: Told, sign: int) -> None:
    contact, returned_ms = account.contact, account.returned_ms
    row[_OPENED] = row.get(_OPENED, 0) + sign
    if contact.known:
        row[_KNOWN] = row.get(_KNOWN, 0) + sign
    if len(contact.answered_by) > 1 and len(set(contact.answered_by)) > 1:
        row[_REPEATED] = row.get(_REPEATED, 0) + sign
    if returned_ms is not None:
        row[_CAME_BACK_WEEK] = row.get(_CAME_BACK_WEEK, 0) + sign
        if returned_ms <= DAY_MS:
            row[_CAME_BACK_DAY] = row.get(_CAME_BACK_DAY, 0) + sign
    if account.converted:
        row[_CONVERTED] = row.get(_CONVERTED, 0) + sign


def _note_closing(row: Row, contact: Contact, closed_at: int, sign: int) -> None:
    row[_CLOSED] = row.get(_CLOSED, 0) + sign
    if contact.channel in TICKETS:
        row[_TICKETS_CLOSED] = row.get(_TICKETS_CLOSED, 0) + sign
        if closed_at > contact.opened:
            row[_TICKET_MS] = row.get(_TICKET_MS, 0) + sign * (closed_at - contact.opened)


def _closer(contact: Contact, resolved: Outcome | None) -> str | None:
    """Return the agent who closed a contact: who is said to have resolved it, or who took part last."""
    if resolved is not None and resolved.agent_id:
        return resolved.agent_id
    return contact.answered_by[-1] if contact.answered_by else None


def _note_resolution(row: Row, account: Told, resolved: Outcome, sign: int) -> None:
    contact, open_ms = account.contact, account.known.open_ms
    row[_RESOLVED] = row.get(_RESOLVED, 0) + sign
    number = _RESOLUTION_BINS + bin_of(open_ms)
    row[number] = row.get(number, 0) + sign
    if open_ms:
        row[_RESOLUTION_MS] = row.get(_RESOLUTION_MS, 0) + sign * open_ms
    if contact.known:
        row[_RESOLVED_KNOWN] = row.get(_RESOLVED_KNOWN, 0) + sign
    if account.first:
        row[_FIRST_CONTACT] = row.get(_FIRST_CONTACT, 0) + sign
    if contact.replies == 1:
        row[_SINGLE_REPLY] = row.get(_SINGLE_REPLY, 0) + sign
    if not (contact.answered_by or contact.replies or resolved.agent_id or resolved.automated is False):
        row[_AUTOMATED] = row.get(_AUTOMATED, 0) + sign


def _add(row: Row, measure: int, amount: int) -> None:
    row[measure] = row.get(measure, 0) + amount


def next_final(stories: Stories, watermark: int, windows: Windows) -> int | None:
    """Return the watermark at which the next answer becomes final, None if there is none to come."""
    final: int | None = None
    for contact, known in stories:
        if known.resolved is not None and contact.known:
            end = known.resolved.at + windows.return_ms
            if end > watermark and (final is None or end < final):
                final = end
    return final
