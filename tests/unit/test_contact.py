"""A contact's life: what every event means in every state."""

from typing import Final

import pytest

from streams.contact import ANYTIME, TRANSITIONS, Fact, State, Step, Walk, advance, difference, expiry, facts
from streams.kinds import Kind

SALES: Final = ("sales", "voice")
CHAT: Final = ("chat", "chat")


def step(at: int, kind: Kind, detail: str = "", channel: str = "voice") -> Step:
    """Return an event at ``at``; its id says when and what."""
    return (at, kind, f"{at}-{kind.name}", detail, channel, "ann" if kind == Kind.ANSWERED else "")


#: How a contact gets into each state: in the queue at 100, answered at 130, on hold at 150, lost at 140.
QUEUED: Final = step(100, Kind.QUEUED, "sales")
TO: Final[dict[State, tuple[Step, ...]]] = {
    State.IDLE: (),
    State.WAITING: (QUEUED,),
    State.LOST: (QUEUED, (140, Kind.EXPIRED, "", "", "", "")),
    State.TALKING: (QUEUED, step(130, Kind.ANSWERED)),
    State.ON_HOLD: (QUEUED, step(130, Kind.ANSWERED), step(150, Kind.HELD)),
}
ENTERED: Final[list[Fact]] = [(1, "offered", 200, CHAT, 0)]
FOUND: Final[Fact] = (-1, "lost", 140, SALES, 0)
ANN: Final = ("ann", "@agent")
HANDLED: Final[list[Fact]] = [
    (1, "handled", 200, SALES, 70),
    (1, "handle_time", 200, SALES, 70),
    (1, "handled", 200, ANN, 70),
]
HELD: Final[list[Fact]] = [(1, "held", 200, SALES, 50)]
LEFT: Final[Fact] = (1, "left_timeout", 200, SALES, 100)
OVERFLOWED: Final[Fact] = (1, "left_overflow", 200, SALES, 100)
ANSWERED: Final[Fact] = (1, "answered", 200, SALES, 100)
ABANDONED: Final[Fact] = (1, "abandoned", 200, SALES, 100)

#: What an event at 200 notes, and the state it leads to. A pair that is not here changes nothing.
EXPECTED: Final[dict[tuple[State, Kind], tuple[list[Fact], State]]] = {
    (State.IDLE, Kind.QUEUED): (ENTERED, State.WAITING),
    (State.WAITING, Kind.QUEUED): ([OVERFLOWED, *ENTERED], State.WAITING),
    (State.WAITING, Kind.ANSWERED): ([ANSWERED], State.TALKING),
    (State.WAITING, Kind.ABANDONED): ([ABANDONED], State.IDLE),
    (State.WAITING, Kind.ENDED): ([ABANDONED], State.IDLE),
    (State.WAITING, Kind.LEFT): ([LEFT], State.IDLE),
    (State.WAITING, Kind.EXPIRED): ([(1, "lost", 200, SALES, 100)], State.LOST),
    (State.LOST, Kind.QUEUED): ([FOUND, OVERFLOWED, *ENTERED], State.WAITING),
    (State.LOST, Kind.ANSWERED): ([FOUND, ANSWERED], State.TALKING),
    (State.LOST, Kind.ABANDONED): ([FOUND, ABANDONED], State.IDLE),
    (State.LOST, Kind.ENDED): ([FOUND, ABANDONED], State.IDLE),
    (State.LOST, Kind.LEFT): ([FOUND, LEFT], State.IDLE),
    (State.TALKING, Kind.QUEUED): ([*HANDLED, *ENTERED], State.WAITING),
    (State.TALKING, Kind.TRANSFERRED): (HANDLED, State.IDLE),
    (State.TALKING, Kind.ENDED): (HANDLED, State.IDLE),
    (State.TALKING, Kind.HELD): ([], State.ON_HOLD),
    (State.ON_HOLD, Kind.QUEUED): ([*HANDLED, *HELD, *ENTERED], State.WAITING),
    (State.ON_HOLD, Kind.TRANSFERRED): ([*HANDLED, *HELD], State.IDLE),
    (State.ON_HOLD, Kind.ENDED): ([*HANDLED, *HELD], State.IDLE),
    (State.ON_HOLD, Kind.RESUMED): ([], State.TALKING),
}


