"""What callwatch measures of a simulated M/M/n and M/M/n+M queue lies around Erlang C and Erlang A."""

import math
from collections.abc import Callable
from statistics import fmean, stdev

import msgspec
import pytest

from agents.sources.callcenter import CallCenter, Duration, Queue, Team
from agents.sources.simulator import simulate
from streams import events as ev
from streams import kpis
from streams.contacts import ContactPartition
from streams.measures import Row, total
from streams.partition import Limits
from streams.policy import Policies, Promise
from streams.windows import INTERVAL_MS, coarse
from tests.erlang import ErlangA, ErlangC

THRESHOLD_S = 10
START_MS = 1_700_000_000_000 // INTERVAL_MS * INTERVAL_MS
BATCHES = 25
#: Student's t for 24 degrees of freedom: 99.9 % of honest runs lie within.
T = 3.745


def measured(rate_per_hour: float, agents: int, patience_s: float | None, hours_a_batch: int) -> list[Row]:
    """Return what callwatch counted in each of 25 batches of hours, the first one (an empty call center) left out."""
    queue = Queue(name="q", rate_per_hour=rate_per_hour, service=Duration(60), patience_s=patience_s)
    center = CallCenter(queues=(queue,), teams=(Team(queues=("q",), agents=agents),))
    end = START_MS + (BATCHES + 1) * hours_a_batch * 3_600_000
    partition = ContactPartition(Policies(queues={"q": Promise(threshold_ms=THRESHOLD_S * 1000)}), Limits())
    for _, event in simulate(center, 1, START_MS, end):
        if event["type"].startswith("contact."):
            decoded = ev.decode(ev.CALLS, msgspec.json.encode(event))
            partition.count(decoded, ev.milliseconds(decoded.time), end + 86_400_000)
    intervals = coarse(partition.take().deltas)
    width = hours_a_batch * 3_600_000 // INTERVAL_MS
    first = START_MS // INTERVAL_MS
    batches = [range(first + width * n, first + width * (n + 1)) for n in range(1, BATCHES + 1)]
    return [total(row for n in batch for row in intervals.get(n, {}).values()) for batch in batches]


def assert_within(rows: list[Row], figure: Callable[[Row], float | None], expected: float) -> None:
    means = [value for row in rows if (value := figure(row)) is not None]
    assert len(means) == BATCHES
    half_width = T * stdev(means) / math.sqrt(BATCHES)
    assert abs(fmean(means) - expected) < half_width, (fmean(means), expected, half_width)
    # An interval so wide that anything fits in it would prove nothing.
    assert half_width < 0.25 * expected


def answered_of_offered(row: Row) -> float | None:
    return kpis.service_level(row)["answered_of_offered"]


def test_patient_customers_are_measured_as_erlang_c_says() -> None:
    theory = ErlangC(arrivals=108 / 3600, service=1 / 60, agents=3)
    rows = measured(108, 3, None, 18)
    assert_within(rows, answered_of_offered, theory.service_level(THRESHOLD_S))
    assert_within(rows, kpis.average_speed_of_answer, theory.speed_of_answer)
    assert kpis.abandonment_rate(total(rows)) == pytest.approx(0)


def test_impatient_customers_are_measured_as_erlang_a_says() -> None:
    theory = ErlangA(arrivals=510 / 3600, service=1 / 60, agents=8, patience=1 / 90)
    rows = measured(510, 8, 90, 4)
    assert_within(rows, answered_of_offered, theory.answered_within(THRESHOLD_S))
    assert_within(rows, kpis.abandonment_rate, theory.abandons)
    assert_within(rows, kpis.average_speed_of_answer, theory.speed_of_answer)
