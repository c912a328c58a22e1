"""What follows a talk: the matter is settled or comes back, somebody orders, somebody is asked how it was.

Each follows with the probability that the queue's ``After`` gives it, and is counted in ``happened`` when it does:
the truth against which figures can be held. Nothing is planned for later than the simulation's end.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from random import Random
from typing import Any, Final

from agents.sources.callcenter import CallCenter, RatingKind, Team
from agents.sources.floor import Agent, Contact, Line
from agents.sources.wire import Writer

#: The lowest and the highest score of each survey.
SCALES: Final[dict[RatingKind, tuple[int, int]]] = {
    "survey.csat": (1, 5),
    "survey.ces": (1, 7),
    "survey.nps": (0, 10),
    "survey.esat": (1, 5),
}
SURVEY_AFTER_S: Final = 120.0
REVIEW_AFTER_S: Final = 900.0
CUSTOMERS: Final = 100_000

Plan = Callable[[float, Callable[[float, Any, Any], None], object, object], None]
Arrive = Callable[[float, Line, str, str], None]
Again = Callable[[float, Contact, Line], None]


class Afterwards:
    """What follows talks, and customers who come and go by themselves.

    ``plan`` takes a moment (ms since 1970), a handler and its two arguments; ``arrive`` begins another contact of a
    customer about a subject; ``again`` has the customer of a ticket write once more.
    """

    def __init__(self, random: Random, write: Writer, plan: Plan, arrive: Arrive, again: Again, until: float) -> None:
        #: queue -> what happened -> how often; under "" what belongs to none.
        self.happened: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._random = random
        self._write = write
        self._plan = plan
        self._arrive = arrive
        self._again = again
        self._until = until
        self._joined = 0

    def begin(self, now: float, center: CallCenter) -> None:
        """Let customers come and go, at the rates of the call center."""
        for rate, handle in ((center.joins_per_hour, self._join), (center.leaves_per_hour, self._leave)):
            if rate:
                self._later(now, 3_600 / rate, handle, 3_600 / rate)

    def talk_ended(self, now: float, contact: Contact, line: Line, agent: Agent) -> bool:
        """Draw what follows a talk that was the last of its contact; tell whether it settled the matter."""
        spec, draw = line.spec, self._random.random
        work = (line, agent)
        if spec.survey and draw() < spec.survey:
            self._later(now, SURVEY_AFTER_S, self._survey, contact, work)
        after = spec.after
        if after is None:
            return False
        settled = draw() < after.resolved
        if settled:
            self.resolve(now, contact, line, agent_id=agent.id)
        if draw() < after.returns:
            self._later(now, after.returns_after_s, self._return, contact, line)
        if draw() < after.orders:
            self._later(now, after.orders_after_s, self._order, contact, (line, after.order_amount))
        if draw() < after.reviewed:
            self._later(now, REVIEW_AFTER_S, self._review, contact, work)
        return settled

    def unsettled(self, now: float, contact: Contact, line: Line) -> None:
        """Have the customer of a ticket write again."""
        self._later(now, line.spec.again_after_s, self._again, contact, line)

    def resolve(self, now: float, contact: Contact, line: Line, *, automated: bool = False, **who: object) -> None:
        """Settle the matter, and draw whether it stays so."""
        if line.spec.after is not None and line.spec.after.cost:
            who["cost"] = round(self._random.expovariate(1 / line.spec.after.cost), 2)
        self._write.contact(now, "contact.resolved", contact, automated=automated, queue=line.name, **who)
        self._count(line, "resolved")
        if automated:
            self._count(line, "automated")
        after = line.spec.after
        if after is not None and self._random.random() < after.reopened:
            self._later(now, after.reopened_after_s, self._reopen, contact, line)

    def asked(self, now: float, agent: Agent, team: Team) -> None:
        """Ask an agent who comes back from a break how content they are."""
        if team.esat and self._random.random() < team.esat:
            self._rate(now, "survey.esat", 0.7, agent_id=agent.id)

    def _later(
        self, now: float, mean_s: float, handle: Callable[..., None], subject: object, detail: object = None
    ) -> None:
        when = now + max(1.0, self._random.expovariate(0.001 / mean_s))
        if when < self._until:
            self._plan(when, handle, subject, detail)

    def _count(self, line: Line, what: str) -> None:
        self.happened[line.name][what] += 1

    def _reopen(self, now: float, contact: Contact, line: Line) -> None:
        self._write.contact(now, "contact.reopened", contact, queue=line.name)
        self._count(line, "reopened")
        if line.spec.is_ticket:
            self._again(now, contact, line)

    def _return(self, now: float, contact: Contact, line: Line) -> None:
        self._count(line, "returned")
        self._arrive(now, line, contact.customer_id, contact.subject)

    def _order(self, now: float, contact: Contact, purchase: tuple[Line, float]) -> None:
        line, mean = purchase
        amount = round(self._random.expovariate(1 / mean), 2)
        self._write.customer(now, "order.placed", contact.customer_id, amount)
        self._count(line, "ordered")

    def _review(self, now: float, contact: Contact, work: tuple[Line, Agent]) -> None:
        line, agent = work
        score = min(100, max(0, round(self._random.gauss(85, 8))))
        self._write.rating(now, "quality.reviewed", score, 100, **_about(contact, line, agent))
        self._count(line, "reviewed")

    def _survey(self, now: float, contact: Contact, work: tuple[Line, Agent]) -> None:
        """Ask how it was: whoever waited a minute is on average an eighth of the scale less content."""
        line, agent = work
        kinds = line.spec.surveys
        kind = kinds[int(self._random.random() * len(kinds))]
        about = {**_about(contact, line, agent), "customer_id": contact.customer_id}
        self._rate(now, kind, 0.875 - contact.wait_ms / 480_000, **about)
        self._count(line, kind)

    def _rate(self, now: float, kind: RatingKind, content: float, **about: str) -> None:
        """Write the score of somebody who is ``content`` (0 to 1), give or take."""
        lowest, highest = SCALES[kind]
        score = lowest + self._random.gauss(content, 0.2) * (highest - lowest)
        self._write.rating(now, kind, min(highest, max(lowest, round(score))), highest, **about)

    def _join(self, now: float, mean_s: float, _: None) -> None:
        self._joined += 1
        self._write.customer(now, "customer.joined", f"customer-n{self._joined:05d}")
        self.happened[""]["joined"] += 1
        self._later(now, mean_s, self._join, mean_s)

    def _leave(self, now: float, mean_s: float, _: None) -> None:
        self._write.customer(now, "customer.left", f"customer-{int(self._random.random() * CUSTOMERS):05d}")
        self.happened[""]["left"] += 1
        self._later(now, mean_s, self._leave, mean_s)


def _about(contact: Contact, line: Line, agent: Agent) -> dict[str, str]:
    return {"contact_id": contact.id, "queue": line.name, "agent_id": agent.id}
