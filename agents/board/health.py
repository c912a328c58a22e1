"""How far the figures can be trusted, and why not."""

from typing import Final, Literal, get_args

import msgspec

Cause = Literal[
    "store_away",
    "other_version",
    "emptied",
    "rebuilding",
    "unreadable",
    "partitions_away",
    "nothing_counted",
    "reading",
    "silent",
    "behind",
]
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)

#: What is wrong, in a sentence for people; the wallboard has its own in each language. ``{}`` are the cause's values.
SENTENCES: Final[dict[Cause, str]] = {
    "store_away": "the store cannot be reached",
    "other_version": "the store was written by another version of callwatch",
    "emptied": "the store has lost its figures; a worker rebuilds them from Kafka",
    "rebuilding": "a worker rebuilds the figures from Kafka; the last ones are shown",
    "unreadable": "the figures cannot be followed",
    "partitions_away": "{} of {} partitions cannot be read; their last figures are shown",
    "nothing_counted": "no worker has counted anything yet",
    "reading": "the figures are still being read",
    "silent": "no sign of life from the worker for {} s",
    "behind": "the worker is {} s behind Kafka",
}


class Health(msgspec.Struct, frozen=True):
    """How far the figures can be trusted."""

    stale: bool
    #: What is wrong, in a sentence for people; None if nothing is.
    reason: str | None
    #: The same for programs, and the numbers that the sentence holds, in its order.
    cause: Cause | None
    values: tuple[int, ...]
    #: Since the oldest partition's last sign of life, in seconds; None before the first.
    age_seconds: float | None
    #: How far the worker is behind Kafka, in seconds; None if not known.
    lag_seconds: float | None
    store_reachable: bool
