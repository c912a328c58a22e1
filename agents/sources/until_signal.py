"""Running something until it is done or the user has had enough."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


async def until_signal(work: Coroutine[object, object, None]) -> bool:
    """Run ``work`` and cancel it on SIGINT or SIGTERM; return whether that happened. What it raises is raised."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    for number in SIGNALS:
        loop.add_signal_handler(number, task.cancel)
    try:
        await asyncio.wait({task})
    finally:
        task.cancel()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    if task.cancelled():
        return True
    task.result()
    return False
