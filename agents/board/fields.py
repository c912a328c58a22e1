"""Every field of the API's answers: what it means, and in what it is measured."""

from typing import Any, Final

from agents.board.health import CAUSES
from streams import kpis
from streams.events import AGENT_STATES
from streams.policy import FORMULAS

Schema = dict[str, Any]

COUNTS: Final = {
    "offered": "visits to the queue that began",
    "answered": "visits that an agent answered",
    "answered_within_target": "of them, those that waited no longer than the queue's threshold",
    "abandoned": "visits whose customer gave up waiting",
    "abandoned_within_target": "of them, those that waited no longer than the queue's threshold",
    "short_abandoned": "of them, those that gave up before the queue's short-abandon limit",
    "left": "visits that left neither answered nor given up: overflow, timeout, callback, ...",
    "lost": "visits whose end never came within the longest credible wait",
    "handled": "contacts that an agent finished",
}
#: What a row of a past time does not have.
OF_NOW: Final = ("promise", "estimated_wait_seconds", "estimated_wait_error_seconds", "overload")

#: a answered, b abandoned, _T within the target, s short abandons.
FORMULA_MEANINGS: Final = {
    "answered_of_offered": "a_T / (a + b); the default",
    "answered_of_answered": "a_T / a: who gave up does not count",
    "abandoned_in_target_met": "(a_T + b_T) / (a + b): who gave up within the target counts as served",
    "abandoned_in_target_ignored": "a_T / (a + b - b_T): who gave up within the target does not count",
    "short_abandoned_ignored": "a_T / (a + b - s): who gave up at once does not count",
    "left_missed": "a_T / (a + b + left): who left counts as missed",
    "live": "answered_of_offered in which everybody who waits past the target now counts as missed, by whatever "
    "formula the queue is held to; null of a past time",
}
LETTERS: Final = (
    "a is answered, b abandoned, _T within the queue's threshold, s short_abandoned. "
    "Ratios are from 0 to 1; a ratio of nothing is null."
)


def number(meaning: str) -> Schema:
    """Return the schema of a number that is null where there is nothing to make it of."""
    return {"type": ["number", "null"], "description": meaning}


def whole(meaning: str) -> Schema:
    """Return the schema of a count."""
    return {"type": "integer", "minimum": 0, "description": meaning}


def text(meaning: str, *, nullable: bool = False) -> Schema:
    """Return the schema of a text."""
    return {"type": ["string", "null"] if nullable else "string", "description": meaning}


def time(meaning: str) -> Schema:
    """Return the schema of a moment."""
    return {"type": "string", "format": "date-time", "description": meaning}


def record(meaning: str, properties: dict[str, Schema], *optional: str, nullable: bool = False) -> Schema:
    """Return the schema of an object that has ``properties``, all but ``optional`` always."""
    required = [name for name in properties if name not in optional]
    kind = ["object", "null"] if nullable else "object"
    return {"type": kind, "description": meaning, "properties": properties, "required": required}


def _waits(whose: str) -> Schema:
    each = {f"p{percent}": number(f"seconds that {percent} % waited at most") for percent in kpis.PERCENTILES}
    return record(f"percentiles of the waits of {whose}, in seconds, at most 5 % off", each)


def _sums() -> Schema:
    meanings = {
        "wait_answered_seconds": "waits of the answered, together",
        "wait_abandoned_seconds": "waits of those who gave up, together",
        "handle_seconds": "talk with hold, and wrap-up, together",
        "hold_seconds": "hold, together",
    }
    return record(
        "the exact sums that the averages are made of, in seconds: add these up, never averages",
        {name: {"type": "number", "description": f"{meaning}, in seconds"} for name, meaning in meanings.items()},
    )


