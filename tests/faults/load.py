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
            # Of a customer, so that all of it is told to the customers' partitions, also what is resolved hours later.
            customer = f"u{contact % (contacts // 2 + 1)}"
            for arrival in life.events:
                arrival.event["customer_id"] = customer
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
        #: The contacts whose matter was resolved, and of them those that are surely over, and told.
        self.resolved = {each.event["contact_id"] for each in found if each.event["type"] == "contact.resolved"}
        self.over = self.resolved & _over(found)


def _over(arrivals: Iterable[Arrival]) -> set[str]:
    """Return the contacts that did not queue again after their end."""
    ended: Counter[str] = Counter()
    queued: Counter[str] = Counter()
    for at, event in arrivals:
        last = {"contact.queued": queued, "contact.ended": ended, "contact.abandoned": ended}.get(event["type"])
        if last is not None:
            last[event["contact_id"]] = max(at, last[event["contact_id"]])
    return {contact for contact, at in ended.items() if at > queued[contact]}


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
