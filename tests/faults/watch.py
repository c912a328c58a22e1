"""Somebody who looks at the board all the time, and remembers every answer that was not right.

The board may show less than there is while callwatch catches up, and says so. It may never show more than what
the events can add up to in any of their prefixes, never answer with nothing where it had something, and never
show less of a round that is over without marking itself stale.
"""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

from tests.faults.load import Round
from tests.faults.rows import board_table, counts

LOOK_EVERY_S: Final = 0.3
#: Every answer is there within this; those about past times read the store, and may wait for it.
ANSWERS_S: Final = 3.0
READS_S: Final = 15.0
#: A board that shows less than there is has marked itself stale within this.
MARKS_S: Final = 3.0
#: An outage shows after the board's own patience (CALLWATCH_STALE_AFTER) and the age of what it had.
SHOWS_S: Final = 4.0
#: So many rounds are looked at: the present one, and those before it.
WATCHED: Final = 4

Counts = dict[tuple[int, str, str], dict[str, int]]


class Look(NamedTuple):
    """What the board said at one moment (s): about itself, and about every interval, None where it could not."""

    at: float
    stale: bool
    age: float
    places: int
    intervals: Counts | None


class Watch:
    """Looks at the board in a thread of its own."""

    def __init__(self, get: Callable[..., Any], span: Callable[[], dict[str, str]]) -> None:
        """Ask by ``get(path, timeout, **query)``; ``span`` is what to ask intervals of."""
        self.faults: list[str] = []
        self.looks: list[Look] = []
        self.outages: list[tuple[float, float]] = []
        self._get = get
        self._span = span
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    @property
    def started(self) -> bool:
        """Tell whether somebody looks."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(READS_S + 1)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Say that nothing can be counted meanwhile: the board has to notice."""
        began = time.monotonic()
        yield
        self.outages.append((began, time.monotonic()))

    def check(self, rounds: Sequence[Round]) -> None:
        """Judge all looks since the last check, of which ``rounds`` but the last were over all the time."""
        looks, self.looks = self.looks, []
        outages, self.outages = self.outages, []
        faults, self.faults = self.faults, []
        assert not faults, faults[:5]
        assert looks, "nobody has looked"
        stale = [look.at for look in looks if look.stale]
        most = {place: counts(row) for part in rounds for place, row in part.ceiling.items()}
        for look in looks:
            for began, ended in outages:
                if began + SHOWS_S < look.at < ended:
                    assert look.stale, f"not stale {look.at - began:.1f} s after all had stopped"
                    assert look.age > look.at - began - SHOWS_S / 2, f"says {look.age} s after {look.at - began:.1f} s"
            if look.intervals is not None:
                _no_more(look.intervals, most)
                if not any(abs(look.at - at) < MARKS_S for at in stale):
                    _all_there(look.intervals, rounds[-WATCHED:-1])
        assert all(look.places for look in looks), "the board went blank"

    def _run(self) -> None:
        while not self._end.wait(LOOK_EVERY_S):
            try:
                self.looks.append(self._look())
            except Exception as error:  # noqa: BLE001 -- whatever it is, the board should have answered
                self.faults.append(f"{type(error).__name__}: {error}")

    def _look(self) -> Look:
        asked, found = self._span(), None
        with suppress(urllib.error.HTTPError):  # 503: the store is away, and says so
            found = board_table(self._get("/api/v1/intervals", READS_S, **asked, interval="15m")["rows"])
        answer = self._get("/api/v1/queues", ANSWERS_S, window="1h")
        pipeline = answer["pipeline"]
        age = pipeline["age_seconds"]
        samples = self._get("/metrics", ANSWERS_S)
        places = samples.count("callcenter_contacts_offered_total{")
        return Look(time.monotonic(), pipeline["stale"], age or 0.0, places, found)


def fetch(address: str, timeout: float) -> Any:
    """Return what stands at ``address``: JSON as what it says, all else as text."""
    with urllib.request.urlopen(address, timeout=timeout) as answer:  # noqa: S310 -- the board of this site
        text = answer.read().decode()
        return json.loads(text) if "json" in answer.headers["Content-Type"] else text


def _no_more(found: Counts, most: Counts) -> None:
    for place, row in found.items():
        limit = most.get(place, {})
        for name, amount in row.items():
            assert amount <= limit.get(name, 0), f"{amount} {name} at {place}, more than {limit.get(name, 0)}"


def _all_there(found: Counts, rounds: Sequence[Round]) -> None:
    for part in rounds:
        for place, row in part.table.items():
            right = counts(row)
            assert not any(right.values()) or found.get(place) == right, f"{found.get(place)}, not {right} at {place}"
