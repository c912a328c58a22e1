"""A load with a known answer: rounds of made-up contacts, in disorder and repetition, and what they add up to."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from streams.policy import HOUR_MS, MINUTE_MS
from tests import oracle
from tests.generate import BEGIN, RULES, Arrival, Life, disorder

#: Of all events every fifth arrives twice, some of them hours later.
TWICE: Final = 0.2
#: The longest credible wait, and a little: at the close of a round whoever still waits is lost.
CLOSE_AFTER_MS: Final = 4 * HOUR_MS + MINUTE_MS
INTERVAL_MS: Final = 15 * MINUTE_MS

Table = oracle.Table


class Round:
    """Some contacts: their events as they arrive, and the oracle's answer once the round is closed."""

    def __init__(self, seed: int, number: int, contacts: int, begin: int = BEGIN) -> None:
        rng = random.Random(f"{seed}/{number}")
        found: list[Arrival] = []
        for contact in range(contacts):
            life = Life(rng, f"r{number}-c{contact}", 1, begin + rng.randrange(2 * HOUR_MS))
            life.live()
            found += life.events
        found.sort(key=lambda arrival: arrival.at)
        self.number = number
        self.begin = begin
        self.arrivals = disorder(found, rng, TWICE)
        #: The watermark that the round is closed with.
        self.close = max(arrival.at for arrival in found) + CLOSE_AFTER_MS
        #: The next round begins with an interval of its own.
        self.end = (self.close // INTERVAL_MS + 2) * INTERVAL_MS
        self.table = oracle.table([arrival.event for arrival in found], self.close, RULES)
        self.ceiling = _ceiling(self.arrivals)


def _ceiling(arrivals: Iterable[Arrival]) -> Table:
    """Return the most that each interval can show at any moment, whatever of the round has arrived.

    Contacts are counted each for itself, so it is the sum of what each can show by any of its events' prefixes,
    with those who wait as they are or given up for lost.
    """
    lives: defaultdict[str, list[oracle.Event]] = defaultdict(list)
    for arrival in arrivals:
        lives[arrival.event["contact_id"]].append(arrival.event)
    most: Table = {}
    for events in lives.values():
        highest: dict[tuple[tuple[int, str, str], str], int] = {}
        for length in range(1, len(events) + 1):
            for watermark in (0, BEGIN * 2):
                for place, row in oracle.table(events[:length], watermark, RULES).items():
                    for name, amount in row.items():
                        highest[place, name] = max(amount, highest.get((place, name), 0))
        for (place, name), amount in highest.items():
            most.setdefault(place, Counter())[name] += amount
    return most


def merged(tables: Iterable[Table]) -> Table:
    """Return the sum of tables."""
    result: Table = {}
    for table in tables:
        for place, row in table.items():
            result.setdefault(place, Counter()).update(row)
    return result
