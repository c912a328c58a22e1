"""How a test finds its way on the page."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from playwright.async_api import Locator, Page

OpenPage = Callable[..., Awaitable[Page]]

SEEN_WITHIN_S: Final = 30


WATCH: Final = """(element) => {
    window.seen = [element.textContent];
    const look = () => seen.at(-1) === element.textContent || seen.push(element.textContent);
    new MutationObserver(look).observe(element, { subtree: true, childList: true, characterData: true });
}"""


async def watch(element: Locator) -> None:
    """Have the page note every text that ``element`` shows from now on: a test may look too seldom to see them all."""
    await element.evaluate(WATCH)


# Not wait_for_function: Playwright evaluates its text anew for each look, which the page's policy forbids.
SEEN: Final = """(count) => new Promise((resolve) => {
    const look = () => (seen.length >= count ? resolve(seen) : setTimeout(look, 50));
    look();
})"""


async def seen(page: Page, count: int = 1) -> list[str]:
    """Return what the watched element has shown, in this order, once that is ``count`` texts or more."""
    async with asyncio.timeout(SEEN_WITHIN_S):
        texts: list[str] = await page.evaluate(SEEN, count)
    return texts


def tile(page: Page, queue: str) -> Locator:
    """Return the tile of ``queue``."""
    return page.get_by_role("article").filter(has=page.get_by_role("heading", name=queue, exact=True))


def field(within: Locator, name: str) -> Locator:
    """Return the element that shows the field ``name``."""
    return within.locator(f'[data-field="{name}"]')
