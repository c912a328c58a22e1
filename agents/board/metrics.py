"""What Prometheus scrapes: the collector that fills the metrics of the catalogue."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import accumulate
from typing import Any, Final

from prometheus_client import ProcessCollector

from agents.board.catalogue import METRICS, QUEUE
from agents.board.exposition import Family, counter, gauge, histogram_lines, labels_of
from agents.board.figures import Figures, Rows, agents_by_state, occupancy
from agents.board.follower import Follower
from agents.board.model import TODAY
from agents.board.servicemetrics import service_metrics
from agents.board.windowed import SLICE, windowed
from streams import kpis
from streams.contact import Place
from streams.events import AGENT_STATES, CHANNELS
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

#: The board's own memory and time; it tells nothing where there is no /proc.
PROCESS: Final = ProcessCollector(registry=None)

#: The channel of a queue that does not say another, before its first contact has.
VOICE: Final = CHANNELS[0]

NO_PERIODS: Final[Mapping[str, list[Figures]]] = {}

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


LEFT_BY_REASON: Final = "callcenter_contacts_left_by_reason"
WAITS: Final = "callcenter_wait_seconds"
HANDLES: Final = "callcenter_handle_seconds"
#: The families of counters that each place has one string of lines in.
_OF_CONTACTS: Final = (*_COUNTERS, "callcenter_contacts_left", LEFT_BY_REASON, WAITS, HANDLES)


def _counter(name: str, samples: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    return counter(_SPECS[name], samples)


def _gauge(name: str, samples: Iterable[tuple[tuple[str, ...], float | None]]) -> Family:
    return gauge(_SPECS[name], samples)


def cumulative(counts: Iterable[tuple[int, int]], bounds_ms: tuple[int, ...]) -> list[tuple[str, float]]:
    """Return (upper bound in seconds, count up to it), +Inf last, from (bin, count)."""
    within = [0] * (len(bounds_ms) + 1)
    for number, count in counts:
        within[bisect_left(bounds_ms, EDGES[number])] += count
    return [(bound, float(upto)) for bound, upto in zip(_bounds(bounds_ms), accumulate(within), strict=True)]


@cache
def _bounds(bounds_ms: tuple[int, ...]) -> list[str]:
    return [*(str(bound / SECOND_MS) for bound in bounds_ms), "+Inf"]


class _Counted:
    """The lines of one place's counters, a string for each family of ``_OF_CONTACTS``, kept until they change."""

    def __init__(self, place: Place) -> None:
        self._place, self._labels = place, labels_of(QUEUE, place)
        self._row: Row | None = None
        self._lines: list[str] = []
        #: values of the labels -> what a series was made of, and its lines
        self._series: dict[tuple[str, ...], tuple[object, str]] = {}

    def lines_of(self, row: Row) -> list[str]:
        """Return the lines of ``row``, which is another object once it has changed."""
        if self._row is not row:
            self._row, self._lines = row, self._made(row)
        return self._lines

    def _made(self, row: Row) -> list[str]:
        lines = [f"{name}_total{self._labels} {row.get(measure, 0)}\n" for name, measure in _COUNTERS.items()]
        lines.append(f"callcenter_contacts_left_total{self._labels} {kpis.left(row)}\n")
        left = [(measure.name.removeprefix("LEFT_").lower(), row[measure]) for measure in LEFT if measure in row]
        by_reason = _counter(LEFT_BY_REASON, (((*self._place, reason), count) for reason, count in left))
        answered = self._histogram(
            WAITS, row, Histogram.WAIT_ANSWERED, row.get(Measure.WAIT_ANSWERED_MS, 0), "answered"
        )
        gone = self._histogram(WAITS, row, Histogram.WAIT_ABANDONED, row.get(Measure.WAIT_ABANDONED_MS, 0), "abandoned")
        handled = self._histogram(HANDLES, row, Histogram.HANDLE_TIME, kpis.handle_ms(row))
        return [*lines, "".join(by_reason.pieces), answered + gone, handled]

    def _histogram(self, name: str, row: Row, histogram: Histogram, sum_ms: int, *outcome: str) -> str:
        of, key = (list(bins(row, histogram)), sum_ms), (name, *outcome)
        known = self._series.get(key)
        if known is None or known[0] != of:
            bounds = WAIT_BOUNDS_MS if name == WAITS else HANDLE_BOUNDS_MS
            buckets = cumulative(of[0], bounds)
            lines = histogram_lines(_SPECS[name], (*self._place, *outcome), buckets, sum_ms / SECOND_MS)
            known = self._series[key] = (of, lines)
        return known[1]


