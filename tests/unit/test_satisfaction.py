"""Scores of surveys and reviews, and their intervals, against published numbers and brute force."""

from itertools import product
from math import sqrt
from statistics import NormalDist, fmean, pvariance, stdev
from typing import Final

import pytest

from streams.measures import Measure, Row
from streams.satisfaction import (
    Z,
    mean_effort,
    mean_employee_satisfaction,
    mean_quality,
    mean_satisfaction,
    net_promoter_interval,
    net_promoter_score,
    spread_of_quality,
    wilson,
)

NOTHING: Final[Row] = {}


def nps(promoters: int, detractors: int, passives: int) -> Row:
    return {
        Measure.NPS_ANSWERS: promoters + detractors + passives,
        Measure.NPS_PROMOTERS: promoters,
        Measure.NPS_DETRACTORS: detractors,
    }


def test_z_holds_95_percent() -> None:
    assert pytest.approx(NormalDist().inv_cdf(0.975), abs=1e-6) == Z


@pytest.mark.parametrize(
    ("successes", "trials", "below", "above"),
    # R. G. Newcombe (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_interval_of_a_share_is_the_published_one(successes: int, trials: int, below: float, above: float) -> None:
    assert wilson(successes, trials) == pytest.approx((below, above), abs=5e-5)


@pytest.mark.parametrize("trials", [1, 2, 7, 50])
def test_interval_of_a_share_holds_what_is_no_more_than_z_standard_errors_away(trials: int) -> None:
    for successes in range(trials + 1):
        interval = wilson(successes, trials)
        assert interval is not None
        step = 1e-4
        held = [
            share
            for share in (step * number for number in range(10_001))
            if abs(successes / trials - share) <= Z * sqrt(share * (1 - share) / trials) + 1e-12
        ]
        assert interval == pytest.approx((min(held), max(held)), abs=2 * step)
        assert interval[0] <= successes / trials <= interval[1]


def test_score_is_promoters_less_detractors_of_all_answers() -> None:
    assert net_promoter_score(nps(50, 20, 30)) == 30
    assert net_promoter_score(nps(0, 4, 0)) == -100
    assert net_promoter_score(nps(0, 0, 3)) == 0


@pytest.mark.parametrize("counts", [(50, 20, 30), (3, 9, 8), (0, 1, 1), (400, 100, 500)])
def test_interval_of_the_score_is_that_of_a_mean_of_plus_and_minus_ones_with_three_added(
    counts: tuple[int, int, int],
) -> None:
    promoters, detractors, passives = counts
    # In quarters of an answer: three quarters of each side and one and a half of the middle are added.
    answers = [1] * (4 * promoters + 3) + [-1] * (4 * detractors + 3) + [0] * (4 * passives + 6)
    count = sum(counts) + 3
    reach = 1.959964 * sqrt(pvariance(answers) / count)
    interval = net_promoter_interval(nps(*counts))
    assert interval is not None
    expected = (max(-100, 100 * (fmean(answers) - reach)), min(100, 100 * (fmean(answers) + reach)))
    assert interval == pytest.approx(expected)


def test_interval_of_the_score_holds_it_and_stays_on_the_scale_whatever_is_answered() -> None:
    for counts in product(range(6), repeat=3):
        score, interval = net_promoter_score(nps(*counts)), net_promoter_interval(nps(*counts))
        if not any(counts):
            assert (score, interval) == (None, None)
            continue
        assert score is not None
        assert interval is not None
        assert -100 <= interval[0] <= score <= interval[1] <= 100
        assert interval[0] < interval[1]


def test_interval_of_the_score_holds_the_truth_about_as_often_as_it_says() -> None:
    # Every outcome of 40 answers, by its probability: half promoters, a fifth detractors, so the truth is 30.
    promoter, detractor, answers = 0.5, 0.2, 40
    held, lasting = 0.0, (1 - promoter - detractor) ** answers
    for promoters in range(answers + 1):
        probability = lasting
        for detractors in range(answers - promoters + 1):
            passives = answers - promoters - detractors
            interval = net_promoter_interval(nps(promoters, detractors, passives))
            assert interval is not None
            held += probability if interval[0] <= 30 <= interval[1] else 0.0
            probability *= passives / (detractors + 1) * detractor / (1 - promoter - detractor)
        lasting *= (answers - promoters) / (promoters + 1) * promoter / (1 - promoter - detractor)
    assert 0.94 <= held <= 0.97


def test_means_are_on_the_scale_of_their_survey() -> None:
    assert mean_satisfaction({Measure.CSAT_ANSWERS: 3, Measure.CSAT_MILLI: 12_500}) == pytest.approx(12.5 / 3)
    assert mean_effort({Measure.CES_ANSWERS: 4, Measure.CES_MILLI: 22_000}) == 5.5
    assert mean_employee_satisfaction({Measure.ESAT_ANSWERS: 2, Measure.ESAT_MILLI: 7_000}) == 3.5
    assert mean_quality({Measure.REVIEWS: 2, Measure.REVIEW_MILLI: 1_700}) == 0.85


def test_spread_is_the_deviation_of_agents_means_each_counting_alike() -> None:
    rows: list[Row] = [
        {Measure.REVIEWS: 1, Measure.REVIEW_MILLI: 900},
        {Measure.REVIEWS: 10, Measure.REVIEW_MILLI: 7_000},
        {Measure.REVIEWS: 2, Measure.REVIEW_MILLI: 1_000},
        {},
    ]
    assert spread_of_quality(rows) == pytest.approx(stdev([0.9, 0.7, 0.5]))
    assert spread_of_quality(rows) == pytest.approx(0.2)
    assert spread_of_quality(rows[:1]) is None
    assert spread_of_quality([rows[0], NOTHING]) is None


def test_of_no_answers_nothing_is_said() -> None:
    assert wilson(0, 0) is None
    for formula in (net_promoter_score, net_promoter_interval, mean_satisfaction, mean_effort, mean_quality):
        assert formula(NOTHING) is None
