"""A real Chromium, and the real page on a server that speaks the stream's contract from a script."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from tests.browser.looks import OpenPage
from tests.browser.stage import Stage

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESK: ViewportSize = {"width": 1920, "height": 1080}
#: Nothing that is waited for takes a second on a machine of its own; the tests' own is shared.
WAIT_MS = 20_000
expect.set_options(timeout=WAIT_MS)


def _chromium() -> str:
    path = shutil.which("chromium")
    if path is None:
        message = "Debian's chromium is not installed: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Return one Chromium for all tests; each opens its pages in a context of its own."""
    path = _chromium()
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        await running.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Return a running test server with nothing shown yet."""
    server = Stage()
    server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, stage: Stage) -> AsyncIterator[OpenPage]:
    """Return a function that opens the board with a query, a viewport and a colour scheme."""
    contexts = []

    async def opened(query: str = "", viewport: ViewportSize = DESK, *, dark: bool = True) -> Page:
        context = await browser.new_context(
            viewport=viewport,
            locale="en-US",
            color_scheme="dark" if dark else "light",
        )
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = await context.new_page()
        await page.goto(stage.url + query)
        return page

    yield opened
    for context in contexts:
        await context.close()