class Collector:
    """Yields all metric families from what the follower knows now."""

    def __init__(
        self,
        follower: Follower,
        policies: Policies,
        windows: Iterable[str],
        version: str,
        long: Mapping[str, list[Figures]] = NO_PERIODS,
    ) -> None:
        """Tell of ``windows``, and of ``long`` periods what is worked out elsewhere: period -> rows."""
        self._follower = follower
        self._policies = policies
        self._windows = (*windows, TODAY)
        self._version = version
        self._long = long
        self._made: dict[Place, _Counted] = {}

    def collect(self) -> Iterator[Family | None]:
        """Yield every family of ``METRICS``, and None now and then, when others may have their turn."""
        counters = self._follower.model.counters() if self._follower.whole else {}
        yield from self._contacts(counters)
        if self._follower.whole:
            yield from self._windowed(counters)
        yield from self._promises(counters)
        yield from self._agents()
        yield from self._pipeline()
        for family in PROCESS.collect():
            if family.name in _SPECS:
                samples = (((), sample.value) for sample in family.samples)
                yield (_counter if family.type == "counter" else _gauge)(family.name, samples)

    def _contacts(self, counters: Mapping[Place, Row]) -> Iterator[Family | None]:
        lines: list[list[str]] = []
        for number, (place, row) in enumerate(sorted(counters.items(), key=lambda item: item[0])):
            known = self._made.setdefault(place, _Counted(place))
            lines.append(known.lines_of(row))
            if number % SLICE == 0:
                yield None
        columns = list(zip(*lines, strict=True)) or [()] * len(_OF_CONTACTS)
        for name, pieces in zip(_OF_CONTACTS, columns, strict=True):
            yield Family(_SPECS[name], pieces)

    def _windowed(self, counters: Iterable[Place]) -> Iterator[Family | None]:
        of, newest = self._policies, list[Figures]()
        places = sorted(Rows(self._follower.model, of, TODAY, self._follower.now).places())
        for start in range(0, len(places), SLICE):
            rows = Rows(self._follower.model, of, TODAY, self._follower.now)
            newest += [rows.present(place) for place in places[start : start + SLICE]]
            yield None
        # Of a queue that is known nobody waiting is a figure too, be its day only just begun.
        lengths = dict.fromkeys(counters, 0) | {_place(row): row["queue_length"] for row in newest}
        yield _gauge("callcenter_queue_length", sorted(lengths.items()))
        longest = ((_place(row), row["longest_wait_seconds"]) for row in newest)
        yield _gauge("callcenter_longest_wait_seconds", longest)
        yield from windowed(lambda: (self._follower.model, self._follower.now), of, self._windows)
        yield from service_metrics(self._follower.model, of, self._windows, newest, self._long)

    def _promises(self, places: Iterable[Place]) -> Iterator[Family]:
        of, now = self._policies, self._follower.now
        promises = [(place, of.of(place[0])) for place in self._promised(places)]
        yield _gauge("callcenter_service_level_target_ratio", ((place, p.target_ratio) for place, p in promises))
        thresholds = ((place, p.threshold_ms / SECOND_MS) for place, p in promises)
        yield _gauge("callcenter_service_level_threshold_seconds", thresholds)
        yield _gauge("callcenter_abandonment_target_ratio", ((place, p.abandonment_ratio) for place, p in promises))
        yield _gauge("callcenter_queue_length_limit", ((place, p.queue_length_limit) for place, p in promises))
        limits = ((place, _seconds(p.longest_wait_limit_ms)) for place, p in promises)
        yield _gauge("callcenter_longest_wait_limit_seconds", limits)
        yield _gauge("callcenter_minimum_contacts", ((place, p.minimum_contacts) for place, p in promises))
        opened = {queue: float(of.is_open(queue, now)) for queue in {place[0] for place, _ in promises}}
        yield _gauge("callcenter_queue_open", ((place, opened[place[0]]) for place, _ in promises))
        terms = (((*place, of.groups.get(place[0], ""), p.formula), 1) for place, p in promises)
        yield _gauge("callcenter_queue_info", terms)

    def _promised(self, places: Iterable[Place]) -> list[Place]:
        """Return all places that have a promise: those seen, and queues of the file that nobody has contacted yet."""
        seen = set(places)
        names = {queue for queue, _ in seen}
        listed = {(queue, self._policies.channels.get(queue, VOICE)) for queue in self._policies.queues}
        return sorted(seen | {place for place in listed if place[0] not in names})

    def _agents(self) -> Iterator[Family]:
        model, now = self._follower.model, self._follower.now
        yield _gauge("callcenter_agents", (((state,), count) for state, count in agents_by_state(model).items()))
        served = Counter((queue, state) for state, _, queues in model.people.values() for queue in queues)
        # Nobody in a state is a figure too: an alert must see that all of a queue's agents went home.
        places = ((queue, state) for queue in sorted({queue for queue, _ in served}) for state in AGENT_STATES)
        yield _gauge("callcenter_queue_agents", ((place, served[place]) for place in places))
        shares = (((window,), occupancy(model, window, now)) for window in self._windows)
        yield _gauge("callcenter_occupancy_ratio", shares)

    def _counted(self, stats: Mapping[str, Mapping[str, int]]) -> Iterator[Family]:
        yield _counter("callwatch_events", _by_topic(stats, "event:"))
        yield _counter("callwatch_dead_letters", _by_topic(stats, "dead:"))
        everything = _summed(stats)
        commits = [(int(n[len("commit:") :]), count) for n, count in everything.items() if n.startswith("commit:")]
        buckets = cumulative(commits, COMMIT_BOUNDS_MS)
        spec, took = _SPECS["callwatch_commit_seconds"], everything.get("commit_ms", 0) / SECOND_MS
        yield Family(spec, [histogram_lines(spec, (), buckets, took)])
        yield _counter("callwatch_commits_refused", [((), everything.get("refused", 0))])
        yield _counter("callwatch_offset_resets", [((), everything.get("offset_resets", 0))])

    def _pipeline(self) -> Iterator[Family]:
        beats, health = self._follower.beats, self._follower.health()
        if self._follower.whole:
            yield from self._counted(self._follower.model.stats)
        ages = self._follower.ages()
        lags = {name: beat.lag_ms / SECOND_MS + max(0, ages[name] - 2) for name, beat in sorted(beats.items())}
        yield _gauge("callwatch_event_lag_seconds", ((_labels(name), lag) for name, lag in lags.items()))
        marks = ((_labels(name), beat.watermark / SECOND_MS) for name, beat in sorted(beats.items()) if beat.watermark)
        yield _gauge("callwatch_last_event_timestamp_seconds", marks)
        yield _gauge("callwatch_worker_age_seconds", ((_labels(name), age) for name, age in sorted(ages.items())))
        memory = ((_labels(name), beat.memory) for name, beat in sorted(beats.items()))
        yield _gauge("callwatch_worker_resident_memory_bytes", memory)
        yield _gauge("callwatch_up", [((), float(not health.stale))])
        yield _gauge("callwatch_store_reachable", [((), float(health.store_reachable))])
        yield _gauge("callwatch_workers_alive", [((), float(bool(ages) and self._follower.alive))])
        yield _gauge("callwatch_build_info", [((self._version,), 1)])


def _place(row: Mapping[str, Any]) -> Place:
    return row["queue"], row["channel"]


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / SECOND_MS


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
