"""What lies ahead of a queue, how true it proved, and what does not keep growing."""

from typing import Final

import pytest

from agents.board.model import Model
from agents.board.outlook import Errors
from agents.store import Delta, Snapshot
from streams.measures import RECORDERS, Measure, Row
from streams.policy import HOUR_MS, MINUTE_MS, Policies, Promise
from streams.windows import fine
from tests.erlang import ErlangC
from tests.unit.life import START, WINDOWS

SALES: Final = ("sales", "voice")
PROMISE: Final = Promise()
NOTHING: Final = Snapshot("", None, {}, {}, {}, {}, {})


def model_with(agents: int, *, free: int = 0, handled: int = 10, took_ms: int = 120_000, at_once: int = 1) -> Model:
    """Return a model of one queue: agents of whom some are free, and contacts handled just now."""
    model = Model(WINDOWS, Policies().zone, {"sales": at_once}.__getitem__)
    for partition in ("calls/0", "agents/0"):
        model.start(partition, NOTHING)
    model.move(START)
    states = {f"a{i}": ("available" if i < free else "on_contact", START, ["sales"]) for i in range(agents)}
    model.apply("agents/0", Delta({}, {**states, "home": ("offline", START, ["sales"])}, {}))
    tell(model, {Measure.HANDLED: handled, Measure.TALK_MS: handled * took_ms})
    return model


def tell(model: Model, row: Row, **shown: int | None) -> None:
    """Count a row now; ``shown`` says of contacts since when they wait, or that they do so no longer."""
    now = {name: None if since is None else (*SALES, since) for name, since in shown.items()}
    model.apply("calls/0", Delta({fine(model.now): {SALES: dict(row)}} if row else {}, now, {}))


def answered(*waits: int) -> Row:
    row: Row = {}
    for wait in waits:
        RECORDERS["answered"](row, 1, START, wait, PROMISE)
    return row


def test_the_next_waits_for_as_many_agents_as_are_ahead_and_one() -> None:
    model = model_with(4)
    tell(model, {}, c1=START, c2=START)
    # Three must be answered; one of four agents becomes free every 30 s. Who is offline serves nobody.
    assert model.outlook.expected_wait(SALES) == 90


def test_with_somebody_free_the_next_waits_for_nothing() -> None:
    assert model_with(4, free=1).outlook.expected_wait(SALES) == 0


@pytest.mark.parametrize("agents", [0, 4])
def test_where_agents_or_handle_time_are_not_known_nothing_is_said(agents: int) -> None:
    model = model_with(agents, handled=0 if agents else 10)
    assert model.outlook.expected_wait(SALES) is None
    assert model.outlook.overload(SALES, PROMISE) is None


def test_an_estimate_is_compared_with_the_wait_that_came_of_it() -> None:
    model = model_with(4)
    tell(model, {Measure.OFFERED: 1}, c1=START)  # told 30 s
    tell(model, {Measure.OFFERED: 1}, c2=START)  # told 60 s
    model.move(START + 50_000)
    tell(model, answered(50_000), c1=None)
    assert model.outlook.error_seconds(SALES, model.now) == 20
    tell(model, answered(50_000), c2=None)
    assert model.outlook.error_seconds(SALES, model.now) == 15


def test_of_several_that_left_at_once_who_came_first_has_waited_longest() -> None:
    model = model_with(4)
    tell(model, {}, c1=START - 5_000)  # told 30 s
    tell(model, {}, c2=START)  # told 60 s
    model.move(START + 50_000)
    row = answered(55_000)
    RECORDERS["abandoned"](row, 1, START, 50_000, PROMISE)
    tell(model, row, c1=None, c2=None)
    # The one that gave up was never answered: only the first is measured.
    assert model.outlook.error_seconds(SALES, model.now) == 25


