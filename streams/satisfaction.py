"""Formulas of satisfaction and quality: from measures to scores, and how far few answers can be trusted.

Few customers answer, so a score comes with the interval in which it lies with 95 % confidence. As everywhere, what
is made of nothing is None.
"""

from collections.abc import Iterable, Mapping
from math import sqrt
from statistics import stdev
from typing import Final

from streams.measures import Measure

#: How many standard errors to each side hold 95 % of a normal distribution.
Z: Final = 1.959964

#: Answers that are added before a net promoter score's variance is taken, a quarter of them promoters, a quarter
#: detractors: three that all recommend us prove no score of exactly 100.
NPS_ADDED: Final = 3

Interval = tuple[float, float]


def wilson(successes: int, trials: int) -> Interval | None:
    """Return the interval of the share ``successes / trials``, between 0 and 1.

    It holds the shares from which ``successes`` are no more than Z standard errors away: right for few trials and for
    shares near 0 and 1 too. E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22 (1927) 209-212; method 3 in R. G. Newcombe, Two-sided confidence
    intervals for the single proportion, Statistics in Medicine 17 (1998) 857-872.
    """
    if not trials:
        return None
    share, square = successes / trials, Z * Z
    middle = share + square / (2 * trials)
    reach = Z * sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    below, above = ((middle + side * reach) / (1 + square / trials) for side in (-1, 1))
    # At the ends it is exact, but for the last digits of the arithmetic.
    return (max(0.0, below) if successes else 0.0, min(1.0, above) if successes < trials else 1.0)


def net_promoter_score(row: Mapping[int, int]) -> float | None:
    """Return the share of promoters (9 and 10) less that of detractors (0 to 6), from -100 to 100.

    F. F. Reichheld, The one number you need to grow, Harvard Business Review, December 2003.
    """
    answers = row.get(Measure.NPS_ANSWERS, 0)
    if not answers:
        return None
    return 100 * (row.get(Measure.NPS_PROMOTERS, 0) - row.get(Measure.NPS_DETRACTORS, 0)) / answers


def net_promoter_interval(row: Mapping[int, int]) -> Interval | None:
    """Return the interval of the net promoter score, between -100 and 100; the score itself lies in it.

    By the variance of the difference of two shares, p + d - (p - d)^2, with three answers added (adjusted Wald):
    the best of those compared in B. Rocks, Interval estimation for the "net promoter score", The American
    Statistician 70 (2016) 365-372. It pulls the middle towards 0, so where all answer alike it is stretched to them.
    """
    score, answers = net_promoter_score(row), row.get(Measure.NPS_ANSWERS, 0) + NPS_ADDED
    if score is None:
        return None
    promoters = (row.get(Measure.NPS_PROMOTERS, 0) + NPS_ADDED / 4) / answers
    detractors = (row.get(Measure.NPS_DETRACTORS, 0) + NPS_ADDED / 4) / answers
    net = promoters - detractors
    reach = Z * sqrt((promoters + detractors - net * net) / answers)
    return min(score, max(-100.0, 100 * (net - reach))), max(score, min(100.0, 100 * (net + reach)))


def mean_satisfaction(row: Mapping[int, int]) -> float | None:
    """Return the mean answer of customers on 1 to 5 (CSAT)."""
    return _mean(row, Measure.CSAT_MILLI, Measure.CSAT_ANSWERS)


def mean_effort(row: Mapping[int, int]) -> float | None:
    """Return the mean answer of customers on 1 to 7 (CES): 7 is the least effort.

    M. Dixon, K. Freeman, N. Toman, Stop trying to delight your customers, Harvard Business Review, July 2010, in the
    form that its authors have given it since, in which more is better.
    """
    return _mean(row, Measure.CES_MILLI, Measure.CES_ANSWERS)


def mean_employee_satisfaction(row: Mapping[int, int]) -> float | None:
    """Return the mean answer of agents on 1 to 5 (ESAT)."""
    return _mean(row, Measure.ESAT_MILLI, Measure.ESAT_ANSWERS)


def mean_quality(row: Mapping[int, int]) -> float | None:
    """Return the mean score of reviews as a share of their scale, from 0 to 1."""
    return _mean(row, Measure.REVIEW_MILLI, Measure.REVIEWS)


def spread_of_quality(agents: Iterable[Mapping[int, int]]) -> float | None:
    """Return how far agents' mean quality differs from agent to agent: the sample's standard deviation, 0 to 1.

    A row is that of one agent; each counts alike, however many reviews there are of them. None for less than two
    agents with a review. Few reviews of each make the spread larger than it is.
    """
    means = [mean for mean in map(mean_quality, agents) if mean is not None]
    return stdev(means) if len(means) > 1 else None


def _mean(row: Mapping[int, int], milli: Measure, answers: Measure) -> float | None:
    count = row.get(answers, 0)
    return row.get(milli, 0) / count / 1_000 if count else None
