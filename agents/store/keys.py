"""The names and forms of what is kept in Redis.

All keys of a partition carry its name as their hash tag, so on a Redis Cluster they share one slot and one
script may touch them together. Rows are MessagePack maps, measure -> amount; a place is written
``channel:queue`` (a channel holds no colon).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from agents.store.api import Beat, Delta
from streams.contact import Place
from streams.measures import Row
from streams.partition import Now
from streams.policy import Terms

#: The set of all partitions' names.
PARTITIONS = "callwatch:partitions"

pack = msgspec.msgpack.Encoder().encode
unpack_row = msgspec.msgpack.Decoder(Row).decode
unpack_totals = msgspec.msgpack.Decoder(tuple[Row, Row]).decode
unpack_now = msgspec.msgpack.Decoder(Now).decode
unpack_delta = msgspec.msgpack.Decoder(Delta).decode
unpack_terms = msgspec.msgpack.Decoder(Terms).decode
unpack_beat = msgspec.msgpack.Decoder(Beat).decode


#: What the keys of a bucket say, by what its name begins with.
_KINDS: Final = {"f": "fine", "i": "interval", "d": "day", "s": "settled"}


class Keys:
    """The keys of one partition."""

    def __init__(self, partition: str) -> None:
        self._tag = f"callwatch:{{{partition}}}:"
        #: offset, token, schema, beat, terms; commits and whole, which are equal unless it is torn
        self.head = self._tag + "head"
        #: id -> packed open contact or agent
        self.open = self._tag + "open"
        #: id -> what the board shows of it
        self.now = self._tag + "now"
        #: place -> (counters, owed)
        self.totals = self._tag + "totals"
        #: name -> count, of the pipeline itself
        self.stats = self._tag + "stats"
        #: id -> message to send on
        self.outbox = self._tag + "outbox"
        #: the names of all buckets there are; with a p before it that of one that is packed, beside what changed since
        self.buckets = self._tag + "buckets"
        #: the last commits, for the readers: base token, token, delta
        self.log = self._tag + "log"

    def bucket(self, name: str) -> str:
        """Return the key of a bucket: place -> row; for an hour of settled ids their digests, one after the other."""
        return f"{self._tag}{_KINDS[name[0]]}:{name[1:]}"

    def both(self, name: str) -> tuple[tuple[str, str], tuple[str, str]]:
        """Return where a bucket is to be read, and as what: what is not packed of it, and what is."""
        return (self.bucket(name), "b" if name[0] == "s" else "h"), (self.packed(name), "b")

    def packed(self, name: str) -> str:
        """Return the key of what is packed of a bucket: rows, of which those under its other key are newer; digests."""
        return f"{self._tag}packed:{name}"


def field(place: Place) -> str:
    """Return a place as a hash field."""
    return f"{place[1]}:{place[0]}"


def place(name: bytes) -> Place:
    """Return the place that a hash field stands for."""
    channel, queue = name.decode().split(":", 1)
    return queue, channel


def packed_rows(rows: Mapping[Place, object]) -> list[str | bytes]:
    """Return rows as alternating fields and values."""
    flat: list[str | bytes] = []
    for where, row in rows.items():
        flat += (field(where), pack(row))
    return flat


def pairs(flat: list[Any]) -> Iterable[tuple[Any, Any]]:
    """Return what Redis gives as one flat list as pairs."""
    return zip(flat[::2], flat[1::2], strict=True)


def rows(flat: list[bytes]) -> dict[Place, Row]:
    """Return a bucket's hash as rows."""
    return {place(name): unpack_row(value) for name, value in pairs(flat)}


def totals(flat: list[bytes]) -> dict[Place, tuple[Row, Row]]:
    """Return the hash of totals as (counters, owed) by place."""
    return {place(name): unpack_totals(value) for name, value in pairs(flat)}


def numbers(members: Iterable[bytes], kind: str) -> set[int]:
    """Return the numbers of the buckets of one kind."""
    names = (member.removeprefix(b"p") for member in members)
    return {int(name[1:]) for name in names if name[:1] == kind.encode()}


def loose(members: Iterable[bytes]) -> set[str]:
    """Return the names of the buckets of which there is something that is not packed."""
    return {member.decode() for member in members if member[:1] != b"p"}