def test_who_gave_up_or_was_there_before_is_not_measured() -> None:
    model = model_with(4)
    tell(model, {}, old=START - HOUR_MS, c1=START)
    row: Row = {}
    RECORDERS["abandoned"](row, 1, START, 40_000, PROMISE)
    tell(model, row, c1=None)
    tell(model, answered(HOUR_MS), old=None)
    assert model.outlook.error_seconds(SALES, model.now) is None
    assert not model.outlook._told


def test_errors_of_more_than_an_hour_ago_are_forgotten_and_memory_is_bounded() -> None:
    errors = Errors()
    for second in range(0, 3 * HOUR_MS, 1_000):
        errors.note(10_000 if second < 2 * HOUR_MS else 30_000, START + second)
    assert errors.mean_seconds(START + 3 * HOUR_MS) == 30
    assert len(errors._minutes) <= 61
    assert errors.mean_seconds(START + 5 * HOUR_MS) is None


def overloaded(agents: int, arrivals: int, *, at_once: int = 1) -> Model:
    """Return a queue at which ``arrivals`` came in each of fifteen minutes."""
    model = model_with(agents, at_once=at_once)
    for minute in range(15):
        model.move(START + minute * MINUTE_MS)
        tell(model, {Measure.OFFERED: arrivals})
    model.move(START + 15 * MINUTE_MS - 10_000)
    return model


def test_more_than_can_be_taken_is_an_overload_with_what_it_takes_to_recover() -> None:
    model = overloaded(4, 3)
    tell(model, {}, **{f"w{i}": model.now for i in range(10)})
    found = model.outlook.overload(SALES, PROMISE)
    assert found is not None
    # Four agents of two minutes take 120 an hour; 180 come.
    assert found.arrivals_per_hour == pytest.approx(180)
    assert found.capacity_per_hour == pytest.approx(120)
    needed = found.agents_needed
    assert needed is not None
    rate = 180 / 3_600
    assert (
        ErlangC(rate, 1 / 120, needed).service_level(20) >= 0.8 > ErlangC(rate, 1 / 120, needed - 1).service_level(20)
    )
    assert found.minutes_to_recover == pytest.approx(10 / (needed / 2 - 3))
    assert START < found.since < model.now


def test_as_many_as_can_be_taken_are_no_overload() -> None:
    assert overloaded(8, 3).outlook.overload(SALES, PROMISE) is None


def test_agents_who_have_several_contacts_at_once_take_as_many_more() -> None:
    assert overloaded(4, 3, at_once=2).outlook.overload(SALES, PROMISE) is None
    found = overloaded(4, 5, at_once=2).outlook.overload(SALES, Promise(contacts_at_once=2))
    alone = overloaded(4, 5).outlook.overload(SALES, PROMISE)
    assert found is not None
    assert alone is not None
    assert found.capacity_per_hour == pytest.approx(2 * alone.capacity_per_hour)
    assert alone.agents_needed is not None
    assert found.agents_needed == -(-alone.agents_needed // 2)
    model = model_with(4, at_once=2)
    tell(model, {}, c1=START, c2=START)
    assert model.outlook.expected_wait(SALES) == 45


def test_a_queue_that_keeps_its_promise_is_not_overloaded_whatever_its_agents_were_thought_to_take() -> None:
    model = overloaded(4, 3)
    tell(model, answered(*[1_000] * 8))
    assert model.outlook.overload(SALES, PROMISE) is None
    tell(model, answered(*[60_000] * 3))
    assert model.outlook.overload(SALES, PROMISE) is not None


def test_an_overload_is_over_once_fewer_come() -> None:
    model = overloaded(4, 3)
    since = model.outlook.overload(SALES, PROMISE)
    assert since is not None
    model.move(model.now + 10_000)
    again = model.outlook.overload(SALES, PROMISE)
    assert again is not None
    assert again.since == since.since
    model.move(model.now + 5 * MINUTE_MS)
    assert model.outlook.overload(SALES, PROMISE) is None
