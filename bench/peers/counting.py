"""What every peer counts, written once so that only the engines differ: a step for each event, by the order of arrival.

No peer keeps its open contacts anywhere but in memory, takes back what a late event proves wrong, or knows an event
that it has seen before: that is callwatch's work, and it does it on the same events in the same run.
"""

from collections import defaultdict
from datetime import datetime
from typing import Any

TARGET_MS = 20_000
BUCKET_MS = 10_000


class Counting:
    """The contacts that are open, and what was counted since ``take`` was last called."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[str, int]] = {}
        self._talking: dict[str, tuple[str, int]] = {}
        self._changes: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._events = 0

    def add(self, event: dict[str, Any]) -> None:
        """Count one event."""
        self._events += 1
        contact_id, kind = event["contact_id"], event["type"]
        at = round(datetime.fromisoformat(event["time"]).timestamp() * 1000)
        if kind == "contact.queued":
            self._waiting[contact_id] = event["queue"], at
            self._note(event["queue"], at, "offered", 1)
        elif kind == "contact.answered" and contact_id in self._waiting:
            queue, queued = self._waiting.pop(contact_id)
            self._talking[contact_id] = queue, at
            self._note(queue, at, "answered", 1)
            self._note(queue, at, "wait_answered_ms", at - queued)
            if at - queued <= TARGET_MS:
                self._note(queue, at, "answered_within_target", 1)
        elif kind in ("contact.abandoned", "contact.left_queue", "contact.ended", "contact.transferred"):
            self._over(contact_id, kind, at)

    def take(self) -> tuple[dict[tuple[str, str], int], int]:
        """Return what was counted, (key of the bucket, name) -> amount, and of how many events; begin anew."""
        taken = self._changes, self._events
        self._changes, self._events = defaultdict(int), 0
        return taken

    def _over(self, contact_id: str, kind: str, at: int) -> None:
        if contact_id in self._waiting:
            queue, queued = self._waiting.pop(contact_id)
            if kind in ("contact.abandoned", "contact.ended"):
                self._note(queue, at, "abandoned", 1)
                self._note(queue, at, "wait_abandoned_ms", at - queued)
        elif contact_id in self._talking and kind in ("contact.ended", "contact.transferred"):
            queue, answered = self._talking.pop(contact_id)
            self._note(queue, at, "handled", 1)
            self._note(queue, at, "talk_ms", at - answered)

    def _note(self, queue: str, at: int, name: str, amount: int) -> None:
        self._changes[f"bucket:{at // BUCKET_MS}:{queue}", name] += amount


def fill(pipeline: Any, counting: Counting) -> None:
    """Put what was counted into a pipeline of Redis, and the number of events, by which the bench follows a peer."""
    changes, events = counting.take()
    for (key, name), amount in changes.items():
        pipeline.hincrby(key, name, amount)
    pipeline.incrby("events", events)
