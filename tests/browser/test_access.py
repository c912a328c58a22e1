"""Everybody can use it, at once: axe on every page, the first paint, a thousand queues."""

import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import CDPSession, Page, ViewportSize, expect

from tests.browser.looks import OpenPage
from tests.browser.scenes import intervals, row, silent_row, snapshot, trend, weekday
from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

VENDOR = Path(__file__).parent / "vendor"
PHONE: ViewportSize = {"width": 390, "height": 844}
FIRST_PAINT_MS = 200
TRIES = 20
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
BROKEN: dict[str, Any] = {"abandonment_rate": 0.2, "queue_length": 12, "longest_wait_seconds": 400.0}


async def faults(page: Page) -> list[str]:
    """Return what axe finds, a line for each element."""
    # As a page's own script it would be refused by the content security policy; the debugger's is not.
    await page.evaluate((VENDOR / "axe.min.js").read_text(encoding="utf-8") + "; 0")
    asked = {"runOnly": {"type": "tag", "values": RULES}}
    found: dict[str, Any] = await page.evaluate("(asked) => axe.run(document, asked)", asked)
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found["violations"] for node in rule["nodes"]]


def script(stage: Stage) -> None:
    stage.answers["trend"] = lambda _asked: trend(time.time())
    stage.answers["weekday"] = weekday()
    stage.answers["intervals"] = intervals("2026-11-23T08:00:00Z")
    rows = (row("sales", **BROKEN), row("support", abandonment_rate=0.045), row("ok"), silent_row("vip"))
    shut = row("night", promise={"open": False})
    stage.show(snapshot(*rows, shut))


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize(
    ("query", "ready"),
    [
        ("", ".tile"),
        ("?tv=1", ".tile"),
        ("?lang=fr", ".tile"),
        ("queue?queue=sales&channel=voice", "#waiting tr"),
        ("report", "#rows tbody tr"),
    ],
)
async def test_axe_finds_nothing(query: str, ready: str, dark: bool, stage: Stage, open_page: OpenPage) -> None:  # noqa: FBT001 -- a parameter of the test
    script(stage)
    page = await open_page(query, dark=dark)
    await expect(page.locator(ready).first).to_be_visible()
    assert await faults(page) == []


async def test_axe_finds_nothing_on_a_phone_in_the_past_or_after_the_connection_is_lost(
    stage: Stage, open_page: OpenPage
) -> None:
    script(stage)
    page = await open_page("", PHONE, dark=False)
    await expect(page.locator(".tile").first).to_be_visible()
    await page.get_by_role("button", name="Time machine").click()
    await expect(page.locator("#past")).to_be_visible()
    assert await faults(page) == []
    await page.get_by_role("button", name="Back to live").click()
    stage.stop()
    await expect(page.locator("#banner")).to_contain_text("Connection lost")
    assert await faults(page) == []
    stage.start()


async def test_the_first_paint_comes_within_200_ms(stage: Stage, open_page: OpenPage) -> None:
    script(stage)
    page = await open_page()
    paints: list[float] = []
    # The machine may be busy with something else: the best is what the page itself needs.
    while len(paints) < TRIES and min(paints, default=FIRST_PAINT_MS) >= FIRST_PAINT_MS:
        await page.reload()
        await expect(page.locator(".tile").first).to_be_visible()
        # Chromium notes a paint a moment after the tile is in the page.
        paint = await page.wait_for_function("performance.getEntriesByName('first-paint')[0]?.startTime")
        paints.append(float(await paint.json_value()))
    print(f"first paint: {sorted(round(paint) for paint in paints)} ms")  # noqa: T201 -- the figure measured
    assert min(paints) < FIRST_PAINT_MS


async def busy_s(chromium: CDPSession) -> float:
    """Return how long the page has worked since Chromium began to count."""
    told = await chromium.send("Performance.getMetrics")
    return float(next(metric["value"] for metric in told["metrics"] if metric["name"] == "TaskDuration"))


async def test_a_thousand_queues_stay_smooth(stage: Stage, open_page: OpenPage) -> None:
    rows = [row(f"queue {i:04}", queue_length=1, longest_wait_seconds=10.0 + i) for i in range(1_000)]
    stage.show(snapshot(*rows))
    page = await open_page()
    await expect(page.locator(".tile")).to_have_count(1_000)
    chromium = await page.context.new_cdp_session(page)
    # The processor's time, not the clock's, of which others on this machine have their part too.
    await chromium.send("Performance.enable", {"timeDomain": "threadTicks"})
    await page.wait_for_timeout(1_000)
    before = await busy_s(chromium)
    await page.wait_for_timeout(4_000)
    worked = await busy_s(chromium) - before
    # Four snapshots and twenty ticks of a thousand waits: of these four seconds most are idle.
    print(f"a thousand queues: busy for {worked:.2f} s of 4 s")  # noqa: T201 -- as above
    assert 0 < worked < 2