def walk_to(state: State, *, worked: bool = False) -> Walk:
    """Return a walk in ``state``; ``worked`` says that a talk of 20 ended at 50 before."""
    walk = Walk()
    before = (step(10, Kind.QUEUED, "billing"), step(30, Kind.ANSWERED), step(50, Kind.TRANSFERRED)) if worked else ()
    for taken in (*before, *TO[state]):
        advance(walk, taken, [])
    assert walk.state == state
    return walk


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in ANYTIME])
@pytest.mark.parametrize("state", State)
def test_pair_of_state_and_event_notes_and_leads_to_what_is_expected(state: State, kind: Kind) -> None:
    walk, noted = walk_to(state), list[Fact]()
    detail = {Kind.QUEUED: "chat", Kind.LEFT: "timeout"}.get(kind, "")
    by = "" if kind == Kind.QUEUED else "ann"
    advance(walk, (200, kind, "e", detail, "chat" if kind == Kind.QUEUED else "voice", by), noted)
    assert (noted, walk.state) == EXPECTED.get((state, kind), ([], state))


def test_table_holds_what_is_expected_and_wrap_ups_and_ends_that_note_nothing() -> None:
    held = {(state, kind) for state, kinds in TRANSITIONS.items() for kind in kinds}
    silent = {(state, Kind.WRAPPED) for state in State} | {(State.IDLE, Kind.ENDED), (State.IDLE, Kind.ABANDONED)}
    assert held == set(EXPECTED) | silent


@pytest.mark.parametrize("state", State)
def test_wrap_up_counts_for_the_work_before_in_every_state_and_once(state: State) -> None:
    walk, noted = walk_to(state, worked=True), list[Fact]()
    place = ("billing", "voice")
    advance(walk, step(200, Kind.WRAPPED), noted)
    assert noted == [
        (1, "wrapped", 200, place, 150),
        (1, "wrapped", 200, ANN, 150),
        (-1, "handle_time", 50, place, 20),
        (1, "handle_time", 50, place, 170),
    ]
    assert walk.state == state
    advance(walk, step(210, Kind.WRAPPED), noted)
    assert len(noted) == 4


@pytest.mark.parametrize("state", [State.WAITING, State.LOST])
def test_queued_again_in_the_same_queue_while_waiting_says_nothing_new(state: State) -> None:
    walk, noted = walk_to(state), list[Fact]()
    advance(walk, step(200, Kind.QUEUED, "sales"), noted)
    assert (noted, walk.state, walk.since) == ([], state, 100)


def test_queued_again_in_the_same_queue_after_an_answer_is_a_visit_of_its_own() -> None:
    _, noted = facts([*TO[State.TALKING], step(200, Kind.QUEUED, "sales")])
    assert sorted(fact[1] for fact in noted) == ["answered", "handle_time", "handled", "handled", "offered", "offered"]


def test_things_of_one_instant_happen_in_the_order_of_life_then_by_id() -> None:
    steps = [step(0, kind, "sales" if kind == Kind.QUEUED else "") for kind in (Kind.ENDED, Kind.ANSWERED, Kind.QUEUED)]
    _, noted = facts(steps)
    assert [(name, took) for _, name, _, _, took in noted] == [
        ("offered", 0),
        ("answered", 0),
        ("handled", 0),
        ("handle_time", 0),
        ("handled", 0),
    ]
    chat, sales = (5, Kind.QUEUED, "a", "chat", "chat", ""), (5, Kind.QUEUED, "b", "sales", "voice", "")
    walk, _ = facts([sales, chat])
    assert walk.place == SALES


def test_hold_is_the_sum_of_all_holds_of_one_talk_and_of_no_other() -> None:
    talk = [step(100, Kind.QUEUED, "sales"), step(110, Kind.ANSWERED)]
    holds = [
        step(at, kind) for at, kind in ((120, Kind.HELD), (125, Kind.RESUMED), (130, Kind.HELD), (137, Kind.RESUMED))
    ]
    again = [step(200, Kind.QUEUED, "sales"), step(210, Kind.ANSWERED), step(220, Kind.HELD), step(223, Kind.ENDED)]
    _, noted = facts([*talk, *holds, *again])
    assert [fact for fact in noted if fact[1] == "held"] == [
        (1, "held", 200, SALES, 12),
        (1, "held", 223, SALES, 3),
    ]


@pytest.mark.parametrize("kind", [Kind.HELD, Kind.RESUMED])
def test_hold_or_resume_said_twice_changes_nothing(kind: Kind) -> None:
    steps = [*TO[State.TALKING], step(150, Kind.HELD), step(160, Kind.RESUMED), step(170, Kind.ENDED)]
    again = step(155 if kind == Kind.HELD else 165, kind)
    assert difference(facts([*steps, again])[1], facts(steps)[1]) == []


