"""How many contacts came: by interval, day, week, month, quarter, each beside the same weekday a week before.

Periods are those of the call center's calendar, daylight saving included. Old days come from the store's days, the
others from its intervals: an interval whose day is stored is in that day, and is not counted again.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.board.figures import Figures, rounded
from agents.board.follower import Follower
from agents.board.guard import Json
from agents.board.history import MOST_INTERVALS, READ, BadRequestError, iso, time_of
from agents.board.questions import asked
from agents.store import Reader
from streams import kpis
from streams.contact import Place
from streams.events import EPOCH, milliseconds
from streams.measures import LEFT, Measure, Row, add
from streams.policy import Policies
from streams.windows import INTERVAL_MS, interval

WEEK: Final = timedelta(days=7)
DAY: Final = timedelta(days=1)

#: What may be counted by, and how many of them are given where no beginning is asked for.
USUAL: Final = {"interval": 96, "day": 28, "week": 13, "month": 13, "quarter": 5}

#: A year ahead or behind of what a calendar can say is nobody's question.
MOST_DAYS: Final = 4_000

_COUNTED: Final = (Measure.OFFERED, Measure.ANSWERED, Measure.ABANDONED, *LEFT, Measure.HANDLED)

#: place -> what was counted there
Sums = dict[Place, Row]

#: The name of a row: a queue and channel, or neither for all together.
Named = tuple[str | None, str | None]


class Unit(NamedTuple):
    """One stretch that is counted: its beginning (ms), its dates or, of an interval, its number and the one before."""

    start: int
    dates: tuple[date, ...] = ()
    number: int = 0
    before: int = 0


class Sought(NamedTuple):
    """What a question needs: the date of each interval of its dates, and its intervals by number.

    Of ``cut_date``, a week before today, the intervals before ``cutoff`` are summed once more by themselves.
    """

    date_of: dict[int, date]
    numbers: set[int]
    cut_date: date
    cutoff: int


class Counted(NamedTuple):
    """What the store holds of the dates and intervals that were asked for, and since when it holds anything (ms)."""

    dates: dict[date, Sums]
    intervals: dict[int, Sums]
    #: the date a week before today, as far as today has come
    cut: Sums
    since: int


def local_midnight(day: date, zone: ZoneInfo) -> int:
    """Return when a local date begins, in ms."""
    return milliseconds(datetime.combine(day, time(), zone))


def local_date(at: int, zone: ZoneInfo) -> date:
    """Return the local date of a moment in ms."""
    return (EPOCH + timedelta(milliseconds=at)).astimezone(zone).date()


def week_before(at: int, zone: ZoneInfo) -> int:
    """Return the moment, in ms, at which local clocks showed the same a week before."""
    local = (EPOCH + timedelta(milliseconds=at)).astimezone(zone)
    return milliseconds(datetime.combine(local.date() - WEEK, local.time(), zone))


def first_of(by: str, day: date) -> date:
    """Return the first date of the week (a Monday), month or quarter that ``day`` lies in; of a day, itself."""
    if by == "week":
        return day - timedelta(days=day.weekday())
    if by == "month":
        return day.replace(day=1)
    return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1) if by == "quarter" else day


def following(by: str, first: date) -> date:
    """Return the first date of the next day, week, month or quarter."""
    ahead = {"day": 1, "week": 7, "month": 31, "quarter": 93}[by]
    return first_of(by, first + timedelta(days=ahead))


def units_of(by: str, start: int, end: int, zone: ZoneInfo) -> list[Unit]:
    """Return the units from the one that ``start`` lies in to the one before ``end``; raise BadRequestError."""
    if by == "interval":
        numbers = range(interval(start), -(-end // INTERVAL_MS))
        if len(numbers) > MOST_INTERVALS:
            raise BadRequestError(f"that is more than {MOST_INTERVALS} intervals; ask for fewer, or by day")
        return [Unit(n * INTERVAL_MS, (), n, interval(week_before(n * INTERVAL_MS, zone))) for n in numbers]
    first, last = first_of(by, local_date(start, zone)), local_date(end - 1, zone)
    if (last - first).days > MOST_DAYS:
        raise BadRequestError(f"that is more than {MOST_DAYS} days; ask for fewer")
    units = []
    while first <= last:
        after = following(by, first)
        dates = tuple(first + timedelta(days=i) for i in range((after - first).days))
        units.append(Unit(local_midnight(first, zone), dates))
        first = after
    return units


def beginning_of(by: str, end: int, zone: ZoneInfo) -> int:
    """Return where as many units begin as are given when no beginning is asked for."""
    if by == "interval":
        return local_midnight(local_date(end - 1, zone), zone)
    first = first_of(by, local_date(end - 1, zone))
    for _ in range(USUAL[by] - 1):
        first = first_of(by, first - DAY)
    return local_midnight(first, zone)


class Volume:
    """Answers how many contacts came."""

    def __init__(self, follower: Follower, reader: Reader, policies: Policies) -> None:
        self._follower = follower
        self._reader = reader
        self._policies = policies

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/api/v1/volume", self.volume)]

    async def volume(self, request: Request) -> Response:
        """Serve a row for each unit, queue and channel, and for each unit one of all."""
        given, now, zone = asked(request), self._follower.now, self._policies.zone
        by = given.get("by", "day")
        if by not in USUAL:
            raise BadRequestError(f"by: {by!r} is not one of {', '.join(USUAL)}")
        end = time_of(given["to"], "to") if "to" in given else now
        start = time_of(given["from"], "from") if "from" in given else beginning_of(by, end, zone)
        if end <= start:
            raise BadRequestError("to: must be later than from")
        units = units_of(by, start, end, zone)
        counted = await count(self._reader, units, now, zone)
        wanted = (given.get("queue"), given.get("channel"))
        rows = [row for unit in units for row in _rows(unit, counted, now, zone, wanted, weekly=by in ("day", "week"))]
        head = {"time": iso(now), "by": by, "from": iso(units[0].start), "to": iso(end)}
        return Json({**head, "timezone": self._policies.timezone, "rows": rows})


async def count(reader: Reader, units: Iterable[Unit], now: int, zone: ZoneInfo) -> Counted:
    """Return what the store holds of ``units`` and of the weeks before them."""
    today = local_date(now, zone)
    dates = {day for unit in units for day in unit.dates if day <= today}
    dates |= {day - WEEK for day in dates}
    sought = Sought(
        {number: day for day in dates for number in _intervals_of(day, zone)},
        {number for unit in units if not unit.dates for number in (unit.number, unit.before)},
        today - WEEK,
        -(-week_before(now, zone) // INTERVAL_MS),
    )
    found = Counted({}, {}, {}, now)
    for partition in await reader.partitions():
        if partition.startswith(("calls/", "chats/")):
            found = await _add_partition(reader, partition, sought, zone, found)
    return found


def _intervals_of(day: date, zone: ZoneInfo) -> range:
    return range(interval(local_midnight(day, zone)), interval(local_midnight(day + DAY, zone)))


async def _add_partition(reader: Reader, partition: str, sought: Sought, zone: ZoneInfo, found: Counted) -> Counted:
    """Add what one partition holds to ``found``."""
    stored, days = await reader.intervals(partition), await reader.days(partition)
    dates = set(sought.date_of.values())
    kept = [ordinal for ordinal in days if date.fromordinal(ordinal) in dates]
    for ordinal, places in (await reader.day_rows(partition, kept)).items():
        _add(found.dates.setdefault(date.fromordinal(ordinal), {}), places)
    open_dates = {day for day in dates if day.toordinal() not in days} | {sought.cut_date}
    numbers = sorted(n for n in stored if n in sought.numbers or sought.date_of.get(n) in open_dates)
    for first in range(0, len(numbers), READ):
        _, rows = await reader.rows(partition, (), numbers[first : first + READ])
        for number, places in rows.items():
            day = sought.date_of.get(number)
            if number in sought.numbers:
                _add(found.intervals.setdefault(number, {}), places)
            if day is not None and day.toordinal() not in days:
                _add(found.dates.setdefault(day, {}), places)
            if day == sought.cut_date and number < sought.cutoff:
                _add(found.cut, places)
    earliest = [min(stored) * INTERVAL_MS] if stored else []
    earliest += [local_midnight(date.fromordinal(min(days)), zone)] if days else []
    return found._replace(since=min([found.since, *earliest]))


def _add(sums: Sums, places: Sums) -> None:
    """Add the counts of ``places``; what stands aside by agent or subject is none of them."""
    for place, row in places.items():
        if not place[1].startswith("@"):
            add(sums.setdefault(place, {}), {measure: row[measure] for measure in _COUNTED if measure in row})


def _rows(unit: Unit, counted: Counted, now: int, zone: ZoneInfo, wanted: Named, *, weekly: bool) -> Iterator[Figures]:
    """Yield the rows of a unit; none of one that is to come, or from before anything was counted."""
    if unit.start > now:
        return
    if unit.dates:
        own, today = _of_dates(unit.dates, counted.dates), local_date(now, zone)
        before = _a_week_before(unit.dates, counted, today) if weekly else {}
        # Of what is in progress as much of the week before is told: half a day is no match for a whole one.
        known = weekly and local_midnight(unit.dates[0] - WEEK, zone) >= _day_of(counted.since, zone)
    else:
        own, before = counted.intervals.get(unit.number, {}), counted.intervals.get(unit.before, {})
        known = unit.before * INTERVAL_MS >= counted.since
    own, before = _chosen(own, wanted), _chosen(before, wanted)
    if not own and not before and unit.start < _day_of(counted.since, zone):
        return
    yield from _labelled(unit.start, own, before if known else None)


def _day_of(at: int, zone: ZoneInfo) -> int:
    return local_midnight(local_date(at, zone), zone)


def _of_dates(dates: Iterable[date], counted: dict[date, Sums]) -> Sums:
    sums: Sums = {}
    for day in dates:
        _add(sums, counted.get(day, {}))
    return sums


def _a_week_before(dates: Iterable[date], counted: Counted, today: date) -> Sums:
    sums = _of_dates([day - WEEK for day in dates if day < today], counted.dates)
    if today in dates:
        _add(sums, counted.cut)
    return sums


def _chosen(sums: Sums, wanted: Named) -> Sums:
    queue, channel = wanted
    return {p: row for p, row in sums.items() if queue in (None, p[0]) and channel in (None, p[1])}


def _labelled(start: int, own: Sums, before: Sums | None) -> Iterator[Figures]:
    places = sorted({*own, *(before or {})})
    everything: Row = {}
    for row in own.values():
        add(everything, row)
    offered = everything.get(Measure.OFFERED, 0)
    was = None if before is None else sum(row.get(Measure.OFFERED, 0) for row in before.values())
    for place in places:
        row_before = None if before is None else before.get(place, {}).get(Measure.OFFERED, 0)
        yield _row(start, place, own.get(place, {}), row_before, offered)
    yield _row(start, (None, None), everything, was, offered)


def _row(start: int, name: Named, row: Row, before: int | None, of: int) -> Figures:
    get, offered = row.get, row.get(Measure.OFFERED, 0)
    return {
        "start": iso(start),
        "queue": name[0],
        "channel": name[1],
        "offered": offered,
        "answered": get(Measure.ANSWERED, 0),
        "abandoned": get(Measure.ABANDONED, 0),
        "left": kpis.left(row),
        "handled": get(Measure.HANDLED, 0),
        "share": rounded(kpis.ratio(offered, of)),
        "same_weekday_before": before,
        "change": rounded(None if before is None else kpis.ratio(offered - before, before)),
    }
