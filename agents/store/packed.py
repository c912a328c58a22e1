"""Buckets that no longer change, in a form that takes a fraction of the room. docs/adr/0008-packed-buckets.md says why.

Rows of one bucket are alike: written measure by measure instead of row by row, they compress to a third of what each
of them would alone, and cost no field of their own. Digests do not compress; sorted, their beginnings do.
"""

import sys
from array import array
from collections.abc import Mapping
from itertools import accumulate, groupby, pairwise
from typing import Any, Final
from zlib import compress, decompress

import msgspec

from agents.store.keys import rows as rows_of
from streams.contact import Place
from streams.measures import Row
from streams.partition import DIGEST_BYTES

#: Of a sorted digest so many bytes are told by the step from the one before it.
_HEAD_BYTES: Final = 2
_TAIL_BYTES: Final = DIGEST_BYTES - _HEAD_BYTES


class _Table(msgspec.Struct, array_like=True):
    """The rows of one channel: ``columns[i][j]`` is what is counted of ``measures[i]`` for ``queues[j]``."""

    channel: str
    queues: list[str]
    measures: list[int]
    columns: list[list[int]]


class _Digests(msgspec.Struct, array_like=True):
    #: compressed: the steps from one head to the next
    steps: bytes
    #: the other bytes of each digest, byte by byte: the first of all, the second of all, ...
    tails: bytes


_encode = msgspec.msgpack.Encoder().encode
_tables = msgspec.msgpack.Decoder(list[_Table]).decode
_digests = msgspec.msgpack.Decoder(_Digests).decode
_steps = msgspec.msgpack.Decoder(list[int]).decode


def packed_anew(name: str, loose: Any, packed: bytes | None) -> bytes:
    """Return a bucket as one string, from what is not packed of it and what is, both as Redis gives them."""
    if name[0] == "s":
        return pack_digests(merged_digests(loose, packed))
    return pack_rows(merged_rows(loose, packed))


def merged_rows(loose: list[bytes], packed: bytes | None) -> dict[Place, Row]:
    """Return a bucket's rows; what is not packed stands in place of what was packed before."""
    return (unpack_rows(packed) if packed else {}) | rows_of(loose)


def merged_digests(loose: bytes | None, packed: bytes | None) -> bytes:
    """Return the digests of an hour, one after the other."""
    return (unpack_digests(packed) if packed else b"") + (loose or b"")


def pack_rows(rows: Mapping[Place, Row]) -> bytes:
    """Return the rows of a bucket as one string. An amount of 0 is not told from none."""
    places = sorted(rows, key=lambda place: (place[1], place[0]))
    tables: list[_Table] = []
    # Each channel by itself: those of agents and of subjects have few measures, but many rows.
    for channel, found in groupby(places, key=lambda place: place[1]):
        alike = list(found)
        measures = sorted({measure for place in alike for measure in rows[place]})
        columns = [[rows[place].get(measure, 0) for place in alike] for measure in measures]
        tables.append(_Table(channel, [queue for queue, _ in alike], measures, columns))
    return compress(_encode(tables))


def unpack_rows(packed: bytes) -> dict[Place, Row]:
    """Return the rows of a bucket."""
    found: dict[Place, Row] = {}
    for table in _tables(decompress(packed)):
        rows: list[Row] = [{} for _ in table.queues]
        for measure, column in zip(table.measures, table.columns, strict=True):
            for row, amount in zip(rows, column, strict=True):
                if amount:
                    row[measure] = amount
        found.update(((queue, table.channel), row) for queue, row in zip(table.queues, rows, strict=True))
    return found


def pack_digests(digests: bytes) -> bytes:
    """Return digests, given one after the other, as one string; of equal ones one stays. Their order is lost."""
    # As numbers their last bytes count most, so in the order of their numbers it is these that go up.
    whole = _bytes(array("Q", sorted(set(_numbers("Q", digests)))))
    heads = bytearray(len(whole) // DIGEST_BYTES * _HEAD_BYTES)
    for at in range(_HEAD_BYTES):
        heads[at::_HEAD_BYTES] = whole[_TAIL_BYTES + at :: DIGEST_BYTES]
    steps = [new - old for old, new in pairwise((0, *_numbers("H", heads)))]
    tails = b"".join([whole[at::DIGEST_BYTES] for at in range(_TAIL_BYTES)])
    return _encode(_Digests(compress(_encode(steps)), tails))


def unpack_digests(packed: bytes) -> bytes:
    """Return digests, one after the other."""
    found = _digests(packed)
    heads = _bytes(array("H", accumulate(_steps(decompress(found.steps)))))
    count = len(heads) // _HEAD_BYTES
    whole = bytearray(count * DIGEST_BYTES)
    for at in range(_TAIL_BYTES):
        whole[at::DIGEST_BYTES] = found.tails[at * count : (at + 1) * count]
    for at in range(_HEAD_BYTES):
        whole[_TAIL_BYTES + at :: DIGEST_BYTES] = heads[at::_HEAD_BYTES]
    return bytes(whole)


def _numbers(code: str, data: bytes | bytearray) -> "array[int]":
    """Return what little-endian numbers stand for."""
    numbers = array(code, bytes(data))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _bytes(numbers: "array[int]") -> bytes:
    """Return numbers as little-endian bytes."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
