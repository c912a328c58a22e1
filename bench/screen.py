"""A wallboard in a real Chromium, and when a queue's length stood on it: in the frame that was painted."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, async_playwright

from agents.embedded.local import LOOPBACK

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")

#: Note, before each frame, what stands in the tile of a queue: the first moment of each number, by the page's clock.
#: A frame later it has been painted.
WATCH = """(queue) => {
    window.shownAt = new Map();
    const tiles = document.getElementById("board");
    const look = () => {
        const tile = [...tiles.children].find((each) => each.querySelector("[data-field=name]").textContent === queue);
        const shown = Number(tile?.querySelector("[data-field=queue_length]").textContent.replace(/\\\\D/g, "") ?? 0);
        if (shown && !shownAt.has(shown)) {
            shownAt.set(shown, null);
            requestAnimationFrame(() => shownAt.set(shown, Date.now()));
        }
        requestAnimationFrame(look);
    };
    look();
}"""


@asynccontextmanager
async def wallboard(port: int, queue: str) -> AsyncIterator[Page]:
    """Give a page with the wallboard of a board, which watches ``queue``."""
    path = shutil.which("chromium")
    if path is None:
        raise FileNotFoundError("chromium is not installed: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            page = await browser.new_page(viewport={"width": 1920, "height": 1080}, locale="en-US")
            await page.goto(f"http://{LOOPBACK}:{port}/")
            await page.evaluate(WATCH, queue)
            yield page
        finally:
            await browser.close()


async def shown_at(page: Page) -> dict[int, float]:
    """Return when (epoch, in seconds) each length of the queue was first painted."""
    found: list[list[int]] = await page.evaluate("() => [...shownAt].filter(([, at]) => at !== null)")
    return {length: at / 1000 for length, at in found}
