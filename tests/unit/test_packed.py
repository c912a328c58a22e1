"""The packed form of buckets holds what went into it."""

from hypothesis import given
from hypothesis import strategies as st

from agents.store.keys import field, pack
from agents.store.packed import (
    merged_digests,
    merged_rows,
    pack_digests,
    pack_rows,
    packed_anew,
    unpack_digests,
    unpack_rows,
)
from streams.contact import Place
from streams.measures import Row
from streams.partition import DIGEST_BYTES

#: As large as the moments of a day of waits come to.
LARGEST = 1 << 60

amounts = st.integers(-LARGEST, LARGEST).filter(bool)
rows_of_a_bucket = st.dictionaries(
    st.tuples(st.text(max_size=5), st.sampled_from(["voice", "chat", "@agent"])),
    st.dictionaries(st.sampled_from([1, 2, 15, 20, 1_003, 3_150]), amounts),
)
digests = st.lists(st.binary(min_size=DIGEST_BYTES, max_size=DIGEST_BYTES))


def cut(found: bytes) -> list[bytes]:
    return [found[at : at + DIGEST_BYTES] for at in range(0, len(found), DIGEST_BYTES)]


@given(rows_of_a_bucket)
def test_rows_are_the_same_after_packing(rows: dict[Place, Row]) -> None:
    assert unpack_rows(pack_rows(rows)) == rows


@given(rows_of_a_bucket, rows_of_a_bucket)
def test_a_row_that_is_not_packed_stands_in_place_of_the_packed_one(
    old: dict[Place, Row], new: dict[Place, Row]
) -> None:
    loose = [part for place, row in new.items() for part in (field(place).encode(), pack(row))]
    assert merged_rows(loose, pack_rows(old)) == unpack_rows(packed_anew("f1", loose, pack_rows(old))) == old | new


@given(digests)
def test_each_digest_is_there_once_after_packing(found: list[bytes]) -> None:
    assert sorted(cut(unpack_digests(pack_digests(b"".join(found))))) == sorted(set(found))


@given(digests, digests)
def test_digests_that_came_since_are_packed_with_the_others(old: list[bytes], new: list[bytes]) -> None:
    packed = pack_digests(b"".join(old))
    assert set(cut(merged_digests(b"".join(new), packed))) == {*old, *new}
    assert set(cut(merged_digests(None, packed_anew("s1", b"".join(new), packed)))) == {*old, *new}


def test_a_thousand_rows_alike_take_a_third_of_the_room() -> None:
    rows = {(f"queue-{n}", "voice"): {1: 20 + n % 7, 2: 18 + n % 5, 15: n * 977 % 90_000} for n in range(1_000)}
    alone = sum(len(field(place)) + len(pack(row)) for place, row in rows.items())
    assert len(pack_rows(rows)) * 3 < alone


def test_ten_thousand_digests_take_seven_bytes_each_at_most() -> None:
    # Evenly spread, as digests are.
    found = b"".join((n * 0x9E37_79B9_7F4A_7C15 % (1 << 64)).to_bytes(DIGEST_BYTES, "big") for n in range(10_000))
    assert len(pack_digests(found)) <= 7 * 10_000
