"""Feedback and customers: scores, joins, orders. Read and checked; each is counted by its type alone."""

from streams.events import Envelope
from streams.partition import Partition


class FeedbackPartition(Partition):
    """Carries the watermark of one partition of feedback."""

    def _count(self, event: Envelope, at: int) -> None:
        """Do nothing more: what a score says of a queue is not measured yet."""
