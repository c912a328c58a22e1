"""Formulas: from measures to the figures that people steer by.

Averages, ratios and percentiles are made last, from sums. A ratio of nothing is None: never 0, 1 or NaN.
Throughout, a is answered, b abandoned, _T within the target, s short abandons.
"""

from collections.abc import Mapping
from math import ceil
from typing import Final

from streams.measures import LEFT, Histogram, Measure, amount, bins, middle_of
from streams.policy import SECOND_MS

#: By names of their own: to look up a member of an enum takes Python 3.11 0.1 us, and /metrics needs 200,000 of them.
_OFFERED: Final = int(Measure.OFFERED)
_ANSWERED: Final = int(Measure.ANSWERED)
_ANSWERED_WITHIN_TARGET: Final = int(Measure.ANSWERED_WITHIN_TARGET)
_ABANDONED: Final = int(Measure.ABANDONED)
_ABANDONED_WITHIN_TARGET: Final = int(Measure.ABANDONED_WITHIN_TARGET)
_SHORT_ABANDONED: Final = int(Measure.SHORT_ABANDONED)
_LOST: Final = int(Measure.LOST)
_HANDLED: Final = int(Measure.HANDLED)
_WAIT_ANSWERED_MS: Final = int(Measure.WAIT_ANSWERED_MS)
_TALK_MS: Final = int(Measure.TALK_MS)
_WRAP_UP_MS: Final = int(Measure.WRAP_UP_MS)

#: The percentiles of a wait that the API gives.
PERCENTILES: Final = (50, 90, 95, 99)


def ratio(top: float, bottom: float) -> float | None:
    """Return ``top / bottom``, or None where there is nothing to divide by."""
    return top / bottom if bottom else None


def left(row: Mapping[int, int]) -> int:
    """Return how many visits left without being answered and without giving up, for whatever reason."""
    return amount(row, LEFT)


def counts(row: Mapping[int, int]) -> dict[str, int]:
    """Return the counts of ``row`` by the names that the API gives them."""
    get = row.get
    return {
        "offered": get(_OFFERED, 0),
        "answered": get(_ANSWERED, 0),
        "answered_within_target": get(_ANSWERED_WITHIN_TARGET, 0),
        "abandoned": get(_ABANDONED, 0),
        "abandoned_within_target": get(_ABANDONED_WITHIN_TARGET, 0),
        "short_abandoned": get(_SHORT_ABANDONED, 0),
        "left": left(row),
        "lost": get(_LOST, 0),
        "handled": get(_HANDLED, 0),
    }


def service_level(row: Mapping[int, int]) -> dict[str, float | None]:
    """Return service level by each of its definitions, by the names of ``policy.FORMULAS``.

    Definitions as in the field's guides (ICMI's four and two more): they differ in what an abandon counts for.
    """
    get = row.get
    a, b = get(_ANSWERED, 0), get(_ABANDONED, 0)
    a_in, b_in = get(_ANSWERED_WITHIN_TARGET, 0), get(_ABANDONED_WITHIN_TARGET, 0)
    return {
        "answered_of_offered": ratio(a_in, a + b),
        "answered_of_answered": ratio(a_in, a),
        "abandoned_in_target_met": ratio(a_in + b_in, a + b),
        "abandoned_in_target_ignored": ratio(a_in, a + b - b_in),
        "short_abandoned_ignored": ratio(a_in, a + b - get(_SHORT_ABANDONED, 0)),
        "left_missed": ratio(a_in, a + b + left(row)),
    }


def live_service_level(row: Mapping[int, int], waiting_past_target: int) -> float | None:
    """Return answered_of_offered in which everybody who waits past the target now counts as missed."""
    ended = row.get(_ANSWERED, 0) + row.get(_ABANDONED, 0)
    return ratio(row.get(_ANSWERED_WITHIN_TARGET, 0), ended + waiting_past_target)


def abandonment_rate(row: Mapping[int, int]) -> float | None:
    """Return b / (a + b)."""
    b = row.get(_ABANDONED, 0)
    return ratio(b, row.get(_ANSWERED, 0) + b)


def average_speed_of_answer(row: Mapping[int, int]) -> float | None:
    """Return the mean wait of the answered, in seconds."""
    return ratio(row.get(_WAIT_ANSWERED_MS, 0), row.get(_ANSWERED, 0) * SECOND_MS)


def handle_ms(row: Mapping[int, int]) -> int:
    """Return talk, hold inside it, and wrap-up, in ms."""
    return row.get(_TALK_MS, 0) + row.get(_WRAP_UP_MS, 0)


def average_handle_time(row: Mapping[int, int]) -> float | None:
    """Return (talk + wrap-up) / handled, in seconds; hold lies inside talk."""
    return ratio(handle_ms(row), row.get(_HANDLED, 0) * SECOND_MS)


def percentile(row: Mapping[int, int], histogram: Histogram, percent: int) -> float | None:
    """Return the nearest-rank percentile in seconds, at most 5 % from the exact one; None of nothing."""
    return _at_rank(list(bins(row, histogram)), percent)


def _at_rank(found: list[tuple[int, int]], percent: int) -> float | None:
    rank = ceil(percent * sum(count for _, count in found) / 100)
    seen = 0
    for number, count in found:
        seen += count
        if seen >= rank:
            return middle_of(number) / SECOND_MS
    return None


def percentiles(row: Mapping[int, int], histogram: Histogram) -> dict[str, float | None]:
    """Return the percentiles of ``PERCENTILES`` in seconds: {"p50": ..., ...}."""
    found = list(bins(row, histogram))
    return {f"p{percent}": _at_rank(found, percent) for percent in PERCENTILES}


def occupancy(busy_ms: float, available_ms: float) -> float | None:
    """Return busy / (busy + available): the share of their staffed time that agents work on contacts."""
    return ratio(busy_ms, busy_ms + available_ms)
