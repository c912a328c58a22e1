"""The exposition's text, held against prometheus-client's own, and read back by its parsers."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from prometheus_client import exposition as client
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from agents.board import exposition
from agents.board.catalogue import MetricSpec
from agents.board.exposition import counter, gauge, histogram, histogram_series, labels_of, text_of
from agents.board.metrics import PROCESS

QUEUE: Final = ("queue", "channel")
#: All that a queue's name can do to the format.
ODD: Final = ('a "b" \\ \n größe {},=', "voice")
SALES: Final = ("sales", "voice")


class Families:
    """Some of each kind."""

    def collect(self) -> Iterator[Metric]:
        yield counter(MetricSpec("calls", "counter", 'Calls\\ "so far".', QUEUE), [(SALES, 3.0), (ODD, 1e9)])
        yield gauge(MetricSpec("level", "gauge", "Level\nnow.", QUEUE), [(SALES, 0.1 + 0.2), (ODD, None)])
        yield gauge(MetricSpec("up", "gauge", "Up."), [((), 1.0)])
        buckets = [("0.5", 1.0), ("10.0", 4.0), ("+Inf", 7.0)]
        waits = MetricSpec("wait", "histogram", "Waits.", QUEUE)
        series = [histogram_series(waits, ODD, buckets, 12.25), histogram_series(waits, SALES, buckets, 0.5)]
        yield histogram(waits, series)
        yield from PROCESS.collect()


def read(lines: Any) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    samples = (sample for family in lines for sample in family.samples)
    return {(each.name, frozenset(each.labels.items())): each.value for each in samples}


def without_time(text: str) -> list[str]:
    """Drop what changes between two looks at this process."""
    return [line for line in text.splitlines() if not line.startswith("process_")]


def test_the_text_is_that_of_prometheus_client() -> None:
    text = "".join(text_of(family, openmetrics=False) for family in Families().collect())
    expected = client.generate_latest(Families()).decode()
    assert without_time(text) == [line.replace("1e+09", "1000000000.0") for line in without_time(expected)]


def test_what_prometheus_client_reads_is_what_it_wrote_itself() -> None:
    text = "".join(text_of(family, openmetrics=False) for family in Families().collect())
    found, expected = read(read_text(text)), read(read_text(client.generate_latest(Families()).decode()))
    assert found.keys() == expected.keys()
    assert found["wait_bucket", frozenset({*zip(QUEUE, ODD, strict=True), ("le", "10.0")})] == 4


def test_openmetrics_is_read_as_what_prometheus_client_wrote_itself() -> None:
    text = "".join(text_of(family, openmetrics=True) for family in Families().collect()) + "# EOF\n"
    expected = openmetrics.generate_latest(Families()).decode()  # type: ignore[no-untyped-call]
    found = read(read_openmetrics(text))  # type: ignore[no-untyped-call]
    assert found.keys() == read(read_openmetrics(expected)).keys()  # type: ignore[no-untyped-call]
    assert found["calls_total", frozenset(zip(QUEUE, ODD, strict=True))] == 1e9


def test_series_that_come_and_go_do_not_grow_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "MOST_SERIES", 100)
    known: dict[Any, Any] = {}
    monkeypatch.setattr(exposition, "_known", known)
    for number in range(1_000):
        assert labels_of(("queue",), (f"q{number}",)) == {"queue": f"q{number}"}
    assert 0 < len(known) <= 100
    assert labels_of(("queue",), ("q999",)) is labels_of(("queue",), ("q999",))
