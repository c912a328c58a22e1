"""The overview: what is looked for, what a tile says of a breach, four tiles at a desk, keys, languages."""

import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import ViewportSize, expect

from tests.browser.looks import OpenPage, field, tile
from tests.browser.scenes import Snapshot, row, snapshot, stale
from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SOUND = "Sound on a breach"
BROKEN: dict[str, Any] = {
    "queue_length": 14,
    "longest_wait_seconds": 754.0,
    "abandonment_rate": 0.118,
    "service_level": {"answered_of_offered": 0.61},
    "promise": {"queue_length_limit": 10, "longest_wait_limit_seconds": 180},
}


def center() -> Snapshot:
    """Return four queues on two channels, in two groups."""
    return snapshot(
        row("Crédit", "voice", promise={"group": "phone"}),
        row("sales", "voice", promise={"group": "phone"}),
        row("sales", "chat", promise={"group": "digital"}),
        row("vip", "email", promise={"group": "digital"}),
    )


async def test_queues_are_found_by_name_channel_and_group_and_the_address_keeps_it(
    stage: Stage, open_page: OpenPage
) -> None:
    stage.show(center())
    page = await open_page("?sort=name")
    await expect(page.locator(".tile")).to_have_count(4)
    await page.get_by_label("Search queues").fill("cred")
    await expect(page.locator(".tile h3")).to_have_text(["Crédit"])
    await page.get_by_label("Search queues").fill("")
    await page.get_by_label("Channel", exact=True).select_option("voice")
    await expect(page.locator(".tile h3")).to_have_text(["Crédit", "sales"])
    await page.get_by_label("Channel", exact=True).select_option("")
    await page.get_by_label("Group", exact=True).select_option("digital")
    await expect(page.locator(".tile h3")).to_have_text(["sales", "vip"])
    await expect(page).to_have_url(re.compile(r"\?sort=name&group=digital$"))
    await page.reload()
    await expect(page.locator(".tile h3")).to_have_text(["sales", "vip"])
    await page.get_by_label("Search queues").fill("nobody")
    await expect(page.locator("#empty")).to_contain_text("No queue matches")


async def test_a_tile_names_every_broken_promise_its_formula_and_its_limits(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row("sales", **BROKEN)))
    sales = tile(await open_page(), "sales")
    await expect(field(sales, "why")).to_have_text("longest wait, abandonment, service level, too many waiting")
    await expect(field(sales, "formula")).to_have_text("Service level: answered in time, of all offered")
    await expect(field(sales, "abandonment_target")).to_have_text("5%")


async def test_a_breach_says_since_when_and_for_how_long_as_the_board_tells_it(
    stage: Stage, open_page: OpenPage
) -> None:
    since = datetime.fromtimestamp(time.time() - 12 * 60, UTC)
    told = {"queue": "sales", "channel": "voice", "since": since.isoformat(), "at_least": False}
    older = {**told, "queue": "vip", "at_least": True}
    stage.answers["breaches"] = {"rows": [told, older]}
    stage.show(snapshot(row("sales", **BROKEN), row("vip", **BROKEN), row("calm"), timezone="UTC"))
    page = await open_page()
    clock = since.strftime("%H:%M")
    await expect(field(tile(page, "sales"), "since")).to_have_text(f"since {clock} · 12 min")
    await expect(field(tile(page, "vip"), "since")).to_have_text(f"since before {clock} · over 12 min")
    await expect(field(tile(page, "calm"), "since")).to_have_text("")
    assert stage.asked[0] == "/api/v1/breaches?window=5m"


async def test_a_new_breach_is_heard_only_by_those_who_asked_for_it(stage: Stage, open_page: OpenPage) -> None:
    stage.show(snapshot(row("sales"), row("vip", **BROKEN)))
    page = await open_page()
    await expect(tile(page, "sales")).to_be_visible()
    button = page.get_by_role("button", name=SOUND)
    await expect(button).to_have_attribute("aria-pressed", "false")
    stage.show(snapshot(row("sales", **BROKEN), row("vip", **BROKEN)))
    await expect(field(tile(page, "sales"), "level")).to_have_text("Breach")
    assert await button.get_attribute("data-rang") is None
    stage.show(snapshot(row("sales"), row("vip", **BROKEN)))
    await expect(field(tile(page, "sales"), "level")).to_have_text("OK")
    await button.click()
    await expect(button).to_have_attribute("data-rang", "1")
    stage.show(snapshot(row("sales", **BROKEN), row("vip", **BROKEN)))
    await expect(button).to_have_attribute("data-rang", "2")
    await page.reload()
    await expect(page.get_by_role("button", name=SOUND)).to_have_attribute("aria-pressed", "true")


