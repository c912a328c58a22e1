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


def labels_of(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    """Return the labels of a series as they are written."""
    found = _known.get((names, values))
    if found is None:
        if len(_known) >= MOST_SERIES:
            _known.clear()
        pairs = (f'{name}="{_escaped(value)}"' for name, value in sorted(zip(names, values, strict=True)))
        found = _known[names, values] = "{" + ",".join(pairs) + "}" if names else ""
    return found


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
    names, labels = (*spec.labels, "le"), labels_of(spec.labels, values)
    found = [f"{spec.name}_bucket{labels_of(names, (*values, bound))} {upto}\n" for bound, upto in buckets]
    return "".join((*found, f"{spec.name}_count{labels} {buckets[-1][1]}\n", f"{spec.name}_sum{labels} {amount}\n"))


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
