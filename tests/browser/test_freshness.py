"""The board's truth about itself: stale data, a lost connection, waits that tick only while they are known."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.browser.looks import OpenPage, field, seen, tile, watch
from tests.browser.scenes import row, snapshot, stale
from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FRESH, STALE, LOST = "live", "stale", "lost"


async def test_the_longest_wait_ticks_between_snapshots(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row(queue_length=1, longest_wait_seconds=58.0)))
    page = await open_page()
    wait = field(tile(page, "sales"), "longest_wait")
    await expect(wait).to_have_text(re.compile("0:5[89]"))
    await watch(wait)
    stage.mute()
    await expect(page.locator("body")).to_have_attribute("data-freshness", LOST)
    # Every snapshot says 0:58 again: what counts is what came after the last of them.
    *_, after = " ".join(await seen(page)).rpartition("0:58")
    assert after.split()[:2] == ["0:59", "1:00"]


async def test_the_longest_wait_stands_still_once_the_connection_is_lost(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row(queue_length=1, longest_wait_seconds=58.0)))
    page = await open_page()
    await expect(tile(page, "sales")).to_be_visible()
    stage.mute()
    await expect(page.locator("body")).to_have_attribute("data-freshness", LOST)
    wait = field(tile(page, "sales"), "longest_wait")
    before = await wait.inner_text()
    await asyncio.sleep(1.5)
    assert await wait.inner_text() == before


async def test_stale_data_raises_a_banner_with_reason_and_age(stage: Stage, open_page: OpenPage) -> None:
    stage.show(stale(row(queue_length=7), reason="no events from Kafka", age=95.0))
    page = await open_page()
    banner = page.locator("#banner")
    await expect(banner).to_contain_text("Data is stale")
    await expect(banner).to_contain_text("no events from Kafka")
    await expect(banner).to_contain_text("95 sec")
    await expect(field(tile(page, "sales"), "queue_length")).to_have_text("7")
    await expect(page.locator("body")).to_have_attribute("data-freshness", STALE)
    stage.show(snapshot(row()))
    await expect(banner).to_be_hidden()
    await expect(page.locator("body")).to_have_attribute("data-freshness", FRESH)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "no sign of life from the worker for 95 s"),
        ("fr", "le comptage ne donne plus signe de vie depuis 95 s"),
        ("ro", "numărătoarea nu mai dă semne de viață de 95 s"),
    ],
)
async def test_why_data_is_stale_is_told_in_the_language_of_the_page(
    language: str, said: str, stage: Stage, open_page: OpenPage
) -> None:
    stage.show(stale(row(), cause="silent", values=(95,)))
    page = await open_page(f"?lang={language}")
    await expect(page.locator("#banner")).to_contain_text(said)


async def test_a_stopped_server_raises_a_banner_and_its_return_clears_it(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row(queue_length=7, abandonment_rate=0.2)))
    page = await open_page()
    sales, banner = tile(page, "sales"), page.locator("#banner")
    await expect(field(sales, "queue_length")).to_have_text("7")
    colour = await field(sales, "queue_length").evaluate("e => getComputedStyle(e).color")
    stage.stop()
    await expect(banner).to_contain_text("Connection lost")
    await expect(field(sales, "queue_length")).to_have_text("7")
    await expect(field(sales, "level")).to_have_text("Breach")
    assert await field(sales, "queue_length").evaluate("e => getComputedStyle(e).color") != colour
    stage.show(snapshot(row(queue_length=8)))
    stage.start()
    await expect(banner).to_be_hidden()
    await expect(field(sales, "queue_length")).to_have_text("8")


async def test_a_connection_that_is_open_but_silent_is_lost_and_opened_anew(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row()))
    page = await open_page()
    await expect(tile(page, "sales")).to_be_visible()
    stage.mute()
    await expect(page.locator("#banner")).to_contain_text("Connection lost")
    async with page.expect_response("**/api/v1/stream*"):
        pass
    stage.show(snapshot(row(queue_length=3)))
    await expect(page.locator("#banner")).to_be_hidden()
    await expect(field(tile(page, "sales"), "queue_length")).to_have_text("3")


async def test_numbers_of_another_window_are_not_shown_as_the_chosen_ones(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row()))
    page = await open_page()
    await expect(page.locator("body")).to_have_attribute("data-freshness", FRESH)
    stage.mute()
    await page.get_by_label("15 min", exact=True).check()
    await expect(page.locator("body")).to_have_attribute("data-freshness", "connecting")


async def test_without_contacts_the_page_says_how_to_get_some(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot())
    page = await open_page()
    await expect(page.locator("#empty")).to_contain_text("No contacts yet")
    await expect(page.locator("#empty")).to_contain_text("callwatch simulate")
    stage.show(snapshot(row()))
    await expect(page.locator("#empty")).to_be_hidden()


async def test_the_clock_shows_the_call_centers_own_time_zone(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row(), time="2026-11-23T10:00:00.000Z", timezone="Asia/Tokyo"))
    page = await open_page()
    await expect(page.locator("#clock")).to_have_text(re.compile(r"^19:00:\d\dTokyo$"))
