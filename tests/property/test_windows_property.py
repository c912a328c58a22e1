"""Windows, totals and the time spent waiting, against the sums and integrals that define them."""

import random
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.measures import Measure, Row, add, total
from streams.policy import DAY_MS, MINUTE_MS
from streams.windows import FINE_MS, Buckets, Rolling, Totals, coarse, fine, interval, post, waited_ms
from tests import oracle
from tests.generate import BEGIN, RULES, CallCenter, call_centers
from tests.property.replay import PATIENT, replay

PLACES: Final = (("sales", "voice"), ("chat", "chat"))
MEASURES: Final = (Measure.OFFERED, Measure.ANSWERED, Measure.MOMENTS_MS, Measure.WAIT_ANSWERED_MS)

rows = st.dictionaries(st.sampled_from(MEASURES).map(int), st.integers(-3, 3).filter(bool), max_size=3)
changes = st.dictionaries(
    st.integers(1_000, 1_030), st.dictionaries(st.sampled_from(PLACES), rows, max_size=2), max_size=4
)
histories = st.lists(st.tuples(changes, st.integers(0, 12)), max_size=12)


def naive(buckets: Buckets, last: int, width: int) -> dict[tuple[str, str], Row]:
    """Return the sums over the ``width`` buckets up to and with ``last``."""
    sums = {}
    for place in PLACES:
        inside = (buckets.get(number, {}).get(place, {}) for number in range(last - width + 1, last + 1))
        sums[place] = total(inside)
    return {place: row for place, row in sums.items() if row}


@settings(max_examples=300, deadline=None)
@given(history=histories, width=st.integers(1, 15))
def test_rolling_window_is_the_sum_of_its_buckets(history: list[tuple[Buckets, int]], width: int) -> None:
    window, buckets, last = Rolling(width * FINE_MS), Buckets(), 1_000
    window.move(last, buckets)
    for deltas, passed in history:
        post(buckets, deltas)
        before = naive(buckets, last, width)
        window.post(deltas)
        assert window.sums == before
        last += passed
        changed = window.move(last, buckets)
        after = naive(buckets, last, width)
        assert window.sums == after
        assert {place for place in PLACES if before.get(place) != after.get(place)} <= changed
        assert window.first == last - width + 1


@settings(max_examples=300, deadline=None)
@given(history=histories)
def test_totals_never_go_down_and_are_the_truth_and_what_is_owed(history: list[tuple[Buckets, int]]) -> None:
    totals, truth = Totals(), dict[tuple[str, str], Row]()
    shown: dict[tuple[str, str], Row] = {}
    for deltas, _ in history:
        totals.post(deltas.values())
        for places in deltas.values():
            for place, row in places.items():
                add(truth.setdefault(place, {}), {key: row[key] for key in row if key != Measure.MOMENTS_MS})
        for place, (counters, owed) in totals.rows.items():
            assert all(counters.get(key, 0) >= amount for key, amount in shown.get(place, {}).items())
            assert min(owed.values(), default=1) > 0
            assert total([counters, {key: -amount for key, amount in owed.items()}]) == truth[place]
            shown[place] = dict(counters)


@settings(max_examples=100, deadline=None)
@given(center=call_centers)
def test_intervals_hold_what_their_fine_buckets_hold(center: CallCenter) -> None:
    kept, _ = replay(center.arrivals, BEGIN + DAY_MS, random.Random(0), PATIENT)
    everything = total(row for places in kept.buckets.values() for row in places.values())
    assert total(row for places in coarse(kept.buckets).values() for row in places.values()) == everything
    for number in kept.buckets:
        assert interval(number * FINE_MS) in coarse(kept.buckets)


@settings(max_examples=150, deadline=None)
@given(center=call_centers, begins=st.integers(0, 1_500), lasts=st.integers(0, 3_000))
def test_time_waited_is_the_integral_of_the_queue_length(center: CallCenter, begins: int, lasts: int) -> None:
    kept, _ = replay(center.arrivals, BEGIN + DAY_MS, random.Random(0), PATIENT)
    stays = list(oracle.visits(center.events, BEGIN + DAY_MS, RULES))
    start = BEGIN + begins * FINE_MS
    end = start + lasts * FINE_MS
    for place in {(visit.queue, visit.channel) for visit in stays}:
        of_place = [visit for visit in stays if (visit.queue, visit.channel) == place]
        buckets = range(fine(start), fine(end))
        row = total(kept.buckets.get(number, {}).get(place, {}) for number in buckets)
        # At ``end``: who came before it and leaves at it or later.
        level = sum(visit.queued < end and (visit.waits or visit.until >= end) for visit in of_place)
        assert waited_ms(row, start, end, level) == oracle.waited(of_place, start, end)


def test_time_waited_in_a_minute_by_hand() -> None:
    # One waits all the minute, one from second 10 to second 30: 60 + 20 visit-seconds.
    start = BEGIN
    row: Row = {Measure.OFFERED: 1, Measure.ANSWERED: 1, Measure.MOMENTS_MS: (start + 30_000) - (start + 10_000)}
    assert waited_ms(row, start, start + MINUTE_MS, 1) == 80_000
