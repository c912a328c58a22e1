"""The rows of now, held against what the visits obviously add up to."""

from datetime import UTC, datetime

import pytest

from agents.board.figures import Figures, agents_by_state, live_rows, occupancy
from agents.board.model import TODAY, Model
from agents.store import Delta, Snapshot
from streams.measures import Measure
from streams.policy import HOUR_MS, MINUTE_MS, Policies, Promise
from streams.windows import FINE_MS, fine, midnight
from tests.unit.life import PLACES, POLICIES, START, WINDOWS, Counting, Visit, assert_same, life_of, live_figures

SALES = ("sales", "voice")


async def model_of(counting: Counting, now: int) -> Model:
    model = Model(WINDOWS, POLICIES.zone)
    for partition in await counting.store.partitions():
        model.start(partition, await counting.store.snapshot(partition, *model.wanted(now)))
    model.move(now)
    return model


def begin_of(window: str, now: int) -> int:
    if window == TODAY:
        return midnight(now, POLICIES.zone)
    return (fine(now) + 1) * FINE_MS - WINDOWS[window]


def row_of(rows: list[Figures], queue: str | None, channel: str | None) -> Figures:
    return next(row for row in rows if (row["queue"], row["channel"]) == (queue, channel))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("window", [*WINDOWS, TODAY])
async def test_every_figure_is_what_the_visits_add_up_to(seed: int, window: str) -> None:
    visits, now = life_of(seed), START + HOUR_MS + 1_234_567
    counting = Counting()
    await counting.feed(visits, until=now)
    rows = live_rows(await model_of(counting, now), POLICIES, window, now)
    start = begin_of(window, now)
    assert [(row["queue"], row["channel"]) for row in rows] == [*sorted(PLACES), (None, None)]
    for row in rows[:-1]:
        own = [visit for visit in visits if (visit.queue, visit.channel) == (row["queue"], row["channel"])]
        assert_same(row, live_figures(own, POLICIES.of, start, now + 1, now), (window, row["queue"]))
    assert_same(rows[-1], live_figures(visits, POLICIES.of, start, now + 1, now), (window, "all"))


def test_a_ratio_of_nothing_is_null_and_a_count_of_nothing_zero() -> None:
    model = Model(WINDOWS, POLICIES.zone)
    model.start("calls/0", _nothing())
    model.move(START)
    (row,) = live_rows(model, Policies(), "5m", START)
    assert set(row["service_level"].values()) == {None}
    assert row["abandonment_rate"] is None
    assert row["average_speed_of_answer_seconds"] is None
    assert row["longest_wait_seconds"] is None
    assert set(row["wait_seconds"].values()) == {None}
    assert (row["offered"], row["queue_length"], row["queue_length_average"]) == (0, 0, 0)


async def test_live_service_level_falls_while_everybody_waits() -> None:
    counting = Counting()
    answered = [_visit(n, START, START + 1_000) for n in range(3)]
    await counting.feed([*answered, _visit(9, START, START + HOUR_MS)], until=START + 5_000)
    for waited, live in ((20_000, 1.0), (20_001, 0.75)):
        row = live_rows(await model_of(counting, START + waited), POLICIES, "5m", START + waited)[-1]
        assert (row["service_level"]["live"], row["service_level"]["answered_of_offered"]) == (live, 1.0)


async def test_live_service_level_of_a_queue_that_answers_nobody_is_zero_and_not_null() -> None:
    counting = Counting()
    await counting.feed([_visit(1, START, START + HOUR_MS)], until=START)
    row = live_rows(await model_of(counting, START + MINUTE_MS), POLICIES, "5m", START + MINUTE_MS)[-1]
    assert (row["service_level"]["live"], row["service_level"]["answered_of_offered"]) == (0.0, None)


@pytest.mark.parametrize("ahead", [500, 3_000, 12_000, 59_000])
async def test_who_comes_from_a_clock_ahead_waits_but_has_not_waited_yet(ahead: int) -> None:
    now = START + HOUR_MS
    counting = Counting()
    await counting.feed([_visit(1, now + ahead, now + HOUR_MS)], until=now + MINUTE_MS)
    row = row_of(live_rows(await model_of(counting, now), POLICIES, "1m", now), *SALES)
    assert (row["queue_length"], row["longest_wait_seconds"], row["queue_length_average"]) == (1, 0, 0)


@pytest.mark.parametrize("lead", [-9_000, -500, 0, 500, 4_000, 12_000, 59_000])
async def test_who_leaves_by_a_clock_ahead_has_waited_until_now_and_not_less(lead: int) -> None:
    now = START + HOUR_MS + 4_000
    counting = Counting()
    await counting.feed([_visit(1, now - 30_000, now + lead), _visit(2, now - 10_000, now + HOUR_MS)], until=now + lead)
    row = row_of(live_rows(await model_of(counting, now), POLICIES, "5m", now), *SALES)
    waited_s = (30_000 + min(0, lead) + 10_000) / 1000
    span_s = (now - begin_of("5m", now)) / 1000
    # What happens later in the very bucket that now is in can only be told to the end of that bucket.
    assert row["queue_length_average"] == pytest.approx(waited_s / span_s, abs=6 / span_s)
    if lead != 4_000:
        assert row["queue_length_average"] == pytest.approx(waited_s / span_s, abs=0.5 / span_s + 1e-6)


@pytest.mark.parametrize("ahead", [1_000, 12_000])
async def test_who_comes_and_goes_by_a_clock_ahead_makes_no_average_negative(ahead: int) -> None:
    now = START + HOUR_MS + 4_000
    counting = Counting()
    await counting.feed([_visit(n, now + ahead, now + ahead + 20_000) for n in range(9)], until=now + MINUTE_MS)
    row = row_of(live_rows(await model_of(counting, now), POLICIES, "1m", now), *SALES)
    assert (row["queue_length"], row["queue_length_average"]) == (0, 0)


