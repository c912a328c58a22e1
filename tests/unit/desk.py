"""A partition of contacts fed by hand, and what its store would keep."""

import itertools
import json
from typing import Any, Final

from streams import events as ev
from streams.contacts import ContactPartition
from streams.measures import Measure, Row, add, total
from streams.partition import Change, Limits
from streams.policy import HOUR_MS, MINUTE_MS, Policies, Promise
from streams.windows import Buckets, fine, post
from tests.generate import BEGIN, written

LIMITS: Final = Limits()
POLICIES: Final = Policies(
    queues={"sales": Promise(), "chat": Promise(longest_credible_wait_ms=HOUR_MS, threshold_ms=MINUTE_MS)}
)
SALES: Final = ("sales", "voice")
CHAT: Final = ("chat", "voice")


class Desk:
    """Feeds a partition by hand, adds up what it changes, and remembers what the store would."""

    def __init__(self, policies: Policies = POLICIES, limits: Limits = LIMITS) -> None:
        self.policies, self.limits = policies, limits
        self.partition = ContactPartition(policies, limits)
        self.buckets = Buckets()
        self.open: dict[str, bytes | None] = {}
        self.now: dict[str, Any] = {}
        self.settled: dict[int, bytes] = {}
        self.ids = itertools.count()

    def tell(self, at: int, contact: str, kind: str, **fields: object) -> dict[str, Any]:
        """Count an event ``at`` ms after the beginning; return it."""
        event: dict[str, Any] = {"id": f"e{next(self.ids)}", "type": f"contact.{kind}", "time": written(BEGIN + at)}
        event |= {"contact_id": contact, "channel": "voice", **fields}
        self.repeat(event)
        return event

    def repeat(self, message: dict[str, Any]) -> None:
        """Count an event (again), with the settled ids at hand that it wants."""
        event = ev.decode(ev.CALLS, json.dumps(message).encode())
        at = ev.milliseconds(event.time)
        wanted = self.partition.hours_wanted([at])
        self.partition.settled.learn({hour: self.settled[hour] for hour in wanted})
        self.partition.count(event, at, at)
        self.commit()

    def pass_to(self, at: int) -> None:
        """Carry the watermark on, as other contacts or the clock would."""
        self.partition.advance(BEGIN + at)
        self.commit()

    def commit(self) -> Change:
        """Add up and remember what changed; return it."""
        change = self.partition.take()
        post(self.buckets, change.deltas)
        self.open |= change.open
        self.now |= change.now
        for hour, digests in change.settled.items():
            self.settled[hour] = self.settled.get(hour, b"") + b"".join(digests)
        return change

    def restart(self) -> None:
        """Go on as a new owner that knows what was committed."""
        packed = {name: data for name, data in self.open.items() if data is not None}
        places = {place: () for bucket in self.buckets.values() for place in bucket}
        self.partition = ContactPartition(
            self.policies,
            self.limits,
            watermark=self.partition.watermark,
            places=places,
            packed=packed,
            settled=list(self.settled),
        )

    def keeps(self, contact: str) -> bool:
        """Tell whether a contact is open, to the store and to the partition."""
        kept = self.open.get(contact) is not None
        assert kept == (contact in self.partition.contacts)
        return kept

    def row(self, place: tuple[str, str] = SALES) -> Row:
        """Return all that counted at ``place``, but for moments and histograms."""
        summed = total(places.get(place, {}) for places in self.buckets.values())
        return {Measure(key): amount for key, amount in summed.items() if key < Measure.MOMENTS_MS}

    def at(self, moment: int, place: tuple[str, str] = SALES) -> Row:
        """Return what counted in the bucket of one moment."""
        row: Row = {}
        add(row, self.buckets.get(fine(BEGIN + moment), {}).get(place, {}))
        return {Measure(key): amount for key, amount in row.items() if key < Measure.MOMENTS_MS}