OVERLAPS = """() => [...document.querySelectorAll(".tile")].flatMap((tile) => {
    const boxes = [...tile.querySelectorAll(".figures dd")].map((dd) => {
        const range = document.createRange();
        range.selectNodeContents(dd);
        return { text: dd.textContent, box: range.getBoundingClientRect() };
    });
    return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) =>
        a.box.right + 4 > b.box.left && b.box.right + 4 > a.box.left &&
        a.box.bottom > b.box.top + 12 && b.box.bottom > a.box.top + 12).map((b) => a.text + " touches " + b.text));
})"""


@pytest.mark.parametrize("query", ["", "?tv=1"])
@pytest.mark.parametrize("count", [1, 2, 4])
async def test_a_few_queues_fit_a_full_hd_screen_and_no_figure_touches_another(
    count: int, query: str, stage: Stage, open_page: OpenPage
) -> None:
    full: dict[str, Any] = {"service_level": {"answered_of_offered": 1.0}, "abandonment_rate": 1.0}
    stage.show(snapshot(*(row(f"q{i}", queue_length=104, longest_wait_seconds=3_599.0, **full) for i in range(count))))
    page = await open_page(query)
    await expect(page.locator(".tile")).to_have_count(count)
    assert await page.evaluate("document.documentElement.scrollHeight - innerHeight") == 0
    for i in range(count):
        await expect(tile(page, f"q{i}")).to_be_in_viewport(ratio=0.99)
    assert await page.evaluate(OVERLAPS) == []
    inside = (
        """() => [...document.querySelectorAll(".face")].every((face) => face.scrollHeight <= face.clientHeight + 1)"""
    )
    assert await page.evaluate(inside)
    if count == 4:
        tops = await page.evaluate("[...document.querySelectorAll('.tile')].map((tile) => tile.offsetTop)")
        assert len(set(tops)) == 2


async def test_every_key_does_what_the_list_of_keys_says(stage: Stage, open_page: OpenPage) -> None:
    stage.show(center())
    page = await open_page()
    await expect(page.locator(".tile")).to_have_count(4)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("search")
    await page.keyboard.press("Escape")
    await page.keyboard.press("3")
    await expect(page.get_by_label("15 min", exact=True)).to_be_checked()
    await page.keyboard.press("s")
    await expect(page).to_have_url(re.compile("sort=name"))
    await page.keyboard.press("t")
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await page.keyboard.press("b")
    await expect(page.get_by_role("button", name=SOUND)).to_have_attribute("aria-pressed", "true")
    await page.keyboard.press("f")
    await expect(page.locator(":fullscreen")).to_have_count(1)
    await page.keyboard.press("f")
    await expect(page.locator(":fullscreen")).to_have_count(0)
    await page.keyboard.press("/")
    await page.keyboard.type("sb")
    await expect(page.get_by_label("Search queues")).to_have_value("sb")
    await expect(page.get_by_role("button", name=SOUND)).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize(
    ("language", "waiting", "share", "breach"),
    [
        ("fr", "En attente", r"11,8\s%", "Dépassé"),
        ("ro", "În așteptare", r"11,8\s%", "Depășit"),
        ("en", "Waiting", "11.8%", "Breach"),
    ],
)
async def test_the_page_speaks_the_language_of_the_link(
    language: str, waiting: str, share: str, breach: str, stage: Stage, open_page: OpenPage
) -> None:
    stage.show(snapshot(row("sales", **BROKEN)))
    page = await open_page(f"?lang={language}")
    sales = tile(page, "sales")
    await expect(sales).to_contain_text(waiting)
    await expect(field(sales, "abandonment")).to_have_text(re.compile(share))
    await expect(field(sales, "level")).to_have_text(breach)
    await expect(page.locator("html")).to_have_attribute("lang", language)


