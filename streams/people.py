"""The agents of one partition: what state each is in, how long states last, and whether as scheduled.

As with contacts, what is known of an agent is the set of its events, and what is counted is a pure function
of that set: in the order of their times, each event ends the state before it and begins its own. Events
older than the settling time are forgotten but for the last of them, which still holds.

A state counts at the place ("", state) once, at (queue, state) for each queue the agent serves, and aside at
(agent, "@state") for the agent alone. A state of work that is over adheres to the agent's schedule for as long as
both last: that is credited aside at (agent, "@agent"), to each interval its part.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

import msgspec

from streams.events import AgentState, EventError
from streams.measures import Measure, Row, add
from streams.partition import Limits, Partition
from streams.policy import Policies
from streams.schedules import scheduled_ms, shifts
from streams.windows import INTERVAL_MS, interval

#: time, event id, state, queues; as tuples they sort in the order of time
Spell = tuple[int, str, str, tuple[str, ...]]

#: Who is in one of these does what the schedule asks for.
WORKING: Final = frozenset({"available", "offered", "on_contact", "wrap_up"})

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Spell]).decode


def moves(spells: Iterable[Spell]) -> Counter[tuple[int, int, str, str]]:
    """Return what the states of one agent add up to: (time, +1 entered or -1 left, queue, state) -> how often."""
    found: Counter[tuple[int, int, str, str]] = Counter()
    before: Spell | None = None
    for spell in sorted(spells):
        if before is not None:
            found.update((spell[0], -1, queue, before[2]) for queue in ("", *before[3]))
        found.update((spell[0], 1, queue, spell[2]) for queue in ("", *spell[3]))
        before = spell
    return found


def worked(spells: Iterable[Spell]) -> Counter[tuple[int, int]]:
    """Return the stretches (from, to) of the states of work that are over."""
    ordered = sorted(spells)
    return Counter((spell[0], following[0]) for spell, following in pairwise(ordered) if spell[2] in WORKING)


def adhered_ms(policies: Policies, agent: str, state: str, since: int, until: int) -> int:
    """Return for how long a state that lasts, or lasted, from ``since`` to ``until`` was as scheduled, in ms."""
    return scheduled_ms(policies, agent, since, until) if state in WORKING else 0


class AgentPartition(Partition):
    """Counts the agents of one partition."""

    def __init__(
        self,
        policies: Policies,
        limits: Limits,
        *,
        watermark: int | None = None,
        packed: Mapping[str, bytes] | None = None,
    ) -> None:
        """Start from what was committed: the watermark and the agents known."""
        super().__init__(limits, watermark)
        self.policies = policies
        self.agents: dict[str, list[Spell]] = {name: _decode(data) for name, data in (packed or {}).items()}

    def _count(self, event: AgentState, at: int) -> None:
        name = event.agent_id
        spells = self.agents.get(name)
        if spells is None:
            self._refuse_if_over(name, at)
            spells = []
        elif self._forgotten(spells, at, event.id):
            raise EventError("settled", "a later state of the agent was settled before")
        queues = tuple(sorted(set(event.queues or self.policies.skills.get(name, ()))))
        spell = (at, event.id, event.state, queues)
        if any(known[1] == event.id for known in spells):
            return
        self._note(name, spells, [*spells, spell])
        if name in self.policies.schedules:
            self._credit(name, spells, [*spells, spell])
        self._keep(name, sorted([*spells, spell]))

    def _forgotten(self, spells: list[Spell], at: int, event_id: str) -> bool:
        over = self.watermark is not None and at < self.watermark - self.limits.settling_ms
        return over and (at, event_id) < spells[0][:2]

    def _note(self, name: str, before: list[Spell], after: list[Spell]) -> None:
        """Note when states were entered and left."""
        change = moves(after)
        change.subtract(moves(before))
        for (at, direction, queue, state), times in change.items():
            if times:
                measure = Measure.STATE_ENTERED if direction > 0 else Measure.STATE_EXITED
                row: Row = {measure: times, Measure.MOMENTS_MS: -direction * times * at}
                add(self._row(at, (queue, state)), row)
                if not queue:
                    add(self._row_aside(at, (name, f"@{state}")), row)

    def _credit(self, name: str, before: list[Spell], after: list[Spell]) -> None:
        """Credit what was worked as scheduled to the intervals that it lies in."""
        change = worked(after)
        change.subtract(worked(before))
        credits_: Counter[int] = Counter()
        for (start, end), times in change.items():
            for since, until in shifts(self.policies, name, start, end) if times else ():
                for number in range(interval(since), interval(until - 1) + 1):
                    begins = number * INTERVAL_MS
                    credits_[number] += times * (min(until, begins + INTERVAL_MS) - max(since, begins))
        for number, amount in credits_.items():
            if amount:
                add(self._row_aside(number * INTERVAL_MS, (name, "@agent")), {Measure.ADHERED_MS: amount})

    def _keep(self, name: str, spells: list[Spell]) -> None:
        """Remember what is still open to change: the last settled state and all after it."""
        horizon = (self.watermark if self.watermark is not None else spells[-1][0]) - self.limits.settling_ms
        settled = sum(spell[0] < horizon for spell in spells)
        self.agents[name] = spells[max(0, settled - 1) :]
        at, _, state, queues = spells[-1]
        self._change.open[name] = _encode(self.agents[name])
        self._change.now[name] = (state, at, queues)
