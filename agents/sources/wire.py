"""The simulator's events as they go on the wire."""

from datetime import UTC, datetime
from typing import Any, Final

from agents.sources.floor import Agent, Contact, Line

Event = dict[str, Any]
SOURCE: Final = "simulator"


class Writer:
    """Writes events to ``out`` as ``(milliseconds since 1970, event)``, each with an id of its own.

    ``run`` is part of every id, so that two runs never share one.
    """

    def __init__(self, run: str) -> None:
        self.out: list[tuple[int, Event]] = []
        self._run = run
        self._count = 0
        self._second = -1
        self._prefix = ""

    def contact_id(self, number: int) -> str:
        """Return the id of the run's contact of this number."""
        return f"{self._run}-c{number}"

    def contact(self, now: float, kind: str, contact: Contact, **more: str) -> None:
        """Write an event of a contact; ``more`` adds fields or overrides the queue and the agent."""
        event = self._event(now, kind)
        event["contact_id"] = contact.id
        event["channel"] = contact.channel
        event["customer_id"] = contact.customer_id
        if contact.visit:
            event["queue"] = contact.line.name
        if contact.agent is not None:
            event["agent_id"] = contact.agent.id
        if more:
            event |= more

    def agent(self, now: float, agent: Agent, state: str) -> None:
        """Write that an agent is in a state now."""
        event = self._event(now, "agent.state")
        event["agent_id"] = agent.id
        event["state"] = state
        event["queues"] = agent.team.spec.queues

    def survey(self, now: float, contact: Contact, line: Line, agent: Agent, score: int) -> None:
        """Write how satisfied the customer was, on a scale of 1 to 5."""
        event = self._event(now, "survey.csat")
        event |= {"contact_id": contact.id, "customer_id": contact.customer_id, "score": score, "scale": 5}
        event |= {"queue": line.name, "agent_id": agent.id}

    def _event(self, now: float, kind: str) -> Event:
        moment = int(now)
        second, rest = divmod(moment, 1_000)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        self._count += 1
        event: Event = {
            "id": f"{self._run}-{self._count}",
            "type": kind,
            "time": f"{self._prefix}.{rest:03d}Z",
            "source": SOURCE,
        }
        self.out.append((moment, event))
        return event
