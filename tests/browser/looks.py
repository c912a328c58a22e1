"""How a test finds its way on the page."""

from collections.abc import Awaitable, Callable

from playwright.async_api import Locator, Page

OpenPage = Callable[..., Awaitable[Page]]


def tile(page: Page, queue: str) -> Locator:
    """Return the tile of ``queue``."""
    return page.get_by_role("article").filter(has=page.get_by_role("heading", name=queue, exact=True))


def field(within: Locator, name: str) -> Locator:
    """Return the element that shows the field ``name``."""
    return within.locator(f'[data-field="{name}"]')
