"""The whole of it in a real Chromium: simulator, Kafka, worker, Redis, board, page."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any, Literal

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
#: The machine is busy with the whole of it, Kafka included.
PATIENCE_MS = 30_000
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


async def _page(
    browser: Browser, pipeline: Pipeline, viewport: ViewportSize = DESK, query: str = "?window=1h", *, dark: bool = True
) -> Page:
    scheme: Literal["dark", "light"] = "dark" if dark else "light"
    context = await browser.new_context(viewport=viewport, locale="en-US", color_scheme=scheme)
    page = await context.new_page()
    page.on("pageerror", lambda error: print(f"{query}: {error}"))  # noqa: T201 -- shown if the test fails
    page.on("console", lambda message: print(f"{query}: {message.text}"))  # noqa: T201 -- as above
    await page.goto(f"http://{LOOPBACK}:{pipeline.port}/{query}")
    return page


async def _other_pages_are_true(pipeline: Pipeline, browser: Browser) -> None:
    """Hold a queue's page, the report and the time machine against the API."""
    faults: list[str] = []
    queue = await _page(browser, pipeline, query="queue?queue=sales&channel=voice&window=5m")
    queue.on("pageerror", lambda error: faults.append(str(error)))
    await expect(queue.locator("#charts figure").nth(2)).to_have_attribute("data-points", "360", timeout=PATIENCE_MS)
    await expect(queue.locator("#day tbody tr")).to_have_count(2, timeout=PATIENCE_MS)
    began = monotonic()
    trend = await asyncio.to_thread(pipeline.get, "/api/v1/trend", queue="sales", window="1h")
    print(f"trend: {monotonic() - began:.2f} s")  # noqa: T201 -- the figure measured
    row = next(row for row in pipeline.get("/api/v1/queues", window="1h")["rows"] if row["queue"] == "sales")
    assert trend["service_level"][-1] == pytest.approx(row["service_level"]["answered_of_offered"], abs=0.05)
    assert sum(trend["queue_length"]) > 0

    report = await _page(browser, pipeline, query="report")
    report.on("pageerror", lambda error: faults.append(str(error)))
    await expect(report.locator("#rows tbody tr.all").first).to_be_visible(timeout=PATIENCE_MS)
    shown = await report.locator("#rows tbody tr.all td:nth-child(4)").all_inner_texts()
    offered = sum(row["offered"] for row in pipeline.get("/api/v1/intervals")["rows"] if row["queue"] is None)
    # It goes on meanwhile.
    assert 50 < sum(int(text.replace(",", "")) for text in shown) <= offered

    past = await _page(browser, pipeline, query="?window=5m")
    past.on("pageerror", lambda error: faults.append(str(error)))
    await expect(tile(past, "sales")).to_be_visible()
    await past.keyboard.press("p")
    await expect(past.locator("#past")).to_contain_text("last 5 min", timeout=PATIENCE_MS)
    at = await past.get_by_label("Moment").input_value()
    then = pipeline.get("/api/v1/queues", window="5m", at=f"{at}Z")["rows"]
    sales = next(row for row in then if row["queue"] == "sales")
    await expect(field(tile(past, "sales"), "queue_length")).to_have_text(str(sales["queue_length"]))
    assert faults == []


async def _take_pictures(pipeline: Pipeline, browser: Browser, phone: Page) -> None:
    """Make the pictures of README and docs/wallboard.md."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    await phone.screenshot(path=IMAGES / "wallboard-phone.png")
    for name, query, dark in (
        ("wallboard", "?window=1h&tv=1", True),
        ("wallboard-light", "?window=1h", False),
        ("queue", "queue?queue=sales&channel=voice&window=5m", True),
        ("report", "report?interval=15m", False),
    ):
        page = await _page(browser, pipeline, query=query, dark=dark)
        ready = page.locator("article, #charts canvas, #rows tbody tr").first
        await expect(ready).to_be_visible(timeout=PATIENCE_MS)
        await page.wait_for_timeout(1_500)
        await page.screenshot(path=IMAGES / f"{name}.png")
        await page.context.close()


async def _shown(page: Page, queue: str) -> tuple[int, int, int, str, str]:
    """Return what the tile of ``queue`` shows: waiting, answered, of how many, service level, abandonment."""
    own = tile(page, queue)
    names = ("queue_length", "answered_of_ended", "service_level", "abandonment")
    texts = [await field(own, name).inner_text() for name in names]
    waiting, answered, ended = (int(number.replace(",", "")) for number in re.findall(r"[\d,]+", " ".join(texts[:2])))
    level, abandoned = ("".join(text.split()) for text in texts[2:])
    return waiting, answered, ended, level, abandoned


def _served(pipeline: Pipeline) -> dict[str, tuple[int, int, int, str, str]]:
    """Return what the tiles have to show by the API, by queue."""

    def percent(ratio: float | None) -> str:
        return "\u2013" if ratio is None else f"{ratio:.1%}"

    def figures(row: dict[str, Any]) -> tuple[int, int, int, str, str]:
        level = row["service_level"][row["promise"]["formula"]]
        counts = (row["queue_length"], row["answered"], row["answered"] + row["abandoned"])
        return (*counts, percent(level), percent(row["abandonment_rate"]))

    rows = pipeline.get("/api/v1/queues", window="1h")["rows"]
    return {row["queue"]: figures(row) for row in rows if row["queue"] is not None}


async def _agrees(page: Page, pipeline: Pipeline, within_s: float = 60.0) -> dict[str, tuple[int, int, int, str, str]]:
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
    await _other_pages_are_true(call_center, browser)
    if SCREENSHOTS:
        await _take_pictures(call_center, browser, phone)

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
