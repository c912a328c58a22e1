"""Metric families as text, fast.

What prometheus-client does for each sample of each scrape, making and sorting a dict of labels and escaping their
values, is done here once for each series; and whoever knows that a series has not changed keeps its lines.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from agents.board.catalogue import MetricSpec

#: Series that are gone are forgotten together with all others once there are this many; they are made anew fast.
MOST_SERIES: Final = 1_000_000


class Family(NamedTuple):
    """A metric and the lines of its samples, in pieces of one or more lines."""

    spec: MetricSpec
    pieces: Sequence[str]


_known: Final[dict[tuple[tuple[str, ...], tuple[str, ...]], str]] = {}
#: (name of a histogram, label values) -> what the lines of that series begin with
_named: Final[dict[tuple[str, tuple[str, ...]], list[str]]] = {}


def labels_of(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    """Return the labels of a series as they are written."""
    found = _known.get((names, values))
    if found is None:
        if len(_known) >= MOST_SERIES:
            _known.clear()
        found = _known[names, values] = _written(names, values)
    return found


def _written(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    pairs = (f'{name}="{_escaped(value)}"' for name, value in sorted(zip(names, values, strict=True)))
    return "{" + ",".join(pairs) + "}" if names else ""


def counter(spec: MetricSpec, samples: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    """Return a counter, from (label values, count)."""
    names, name = spec.labels, f"{spec.name}_total"
    return Family(spec, [f"{name}{labels_of(names, values)} {count}\n" for values, count in samples])


def gauge(spec: MetricSpec, samples: Iterable[tuple[tuple[str, ...], float | None]]) -> Family:
    """Return a gauge, from (label values, value); None is left out."""
    names, name = spec.labels, spec.name
    lines = [f"{name}{labels_of(names, values)} {value}\n" for values, value in samples if value is not None]
    return Family(spec, lines)


def histogram_lines(
    spec: MetricSpec, values: tuple[str, ...], buckets: Sequence[tuple[str, float]], amount: float
) -> str:
    """Return the lines of one series of a histogram: (upper bound, count up to it) with +Inf last, and the sum."""
    names = _named.get((spec.name, values))
    if names is None:
        if len(_named) >= MOST_SERIES:
            _named.clear()
        names = _named[spec.name, values] = _histogram_names(spec, values, [bound for bound, _ in buckets])
    told = (*(upto for _, upto in buckets), buckets[-1][1], amount)
    return "".join([f"{name} {value}\n" for name, value in zip(names, told, strict=True)])


def _histogram_names(spec: MetricSpec, values: tuple[str, ...], bounds: Sequence[str]) -> list[str]:
    """Return what each line of a histogram's series begins with."""
    names, labels = (*spec.labels, "le"), labels_of(spec.labels, values)
    found = [f"{spec.name}_bucket{_written(names, (*values, bound))}" for bound in bounds]
    return [*found, f"{spec.name}_count{labels}", f"{spec.name}_sum{labels}"]


def text_of(family: Family, *, openmetrics: bool) -> str:
    """Return a family as it is exposed: in Prometheus' text format, or in OpenMetrics without its end."""
    spec = family.spec
    name, said = spec.name, spec.help.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        said = said.replace('"', r"\"")
    elif spec.kind == "counter":
        name += "_total"
    return "".join((f"# HELP {name} {said}\n# TYPE {name} {spec.kind}\n", *family.pieces))


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
