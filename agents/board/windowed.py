"""The figures of windows as Prometheus is told them, each line made once and kept until its figure changes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from agents.board.catalogue import METRICS, WINDOW
from agents.board.exposition import Family, labels_of
from agents.board.figures import Rows, rounded
from agents.board.model import Model
from streams import kpis
from streams.contact import Place
from streams.measures import Row
from streams.policy import Policies, Promise

_SPECS: Final = {spec.name: spec for spec in METRICS}

#: So many places are looked at before others have their turn.
SLICE: Final = 50

#: What a place's lines are kept under, beside what else is derived of its sums.
LINES: Final = "lines"


def _decided(row: Mapping[str, Any]) -> int:
    return int(row["answered"] + row["abandoned"])


#: By formula: what the service level is a share of; the formulas themselves stand in ``kpis.service_level``.
_DENOMINATORS: Final[dict[str, Callable[[Mapping[str, Any]], int]]] = {
    "answered_of_offered": _decided,
    "answered_of_answered": lambda row: row["answered"],
    "abandoned_in_target_met": _decided,
    "abandoned_in_target_ignored": lambda row: _decided(row) - row["abandoned_within_target"],
    "short_abandoned_ignored": lambda row: _decided(row) - row["short_abandoned"],
    "left_missed": lambda row: _decided(row) + row["left"],
}


def judged(row: Mapping[str, Any], formula: str) -> tuple[int, int]:
    """Return (visits that met the service level, visits that it is a share of), by a formula."""
    met = row["answered_within_target"]
    if formula == "abandoned_in_target_met":
        met += row["abandoned_within_target"]
    return met, _DENOMINATORS[formula](row)


#: What follows from the sums and the promise alone, in the order of ``_figures``.
_SETTLED: Final = (
    "callcenter_service_level_ratio",
    "callcenter_abandonment_ratio",
    "callcenter_average_speed_of_answer_seconds",
    "callcenter_average_handle_time_seconds",
    # Both halves of the ratios too: whoever adds up queues or windows needs sums.
    "callcenter_service_level_contacts",
    "callcenter_service_level_met_contacts",
    "callcenter_decided_contacts",
)
#: What changes with the time, while somebody waits.
LIVE: Final = "callcenter_service_level_live_ratio"
AVERAGE: Final = "callcenter_queue_length_average"


def windowed(
    model: Callable[[], tuple[Model, int]], policies: Policies, windows: Sequence[str]
) -> Iterator[Family | None]:
    """Yield the families of windows, and None now and then, when others may have their turn.

    ``model`` gives the model and the time (ms), which may be others after such a turn.
    """
    lines: list[Sequence[str]] = []
    for window in windows:
        places = sorted(_rows(model, policies, window).places())
        for start in range(0, len(places), SLICE):
            rows = _rows(model, policies, window)
            for place in places[start : start + SLICE]:
                kept = rows.kept(place)
                if LINES not in kept:
                    kept[LINES] = _lines(place, window, rows, policies.of(place[0]))
                labels, settled, live = kept[LINES]
                if rows.waits(place):
                    live = _line(LIVE, labels, rows.live(place))
                lines.append((*settled, live, _line(AVERAGE, labels, rows.average(place))))
            yield None
    families = (*_SETTLED, LIVE, AVERAGE)
    columns = list(zip(*lines, strict=True)) or [()] * len(families)
    for name, pieces in zip(families, columns, strict=True):
        yield Family(_SPECS[name], pieces)


def _rows(model: Callable[[], tuple[Model, int]], policies: Policies, window: str) -> Rows:
    known, now = model()
    return Rows(known, policies, window, now)


def _lines(place: Place, window: str, rows: Rows, promise: Promise) -> tuple[str, list[str], str]:
    """Return labels, the lines that follow from the sums, and the one of the live level while nobody waits."""
    labels, figures = labels_of(WINDOW, (*place, window)), _figures(rows.sums(place), promise.formula)
    lines = [_line(name, labels, figure) for name, figure in zip(_SETTLED, figures, strict=True)]
    return labels, lines, _line(LIVE, labels, rows.live(place, waited_too_long=0))


def _figures(row: Row, formula: str) -> tuple[float | None, ...]:
    counts = kpis.counts(row)
    met, of = judged(counts, formula)
    return (
        rounded(kpis.ratio(met, of)),
        rounded(kpis.abandonment_rate(row)),
        rounded(kpis.average_speed_of_answer(row)),
        rounded(kpis.average_handle_time(row)),
        of,
        met,
        _decided(counts),
    )


def _line(name: str, labels: str, value: float | None) -> str:
    return "" if value is None else f"{name}{labels} {value}\n"
