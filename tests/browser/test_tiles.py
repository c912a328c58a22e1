"""What a queue's tile shows, and how it is judged by its own queue's promises."""

import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.looks import OpenPage, field, tile
from tests.browser.scenes import BY_NAME, DASH, everything, row, silent_row, snapshot
from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_tile_shows_the_values_of_its_queue(stage: Stage, open_page: OpenPage) -> None:
    promise = {"group": "Phone", "target_ratio": 0.85, "threshold_seconds": 30}
    level = {"answered_of_offered": 0.934, "live": 0.912}
    stage.show(snapshot(row(queue_length=4, longest_wait_seconds=31.2, service_level=level, promise=promise)))
    sales = tile(await open_page(), "sales")
    await expect(field(sales, "about")).to_have_text("Phone · voice")
    await expect(field(sales, "queue_length")).to_have_text("4")
    await expect(field(sales, "longest_wait")).to_have_text("0:31")
    await expect(field(sales, "service_level")).to_have_text("93.4%")
    await expect(field(sales, "abandonment")).to_have_text("2.5%")
    await expect(field(sales, "target")).to_have_text("85% in 30s")
    await expect(field(sales, "live")).to_have_text("91.2%")
    await expect(field(sales, "speed_of_answer")).to_have_text("0:12")
    await expect(field(sales, "answered_of_ended")).to_have_text("37 of 38")


async def test_a_ratio_of_nothing_is_a_dash(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(silent_row("vip")))
    vip = tile(await open_page(), "vip")
    for name in ("service_level", "abandonment", "live", "speed_of_answer", "longest_wait"):
        await expect(field(vip, name)).to_have_text(DASH)
    await expect(field(vip, "answered_of_ended")).to_have_text("0 of 0")
    await expect(field(vip, "level")).to_have_text("Quiet")


async def test_a_ratio_of_zero_is_zero_and_not_a_dash(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row(abandonment_rate=0.0, service_level={"answered_of_offered": 0.0})))
    sales = tile(await open_page(), "sales")
    await expect(field(sales, "abandonment")).to_have_text("0.0%")
    await expect(field(sales, "service_level")).to_have_text("0.0%")


async def test_service_level_is_the_one_of_the_queues_own_formula(stage: Stage, open_page: OpenPage) -> None:
    level = {"answered_of_offered": 0.5, "left_missed": 0.88}
    stage.show(snapshot(row(service_level=level, promise={"formula": "left_missed"})))
    sales = tile(await open_page(), "sales")
    await expect(field(sales, "service_level")).to_have_text("88.0%")
    await expect(field(sales, "level")).to_have_text("OK")


async def test_a_wait_of_hours_is_not_taken_for_minutes(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row(queue_length=1, longest_wait_seconds=9150.0)))
    await expect(field(tile(await open_page(), "sales"), "longest_wait")).to_have_text("2h 32m")


JUDGED: list[tuple[dict[str, Any], str, str]] = [
    ({"service_level": {"answered_of_offered": 0.79, "live": 0.79}}, "breach", "service level"),
    ({"service_level": {"answered_of_offered": 0.8, "live": 0.9}}, "at_risk", "service level"),
    ({"service_level": {"answered_of_offered": 0.83, "live": 0.83}}, "at_risk", "service level"),
    ({"service_level": {"answered_of_offered": 0.85, "live": 0.85}}, "ok", ""),
    ({"service_level": {"answered_of_offered": 0.95, "live": 0.5}}, "at_risk", "service level"),
    ({"service_level": {"answered_of_offered": 0.85}, "promise": {"target_ratio": 0.9}}, "breach", "service level"),
    ({"service_level": {"answered_of_offered": 0.7, "live": 0.7}, "promise": {"target_ratio": 0.6}}, "ok", ""),
    ({"service_level": {"answered_of_offered": 0.99}, "promise": {"target_ratio": 1.0}}, "breach", "service level"),
    ({"abandonment_rate": 0.051}, "breach", "abandonment"),
    ({"abandonment_rate": 0.05}, "at_risk", "abandonment"),
    ({"abandonment_rate": 0.051, "promise": {"abandonment_ratio": 0.1}}, "ok", ""),
    ({"abandonment_rate": 0.01, "promise": {"abandonment_ratio": 0}}, "breach", "abandonment"),
    ({"abandonment_rate": 0.0, "promise": {"abandonment_ratio": 0}}, "ok", ""),
    ({"queue_length": 11, "promise": {"queue_length_limit": 10}}, "breach", "too many waiting"),
    ({"queue_length": 8, "promise": {"queue_length_limit": 10}}, "at_risk", "too many waiting"),
    ({"queue_length": 500}, "ok", ""),
    (
        {"queue_length": 1, "longest_wait_seconds": 121.0, "promise": {"longest_wait_limit_seconds": 120}},
        "breach",
        "longest wait",
    ),
    (
        {"queue_length": 30, "abandonment_rate": 0.06, "promise": {"queue_length_limit": 10}},
        "breach",
        "too many waiting, abandonment",
    ),
    ({"service_level": {"answered_of_offered": 0.1}, "promise": {"open": False}}, "closed", ""),
]
WORDS = {"breach": "Breach", "at_risk": "At risk", "ok": "OK", "closed": "Closed"}


