"""A worker and its store, made small: batches in, commits out, a crash now and then."""

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from streams import events as ev
from streams.contacts import ContactPartition
from streams.measures import Measure, Row
from streams.partition import Change, Limits, Now
from streams.policy import DAY_MS
from streams.windows import Buckets, coarse, post
from tests.generate import POLICIES, SETTLING_MS, Arrival
from tests.oracle import MINUTE, Table

LIMITS: Final = Limits(settling_ms=SETTLING_MS)
#: For lives in which a talk may end long before its wrap-up comes.
PATIENT: Final = Limits(settling_ms=SETTLING_MS, wrap_up_ms=DAY_MS)
#: For lives in which a contact may seem to be over in the middle of it.
ENDLESS: Final = Limits(settling_ms=30 * DAY_MS, open_ms=30 * DAY_MS)


class Kept:
    """What the store keeps of one partition."""

    def __init__(self) -> None:
        self.watermark: int | None = None
        self.buckets: Buckets = {}
        #: By the interval, what counts at places that are none of a queue.
        self.aside: Buckets = {}
        self.open: dict[str, bytes] = {}
        self.now: dict[str, Now] = {}
        self.settled: dict[int, bytes] = {}
        #: What was told last under each name.
        self.told: dict[str, bytes] = {}

    def commit(self, change: Change) -> None:
        """Take what changed."""
        self.watermark = change.watermark
        post(self.buckets, change.deltas)
        post(self.aside, change.aside)
        for contact_id, packed in change.open.items():
            _put(self.open, contact_id, packed)
        for contact_id, shown in change.now.items():
            _put(self.now, contact_id, shown)
        for hour, digests in change.settled.items():
            self.settled[hour] = self.settled.get(hour, b"") + b"".join(digests)
        self.told |= change.told

    def load(self, limits: Limits) -> ContactPartition:
        """Return the partition as a new owner reads it."""
        places = {place: () for bucket in self.buckets.values() for place in bucket}
        return ContactPartition(
            POLICIES, limits, watermark=self.watermark, places=places, packed=self.open, settled=list(self.settled)
        )


def _put(target: dict[str, Any], name: str, value: object | None) -> None:
    if value is None:
        target.pop(name, None)
    else:
        target[name] = value


def count(
    partition: ContactPartition,
    kept: Kept,
    batch: Sequence[Arrival],
    count_all: Callable[..., dict[int, ev.EventError]] = ContactPartition.count_all,
) -> Counter[str]:
    """Count one batch; return the reasons of what could not be counted."""
    wanted = partition.hours_wanted([arrival.at for arrival in batch])
    partition.settled.learn({hour: kept.settled[hour] for hour in wanted})
    events = [ev.decode(ev.CALLS, json.dumps(arrival.event).encode()) for arrival in batch]
    times, nows = [ev.milliseconds(event.time) for event in events], [arrival.at for arrival in batch]
    refused = count_all(partition, events, times, nows)
    return Counter(error.reason for error in refused.values())


def replay(
    arrivals: Sequence[Arrival], watermark: int, rng: random.Random, limits: Limits = LIMITS
) -> tuple[Kept, Counter[str]]:
    """Count ``arrivals`` in batches of random sizes, through random crashes, and carry the clock to ``watermark``."""
    kept, refused, done = Kept(), Counter[str](), 0
    partition = kept.load(limits)
    while done < len(arrivals):
        batch = arrivals[done : done + rng.choice([1, 3, 10, 50])]
        if rng.random() < 0.1:
            count(partition, kept, batch)  # and killed before the commit
            partition = kept.load(limits)
        refused += count(partition, kept, batch)
        kept.commit(partition.take())
        done += len(batch)
        if rng.random() < 0.1:
            partition = kept.load(limits)  # killed after it
    partition.advance(watermark)
    kept.commit(partition.take())
    return kept, refused


def figures(row: Row) -> Counter[str]:
    """Return a row's counts and sums in the oracle's words; nothing that is 0."""
    return Counter({Measure(key).name.lower(): row[key] for key in row if key < Measure.MOMENTS_MS and row[key]})


def conversation(row: Row) -> Counter[str]:
    """Return what a row tells of lines, rings and bots, in the oracle's words; nothing that is 0."""
    names = range(Measure.FIRST_RESPONSES, Measure.LEFT_AFTER_BOT + 1)
    return Counter({Measure(key).name.lower(): row[key] for key in row if key in names and row[key]})


def table(buckets: Buckets) -> Table:
    """Return counts and sums by interval, queue and channel, as the oracle gives them."""
    return _table(coarse(buckets), figures)


def conversations(kept: Kept) -> Table:
    """Return what lines, rings and bots add up to, and what is told apart by agent and subject."""
    found = _table(coarse(kept.buckets), conversation)
    for key, row in _table(kept.aside, lambda row: figures(row) + conversation(row)).items():
        found.setdefault(key, Counter()).update(row)
    return found


def _table(intervals: Buckets, told: Callable[[Row], Counter[str]]) -> Table:
    found = {
        (number * 15 * MINUTE, *place): told(row) for number in intervals for place, row in intervals[number].items()
    }
    return {key: row for key, row in found.items() if row}
