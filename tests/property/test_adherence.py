"""Adherence is the scheduled time spent at work, whatever order the states come in, counted tick by tick."""

import random
from collections import Counter
from datetime import datetime
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from streams import events as ev
from streams.measures import Measure
from streams.partition import Limits
from streams.people import AgentPartition
from streams.policy import HOUR_MS, MINUTE_MS, Opening, Policies
from streams.windows import INTERVAL_MS
from tests.generate import BEGIN, SETTLING_MS
from tests.property.replay import Kept

LIMITS: Final = Limits(settling_ms=SETTLING_MS)
TICK_MS: Final = MINUTE_MS
#: In Berlin BEGIN is a Friday, 9:00; the clocks are turned in the night to Sunday, 2026-03-29.
NIGHT: Final = BEGIN + 85 * 24 * HOUR_MS + 14 * HOUR_MS
AT_WORK: Final = ("available", "offered", "on_contact", "wrap_up")

openings = st.lists(st.integers(0, 1_440), min_size=4, max_size=4, unique=True).map(sorted)
weeks = st.lists(openings, min_size=7, max_size=7).map(
    lambda days: tuple(
        Opening(weekday, *edges) for weekday, day in enumerate(days) for edges in ((day[0], day[1]), (day[2], day[3]))
    )
)
#: (minute, who, state)
spells = st.lists(
    st.tuples(st.integers(0, 1_200), st.sampled_from(("ann", "bob")), st.sampled_from(ev.AGENT_STATES)),
    min_size=1,
    max_size=12,
)


def expected(
    drawn: list[tuple[int, str, str]], begin: int, schedules: dict[str, tuple[Opening, ...]], zone: ZoneInfo
) -> Counter[tuple[int, str]]:
    """Return what each agent adhered in each interval: look at every minute between two states."""
    found: Counter[tuple[int, str]] = Counter()
    for agent, shifts in schedules.items():
        # Of one instant the later named is the later, as events' ids are.
        life = sorted((minute, number, state) for number, (minute, who, state) in enumerate(drawn) if who == agent)
        for (minute, _, state), (following, _, _) in pairwise(life):
            for at in range(begin + minute * TICK_MS, begin + following * TICK_MS, TICK_MS):
                local = datetime.fromtimestamp(at // 1_000, zone)
                clock = local.hour * 60 + local.minute
                scheduled = any(
                    shift.weekday == local.weekday() and shift.opens <= clock < shift.closes for shift in shifts
                )
                if state in AT_WORK and scheduled:
                    found[at // INTERVAL_MS, agent] += TICK_MS
    return found


@settings(max_examples=60, deadline=None)
@given(drawn=spells, ann=weeks, bob=weeks, night=st.booleans(), seed=st.integers(0, 2**32))
def test_adherence_is_the_scheduled_time_at_work_in_any_order(
    drawn: list[tuple[int, str, str]], ann: tuple[Opening, ...], bob: tuple[Opening, ...], *, night: bool, seed: int
) -> None:
    rng, begin = random.Random(seed), NIGHT if night else BEGIN
    schedules = {"ann": ann, "bob": bob}
    policies = Policies(timezone="Europe/Berlin", schedules=schedules)
    arrivals = []
    for number, (minute, agent, state) in enumerate(drawn):
        at = begin + minute * TICK_MS
        event = ev.AgentState(
            id=f"e{number:02}",
            time=ev.EPOCH,
            agent_id=agent,
            state=state,  # type: ignore[arg-type] # one of those
        )
        arrives = at + rng.choice([0, rng.randrange(SETTLING_MS)])
        arrivals += [(arrives, at, event), (arrives + rng.randrange(2 * SETTLING_MS), at, event)]
    kept = Kept()
    partition = AgentPartition(policies, LIMITS)
    for _, at, event in sorted(arrivals, key=lambda each: each[0]):
        try:
            partition.count(event, at, at)
        except ev.EventError as error:
            if error.reason != "settled":
                raise
        if rng.random() < 0.3:
            kept.commit(partition.take())
            if rng.random() < 0.5:
                partition = AgentPartition(policies, LIMITS, watermark=kept.watermark, packed=kept.open)
    kept.commit(partition.take())
    credited = Counter(
        {
            (number, place[0]): row[Measure.ADHERED_MS]
            for number, places in kept.aside.items()
            for place, row in places.items()
            if place[1] == "@agent" and row
        }
    )
    assert credited == expected(drawn, begin, schedules, ZoneInfo("Europe/Berlin"))
