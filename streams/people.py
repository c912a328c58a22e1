"""The agents of one partition: what state each is in, and how long states last.

As with contacts, what is known of an agent is the set of its events, and what is counted is a pure function
of that set: in the order of their times, each event ends the state before it and begins its own. Events
older than the settling time are forgotten but for the last of them, which still holds.

A state counts at the place ("", state) once, and at (queue, state) for each queue the agent serves.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from streams.events import AgentState, EventError
from streams.measures import Measure, add
from streams.partition import Limits, Partition
from streams.policy import Policies

#: time, event id, state, queues; as tuples they sort in the order of time
Spell = tuple[int, str, str, tuple[str, ...]]

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
        self._note(spells, [*spells, spell])
        self._keep(name, sorted([*spells, spell]))

    def _forgotten(self, spells: list[Spell], at: int, event_id: str) -> bool:
        over = self.watermark is not None and at < self.watermark - self.limits.settling_ms
        return over and (at, event_id) < spells[0][:2]

    def _note(self, before: list[Spell], after: list[Spell]) -> None:
        change = moves(after)
        change.subtract(moves(before))
        for (at, direction, queue, state), times in change.items():
            if times:
                measure = Measure.STATE_ENTERED if direction > 0 else Measure.STATE_EXITED
                add(self._row(at, (queue, state)), {measure: times, Measure.MOMENTS_MS: -direction * times * at})

    def _keep(self, name: str, spells: list[Spell]) -> None:
        """Remember what is still open to change: the last settled state and all after it."""
        horizon = (self.watermark if self.watermark is not None else spells[-1][0]) - self.limits.settling_ms
        settled = sum(spell[0] < horizon for spell in spells)
        self.agents[name] = spells[max(0, settled - 1) :]
        at, _, state, queues = spells[-1]
        self._change.open[name] = _encode(self.agents[name])
        self._change.now[name] = (state, at, queues)
