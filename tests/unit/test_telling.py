"""What the customers' partition is told of contacts: what is known of those closed and of tickets, and no more."""

from typing import Any

import msgspec
import pytest

from streams import events as ev
from streams.measures import Measure
from streams.policy import DAY_MS, HOUR_MS
from streams.told import Message, unpack
from tests.generate import BEGIN, written
from tests.unit.desk import SALES, Desk


class Listener(Desk):
    """A desk that keeps what was told, by its id."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, Message]] = []

    def commit(self) -> Any:
        change = super().commit()
        self.told += [(name, unpack(packed)) for name, packed in change.told.items()]
        return change

    def summaries(self) -> list[tuple[str, Any]]:
        """Return the key and the content of all that was told, and hear no more of it."""
        heard = [(message.key.decode(), ev.decode(ev.CUSTOMERS, message.value)) for _, message in self.told]
        self.told.clear()
        return heard

    def live(self, contact: str = "c", **fields: object) -> None:
        """Tell of an answered call that ends after a minute."""
        self.tell(0, contact, "queued", queue="sales", subject="invoice", **fields)
        self.tell(10_000, contact, "answered", agent_id="ann", **fields)
        self.tell(60_000, contact, "ended", **fields)

    def counted(self) -> dict[int, int]:
        row = {key: amount for places in self.buckets.values() for key, amount in places.get(SALES, {}).items()}
        return {key: row[key] for key in row if key in (Measure.OPENED, Measure.CLOSED) and row[key]}


@pytest.fixture
def desk() -> Listener:
    return Listener()


def test_closed_contact_of_a_customer_is_told_once_and_again_only_when_something_changed(desk: Listener) -> None:
    desk.live(customer_id="anna")
    ((key, told),) = desk.summaries()
    assert (key, told.contact_id, told.opened, told.ended) == ("anna", "c", BEGIN, BEGIN + 60_000)
    assert (told.queue, told.subject, told.answered_by, told.replies) == ("sales", "invoice", ("ann",), 1)
    desk.tell(70_000, "c", "wrapped", agent_id="ann")
    assert desk.summaries() == []
    desk.tell(80_000, "c", "resolved", automated=True, cost=1.5)
    ((_, more),) = desk.summaries()
    assert [(found.at, found.resolved, found.automated, found.cost_cents) for found in more.outcomes] == [
        (BEGIN + 80_000, True, True, 150)
    ]
    assert more.version > told.version
    assert desk.counted() == {}


def test_call_of_somebody_unknown_is_counted_where_it_is_and_not_told(desk: Listener) -> None:
    desk.live()
    assert desk.summaries() == []
    assert desk.counted() == {Measure.OPENED: 1, Measure.CLOSED: 1}
    desk.tell(80_000, "c", "resolved")
    assert [key for key, _ in desk.summaries()] == ["c"]
    assert desk.counted() == {}


@pytest.mark.parametrize("restarted", [False, True])
def test_contact_that_becomes_known_by_name_is_withdrawn_under_its_own_id(desk: Listener, *, restarted: bool) -> None:
    desk.live()
    desk.tell(80_000, "c", "resolved")
    desk.summaries()
    if restarted:
        desk.restart()
    desk.tell(90_000, "c", "wrapped", customer_id="anna")
    assert sorted((key, told.withdrawn) for key, told in desk.summaries()) == [("anna", False), ("c", True)]


@pytest.mark.parametrize("restarted", [False, True])
def test_closed_contact_that_goes_on_is_taken_back(desk: Listener, *, restarted: bool) -> None:
    desk.live(customer_id="anna")
    desk.live("d")
    desk.summaries()
    if restarted:
        desk.restart()
    desk.tell(90_000, "c", "queued", queue="sales")
    desk.tell(90_000, "d", "queued", queue="sales")
    assert [(key, told.withdrawn) for key, told in desk.summaries()] == [("anna", True)]
    row = [places.get(SALES, {}) for places in desk.buckets.values()]
    assert sum(found.get(Measure.CLOSED, 0) for found in row) == 0


def test_ticket_is_told_while_it_is_open_and_stays_open_for_weeks(desk: Listener) -> None:
    message = {"id": "m1", "type": "message.received", "contact_id": "t", "channel": "email", "time": written(BEGIN)}
    desk.repeat(message)
    ((key, told),) = desk.summaries()
    assert (key, told.opened, told.ended) == ("t", BEGIN, msgspec.UNSET)
    desk.pass_to(20 * DAY_MS)
    assert desk.keeps("t")
    reply = {**message, "id": "m2", "type": "message.sent", "time": written(BEGIN + 20 * DAY_MS), "agent_id": "bob"}
    desk.repeat(reply)
    ((_, told),) = desk.summaries()
    assert (told.opened, told.replies) == (BEGIN, 1)


@pytest.mark.parametrize("kind", ["resolved", "reopened"])
def test_what_is_said_of_a_contact_settled_before_is_passed_on_and_opens_none(desk: Listener, kind: str) -> None:
    desk.live(customer_id="anna")
    desk.pass_to(5 * HOUR_MS)
    assert not desk.keeps("c")
    desk.summaries()
    late = desk.tell(60_000, "c", kind, customer_id="anna")
    new = desk.tell(6 * HOUR_MS, "c", kind, customer_id="anna")
    passed = desk.summaries()
    assert [(key, told.id) for key, told in passed] == [("anna", late["id"]), ("anna", new["id"])]
    assert desk.partition.contacts == {}


def test_contact_that_never_ended_is_told_when_it_is_settled(desk: Listener) -> None:
    desk.tell(0, "c", "queued", queue="sales", customer_id="anna")
    assert desk.summaries() == []
    desk.pass_to(2 * DAY_MS)
    ((key, told),) = desk.summaries()
    assert (key, told.opened, told.ended) == ("anna", BEGIN, msgspec.UNSET)


def test_customer_is_the_one_named_first_in_whatever_order_it_comes(desk: Listener) -> None:
    desk.live(customer_id="anna")
    desk.summaries()
    event = {"id": "early", "type": "contact.started", "contact_id": "c", "channel": "voice", "customer_id": "berta"}
    desk.repeat({**event, "time": written(BEGIN - 1_000)})
    heard = sorted((key, told.withdrawn, told.opened) for key, told in desk.summaries())
    assert heard == [("anna", True, BEGIN - 1_000), ("berta", False, BEGIN - 1_000)]


def test_what_is_said_of_a_contact_that_left_but_a_straggler_is_passed_on_and_the_straggler_tells_nothing(
    desk: Listener,
) -> None:
    desk.live(customer_id="anna")
    desk.pass_to(5 * HOUR_MS)
    desk.summaries()
    desk.tell(5 * HOUR_MS, "c", "wrapped", customer_id="anna")
    assert desk.keeps("c")
    late = desk.tell(6 * HOUR_MS, "c", "resolved", customer_id="anna")
    assert [(key, told.id) for key, told in desk.summaries()] == [("anna", late["id"])]
    desk.pass_to(5 * DAY_MS)
    assert not desk.keeps("c")
    assert desk.summaries() == []


def test_two_lives_under_one_id_are_told_both_though_neither_was_sent_yet(desk: Listener) -> None:
    desk.live(customer_id="anna")
    desk.pass_to(5 * HOUR_MS)
    desk.tell(5 * HOUR_MS, "c", "queued", queue="sales", customer_id="anna")
    desk.tell(5 * HOUR_MS + 1_000, "c", "ended", customer_id="anna")
    first, second = {name for name, _ in desk.told}
    assert first != second
    assert [told.opened for _, told in desk.summaries()] == [BEGIN, BEGIN + 5 * HOUR_MS]
