"""The page as a whole: its address, its sizes, its manners."""

import re
from itertools import groupby
from typing import Any

import pytest
from playwright.async_api import Page, ViewportSize, expect

from tests.browser.looks import OpenPage, field, tile
from tests.browser.scenes import BY_NAME, Row, row, silent_row, snapshot
from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PHONE: ViewportSize = {"width": 390, "height": 844}


def crowd(count: int, **changes: Any) -> list[Row]:
    """Return the rows of ``count`` queues."""
    return [row(f"queue {i:04}", **changes) for i in range(count)]


async def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return int(await page.evaluate("document.documentElement.scrollWidth - innerWidth"))


async def spilling(page: Page) -> list[str]:
    """Return the texts of figures and details that reach beyond their own tile."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll(".tile dd")].filter((dd) => {
            const range = document.createRange();
            range.selectNodeContents(dd);
            const text = range.getBoundingClientRect(), tile = dd.closest(".tile").getBoundingClientRect();
            return text.right > tile.right || text.bottom > tile.bottom;
        }).map((dd) => dd.textContent)""",
    )
    return found


async def test_the_window_chooser_asks_for_another_window_and_keeps_it(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row()))
    page = await open_page()
    await expect(page.get_by_label("5 min", exact=True)).to_be_checked()
    async with page.expect_response("**/api/v1/stream?window=15m*"):
        await page.get_by_label("15 min", exact=True).check()
    await expect(page.get_by_label("15 min", exact=True)).to_be_checked()
    await expect(page.locator("body")).to_have_attribute("data-freshness", "live")
    await expect(page).to_have_url(re.compile("window=15m"))
    await page.reload()
    await expect(page.get_by_label("15 min", exact=True)).to_be_checked()
    # A stream that fell silent on a busy machine is asked for again: the same.
    assert [window for window, _ in groupby(stage.windows_asked)] == [None, "15m"]


async def test_the_window_chooser_works_from_the_keyboard(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row()))
    page = await open_page()
    await page.get_by_label("5 min", exact=True).focus()
    async with page.expect_response("**/api/v1/stream?window=15m*"):
        await page.keyboard.press("ArrowRight")
    await expect(page.get_by_label("15 min", exact=True)).to_be_checked()
    await expect(page.locator("body")).to_have_attribute("data-freshness", "live")
    assert stage.windows_asked[-1] == "15m"


async def test_a_window_the_board_does_not_know_falls_back_to_the_default(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row()))
    page = await open_page("?window=7m&queues=sales,support")
    await expect(tile(page, "sales")).to_be_visible()
    await expect(page.get_by_label("5 min", exact=True)).to_be_checked()
    await expect(page).to_have_url(re.compile(r"\?queues=sales,support$"))


async def test_the_usual_window_is_the_boards_own_choice(stage: Stage, open_page: OpenPage) -> None:
    stage.windows = ["10m", "2h", "today"]
    stage.show(snapshot(row()))
    page = await open_page()
    await expect(page.get_by_label("2 hr", exact=True)).to_be_checked()
    await expect(page.locator("body")).to_have_attribute("data-freshness", "live")


async def test_a_link_shows_only_its_own_queues(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row("sales"), row("support"), row("billing")))
    page = await open_page("?queues=support,sales")
    await expect(page.locator("#board h3")).to_have_text(["sales", "support"])


async def test_a_link_to_queues_without_contacts_says_so(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row("sales")))
    page = await open_page("?queues=vip")
    await expect(page.locator("#empty")).to_contain_text("No contacts yet in the queues of this link")
    await expect(page.locator("#empty")).to_contain_text("vip")


@pytest.mark.parametrize("viewport", [PHONE, {"width": 320, "height": 640}, {"width": 1366, "height": 768}])
async def test_nothing_scrolls_sideways(viewport: ViewportSize, stage: Stage, open_page: OpenPage) -> None:
    rows = [
        row("a queue with a very long name that nobody would choose", abandonment_rate=1.0),
        row("busy", queue_length=999, longest_wait_seconds=3_599.0, offered=98_765, answered=87_654),
        row("full", service_level={"answered_of_offered": 1.0, "live": 1.0}, abandonment_rate=1.0),
        silent_row("vip"),
    ]
    stage.show(snapshot(*rows))
    page = await open_page("", viewport)
    await expect(tile(page, "vip")).to_be_attached()
    assert await overflow(page) == 0
    assert await spilling(page) == []


