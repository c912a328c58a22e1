"""The rows of past times, held against what the visits obviously add up to; and questions without an answer."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agents.board import history
from agents.board.fields import OF_NOW
from agents.board.figures import live_rows
from agents.board.history import BadRequestError, Span, interval_rows, iso, rows_at, span_of, steps, time_of
from agents.board.model import Model
from streams.events import milliseconds
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS
from streams.windows import FINE_MS, INTERVAL_MS, fine
from tests.unit.life import POLICIES, START, WINDOWS, Counting, assert_same, figures, life_of

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = INTERVAL_MS
NO_TIMES = [
    *("", "now", "2026-11-23", "2026-11-23T10:00:00", "1763892000", "2026-13-01T00:00:00Z"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2026-11-23T10:00:00+99:00"),
]


def ms(text: str) -> int:
    return milliseconds(datetime.fromisoformat(text))


@pytest.mark.parametrize("read", [1, 3, 24])
@pytest.mark.parametrize("step", [QUARTER, 2 * QUARTER, HOUR_MS, DAY_MS])
async def test_every_interval_is_what_the_visits_add_up_to(
    step: int, read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However few are read at once, an interval that is made of several reads is one.
    monkeypatch.setattr(history, "READ", read)
    visits, counting = life_of(4), Counting()
    await counting.feed(visits)
    span = Span(START - step, START + 4 * HOUR_MS, step)
    rows = await interval_rows(counting.store, span, UTC_ZONE, None)
    assert {row["start"] for row in rows} <= {iso(start) for start in steps(span, UTC_ZONE)}
    for row in rows:
        start, end = ms(row["start"]), min(ms(row["start"]) + step, span.end)
        own = [v for v in visits if row["queue"] is None or (v.queue, v.channel) == (row["queue"], row["channel"])]
        expected = figures(own, POLICIES.of, start, end, 1 << 62)
        expected["service_level"]["live"] = None
        assert_same(row, {**expected, "queue_length": None, "longest_wait_seconds": None}, (row["start"], row["queue"]))
    everything = [row for row in rows if row["queue"] is None]
    assert sum(row["offered"] for row in everything) == len(visits)


@pytest.mark.parametrize("minutes", [20, 30, 61, 100])
async def test_the_rows_at_a_past_time_are_those_that_were_shown_then(minutes: int) -> None:
    visits, counting = life_of(5), Counting()
    # The end of a bucket, where "up to then" and "to the end of the bucket it is in" are the same.
    at = (fine(START) + 1) * FINE_MS + minutes * MINUTE_MS - 1
    await counting.feed(visits, until=at)
    model = Model(WINDOWS, POLICIES.zone)
    for partition in await counting.store.partitions():
        model.start(partition, await counting.store.snapshot(partition, *model.wanted(at)))
    model.move(at)
    then = live_rows(model, POLICIES, "5m", at)
    await counting.feed(visits, since=at + 1)
    later = await rows_at(counting.store, at, WINDOWS["5m"], START + 4 * HOUR_MS, POLICIES)
    for row in then:
        if not any(row[name] for name in ("offered", "answered", "abandoned", "left", "handled", "queue_length")):
            continue
        found = next(r for r in later if (r["queue"], r["channel"]) == (row["queue"], row["channel"]))
        assert found["queue_length_average"] == pytest.approx(row["queue_length_average"], abs=1e-3)
        shown_then_only = (*OF_NOW, "longest_wait_seconds", "queue_length_average")
        expected = {name: value for name, value in row.items() if name not in shown_then_only}
        expected["service_level"]["live"] = None
        assert {name: found[name] for name in expected} == expected


async def test_at_a_time_before_everything_the_listed_queues_are_there_with_nothing_in_them() -> None:
    counting = Counting()
    await counting.feed(life_of(6, length=HOUR_MS // 2))
    *own, row = await rows_at(counting.store, START - HOUR_MS, MINUTE_MS, START + 4 * HOUR_MS, POLICIES)
    assert [one["queue"] for one in own] == sorted(POLICIES.queues)
    for one in (*own, row):
        assert (one["offered"], one["queue_length"], one["abandonment_rate"]) == (0, 0, None)
    assert row["queue"] is None


async def test_one_queue_alone_can_be_asked_for() -> None:
    visits, counting = life_of(7), Counting()
    await counting.feed(visits)
    rows = await interval_rows(counting.store, Span(START, START + 4 * HOUR_MS, HOUR_MS), UTC_ZONE, "sales")
    assert {row["queue"] for row in rows} == {"sales", None}
    assert sum(row["offered"] for row in rows if row["queue"] is None) == sum(v.queue == "sales" for v in visits)


async def test_an_interval_without_contacts_has_no_row() -> None:
    counting = Counting()
    await counting.feed(life_of(8))
    assert await interval_rows(counting.store, Span(START - DAY_MS, START - HOUR_MS, QUARTER), UTC_ZONE, None) == []


async def test_a_span_of_centuries_asks_only_for_what_is_stored() -> None:
    counting = Counting()
    await counting.feed(life_of(9, visits=20))
    span = span_of("1971-01-01T00:00:00Z", "9990-01-01T00:00:00Z", "9999d", START, UTC_ZONE)
    rows = await interval_rows(counting.store, span, UTC_ZONE, None)
    assert sum(row["offered"] for row in rows if row["queue"] is None) == 20


async def test_a_span_that_begins_inside_an_interval_gives_the_rest_of_it_under_its_own_start() -> None:
    visits, counting = life_of(10), Counting()
    await counting.feed(visits)
    rows = await interval_rows(counting.store, Span(START + QUARTER, START + HOUR_MS, 2 * QUARTER), UTC_ZONE, None)
    everything = {row["start"]: row["offered"] for row in rows if row["queue"] is None}
    assert list(everything) == ["2026-01-05T09:15:00Z", "2026-01-05T09:30:00Z"]
    first = sum(START + QUARTER <= v.queued < START + 2 * QUARTER for v in visits)
    assert everything["2026-01-05T09:15:00Z"] == first


def test_without_from_and_to_the_span_is_today_to_the_quarter_of_an_hour() -> None:
    span = span_of(None, None, "30m", ms("2026-11-23T10:07:00+01:00"), BERLIN)
    assert span == Span(ms("2026-11-23T00:00:00+01:00"), ms("2026-11-23T10:15:00+01:00"), 30 * MINUTE_MS)


@pytest.mark.parametrize(
    "interval", ["", "0m", "10m", "16m", "25h", "36h", "1", "m", "-15m", "1.5h", "15 m", "\u0661\u0665m"]
)
def test_an_interval_that_is_no_multiple_of_a_quarter_or_a_day_is_refused(interval: str) -> None:
    with pytest.raises(BadRequestError, match=r"interval: .* is not a multiple of 15m up to 1d, or of 1d"):
        span_of(None, None, interval, START, UTC_ZONE)


@pytest.mark.parametrize("text", NO_TIMES)
def test_a_time_without_offset_or_sense_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError, match=r"from: .* is not a time with an offset"):
        span_of(text, None, "30m", START, ZoneInfo("Pacific/Kiritimati"))


def test_a_plus_that_the_address_turned_into_a_space_is_understood() -> None:
    assert time_of("2026-11-23T10:00:00 01:00", "at") == ms("2026-11-23T09:00:00+00:00")


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadRequestError, match="to: must be later than from"):
        span_of("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z", "30m", START, UTC_ZONE)


def test_too_many_intervals_are_refused() -> None:
    with pytest.raises(BadRequestError, match="more than 10000 intervals"):
        span_of("2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", "15m", START, UTC_ZONE)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-23", 24)])
@pytest.mark.parametrize("step", [QUARTER, HOUR_MS, 5 * HOUR_MS])
def test_intervals_of_a_day_begin_at_local_midnight_and_fill_it(day: str, hours: int, step: int) -> None:
    start = milliseconds(datetime.fromisoformat(day).replace(tzinfo=BERLIN))
    end = start + hours * HOUR_MS
    found = list(steps(Span(start, end + DAY_MS, step), BERLIN))
    assert [at for at in found if at < end] == list(range(start, end, step))
    assert end in found


def test_intervals_of_days_are_local_days_over_a_change_of_the_clocks() -> None:
    start = milliseconds(datetime(2026, 3, 28, tzinfo=BERLIN))
    found = [datetime.fromtimestamp(at / 1000, BERLIN) for at in steps(Span(start, start + 4 * DAY_MS, DAY_MS), BERLIN)]
    assert [(at.day, at.hour) for at in found] == [(28, 0), (29, 0), (30, 0), (31, 0), (1, 0)]


def test_days_where_midnight_itself_is_skipped_begin_at_one() -> None:
    havana = ZoneInfo("America/Havana")
    start = milliseconds(datetime(2026, 3, 7, tzinfo=havana))
    found = [
        datetime.fromtimestamp(at / 1000, havana) for at in steps(Span(start, start + 3 * DAY_MS, HOUR_MS), havana)
    ]
    assert [at.hour for at in found if at.day == 8] == list(range(1, 24))


def test_a_time_is_written_in_utc_with_milliseconds_only_where_it_has_some() -> None:
    at = milliseconds(datetime(2026, 11, 23, 10, tzinfo=UTC))
    assert (iso(at), iso(at + 5)) == ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00.005Z")
