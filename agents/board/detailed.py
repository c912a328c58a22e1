"""The description of what the wallboard's pages ask beyond the live stream."""

from agents.board import fields as f
from streams import kpis


def _list(item: f.Schema, meaning: str) -> f.Schema:
    return {"type": "array", "items": item, "description": meaning}


def _count(meaning: str) -> f.Schema:
    return {"type": "integer", "description": meaning}


def _asked(queue_alone: f.Schema) -> dict[str, f.Schema]:
    return {"time": f.time("when the figures are of"), "window": f.text("the rolling window"), **queue_alone}


def trend() -> f.Schema:
    """Return the schema of /api/v1/trend."""
    number = {"type": ["number", "null"]}
    waits = {"position": {"type": "integer", "description": "1 is next"}, "since": f.time("when the wait began")}
    waiting = {
        "count": {"type": "integer", "description": "how many wait"},
        "first": _list(f.record("one who waits", waits), "the first of them, by position"),
    }
    queue = {
        "queue": f.text("the queue"),
        "channel": f.text("its channel"),
        "timezone": f.text("the call center's time zone"),
        "times": _list({"type": "number"}, "Unix seconds: every ten, over the last hour"),
        "queue_length": _list({"type": "integer"}, "how many waited at each of the times"),
        "service_level": _list(number, "over the window up to then, by the queue's own formula"),
        "abandonment_rate": _list(number, "over the window up to then"),
        "waiting": f.record("who waits now", waiting),
        "agents": {"type": "object", "description": "the queue's agents: state -> how many"},
    }
    return f.record("a queue's last hour", _asked(queue))


def breaches() -> f.Schema:
    """Return the schema of /api/v1/breaches."""
    row = {
        "queue": f.text("the queue"),
        "channel": f.text("its channel"),
        "since": f.time("when the breach began, to ten seconds"),
        "at_least": {"type": "boolean", "description": "it began earlier than what is known, an hour"},
    }
    rows = {"rows": _list(f.record("a breach", row), "open queues that break a promise now")}
    return f.record("since when promises are broken", _asked(rows))


def weekday() -> f.Schema:
    """Return the schema of /api/v1/weekday."""
    interval = {"$ref": "#/components/schemas/IntervalRow"}
    counts = f.record("its counts", {name: {"type": "integer"} for name in kpis.counts({})})
    day: dict[str, f.Schema] = {
        "date": {"type": "string", "format": "date", "description": "the day"},
        "figures": {"anyOf": [interval, {"type": "null"}], "description": "from midnight, as long as today has lasted"},
        "half_hours": {"type": "object", "additionalProperties": counts, "description": "by local time, as 08:30"},
    }
    return f.record(
        "today and the same weekday a week before",
        {
            "queue": f.text("the queue"),
            "channel": f.text("its channel"),
            "until": f.time("the quarter of an hour up to which days are compared"),
            "today": f.record("today", day),
            "before": f.record("the same weekday a week before", day),
        },
    )


def volume() -> f.Schema:
    """Return the schema of /api/v1/volume."""
    of = {"type": ["string", "null"], "description": "of one, or null: all together"}
    row = {
        "start": f.time("when the interval, day, week, month or quarter begins"),
        "queue": of,
        "channel": of,
        "offered": _count("visits that began"),
        "answered": _count("visits answered by an agent"),
        "abandoned": _count("visits whose customer gave up waiting"),
        "left": _count("visits that left unanswered without giving up"),
        "handled": _count("contacts that an agent finished"),
        "share": f.number("offered / all that were offered in it"),
        "same_weekday_before": {
            "type": ["integer", "null"],
            "description": "offered a week before; of what is in progress, up to the same quarter of an hour. "
            "Null of months and quarters, and of a time from which nothing is stored",
        },
        "change": f.number("(offered - same_weekday_before) / same_weekday_before"),
    }
    meaning = "by time, a row for each queue and channel and one of all"
    answer = {
        "time": f.time("when the figures are of"),
        "by": f.text("what is counted by"),
        "from": f.time("when the first of them begins"),
        "to": f.time("the end that was asked for"),
        "timezone": f.text("the call center's time zone"),
        "rows": _list(f.record("what came", row), meaning),
    }
    return f.record("how many contacts came", answer)
