"""Formulas of customer service, against numbers worked out by hand."""

from typing import Any

import pytest

from streams import service
from streams.measures import Histogram, Measure, Row, bin_of
from streams.policy import DAY_MS, HOUR_MS

ROW: Row = {
    Measure.OPENED: 40,
    Measure.KNOWN: 30,
    Measure.RESOLVED: 20,
    Measure.RESOLVED_KNOWN: 16,
    Measure.REOPENED: 3,
    Measure.AUTOMATED: 5,
    Measure.SINGLE_REPLY: 8,
    Measure.FIRST_CONTACT: 12,
    Measure.FINAL: 10,
    Measure.FIRST_CONTACT_FINAL: 7,
    Measure.CAME_BACK_DAY: 3,
    Measure.CAME_BACK_WEEK: 6,
    Measure.REPEATED: 4,
}


def test_what_became_of_contacts_is_a_share_of_those_it_can_be_known_of() -> None:
    assert service.resolution(ROW, ROW) == {
        "opened": 40,
        "resolved": 20,
        "reopened": 3,
        "resolved_ratio": 0.5,
        "automated": 5,
        "automated_ratio": 0.25,
        "single_reply_ratio": 0.4,
        "first_contact_ratio": 0.75,  # 12 of 16: of the other 4 nobody knows who they were
        "first_contact_final_ratio": 0.7,
        "final": 10,
    }


def test_a_platform_that_resolves_nothing_has_no_resolution_rather_than_none_resolved() -> None:
    found = service.resolution({Measure.OPENED: 40}, {Measure.OPENED})
    assert found.pop("opened") == 40
    assert set(found.values()) == {None}


def test_a_day_without_resolutions_on_a_platform_that_tells_them_has_zero() -> None:
    found = service.resolution({Measure.OPENED: 4}, ROW)
    assert (found["resolved"], found["resolved_ratio"], found["automated_ratio"]) == (0, 0.0, None)


def test_who_comes_back_is_a_share_of_customers_who_are_known() -> None:
    assert service.repeat(ROW) == {"day_ratio": 0.1, "week_ratio": 0.2, "several_agents_ratio": 0.1}


def test_a_count_is_absent_until_its_event_or_its_sign_was_seen() -> None:
    assert service.count({}, set(), Measure.DECLINED, Measure.OFFERED_TO_AGENT) is None
    assert service.count({}, {Measure.OFFERED_TO_AGENT}, Measure.DECLINED, Measure.OFFERED_TO_AGENT) == 0
    assert service.count({Measure.DECLINED: 2}, {Measure.DECLINED}, Measure.DECLINED) == 2


def test_times_are_mean_and_percentiles_in_seconds() -> None:
    took = [4_000] * 5 + [60_000] * 5
    row: dict[int, int] = {Measure.RESPONSES: len(took), Measure.RESPONSE_MS: sum(took)}
    for each in took:
        row[Histogram.RESPONSE + bin_of(each)] = row.get(Histogram.RESPONSE + bin_of(each), 0) + 1
    found = service.times(row, Measure.RESPONSE_MS, Measure.RESPONSES, Histogram.RESPONSE)
    assert found["mean"] == 32.0
    assert found["p50"] == pytest.approx(4.0, rel=0.05)
    assert found["p90"] == pytest.approx(60.0, rel=0.05)


def test_missed_are_those_who_gave_up_left_or_were_lost() -> None:
    left: Row = {Measure.LEFT_TIMEOUT: 2, Measure.LEFT_CALLBACK: 1, Measure.LOST: 1}
    row: Row = {Measure.ANSWERED: 9, Measure.ABANDONED: 3, **left}
    assert service.missed(row) == 7


def test_cost_is_time_at_its_rate_and_a_share_of_a_months_overhead() -> None:
    # 12 h at 25.00 are 300.00; a day of 9,000.00 a month of 30.4375 days is 295.69.
    cents = service.agents_cost(12 * HOUR_MS, 2_500, 900_000, DAY_MS)
    assert cents == pytest.approx(30_000 + 900_000 / 30.4375)
    assert service.agents_cost(12 * HOUR_MS, 2_500, None, DAY_MS) == 30_000


def test_customers_are_kept_and_lost_of_those_at_the_start() -> None:
    told = {"at_start": 200, "joined": 30, "left": 10, "retention_ratio": 0.95, "churn_ratio": 0.05}
    assert service.customers(200, 30, 10) == told
    unknown = {"at_start": None, "joined": 30, "left": 10, "retention_ratio": None, "churn_ratio": None}
    assert service.customers(None, 30, 10) == unknown


@pytest.mark.parametrize(
    ("revenue", "at_start", "gone", "margin", "value"),
    [
        # 50 a customer and period, who stays 20 periods, of which 30 % are left: 300.
        (10_000.0, 200, 10, 0.3, 300.0),
        (10_000.0, 200, 0, 0.3, None),
        (10_000.0, None, 10, 0.3, None),
        (10_000.0, 200, 10, None, None),
    ],
)
def test_lifetime_value_is_margin_times_purchases_times_lifetime(
    revenue: float, at_start: int | None, gone: int, margin: float | None, value: Any
) -> None:
    assert service.lifetime_value(revenue, at_start, gone, margin) == pytest.approx(value)


def test_occupancy_leaves_out_breaks_and_utilisation_does_not() -> None:
    spent = {"on_contact": 50.0, "wrap_up": 10.0, "available": 15.0, "offered": 5.0, "break": 20.0, "offline": 900.0}
    assert service.occupancy(spent) == 0.75
    assert service.utilisation(spent) == 0.6
    assert service.utilisation({"offline": 10.0}) is None
