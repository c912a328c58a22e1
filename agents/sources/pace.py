"""How fast a source goes: the time of events against the time on the clock."""

import math
import re
from typing import Final

from config.errors import UsageError, one_line

DAY_MS: Final = 86_400_000


def parse_speed(text: str) -> float:
    """Return how many times as fast as life ``text`` (``60x``, ``1x``, ``max``) is; ``max`` is infinity.

    Raise UsageError for anything else.
    """
    if text == "max":
        return math.inf
    number = re.fullmatch(r"(\d+(?:\.\d+)?)x?", text)
    if number is None or not float(number[1]):
        raise UsageError(
            one_line(f"--speed {text}") + ": give max, or how many times as fast as life, such as 1x or 60x"
        )
    return float(number[1])


class Pace:
    """Keeps the distances between events, divided by ``speed``; times are milliseconds.

    A jump of more than a day, either way, is not waited for: the pace starts anew there. It is a gap between
    recordings or a wrong clock.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._latest = 0
        self._event_start = 0
        self._clock_start: float | None = None

    def wait_ms(self, event_ms: int, clock_ms: float) -> float:
        """Return how long to wait at ``clock_ms`` before an event of ``event_ms``; at most 0 when it is due."""
        if self._clock_start is None or abs(event_ms - self._latest) > DAY_MS:
            self._event_start = self._latest = event_ms
            self._clock_start = clock_ms
        self._latest = max(self._latest, event_ms)
        return self._clock_start + (event_ms - self._event_start) / self._speed - clock_ms
