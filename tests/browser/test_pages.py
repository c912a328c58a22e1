"""A queue's own page, the time machine, and the report."""

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.async_api import expect
from starlette.datastructures import QueryParams

from tests.browser.looks import OpenPage, field, seen, tile, watch
from tests.browser.scenes import everything, intervals, row, snapshot, trend, weekday
from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAST = "Time machine"
SALES = "queue?queue=sales&channel=voice"


def script(stage: Stage) -> None:
    """Have the stage answer what a queue's page asks."""
    stage.answers["trend"] = lambda _asked: trend(time.time())
    stage.answers["weekday"] = weekday()


async def test_a_tile_leads_to_its_queues_own_page(stage: Stage, open_page: OpenPage) -> None:
    script(stage)
    stage.show(snapshot(row("sales & co", "chat"), row("sales", "voice")))
    page = await open_page()
    await page.get_by_role("link", name="sales & co").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("sales & co")
    await expect(page.locator("#headline [data-field=about]")).to_contain_text("chat")
    await expect(page.locator("#charts figure")).to_have_count(3)
    assert "/api/v1/trend?queue=sales+%26+co&channel=chat&window=5m" in stage.asked


async def test_a_queues_page_shows_its_figures_percentiles_agents_and_trend(stage: Stage, open_page: OpenPage) -> None:
    script(stage)
    stage.show(snapshot(row("sales", queue_length=4, abandonment_rate=0.118, longest_wait_seconds=61.0)))
    page = await open_page(SALES)
    totals = page.locator("#totals")
    await expect(field(totals, "queue_length")).to_have_text("4")
    await expect(field(totals, "abandonment")).to_have_text("11.8%")
    await expect(field(page.locator("#headline"), "level")).to_have_text("Breach")
    await expect(field(page.locator("#headline"), "why")).to_have_text("abandonment")
    await expect(page.locator("#waits dd")).to_have_text(["0:08", "0:31", "0:44", "1:20"])
    await expect(page.locator("#agents dt")).to_have_text(["available", "on contact"])
    await expect(page.locator("#agents dd")).to_have_text(["1", "3"])
    for i in range(3):
        await expect(page.locator("#charts figure").nth(i)).to_have_attribute("data-points", "360")
    drawn = """() => [...document.querySelectorAll("#charts canvas")].map((canvas) => new Set(new Uint32Array(
        canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size)"""
    assert min(await page.evaluate(drawn)) > 3


async def test_who_waits_is_shown_by_position_and_the_wait_ticks(stage: Stage, open_page: OpenPage) -> None:
    script(stage)
    stage.show(snapshot(row("sales", queue_length=2), timezone="UTC"))
    page = await open_page(SALES)
    lines = page.locator("#waiting tbody tr")
    await expect(lines).to_have_count(2)
    await expect(lines.first.locator("td").nth(2)).to_have_text(re.compile(r"2:0\d"))
    before = await lines.first.locator("td").nth(2).inner_text()
    await expect(lines.first.locator("td").nth(2)).not_to_have_text(before)
    stage.answers["trend"] = lambda _asked: trend(time.time(), waiting=0)
    await expect(page.locator("#nobody")).to_be_visible()


async def test_today_stands_beside_the_same_weekday(stage: Stage, open_page: OpenPage) -> None:
    script(stage)
    stage.show(snapshot(row("sales")))
    page = await open_page(SALES)
    lines = page.locator("#day tbody tr")
    await expect(lines.nth(0)).to_contain_text("Today · Nov 23, 2026")
    await expect(lines.nth(0).locator("td").first).to_have_text("110")
    await expect(lines.nth(1).locator("td").first).to_have_text("122")
    await expect(page.locator("#until")).to_have_text("up to 10:15")
    await expect(page.locator("#day-chart figure")).to_have_attribute("data-points", "48")


async def test_a_queues_page_keeps_its_last_numbers_and_says_that_they_are_old(
    stage: Stage, open_page: OpenPage
) -> None:
    script(stage)
    stage.show(snapshot(row("sales", queue_length=7)))
    page = await open_page(SALES)
    await expect(field(page.locator("#totals"), "queue_length")).to_have_text("7")
    stage.stop()
    await expect(page.locator("#banner")).to_contain_text("Connection lost")
    await expect(field(page.locator("#totals"), "queue_length")).to_have_text("7")
    stage.start()
    await expect(page.locator("#banner")).to_be_hidden()


async def test_a_queue_that_nobody_knows_is_told(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row("sales")))
    page = await open_page("queue?queue=nothing")
    await expect(page.get_by_role("status").first).to_contain_text("This queue is not known")
    await expect(page.locator("#totals, .panel").filter(visible=True)).to_have_count(1)


def past_rows(asked: QueryParams) -> dict[str, Any] | None:
    """Return a board on which as many wait as the minute that is asked for says; None when it is too old."""
    at = datetime.fromisoformat(asked["at"])
    if datetime.now(UTC) - at > timedelta(hours=1):
        return None
    made = row("sales", queue_length=at.minute, abandonment_rate=0.4)
    del made["promise"]
    return {"time": asked["at"], "window": asked["window"], "rows": [made, everything(queue_length=at.minute)]}


