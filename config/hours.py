"""Opening hours and shifts: stretches of weekdays, as text."""

import re
from typing import Final

from ruamel.yaml.nodes import ScalarNode, SequenceNode

from config.errors import UsageError, nearest
from config.reader import Entry, Reader
from streams.policy import WEEKDAYS, Opening

MINUTES: Final = 60
DAY_MINUTES: Final = 24 * MINUTES


def opening_hours(reader: Reader, entry: Entry) -> tuple[Opening, ...] | None:
    """Return the opening hours, by weekday and time; empty for ``always``, None where there are none."""
    if isinstance(entry.node, ScalarNode) and entry.node.value == "always":
        return ()
    noted = len(reader.errors)
    openings = _week(reader, entry)
    if not openings and len(reader.errors) == noted:
        reader.fault(entry, "is never open; write monday-friday: 08:00-20:00, or always")
    return openings or None


def shifts(reader: Reader, entry: Entry) -> tuple[Opening, ...]:
    """Return the shifts of an agent, by weekday and time."""
    noted = len(reader.errors)
    openings = _week(reader, entry)
    if not openings and len(reader.errors) == noted:
        reader.fault(entry, "has no shifts; write monday-friday: 09:00-17:00, or leave the agent out")
    return openings


def _week(reader: Reader, entry: Entry) -> tuple[Opening, ...]:
    """Return the stretches of a week, by weekday and time."""
    openings: list[Opening] = []
    for name, day in reader.mapping(entry).items():
        weekdays = _weekdays(reader, day, name)
        stretches = reader.items(day, "[08:00-12:00, 13:00-18:00]") if isinstance(day.node, SequenceNode) else [day]
        for stretch in stretches:
            for opens, closes in reader.value(stretch, _stretches) or ():
                for weekday in weekdays:
                    _open(reader, stretch, openings, Opening(weekday, opens, closes))
    return tuple(sorted(openings, key=lambda each: (each.weekday, each.opens)))


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
