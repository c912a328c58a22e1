"""What alert rules would have fired on past days: Prometheus' own engine over what the store keeps of them.

The store keeps intervals of a quarter of an hour. They become the series that the board would have exported, and
``promtool test rules`` evaluates the rules over them, with their ``for``, as Prometheus would. A quarter of an hour is
known when it is over: an alert comes up to that much later here than it would have come live. Rules that ask for what
no interval holds (who waits now, agents, callwatch itself) are not judged, and named.
"""

import json
import re
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agents import app
from agents.board.figures import Figures
from agents.board.history import BadRequestError, Span, interval_rows, iso, span_of
from agents.board.windowed import judged
from agents.processors.processor import wall_clock
from agents.store import Reader
from config.errors import UsageError, one_line
from config.queues import load_policies
from config.settings import Settings
from streams.contact import Place
from streams.events import milliseconds
from streams.policy import DAY_MS, MINUTE_MS, SECOND_MS, Policies
from streams.windows import INTERVAL_MS

#: Rules are evaluated this often: within the time for which Prometheus takes a sample to hold.
STEP_MS: Final = 5 * MINUTE_MS
#: The longest window that callwatch's own rules look back on, known before the first moment that is judged.
BEFORE_MS: Final = 3 * DAY_MS
#: Windows of the board, in intervals; of shorter ones than an interval it is the best that is known.
WINDOWS: Final = {"1m": 1, "5m": 1, "15m": 1, "30m": 2, "1h": 4}

Sums = tuple[int, int, int, int]  # met, judged, decided, abandoned
Series = dict[str, list[float | None]]

_NAME: Final = re.compile(r"\b(?:ALERTS|up|[a-zA-Z_][a-zA-Z0-9]*(?:[_:][a-zA-Z0-9_:]*))\b(?!\s*\()")
_FIRED: Final = re.compile(r'expr: ".*?", time: (\S+),\s+exp:\s*\S+\s+got:(.*)')
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_UNITS_MS: Final = {"d": DAY_MS, "h": 60 * MINUTE_MS, "m": MINUTE_MS, "s": SECOND_MS}


class Episode(msgspec.Struct, frozen=True, order=True):
    """One alert from when it fired to when it no longer did, in ms; ``end`` is None if it fired to the last."""

    start: int
    alert: str
    severity: str
    queue: str
    channel: str
    end: int | None


class Backtest(msgspec.Struct, frozen=True):
    """What would have fired, and the alerts that the store cannot tell of."""

    episodes: list[Episode]
    unjudged: list[str]


async def run(settings: Settings, rules: Sequence[Path], start: str | None, end: str | None) -> Backtest:
    """Return what ``callwatch backtest`` tells, from the store that ``settings`` name.

    ``start`` and ``end`` are RFC 3339; since local midnight and until now where None. Raise UsageError for what
    cannot be asked or answered.
    """
    policies = load_policies(settings.queues)
    store = app.open_store(settings)
    try:
        await app.require_store(store, settings)
        span = span_of(start, end, "15m", wall_clock(), policies.zone)
        return await backtest(store, policies, rules, span.start, span.end)
    except BadRequestError as error:
        raise UsageError(str(error)) from None
    finally:
        await store.close()


async def backtest(reader: Reader, policies: Policies, rules: Sequence[Path], start: int, end: int) -> Backtest:
    """Return what ``rules`` would have fired from ``start`` to ``end`` (ms). Raise UsageError for wrong rules."""
    tool = shutil.which("promtool")
    if tool is None:
        raise UsageError("promtool is not on the path, and it is Prometheus' engine that decides; install prometheus")
    first = start - BEFORE_MS
    rows = await interval_rows(reader, Span(first, end, INTERVAL_MS), policies.zone, None)
    if rows:
        first = max(first, min(start, _start_of(rows[0])))
    # Rules lay half hours end to end at whole ones of the clock, and promtool's clock begins at 0.
    first = first // DAY_MS * DAY_MS
    series = series_of(rows, policies, first, end)
    groups, unjudged = judgeable([_groups(tool, path) for path in rules], series)
    fired = _evaluate(tool, groups, series, range(start - first, end - first, STEP_MS)) if groups and series else {}
    return Backtest(sorted(_episodes(fired, first, end)), unjudged)


