"""The formulas, against figures worked out by hand and those of the bank's January."""

import random
from math import ceil
from typing import Final

import pytest

from streams import kpis
from streams.measures import LEFT, RECORDERS, Histogram, Measure, Row
from streams.policy import FORMULAS, Promise

#: The bank's January, as the oracle counts it.
JANUARY: Final[Row] = {
    Measure.OFFERED: 30_161,
    Measure.ANSWERED: 27_060,
    Measure.ANSWERED_WITHIN_TARGET: 16_402,
    Measure.ABANDONED: 3_101,
    Measure.ABANDONED_WITHIN_TARGET: 1_006,
    Measure.SHORT_ABANDONED: 148,
    Measure.HANDLED: 27_060,
}


def test_definitions_of_service_level_disagree_on_the_banks_january_as_they_should() -> None:
    levels = {name: round(level * 100, 2) for name, level in kpis.service_level(JANUARY).items() if level is not None}
    assert levels == {
        "answered_of_offered": 54.38,
        "answered_of_answered": 60.61,
        "abandoned_in_target_met": 57.72,
        "abandoned_in_target_ignored": 56.26,
        "short_abandoned_ignored": 54.65,
        "left_missed": 54.38,
    }
    assert kpis.abandonment_rate(JANUARY) == pytest.approx(0.102815, abs=1e-6)


def test_each_definition_by_hand() -> None:
    # 10 answered, 6 of them in time; 5 abandoned, 3 within the target, 2 of those short; 5 left.
    row: Row = {
        Measure.ANSWERED: 10,
        Measure.ANSWERED_WITHIN_TARGET: 6,
        Measure.ABANDONED: 5,
        Measure.ABANDONED_WITHIN_TARGET: 3,
        Measure.SHORT_ABANDONED: 2,
        Measure.LEFT_OVERFLOW: 1,
        Measure.LEFT_CALLBACK: 4,
        Measure.LOST: 9,
    }
    levels = kpis.service_level(row)
    assert tuple(levels) == FORMULAS
    assert levels == {
        "answered_of_offered": 6 / 15,
        "answered_of_answered": 6 / 10,
        "abandoned_in_target_met": 9 / 15,
        "abandoned_in_target_ignored": 6 / 12,
        "short_abandoned_ignored": 6 / 13,
        "left_missed": 6 / 20,
    }
    assert kpis.live_service_level(row, 9) == 6 / 24
    assert kpis.live_service_level(row, 0) == levels["answered_of_offered"]
    assert kpis.abandonment_rate(row) == 5 / 15


def test_live_counts_those_who_wait_even_when_nobody_was_served_yet() -> None:
    assert kpis.live_service_level({}, 3) == 0.0
    assert kpis.live_service_level({}, 0) is None


def test_ratio_of_nothing_is_none() -> None:
    assert kpis.ratio(0, 0) is None
    assert kpis.ratio(1, 0) is None
    assert kpis.ratio(0, 1) == 0.0
    assert kpis.service_level({}) == dict.fromkeys(FORMULAS)
    # Only what was abandoned in time, which two of the definitions leave out.
    ignored = kpis.service_level({Measure.ABANDONED: 2, Measure.ABANDONED_WITHIN_TARGET: 2, Measure.SHORT_ABANDONED: 2})
    assert [name for name, level in ignored.items() if level is None] == [
        "answered_of_answered",
        "abandoned_in_target_ignored",
        "short_abandoned_ignored",
    ]
    assert kpis.abandonment_rate({}) is None
    assert kpis.average_speed_of_answer({}) is None
    assert kpis.average_handle_time({Measure.WRAP_UP_MS: 5}) is None
    assert kpis.occupancy(0, 0) is None
    assert kpis.percentiles({}, Histogram.WAIT_ANSWERED) == dict.fromkeys(("p50", "p90", "p95", "p99"))


def test_averages_are_in_seconds() -> None:
    row: Row = {
        Measure.ANSWERED: 4,
        Measure.WAIT_ANSWERED_MS: 10_000,
        Measure.HANDLED: 2,
        Measure.TALK_MS: 50_000,
        Measure.HOLD_MS: 20_000,
        Measure.WRAP_UP_MS: 11_000,
    }
    assert kpis.average_speed_of_answer(row) == 2.5
    assert kpis.handle_ms(row) == 61_000
    assert kpis.average_handle_time(row) == 30.5


def test_occupancy_is_the_busy_share_of_staffed_time() -> None:
    assert kpis.occupancy(3_000, 1_000) == 0.75
    assert kpis.occupancy(0, 1_000) == 0.0


def test_counts_have_the_names_of_the_api() -> None:
    left: Row = dict.fromkeys(LEFT, 1)
    assert kpis.counts({**JANUARY, **left, Measure.LOST: 2}) == {
        "offered": 30_161,
        "answered": 27_060,
        "answered_within_target": 16_402,
        "abandoned": 3_101,
        "abandoned_within_target": 1_006,
        "short_abandoned": 148,
        "left": 6,
        "lost": 2,
        "handled": 27_060,
    }
    assert set(kpis.counts({}).values()) == {0}


@pytest.mark.parametrize("number", [1, 2, 19, 20, 100, 999])
@pytest.mark.parametrize("seed", range(5))
def test_percentile_is_within_five_percent_of_the_exact_nearest_rank(number: int, seed: int) -> None:
    rng = random.Random(seed)
    waits = sorted(round(rng.lognormvariate(10, 2)) for _ in range(number))
    row: Row = {}
    for wait in waits:
        RECORDERS["answered"](row, 1, 0, wait, Promise())
    for percent in range(1, 101):
        exact = waits[ceil(percent * number / 100) - 1] / 1_000
        assert kpis.percentile(row, Histogram.WAIT_ANSWERED, percent) == pytest.approx(exact, rel=0.05, abs=0)
    given = kpis.percentiles(row, Histogram.WAIT_ANSWERED)
    assert given["p95"] == kpis.percentile(row, Histogram.WAIT_ANSWERED, 95)
