"""The exposition's text, held against prometheus-client's own, and read back by its parsers."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from prometheus_client import exposition as client
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from agents.board import exposition
from agents.board.catalogue import MetricSpec
from agents.board.exposition import Family, counter, gauge, histogram_lines, labels_of, text_of

QUEUE: Final = ("queue", "channel")
#: All that a queue's name can do to the format.
ODD: Final = ('a "b" \\ \n größe {},=', "voice")
SALES: Final = ("sales", "voice")


CALLS: Final = MetricSpec("calls", "counter", 'Calls\\ "so far".', QUEUE)
LEVEL: Final = MetricSpec("level", "gauge", "Level\nnow.", QUEUE)
UP: Final = MetricSpec("up", "gauge", "Up.")
WAITS: Final = MetricSpec("wait", "histogram", "Waits.", QUEUE)
BUCKETS: Final = [("0.5", 1.0), ("10.0", 4.0), ("+Inf", 7.0)]


def ours(*, openmetrics: bool = False) -> str:
    """Return some of each kind as written here."""
    families = (
        counter(CALLS, [(SALES, 3.0), (ODD, 1e9)]),
        gauge(LEVEL, [(SALES, 0.1 + 0.2), (ODD, None)]),
        gauge(UP, [((), 1.0)]),
        Family(WAITS, [histogram_lines(WAITS, ODD, BUCKETS, 12.25), histogram_lines(WAITS, SALES, BUCKETS, 0.5)]),
    )
    return "".join(text_of(family, openmetrics=openmetrics) for family in families)


class Theirs:
    """The same, as prometheus-client has it."""

    def collect(self) -> Iterator[Metric]:
        calls = CounterMetricFamily(CALLS.name, CALLS.help, labels=QUEUE)
        calls.add_metric(SALES, 3.0)
        calls.add_metric(ODD, 1e9)
        level = GaugeMetricFamily(LEVEL.name, LEVEL.help, labels=QUEUE)
        level.add_metric(SALES, 0.1 + 0.2)
        waits = HistogramMetricFamily(WAITS.name, WAITS.help, labels=QUEUE)
        waits.add_metric(ODD, BUCKETS, 12.25)
        waits.add_metric(SALES, BUCKETS, 0.5)
        yield from (calls, level, GaugeMetricFamily(UP.name, UP.help, 1.0), waits)


def read(lines: Any) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    samples = (sample for family in lines for sample in family.samples)
    return {(each.name, frozenset(each.labels.items())): each.value for each in samples}


def test_the_text_is_that_of_prometheus_client() -> None:
    expected = client.generate_latest(Theirs()).decode()
    assert ours().splitlines() == expected.replace("1e+09", "1000000000.0").splitlines()


def test_what_prometheus_client_reads_is_what_it_wrote_itself() -> None:
    found, expected = read(read_text(ours())), read(read_text(client.generate_latest(Theirs()).decode()))
    assert found == expected
    assert found["wait_bucket", frozenset({*zip(QUEUE, ODD, strict=True), ("le", "10.0")})] == 4


def test_openmetrics_is_read_as_what_prometheus_client_wrote_itself() -> None:
    text = ours(openmetrics=True) + "# EOF\n"
    expected = openmetrics.generate_latest(Theirs()).decode()  # type: ignore[no-untyped-call]
    found = read(read_openmetrics(text))  # type: ignore[no-untyped-call]
    assert found == read(read_openmetrics(expected))  # type: ignore[no-untyped-call]
    assert found["calls_total", frozenset(zip(QUEUE, ODD, strict=True))] == 1e9


def test_series_that_come_and_go_do_not_grow_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "MOST_SERIES", 100)
    known: dict[Any, Any] = {}
    monkeypatch.setattr(exposition, "_known", known)
    for number in range(1_000):
        assert labels_of(("queue",), (f"q{number}",)) == f'{{queue="q{number}"}}'
    assert 0 < len(known) <= 100
    assert labels_of(("queue",), ("q999",)) is labels_of(("queue",), ("q999",))
