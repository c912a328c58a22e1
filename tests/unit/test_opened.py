"""An open contact keeps its events packed: what it knows, in what order it takes them, and what many of them cost."""

from typing import Any

import pytest

from streams.measures import Measure
from streams.opened import MANY, Contact, pack, rank_of, unpack
from tests.unit.desk import SALES, Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


def lines(desk: Desk, count: int) -> list[dict[str, Any]]:
    """Have a contact begin, and as many lines of its customer follow, a second apart."""
    desk.tell(0, "c", "queued", queue="sales")
    return [
        desk.tell(1_000 * (number + 1), "c", "", type="message.received", channel="voice") for number in range(count)
    ]


@pytest.mark.parametrize("name", ["sales", "voice", "ann", "e"])
def test_an_id_that_is_said_by_another_event_as_something_else_is_a_new_one(desk: Desk, name: str) -> None:
    desk.tell(0, "c", "queued", queue="sales", id="first e1")
    desk.tell(1_000, "c", "answered", agent_id="ann", id="1")
    desk.tell(2_000, "c", "ended", id=name)
    assert desk.row()[Measure.HANDLED] == 1


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("count", [MANY - 2, MANY - 1, MANY, 3 * MANY])
def test_each_event_of_a_long_contact_counts_once(desk: Desk, count: int, *, restarted: bool) -> None:
    said = lines(desk, count)
    if restarted:
        desk.restart()
    for line in said:
        desk.repeat(line)
    desk.tell(1_000 * (count + 1), "c", "answered", agent_id="ann")
    data = desk.open["c"]
    assert data is not None
    assert len(unpack(data).steps()) == count + 2
    wait = 1_000 * (count + 1)
    assert desk.row() == {Measure.OFFERED: 1, Measure.ANSWERED: 1, Measure.WAIT_ANSWERED_MS: wait}


def test_a_late_event_of_a_long_contact_counts_where_it_belongs(desk: Desk) -> None:
    lines(desk, 2 * MANY)
    desk.tell(1_500, "c", "answered", agent_id="ann")
    desk.restart()
    desk.tell(2_500, "c", "ended")
    assert desk.row(SALES)[Measure.TALK_MS] == 1_000


@pytest.mark.parametrize("count", [1, 15, 16, MANY, 70_000])
def test_what_is_packed_is_read_again_as_it_was(count: int) -> None:
    contact = Contact(1)
    steps = [(number, 0, f"id {number}", "", "voice", "") for number in range(1, count + 1)]
    for step in steps:
        contact.keep(step)
    again = unpack(pack(contact))
    assert again.steps() == contact.steps() == steps
    assert (again.count, again.rank, again.channel) == (count, rank_of(steps[-1]), "voice")
    assert pack(again) == pack(contact)
