"""What there is to tell of a contact that is closed, or is a ticket: the few things that figures of customers need.

A summary is a function of the set of the contact's events, as its facts are. It goes to the customers' partition
(``streams.told``). Of a call or chat of somebody unknown, of which nothing was said either, there is nothing to work
out there: that it was opened and closed is counted where it is, which saves a message for each.
"""

import msgspec
from msgspec import structs

from streams.contact import Fact, Place, Step, Walk
from streams.events import Outcome
from streams.kinds import RESOLVED
from streams.told import LIFE, TICKETS, cents, tell, told


class Summary(msgspec.Struct, frozen=True, gc=False):
    """What became of a contact; times in ms since 1970."""

    opened: int
    ended: int | None
    #: The queue visited last, "" for none, and the channel.
    place: Place
    customer: str
    subject: str
    #: Who talked to the customer, talk by talk.
    agents: tuple[str, ...]
    #: Lines of persons; talks, where none were written.
    replies: int
    matter: tuple[Step, ...]

    def facts(self, sign: int) -> list[Fact]:
        """Return what a contact that counts here adds, or takes back."""
        place = self.place if self.place[0] else (self.place[1], "@channel")
        opened: Fact = (sign, "opened", self.opened, place, 0)
        return [opened] if self.ended is None else [opened, (sign, "closed", self.ended, place, 0)]


def summary_of(walk: Walk, opened: int, channel: str, customer: str) -> Summary:
    """Return the summary of a contact, from the walk through its events and what the walk does not note."""
    place = walk.place if walk.place[0] else ("", channel)
    replies = walk.lines or walk.talks
    return Summary(opened, walk.ended, place, customer, walk.subject, walk.agents, replies, walk.matter)


def counts_here(summary: Summary) -> bool:
    """Tell whether there is nothing in it that has to be seen beside other contacts of the customer."""
    return not (summary.customer or summary.matter or summary.place[1] in TICKETS)


def messages(
    contact_id: str, born: int, events: int, before: Summary | None, after: Summary | None, *, over: bool = False
) -> dict[str, bytes]:
    """Return what to send so that ``after`` is known in place of ``before``: id in the outbox -> packed message.

    ``born`` is when the contact began, by the event that came first, which tells two lives under one id apart. Of two
    summaries of one life the one of more ``events`` holds, and the last that is told, once the contact is ``over``.
    """
    told_before = before is not None and not counts_here(before)
    if after is None or counts_here(after):
        if before is None or not told_before:
            return {}
        # Nothing holds that was told: as of somebody unknown it is told under no key, and so withdrawn.
        kept = structs.replace(before, customer="", matter=())
    else:
        kept = after
    version = born // 1_000 * LIFE + 2 * events + over
    summary = told(
        contact_id,
        kept.place[1],
        version=version,
        opened=kept.opened,
        customer_id=kept.customer or None,
        queue=kept.place[0] or None,
        subject=kept.subject or None,
        ended=kept.ended,
        answered_by=kept.agents,
        replies=kept.replies,
        outcomes=[_outcome(step) for step in kept.matter],
    )
    return tell(summary, (before.customer or contact_id) if before is not None and told_before else None)


def _outcome(step: Step) -> Outcome:
    at, kind, name, detail, _, agent = step
    automated, _, cost = detail.partition(" ")
    return Outcome(
        at,
        name,
        kind == RESOLVED,
        automated == "True" if automated else None,
        cents(float(cost)) if cost else None,
        agent or None,
    )
