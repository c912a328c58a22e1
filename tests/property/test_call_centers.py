"""A thousand call centers, made up, counted in disorder, repetition and through crashes: as the oracle counts them."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS
from tests import oracle
from tests.generate import RULES, CallCenter, call_centers
from tests.property.replay import ENDLESS, LIMITS, PATIENT, conversations, replay, table

#: How long after the last event one looks: at once, when ghosts are lost, when all is settled.
LOOKS_AFTER = (1, 31 * MINUTE_MS, 5 * HOUR_MS, 2 * DAY_MS)


@settings(max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(center=call_centers, seed=st.integers(0, 2**32), after=st.sampled_from(LOOKS_AFTER))
def test_call_center_in_disorder_twice_and_through_crashes_counts_as_the_oracle(
    center: CallCenter, seed: int, after: int
) -> None:
    watermark = max(arrival.at for arrival in center.arrivals) + after
    limits = PATIENT if center.senseless else LIMITS
    kept, refused = replay(center.arrivals, watermark, random.Random(seed), limits)

    assert table(kept.buckets) == oracle.table(center.events, watermark, RULES)
    assert set(refused) <= {"settled"}
    waiting = [visit for visit in oracle.visits(center.events, watermark, RULES) if visit.waits]
    assert sorted(kept.now.values()) == sorted((visit.queue, visit.channel, visit.queued) for visit in waiting)
    if after == LOOKS_AFTER[-1]:
        assert kept.open == {}


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(center=call_centers, seed=st.integers(0, 2**32))
def test_lines_rings_bots_agents_and_subjects_in_disorder_count_as_the_oracle(center: CallCenter, seed: int) -> None:
    watermark = max(arrival.at for arrival in center.arrivals) + 2 * DAY_MS
    kept, _ = replay(center.arrivals, watermark, random.Random(seed), ENDLESS if center.senseless else LIMITS)

    assert conversations(kept) == oracle.conversations(center.events)
