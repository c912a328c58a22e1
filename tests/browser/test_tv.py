"""A screen on the wall: pages, pointer, waking up."""

import pytest
from playwright.async_api import expect

from tests.browser.looks import OpenPage
from tests.browser.scenes import row, snapshot
from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: Notes the tiles of every page, by what the sign says of it, until the first page comes up again.
ROUND = """() => new Promise((resolve) => {
    const sign = document.getElementById("turn"), round = {};
    const look = () => {
        if (Object.keys(round).length > 1 && sign.textContent === Object.keys(round)[0]) {
            resolve(round);
        }
        round[sign.textContent] = [...document.querySelectorAll(".tile:not([hidden]) h3")].map((h) => h.textContent);
    };
    look();
    new MutationObserver(look).observe(sign, { subtree: true, childList: true, characterData: true });
})"""


async def test_more_queues_than_fit_take_turns_and_every_one_comes_up(stage: Stage, open_page: OpenPage) -> None:
    names = [f"queue {i:02}" for i in range(40)]
    stage.show(snapshot(*(row(name) for name in names)))
    page = await open_page("?tv=1&turn=1")
    await expect(page.locator(".tile")).to_have_count(40)
    await expect(page.locator("#turn")).to_contain_text("of 3")
    seen = await page.evaluate(ROUND)
    assert set(seen) == {f"page {number} of 3" for number in (1, 2, 3)}
    assert sorted(name for shown in seen.values() for name in shown) == names


async def test_the_pointer_is_hidden_while_nobody_moves_it(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row()))
    page = await open_page("?tv=1")
    await expect(page.locator("html")).to_have_attribute("data-idle", "")
    assert await page.evaluate("getComputedStyle(document.body).cursor") == "none"
    await page.mouse.move(200, 200)
    await page.mouse.move(300, 300)
    await expect(page.locator("html")).not_to_have_attribute("data-idle", "")


async def test_a_wall_screen_wakes_after_the_board_was_away_and_goes_on_turning(
    stage: Stage, open_page: OpenPage
) -> None:
    stage.show(snapshot(*(row(f"queue {i:02}") for i in range(40))))
    page = await open_page("?tv=1&turn=1")
    await expect(page.locator(".tile")).to_have_count(40)
    stage.stop()
    await expect(page.locator("#banner")).to_contain_text("Connection lost")
    await expect(page.locator(".tile")).to_have_count(40)
    stage.show(snapshot(*(row(f"queue {i:02}", queue_length=3) for i in range(40))))
    stage.start()
    await expect(page.locator("#banner")).to_be_hidden()
    await expect(page.locator(".tile:not([hidden]) [data-field=queue_length]").first).to_have_text("3")
    await expect(page.locator("#turn")).to_have_text("page 2 of 3")
    await expect(page.locator("#turn")).to_have_text("page 3 of 3")
