"""Every field of the answers about a period: what it means, and in what it is measured."""

from agents.board import fields as f
from agents.board.periods import PERIODS
from streams import kpis
from streams.events import AGENT_STATES
from streams.policy import FORMULAS


def _whole(meaning: str) -> f.Schema:
    return {"type": ["integer", "null"], "description": f"{meaning}; null where the platform does not tell"}


def _ratio(meaning: str) -> f.Schema:
    return f.number(f"{meaning}, from 0 to 1")


def _list(item: f.Schema, meaning: str) -> f.Schema:
    return {"type": "array", "items": item, "description": meaning}


def _times(what: str) -> f.Schema:
    return f.record(
        f"{what}, in seconds",
        {
            "mean": f.number("on average"),
            "p50": f.number("of half of them at most, 5 % off at most"),
            "p90": f.number("of 90 % of them at most, 5 % off at most"),
        },
    )


def _interval() -> f.Schema:
    return {
        "type": ["array", "null"],
        "items": {"type": "number"},
        "minItems": 2,
        "maxItems": 2,
        "description": "from and to: in it lies, with 95 % confidence, what all would have answered",
    }


def _survey(meaning: str, mean: str, *, response: bool = True) -> f.Schema:
    fields = {
        "answers": f.whole("scores"),
        "top_ratio": _ratio("those of them that are satisfied"),
        "mean": f.number(mean),
        "interval": _interval(),
    }
    if response:
        fields["response_ratio"] = _ratio("answers / handled contacts")
    return f.record(f"{meaning}; null where nobody was ever asked", fields, nullable=True)


def _satisfaction() -> f.Schema:
    promoters = {
        "answers": f.whole("scores"),
        "score": f.number("promoters less detractors, from -100 to 100"),
        "interval": _interval(),
        "from_one": f.whole("scores on a scale from 1"),
        "response_ratio": _ratio("answers / handled contacts"),
    }
    surveys = {
        "csat": _survey("customers' satisfaction: the top two of five", "from 1 to 5"),
        "nps": f.record("would they recommend us; null where nobody was ever asked", promoters, nullable=True),
        "ces": _survey("how little effort it took customers: above the middle", "from 1 to 7"),
        "esat": _survey("agents' satisfaction, in the row of all alone", "from 1 to 5", response=False),
    }
    meaning = "what was answered about a queue, told of each of its channels; null in the row of a channel"
    return f.record(meaning, surveys, "esat")


def _resolution() -> f.Schema:
    fields = {
        "opened": _whole("contacts that began"),
        "resolved": _whole("contacts that are settled, by when they were"),
        "reopened": _whole("times that one was opened again"),
        "resolved_ratio": _ratio("resolved / opened"),
        "automated": _whole("resolved with no person taking part"),
        "automated_ratio": _ratio("automated / resolved"),
        "single_reply_ratio": _ratio("resolved with one reply of a person / resolved"),
        "first_contact_ratio": _ratio("customers who did not come back so far / resolved of known customers"),
        "first_contact_final_ratio": _ratio("customers who did not come back / final"),
        "final": _whole("resolved contacts whose window to come back ended in the period"),
        "time_to_resolution_seconds": _times("from opened to resolved, without the time resolved before a reopening"),
    }
    return f.record("what became of contacts", fields)


def _value() -> f.Schema:
    fields = {
        "orders": _whole("orders, each at the contact that it followed"),
        "revenue": f.number("of the orders"),
        "converted_ratio": _ratio("contacts followed by an order / contacts of known customers"),
        "cost": f.number("agents' time and overhead by share of handle time, and what contacts were told to have cost"),
        "cost_per_resolution": f.number("cost / resolved"),
        "cost_per_conversation": f.number("cost / handled"),
        "currency": f.text("ISO 4217, as configured", nullable=True),
    }
    return f.record("what contacts brought and cost, in the currency", fields)


def _customers() -> f.Schema:
    fields = {
        "at_start": {"type": ["integer", "null"], "description": "customers when the period began"},
        "joined": f.whole("who became customers"),
        "left": f.whole("who left"),
        "retention_ratio": _ratio("(at_start - left) / at_start"),
        "churn_ratio": _ratio("left / at_start"),
        "lifetime_value": f.number("margin x revenue of a customer in the period / churn_ratio, in the currency"),
    }
    return f.record("customers of the company, in the row of all alone; null where nobody tells", fields, nullable=True)


def _waits() -> f.Schema:
    levels = {name: _ratio(name.replace("_", " ")) for name in FORMULAS}
    each = {f"p{percent}": f.number(f"seconds that {percent} % waited at most") for percent in kpis.PERCENTILES}
    fields = {
        "answered": f.whole("visits answered"),
        "abandoned": f.whole("visits whose customer gave up"),
        "service_level": f.record("service level by each definition, as in /api/v1/queues", levels),
        "abandonment_rate": _ratio("abandoned / (answered + abandoned)"),
        "average_speed_of_answer_seconds": f.number("mean wait of the answered, in seconds"),
        "wait_seconds": f.record("percentiles of the waits of the answered, in seconds", each),
    }
    return f.record("how those waited whose wait ended in the period", fields)


def _staff() -> f.Schema:
    fields = {
        "occupancy": _ratio("on contacts / on contacts and ready for them"),
        "utilisation": _ratio("on contacts / all time but offline"),
        "concurrency": f.number("contacts at the same time while on contacts: handle time / time on contacts"),
    }
    return f.record("all agents together, in the row of all; null where none told a state", fields, nullable=True)


