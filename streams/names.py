"""Under which names queues and subjects are counted: their own, up to a limit, and ``other`` beyond it."""

from collections.abc import Iterable
from typing import Final

from streams.partition import Limits
from streams.policy import DAY_MS

#: The name under which all are counted beyond the limit: queues that queues.yaml does not list, and subjects.
OTHER: Final = "other"


class Names:
    """The names of one partition: what comes first is counted under its own."""

    def __init__(self, limits: Limits, listed: Iterable[str], seen: Iterable[str]) -> None:
        """Start from the queues that queues.yaml lists, and those that were ``seen`` before."""
        self._limits = limits
        listed = set(listed)
        self._queues = {queue: queue for queue in (*seen, *listed)}
        self._unlisted = len(self._queues.keys() - listed - {OTHER})
        #: subject -> when it was last seen
        self._subjects: dict[str, int] = {}

    def queue(self, queue: str) -> str:
        """Return the name that ``queue`` is counted under."""
        name = self._queues.get(queue)
        if name is None:
            if self._unlisted >= self._limits.unlisted_queues:
                return OTHER
            self._unlisted += 1
            name = self._queues[queue] = queue
        return name

    def subject(self, subject: str, at: int) -> str:
        """Return the name that ``subject`` is counted under at ``at`` (ms)."""
        known = self._subjects
        if subject not in known and len(known) >= self._limits.subjects:
            newest = max(known.values())
            if min(known.values()) > newest - DAY_MS:
                return OTHER
            self._subjects = known = {name: seen for name, seen in known.items() if seen > newest - DAY_MS}
        known[subject] = max(at, known.get(subject, 0))
        return subject