async def test_a_queue_of_the_configuration_has_a_row_before_its_first_contact() -> None:
    counting = Counting()
    await counting.feed([_visit(1, START, START + 5_000)])
    listed = Policies(queues={"sales": Promise(), "mail": Promise(target_ratio=0.9)}, channels={"mail": "email"})
    rows = live_rows(await model_of(counting, START + MINUTE_MS), listed, "5m", START + MINUTE_MS)
    assert [(row["queue"], row["channel"], row["offered"]) for row in rows] == [
        ("mail", "email", 0),
        ("sales", "voice", 1),
        (None, None, 1),
    ]
    assert set(rows[0]["service_level"].values()) == set(rows[0]["wait_seconds"].values()) == {None}
    assert (rows[0]["queue_length"], rows[0]["longest_wait_seconds"], rows[0]["abandonment_rate"]) == (0, None, None)
    assert rows[0]["promise"]["target_ratio"] == 0.9


async def test_who_waits_for_longer_than_the_window_waits_all_of_it() -> None:
    counting = Counting()
    await counting.feed([_visit(1, START, START + HOUR_MS)], until=START)
    now = START + 10 * MINUTE_MS
    row = row_of(live_rows(await model_of(counting, now), POLICIES, "5m", now), *SALES)
    assert (row["offered"], row["queue_length"], row["queue_length_average"]) == (0, 1, 1.0)


async def test_a_queue_of_today_keeps_its_row_when_it_falls_silent() -> None:
    counting = Counting()
    await counting.feed([_visit(1, START, START + 5_000)])
    now = START + 3 * HOUR_MS
    rows = live_rows(await model_of(counting, now), Policies(), "5m", now)
    assert [(row["queue"], row["offered"]) for row in rows] == [("sales", 0), (None, 0)]


async def test_a_row_tells_what_its_own_queue_promises_and_the_last_row_promises_nothing() -> None:
    counting = Counting()
    await counting.feed(life_of(1), until=START + HOUR_MS)
    rows = live_rows(await model_of(counting, START + HOUR_MS), POLICIES, "5m", START + HOUR_MS)
    promise = row_of(rows, "support", "voice")["promise"]
    assert (promise["threshold_seconds"], promise["formula"], promise["group"]) == (30.0, "left_missed", None)
    assert row_of(rows, "sales", "voice")["promise"]["group"] == "voice"
    assert row_of(rows, "unlisted", "voice")["promise"]["target_ratio"] == Promise().target_ratio
    assert rows[-1]["promise"] is None


async def test_agents_are_counted_by_state_and_their_occupancy_is_busy_of_staffed() -> None:
    counting, now = Counting(), START + 4 * MINUTE_MS
    told = [("ann", 0, "available"), ("bob", 0, "break"), ("ann", 60, "on_contact"), ("ann", 180, "wrap_up")]
    events = [
        {
            "id": f"{name}{at}",
            "type": "agent.state",
            "time": f"2026-01-05T09:0{at // 60}:00Z",
            "agent_id": name,
            "state": state,
        }
        for name, at, state in told
    ]
    await counting.send(events, key="agent_id")
    model = await model_of(counting, now)
    assert {state: n for state, n in agents_by_state(model).items() if n} == {"wrap_up": 1, "break": 1}
    # Available for one minute, busy for three.
    assert occupancy(model, "1h", now) == 0.75
    assert occupancy(model, "1m", now) == 1.0


@pytest.mark.parametrize("ahead", [3_000, 25_000])
async def test_occupancy_of_an_agent_whose_clock_is_ahead_is_of_the_time_up_to_now(ahead: int) -> None:
    counting, now = Counting(), START + 4 * MINUTE_MS
    told = [("ann", 0, "available"), ("ann", 120_000, "on_contact"), ("ann", 240_000 + ahead, "break")]
    events = [
        {
            "id": f"{name}{at}",
            "type": "agent.state",
            "time": datetime.fromtimestamp((START + at) / 1000, UTC).isoformat(),
            "agent_id": name,
            "state": state,
        }
        for name, at, state in told
    ]
    await counting.send(events, key="agent_id")
    # Two minutes available and two busy, up to the end of the present bucket.
    assert occupancy(await model_of(counting, now), "1h", now) == pytest.approx(0.5, abs=0.01)
    # All of the last minute busy.
    assert occupancy(await model_of(counting, now), "1m", now) == 1.0


def test_occupancy_of_nobody_is_null() -> None:
    model = Model(WINDOWS, POLICIES.zone)
    model.move(START)
    assert occupancy(model, "5m", START) is None


def test_the_row_of_all_is_made_from_sums_and_not_from_ratios() -> None:
    model = Model(WINDOWS, POLICIES.zone)
    model.start("calls/0", _nothing())
    model.move(START)
    rows = {("a", "voice"): {Measure.ANSWERED: 1}, ("b", "voice"): {Measure.ABANDONED: 3}}
    model.apply(
        "calls/0",
        Delta({fine(START): {place: {int(k): v for k, v in row.items()} for place, row in rows.items()}}, {}, {}),
    )
    assert [row["abandonment_rate"] for row in live_rows(model, Policies(), "5m", START)] == [0.0, 1.0, 0.75]


def _visit(number: int, queued: int, answered: int) -> Visit:
    return Visit(f"c{number}", *SALES, queued, "answered", answered, 0, answered + MINUTE_MS, answered + MINUTE_MS)


def _nothing() -> Snapshot:
    return Snapshot("", None, {}, {}, {}, {}, {})
