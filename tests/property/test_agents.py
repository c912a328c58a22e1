"""Agents' states add up to the same in any order, and to the time that the agents spent in them."""

import random
from collections import Counter, defaultdict
from typing import Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import events as ev
from streams.measures import total
from streams.partition import Limits, Now
from streams.people import AgentPartition
from streams.policy import MINUTE_MS, Policies
from streams.windows import FINE_MS, Buckets, fine, post, state_ms
from tests.generate import BEGIN, SETTLING_MS, written

LIMITS: Final = Limits(settling_ms=SETTLING_MS)
POLICIES: Final = Policies(skills={"ann": ("sales", "chat")})
LAST: Final = BEGIN + 100 * MINUTE_MS

moments = st.integers(0, 599).map(lambda tick: BEGIN + tick * FINE_MS)
spells = st.lists(
    st.tuples(moments, st.sampled_from(("ann", "bob")), st.sampled_from(ev.AGENT_STATES), st.booleans()),
    min_size=1,
    max_size=20,
)


def events_of(drawn: list[tuple[int, str, str, bool]]) -> list[tuple[int, ev.AgentState]]:
    found = []
    for number, (at, agent, state, skilled) in enumerate(drawn):
        fields = {"id": f"e{number}", "type": "agent.state", "time": written(at), "agent_id": agent, "state": state}
        event = ev.decode(ev.AGENTS, msgspec.json.encode(fields | ({"queues": ["support"]} if skilled else {})))
        found.append((at, event))
    return found


def counted(arrivals: list[tuple[int, ev.AgentState]], rng: random.Random) -> tuple[Buckets, dict[str, Now]]:
    """Count in batches of random sizes, by a new owner now and then; refused are only states settled before."""
    partition, buckets, refused = AgentPartition(POLICIES, LIMITS), Buckets(), set[str]()
    kept: dict[str, bytes] = {}
    now: dict[str, Now] = {}
    for at, event in arrivals:
        try:
            partition.count(event, at, at)
        except ev.EventError as error:
            refused.add(error.reason)
        if rng.random() < 0.3:
            change = partition.take()
            post(buckets, change.deltas)
            kept |= {name: packed for name, packed in change.open.items() if packed is not None}
            now |= {name: shown for name, shown in change.now.items() if shown is not None}
            if rng.random() < 0.3:
                partition = AgentPartition(POLICIES, LIMITS, watermark=change.watermark, packed=kept)
    assert refused <= {"settled"}
    change = partition.take()
    post(buckets, change.deltas)
    now |= {name: shown for name, shown in change.now.items() if shown is not None}
    rows = {number: {place: row for place, row in places.items() if row} for number, places in buckets.items()}
    return {number: places for number, places in rows.items() if places}, now


@settings(max_examples=200, deadline=None)
@given(drawn=spells, seed=st.integers(0, 2**32))
def test_any_order_within_the_settling_time_and_any_repetition_give_the_same(
    drawn: list[tuple[int, str, str, bool]], seed: int
) -> None:
    rng = random.Random(seed)
    events = events_of(drawn)
    disordered = [(at + rng.choice([0, rng.randrange(SETTLING_MS + 1)]), at, event) for at, event in events]
    again = [(arrives + rng.randrange(4 * SETTLING_MS), at, event) for arrives, at, event in disordered]
    stream = sorted(disordered + rng.sample(again, len(again) // 2), key=lambda one: one[0])
    in_order = sorted(events, key=lambda one: one[0])
    assert counted([(at, event) for _, at, event in stream], rng) == counted(in_order, rng)


@settings(max_examples=200, deadline=None)
@given(drawn=spells)
def test_time_in_a_state_is_what_the_states_last(drawn: list[tuple[int, str, str, bool]]) -> None:
    events = sorted(events_of(drawn), key=lambda one: (one[0], one[1].id))
    buckets, _ = counted(sorted(events, key=lambda one: one[0]), random.Random(0))
    spent: Counter[tuple[str, str]] = Counter()
    level: Counter[tuple[str, str]] = Counter()
    lives = defaultdict(list)
    for at, event in events:
        lives[event.agent_id].append((at, event))
    for agent, life in lives.items():
        for number, (at, event) in enumerate(life):
            until = life[number + 1][0] if number + 1 < len(life) else LAST
            for queue in ("", *(event.queues or POLICIES.skills.get(agent, ()))):
                spent[queue, event.state] += until - at
                level[queue, event.state] += number + 1 == len(life)
    for place, expected in spent.items():
        row = total(buckets.get(number, {}).get(place, {}) for number in range(fine(BEGIN), fine(LAST)))
        assert state_ms(row, BEGIN, LAST, level[place]) == expected
