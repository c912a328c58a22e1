"""queues.yaml -> policies, with every mistake in it named by line and key.

The file is composed into YAML's nodes and no further: they keep the line and the text of every value, so that
``80 %``, ``08:00`` and ``2027-12-25`` are read here and not as YAML guesses, and all mistakes are found at once.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from config.errors import UsageError, nearest, one_line
from config.settings import format_duration, parse_duration
from streams.events import CHANNELS, Id, QueueName
from streams.policy import FORMULAS, WEEKDAYS, Opening, Policies, Promise

T = TypeVar("T")

ROOT_KEYS: Final = ("timezone", "defaults", "queues", "skills")
NULL_TAG: Final = "tag:yaml.org,2002:null"
MINUTES: Final = 60
DAY_MINUTES: Final = 24 * MINUTES


class Entry(NamedTuple):
    """A value in the file: the line of its key (of itself in a list), the keys that lead to it, its node."""

    line: int
    path: str
    node: Node


class Reader:
    """Reads values of the file and notes what is wrong with them; every error is (line, message)."""

    def __init__(self) -> None:
        self.errors: list[tuple[int, str]] = []

    def fault(self, entry: Entry, what: str) -> None:
        """Note that ``what`` is wrong with ``entry``."""
        self.errors.append((entry.line, one_line(f"{entry.path}: {what}" if entry.path else what)))

    def mapping(self, entry: Entry, known: Collection[str] = ()) -> dict[str, Entry]:
        """Return the entries of a mapping, by key; of no others than ``known``, if given. Nothing is an empty one."""
        if _is_null(entry.node):
            return {}
        if not isinstance(entry.node, MappingNode):
            self.fault(entry, "has no keys under it; write keys with values, each on a line of its own, indented")
            return {}
        entries: dict[str, Entry] = {}
        for key, value in entry.node.value:
            line = key.start_mark.line + 1
            name = str(key.value) if isinstance(key, ScalarNode) else "?"
            found = Entry(line, f"{entry.path}.{name}".lstrip("."), value)
            if known and name not in known:
                hint = nearest(name, known) or f"; write one of {', '.join(known)}"
                self.fault(found, f"no such key{hint}")
            elif name in entries:
                self.fault(found, f"given twice, first in line {entries[name].line}; write it once")
            else:
                entries[name] = found
        return entries

    def items(self, entry: Entry, example: str) -> list[Entry]:
        """Return the entries of a list."""
        if not isinstance(entry.node, SequenceNode):
            self.fault(entry, f"is not a list; write {example}")
            return []
        return [Entry(node.start_mark.line + 1, entry.path, node) for node in entry.node.value]

    def value(self, entry: Entry, parse: Callable[[str], T]) -> T | None:
        """Return what ``parse`` makes of a single value; None where it is wrong."""
        if not isinstance(entry.node, ScalarNode):
            self.fault(entry, "has keys or a list under it; write one value")
        elif _is_null(entry.node):
            self.fault(entry, "has no value; write one, or leave the key out")
        else:
            try:
                return parse(entry.node.value.strip())
            except UsageError as error:
                self.fault(entry, str(error))
        return None


def load_policies(path: Path) -> Policies:
    """Return what the file at ``path`` says.

    Raise UsageError with all that is wrong in it, each on a line ``path:line: key: what; what is allowed``.
    """
    root = _compose(path)
    reader = Reader()
    policies = _policies(reader, Entry(root.start_mark.line + 1, "", root))
    if reader.errors:
        raise UsageError("\n".join(f"{path}:{line}: {message}" for line, message in sorted(reader.errors)))
    return policies


def _compose(path: Path) -> Node:
    """Return the root of the file's nodes; raise UsageError where it cannot be read or is not YAML."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); CALLWATCH_QUEUES or --queues names it") from None
    try:
        root: Node | None = YAML().compose(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from None
    except RecursionError:
        raise UsageError(f"{path}:1: is nested too deeply to be meant; take out brackets") from None
    except YAMLError as error:
        line, what = _yaml_error(error, data)
        raise UsageError(f"{path}:{line}: {one_line(what)}") from None
    if root is None or _is_null(root):
        raise UsageError(f"{path}:1: is empty; write at least queues, as the example that comes with callwatch does")
    return root


def _yaml_error(error: YAMLError, data: bytes) -> tuple[int, str]:
    """Return the line of a mistake in the YAML, and what it is."""
    if isinstance(error, ReaderError):
        before = data.decode("utf-8-sig")[: error.position]
        return before.count("\n") + 1, f"is not YAML: {error.reason}; take out the control character"
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return 1, f"is not YAML: {' '.join(str(error).split())}"
    line = error.problem_mark.line + 1
    if "'\\t'" in str(error.problem):
        return line, "a tab; YAML is indented with spaces"
    context = f" {error.context}" if error.context else ""
    opened = f" that began in line {error.context_mark.line + 1}" if context and error.context_mark else ""
    return line, f"is not YAML: {error.problem}{context}{opened}; check colons, quotes, brackets and indentation"


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == NULL_TAG


def _policies(reader: Reader, root: Entry) -> Policies:
    sections = reader.mapping(root, ROOT_KEYS)
    values: dict[str, Any] = {}
    if "timezone" in sections:
        values["timezone"] = reader.value(sections["timezone"], _timezone)
    default = Promise()
    if "defaults" in sections:
        default = _promise(reader, sections["defaults"], reader.mapping(sections["defaults"], PROMISE_KEYS), default)
    queues: dict[str, Promise] = {}
    groups: dict[str, str] = {}
    channels: dict[str, str] = {}
    for name, entry in (reader.mapping(sections["queues"]) if "queues" in sections else {}).items():
        _check_name(reader, entry, name, QueueName)
        keys = reader.mapping(entry, (*PROMISE_KEYS, *QUEUE_KEYS))
        group = reader.value(keys["group"], str) if "group" in keys else None
        if group:
            groups[name] = group
        channel = reader.value(keys["channel"], _channel) if "channel" in keys else None
        if channel:
            channels[name] = channel
        queues[name] = _promise(reader, entry, keys, default)
    skills = _skills(reader, sections["skills"], queues) if "skills" in sections else {}
    return Policies(queues=queues, default=default, groups=groups, channels=channels, skills=skills, **values)


def _check_name(reader: Reader, entry: Entry, name: str, kind: Any) -> None:
    """Note a name that no event can carry."""
    try:
        msgspec.convert(name, kind)
    except msgspec.ValidationError as error:
        reader.fault(entry, f'"{name[:40]}" is not a name: {error}')


def _promise(reader: Reader, entry: Entry, keys: Mapping[str, Entry], default: Promise) -> Promise:
    """Return the promise of ``keys``, and of ``default`` where they say nothing."""
    values: dict[str, Any] = {}
    for key, field, parse in PROMISE_VALUES:
        if key in keys:
            values[field] = reader.value(keys[key], parse)
    if "service_level" in keys:
        parts = reader.mapping(keys["service_level"], [key for key, _, _ in SERVICE_LEVEL_VALUES])
        for key, field, parse in SERVICE_LEVEL_VALUES:
            if key in parts:
                values[field] = reader.value(parts[key], parse)
    if "hours" in keys:
        values["hours"] = _hours(reader, keys["hours"])
    if "holidays" in keys:
        days = reader.items(keys["holidays"], "[2027-01-01, 2027-12-25]")
        values["holidays"] = frozenset(reader.value(day, _date) for day in days)
    # What is wrong is noted, and None: an absent limit is written "none", and reads as NO_LIMIT.
    kept = {field: None if value is NO_LIMIT else value for field, value in values.items() if value is not None}
    promise = msgspec.structs.replace(default, **kept)
    _check_times(reader, entry, promise, default)
    return promise


def _check_times(reader: Reader, entry: Entry, promise: Promise, default: Promise) -> None:
    """Note times that the longest credible wait would cut off: nobody could wait as long."""
    longest = promise.longest_credible_wait_ms
    for key, field in (
        ("service_level.within", "threshold_ms"),
        ("short_abandon", "short_abandon_ms"),
        ("longest_wait_limit", "longest_wait_limit_ms"),
    ):
        value = getattr(promise, field)
        inherited = (value, longest) == (getattr(default, field), default.longest_credible_wait_ms)
        if value is not None and value >= longest and not inherited:
            what = f"{key} ({format_duration(value)}) is not below longest_credible_wait ({format_duration(longest)})"
            reader.fault(entry, f"{what}; change one of them")


def _ratio(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(%?)", text)
    ratio = Decimal(found[1]) / (100 if found[2] else 1) if found else None
    if ratio is None or ratio > 1:
        raise UsageError(f'"{text}" is not a ratio; write 80 % or 0.8')
    return float(ratio)


def _formula(text: str) -> str:
    if text not in FORMULAS:
        raise UsageError(f'"{text}" is not a formula{nearest(text, FORMULAS)}; write one of {", ".join(FORMULAS)}')
    return text


def _channel(text: str) -> str:
    if text not in CHANNELS:
        raise UsageError(f'"{text}" is not a channel{nearest(text, CHANNELS)}; write one of {", ".join(CHANNELS)}')
    return text


def _minimum(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text) is None or int(text) == 0:
        raise UsageError(f'"{text}" is not a number of contacts; write a whole number from 1 on, such as 20')
    return int(text)


def _count(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text) is None:
        raise UsageError(f'"{text}" is not a number of contacts; write a whole number such as 20, or none')
    return int(text)


#: Stands for ``none`` until all is read.
NO_LIMIT: Final = object()


def _limit(parse: Callable[[str], int]) -> Callable[[str], object]:
    """Return a parser of what ``parse`` reads, or ``none``."""
    return lambda text: NO_LIMIT if text == "none" else parse(text)


def _date(text: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise UsageError(f'"{text}" is not a date; write one such as 2027-12-25')


def _timezone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (KeyError, ValueError, OSError):
        hint = nearest(text, available_timezones())
        raise UsageError(f'"{text}" is not a time zone{hint}; write one such as UTC or Europe/Berlin') from None


SERVICE_LEVEL_VALUES: Final[tuple[tuple[str, str, Callable[[str], object]], ...]] = (
    ("target", "target_ratio", _ratio),
    ("within", "threshold_ms", parse_duration),
    ("formula", "formula", _formula),
)
PROMISE_VALUES: Final[tuple[tuple[str, str, Callable[[str], object]], ...]] = (
    ("short_abandon", "short_abandon_ms", parse_duration),
    ("abandonment", "abandonment_ratio", _ratio),
    ("longest_credible_wait", "longest_credible_wait_ms", parse_duration),
    ("queue_length_limit", "queue_length_limit", _limit(_count)),
    ("longest_wait_limit", "longest_wait_limit_ms", _limit(parse_duration)),
    ("minimum_contacts", "minimum_contacts", _minimum),
)
PROMISE_KEYS: Final = ("service_level", *(key for key, _, _ in PROMISE_VALUES), "hours", "holidays")
#: What only a queue itself can say.
QUEUE_KEYS: Final = ("group", "channel")


def _hours(reader: Reader, entry: Entry) -> tuple[Opening, ...] | None:
    """Return the opening hours, by weekday and time; empty for ``always``, None where there are none."""
    if isinstance(entry.node, ScalarNode) and entry.node.value == "always":
        return ()
    openings: list[Opening] = []
    noted = len(reader.errors)
    for name, day in reader.mapping(entry).items():
        weekdays = _weekdays(reader, day, name)
        stretches = reader.items(day, "[08:00-12:00, 13:00-18:00]") if isinstance(day.node, SequenceNode) else [day]
        for stretch in stretches:
            for opens, closes in reader.value(stretch, _stretches) or ():
                for weekday in weekdays:
                    _open(reader, stretch, openings, Opening(weekday, opens, closes))
    if not openings and len(reader.errors) == noted:
        reader.fault(entry, "is never open; write monday-friday: 08:00-20:00, or always")
    return tuple(sorted(openings, key=lambda each: (each.weekday, each.opens))) or None


def _open(reader: Reader, entry: Entry, openings: list[Opening], new: Opening) -> None:
    """Add ``new`` to ``openings`` unless it overlaps one of them."""
    for old in openings:
        if old.weekday == new.weekday and old.opens < new.closes and new.opens < old.closes:
            both = f"{_clock(new)} overlaps {_clock(old)} on {WEEKDAYS[new.weekday]}"
            reader.fault(entry, f"{both}; write stretches that do not overlap")
            return
    openings.append(new)


def _clock(opening: Opening) -> str:
    return "-".join(f"{at // MINUTES:02}:{at % MINUTES:02}" for at in (opening.opens, opening.closes))


def _weekdays(reader: Reader, entry: Entry, text: str) -> list[int]:
    """Return the weekdays of ``monday``, ``monday-friday`` or ``saturday, sunday``."""
    weekdays: list[int] = []
    for part in text.split(","):
        ends = [end.strip().lower() for end in part.split("-")]
        wrong = [end for end in ends if end not in WEEKDAYS]
        if wrong or len(ends) > len(("first", "last")):
            hint = nearest(wrong[0], WEEKDAYS) if wrong else ""
            reader.fault(entry, f'"{part.strip()}" is not a weekday{hint}; write monday, or monday-friday')
            return []
        first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
        weekdays += [(first + later) % len(WEEKDAYS) for later in range((last - first) % len(WEEKDAYS) + 1)]
    return weekdays


def _stretches(text: str) -> list[tuple[int, int]]:
    """Return opening and closing times, in minutes since midnight; none for ``closed``."""
    stretches: list[tuple[int, int]] = []
    for part in [] if text == "closed" else text.split(","):
        found = re.fullmatch(r"([0-9]{1,2}):([0-5][0-9]) ?- ?([0-9]{1,2}):([0-5][0-9])", part.strip())
        if found is None:
            raise UsageError(f'"{part.strip()}" is not a stretch of time; write 08:00-20:00, or closed')
        opens, closes = (int(found[at]) * MINUTES + int(found[at + 1]) for at in (1, 3))
        if closes > DAY_MINUTES:
            raise UsageError(f'"{part.strip()}" ends after the day does; write 24:00 at the latest')
        if opens >= closes:
            raise UsageError(
                f'"{part.strip()}" closes before it opens; past midnight, write 20:00-24:00 and 00:00-04:00'
            )
        stretches.append((opens, closes))
    return stretches


def _skills(reader: Reader, entry: Entry, queues: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the queues of each agent."""

    def listed(text: str) -> str:
        if text not in queues:
            hint = nearest(text, queues) or f"; write one of {', '.join(queues) or 'those under queues'}"
            raise UsageError(f'"{text}" is not among the queues{hint}')
        return text

    skills: dict[str, tuple[str, ...]] = {}
    for agent, served in reader.mapping(entry).items():
        _check_name(reader, served, agent, Id)
        names = [reader.value(item, listed) for item in reader.items(served, "[sales, support]")]
        skills[agent] = tuple(dict.fromkeys(name for name in names if name))
    return skills
