"""What becomes of contacts at their customer when an id lives twice, and who took part in it."""

from collections import Counter
from typing import Any

from streams import events as ev
from streams.customers import CustomerPartition
from streams.measures import Measure
from streams.partition import Limits
from streams.policy import DAY_MS, HOUR_MS
from streams.told import unpack
from tests.generate import BEGIN, written
from tests.unit.desk import Desk

POST = ("post", "email")
#: What is asked of a customer here.
ASKED = (
    Measure.OPENED,
    Measure.CLOSED,
    Measure.RESOLVED,
    Measure.AUTOMATED,
    Measure.SINGLE_REPLY,
    Measure.REOPENED,
    Measure.TICKETS_CLOSED,
    Measure.TICKET_MS,
)


class Both:
    """A partition of contacts, and the customers' partition that it tells."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.customers = CustomerPartition(Limits())
        self.rows: dict[tuple[str, str], Counter[Measure]] = {}
        self.desk.commit = self._commit  # type: ignore[method-assign] # the desk commits after each event

    def _commit(self) -> Any:
        change = Desk.commit(self.desk)
        for packed in change.told.values():
            event = ev.decode(ev.CUSTOMERS, unpack(packed).value)
            at = ev.milliseconds(event.time)
            self.customers.count(event, at, BEGIN + 60 * DAY_MS)
        found = self.customers.take()
        for buckets in (found.deltas, found.aside):
            for places in buckets.values():
                for place, row in places.items():
                    counted = self.rows.setdefault(place, Counter())
                    for measure, amount in row.items():
                        if measure in ASKED:
                            counted[Measure(measure)] += amount
        return change

    def mail(self, at: int, kind: str, contact: str = "c", **fields: object) -> None:
        """Tell of an email of anna's."""
        event = {"id": f"m{at}-{kind}", "type": kind, "time": written(BEGIN + at), "contact_id": contact}
        self.desk.repeat({**event, "channel": "email", "customer_id": "anna", **fields})

    def counted(self, place: tuple[str, str]) -> dict[str, int]:
        """Return what counts at a place."""
        return {measure.name: amount for measure, amount in self.rows.get(place, Counter()).items() if amount}


def ticket() -> Both:
    """Return an email that ann answered once and resolved after three hours."""
    both = Both()
    both.mail(0, "contact.queued", queue="post")
    both.mail(HOUR_MS, "message.sent", agent_id="ann")
    both.mail(3 * HOUR_MS, "contact.resolved", agent_id="ann")
    return both


RESOLVED = {"OPENED": 1, "CLOSED": 1, "RESOLVED": 1, "SINGLE_REPLY": 1, "TICKETS_CLOSED": 1, "TICKET_MS": 3 * HOUR_MS}


def test_who_wrote_and_who_resolved_took_part_in_a_ticket_that_nobody_answered_by_phone() -> None:
    both = ticket()
    assert both.counted(POST) == RESOLVED
    assert both.counted(("ann", "@agent")) == {"CLOSED": 1}


def test_a_resolution_that_names_an_agent_is_no_machines() -> None:
    both = Both()
    both.mail(0, "contact.queued", queue="post")
    both.mail(HOUR_MS, "contact.resolved", agent_id="bob")
    assert "AUTOMATED" not in both.counted(POST)
    assert both.counted(("bob", "@agent")) == {"CLOSED": 1}


def test_a_line_of_thanks_weeks_later_changes_nothing_of_a_ticket() -> None:
    both = ticket()
    both.desk.pass_to(40 * DAY_MS)
    both.mail(40 * DAY_MS, "message.received")
    assert both.counted(POST) == RESOLVED
    assert both.counted(("ann", "@agent")) == {"CLOSED": 1}
    assert both.counted(("email", "@channel")) == {}


def test_a_ticket_that_queues_again_weeks_later_is_another_contact() -> None:
    both = ticket()
    both.desk.pass_to(40 * DAY_MS)
    both.mail(40 * DAY_MS, "contact.queued", queue="post")
    assert both.counted(POST) == RESOLVED | {"OPENED": 2}
    both.mail(40 * DAY_MS + HOUR_MS, "contact.resolved", automated=True)
    expected = {"OPENED": 2, "CLOSED": 2, "RESOLVED": 2, "TICKETS_CLOSED": 2, "TICKET_MS": 4 * HOUR_MS, "AUTOMATED": 1}
    assert both.counted(POST) == RESOLVED | expected


def test_what_is_said_late_is_said_of_the_life_that_was_the_latest_then() -> None:
    both = ticket()
    both.desk.pass_to(40 * DAY_MS)
    both.mail(39 * DAY_MS, "contact.reopened")
    assert both.counted(POST)["REOPENED"] == 1
    both.mail(40 * DAY_MS, "contact.queued", queue="post")
    # The first is open again, and the second too.
    assert both.counted(POST) == {"OPENED": 2, "REOPENED": 1}


def test_a_chat_that_ended_and_queued_again_and_never_ended_is_told_once_it_is_over() -> None:
    both = Both()
    chat = {"channel": "chat", "queue": "chat"}
    both.mail(0, "contact.queued", **chat)
    both.mail(1_000, "contact.answered", agent_id="ann", **chat)
    both.mail(2_000, "contact.ended", **chat)
    assert both.counted(("chat", "chat")) == {"OPENED": 1, "CLOSED": 1}
    both.mail(3_000, "contact.queued", **chat)
    assert both.counted(("chat", "chat")) == {}
    both.desk.pass_to(3 * DAY_MS)
    assert both.counted(("chat", "chat")) == {"OPENED": 1}
