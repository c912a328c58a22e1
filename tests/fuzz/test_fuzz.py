"""The fuzzers' short form: their corpus, and what Hypothesis makes of it. ``make fuzz`` is the long one."""

import json
import random
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streams import events as ev
from streams.events import EventError
from tests.fuzz.targets import TOPICS, WIDTH, count_any, decode_any

CORPUS: Final = Path(__file__).parent / "corpus"
SEEDS: Final = {name: sorted((CORPUS / name).iterdir()) for name in ("decode", "count")}
MANY: Final = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])

#: Values that stand where others are expected.
VALUES: Final[st.SearchStrategy[Any]] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=300),
    st.sampled_from(["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z", "\ud800"]),
    st.lists(st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
)


def seed_of(name: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((CORPUS / "decode" / name).read_bytes()[1:])
    return made


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """An event of the corpus with a few of its fields replaced, dropped, or made up."""
    seed = draw(st.sampled_from([path for path in SEEDS["decode"] if path.suffix == ".json"]))
    fields = seed_of(seed.name)
    for name in draw(st.lists(st.sampled_from([*fields, "queue", "score", "made up"]), max_size=3)):
        if draw(st.booleans()):
            fields.pop(name, None)
        else:
            fields[name] = draw(VALUES)
    return seed.read_bytes()[:1] + json.dumps(fields).encode()


@pytest.mark.parametrize("path", SEEDS["decode"], ids=lambda path: path.name)
def test_every_seed_of_the_decoder_is_read_or_refused(path: Path) -> None:
    decode_any(path.read_bytes())


@pytest.mark.parametrize("path", SEEDS["count"], ids=lambda path: path.name)
def test_every_seed_of_the_counting_core_adds_up(path: Path) -> None:
    count_any(path.read_bytes())


def test_the_seeds_hold_every_type_of_event() -> None:
    readable: set[type] = set()
    for path in SEEDS["decode"]:
        data = path.read_bytes()
        try:
            readable.add(type(ev.decode(TOPICS[data[0] % len(TOPICS)], data[1:])))
        except EventError:
            continue
    assert readable == set(ev.TYPE_OF)


@MANY
@given(st.binary(max_size=200))
@example(b"\x00" + b"[" * 60_000)
@example(b"\x00" + b'{"a":' * 20_000)
@example(b"\x00" + b" " * 70_000)
def test_no_bytes_get_anything_but_an_event_error_out_of_the_decoder(data: bytes) -> None:
    decode_any(data)


@MANY
@given(broken())
def test_no_event_with_wrong_fields_gets_anything_but_an_event_error_out_of_the_decoder(data: bytes) -> None:
    decode_any(data)


@MANY
@given(st.lists(st.binary(min_size=WIDTH, max_size=WIDTH), max_size=40))
def test_any_stream_adds_up_and_nothing_escapes_the_counting_core(instructions: list[bytes]) -> None:
    count_any(b"".join(instructions))


def test_twenty_thousand_random_messages_are_read_or_refused() -> None:
    rng = random.Random(20_260_105)
    seeds = [path.read_bytes() for path in SEEDS["decode"]]
    for _ in range(20_000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(4)):
            at = rng.randrange(len(data))
            data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(4))
            data = data or bytearray(b"\0")
        decode_any(bytes(data))
