"""queues.yaml -> policies, with every mistake in it named by line and key."""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from config.business import read_business
from config.errors import UsageError, nearest
from config.hours import opening_hours, shifts
from config.reader import Entry, Reader, Values, compose
from config.settings import format_duration, parse_duration
from config.values import iso_date, ratio
from streams.events import CHANNELS, Id, QueueName
from streams.policy import FORMULAS, Opening, Policies, Promise

ROOT_KEYS: Final = ("timezone", "defaults", "queues", "skills", "schedules", "business")


def load_policies(path: Path) -> Policies:
    """Return what the file at ``path`` says.

    Raise UsageError with all that is wrong in it, each on a line ``path:line: key: what; what is allowed``.
    """
    root = compose(path)
    reader = Reader()
    policies = _policies(reader, Entry(root.start_mark.line + 1, "", root))
    if reader.errors:
        raise UsageError("\n".join(f"{path}:{line}: {message}" for line, message in sorted(reader.errors)))
    return policies


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
        reader.name(entry, name, QueueName)
        keys = reader.mapping(entry, (*PROMISE_KEYS, *QUEUE_KEYS))
        group = reader.value(keys["group"], str) if "group" in keys else None
        if group:
            groups[name] = group
        channel = reader.value(keys["channel"], _channel) if "channel" in keys else None
        if channel:
            channels[name] = channel
        queues[name] = _promise(reader, entry, keys, default)
    if "skills" in sections:
        values["skills"] = _skills(reader, sections["skills"], queues)
    if "schedules" in sections:
        values["schedules"] = _schedules(reader, sections["schedules"])
    if "business" in sections:
        values["business"] = read_business(reader, sections["business"])
    return Policies(queues=queues, default=default, groups=groups, channels=channels, **values)


def _promise(reader: Reader, entry: Entry, keys: Mapping[str, Entry], default: Promise) -> Promise:
    """Return the promise of ``keys``, and of ``default`` where they say nothing."""
    values = reader.values(keys, PROMISE_VALUES)
    if "service_level" in keys:
        parts = reader.mapping(keys["service_level"], [key for key, _, _ in SERVICE_LEVEL_VALUES])
        values |= reader.values(parts, SERVICE_LEVEL_VALUES)
    if "hours" in keys:
        values["hours"] = opening_hours(reader, keys["hours"])
    if "holidays" in keys:
        days = reader.items(keys["holidays"], "[2027-01-01, 2027-12-25]")
        values["holidays"] = frozenset(reader.value(day, iso_date) for day in days)
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


def _timezone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (KeyError, ValueError, OSError):
        hint = nearest(text, available_timezones())
        raise UsageError(f'"{text}" is not a time zone{hint}; write one such as UTC or Europe/Berlin') from None


SERVICE_LEVEL_VALUES: Final[Values] = (
    ("target", "target_ratio", ratio),
    ("within", "threshold_ms", parse_duration),
    ("formula", "formula", _formula),
)
PROMISE_VALUES: Final[Values] = (
    ("short_abandon", "short_abandon_ms", parse_duration),
    ("abandonment", "abandonment_ratio", ratio),
    ("longest_credible_wait", "longest_credible_wait_ms", parse_duration),
    ("queue_length_limit", "queue_length_limit", _limit(_count)),
    ("longest_wait_limit", "longest_wait_limit_ms", _limit(parse_duration)),
    ("minimum_contacts", "minimum_contacts", _minimum),
    ("contacts_at_once", "contacts_at_once", _minimum),
    ("backlog_goal", "backlog_goal", _limit(_count)),
)
PROMISE_KEYS: Final = ("service_level", *(key for key, _, _ in PROMISE_VALUES), "hours", "holidays")
#: What only a queue itself can say.
QUEUE_KEYS: Final = ("group", "channel")


def _skills(reader: Reader, entry: Entry, queues: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the queues of each agent."""

    def listed(text: str) -> str:
        if text not in queues:
            hint = nearest(text, queues) or f"; write one of {', '.join(queues) or 'those under queues'}"
            raise UsageError(f'"{text}" is not among the queues{hint}')
        return text

    skills: dict[str, tuple[str, ...]] = {}
    for agent, served in reader.mapping(entry).items():
        reader.name(served, agent, Id)
        names = [reader.value(item, listed) for item in reader.items(served, "[sales, support]")]
        skills[agent] = tuple(dict.fromkeys(name for name in names if name))
    return skills


def _schedules(reader: Reader, entry: Entry) -> dict[str, tuple[Opening, ...]]:
    """Return the shifts of each agent."""
    schedules: dict[str, tuple[Opening, ...]] = {}
    for agent, week in reader.mapping(entry).items():
        reader.name(week, agent, Id)
        schedules[agent] = shifts(reader, week)
    return schedules
