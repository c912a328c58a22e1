"""What queues.yaml says of costs, customers and shifts, and how its mistakes are told."""

import os
from pathlib import Path

import pytest

from config.errors import UsageError
from config.queues import load_policies
from config.settings import Settings
from streams.policy import DAY_MS, HOUR_MS, Business, Opening, Policies


def load(tmp_path: Path, text: str) -> Policies:
    file = tmp_path / "queues.yaml"
    file.write_text(text, encoding="utf-8")
    return load_policies(file)


def refusals(tmp_path: Path, text: str) -> list[str]:
    """Return what the user is told, a line each, without the file's name."""
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text)
    return [line.replace(f"{tmp_path}{os.sep}queues.yaml:", "") for line in str(caught.value).splitlines()]


def test_the_file_that_comes_with_callwatch_says_what_every_figure_needs() -> None:
    policies = load_policies(Settings().queues)
    business = policies.business
    assert (business.currency, business.agent_hour_cents, business.overhead_month_cents) == ("EUR", 3_250, 4_500_000)
    assert (business.customers, business.customers_counted, business.margin_ratio) == (100_000, "2026-01-01", 0.3)
    assert (business.return_window_ms, business.order_window_ms) == (7 * DAY_MS, 5 * DAY_MS)
    assert {"alice", "bob", "agent-001"} <= set(policies.schedules)
    assert policies.schedules["bob"][-1] == Opening(5, 540, 840)


def test_what_is_not_said_is_not_known_but_windows_and_standards_are_those_of_the_field(tmp_path: Path) -> None:
    policies = load(tmp_path, "queues: {sales: }\n")
    assert policies.business == Business()
    unknown = ("currency", "agent_hour_cents", "overhead_month_cents", "margin_ratio", "customers")
    assert [getattr(policies.business, field) for field in unknown] == [None] * len(unknown)
    assert (policies.business.return_window_ms, policies.business.quality_ratio) == (7 * DAY_MS, 0.8)
    assert policies.schedules == {}
    assert policies.of("sales").backlog_goal is None


