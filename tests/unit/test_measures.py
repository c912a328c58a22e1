"""What every fact adds to its row, and bins narrow enough for percentiles."""

import random
from typing import Final

import pytest

from streams.contact import Fact
from streams.measures import (
    EDGES,
    EXITS,
    HANDLE_BOUNDS_MS,
    LEFT,
    RECORDERS,
    WAIT_BOUNDS_MS,
    Histogram,
    Measure,
    Row,
    add,
    bin_of,
    bins,
    exited,
    middle_of,
    total,
)
from streams.policy import DAY_MS, Promise

SALES: Final = ("sales", "voice")
PROMISE: Final = Promise(threshold_ms=20_000, short_abandon_ms=5_000)


def row_of(*facts: Fact) -> Row:
    row: Row = {}
    for sign, name, at, _, duration in facts:
        RECORDERS[name](row, sign, at, duration, PROMISE)
    return {measure: amount for measure, amount in row.items() if amount}


def counted(name: str, duration: int) -> Row:
    """Return what a fact at 1,000,000 counts, but for its histogram."""
    row = row_of((1, name, 1_000_000, SALES, duration))
    return {measure: amount for measure, amount in row.items() if measure < Histogram.WAIT_ANSWERED}


@pytest.mark.parametrize(("wait", "within"), [(0, 1), (20_000, 1), (20_001, 0)])
def test_answer_is_within_the_target_up_to_and_with_it(wait: int, within: int) -> None:
    row = counted("answered", wait)
    assert row.pop(Measure.ANSWERED_WITHIN_TARGET, 0) == within
    assert row.pop(Measure.WAIT_ANSWERED_MS, 0) == wait
    assert row == {Measure.ANSWERED: 1, Measure.MOMENTS_MS: 1_000_000}


@pytest.mark.parametrize(("wait", "short", "within"), [(4_999, 1, 1), (5_000, 0, 1), (20_000, 0, 1), (20_001, 0, 0)])
def test_abandon_is_short_below_the_limit_and_within_up_to_the_target(wait: int, short: int, within: int) -> None:
    row = counted("abandoned", wait)
    assert row.pop(Measure.SHORT_ABANDONED, 0) == short
    assert row.pop(Measure.ABANDONED_WITHIN_TARGET, 0) == within
    assert row == {Measure.ABANDONED: 1, Measure.WAIT_ABANDONED_MS: wait, Measure.MOMENTS_MS: 1_000_000}


@pytest.mark.parametrize("measure", [*LEFT, Measure.LOST])
def test_other_exits_count_by_their_reason_and_have_no_wait(measure: Measure) -> None:
    assert counted(measure.name.lower(), 7_000) == {measure: 1, Measure.MOMENTS_MS: 1_000_000}


def test_work_counts_its_times() -> None:
    assert counted("handled", 60_000) == {Measure.HANDLED: 1, Measure.TALK_MS: 60_000}
    assert counted("held", 3_000) == {Measure.HOLD_MS: 3_000}
    assert counted("wrapped", 9_000) == {Measure.WRAP_UP_MS: 9_000}
    assert counted("offered", 0) == {Measure.OFFERED: 1, Measure.MOMENTS_MS: -1_000_000}


@pytest.mark.parametrize("name", RECORDERS)
def test_fact_taken_back_leaves_nothing(name: str) -> None:
    assert row_of((1, name, 5_000, SALES, 3_210), (-1, name, 5_000, SALES, 3_210)) == {}


def test_numbers_of_measures_are_those_of_the_stores_format() -> None:
    # A number given to something else would turn what is stored into nonsense: new measures get new numbers.
    names = " ".join(measure.name for measure in Measure if measure <= Measure.STATE_EXITED)
    assert names == (
        "OFFERED ANSWERED ANSWERED_WITHIN_TARGET ABANDONED ABANDONED_WITHIN_TARGET SHORT_ABANDONED LEFT_OVERFLOW "
        "LEFT_TIMEOUT LEFT_EXIT_KEY LEFT_CALLBACK LEFT_EMPTY LEFT_WITHDRAWN LOST HANDLED WAIT_ANSWERED_MS "
        "WAIT_ABANDONED_MS TALK_MS HOLD_MS WRAP_UP_MS MOMENTS_MS STATE_ENTERED STATE_EXITED"
    )
    assert [int(measure) for measure in Measure][:22] == list(range(1, 23))
    assert (Measure.FIRST_RESPONSES, Measure.LEFT_AFTER_BOT, Measure.OPENED, Measure.CSAT_ANSWERS) == (23, 32, 40, 70)
    assert Measure.LEFT_AFTER_BOT not in EXITS
    assert len(EDGES) < Histogram.WAIT_ABANDONED - Histogram.WAIT_ANSWERED


def test_rows_add_up_and_forget_what_comes_to_nothing() -> None:
    row: Row = {1: 2, 2: 5}
    add(row, {1: -2, 3: 4})
    assert row == {2: 5, 3: 4}
    add(row, {2: 1, 3: 4}, -1)
    assert row == {2: 4}
    assert total([{1: 1}, {1: 2, 2: 1}, {2: -1}]) == {1: 3}
    assert exited({Measure.ANSWERED: 3, Measure.LEFT_EMPTY: 2, Measure.LOST: 1, Measure.HANDLED: 9}) == 6


def test_every_duration_is_within_five_percent_of_the_middle_of_its_bin() -> None:
    rng = random.Random(1)
    durations = [0, 1, 2, 9, 10, 11, *EDGES, *(edge + 1 for edge in EDGES[:-1])]
    durations += [round(10 ** rng.uniform(0, 9.41)) for _ in range(5_000)]
    for duration in durations:
        assert duration <= 30 * DAY_MS
        assert abs(middle_of(bin_of(duration)) - duration) <= 0.05 * duration


def test_bins_end_on_the_bounds_that_prometheus_is_given() -> None:
    for bound in (*WAIT_BOUNDS_MS, *HANDLE_BOUNDS_MS):
        assert bin_of(bound) < bin_of(bound + 1)


def test_what_is_longer_than_all_bins_goes_to_the_last() -> None:
    assert bin_of(400 * DAY_MS) == bin_of(30 * DAY_MS) == len(EDGES) - 1


def test_bins_come_shortest_first_and_each_histogram_has_its_own() -> None:
    waits = [(1, "answered", 0, SALES, wait) for wait in (90_000, 1, 90_000, 0)]
    row = row_of(*waits, (1, "abandoned", 0, SALES, 5), (1, "handle_time", 0, SALES, 7))
    assert list(bins(row, Histogram.WAIT_ANSWERED)) == [(0, 1), (1, 1), (bin_of(90_000), 2)]
    assert list(bins(row, Histogram.WAIT_ABANDONED)) == [(bin_of(5), 1)]
    assert list(bins(row, Histogram.HANDLE_TIME)) == [(bin_of(7), 1)]
