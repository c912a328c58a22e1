"""One contact's facts are a function of the set of its events: however they come, in one step or in many."""

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from streams import events as ev
from streams.contact import Fact, Step, Walk, advance, difference, facts, is_aside
from streams.contacts import ContactPartition
from streams.kinds import Kind
from streams.measures import RECORDERS, Measure, Row, total
from streams.partition import Limits
from streams.policy import DAY_MS, Policies, Promise
from streams.windows import Buckets, fine, interval, post
from tests.generate import Arrival, lives

#: A wait of any length is credible: whether one is lost depends on the watermark, and has tests of its own.
NO_GHOSTS = Policies(default=Promise(longest_credible_wait_ms=30 * DAY_MS))
#: So much time to settle that any order is within it.
PATIENT = Limits(settling_ms=30 * DAY_MS, open_ms=30 * DAY_MS)

#: All that a walk knows; but one that has not held since the last talk may remember an older hold.
WALK = sorted(set(Walk.__slots__) - {"held"})

contacts = st.builds(
    lambda seed, grain: list(lives(seed, 1, grain, senseless=True)),
    st.integers(0, 2**32),
    st.sampled_from((1, 1_000, 60_000)),
)


def step_of(arrival: Arrival) -> Step:
    event = arrival.event
    kind = int(Kind[event["type"].partition(".")[2].replace("left_queue", "left").upper()])
    if kind == Kind.SENT and event.get("sender") == "bot":
        kind = int(Kind.BOT_SENT)
    detail = event.get("queue") or event.get("reason") or ""
    by = event.get("subject") or ("" if kind == Kind.BOT_SENT else event.get("agent_id")) or ""
    return (arrival.at, kind, event["id"], detail, event["channel"], by)


def buckets_of(arrivals: list[Arrival]) -> Buckets:
    """Return what the partition counts, its changes added up; what comes to nothing is left out.

    Fine buckets by their numbers, intervals of what is counted aside by theirs, negative.
    """
    partition, buckets = ContactPartition(NO_GHOSTS, PATIENT), Buckets()
    for arrival in arrivals:
        event = ev.decode(ev.CALLS, json.dumps(arrival.event).encode())
        partition.count(event, arrival.at, arrival.at)
        change = partition.take()
        post(buckets, change.deltas)
        post(buckets, {-number: places for number, places in change.aside.items()})
    return without_nothing(buckets)


def without_nothing(buckets: Buckets) -> Buckets:
    rows = {number: {place: total([row]) for place, row in places.items()} for number, places in buckets.items()}
    for places in rows.values():
        for row in places.values():
            for measure in (Measure.OPENED, Measure.CLOSED):  # no facts of the walk
                row.pop(measure, None)
    rows = {number: {place: row for place, row in places.items() if row} for number, places in rows.items()}
    return {number: places for number, places in rows.items() if places}


@settings(max_examples=300, deadline=None)
@given(life=contacts)
def test_walk_step_by_step_notes_what_the_walk_from_the_start_notes(life: list[Arrival]) -> None:
    steps = sorted(map(step_of, life))
    walk, noted = Walk(), list[Fact]()
    for number, step in enumerate(steps):
        advance(walk, step, noted)
        at_once, all_noted = facts(steps[: number + 1])
        assert difference(noted, all_noted) == []
        assert [getattr(walk, name) for name in WALK] == [getattr(at_once, name) for name in WALK]


@settings(max_examples=300, deadline=None)
@given(life=contacts, seed=st.integers(0, 2**32))
def test_any_order_counts_the_facts_of_the_set(life: list[Arrival], seed: int) -> None:
    expected: Buckets = {}
    for sign, name, at, place, duration in facts(map(step_of, life))[1]:
        bucket = -interval(at) if is_aside(place) else fine(at)
        row: Row = expected.setdefault(bucket, {}).setdefault(place, {})
        RECORDERS[name](row, sign, at, duration, NO_GHOSTS.of(place[0]))
    assert buckets_of(random.Random(seed).sample(life, len(life))) == without_nothing(expected)


@settings(max_examples=300, deadline=None)
@given(life=contacts, seed=st.integers(0, 2**32))
def test_any_permutation_with_repetitions_adds_up_to_the_same(life: list[Arrival], seed: int) -> None:
    rng = random.Random(seed)
    again = rng.sample(life, rng.randrange(len(life) + 1))
    shuffled = rng.sample([*life, *again], len(life) + len(again))
    assert buckets_of(shuffled) == buckets_of(life)
