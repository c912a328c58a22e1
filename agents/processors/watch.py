"""Watching the topics themselves: one that is missing, or has got more partitions, is said."""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

import structlog

#: A topic that stays away is said again after this, in seconds.
SAY_AGAIN_S: Final = 60.0

log = structlog.get_logger()


class TopicWatch:
    """Says what becomes of ``topics``; ``count`` tells how many partitions one has: None or 0 where it is missing."""

    def __init__(self, topics: Iterable[str], count: Callable[[str], int | None]) -> None:
        self._topics = list(topics)
        self._count = count
        self._known: dict[str, int] = {}
        self._missed: dict[str, float] = {}

    def look(self) -> None:
        """Say what has changed since the last look."""
        for topic in self._topics:
            partitions = self._count(topic) or 0
            if partitions:
                self._found(topic, partitions)
            else:
                self._missing(topic)

    def _found(self, topic: str, partitions: int) -> None:
        if self._missed.pop(topic, None) is not None:
            log.warning("a topic is there again", topic=topic, partitions=partitions)
        before = self._known.get(topic, partitions)
        self._known[topic] = partitions
        if partitions > before:
            log.warning(
                "a topic has got more partitions; a contact under way whose events go to another one now counts as two",
                topic=topic,
                partitions=partitions,
                before=before,
            )
        elif partitions < before:
            log.warning("a topic has lost partitions: was it made anew?", topic=topic, partitions=partitions)

    def _missing(self, topic: str) -> None:
        now = monotonic()
        if now - self._missed.get(topic, now - SAY_AGAIN_S) >= SAY_AGAIN_S:
            self._missed[topic] = now
            log.warning("a topic is missing: nothing of it is counted; make it with: callwatch topics", topic=topic)
