"""What a store does, for those who write to it (``Store``) and those who read (``Reader``).

Everything that one partition of a topic contributes is one unit, named like ``calls/3``. Its ``Head`` says up
to which offset Kafka's records are in it. A commit names the head it was worked out from: if that is no longer
the stored one, nothing at all is applied. So a commit is applied once or not at all, whoever repeats it.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol

import msgspec

from streams.contact import Place
from streams.measures import Row
from streams.partition import Now
from streams.policy import Terms
from streams.windows import Buckets

#: The version of what the store holds. A store of another version is refused, not misread.
SCHEMA = 3


class StoreError(Exception):
    """The store cannot be reached, or cannot do what was asked now. Trying again later may help."""


class SchemaMismatchError(Exception):
    """The store holds what another version of callwatch has written."""


class Head(NamedTuple):
    """Where a partition's commits have come to.

    ``offset`` is the next to be read; ``token`` is new with every commit, so that two commits of the same
    offset (as when only the watermark moves) are not taken for one.
    """

    offset: int
    token: str


def bucket_names(
    fine: Iterable[int] = (), intervals: Iterable[int] = (), days: Iterable[int] = (), settled: Iterable[int] = ()
) -> list[str]:
    """Return the names of buckets: f and the number of a fine one, i of an interval, d of a day, s of an hour's ids."""
    kinds = (("f", fine), ("i", intervals), ("d", days), ("s", settled))
    return [f"{kind}{number}" for kind, numbers in kinds for number in numbers]


#: The head of a partition that nothing was ever committed to.
NOTHING = Head(-1, "")


class Beat(msgspec.Struct, array_like=True, frozen=True):
    """What a worker says of itself: when (wall clock, ms), how far behind (ms, records), how far the watermark is."""

    at: int
    lag_ms: int
    behind: int
    watermark: int | None
    #: The bytes of memory it has resident; None where the system does not tell.
    memory: int | None = None


class Delta(msgspec.Struct, array_like=True):
    """What one commit changed, for the readers."""

    #: fine bucket -> place -> what to add
    deltas: Buckets
    #: id -> what there is to show of it now, or None
    now: dict[str, Now | None]
    #: what was ever counted of the pipeline itself: ``event:<type>``, ``dead:<reason>``, ...
    stats: dict[str, int]
    #: interval -> place -> what to add, of what is kept by the interval alone
    aside: Buckets = {}


class Commit(msgspec.Struct):
    """All that one commit writes. Rows are absolute, not increments."""

    offset: int
    delta: Delta
    beat: Beat
    fine: Buckets = {}
    intervals: Buckets = {}
    #: day (a local date's ordinal) -> place -> row
    days: Buckets = {}
    #: place -> (counters, owed)
    totals: dict[Place, tuple[Row, Row]] = {}
    #: id -> packed state, or None to forget it
    open: dict[str, bytes | None] = {}
    #: hour -> digests to append
    settled: dict[int, bytes] = {}
    #: messages to send on: id -> message, in place of an older one of the id
    outbox: dict[str, bytes] = {}
    #: messages that have been sent: forgotten, unless another one of the id has taken its place
    sent: dict[str, bytes] = {}
    #: what has outlived its time
    drop_fine: Collection[int] = ()
    drop_intervals: Collection[int] = ()
    drop_days: Collection[int] = ()
    drop_settled: Collection[int] = ()
    #: what visits are judged by from now on, where that has changed
    terms: Terms | None = None


class Loaded(msgspec.Struct):
    """What a worker needs to go on with a partition."""

    head: Head
    watermark: int | None
    open: dict[str, bytes]
    totals: dict[Place, tuple[Row, Row]]
    stats: dict[str, int]
    fine: set[int]
    intervals: set[int]
    settled: set[int]
    days: set[int]
    #: the names of those buckets that are not packed
    loose: set[str]
    #: messages that were committed and not yet known to be sent
    outbox: dict[str, bytes]
    #: what the visits were judged by; None before the first commit
    terms: Terms | None = None
    #: whether what there was has been taken away, since the store had applied half of a commit
    torn: bool = False


class Snapshot(msgspec.Struct):
    """What a reader starts from: all that it shows of a partition, as of one commit."""

    cursor: str
    beat: Beat | None
    fine: Buckets
    intervals: Buckets
    totals: dict[Place, tuple[Row, Row]]
    now: dict[str, Now]
    stats: dict[str, int]


class Changes(NamedTuple):
    """What was committed since a reader's cursor, oldest first, and where to ask from next."""

    cursor: str
    deltas: list[Delta]
    beat: Beat | None


class Rows(Protocol):
    """Reading single buckets, as both sides do."""

    async def rows(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> tuple[Buckets, Buckets]:
        """Return the rows of some fine buckets and some intervals; one that is empty is left out."""

    async def day_rows(self, partition: str, days: Collection[int]) -> Buckets:
        """Return the rows of some days, by the ordinal of the local date; one that is empty is left out."""


class Store(Rows, Protocol):
    """The worker's side."""

    async def load(self, partition: str) -> Loaded:
        """Return what is stored of ``partition``, all of it as of one commit.

        Raise SchemaMismatchError if another version has written it.
        """

    async def settled(self, partition: str, hours: Collection[int]) -> dict[int, bytes]:
        """Return the digests of the ids settled in some hours, one after the other."""

    async def commit(self, partition: str, base: Head, commit: Commit) -> Head | None:
        """Apply ``commit`` if the stored head is ``base``; return the new head, or None: nothing was changed."""

    async def beat(self, partition: str, base: Head, beat: Beat) -> bool:
        """Note a sign of life if the stored head is ``base``; tell whether it is."""

    async def pack(self, partition: str, base: Head, names: Collection[str]) -> bool:
        """Keep the buckets of ``names`` in less room if the stored head is ``base``; tell whether it is.

        What they hold stays as it is, and can be read and written as before.
        """

    async def close(self) -> None:
        """Let go of connections."""


class Reader(Rows, Protocol):
    """The board's side."""

    async def partitions(self) -> list[str]:
        """Return the names of all partitions, sorted."""

    async def snapshot(self, partition: str, fine: Collection[int], intervals: Collection[int]) -> Snapshot:
        """Return all that is shown of ``partition``, with the buckets named, as of one commit."""

    async def changes(self, partition: str, cursor: str) -> Changes | None:
        """Return what was committed since ``cursor``; None if that is not known any more: start from a snapshot."""

    async def intervals(self, partition: str) -> set[int]:
        """Return the numbers of the intervals that are stored."""

    async def days(self, partition: str) -> set[int]:
        """Return the days that are stored, as ordinals of local dates: a day holds all that its intervals hold."""

    async def close(self) -> None:
        """Let go of connections."""
