"""The page of customer service: every figure of a period, by queue and channel."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, ViewportSize, expect

from tests.browser import service
from tests.browser.looks import OpenPage, field, tile
from tests.browser.scenes import row, snapshot
from tests.browser.stage import Stage
from tests.browser.test_access import faults

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DASH = "\N{EN DASH}"
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture
def told(stage: Stage) -> Stage:
    """Return a stage that answers what the page asks."""
    service.script(stage)
    stage.show(snapshot(row("sales"), row("support"), row("chat", "chat")))
    return stage


async def fact(page: Page, panel: str, term: str) -> str:
    """Return what a panel shows for a term."""
    line = page.locator(f"#{panel} > div").filter(has=page.locator("dt", has_text=re.compile(f"^{re.escape(term)}$")))
    return await line.locator("dd").inner_text()


async def test_the_wallboard_leads_to_the_page_and_the_page_back(told: Stage, open_page: OpenPage) -> None:
    page = await open_page()
    await page.get_by_role("link", name="Customer service").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Customer service")
    await expect(page.locator("#headline .figure")).to_have_count(8)
    await page.keyboard.press("o")
    await expect(tile(page, "sales")).to_be_visible()
    await page.keyboard.press("c")
    await expect(page.locator("#queues tbody tr")).to_have_count(8)
    assert any(path.startswith("/api/v1/figures?period=today") for path in told.asked)


@pytest.mark.usefixtures("told")
async def test_every_part_of_the_answer_is_shown(open_page: OpenPage) -> None:
    page = await open_page("figures")
    await expect(page.locator("#headline dd")).to_have_text(
        ["1,243", "0:29", "1h 50m", "78.5%", "82.4%", "79.7%", "+23", "37 of 50 allowed"]
    )
    assert await fact(page, "resolution", "Resolved with no person") == "75 \N{MIDDLE DOT} 7.3%"
    assert await fact(page, "backlog", "Oldest") == "3.2 days"
    assert await fact(page, "backlog", "Came back within a week") == "11.2%"
    assert await fact(page, "work", "Declined") == "26 \N{MIDDLE DOT} 2.1%"
    assert await fact(page, "work", "Left after the bot") == "37"
    assert await fact(page, "quality", "Spread between agents") == "4.1%"
    assert await fact(page, "value", "Cost per resolution") == "\N{EURO SIGN}4.31"
    assert await fact(page, "customers", "Lifetime value") == "\N{EURO SIGN}1,284"
    await expect(page.locator("#times tbody tr").first).to_contain_text("First response0:410:291:38")
    await expect(page.locator("#people tbody tr")).to_have_count(5)
    await expect(page.locator("#people tbody tr").first.locator("th, td")).to_have_text(
        ["agent-001", "on contact", "0:14", "31", "22", "3:51", "2.4", "83.0%", "71.0%", "96.0%", "0", "88.0%"]
    )
    await expect(page.locator("#channels li")).to_have_text(
        [re.compile(r"voice907 . 73.0%"), re.compile(r"chat236 . 19.0%"), re.compile(r"email99 . 8.0%")]
    )


@pytest.mark.usefixtures("told")
async def test_first_contact_resolution_is_provisional_and_final_side_by_side(open_page: OpenPage) -> None:
    page = await open_page("figures")
    sides = page.locator("#first-contact .side")
    await expect(sides.nth(0)).to_contain_text("78.5%provisionalof 1,024 resolved, so far")
    await expect(sides.nth(1)).to_contain_text("71.1%finalof 684 whose time to come back is over")
    first, second = await sides.nth(0).bounding_box(), await sides.nth(1).bounding_box()
    assert first is not None
    assert second is not None
    assert first["y"] == second["y"]


@pytest.mark.usefixtures("told")
async def test_the_interval_that_a_survey_is_sure_to_is_drawn_around_its_value(open_page: OpenPage) -> None:
    page = await open_page("figures")
    csat = page.locator(".survey").first
    drawn = csat.get_by_role("img")
    await expect(drawn).to_have_attribute("aria-label", "CSAT 79.7%, 95 of 100 times between 72% and 86%")
    track, band = await drawn.bounding_box(), await drawn.locator(".band").bounding_box()
    assert track is not None
    assert band is not None
    assert (band["x"] - track["x"]) / track["width"] == pytest.approx(0.715, abs=0.01)
    assert band["width"] / track["width"] == pytest.approx(0.145, abs=0.01)
    nps = page.locator(".survey").nth(1).get_by_role("img")
    track, mark = await nps.bounding_box(), await nps.locator(".at").bounding_box()
    assert track is not None
    assert mark is not None
    # From -100 to 100: +23.3 stands at 61.65 %.
    assert (mark["x"] + 1.5 - track["x"]) / track["width"] == pytest.approx(0.6165, abs=0.01)


async def test_what_a_platform_does_not_send_is_a_dash_and_nothing_else(told: Stage, open_page: OpenPage) -> None:
    told.answers["figures"] = service.nothing
    told.answers["subjects"] = {"rows": [], "other": {"offered": 0, "before": 0}}
    page = await open_page("figures")
    await expect(page.locator(".survey b")).to_have_text([DASH] * 4)
    await expect(page.locator(".survey small, .interval, .side small, .side .share")).to_have_count(0)
    await expect(page.locator("#resolution dd")).to_have_text([DASH] * 5)
    await expect(page.locator("#value dd")).to_have_text([DASH] * 6)
    await expect(page.locator("#no-subjects")).to_be_visible()
    await expect(page.locator("#headline dd").first).to_have_text("1,243")


async def test_a_period_a_queue_and_a_channel_are_asked_for_and_stand_in_the_address(
    told: Stage, open_page: OpenPage
) -> None:
    page = await open_page("figures")
    await expect(page.locator("#queues tbody tr")).to_have_count(8)
    await page.keyboard.press("5")
    await page.get_by_label("Queue", exact=True).select_option("support")
    await expect(page.locator("#queues tbody tr")).to_have_count(3)
    await expect(page.locator("#headline dd").first).to_have_text("485")
    await page.get_by_label("Channel").select_option("email")
    await expect(page.locator("#headline dd").first).to_have_text("99")
    assert page.url.endswith("figures?period=28d&queue=support&channel=email")
    async with page.expect_response("**/api/v1/volume*"):
        await page.reload()
    await expect(page.locator("#headline dd").first).to_have_text("99")
    volumes = [path for path in told.asked if "volume" in path]
    assert "by=day" in volumes[-1]
    assert volumes[-1].endswith("queue=support&channel=email")
    assert not await page.locator("#customers-panel").is_visible()


async def test_the_volume_is_drawn_against_the_same_weekday_before(told: Stage, open_page: OpenPage) -> None:
    page = await open_page("figures")
    await expect(page.locator("#volume figure")).to_have_attribute("data-points", "62")
    await expect(page.locator("#volume figcaption span")).to_have_text(["this period", "same weekday before"])
    colours = """() => new Set(new Uint32Array((canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width,
        canvas.height).data.buffer)(document.querySelector("#volume canvas")))).size"""
    assert await page.evaluate(colours) > 4
    assert "/api/v1/volume?by=interval&from=2026-11-22T23%3A00%3A00Z&to=2026-11-23T14%3A30%3A00Z" in told.asked


@pytest.mark.usefixtures("told")
async def test_subjects_that_rise_are_marked_by_word_as_well(open_page: OpenPage) -> None:
    page = await open_page("figures")
    lines = page.locator("#subjects li")
    await expect(lines).to_have_count(7)
    await expect(lines.nth(0)).to_contain_text("rising +433%")
    await expect(lines.nth(1)).to_contain_text("rising new")
    await expect(lines.nth(2)).not_to_contain_text("rising")


async def test_who_may_not_see_people_sees_no_table_of_them(told: Stage, open_page: OpenPage) -> None:
    del told.answers["agents"]
    page = await open_page("figures")
    await expect(page.locator("#queues tbody tr")).to_have_count(8)
    await expect(page.locator("#people-panel")).to_be_hidden()


async def test_a_question_that_is_refused_is_told_and_what_was_shown_stays(told: Stage, open_page: OpenPage) -> None:
    page = await open_page("figures")
    await expect(page.locator("#headline dd").first).to_have_text("1,243")
    del told.answers["figures"]
    await page.keyboard.press("6")
    await expect(page.get_by_role("status")).to_have_text("These figures cannot be had: nothing scripted")
    await expect(page.locator("#headline dd").first).to_have_text("1,243")


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("dark", [True, False])
async def test_axe_finds_nothing_and_a_phone_never_scrolls_sideways(
    open_page: OpenPage,
    dark: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    page = await open_page("figures?lang=fr", PHONE, dark=dark)
    await expect(page.locator("#people tbody tr")).to_have_count(5)
    assert await faults(page) == []
    assert await page.evaluate("() => document.documentElement.scrollWidth") == PHONE["width"]


async def test_a_tile_tells_the_estimated_wait_and_an_overload(stage: Stage, open_page: OpenPage) -> None:
    overload: dict[str, Any] = {
        "since": "2026-11-23T14:00:00Z",
        "arrivals_per_hour": 480.0,
        "capacity_per_hour": 402.0,
        "agents_needed": 23,
        "minutes_to_recover": 26.0,
    }
    stage.show(snapshot(row("sales", estimated_wait_seconds=274.0, overload=overload), row("support", overload=None)))
    page = await open_page()
    sales, support = tile(page, "sales"), tile(page, "support")
    await expect(field(sales, "estimated_wait")).to_have_text("4:34")
    told = "overloaded \N{MIDDLE DOT} takes 23 agents \N{MIDDLE DOT} 26 min with them to recover"
    await expect(field(sales, "overload")).to_have_text(told)
    await expect(field(support, "estimate")).to_be_hidden()
    await expect(field(support, "overload")).to_be_hidden()
