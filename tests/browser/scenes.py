"""Scripted snapshots, in the exact form that the board's stream sends."""

from datetime import UTC, datetime
from typing import Any, Final

Row = dict[str, Any]
Snapshot = dict[str, Any]

DASH = "\N{EN DASH}"
BY_NAME = "A\N{EN DASH}Z"
WINDOWS = ["1m", "5m", "15m", "30m", "1h", "today"]


def row(queue: str | None = "sales", channel: str | None = "voice", **changes: Any) -> Row:
    """Return a quiet-natured row: every promise kept with room to spare, unless ``changes`` say otherwise.

    ``service_level`` and ``promise`` are merged into the defaults, everything else replaces its field.
    """
    level = dict.fromkeys(
        (
            "answered_of_offered",
            "answered_of_answered",
            "abandoned_in_target_met",
            "abandoned_in_target_ignored",
            "short_abandoned_ignored",
            "left_missed",
            "live",
        ),
        0.9,
    )
    promise = {
        "target_ratio": 0.8,
        "threshold_seconds": 20,
        "formula": "answered_of_offered",
        "abandonment_ratio": 0.05,
        "queue_length_limit": None,
        "longest_wait_limit_seconds": None,
        "group": None,
        "open": True,
    }
    made: Row = {
        "queue": queue,
        "channel": channel,
        "offered": 41,
        "answered": 37,
        "answered_within_target": 30,
        "abandoned": 1,
        "abandoned_within_target": 1,
        "short_abandoned": 0,
        "left": 1,
        "lost": 0,
        "handled": 36,
        "service_level": level | changes.pop("service_level", {}),
        "abandonment_rate": 0.025,
        "average_speed_of_answer_seconds": 12.4,
        "average_handle_time_seconds": 182.9,
        "wait_seconds": {"p50": 8.1, "p90": 31.0, "p95": 44.2, "p99": 80.0},
        "queue_length": 0,
        "longest_wait_seconds": None,
        "queue_length_average": 2.31,
        "promise": promise | changes.pop("promise", {}),
    }
    return made | changes


def silent_row(queue: str = "sales", channel: str = "voice") -> Row:
    """Return the row of a queue that nobody has called: counts of nothing, ratios of nothing."""
    counts = dict.fromkeys(("offered", "answered", "abandoned", "left", "handled"), 0)
    return row(
        queue,
        channel,
        **counts,
        service_level=dict.fromkeys(row()["service_level"]),
        abandonment_rate=None,
        average_speed_of_answer_seconds=None,
        average_handle_time_seconds=None,
        wait_seconds=dict.fromkeys(("p50", "p90", "p95", "p99")),
    )


#: What a pipeline says of itself when all is well.
WELL: Final = {
    "stale": False,
    "reason": None,
    "cause": None,
    "values": (),
    "age_seconds": 0.4,
    "lag_seconds": 0.2,
}


def everything(**changes: Any) -> Row:
    """Return the row of all queues together."""
    return row(None, None, **changes) | {"promise": None}


def snapshot(*rows: Row, total: Row | None = None, **changes: Any) -> Snapshot:
    """Return a snapshot of ``rows`` with the row of all queues last; the server stamps time and windows on sending."""
    made: Snapshot = {
        "timezone": "Europe/Paris",
        "pipeline": dict(WELL),
        "agents": {"available": 3, "offered": 0, "on_contact": 5, "wrap_up": 1, "break": 0, "offline": 2},
        "rows": [*rows, total or everything()],
    }
    return made | changes


def stale(
    *rows: Row,
    reason: str = "no events from Kafka",
    age: float = 95.0,
    cause: str | None = None,
    values: tuple[int, ...] = (),
) -> Snapshot:
    """Return a snapshot of ``rows`` whose pipeline says that its data is old."""
    told = {"reason": reason, "cause": cause, "values": values, "age_seconds": age, "lag_seconds": None}
    pipeline = {"stale": True, **told}
    return snapshot(*rows, pipeline=pipeline)


def trend(at: float, *, waiting: int = 2) -> dict[str, Any]:
    """Return what /api/v1/trend answers at ``at`` (Unix seconds) of a queue in which ``waiting`` wait."""
    times = [at - 10 * i for i in reversed(range(360))]
    since = [datetime.fromtimestamp(at - 60 * (waiting - i), UTC).isoformat() for i in range(waiting)]
    return {
        "timezone": "Europe/Paris",
        "times": times,
        "queue_length": [(i // 30) % 5 for i in range(360)],
        "service_level": [0.7 + (i % 60) / 250 for i in range(360)],
        "abandonment_rate": [None if i < 60 else 0.02 + (i % 90) / 2000 for i in range(360)],
        "waiting": {"count": waiting, "first": [{"position": i, "since": s} for i, s in enumerate(since[:50], 1)]},
        "agents": {"available": 1, "on_contact": 3},
    }


def weekday() -> dict[str, Any]:
    """Return what /api/v1/weekday answers on a Monday at a quarter past ten in Paris."""
    halves = [f"{hour:02}:{minute}" for hour in range(8, 18) for minute in ("00", "30")]
    today = {at: row(offered=20 + i) for i, at in enumerate(halves[:5])}
    before = {at: row(offered=24 + i % 6) for i, at in enumerate(halves)}
    return {
        "until": "2026-11-23T09:15:00Z",
        "today": {"date": "2026-11-23", "figures": row(offered=110, answered=101), "half_hours": today},
        "before": {"date": "2026-11-16", "figures": row(offered=122, answered=119), "half_hours": before},
    }


def intervals(*starts: str) -> dict[str, Any]:
    """Return what /api/v1/intervals answers: two queues and all of them in each interval."""
    rows = [
        {**made, "start": start, "queue_length": None, "longest_wait_seconds": None}
        for start in starts
        for made in (row("sales"), row("=cmd", offered=3, service_level={"answered_of_offered": 1.0}), row(None, None))
    ]
    for made in rows:
        del made["promise"]
    return {"rows": rows}