async def test_the_time_machine_shows_the_board_as_it_was_and_plays_it_sixty_times_as_fast(
    stage: Stage, open_page: OpenPage
) -> None:
    stage.answers["queues"] = past_rows
    stage.show(snapshot(row("sales", queue_length=99), timezone="Asia/Kolkata"))
    page = await open_page()
    waiting = field(tile(page, "sales"), "queue_length")
    await expect(waiting).to_have_text("99")
    await page.get_by_role("button", name=PAST).click()
    moment = page.get_by_label("Moment")
    await expect(page.locator("body")).to_have_attribute("data-freshness", "past")
    at = datetime.now(UTC) - timedelta(minutes=30)
    kolkata = at + timedelta(hours=5, minutes=30)
    await moment.fill(kolkata.strftime("%Y-%m-%dT%H:%M:30"))
    await expect(waiting).to_have_text(str(at.minute))
    await expect(field(tile(page, "sales"), "level")).to_have_text("Breach")
    await watch(waiting)
    played = len(stage.asked)
    began = time.monotonic()
    await page.get_by_role("button", name="Play at 60\N{MULTIPLICATION SIGN}").click()
    # A step a second, each a minute further.
    shown = [int(text) for text in await seen(page, 4)]
    assert time.monotonic() - began > 2
    assert shown == sorted(shown, key=lambda minute: (minute - at.minute) % 60)
    moments = [datetime.fromisoformat(parse_qs(asked)["at"][0]) for asked in stage.asked[played:] if "&at=" in asked]
    assert [then - moments[0] for then in moments] == [timedelta(minutes=i) for i in range(len(moments))]
    await page.get_by_role("button", name="Back to live").click()
    await expect(waiting).to_have_text("99")
    await expect(page.locator("body")).to_have_attribute("data-freshness", "live")


async def test_older_moments_are_shown_by_the_quarter_of_an_hour_they_lie_in(stage: Stage, open_page: OpenPage) -> None:
    stage.answers["queues"] = past_rows
    stage.answers["intervals"] = intervals("2026-11-20T08:15:00Z")
    stage.show(snapshot(row("sales", queue_length=99), timezone="UTC"))
    page = await open_page()
    await expect(tile(page, "sales")).to_be_visible()
    await page.get_by_role("button", name=PAST).click()
    await page.get_by_label("Moment").fill("2026-11-20T08:20:00")
    await expect(page.locator("#past")).to_contain_text("quarter of an hour from Nov 20, 2026, 8:15 AM")
    await expect(field(tile(page, "sales"), "queue_length")).to_have_text("\N{EN DASH}")
    await expect(field(tile(page, "sales"), "abandonment")).to_have_text("2.5%")
    asked = next(path for path in reversed(stage.asked) if "intervals" in path)
    assert "from=2026-11-20T08%3A15%3A00.000Z&to=2026-11-20T08%3A30%3A00.000Z&interval=15m" in asked
    stage.answers["intervals"] = {"rows": []}
    await page.get_by_label("Moment").fill("2026-11-19T08:20:00")
    await expect(page.locator("#past")).to_contain_text("nothing is stored of that time")


async def test_the_report_asks_in_the_call_centers_time_and_shows_every_row(stage: Stage, open_page: OpenPage) -> None:
    stage.answers["intervals"] = intervals("2026-11-23T08:00:00Z", "2026-11-23T08:30:00Z")
    formula = {"formula": "left_missed"}
    stage.show(snapshot(row("sales", promise=formula), row("=cmd")))
    page = await open_page("report?from=2026-11-23T09:00&to=2026-11-23T10:00&interval=30m")
    await expect(page.locator("#rows tbody tr")).to_have_count(6)
    first = page.locator("#rows tbody tr").first
    await expect(first.locator("th, td")).to_have_text(
        ["Nov 23, 2026, 09:00", "sales", "voice", "41", "37", "1", "1", "90.0%", "2.5%", "0:12", "0:31", "3:02"]
    )
    assert "from=2026-11-23T08%3A00%3A00.000Z&to=2026-11-23T09%3A00%3A00.000Z&interval=30m" in stage.asked[-1]
    await page.get_by_label("Interval").select_option("1d")
    await page.get_by_label("Queue").select_option("sales")
    async with page.expect_response("**/api/v1/intervals*") as answered:
        await page.get_by_role("button", name="Show").click()
    await answered.value
    assert stage.asked[-1].endswith("interval=1d&queue=sales")
    await expect(page.locator("#result")).to_have_text("6 rows")


async def test_the_csv_has_the_rows_and_no_formula_for_a_spreadsheet_to_run(
    stage: Stage, open_page: OpenPage, tmp_path: Path
) -> None:
    stage.answers["intervals"] = intervals("2026-11-23T08:00:00Z")
    stage.show(snapshot(row("sales"), row("=cmd")))
    page = await open_page("report?from=2026-11-23T09:00&to=2026-11-23T10:00")
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Download CSV").click()
    saved = tmp_path / "report.csv"
    download = await downloading.value
    await download.save_as(saved)
    assert download.suggested_filename == "callwatch-2026-11-23-30m.csv"
    lines = saved.read_text().splitlines()
    assert lines[0].startswith("start,queue,channel,offered,answered,abandoned,left,service_level,")
    assert lines[1] == "2026-11-23T08:00:00Z,sales,voice,41,37,1,1,0.9,0.025,12.4,31,182.9"
    assert lines[2].startswith("2026-11-23T08:00:00Z,'=cmd,voice,3,")
    assert lines[3].startswith("2026-11-23T08:00:00Z,all,,41,")
