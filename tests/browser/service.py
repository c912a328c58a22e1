"""Scripted answers of what the page of customer service asks, in the exact form of the API."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.datastructures import QueryParams

from tests.browser.stage import Stage

Row = dict[str, Any]

FROM = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
QUEUES = (("sales", "voice", 0.42), ("support", "voice", 0.31), ("support", "email", 0.08), ("chat", "chat", 0.19))


def _times(mean: float | None) -> Row:
    return {"mean": mean, "p50": None if mean is None else mean * 0.7, "p90": None if mean is None else mean * 2.4}


def _satisfaction() -> Row:
    return {
        "csat": {
            "answers": 118,
            "top_ratio": 0.797,
            "mean": 4.12,
            "interval": [0.715, 0.86],
            "response_ratio": 0.11,
        },
        "nps": {"answers": 43, "score": 23.3, "interval": [-2.1, 46.8], "from_one": 6},
        "ces": {"answers": 51, "mean": 5.4, "top_ratio": 0.706, "interval": [0.57, 0.813]},
    }


def figures_row(queue: str | None, channel: str | None, share: float = 1.0, **changes: Any) -> Row:
    """Return a row of /api/v1/figures of a queue that sees ``share`` of 1,243 contacts; ``changes`` replace parts."""
    n = round(1243 * share)
    made = {
        "queue": queue,
        "channel": channel,
        "volume": {"offered": n, "share": share},
        "responses": {
            "first_response_seconds": _times(41.0),
            "first_responses": round(n * 0.3),
            "response_seconds": _times(27.5),
            "responses": n,
        },
        "waits": {
            "answered": 1_190,
            "abandoned": 53,
            "service_level": {"answered_of_offered": 0.823},
            "abandonment_rate": 0.043,
            "average_speed_of_answer_seconds": 17.0,
            "wait_seconds": {"p50": 9.0, "p90": 41.0, "p95": 62.0, "p99": 118.0},
        },
        "handling": {
            "average_handle_time_seconds": 251.3,
            "handled": round(n * 0.9),
            "offered_to_agents": n,
            "declined": round(n * 0.021),
            "decline_ratio": 0.0213,
        },
        "bot": {"contacts": round(n * 0.2), "handed_over": round(n * 0.12), "left": round(n * 0.03)},
        "missed": round(n * 0.017),
        "resolution": {
            "opened": n,
            "resolved": round(n * 0.824),
            "reopened": round(n * 0.04),
            "resolved_ratio": 0.8241,
            "automated": round(n * 0.06),
            "automated_ratio": 0.0728,
            "time_to_resolution_seconds": _times(9_480.0),
            "single_reply_ratio": 0.412,
            "first_contact_ratio": 0.7846,
            "first_contact_final_ratio": 0.7113,
            "final": round(n * 0.55),
        },
        "backlog": {"open": 37, "goal": 50, "oldest_seconds": 277_200.0, "p50_age_seconds": 14_400.0},
        "repeat": {"day_ratio": 0.046, "week_ratio": 0.112, "several_agents_ratio": 0.031},
        "satisfaction": _satisfaction(),
        "quality": {"reviews": 36, "mean_ratio": 0.853, "to_standard_ratio": 0.778, "spread": 0.041},
        "value": {
            "orders": round(n * 0.12),
            "revenue": 8_912.4,
            "converted_ratio": 0.121,
            "cost": 4_410.0,
            "cost_per_resolution": 4.31,
            "cost_per_conversation": 3.94,
            "currency": "EUR",
        },
    }
    return made | changes


def everything(**changes: Any) -> Row:
    """Return the last row: of all together, with what belongs to no queue."""
    made = figures_row(None, None, **changes)
    made["satisfaction"]["esat"] = {"answers": 9, "top_ratio": 0.667, "mean": 3.8, "interval": [0.354, 0.879]}
    made["customers"] = {
        "at_start": 18_240,
        "joined": 61,
        "left": 22,
        "retention_ratio": 0.9988,
        "churn_ratio": 0.0012,
        "lifetime_value": 1_284.0,
    }
    return made


def figures(asked: QueryParams) -> Row:
    """Return what /api/v1/figures answers: queues, channels, all; of one queue its rows and their sum."""
    queue = asked.get("queue")
    rows = [figures_row(q, c, s) for q, c, s in QUEUES if queue in (None, q)]
    channels = sorted({row["channel"] for row in rows})
    shares = {channel: sum(s for q, c, s in QUEUES if c == channel and queue in (None, q)) for channel in channels}
    rows += [figures_row(None, channel, shares[channel]) for channel in channels]
    head = {"time": _iso(NOW), "period": asked["period"], "from": _iso(FROM), "to": _iso(NOW)}
    return {**head, "rows": [*rows, everything() if queue is None else figures_row(None, None, sum(shares.values()))]}


def nothing(asked: QueryParams) -> Row:
    """Return the same of a platform that tells of calls and nothing else."""
    told = figures(asked)
    told["rows"] = [_emptied(row, ("volume", "handling")) for row in told["rows"]]
    return told


def _emptied(row: Row, keep: tuple[str, ...]) -> Row:
    def emptied(value: Any) -> Any:
        return {name: emptied(inner) for name, inner in value.items()} if isinstance(value, dict) else None

    named = {"queue": row["queue"], "channel": row["channel"]}
    return {name: value if name in keep else emptied(value) for name, value in row.items()} | named


def volume(asked: QueryParams) -> Row:
    """Return what /api/v1/volume answers: all together, through the day or day by day."""
    step = timedelta(minutes=15) if asked["by"] == "interval" else timedelta(days=1)
    count = int((NOW - FROM) / step) if asked["by"] == "interval" else 28
    begin = FROM if asked["by"] == "interval" else FROM - count * step
    rows = []
    for i in range(count):
        wave = max(0.0, math.sin((i + 0.5) / count * math.pi * (1 if asked["by"] == "interval" else 8)))
        offered = round(34 * wave + (i * 7) % 5)
        before = round(30 * wave + (i * 11) % 6)
        rows.append({"start": _iso(begin + i * step), "queue": None, "channel": None, "offered": offered,
                     "same_weekday_before": before})  # fmt: skip
    return {"by": asked["by"], "rows": rows}


def subjects(_asked: QueryParams) -> Row:
    """Return what /api/v1/subjects answers: what rises first."""
    counts = (
        ("outage in the north", 64, 12, True),
        ("refund for event 1123", 18, 0, True),
        ("delivery", 211, 204, False),
        ("invoice", 178, 190, False),
        ("login", 96, 101, False),
        ("return", 71, 64, False),
    )
    rows = [
        {"subject": name, "offered": n, "before": was, "change": None if was == 0 else n / was - 1, "rising": rising}
        for name, n, was, rising in counts
    ]
    return {"rows": rows, "other": {"offered": 31, "before": 30}}


def agents(_asked: QueryParams) -> Row:
    """Return what /api/v1/agents answers of five people."""
    states = ("on_contact", "available", "wrap_up", "break", "offline")
    people: list[Row] = [
        {
            "agent_id": f"agent-{i + 1:03d}",
            "state": state,
            "since": _iso(NOW - timedelta(seconds=70 * i + 14)),
            "queues": ["sales"] if i % 2 else ["support", "chat"],
            "handled": 31 - 3 * i,
            "closed": None if i == 1 else 22 - 2 * i,
            "average_handle_time_seconds": 231.0 + 9 * i,
            "occupancy": None if state == "offline" else 0.83 - 0.03 * i,
            "utilisation": 0.71 - 0.02 * i,
            "concurrency": 1.0 if i % 2 else 2.4,
            "adherence": 0.96 - 0.04 * i,
            "declined": i % 3,
            "quality_mean": None if i == 3 else 0.88 - 0.02 * i,
            "time_in_state_seconds": {},
        }
        for i, state in enumerate(states)
    ]
    return {"time": _iso(NOW), "people": people}


def script(stage: Stage) -> None:
    """Have the stage answer what the page asks."""
    stage.answers |= {"figures": figures, "volume": volume, "subjects": subjects, "agents": agents}


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