def series_of(rows: Iterable[Figures], policies: Policies, first: int, end: int) -> Series:
    """Return the series that a board would have exported, a value each ``STEP_MS`` from ``first`` to ``end``."""
    counted: defaultdict[Place, dict[int, Sums]] = defaultdict(dict)
    for row in rows:
        if row["queue"] is not None:
            met, of = judged(row, policies.of(row["queue"]).formula)
            sums = (met, of, row["answered"] + row["abandoned"], row["abandoned"])
            counted[row["queue"], row["channel"]][_start_of(row) // INTERVAL_MS] = sums
    series: Series = {}
    times = range(first, end + 1, STEP_MS)
    for place, intervals in counted.items():
        series |= _windowed(place, intervals, times)
        series |= _promised(place, policies, times)
    return series


def _start_of(row: Figures) -> int:
    return milliseconds(datetime.fromisoformat(row["start"]))


def _named(name: str, place: Place, **labels: str) -> str:
    pairs = {"queue": place[0], "channel": place[1], **labels}
    return f"callcenter_{name}{{{', '.join(f'{label}={json.dumps(value)}' for label, value in pairs.items())}}}"


def _windowed(place: Place, intervals: Mapping[int, Sums], times: range) -> Series:
    """Return counts and ratios over windows that end with the last whole interval."""
    series: Series = {}
    for window, length in WINDOWS.items():
        tops = ("service_level_met_contacts", "service_level_contacts", "decided_contacts")
        found = [_sums(intervals, at // INTERVAL_MS, length) for at in times]
        for which, name in enumerate(tops):
            series[_named(name, place, window=window)] = [sums[which] for sums in found]
        for name, top, bottom in (("service_level_ratio", 0, 1), ("abandonment_ratio", 3, 2)):
            ratios = [sums[top] / sums[bottom] if sums[bottom] else None for sums in found]
            series[_named(name, place, window=window)] = ratios
    return series


def _sums(intervals: Mapping[int, Sums], end: int, length: int) -> Sums:
    met, of, decided, abandoned = 0, 0, 0, 0
    for number in range(end - length, end):
        if (sums := intervals.get(number)) is not None:
            met, of, decided, abandoned = met + sums[0], of + sums[1], decided + sums[2], abandoned + sums[3]
    return met, of, decided, abandoned


def _promised(place: Place, policies: Policies, times: range) -> Series:
    """Return what the queue promises now, as if it always had, and when it was open."""
    promise = policies.of(place[0])
    constants: dict[str, float] = {
        "service_level_target_ratio": promise.target_ratio,
        "service_level_threshold_seconds": promise.threshold_ms / SECOND_MS,
        "abandonment_target_ratio": promise.abandonment_ratio,
        "minimum_contacts": promise.minimum_contacts,
    }
    series: Series = {_named(name, place): [value] * len(times) for name, value in constants.items()}
    series[_named("queue_open", place)] = [float(policies.is_open(place[0], at)) for at in times]
    return series


def _groups(tool: str, path: Path) -> list[dict[str, Any]]:
    """Return the rule groups of a file; raise UsageError where Prometheus would refuse it."""
    checked = subprocess.run([tool, "check", "rules", str(path)], capture_output=True, text=True, check=False)  # noqa: S603
    if checked.returncode:
        told = [line.strip() for line in checked.stderr.splitlines() if line.strip() not in ("", "FAILED:")]
        raise UsageError(
            one_line(f"{path}: {told[-1] if told else 'not a file of rules'}; promtool check rules tells more")
        )
    try:
        groups: list[dict[str, Any]] = YAML(typ="safe").load(path)["groups"]
    except (OSError, YAMLError, KeyError) as error:
        raise UsageError(one_line(f"{path}: {error}; write a file of Prometheus' rules")) from None
    return groups


def judgeable(files: Iterable[list[dict[str, Any]]], series: Iterable[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the groups with the alerts that ``series`` suffice for, and the names of the others."""
    groups = [group for file in files for group in file]
    known = {name.partition("{")[0] for name in series}
    recorded = {rule["record"]: rule["expr"] for group in groups for rule in group["rules"] if "record" in rule}

    def asked(expr: str, seen: frozenset[str] = frozenset()) -> set[str]:
        names = set(
            _NAME.findall(re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|on|without|ignoring)\s*\([^)]*\)", "", str(expr)))
        )
        deeper = {name for name in names if name in recorded and name not in seen}
        below = (asked(recorded[name], seen | {name}) for name in deeper)
        return (names - deeper).union(*below)

    kept, unjudged = [], []
    for group in groups:
        rules = []
        for rule in group["rules"]:
            wants = asked(rule["expr"]) - _WORDS
            if wants and wants <= known:
                rules.append(rule)
            elif "alert" in rule:
                unjudged.append(rule["alert"])
        kept.append({**group, "rules": rules})
    return [group for group in kept if group["rules"]], sorted(unjudged)


#: What looks like a series and is none.
_WORDS: Final = frozenset({"group_left", "group_right"})


def _evaluate(
    tool: str, groups: list[dict[str, Any]], series: Series, moments: range
) -> dict[int, list[dict[str, str]]]:
    """Return the labels of the alerts that fire at each of ``moments`` (ms since the first value)."""
    asked = 'sum by (alertname, severity, queue, channel) (ALERTS{alertstate="firing"})'
    case = {
        "rule_files": ["rules.json"],
        "evaluation_interval": f"{STEP_MS // SECOND_MS}s",
        "group_eval_order": [group["name"] for group in groups],
        "tests": [
            {
                "interval": f"{STEP_MS // SECOND_MS}s",
                "input_series": [{"series": name, "values": _written(values)} for name, values in series.items()],
                # Nothing is expected: what fires is told as not expected.
                "promql_expr_test": [{"expr": asked, "eval_time": f"{at // SECOND_MS}s"} for at in moments],
            }
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        # JSON is YAML.
        Path(folder, "rules.json").write_text(json.dumps({"groups": groups}), encoding="utf-8")
        Path(folder, "case.json").write_text(json.dumps(case), encoding="utf-8")
        command = [tool, "test", "rules", "case.json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    told = done.stdout + done.stderr
    fired = {
        _duration_ms(at): [dict(_LABEL.findall(one)) for one in got.split("}")[:-1]] for at, got in _FIRED.findall(told)
    }
    if done.returncode and not fired:
        raise UsageError(one_line(f"promtool cannot evaluate these rules: {told.strip().splitlines()[-1]}"))
    return fired


def _written(values: Iterable[float | None]) -> str:
    return " ".join("_" if value is None else f"{value:.9g}" for value in values)


def _duration_ms(text: str) -> int:
    return sum(int(number) * _UNITS_MS[unit] for number, unit in re.findall(r"(\d+)([dhms])", text))


def _episodes(fired: Mapping[int, list[dict[str, str]]], first: int, end: int) -> list[Episode]:
    moments: defaultdict[tuple[str, str, str, str], list[int]] = defaultdict(list)
    for at, alerts in fired.items():
        for labels in alerts:
            key = (labels["alertname"], labels.get("severity", ""), labels.get("queue", ""), labels.get("channel", ""))
            moments[key].append(first + at)
    episodes = []
    for key, times in moments.items():
        times.sort()
        begins = [at for before, at in zip([-STEP_MS, *times], times, strict=False) if at - before > STEP_MS]
        ends = [
            at + STEP_MS for at, after in zip(times, [*times[1:], end + DAY_MS], strict=True) if after - at > STEP_MS
        ]
        for begin, over in zip(begins, ends, strict=True):
            episodes.append(Episode(begin, *key, over if over < end else None))
    return episodes


def as_table(found: Backtest, say: Callable[[str], None]) -> None:
    """Tell people what would have fired."""
    for episode in found.episodes:
        until = "still firing" if episode.end is None else f"{(episode.end - episode.start) // MINUTE_MS} min"
        who = " ".join(part for part in (episode.queue, episode.channel) if part)
        say(f"{iso(episode.start)}  {episode.severity or '-':6}  {episode.alert}  {who}  {until}")
    pages = sum(episode.severity == "page" for episode in found.episodes)
    say(f"{len(found.episodes)} alerts, {pages} of them pages")
    if found.unjudged:
        say(f"not judged, for the store does not keep what they ask for: {', '.join(found.unjudged)}")
