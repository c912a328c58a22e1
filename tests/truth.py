"""What the simulator's events obviously add up to: the figures of customer service, by school methods.

Nothing here knows how figures are computed: every contact is looked at beside every other of its customer. Ratios are
rounded as the API does, times are seconds.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, stdev
from typing import Any, Final

import msgspec

from tests.site import Event, milliseconds

DAY: Final = 86_400_000
#: How long a customer may take to come back, and to order.
RETURN: Final = 7 * DAY
ORDER: Final = 5 * DAY


class Story(msgspec.Struct):
    """One contact, as it was told."""

    id: str
    customer: str
    channel: str
    opened: int
    queue: str = ""
    subject: str = ""
    agents: list[str] = []
    lines: int = 0
    #: (when, whether it was resolved or reopened, whether with no person)
    said: list[tuple[int, bool, bool]] = []
    ended: int | None = None

    @property
    def is_ticket(self) -> bool:
        """Tell whether it is open until somebody settles it."""
        return self.channel == "email"

    @property
    def resolved(self) -> tuple[int, bool] | None:
        """Return when it was resolved and whether automatically, None if it is not."""
        last = self.said[-1] if self.said else None
        return (last[0], last[2]) if last is not None and last[1] else None

    @property
    def reopened(self) -> int:
        """Return how often it was reopened."""
        return sum(not resolved for _, resolved, _ in self.said)

    @property
    def unsettled_ms(self) -> int:
        """Return how long it was open before the resolution that holds, less the time it was resolved before."""
        spent, since = 0, self.opened
        for at, resolved, _ in self.said:
            spent, since = (spent + at - since, at) if resolved else (spent, at)
        return spent

    @property
    def closed(self) -> int | None:
        """Return when it was closed, None if it is open: resolved, or ended where nobody reopened it."""
        return self.said[-1][0] if self.resolved else None if self.said else self.ended

    @property
    def replies(self) -> int:
        """Return how often a person replied: lines, or talks where nothing was written."""
        return self.lines or len(self.agents)


def stories_of(events: Iterable[Event]) -> list[Story]:
    """Return the contacts of a simulation, in the order in which they were opened; ``events`` are in order."""
    told: dict[str, Story] = {}
    for event in events:
        kind = event["type"]
        if not kind.startswith(("contact.", "message.")):
            continue
        at, name = milliseconds(event), event["contact_id"]
        story = told.setdefault(name, Story(name, event["customer_id"], event["channel"], at, agents=[], said=[]))
        if kind == "contact.queued":
            story.queue = event["queue"]
            story.subject = event.get("subject", "") or story.subject
        elif kind == "contact.answered":
            story.agents.append(event["agent_id"])
        elif kind == "message.sent" and event.get("sender") != "bot":
            story.lines += 1
        elif kind == "contact.ended":
            story.ended = at
        elif kind in ("contact.resolved", "contact.reopened"):
            story.said.append((at, kind == "contact.resolved", bool(event.get("automated"))))
    return list(told.values())


class Truth:
    """The figures of a simulation: of a queue and channel, of a channel, or of everything (None)."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.stories = stories_of(events)
        self._by_customer: defaultdict[str, list[Story]] = defaultdict(list)
        for story in self.stories:
            self._by_customer[story.customer].append(story)
        self._orders: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for event in events:
            if event["type"] == "order.placed":
                self._orders[event["customer_id"]].append((milliseconds(event), event["amount"]))

    def came_back(self, story: Story, within: int, until: int | None = None) -> bool:
        """Tell whether the customer came again within ``within`` of its opening."""
        others = [o.opened for o in self._by_customer[story.customer] if o.opened > story.opened]
        return any(opened - story.opened <= within for opened in others if until is None or opened <= until)

    def helped_at_first(self, story: Story) -> bool:
        """Tell whether a resolved contact was never reopened nor followed by one on its subject within the window."""
        if story.resolved is None or story.reopened:
            return False
        end = story.resolved[0] + RETURN
        return not any(
            story.opened < other.opened <= end
            and ("" in (other.subject, story.subject) or other.subject == story.subject)
            for other in self._by_customer[story.customer]
        )

    def row(self, queue: str | None, channel: str | None) -> dict[str, Any]:
        """Return what is expected of a row; fields that it does not hold are not held against."""
        own = [s for s in self.stories if queue in (None, s.queue) and channel in (None, s.channel)]
        return {
            "volume": {"offered": self._count("contact.queued", queue, channel)},
            "handling": self._handling(queue, channel) | self._tickets_closed(own),
            "missed": self._count("contact.abandoned", queue, channel)
            + self._count("contact.left_queue", queue, channel),
            "waits": self._waits(queue, channel),
            "backlog": self._backlog(own),
            "resolution": self._resolution(own),
            "repeat": {
                "day_ratio": share(own, lambda story: self.came_back(story, DAY)),
                "week_ratio": share(own, lambda story: self.came_back(story, 7 * DAY)),
                "several_agents_ratio": share(own, lambda story: len(set(story.agents)) > 1),
            },
            "value": self._value(own, everything=queue is None and channel is None),
        }

    def _count(self, kind: str, queue: str | None, channel: str | None) -> int:
        return sum(
            event["type"] == kind and queue in (None, event.get("queue")) and channel in (None, event["channel"])
            for event in self.events
            if "channel" in event
        )

    def _handling(self, queue: str | None, channel: str | None) -> dict[str, Any]:
        rang, declined = (self._count(f"contact.{kind}", queue, channel) for kind in ("offered", "declined"))
        return {
            "handled": self._count("contact.answered", queue, channel),
            "offered_to_agents": rang,
            "declined": declined,
            "decline_ratio": part(declined, rang),
        }

    def _waits(self, queue: str | None, channel: str | None) -> dict[str, Any]:
        """Return how those waited who were answered or gave up, by a target of 20 s for all."""
        waits: dict[str, list[int]] = {"contact.answered": [], "contact.abandoned": []}
        since: dict[str, int] = {}
        for event in self.events:
            if event["type"] == "contact.queued":
                since[event["contact_id"]] = milliseconds(event)
            elif event["type"] in waits and queue in (None, event["queue"]) and channel in (None, event["channel"]):
                waits[event["type"]].append(milliseconds(event) - since[event["contact_id"]])
        answered, gone = waits["contact.answered"], waits["contact.abandoned"]
        within = sum(wait <= 20_000 for wait in answered)
        return {
            "answered": len(answered),
            "abandoned": len(gone),
            "service_level": {
                "answered_of_offered": part(within, len(answered) + len(gone)),
                "answered_of_answered": part(within, len(answered)),
            },
            "abandonment_rate": part(len(gone), len(answered) + len(gone)),
            "average_speed_of_answer_seconds": round(fmean(answered) / 1000, 6) if answered else None,
        }

    def _tickets_closed(self, own: list[Story]) -> dict[str, Any]:
        took = [story.closed - story.opened for story in own if story.is_ticket and story.closed is not None]
        return {"ticket_handle_time_seconds": round(fmean(took) / 1000, 6) if took else None}

    def _backlog(self, own: list[Story]) -> dict[str, Any]:
        tickets = [story for story in own if story.is_ticket]
        return {"open": sum(story.closed is None for story in tickets) if tickets else None}

    def closed_by(self) -> Counter[str]:
        """Return how many contacts each agent closed: the last who took part."""
        return Counter(story.agents[-1] for story in self.stories if story.closed is not None and story.agents)

    def costs(self) -> float:
        """Return what resolutions were said to cost."""
        return sum(float(event.get("cost", 0)) for event in self.events)

    def time_in_state(self) -> dict[str, Counter[str]]:
        """Return how long each agent was in each state, in ms; all go home in the end."""
        spent: defaultdict[str, Counter[str]] = defaultdict(Counter)
        state: dict[str, tuple[str, int]] = {}
        for event in self.events:
            if event["type"] == "agent.state":
                agent, at = event["agent_id"], milliseconds(event)
                before, since = state.get(agent, (event["state"], at))
                spent[agent][before] += at - since
                state[agent] = (event["state"], at)
        assert {now for now, _ in state.values()} == {"offline"}
        return spent

    def staff(self) -> dict[str, Any]:
        """Return how busy all agents together were."""
        total = sum(self.time_in_state().values(), Counter[str]())
        busy, free = total["on_contact"] + total["wrap_up"], total["available"] + total["offered"]
        return {"occupancy": part(busy, busy + free), "utilisation": part(busy, total.total())}

    def _resolution(self, own: list[Story]) -> dict[str, Any]:
        settled = [(story, story.resolved) for story in own if story.resolved is not None]
        took = [story.unsettled_ms for story, _ in settled]
        return {
            "opened": len(own),
            "resolved": len(settled),
            "reopened": sum(story.reopened for story in own),
            "resolved_ratio": part(len(settled), len(own)),
            "automated": sum(automated for _, (_, automated) in settled),
            "automated_ratio": part(sum(automated for _, (_, automated) in settled), len(settled)),
            "single_reply_ratio": part(sum(story.replies == 1 for story, _ in settled), len(settled)),
            "first_contact_ratio": part(sum(self.helped_at_first(story) for story, _ in settled), len(settled)),
            "time_to_resolution_seconds": {"mean": round(fmean(took) / 1000, 6) if took else None},
        }

    def _value(self, own: list[Story], *, everything: bool) -> dict[str, Any]:
        """Return what came of contacts: an order counts where the customer's last contact before it was, or in all."""
        names, orders, cents = {story.id for story in own}, 0, 0
        for customer, placed in self._orders.items():
            for at, amount in placed:
                before = [s for s in self._by_customer[customer] if s.opened <= at <= s.opened + ORDER]
                if everything or (before and before[-1].id in names):
                    orders, cents = orders + 1, cents + round(amount * 100)
        followed = sum(
            any(story.opened <= at <= story.opened + ORDER for at, _ in self._orders[story.customer]) for story in own
        )
        return {"orders": orders, "revenue": cents / 100, "converted_ratio": part(followed, len(own))}

    def said(self, kind: str, queue: str | None = None) -> list[float]:
        """Return the scores of a survey."""
        return [e["score"] for e in self.events if e["type"] == kind and queue in (None, e.get("queue"))]

    def satisfaction(self, queue: str | None) -> dict[str, Any]:
        """Return what customers said of a queue, or of all."""
        csat, ces, nps = (self.said(f"survey.{kind}", queue) for kind in ("csat", "ces", "nps"))
        handled = self._count("contact.answered", queue, None)
        promoters, detractors = (sum(s >= 9 for s in nps), sum(s <= 6 for s in nps))
        return {
            "csat": {
                "answers": len(csat),
                "response_ratio": part(len(csat), handled),
                "top_ratio": part(sum(s >= 4 for s in csat), len(csat)),
                "mean": round(fmean(csat), 6),
            },
            "ces": {
                "answers": len(ces),
                "response_ratio": part(len(ces), handled),
                "top_ratio": part(sum(s >= 5 for s in ces), len(ces)),
                "mean": round(fmean(ces), 6),
            },
            "nps": {
                "answers": len(nps),
                "response_ratio": part(len(nps), handled),
                "score": round(100 * (promoters - detractors) / len(nps), 6),
                "from_one": 0,
            },
        }

    def esat(self) -> dict[str, Any]:
        """Return what agents said."""
        said = self.said("survey.esat")
        return {"answers": len(said), "top_ratio": part(sum(s >= 4 for s in said), len(said))}

    def quality(self) -> dict[str, Any]:
        """Return what reviews came to."""
        reviews = [(e["agent_id"], e["score"] / 100) for e in self.events if e["type"] == "quality.reviewed"]
        by_agent: defaultdict[str, list[float]] = defaultdict(list)
        for agent, score in reviews:
            by_agent[agent].append(score)
        scores = [score for _, score in reviews]
        return {
            "reviews": len(scores),
            "mean_ratio": round(fmean(scores), 6),
            "to_standard_ratio": part(sum(score >= 0.8 for score in scores), len(scores)),
            "spread": round(stdev([fmean(own) for own in by_agent.values()]), 6),
        }

    def customers(self, at_start: int) -> dict[str, Any]:
        """Return who came and went of ``at_start``."""
        kinds = [event["type"] for event in self.events]
        left = kinds.count("customer.left")
        kept, lost = part(at_start - left, at_start), part(left, at_start)
        return {"joined": kinds.count("customer.joined"), "left": left, "retention_ratio": kept, "churn_ratio": lost}


def part(top: float, bottom: float) -> float | None:
    """Return a ratio as the API gives it."""
    return round(top / bottom, 6) if bottom else None


def share(stories: list[Story], holds: Callable[[Story], bool]) -> float | None:
    """Return the share of contacts for which something holds."""
    return part(sum(map(holds, stories)), len(stories))


def differences(shown: Any, expected: Any, where: str = "") -> list[str]:
    """Return where what is shown is not what is expected; of what is not expected nothing is said."""
    if isinstance(expected, dict):
        if not isinstance(shown, dict):
            return [f"{where}: {shown!r} is not {expected!r}"]
        return [
            line for name, value in expected.items() for line in differences(shown.get(name), value, f"{where}.{name}")
        ]
    return [] if shown == expected else [f"{where}: {shown!r} is not {expected!r}"]
