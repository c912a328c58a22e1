"""The whole of it in a real Chromium: simulator, Kafka, worker, Redis, board, page."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from agents.embedded.kafka import find_broker
from agents.embedded.local import LOOPBACK
from config.errors import UsageError
from tests.browser.looks import field, tile
from tests.harness.pipeline import Pipeline, wait_until
from tests.harness.server import Server, accepts, free_port, missing

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

DESK: ViewportSize = {"width": 1920, "height": 1080}
PHONE: ViewportSize = {"width": 390, "height": 844}
SCREENSHOTS = os.environ.get("CALLWATCH_SCREENSHOTS") == "1"
IMAGES = Path(__file__).parents[2] / "docs" / "images"


def _kafka(directory: Path) -> tuple[Server, str]:
    port = free_port()
    address = f"tcp://{LOOPBACK}:{port}"
    try:
        command = [str(find_broker()), "broker", f"--listener-url={address}", f"--advertised-listener-url={address}"]
    except UsageError as error:
        missing(str(error))
    server = Server("kafka", [*command, "--storage-engine=memory://callwatch/"], directory, lambda: accepts(port))
    return server, f"{LOOPBACK}:{port}"


@pytest.fixture
def call_center(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A call center that has been busy for a quarter of an hour and goes on."""
    # callwatch refuses settings that it does not know.
    monkeypatch.delenv("CALLWATCH_SCREENSHOTS", raising=False)
    kafka, address = _kafka(tmp_path)
    settings = {"CALLWATCH_TOPIC_PREFIX": "callcenter", "CALLWATCH_STALE_AFTER": "3s", "CALLWATCH_PARTITIONS": "2"}
    pipeline = Pipeline(address, redis_url, "real-board", tmp_path, **settings)
    simulate = ["-m", "agents.cli", "simulate", "--kafka", address, "--speed", "max", "--history", "15m"]
    simulator = Server("simulator", [sys.executable, *simulate], tmp_path, lambda: True)
    try:
        kafka.start()
        pipeline.start()
        simulator.start()
        wait_until(lambda: _is_live(pipeline), 90, "a quarter of an hour of contacts on the board")
        yield pipeline
    finally:
        simulator.kill()
        pipeline.stop()
        kafka.kill()


def _is_live(pipeline: Pipeline) -> bool:
    answer = pipeline.get("/api/v1/queues", window="1h")
    return bool(answer["rows"][-1]["offered"] > 50 and not answer["pipeline"]["stale"])


async def _page(browser: Browser, pipeline: Pipeline, viewport: ViewportSize = DESK, query: str = "") -> Page:
    context = await browser.new_context(viewport=viewport, locale="en-US", color_scheme="dark")
    page = await context.new_page()
    await page.goto(f"http://{LOOPBACK}:{pipeline.port}/?window=1h{query}")
    return page


async def _shown(page: Page, queue: str) -> tuple[int, int, int, str, str]:
    """Return what the tile of ``queue`` shows: waiting, answered, offered, service level, abandonment."""
    own = tile(page, queue)
    names = ("queue_length", "answered_of_offered", "service_level", "abandonment")
    texts = [await field(own, name).inner_text() for name in names]
    waiting, answered, offered = (int(number.replace(",", "")) for number in re.findall(r"[\d,]+", " ".join(texts[:2])))
    level, abandoned = ("".join(text.split()) for text in texts[2:])
    return waiting, answered, offered, level, abandoned


def _served(pipeline: Pipeline) -> dict[str, tuple[int, int, int, str, str]]:
    """Return what the tiles have to show by the API, by queue."""

    def percent(ratio: float | None) -> str:
        return "\u2013" if ratio is None else f"{ratio:.1%}"

    def figures(row: dict[str, Any]) -> tuple[int, int, int, str, str]:
        level = row["service_level"][row["promise"]["formula"]]
        counts = (row["queue_length"], row["answered"], row["offered"])
        return (*counts, percent(level), percent(row["abandonment_rate"]))

    rows = pipeline.get("/api/v1/queues", window="1h")["rows"]
    return {row["queue"]: figures(row) for row in rows if row["queue"] is not None}


async def _agrees(page: Page, pipeline: Pipeline, within_s: float = 20.0) -> dict[str, tuple[int, int, int, str, str]]:
    """Return what page and API both say; they are asked one after the other, so a second time may be needed."""
    async with asyncio.timeout(within_s):
        while True:
            before = await asyncio.to_thread(_served, pipeline)
            shown = {queue: await _shown(page, queue) for queue in before}
            if shown in (before, await asyncio.to_thread(_served, pipeline)):
                return shown
            await asyncio.sleep(0.3)


async def test_the_board_of_a_living_call_center_is_true_and_says_when_it_no_longer_is(
    call_center: Pipeline, browser: Browser
) -> None:
    page, faults = await _page(browser, call_center), list[str]()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    await expect(page.locator("body")).to_have_attribute("data-freshness", "live")
    for queue in ("sales", "support", "billing", "chat"):
        await expect(tile(page, queue)).to_be_visible()
    first = await _agrees(page, call_center)
    assert sum(figures[2] for figures in first.values()) > 50
    await expect(page.locator("#banner")).to_be_hidden()
    phone = await _page(browser, call_center, PHONE)
    await expect(tile(phone, "sales")).to_be_visible()
    overflow = await phone.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow == 0
    if SCREENSHOTS:
        IMAGES.mkdir(parents=True, exist_ok=True)
        wall = await _page(browser, call_center, query="&tv=1")
        await expect(tile(wall, "sales")).to_be_visible()
        await wall.screenshot(path=IMAGES / "wallboard.png")
        await phone.screenshot(path=IMAGES / "wallboard-phone.png")

    call_center.workers[0].kill()
    banner = page.locator("#banner")
    await expect(banner).to_contain_text("Data is stale", timeout=15_000)
    await expect(banner).to_contain_text("no sign of life from the worker")
    await expect(page.locator("body")).to_have_attribute("data-freshness", "stale")
    last = await _agrees(page, call_center)
    assert set(last) == set(first)
    assert sum(figures[2] for figures in last.values()) > 50

    call_center.add_worker()
    await expect(banner).to_be_hidden(timeout=60_000)
    again = await _agrees(page, call_center)
    assert sum(figures[2] for figures in again.values()) > 50
    assert faults == []
    for context in browser.contexts:
        await context.close()