def test_contact_has_ended_until_it_enters_a_queue_again() -> None:
    walk, _ = facts([*TO[State.TALKING], step(200, Kind.ENDED)])
    assert (walk.ended, walk.state) == (200, State.IDLE)
    walk, _ = facts([*TO[State.TALKING], step(200, Kind.ENDED), step(300, Kind.QUEUED, "sales")])
    assert (walk.ended, walk.state) == (None, State.WAITING)


def test_transferred_contact_has_not_ended() -> None:
    walk, _ = facts([*TO[State.TALKING], step(200, Kind.TRANSFERRED)])
    assert (walk.state, walk.ended) == (State.IDLE, None)


def test_wait_is_lost_at_the_moment_it_passes_the_longest_credible_one() -> None:
    walk, noted = walk_to(State.WAITING), list[Fact]()
    advance(walk, expiry(walk, 4_000), noted)
    assert noted == [(1, "lost", 4_100, SALES, 4_000)]
    assert walk.state == State.LOST


def test_difference_leads_from_one_set_of_facts_to_another() -> None:
    one: Fact = (1, "offered", 1, SALES, 0)
    two: Fact = (1, "answered", 2, SALES, 1)
    assert difference([one, two], [one]) == [two]
    assert difference([one], [one, two]) == [(-1, *two[1:])]
    assert difference([two, two], []) == [two, two]
    assert difference([one, (-1, *one[1:])], []) == []


@pytest.mark.parametrize("kind", ANYTIME)
@pytest.mark.parametrize("state", State)
def test_lines_rings_and_what_is_said_of_the_matter_leave_a_contact_where_it_is(state: State, kind: Kind) -> None:
    walk = walk_to(state)
    before = (walk.state, walk.place, walk.since, walk.ended)
    advance(walk, (200, kind, "e", "", "voice", "ann"), [])
    assert (walk.state, walk.place, walk.since, walk.ended) == before


def line(at: int, kind: Kind, by: str = "") -> Step:
    return (at, kind, f"{at}", "", "chat", by)


def noted_of(*steps: Step) -> list[tuple[str, int, tuple[str, str], int]]:
    """Return name, time, place and duration of the facts that lines and bots make."""
    names = ("first_response", "response", "bot_contacts", "bot_handed_over", "left_after_bot")
    return [fact[1:] for fact in facts(steps)[1] if fact[1] in names]


def test_first_line_of_a_person_answers_the_entry_and_any_line_the_first_one_open() -> None:
    talk = (step(100, Kind.QUEUED, "chat", "chat"), step(110, Kind.ANSWERED))
    lines = (line(120, Kind.RECEIVED), line(130, Kind.RECEIVED), line(140, Kind.BOT_SENT), line(150, Kind.SENT, "bob"))
    again = (line(160, Kind.SENT), line(170, Kind.RECEIVED), line(175, Kind.SENT))
    assert noted_of(*talk, *lines, *again) == [
        ("bot_contacts", 140, CHAT, 0),
        ("first_response", 150, CHAT, 50),
        ("response", 150, CHAT, 30),
        ("response", 175, CHAT, 5),
    ]


def test_a_line_open_when_the_contact_ends_is_waited_for_no_longer() -> None:
    assert noted_of(line(10, Kind.RECEIVED), line(20, Kind.ENDED), line(90, Kind.SENT, "bob")) == [
        ("first_response", 90, ("chat", "@channel"), 80)
    ]


def test_who_leaves_after_a_bot_has_asked_for_nobody() -> None:
    nowhere = ("chat", "@channel")
    bot, end = (line(10, Kind.RECEIVED), line(20, Kind.BOT_SENT)), line(30, Kind.ENDED)
    assert noted_of(*bot, end) == [("bot_contacts", 20, nowhere, 0), ("left_after_bot", 30, nowhere, 0)]
    assert [fact[0] for fact in noted_of(*bot, line(25, Kind.SENT), end)][1:] == ["first_response", "response"]
    handed = [("bot_contacts", 20, nowhere, 0), ("bot_handed_over", 40, nowhere, 0)]
    assert noted_of(*bot, step(40, Kind.QUEUED, "chat", "chat")) == handed
    assert noted_of(*bot, end, step(40, Kind.QUEUED, "chat", "chat")) == handed, "who comes back has not left"
