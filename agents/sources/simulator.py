"""A call center simulated event by event, after its description in ``callcenter``. No I/O, no clock.

A heap holds what is going to happen; each handler takes its moment (milliseconds since 1970, with
fractions, so that rounding does not bend the theory) and the contact or agent it is about. Waiting contacts
are served first come, first served; of the idle agents the least busy and longest idle is asked first.
"""

import math
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import Any, Final

from agents.sources.afterwards import CUSTOMERS, Afterwards
from agents.sources.arrivals import arrivals_of, sampler
from agents.sources.callcenter import CallCenter
from agents.sources.floor import Agent, Contact, Floor, Line
from agents.sources.truth import Truth
from agents.sources.wire import Event, Writer
from streams.told import TICKETS

#: The time a switch takes to move a contact on, so that leaving a queue never ties with entering the next.
SWITCH_MS: Final = 200.0
#: How long an agent who declined stays away, on average.
DECLINE_PAUSE_S: Final = 30.0

Handler = Callable[[float, Any, Any], None]


def simulate(center: CallCenter, seed: int, start_ms: int, until_ms: int | None = None) -> Iterator[tuple[int, Event]]:
    """Yield ``(milliseconds since 1970, event)`` in time order, for ever or until the last contact is over.

    Nobody arrives at or after ``until_ms``; who came before is served to the end. The same arguments yield the
    same events.
    """
    return Simulation(center, seed, start_ms, until_ms).events()


