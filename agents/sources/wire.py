"""The simulator's events as they go on the wire."""

from datetime import UTC, datetime
from typing import Any, Final

from agents.sources.floor import Agent, Contact

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

    def contact(self, now: float, kind: str, contact: Contact, **more: object) -> None:
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

    def rating(self, now: float, kind: str, score: int, scale: int, **about: str) -> None:
        """Write a score, the highest one possible, and what it is about."""
        event = self._event(now, kind)
        event |= {"score": score, "scale": scale, **about}

    def customer(self, now: float, kind: str, customer_id: str, amount: float | None = None) -> None:
        """Write an event of a customer, with the amount that was paid if there is one."""
        event = self._event(now, kind)
        event["customer_id"] = customer_id
        if amount is not None:
            event["amount"] = amount

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
