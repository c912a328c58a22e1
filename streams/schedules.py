"""When an agent is scheduled to work: shifts by weekday, in the call center's time zone.

A shift is a stretch of the clock on the wall, as opening hours are: in the night in which the hour from 2 to 3 does
not come nobody works it, in the one in which it comes twice it is worked twice. On the holidays of all queues nobody
is scheduled. Times are ms since 1970, ends exclusive.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from streams.events import EPOCH, milliseconds
from streams.policy import DAY_MS, MINUTE_MS, Opening, Policies

#: Within so many minutes no zone changes its offset, counted from a full hour of UTC.
STEADY_MINUTES = 15


def shifts(policies: Policies, agent: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return when ``agent`` is scheduled between ``start`` and ``end``: stretches (from, to), in order, none empty."""
    openings = policies.schedules.get(agent, ())
    if not openings or start >= end:
        return []
    zone = policies.zone
    found: list[tuple[int, int]] = []
    day = (EPOCH + timedelta(milliseconds=start)).astimezone(zone).toordinal()
    while True:
        date, midnight, steady = _day(zone, day)
        if midnight >= end:
            return found
        if date not in policies.default.holidays:
            for opening in openings:
                if opening.weekday == (day - 1) % 7:  # day 1 was a Monday
                    stretches = _steady(midnight, opening) if steady else _turning(zone, day, opening)
                    cut = ((max(since, start), min(until, end)) for since, until in stretches)
                    found += [each for each in cut if each[0] < each[1]]
        day += 1


def scheduled_ms(policies: Policies, agent: str, start: int, end: int) -> int:
    """Return for how long ``agent`` is scheduled between ``start`` and ``end``, in ms."""
    return sum(until - since for since, until in shifts(policies, agent, start, end))


@lru_cache(maxsize=1_000)
def _day(zone: ZoneInfo, day: int) -> tuple[str, int, bool]:
    """Return the date of a day (its ordinal), its midnight, and whether it has 24 hours by one offset from UTC."""
    begins, ends = (datetime.fromordinal(each).replace(tzinfo=zone) for each in (day, day + 1))
    midnight = milliseconds(begins)
    return begins.date().isoformat(), midnight, milliseconds(ends) - midnight == DAY_MS


def _steady(midnight: int, opening: Opening) -> list[tuple[int, int]]:
    return [(midnight + opening.opens * MINUTE_MS, midnight + opening.closes * MINUTE_MS)]


def _turning(zone: ZoneInfo, day: int, opening: Opening) -> list[tuple[int, int]]:
    """Return the stretches of a shift on a day on which the clocks are turned, found piece by piece."""
    _, midnight, _ = _day(zone, day)
    _, following, _ = _day(zone, day + 1)
    found: list[tuple[int, int]] = []
    for piece in range(midnight, following, STEADY_MINUTES * MINUTE_MS):
        local = (EPOCH + timedelta(milliseconds=piece)).astimezone(zone)
        minute = local.hour * 60 + local.minute
        since = piece + (max(opening.opens, minute) - minute) * MINUTE_MS
        until = piece + (min(opening.closes, minute + STEADY_MINUTES) - minute) * MINUTE_MS
        if since < until:
            if found and found[-1][1] == since:
                found[-1] = (found[-1][0], until)
            else:
                found.append((since, until))
    return found
