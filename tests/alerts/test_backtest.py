"""The backtest finds the hour that went wrong, by Prometheus' own engine, and only that."""

from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import pytest

from agents.backtest import STEP_MS, Backtest, Episode, as_table, backtest
from config.errors import UsageError
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS, Opening, Policies, Promise
from tests.alerts.rules_files import RULES, alerts
from tests.unit.life import START, Counting, Visit

pytestmark = pytest.mark.alerts

#: The store's time zone is Berlin; START is a Monday, 09:00 UTC.
POLICIES: Final = Policies(queues={"sales": Promise()}, timezone="Europe/Berlin")
QUARTER_MS: Final = 15 * MINUTE_MS
BAD: Final = START + 2 * HOUR_MS


def visits(start: int, hours: float, wait_s: int, per_hour: int = 120) -> list[Visit]:
    """Return calls of sales that all waited equally long until they were answered."""
    step = HOUR_MS // per_hour
    begins = range(start, start + int(hours * HOUR_MS), step)
    return [
        Visit(f"c{at}", "sales", "voice", at - wait_s * 1000, "answered", at, 0, at + 5_000, at + 6_000)
        for at in begins
    ]


async def found(told: list[Visit], policies: Policies = POLICIES, hours: float = 5) -> Backtest:
    counting = Counting()
    await counting.feed(told, until=START + DAY_MS)
    return await backtest(counting.store, policies, RULES, START, START + int(hours * HOUR_MS))


def a_day_with_a_bad_hour(per_hour: int = 120) -> list[Visit]:
    return [
        *visits(START, 2, 5, per_hour),
        *visits(BAD, 1, 60, per_hour),
        *visits(BAD + HOUR_MS, 2, 5, per_hour),
    ]


async def test_the_bad_hour_would_have_paged_and_nothing_else() -> None:
    result = await found(a_day_with_a_bad_hour())
    breach = next(each for each in result.episodes if each.alert == "ServiceLevelBreached")
    # The first bad quarter is known when it is over, and 30 s have passed at the step after that.
    assert (breach.start, breach.severity, breach.queue) == (BAD + QUARTER_MS + STEP_MS, "page", "sales")
    assert breach.end == BAD + HOUR_MS + QUARTER_MS
    # 120 of 360 calls missed are a burn rate of 1.67: above the slow limits (1.5 and 1), below the steady one (2).
    assert {(each.severity, each.alert) for each in result.episodes} == {
        *(("page", "ServiceLevelBreached"), ("page", "ServiceLevelBurnsFast")),
        *(("ticket", "ServiceLevelBurnsSlowly"), ("ticket", "ServiceLevelBudgetOverspent")),
    }
    # Less than 40 % of an hour in time: three quarters of the four, and as long as the last one is bad.
    fast = [each for each in result.episodes if each.alert == "ServiceLevelBurnsFast"]
    assert [(each.start, each.end) for each in fast] == [(BAD + 3 * QUARTER_MS, BAD + HOUR_MS + QUARTER_MS)]


async def test_a_good_day_pages_nobody() -> None:
    assert (await found(visits(START, 5, 5))).episodes == []


async def test_few_contacts_page_nobody() -> None:
    assert (await found(a_day_with_a_bad_hour(per_hour=4))).episodes == []


async def test_a_queue_that_was_closed_pages_nobody() -> None:
    # 09:00 UTC is 10:00 in Berlin: open until the bad hour begins.
    closed = Policies(queues={"sales": Promise(hours=(Opening(0, 480, 720),))}, timezone="Europe/Berlin")
    assert {each.severity for each in (await found(a_day_with_a_bad_hour(), closed)).episodes} <= {"ticket"}


async def test_a_better_target_would_have_paged_more() -> None:
    lax = Policies(queues={"sales": Promise(threshold_ms=20_000, target_ratio=0.0)}, timezone="Europe/Berlin")
    assert (await found(a_day_with_a_bad_hour(), lax)).episodes == []


async def test_what_fires_to_the_last_has_no_end() -> None:
    result = await found(a_day_with_a_bad_hour(), hours=2.75)
    assert [each.end for each in result.episodes if each.alert == "ServiceLevelBreached"] == [None]


async def test_alerts_that_ask_for_what_is_not_kept_are_named() -> None:
    result = await found(visits(START, 1, 5))
    assert {"QueueTooLong", "WaitTooLong", "NobodyServesQueue", "WorkerDown", "BoardDown"} <= set(result.unjudged)
    judged = set(alerts()) - set(result.unjudged)
    assert judged == {
        *("ServiceLevelBurnsFast", "ServiceLevelBurns", "ServiceLevelBurnsSlowly", "ServiceLevelBudgetOverspent"),
        *("ServiceLevelBreached", "AbandonmentTooHigh"),
    }


async def test_an_empty_store_pages_nobody() -> None:
    assert (await backtest(Counting().store, POLICIES, RULES, START, START + HOUR_MS)).episodes == []


async def test_a_file_that_is_no_rules_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text("groups: [{name: a, rules: [{alert: A, expr: 'sum('}]}]", encoding="utf-8")
    with pytest.raises(UsageError, match=r"rules.yml: .*parse error") as caught:
        await backtest(Counting().store, POLICIES, [file], START, START + HOUR_MS)
    assert "\n" not in str(caught.value)


async def test_rules_of_ones_own_are_judged_too(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    expr = 'callcenter_decided_contacts{window="1h"} > 100'
    file.write_text(f"groups: [{{name: a, rules: [{{alert: Busy, expr: '{expr}'}}]}}]", encoding="utf-8")
    counting = Counting()
    await counting.feed(visits(START, 2, 5), until=START + DAY_MS)
    result = await backtest(counting.store, POLICIES, [file], START, START + 5 * HOUR_MS)
    # 30 calls a quarter: 120 an hour from 10:00 on, until the first quarter without any is over.
    expected = Episode(START + HOUR_MS, "Busy", "", "sales", "voice", START + 2 * HOUR_MS + QUARTER_MS)
    assert result.episodes == [expected]


def test_the_table_is_for_people() -> None:
    at = int(datetime.fromisoformat("2026-01-05T09:00:00Z").timestamp() * 1000)
    episode = Episode(at, "WaitTooLong", "page", "sales", "voice", at + HOUR_MS)
    lines: list[str] = []
    as_table(Backtest([episode, msgspec.structs.replace(episode, end=None)], ["BoardDown"]), lines.append)
    assert lines == [
        "2026-01-05T09:00:00Z  page    WaitTooLong  sales voice  60 min",
        "2026-01-05T09:00:00Z  page    WaitTooLong  sales voice  still firing",
        "2 alerts, 2 of them pages",
        "not judged, for the store does not keep what they ask for: BoardDown",
    ]