@pytest.mark.parametrize("count", [1, 4, 12, 18])
async def test_on_a_tv_every_tile_is_on_the_screen_and_whole(count: int, stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(*crowd(count, queue_length=104, longest_wait_seconds=754.0, abandonment_rate=0.118)))
    page = await open_page("?tv=1")
    await expect(tile(page, f"queue {count - 1:04}")).to_be_in_viewport(ratio=0.99)
    assert await spilling(page) == []
    assert await page.evaluate("document.documentElement.scrollHeight - innerHeight") == 0
    size = await field(tile(page, "queue 0000"), "queue_length").evaluate(
        "e => parseFloat(getComputedStyle(e).fontSize)"
    )
    assert size >= 44


async def test_the_theme_follows_the_system_until_somebody_chooses(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row()))
    page = await open_page(dark=False)
    await expect(tile(page, "sales")).to_be_visible()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    await page.get_by_role("button", name="Switch between light and dark").click()
    dark = await page.evaluate(ground)
    assert dark != light
    await page.reload()
    assert await page.evaluate(ground) == dark
    await page.get_by_role("button", name="Switch between light and dark").click()
    await page.emulate_media(color_scheme="dark")
    assert await page.evaluate(ground) == dark
    await page.emulate_media(color_scheme="light")
    assert await page.evaluate(ground) == light


async def test_the_page_is_quiet_and_never_leaves_its_origin(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row("sales", abandonment_rate=0.2), silent_row("vip")))
    page = await open_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    await page.reload()
    await expect(tile(page, "vip")).to_be_visible()
    await page.get_by_label("15 min", exact=True).check()
    await page.get_by_role("button", name=BY_NAME).click()
    await expect(page.locator("body")).to_have_attribute("data-freshness", "live")
    assert said == []
    assert [url for url in asked if not url.startswith(stage.url)] == []
    assert any("wallboard.js" in url for url in asked)


COUNT_MUTATIONS = """() => {
    window.mutations = 0;
    const observer = new MutationObserver((records) => { window.mutations += records.length; });
    const every = { subtree: true, childList: true, attributes: true, characterData: true };
    observer.observe(document.getElementById("board"), every);
}"""


async def test_a_thousand_queues_touch_only_what_changed(stage: Stage, open_page: OpenPage) -> None:
    rows = crowd(1_000)
    stage.show(snapshot(*rows))
    page = await open_page()
    await expect(page.locator(".tile")).to_have_count(1_000)
    await page.evaluate(COUNT_MUTATIONS)

    changed = [row(f"queue {i:04}", queue_length=0, abandonment_rate=0.031, handled=99) for i in range(10)]
    stage.show(snapshot(*changed, *rows[10:]))
    await expect(page.locator(".tile:nth-child(10) [data-field=abandonment]")).to_have_text("3.1%")
    # Ten tiles, in each the whole part and the rest of one percentage.
    assert await page.evaluate("mutations") <= 20

    await page.evaluate("mutations = 0")
    stage.show(snapshot(*changed, *rows[10:-1], row("queue 0999", abandonment_rate=0.2)))
    await expect(page.locator("#board h3").first).to_have_text("queue 0999")
    # One tile moves from last to first: out, in, and its level, shape, words, mark, and figure.
    assert await page.evaluate("mutations") <= 12


async def test_a_thousand_waiting_queues_tick_once_a_second_each(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(*crowd(1_000, queue_length=1, longest_wait_seconds=10.0)))
    page = await open_page()
    await expect(page.locator(".tile")).to_have_count(1_000)
    stage.mute()
    await page.evaluate(COUNT_MUTATIONS)
    elapsed, mutations = await page.evaluate(
        """() => new Promise((resolve) => {
            const began = performance.now();
            window.mutations = 0;
            setTimeout(() => resolve([(performance.now() - began) / 1000, mutations]), 1500);
        })"""
    )
    # At most one more for a snapshot that was on its way when the stream fell silent.
    assert 1_000 <= mutations <= 1_000 * (int(elapsed) + 2)