def test_every_key_is_read(tmp_path: Path) -> None:
    policies = load(
        tmp_path,
        """
business:
  currency: CHF
  agent_hour_cost: 41.5
  overhead_per_month: 0
  margin: 12.5 %
  customers: {number: 0, counted: 2027-03-01}
  return_window: 36h
  order_window: 1h
  quality_standard: 0.9
  occupancy: 80 %
  utilisation: 0.65
schedules:
  "007": {monday-tuesday: [08:00-12:00, "13:00-17:00"]}
  night: {friday: 22:00-24:00, saturday: 00:00-06:00}
defaults: {backlog_goal: 50}
queues:
  mail: {backlog_goal: 7}
  calls: {backlog_goal: none}
""",
    )
    assert policies.business == Business(
        currency="CHF",
        agent_hour_cents=4_150,
        overhead_month_cents=0,
        margin_ratio=0.125,
        customers=0,
        customers_counted="2027-03-01",
        return_window_ms=36 * HOUR_MS,
        order_window_ms=HOUR_MS,
        quality_ratio=0.9,
        occupancy_ratio=0.8,
        utilisation_ratio=0.65,
    )
    shifts = tuple(Opening(day, *times) for day in (0, 1) for times in ((480, 720), (780, 1_020)))
    assert policies.schedules == {"007": shifts, "night": (Opening(4, 1_320, 1_440), Opening(5, 0, 360))}
    assert [policies.of(queue).backlog_goal for queue in ("mail", "calls", "else")] == [7, None, 50]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("business: cheap", "1: business: has no keys under it; write keys with values"),
        ("business:\n  curency: EUR", "2: business.curency: no such key; did you mean currency?"),
        ("business:\n  currency: euro", '2: business.currency: "euro" is not a currency; write its three letters'),
        ("business:\n  currency: 12", '2: business.currency: "12" is not a currency'),
        (
            "business:\n  currency: EUR\n  agent_hour_cost: 35 EUR",
            '3: business.agent_hour_cost: "35 EUR" is not an amount; write a number such as 35 or 35.50, without its',
        ),
        (
            "business: {currency: EUR, agent_hour_cost: 35.505}",
            '1: business.agent_hour_cost: "35.505" is not an amount',
        ),
        ("business: {currency: EUR, overhead_per_month: -1}", '1: business.overhead_per_month: "-1" is not an amount'),
        (
            "business:\n  agent_hour_cost: 35",
            "2: business.agent_hour_cost: is an amount of no currency; write business",
        ),
        ("business:\n  overhead_per_month: 9", "2: business.overhead_per_month: is an amount of no currency"),
        ("business:\n  margin: 130 %", '2: business.margin: "130 %" is not a ratio; write 80 % or 0.8'),
        ("business:\n  return_window: 7", '2: business.return_window: "7" is not a duration'),
        ("business:\n  order_window: 0s", '2: business.order_window: "0s" is no time; write one such as 7d'),
        ("business:\n  quality_standard: high", '2: business.quality_standard: "high" is not a ratio'),
        ("business:\n  occupancy: [1]", "2: business.occupancy: has keys or a list under it; write one value"),
        ("business:\n  utilisation:", "2: business.utilisation: has no value; write one, or leave the key out"),
        ("business:\n  customers: 9", "2: business.customers: has no keys under it"),
        (
            "business:\n  customers:\n    number: many\n    counted: 2027-01-01",
            '3: business.customers.number: "many" is not a number of customers; write a whole number such as 12000',
        ),
        (
            "business:\n  customers: {number: 9, counted: yesterday}",
            '2: business.customers.counted: "yesterday" is not a date; write one such as 2027-12-25',
        ),
        (
            "business:\n  customers: {number: 9}",
            "2: business.customers: has no counted; write {number: 12000, counted: 2027-01-01}",
        ),
        ("business:\n  customers: {counted: 2027-01-01}", "2: business.customers: has no number; write"),
        (
            "queues:\n  chat: {contacts_at_once: 0}",
            '2: queues.chat.contacts_at_once: "0" is not a number of contacts; write a whole number from 1 on',
        ),
        ("queues:\n  sales: {backlog_goal: few}", '2: queues.sales.backlog_goal: "few" is not a number of contacts'),
        ("schedules: [ann]", "1: schedules: has no keys under it; write keys with values"),
        ("schedules:\n  ann: always", "2: schedules.ann: has no keys under it; write keys with values"),
        ("schedules:\n  ann: {}", "2: schedules.ann: has no shifts; write monday-friday: 09:00-17:00, or leave the"),
        ("schedules:\n  ann:\n    monday: closed", "2: schedules.ann: has no shifts"),
        ("schedules:\n  ann:\n    munday: 9:00-17:00", '3: schedules.ann.munday: "munday" is not a weekday; did you'),
        ("schedules:\n  ann:\n    monday: 9-17", '3: schedules.ann.monday: "9-17" is not a stretch of time; write'),
        (
            "schedules:\n  ann:\n    monday: 22:00-06:00",
            '3: schedules.ann.monday: "22:00-06:00" closes before it opens; past midnight, write 20:00-24:00 and',
        ),
        (
            "schedules:\n  ann:\n    monday: 09:00-12:00\n    monday-friday: 11:00-13:00",
            "4: schedules.ann.monday-friday: 11:00-13:00 overlaps 09:00-12:00 on monday",
        ),
        ('schedules:\n  "": {monday: 9:00-10:00}', '2: schedules.: "" is not a name: Expected `str` of length >= 1'),
    ],
)
def test_a_mistake_is_told_by_line_and_key(tmp_path: Path, text: str, told: str) -> None:
    [line] = refusals(tmp_path, f"{text}\n")
    assert line.startswith(told)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = (
        "business:\n  margin: 2\n  agent_hour_cost: x\nschedules:\n  ann: {monday: x}\n  bob: {}\nskills: {ann: [b]}\n"
    )
    assert [line.split(":")[0] for line in refusals(tmp_path, text)] == ["2", "3", "3", "5", "6", "7"]