def _responses() -> f.Schema:
    fields = {
        "first_response_seconds": _times("to the first line of a person"),
        "first_responses": _whole("contacts with one"),
        "response_seconds": _times("from each unanswered line to the next line of a person"),
        "responses": _whole("lines answered"),
    }
    return f.record("how long customers waited for a person's line", fields)


def _handling() -> f.Schema:
    fields = {
        "average_handle_time_seconds": f.number("(talk with hold + wrap-up) / handled, in seconds"),
        "ticket_handle_time_seconds": f.number("of tickets: from first contact to closing, in seconds"),
        "handled": f.whole("contacts that an agent finished"),
        "offered_to_agents": _whole("times that an agent's phone rang"),
        "declined": _whole("times that the agent did not take it"),
        "decline_ratio": _ratio("declined / offered_to_agents"),
    }
    return f.record("the agents' work", fields)


def _bot() -> f.Schema:
    fields = {
        "contacts": _whole("in which a bot wrote"),
        "handed_over": _whole("of them, those that went on to a queue"),
        "left": _whole("of them, those that ended after a bot's line"),
    }
    return f.record("contacts with a bot", fields)


def _backlog() -> f.Schema:
    fields = {
        "open": _whole("tickets"),
        "goal": {"type": ["integer", "null"], "description": "at most so many, by the configuration"},
        "oldest_seconds": f.number("age of the oldest, in seconds"),
        "p50_age_seconds": f.number("median age, in seconds"),
    }
    return f.record("tickets open now", fields)


def _repeat() -> f.Schema:
    fields = {
        "day_ratio": _ratio("contacts followed by another within a day / contacts of known customers"),
        "week_ratio": _ratio("the same within a week"),
        "several_agents_ratio": _ratio("contacts with more than one agent / opened"),
    }
    return f.record("customers who had to come again", fields)


def _quality() -> f.Schema:
    fields = {
        "reviews": _whole("reviews"),
        "mean_ratio": _ratio("mean score, as a share of its scale"),
        "to_standard_ratio": _ratio("reviews at or above the standard / reviews"),
        "spread": f.number("standard deviation between agents' means; null of fewer than two, or a channel"),
    }
    return f.record("reviews of contacts", fields)


def row() -> f.Schema:
    """Return the schema of a row of /api/v1/figures."""
    name = "null: all together"
    fields = {
        "queue": f.text(f"the queue; {name}", nullable=True),
        "channel": f.text(f"the channel; {name}", nullable=True),
        "volume": f.record("how many came", {"offered": f.whole("visits"), "share": f.number("of all visits")}),
        "waits": _waits(),
        "responses": _responses(),
        "handling": _handling(),
        "bot": _bot(),
        "missed": f.whole("visits that ended without an agent: given up, left, lost"),
        "resolution": _resolution(),
        "backlog": _backlog(),
        "repeat": _repeat(),
        "satisfaction": _satisfaction(),
        "quality": _quality(),
        "value": _value(),
        "customers": _customers(),
        "staff": _staff(),
    }
    return f.record("the figures of one queue and channel, of a channel, or of all", fields, "customers", "staff")


def _head() -> dict[str, f.Schema]:
    return {
        "time": f.time("when the figures are of"),
        "period": f.text("the period"),
        "from": f.time("when it begins: with a quarter of an hour, from today up with local midnight"),
        "to": f.time("its end: now"),
    }


def figures() -> f.Schema:
    """Return the schema of /api/v1/figures."""
    rows = _list({"$ref": "#/components/schemas/PeriodRow"}, "queues and channels, then channels, and last all")
    return f.record("every figure of a period", {**_head(), "rows": rows})


def subjects() -> f.Schema:
    """Return the schema of /api/v1/subjects."""
    one = {
        "subject": f.text("the subject"),
        "offered": f.whole("visits about it"),
        "before": f.whole("visits about it in an hour, a day, a week before the period"),
        "change": f.number("of visits by time, as a share of before"),
        "rising": {"type": "boolean", "description": "whether it rises by more than chance"},
    }
    other = {"offered": f.whole("visits"), "before": f.whole("visits before")}
    fields = {
        **_head(),
        "rows": _list(f.record("one subject", one), "what rises first, then by number"),
        "other": f.record("all subjects beyond those that are counted by name", other),
    }
    return f.record("what customers ask about", fields)


def people() -> f.Schema:
    """Return the schema of the people of /api/v1/agents."""
    person = {
        "agent_id": f.text("who, by the id of the events"),
        "state": {"type": ["string", "null"], "enum": [*AGENT_STATES, None], "description": "what the agent does now"},
        "since": {"type": ["string", "null"], "format": "date-time", "description": "since when"},
        "queues": _list({"type": "string"}, "the queues that the agent serves"),
        "handled": f.whole("contacts handled"),
        "closed": _whole("contacts closed, of which the agent was the last"),
        "average_handle_time_seconds": f.number("(talk with hold + wrap-up) / handled, in seconds"),
        "occupancy": f.number("on contacts / on contacts and ready for them"),
        "utilisation": f.number("on contacts / all time but offline"),
        "concurrency": f.number("contacts at the same time while on contacts: handle time / time on contacts"),
        "adherence": f.number("scheduled time spent in a state of work / scheduled time; null without a schedule"),
        "declined": _whole("offers declined"),
        "quality_mean": f.number("mean score of reviews, as a share of the scale"),
        "time_in_state_seconds": {
            "type": "object",
            "description": "seconds in the period by state; empty where none was told",
        },
    }
    return _list(f.record("one agent's work", person), "with period alone, to the role admin: what each agent did")


def period_names() -> f.Schema:
    """Return the schema of a period's name."""
    return {"type": "string", "enum": list(PERIODS)}