class Simulation:
    """One run of a call center; ``events`` runs it, ``close`` ends it early, ``truth`` tells what happened in it."""

    def __init__(self, center: CallCenter, seed: int, start_ms: int, until_ms: int | None = None) -> None:
        self._random = Random(seed)  # noqa: S311 - a simulation wants to be repeated, not to be secret
        self._write = Writer(f"{start_ms:x}-{seed:x}")
        self._center = center
        self._floor = Floor(center)
        self._until = math.inf if until_ms is None else float(until_ms)
        self._now = float(start_ms)
        self._heap: list[tuple[float, int, Handler, Any, Any]] = []
        self._scheduled = 0
        self._arrived = 0
        #: Contacts whose story is not over, in the order in which they came.
        self._open: dict[str, Contact] = {}
        self._later = Afterwards(self._random, self._write, self._at, self._begin, self._again, self._until)
        self._truth = Truth(self._later.happened)
        self._sample = {name: sampler(line.spec.service, self._random) for name, line in self._floor.lines.items()}
        self._arrivals = {
            name: arrivals_of(line.spec, self._random, float(start_ms)) for name, line in self._floor.lines.items()
        }

    def events(self) -> Iterator[tuple[int, Event]]:
        """Yield ``(milliseconds since 1970, event)`` in time order."""
        out, heap = self._write.out, self._heap
        for agent in self._floor.agents:
            self._floor.place(agent)
            self._show(self._now, agent)
        for line in self._floor.lines.values():
            self._next_arrival(self._now, line)
        self._later.begin(self._now, self._center)
        while True:
            yield from out
            out.clear()
            if not heap:
                break
            self._now, _, handle, subject, detail = heappop(heap)
            handle(self._now, subject, detail)
        self._send_home(self._now)
        yield from out

    def close(self) -> list[tuple[int, Event]]:
        """Return the events that end everything under way, at the time of the latest event yielded.

        Those of that moment come once more, since the caller may not have taken them all.
        """
        now, write = self._now, self._write
        for contact in self._open.values():
            if contact.channel in TICKETS:
                continue  # nobody hangs up on a letter
            if contact.waiting:
                write.contact(now, "contact.left_queue", contact, reason="empty")
            write.contact(now, "contact.ended", contact, ended_by="system")
        self._send_home(now)
        return write.out

    def truth(self) -> dict[str, Any]:
        """Return the call center with all its probabilities, and how often what they rule happened, by queue."""
        return {"call_center": self._center, "happened": self._truth.happened, "subjects": self._truth.subjects}

    def _send_home(self, now: float) -> None:
        for agent in self._floor.agents:
            self._write.agent(now, agent, "offline")

    def _at(self, when: float, handle: Handler, subject: object, detail: object = None) -> None:
        # The number keeps things of one moment in the order in which they were planned.
        self._scheduled += 1
        heappush(self._heap, (when, self._scheduled, handle, subject, detail))

    def _after(self, mean_s: float) -> float:
        """Draw an exponential time in milliseconds, at least 1 so that what follows is later on the wire too."""
        return max(1.0, self._random.expovariate(0.001 / mean_s))

    def _show(self, now: float, agent: Agent) -> None:
        """Tell the state that an agent is in, if it is a new one."""
        state = agent.state_now()
        if state != agent.state:
            agent.state = state
            self._write.agent(now, agent, state)

    # How a contact comes

    def _next_arrival(self, now: float, line: Line) -> None:
        when = self._arrivals[line.name](now)
        if when < self._until:
            self._at(when, self._arrive, line)

    def _arrive(self, now: float, line: Line, _: None) -> None:
        self._next_arrival(now, line)
        draw, subjects = self._random.random, line.spec.subjects
        customer = f"customer-{int(draw() * CUSTOMERS):05d}"
        self._begin(now, line, customer, subjects[int(draw() * len(subjects))] if subjects else "")

    def _begin(self, now: float, line: Line, customer: str, subject: str) -> None:
        """Begin a contact: at the IVR or the bot where the queue has one, else in the queue."""
        spec = line.spec
        self._arrived += 1
        contact = Contact(self._write.contact_id(self._arrived), spec.channel, customer, subject)
        self._open[contact.id] = contact
        if not spec.ivr_s:
            self._enqueue(now, contact, line)
            return
        self._write.contact(now, "contact.started", contact)
        fate, over = self._random.random(), now + self._after(spec.ivr_s)
        if spec.bot:
            self._write.contact(now, "message.received", contact)
            self._truth.asked(now, contact)
            self._at((now + over) / 2, self._bot_answers, contact, line)
        if fate < spec.ivr_hangup:
            self._at(over, self._hang_up, contact, line)
        elif fate < spec.ivr_hangup + spec.bot_resolves:
            self._at(over, self._bot_settles, contact, line)
        else:
            self._at(over, self._enqueue, contact, line)

    def _bot_answers(self, now: float, contact: Contact, line: Line) -> None:
        self._write.contact(now, "message.sent", contact, sender="bot")
        self._truth.bot_wrote(contact, line)

    def _hang_up(self, now: float, contact: Contact, line: Line) -> None:
        self._truth.ended(contact, line)
        self._end(now, contact, "customer")

    def _bot_settles(self, now: float, contact: Contact, line: Line) -> None:
        self._later.resolve(now, contact, line, automated=True)
        self._truth.ended(contact, line)
        self._end(now, contact, "system")

    # Waiting

    def _enqueue(self, now: float, contact: Contact, line: Line) -> None:
        contact.enter(now, line)
        self._truth.entered(now, contact)
        if line.spec.is_ticket:
            self._write.contact(now, "message.received", contact)
            self._truth.asked(now, contact)
        if contact.subject:
            self._write.contact(now, "contact.queued", contact, subject=contact.subject)
        else:
            self._write.contact(now, "contact.queued", contact)
        agent = self._floor.idle_agent(line)
        if agent is None:
            line.waiting.append((contact, contact.visit))
        else:
            self._offer(now, contact, agent)
            self._floor.place(agent)
            self._show(now, agent)
        if contact.waiting:
            self._watch(now, contact, line)

    def _watch(self, now: float, contact: Contact, line: Line) -> None:
        """Plan what may end the wait before an agent does; a contact that was called back just waits."""
        if contact.called_back:
            return
        spec, visit = line.spec, contact.visit
        if spec.patience_s is not None:
            self._at(now + self._random.expovariate(0.001 / spec.patience_s), self._abandon, contact, visit)
        if spec.overflow_after_s is not None:
            self._at(now + spec.overflow_after_s * 1_000, self._overflow, contact, visit)
        if spec.callback and self._random.random() < spec.callback:
            self._at(now + spec.callback_after_s * 1_000, self._call_back, contact, visit)
        for way in spec.leavings:
            if self._random.random() < way.share:
                self._at(now + way.after_s * 1_000, self._give_in, contact, (visit, way.reason))

    def _abandon(self, now: float, contact: Contact, visit: int) -> None:
        if contact.waiting and contact.visit == visit:
            self._write.contact(now, "contact.abandoned", contact)
            self._leave(now, contact)
            self._end(now, contact, "customer")

    def _overflow(self, now: float, contact: Contact, visit: int) -> None:
        if contact.visit == visit and contact.in_line:
            target = self._floor.lines[contact.line.spec.overflow_to]
            self._write.contact(now, "contact.left_queue", contact, reason="overflow")
            self._leave(now, contact)
            self._at(now + SWITCH_MS, self._enqueue, contact, target)

    def _call_back(self, now: float, contact: Contact, visit: int) -> None:
        if contact.visit == visit and contact.in_line:
            self._write.contact(now, "contact.left_queue", contact, reason="callback")
            self._leave(now, contact)
            contact.called_back = True
            delay = SWITCH_MS + self._after(contact.line.spec.callback_in_s)
            self._at(now + delay, self._enqueue, contact, contact.line)

    def _give_in(self, now: float, contact: Contact, way: tuple[int, str]) -> None:
        """Leave the queue for good without giving up."""
        visit, reason = way
        if contact.visit == visit and contact.in_line:
            self._write.contact(now, "contact.left_queue", contact, reason=reason)
            self._leave(now, contact)
            self._end(now, contact, "customer" if reason == "exit_key" else "system")

    def _leave(self, now: float, contact: Contact) -> None:
        """End the wait; an agent whose phone was ringing for it is free again."""
        contact.waiting = False
        agent = contact.agent
        if agent is not None:
            contact.agent = None
            agent.ringing -= 1
            self._free(now, agent)

    # An agent and a contact

    def _free(self, now: float, agent: Agent) -> None:
        """Give an agent whose load has dropped the next contacts in line, as many as there is room for."""
        while agent.has_room:
            contact = self._floor.longest_waiting(agent.team)
            if contact is None:
                break
            self._offer(now, contact, agent)
        self._floor.place(agent)
        self._show(now, agent)

    def _offer(self, now: float, contact: Contact, agent: Agent) -> None:
        contact.agent = agent
        agent.ringing += 1
        self._write.contact(now, "contact.offered", contact)
        ring_s = contact.line.spec.ring_s
        if ring_s:
            self._at(now + self._after(ring_s), self._ring_ends, contact, (agent, contact.visit))
        else:
            self._answer(now, contact, agent)

    def _ring_ends(self, now: float, contact: Contact, ringing: tuple[Agent, int]) -> None:
        agent, visit = ringing
        if contact.agent is not agent or contact.visit != visit or not contact.waiting:
            return
        if self._random.random() < contact.line.spec.decline:
            self._decline(now, contact, agent)
        else:
            self._answer(now, contact, agent)
            self._show(now, agent)

    def _decline(self, now: float, contact: Contact, agent: Agent) -> None:
        self._write.contact(now, "contact.declined", contact, reason="no answer")
        contact.agent = None
        agent.ringing -= 1
        if not agent.load:
            self._pause(now, agent, DECLINE_PAUSE_S)
        self._floor.place(agent)
        line = contact.line
        other = self._floor.idle_agent(line)
        if other is None:
            line.waiting.appendleft((contact, contact.visit))
        else:
            self._offer(now, contact, other)
            self._floor.place(other)
            self._show(now, other)
        self._free(now, agent)

    def _answer(self, now: float, contact: Contact, agent: Agent) -> None:
        contact.waiting = False
        contact.wait_ms = now - contact.since
        agent.ringing -= 1
        agent.talking += 1
        self._write.contact(now, "contact.answered", contact)
        spec, draw = contact.line.spec, self._random.random
        talk = self._sample[spec.name]()
        if spec.hold and draw() < spec.hold:
            begins, ends = sorted((draw() * talk, draw() * talk))
            self._at(now + begins, self._tell, contact, "contact.held")
            self._at(now + ends, self._tell, contact, "contact.resumed")
        if spec.message_gap_s:
            self._at(now + self._after(spec.message_gap_s), self._message, contact, contact.visit)
        self._at(now + talk, self._done, contact, agent)

    def _tell(self, now: float, contact: Contact, kind: str) -> None:
        self._write.contact(now, kind, contact)

    def _message(self, now: float, contact: Contact, visit: int) -> None:
        """Let customer and agent write by turns as long as they talk."""
        if contact.agent is None or contact.visit != visit:
            return
        contact.messages += 1
        if contact.messages % 2:
            self._write.contact(now, "message.received", contact)
            self._truth.asked(now, contact)
        else:
            self._write.contact(now, "message.sent", contact, sender="agent")
            self._truth.replied(now, contact)
        self._at(now + self._after(contact.line.spec.message_gap_s), self._message, contact, visit)

    def _done(self, now: float, contact: Contact, agent: Agent) -> None:
        """End the talk: the contact goes on to another queue or is over, the agent wraps up."""
        line = contact.line
        spec, draw = line.spec, self._random.random
        agent.talking -= 1
        if spec.transfer and not contact.transferred and draw() < spec.transfer:
            self._write.contact(now, "contact.transferred", contact, queue=spec.transfer_to)
            contact.transferred = True
            self._at(now + SWITCH_MS, self._enqueue, contact, self._floor.lines[spec.transfer_to])
        elif spec.is_ticket:
            self._answer_letter(now, contact, agent)
        else:
            self._later.talk_ended(now, contact, line, agent)
            self._end(now, contact, "customer" if draw() < 0.6 else "agent")  # noqa: PLR2004
        contact.agent = None
        if spec.wrap_up_s:
            agent.wrapping += 1
            self._at(now + self._after(spec.wrap_up_s), self._wrapped, contact, (line, agent))
            self._show(now, agent)
        else:
            self._rest(now, agent)

    def _answer_letter(self, now: float, contact: Contact, agent: Agent) -> None:
        """Send the agent's answer: it settles the matter, or the customer writes again."""
        self._write.contact(now, "message.sent", contact, sender="agent")
        self._truth.replied(now, contact)
        if self._later.talk_ended(now, contact, contact.line, agent):
            self._end(now, contact, "agent")
        else:
            self._write.contact(now, "contact.transferred", contact)
            self._later.unsettled(now, contact, contact.line)

    def _again(self, now: float, contact: Contact, line: Line) -> None:
        """Have a customer write again about a ticket, settled or not."""
        self._open[contact.id] = contact
        self._enqueue(now, contact, line)

    def _end(self, now: float, contact: Contact, ended_by: str) -> None:
        self._write.contact(now, "contact.ended", contact, ended_by=ended_by)
        del self._open[contact.id]

    # After the talk

    def _wrapped(self, now: float, contact: Contact, work: tuple[Line, Agent]) -> None:
        line, agent = work
        agent.wrapping -= 1
        self._write.contact(now, "contact.wrapped", contact, queue=line.name, agent_id=agent.id)
        self._rest(now, agent)

    def _rest(self, now: float, agent: Agent) -> None:
        team = agent.team.spec
        if team.break_probability and not agent.load and self._random.random() < team.break_probability:
            self._pause(now, agent, team.break_s)
        self._free(now, agent)

    def _pause(self, now: float, agent: Agent, mean_s: float) -> None:
        agent.paused = True
        self._at(now + self._after(mean_s), self._return, agent)

    def _return(self, now: float, agent: Agent, _: None) -> None:
        agent.paused = False
        self._later.asked(now, agent, agent.team.spec)
        self._free(now, agent)
