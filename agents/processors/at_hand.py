"""The rows of some buckets, at hand: what they come to can be told without asking the store.

They are kept packed. As dicts, the rows of an hour of a thousand queues take ten times the room, and to unpack those
that a commit changes takes no time that could be measured beside the rest of the commit.
"""

import msgspec

from streams.contact import Place
from streams.measures import Row, add
from streams.windows import Buckets

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Row).decode


class AtHand:
    """The rows of the newest buckets of one kind, ``most`` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buckets: dict[int, dict[Place, bytes]] = {}

    def __contains__(self, number: int) -> bool:
        """Tell whether the rows of a bucket are at hand."""
        return number in self._buckets

    def rows(self, number: int) -> dict[Place, Row]:
        """Return the rows of a bucket that is at hand."""
        return {place: _unpack(packed) for place, packed in self._buckets[number].items()}

    def learn(self, buckets: Buckets) -> None:
        """Take up buckets as they stand."""
        for number, rows in buckets.items():
            self._buckets[number] = {place: _pack(row) for place, row in rows.items()}

    def post(self, deltas: Buckets) -> Buckets:
        """Add ``deltas``, to nothing where no bucket is at hand; return the rows that changed, as they stand."""
        changed: Buckets = {}
        for number, places in deltas.items():
            known = self._buckets.setdefault(number, {})
            rows = changed[number] = {}
            for place, delta in places.items():
                packed = known.get(place)
                row = rows[place] = {} if packed is None else _unpack(packed)
                add(row, delta)
                known[place] = _pack(row)
        return changed

    def forget(self) -> None:
        """Keep only the newest buckets."""
        if len(self._buckets) > self._most:
            for number in sorted(self._buckets)[: -self._most]:
                del self._buckets[number]
