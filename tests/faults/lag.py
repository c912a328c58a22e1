"""How late records are counted, watched all the time: late is a second after their arrival, or more."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

LOOK_EVERY_S: Final = 0.1
#: A record that is counted within this was not delayed.
PROMPT_S: Final = 1.0

Offsets = Mapping[str, int]


class Lag:
    """Compares what has ``arrived`` in Kafka with what is ``counted``, both by partition; in a thread of its own."""

    def __init__(self, arrived: Callable[[], Offsets], counted: Callable[[], Offsets]) -> None:
        self._arrived = arrived
        self._counted = counted
        self._end = threading.Event()
        self._waiting: deque[tuple[float, Offsets]] = deque()
        self._last_late = self._last_look = float("-inf")
        self._thread = threading.Thread(target=self._run, name="lag", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def settled(self, since: float) -> float | None:
        """Return how long after ``since`` records were counted late; None while that is not known yet.

        It is known once nothing has been late for somewhat longer than it takes to be late.
        """
        if self._last_look < max(since, self._last_late) + 1.5 * PROMPT_S:
            return None
        return max(0.0, self._last_late - since)

    def _run(self) -> None:
        while not self._end.wait(LOOK_EVERY_S):
            self._waiting.append((time.monotonic(), self._arrived()))
            counted = self._counted()
            while self._waiting and covers(counted, self._waiting[0][1]):
                self._waiting.popleft()
            now = time.monotonic()
            if self._waiting and now - self._waiting[0][0] > PROMPT_S:
                self._last_late = now
            self._last_look = now


def covers(counted: Offsets, arrived: Offsets) -> bool:
    """Tell whether all that has ``arrived`` is counted."""
    return all(counted.get(name, -1) >= end for name, end in arrived.items())