def row(**beyond: Schema) -> Schema:
    """Return the schema of a row of figures; ``beyond`` are further fields."""
    levels = {name: number(FORMULA_MEANINGS[name]) for name in (*FORMULAS, "live")}
    return record(
        "the figures of one queue and channel; the last row is of all together",
        {
            "queue": text("the queue's name; null in the row of all", nullable=True),
            "channel": text("voice, chat, email, messaging, sms or video; null in the row of all", nullable=True),
            # The names are those of the formulas' own counts.
            **{name: whole(COUNTS[name]) for name in kpis.counts({})},
            "service_level": record(f"service level by each definition. {LETTERS}", levels),
            "abandonment_rate": number("b / (a + b), from 0 to 1"),
            "average_speed_of_answer_seconds": number("mean wait of the answered, in seconds"),
            "average_handle_time_seconds": number("(talk with hold + wrap-up) / handled, in seconds"),
            "wait_seconds": _waits("the answered"),
            "abandoned_wait_seconds": _waits("those who gave up"),
            "sums": _sums(),
            "queue_length": {**whole("contacts that wait now; null of an interval"), "type": ["integer", "null"]},
            "longest_wait_seconds": number("how long the first in the queue has waited, in seconds; null of nobody"),
            **beyond,
        },
        *(name for name in OF_NOW if name in beyond),
    )


def live_row() -> Schema:
    """Return the schema of a row over a rolling window."""
    promise: dict[str, Schema] = {
        "target_ratio": {"type": "number", "description": "the service level to reach, from 0 to 1"},
        "threshold_seconds": {"type": "number", "description": "a wait up to this is within the target, in seconds"},
        "formula": {"type": "string", "enum": list(FORMULAS), "description": "which service level it is held to"},
        "abandonment_ratio": {"type": "number", "description": "at most this share gives up, from 0 to 1"},
        "queue_length_limit": {"type": ["integer", "null"], "description": "contacts that may wait; null: any number"},
        "longest_wait_limit_seconds": number("the first in the queue may wait this long, in seconds; null: any time"),
        "group": text("the group it stands in on the wallboard", nullable=True),
        "open": {"type": "boolean", "description": "whether it is open now, by its hours and holidays"},
    }
    overload = {
        "since": time("since when"),
        "arrivals_per_hour": {"type": "number", "description": "as many come in an hour, by the last 5 minutes"},
        "capacity_per_hour": {"type": "number", "description": "as many can the agents there take, by handle time"},
        "agents_needed": {"type": ["integer", "null"], "description": "agents that keep the promise, by Erlang C"},
        "minutes_to_recover": number("until those who wait now are answered by so many agents, in minutes"),
    }
    return row(
        estimated_wait_seconds=number(
            "how long whoever arrives now will wait, in seconds, by who is ahead, who serves, and handle time; "
            "null where that is not known"
        ),
        estimated_wait_error_seconds=number(
            "how far off it was, on average, for those answered in the last hour, in seconds"
        ),
        overload=record(
            "more come than can be taken, over 5 and over 15 minutes; null where not", overload, nullable=True
        ),
        queue_length_average=number("time-weighted mean number of contacts that waited in the window"),
        promise=record(
            "what the queue is held to; null in the row of all, left out of a past time", promise, nullable=True
        ),
    )


def pipeline() -> Schema:
    """Return the schema of how far figures can be trusted."""
    return record(
        "how far the figures can be trusted",
        {
            "stale": {"type": "boolean", "description": "whether these are the last known figures rather than fresh"},
            "reason": text("why, in a sentence for people; null while fresh", nullable=True),
            "cause": text(f"the same for programs: {', '.join(CAUSES)}; null while fresh", nullable=True),
            "values": {"type": "array", "items": {"type": "integer"}, "description": "the numbers in the sentence"},
            "age_seconds": number("since the oldest partition's last sign of life, in seconds; null before the first"),
            "lag_seconds": number("how far the worker is behind Kafka, in seconds; null if not known"),
            "store_reachable": {"type": "boolean", "description": "whether the store answers"},
        },
    )


def states() -> Schema:
    """Return the schema of agents by state."""
    return record("agents in each state now", {name: whole(f"agents that are {name}") for name in AGENT_STATES})


def agent() -> Schema:
    """Return the schema of one agent."""
    return record(
        "one agent",
        {
            "agent_id": text("who, by the id of the events"),
            "state": {"type": "string", "enum": list(AGENT_STATES), "description": "what the agent does now"},
            "since": time("since when"),
            "queues": {
                "type": "array",
                "items": {"type": "string"},
                "description": "the queues that the agent serves",
            },
        },
    )