async def test_a_queue_is_judged_by_its_own_promises(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(*(row(f"queue {i}", **changes) for i, (changes, _, _) in enumerate(JUDGED))))
    page = await open_page()
    for i, (_, level, why) in enumerate(JUDGED):
        judged = tile(page, f"queue {i}")
        await expect(field(judged, "level")).to_have_text(WORDS[level])
        await expect(field(judged, "why")).to_have_text(why)
        await expect(field(judged, "shape")).to_have_attribute("href", f"#shape-{level}")


async def test_trouble_comes_first_and_the_address_can_ask_for_names(stage: Stage, open_page: OpenPage) -> None:
    stage.show(
        snapshot(
            row("alpha"),
            row("bravo", abandonment_rate=0.045),
            row("charlie", abandonment_rate=0.2),
            silent_row("delta"),
        ),
    )
    page = await open_page()
    names = page.locator("#board h3")
    await expect(names).to_have_text(["charlie", "bravo", "alpha", "delta"])
    await page.get_by_role("button", name=BY_NAME).click()
    await expect(names).to_have_text(["alpha", "bravo", "charlie", "delta"])
    await expect(page).to_have_url(re.compile("sort=name"))


async def test_a_queue_that_gets_into_trouble_moves_up(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row("alpha"), row("bravo"), row("charlie")))
    page = await open_page()
    await expect(tile(page, "charlie")).to_be_visible()
    stage.show(snapshot(row("alpha"), row("bravo"), row("charlie", abandonment_rate=0.2)))
    await expect(page.locator("#board h3")).to_have_text(["charlie", "alpha", "bravo"])


async def test_one_queue_has_a_tile_for_each_of_its_channels(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row("support", "voice"), row("support", "chat")))
    page = await open_page()
    await expect(field(tile(page, "support"), "about")).to_have_text(["chat", "voice"])


async def test_a_queues_name_is_text_and_never_markup(stage: Stage, open_page: OpenPage) -> None:
    name = '<img src=x onerror="document.title=1">'
    stage.show(snapshot(row(name)))
    page = await open_page()
    await expect(page.locator("#board h3")).to_have_text(name)
    assert await page.locator("#board img").count() == 0


async def test_breaches_are_announced_once_and_again_after_they_ended(stage: Stage, open_page: OpenPage) -> None:
    calm, burning = snapshot(row("sales")), snapshot(row("sales", abandonment_rate=0.2))
    stage.show(calm)
    page = await open_page()
    await expect(tile(page, "sales")).to_be_visible()
    announcer = page.locator("[aria-live=polite]")
    await expect(announcer).to_have_text("")
    stage.show(burning)
    await expect(announcer).to_have_text("sales: breach, abandonment")
    await expect(page).to_have_title("(1) callwatch")
    stage.show(calm)
    await expect(announcer).to_have_text("")
    stage.show(burning)
    await expect(announcer).to_have_text("sales: breach, abandonment")


async def test_the_top_shows_all_queues_the_levels_and_the_agents(stage: Stage, open_page: OpenPage) -> None:
    total = everything(queue_length=1_234, abandonment_rate=None, offered=5_000, answered=4_321, abandoned=679)
    stage.show(snapshot(row("a", abandonment_rate=0.2), row("b"), row("c"), total=total))
    page = await open_page("?queues=a,b,c")
    totals = page.locator("#totals")
    await expect(field(totals, "queue_length")).to_have_text("1,234")
    await expect(field(totals, "service_level")).to_have_text("90.0%")
    await expect(field(totals, "abandonment")).to_have_text(DASH)
    await expect(field(totals, "answered_of_ended")).to_have_text("4,321 of 5,000")
    await expect(page.locator("#levels li:visible")).to_have_text(["1Breach", "2OK"])
    await expect(field(page.locator("#agents"), "staffed")).to_have_text("9 signed in")
    await expect(page.locator('#agents li[data-state="on_contact"]')).to_have_text("5on contact")


async def test_changes_are_put_to_what_is_shown_and_other_waits_go_on(stage: Stage, open_page: OpenPage) -> None:
    waiting = row("support", queue_length=1, longest_wait_seconds=100.0)
    stage.show(snapshot(row(queue_length=1), waiting, row("chat")))
    page = await open_page()
    await expect(field(tile(page, "sales"), "queue_length")).to_have_text("1")
    stage.change(snapshot(row(queue_length=7)), gone=[["chat", "voice"]])
    await expect(field(tile(page, "sales"), "queue_length")).to_have_text("7")
    await expect(tile(page, "chat")).to_have_count(0)
    await expect(field(tile(page, "support"), "longest_wait")).to_have_text("1:43")
    await expect(field(tile(page, "support"), "longest_wait")).to_have_text("1:45")
    await expect(field(tile(page, "support"), "queue_length")).to_have_text("1")
