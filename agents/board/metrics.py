"""What Prometheus scrapes: the collector that fills the metrics of the catalogue."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from agents.board.catalogue import METRICS
from agents.board.figures import agents_by_state, live_rows, occupancy
from agents.board.follower import Follower
from agents.board.model import TODAY
from streams import kpis
from streams.contact import Place
from streams.measures import (
    EDGES,
    HANDLE_BOUNDS_MS,
    LEFT,
    WAIT_BOUNDS_MS,
    Histogram,
    Measure,
    Row,
    bins,
)
from streams.policy import SECOND_MS, Policies

_SPECS: Final = {spec.name: spec for spec in METRICS}

COMMIT_BOUNDS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)

_COUNTERS: Final = {
    "callcenter_contacts_offered": Measure.OFFERED,
    "callcenter_contacts_answered": Measure.ANSWERED,
    "callcenter_contacts_answered_within_target": Measure.ANSWERED_WITHIN_TARGET,
    "callcenter_contacts_abandoned": Measure.ABANDONED,
    "callcenter_contacts_short_abandoned": Measure.SHORT_ABANDONED,
    "callcenter_contacts_lost": Measure.LOST,
    "callcenter_contacts_handled": Measure.HANDLED,
}

_WINDOWED: Final[tuple[tuple[str, Callable[[dict[str, Any]], float | None]], ...]] = (
    ("callcenter_service_level_ratio", lambda row: row["service_level"][row["promise"]["formula"]]),
    ("callcenter_service_level_live_ratio", lambda row: row["service_level"]["live"]),
    ("callcenter_abandonment_ratio", lambda row: row["abandonment_rate"]),
    ("callcenter_average_speed_of_answer_seconds", lambda row: row["average_speed_of_answer_seconds"]),
    ("callcenter_average_handle_time_seconds", lambda row: row["average_handle_time_seconds"]),
    ("callcenter_queue_length_average", lambda row: row["queue_length_average"]),
)


def _counter(name: str, samples: Iterable[tuple[Iterable[str], float]]) -> Metric:
    family = CounterMetricFamily(name, _SPECS[name].help, labels=_SPECS[name].labels)
    for labels, value in samples:
        family.add_metric(list(labels), value)
    return family


def _gauge(name: str, samples: Iterable[tuple[Iterable[str], float | None]]) -> Metric:
    family = GaugeMetricFamily(name, _SPECS[name].help, labels=_SPECS[name].labels)
    for labels, value in samples:
        if value is not None:
            family.add_metric(list(labels), value)
    return family


def _histogram(name: str, samples: Iterable[tuple[Iterable[str], list[tuple[str, float]], float]]) -> Metric:
    family = HistogramMetricFamily(name, _SPECS[name].help, labels=_SPECS[name].labels)
    for labels, buckets, total_ms in samples:
        family.add_metric(list(labels), buckets, total_ms / SECOND_MS)
    return family


def cumulative(counts: Iterable[tuple[int, int]], bounds_ms: Iterable[int]) -> list[tuple[str, float]]:
    """Return (upper bound in seconds, count up to it), +Inf last, from (bin, count)."""
    left, seen, result = sorted(counts), 0, []
    for bound in bounds_ms:
        while left and EDGES[left[0][0]] <= bound:
            seen += left.pop(0)[1]
        result.append((str(bound / SECOND_MS), float(seen)))
    return [*result, ("+Inf", float(seen + sum(count for _, count in left)))]


class Collector:
    """Yields all metric families from what the follower knows now."""

    def __init__(self, follower: Follower, policies: Policies, windows: Iterable[str], version: str) -> None:
        self._follower = follower
        self._policies = policies
        self._windows = (*windows, TODAY)
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """Yield every family of ``METRICS``."""
        counters = self._follower.model.counters()
        yield from self._contacts(counters)
        yield from self._windowed(counters)
        yield from self._promises(counters)
        yield from self._agents()
        yield from self._pipeline()

    def _contacts(self, counters: Mapping[Place, Row]) -> Iterator[Metric]:
        places = sorted(counters)
        for name, measure in _COUNTERS.items():
            yield _counter(name, ((place, counters[place].get(measure, 0)) for place in places))
        yield _counter("callcenter_contacts_left", ((place, kpis.left(counters[place])) for place in places))
        yield _counter(
            "callcenter_contacts_left_by_reason",
            (
                ((*place, measure.name.removeprefix("LEFT_").lower()), counters[place][measure])
                for place in places
                for measure in LEFT
                if measure in counters[place]
            ),
        )
        outcomes = (
            ("answered", Histogram.WAIT_ANSWERED, Measure.WAIT_ANSWERED_MS),
            ("abandoned", Histogram.WAIT_ABANDONED, Measure.WAIT_ABANDONED_MS),
        )
        yield _histogram(
            "callcenter_wait_seconds",
            (
                ((*place, outcome), cumulative(bins(row, histogram), WAIT_BOUNDS_MS), row.get(measure, 0))
                for place, row in sorted(counters.items())
                for outcome, histogram, measure in outcomes
            ),
        )
        yield _histogram(
            "callcenter_handle_seconds",
            (
                (place, cumulative(bins(row, Histogram.HANDLE_TIME), HANDLE_BOUNDS_MS), kpis.handle_ms(row))
                for place, row in sorted(counters.items())
            ),
        )

    def _windowed(self, counters: Iterable[Place]) -> Iterator[Metric]:
        model, now = self._follower.model, self._follower.now
        tables = {window: live_rows(model, self._policies, window, now)[:-1] for window in self._windows}
        newest = tables[TODAY]
        # Of a queue that is known nobody waiting is a figure too, be its day only just begun.
        lengths = dict.fromkeys(counters, 0) | {_place(row): row["queue_length"] for row in newest}
        yield _gauge("callcenter_queue_length", sorted(lengths.items()))
        longest = ((_place(row), row["longest_wait_seconds"]) for row in newest)
        yield _gauge("callcenter_longest_wait_seconds", longest)
        for name, figure in _WINDOWED:
            samples = (((*_place(row), window), figure(row)) for window, rows in tables.items() for row in rows)
            yield _gauge(name, samples)

    def _promises(self, places: Iterable[Place]) -> Iterator[Metric]:
        promises = [(place, self._policies.of(place[0])) for place in sorted(places)]
        yield _gauge("callcenter_service_level_target_ratio", ((place, p.target_ratio) for place, p in promises))
        thresholds = ((place, p.threshold_ms / SECOND_MS) for place, p in promises)
        yield _gauge("callcenter_service_level_threshold_seconds", thresholds)
        yield _gauge("callcenter_abandonment_target_ratio", ((place, p.abandonment_ratio) for place, p in promises))

    def _agents(self) -> Iterator[Metric]:
        model, now = self._follower.model, self._follower.now
        yield _gauge("callcenter_agents", (((state,), count) for state, count in agents_by_state(model).items()))
        shares = (((window,), occupancy(model, window, now)) for window in self._windows)
        yield _gauge("callcenter_occupancy_ratio", shares)

    def _pipeline(self) -> Iterator[Metric]:
        stats, beats, health = self._follower.model.stats, self._follower.beats, self._follower.health()
        yield _counter("callwatch_events", _by_topic(stats, "event:"))
        yield _counter("callwatch_dead_letters", _by_topic(stats, "dead:"))
        ages = self._follower.ages()
        lags = {name: beat.lag_ms / SECOND_MS + max(0, ages[name] - 2) for name, beat in sorted(beats.items())}
        yield _gauge("callwatch_event_lag_seconds", ((_labels(name), lag) for name, lag in lags.items()))
        marks = ((_labels(name), beat.watermark / SECOND_MS) for name, beat in sorted(beats.items()) if beat.watermark)
        yield _gauge("callwatch_last_event_timestamp_seconds", marks)
        yield _gauge("callwatch_worker_age_seconds", ((_labels(name), age) for name, age in sorted(ages.items())))
        everything = _summed(stats)
        commits = [(int(n[len("commit:") :]), count) for n, count in everything.items() if n.startswith("commit:")]
        buckets = cumulative(commits, COMMIT_BOUNDS_MS)
        yield _histogram("callwatch_commit_seconds", [((), buckets, everything.get("commit_ms", 0))])
        yield _counter("callwatch_commits_refused", [((), everything.get("refused", 0))])
        yield _counter("callwatch_offset_resets", [((), everything.get("offset_resets", 0))])
        yield _gauge("callwatch_up", [((), float(not health.stale))])
        yield _gauge("callwatch_build_info", [((self._version,), 1)])


def _place(row: Mapping[str, Any]) -> Place:
    return row["queue"], row["channel"]


def _labels(partition: str) -> tuple[str, str]:
    topic, number = partition.split("/")
    return f"callcenter.{topic}", number


def _by_topic(stats: Mapping[str, Mapping[str, int]], prefix: str) -> list[tuple[tuple[str, str], int]]:
    sums: dict[tuple[str, str], int] = {}
    for partition, counts in stats.items():
        topic = _labels(partition)[0]
        for name, count in counts.items():
            if name.startswith(prefix):
                key = (topic, name.removeprefix(prefix))
                sums[key] = sums.get(key, 0) + count
    return sorted(sums.items())


def _summed(stats: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for counts in stats.values():
        for name, count in counts.items():
            sums[name] = sums.get(name, 0) + count
    return sums