async def test_a_language_once_chosen_is_remembered(stage: Stage, open_page: OpenPage) -> None:
    stage.show(center())
    page = await open_page("?sort=name")
    await page.locator("#language").select_option("fr")
    await expect(page.locator(".tile").first).to_contain_text("En attente")
    await page.reload()
    await expect(page.locator(".tile").first).to_contain_text("En attente")
    await expect(page).to_have_url(re.compile("sort=name"))


async def test_every_language_has_every_word(stage: Stage, open_page: OpenPage) -> None:
    stage.show(center())
    page = await open_page()
    shapes = await page.evaluate(
        """async () => {
            const shape = (words) => Object.entries(words).flatMap(([name, value]) =>
                typeof value === "object"
                    ? shape(value).map((inner) => name + "." + inner) : [name + ":" + typeof value]);
            const all = await Promise.all(["en", "fr", "ro"].map((tag) => import(`/static/words/${tag}.js`)));
            return all.map((module) => shape(Object.values(module)[0]).sort());
        }"""
    )
    assert shapes[0] == shapes[1] == shapes[2]
    assert len(shapes[0]) > 100


async def test_the_age_of_the_data_is_always_told_and_a_lost_connection_aloud(
    stage: Stage, open_page: OpenPage
) -> None:
    stage.show(snapshot(row()))
    page = await open_page()
    await expect(page.locator("#age")).to_have_text(re.compile(r"^data \d sec old$"))
    alarm = page.get_by_role("alert")
    await expect(alarm).to_have_text("")
    stage.stop()
    await expect(alarm).to_have_text("Connection lost. The last known numbers stay on the board.")
    stage.start()
    await expect(alarm).to_have_text("Connected again.")


async def test_on_paper_all_tiles_are_there_and_no_controls(stage: Stage, open_page: OpenPage) -> None:
    narrow: ViewportSize = {"width": 1000, "height": 700}
    stage.show(snapshot(*(row(f"queue {i}") for i in range(30))))
    page = await open_page("?tv=1", narrow)
    await expect(page.locator(".tile")).to_have_count(30)
    await page.emulate_media(media="print", color_scheme="dark")
    await expect(page.locator("#controls")).to_be_hidden()
    await expect(page.locator(".tile:visible")).to_have_count(30)
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"


async def test_on_paper_old_figures_are_said_to_be_old_and_past_ones_of_when_they_are(
    stage: Stage, open_page: OpenPage
) -> None:
    stage.answers["queues"] = {"rows": [row("sales")]}
    stage.show(stale(row("sales"), cause="silent", values=(95,)))
    page = await open_page()
    await expect(tile(page, "sales")).to_be_visible()
    await page.keyboard.press("p")
    await page.emulate_media(media="print")
    await expect(page.locator("#banner")).to_contain_text("Data is stale")
    await expect(page.locator("#banner")).to_be_visible()
    await expect(page.locator("#past [data-field=detail]")).to_contain_text("last 5 min")
    await expect(page.locator("#past [data-field=detail]")).to_be_visible()
    await expect(page.locator("#past button:visible, #past input:visible")).to_have_count(0)


@pytest.mark.parametrize("language", ["en", "fr", "ro"])
async def test_the_state_of_the_board_and_its_controls_have_a_line_each(
    language: str, stage: Stage, open_page: OpenPage
) -> None:
    levels: list[dict[str, Any]] = [BROKEN, {"abandonment_rate": 0.045}, {}, {"promise": {"open": False}}]
    stage.show(snapshot(*(row(f"q{i}", **changes) for i, changes in enumerate(levels))))
    page = await open_page(f"?lang={language}")
    await expect(page.locator("#levels li:visible")).to_have_count(4)
    middles = """(names) => names.map((name) => {
        const { top, bottom } = document.querySelector(name).getBoundingClientRect();
        return (top + bottom) / 2;
    })"""
    state = await page.evaluate(middles, [".brand", "#levels", "#clock", "#age"])
    controls = await page.evaluate(middles, ["#window-choice", "#search", "#sound-toggle", "#report"])
    assert max(state) - min(state) < 6
    assert max(controls) - min(controls) < 6
    assert max(state) < min(controls)
