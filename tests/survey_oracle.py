"""The slow, obvious answer to what surveys and reviews add up to; it knows nothing of ``streams``.

Scores are kept one by one, as fractions on their own scales; each id counts once. What cannot be on its scale is told
apart by ``on_scale``.
"""

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from tests.oracle import Event, Table, milliseconds

USUAL: Final = {
    "survey.csat": (1, 5),
    "survey.esat": (1, 5),
    "survey.ces": (1, 7),
    "survey.nps": (0, 10),
    "quality.reviewed": (0, 100),
}


def scale(event: Event) -> tuple[int, int]:
    """Return the worst and the best score possible."""
    worst, best = USUAL[event["type"]]
    return event.get("scale_from", worst), event.get("scale", best)


def on_scale(event: Event) -> bool:
    """Tell whether the score can be counted."""
    worst, best = scale(event)
    if event["type"] == "survey.nps" and (best != 10 or worst not in (0, 1) or event["score"] % 1):
        return False
    return worst < best and worst <= event["score"] <= best


def _on(event: Event, worst: int, best: int) -> Fraction:
    """Return the score on another scale."""
    lowest, highest = scale(event)
    return worst + (Fraction(event["score"]) - lowest) * (best - worst) / (highest - lowest)


def _thousandths(number: Fraction) -> int:
    return round(1_000 * number)


def amounts(event: Event, standard: Fraction) -> dict[str, int]:
    """Return what one score adds up to, by name."""
    kind = event["type"]
    if kind == "survey.nps":
        from_one = scale(event)[0] == 1
        promoter, detractor = event["score"] in (9, 10), event["score"] in range(7)
        return {
            "nps_answers": 1,
            "nps_promoters": int(promoter),
            "nps_detractors": int(detractor),
            "nps_from_one": int(from_one),
        }
    if kind == "survey.ces":
        score = _on(event, 1, 7)
        return {"ces_answers": 1, "ces_milli": _thousandths(score), "ces_top": int(score > 4)}
    if kind == "quality.reviewed":
        share = _on(event, 0, 1)
        milli = _thousandths(share)
        return {
            "reviews": 1,
            "review_milli": milli,
            "review_squares": milli**2,
            "to_standard": int(share >= standard),
        }
    name = kind.removeprefix("survey.")
    score = _on(event, 1, 5)
    return {f"{name}_answers": 1, f"{name}_milli": _thousandths(score), f"{name}_top": int(score >= 4)}


def table(events: Iterable[Event], standard: Fraction, bucket: int) -> Table:
    """Return counts and sums by bucket of time and queue; nothing that is 0."""
    result: Table = {}
    for event in _once(events):
        key = milliseconds(event["time"]) // bucket, event.get("queue", ""), ""
        result.setdefault(key, Counter()).update(amounts(event, standard))
    return {key: +row for key, row in result.items()}


def by_agent(events: Iterable[Event], standard: Fraction, bucket: int) -> Table:
    """Return the reviews by bucket of time, agent and queue, and those of all queues and none under ``*``."""
    result: Table = {}
    for event in _once(events):
        if event["type"] == "quality.reviewed" and "agent_id" in event:
            for queue in {"*", event.get("queue", "*")}:
                key = milliseconds(event["time"]) // bucket, event["agent_id"], queue
                result.setdefault(key, Counter()).update(amounts(event, standard))
    return {key: +row for key, row in result.items()}


def _once(events: Iterable[Event]) -> Iterable[Event]:
    return {event["id"]: event for event in events}.values()
