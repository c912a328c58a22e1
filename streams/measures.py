"""The catalogue of what is counted. Every measure adds up: over queues, channels, partitions, buckets.

A ``Row`` holds the measures of one place in one bucket, sparse: measure -> amount. Counts are whole numbers,
durations whole milliseconds, so sums are exact in any order. Histogram bins are measures too, from their
histogram's base upwards. The numbers are part of the store's format: never reuse one.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum, unique
from itertools import repeat
from typing import Final

from streams.policy import DAY_MS, Promise

Row = dict[int, int]


@unique
class Measure(IntEnum):
    """What is counted, and in the comment, in what."""

    OFFERED = 1  # visits
    ANSWERED = 2  # visits
    ANSWERED_WITHIN_TARGET = 3  # visits
    ABANDONED = 4  # visits
    ABANDONED_WITHIN_TARGET = 5  # visits
    SHORT_ABANDONED = 6  # visits
    LEFT_OVERFLOW = 7  # visits
    LEFT_TIMEOUT = 8  # visits
    LEFT_EXIT_KEY = 9  # visits
    LEFT_CALLBACK = 10  # visits
    LEFT_EMPTY = 11  # visits
    LEFT_WITHDRAWN = 12  # visits
    LOST = 13  # visits
    HANDLED = 14  # contacts
    WAIT_ANSWERED_MS = 15
    WAIT_ABANDONED_MS = 16
    TALK_MS = 17
    HOLD_MS = 18
    WRAP_UP_MS = 19
    #: The moments at which a wait or an agent's state ended, less those at which one began, in ms since 1970:
    #: with it the time-weighted average of a level adds up too (``windows.level_time``).
    MOMENTS_MS = 20
    STATE_ENTERED = 21  # agents
    STATE_EXITED = 22  # agents
    FIRST_RESPONSES = 23  # contacts in which a person wrote a first line
    FIRST_RESPONSE_MS = 24
    RESPONSES = 25  # lines of customers that a person answered
    RESPONSE_MS = 26
    OFFERED_TO_AGENT = 27  # times that an agent's phone rang
    DECLINED = 28  # times that the agent did not take it
    BOT_CONTACTS = 30  # contacts in which a bot wrote
    BOT_HANDED_OVER = 31  # of them, those that went on to a queue
    LEFT_AFTER_BOT = 32  # of them, those that ended after a bot's line and asked for nobody
    OPENED = 40  # contacts
    CLOSED = 41  # contacts
    RESOLVED = 42  # contacts, those settled now
    REOPENED = 43  # times
    AUTOMATED = 44  # contacts resolved with no person taking part
    RESOLUTION_MS = 45
    SINGLE_REPLY = 46  # contacts resolved with one reply of one person
    FIRST_CONTACT = 47  # resolved contacts whose customer has not come back on the subject so far
    FINAL = 48  # resolved contacts whose window to come back has passed
    FIRST_CONTACT_FINAL = 49  # of them, those whose customer did not come back in it
    CAME_BACK_DAY = 50  # contacts followed by another of the customer within a day
    CAME_BACK_WEEK = 51  # within a week
    REPEATED = 52  # contacts in which the customer talked to more than one agent
    CONVERTED = 53  # contacts followed by an order of the customer
    ORDERS = 54
    REVENUE_CENTS = 55
    COST_CENTS = 56  # as contact.resolved tells it
    CUSTOMERS_JOINED = 57
    CUSTOMERS_LEFT = 58
    KNOWN = 59  # of the contacts opened, those whose customer is known: of the others nobody can tell who came back
    RESOLVED_KNOWN = 60  # of the contacts resolved, those whose customer is known
    TICKETS_CLOSED = 61  # of the contacts closed, those that are tickets
    TICKET_MS = 62  # from their first contact to their closing
    CSAT_ANSWERS = 70
    CSAT_TOP = 71  # the top two of five
    CSAT_MILLI = 72  # the sum of scores on 1..5, in thousandths
    NPS_ANSWERS = 73
    NPS_PROMOTERS = 74  # 9 and 10
    NPS_DETRACTORS = 75  # 0 to 6
    NPS_FROM_ONE = 76  # answers on a scale that begins at 1
    CES_ANSWERS = 77
    CES_MILLI = 78  # the sum of scores on 1..7, in thousandths
    CES_TOP = 79  # above the middle: the upper two of five, the upper three of seven
    ESAT_ANSWERS = 80
    ESAT_TOP = 81
    ESAT_MILLI = 82
    REVIEWS = 83
    REVIEW_MILLI = 84  # the sum of scores as a share of the scale, in thousandths
    REVIEW_SQUARES = 85  # the sum of their squares, in millionths
    TO_STANDARD = 86  # reviews at or above the standard
    ADHERED_MS = 90  # scheduled time of agents spent in a state of work


class Histogram(IntEnum):
    """The bases of the histograms' bins."""

    WAIT_ANSWERED = 1_000
    WAIT_ABANDONED = 2_000
    HANDLE_TIME = 3_000
    FIRST_RESPONSE = 4_000
    RESPONSE = 5_000
    RESOLUTION = 6_000


LEFT: Final = (
    Measure.LEFT_OVERFLOW,
    Measure.LEFT_TIMEOUT,
    Measure.LEFT_EXIT_KEY,
    Measure.LEFT_CALLBACK,
    Measure.LEFT_EMPTY,
    Measure.LEFT_WITHDRAWN,
)

#: A visit that has one of these no longer waits.
EXITS: Final = (Measure.ANSWERED, Measure.ABANDONED, *LEFT, Measure.LOST)

#: What a fact counts by one, and nothing else.
BY_ONES: Final = (
    Measure.OFFERED_TO_AGENT,
    Measure.DECLINED,
    Measure.BOT_CONTACTS,
    Measure.BOT_HANDED_OVER,
    Measure.LEFT_AFTER_BOT,
    Measure.OPENED,
    Measure.CLOSED,
)

#: Upper bounds of the Prometheus histograms, in ms; bins end on them, so the counts below them are exact.
WAIT_BOUNDS_MS: Final = tuple(
    s * 1_000 for s in (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1_200, 1_800, 3_600)
)
HANDLE_BOUNDS_MS: Final = tuple(s * 1_000 for s in (15, 30, 60, 120, 180, 240, 300, 420, 600, 900, 1_800, 3_600, 7_200))


def _edges(growth: float, last: int, also: Iterable[int]) -> tuple[int, ...]:
    edges = {0, *also}
    edge = 1
    while edge < last:
        edges.add(edge)
        edge = max(edge + 1, int(edge * growth))
    return tuple(sorted({*edges, last}))


#: Upper edges of the bins, inclusive. They grow by a tenth, so that the geometric middle of a bin is within
#: sqrt(1.1) - 1 = 4.9 % of everything in it. What is longer than 30 days goes to the last.
EDGES: Final = _edges(1.1, 30 * DAY_MS, (*WAIT_BOUNDS_MS, *HANDLE_BOUNDS_MS))

_LAST_BIN: Final = len(EDGES) - 1


def bin_of(duration_ms: int) -> int:
    """Return the number of the bin that ``duration_ms`` falls into."""
    return bisect_left(EDGES, duration_ms, 0, _LAST_BIN)


def middle_of(number: int) -> float:
    """Return the duration, in ms, that stands for all in bin ``number``: the geometric middle."""
    return 0.0 if number == 0 else float((EDGES[number - 1] + 1) * EDGES[number]) ** 0.5


def add(row: Row, other: Mapping[int, int], sign: int = 1) -> None:
    """Add ``other`` to ``row``, or take it away; what comes to nothing is dropped."""
    if not row and sign > 0 and 0 not in other.values():
        row.update(other)  # the first of many, most often: five times as fast
        return
    for measure, amount in other.items():
        total = row.get(measure, 0) + sign * amount
        if total:
            row[measure] = total
        else:
            row.pop(measure, None)


def total(rows: Iterable[Mapping[int, int]]) -> Row:
    """Return the sum of ``rows``."""
    result: Row = {}
    for row in rows:
        add(result, row)
    return result


def bins(row: Mapping[int, int], histogram: Histogram) -> Iterator[tuple[int, int]]:
    """Yield (bin, count) of one histogram, shortest first."""
    for key in sorted(key for key in row if histogram <= key < histogram + 1_000):
        yield key - histogram, row[key]


def amount(row: Mapping[int, int], measures: Sequence[int]) -> int:
    """Return the sum of some measures of ``row``."""
    return sum(map(row.get, measures, repeat(0)))


def exited(row: Mapping[int, int]) -> int:
    """Return how many visits stopped waiting."""
    return amount(row, EXITS)


#: The recorders' measures by their own names, as plain numbers: to look up a member of an enum takes Python 3.11
#: 0.1 us, and to count an event needs a dozen of them.
_OFFERED: Final = int(Measure.OFFERED)
_ANSWERED: Final = int(Measure.ANSWERED)
_ANSWERED_WITHIN_TARGET: Final = int(Measure.ANSWERED_WITHIN_TARGET)
_ABANDONED: Final = int(Measure.ABANDONED)
_ABANDONED_WITHIN_TARGET: Final = int(Measure.ABANDONED_WITHIN_TARGET)
_SHORT_ABANDONED: Final = int(Measure.SHORT_ABANDONED)
_HANDLED: Final = int(Measure.HANDLED)
_WAIT_ANSWERED_MS: Final = int(Measure.WAIT_ANSWERED_MS)
_WAIT_ABANDONED_MS: Final = int(Measure.WAIT_ABANDONED_MS)
_TALK_MS: Final = int(Measure.TALK_MS)
_HOLD_MS: Final = int(Measure.HOLD_MS)
_WRAP_UP_MS: Final = int(Measure.WRAP_UP_MS)
_MOMENTS_MS: Final = int(Measure.MOMENTS_MS)
_FIRST_RESPONSES: Final = int(Measure.FIRST_RESPONSES)
_FIRST_RESPONSE_MS: Final = int(Measure.FIRST_RESPONSE_MS)
_RESPONSES: Final = int(Measure.RESPONSES)
_RESPONSE_MS: Final = int(Measure.RESPONSE_MS)
_FIRST_RESPONSE_BINS: Final = int(Histogram.FIRST_RESPONSE)
_RESPONSE_BINS: Final = int(Histogram.RESPONSE)
_WAIT_ANSWERED_BINS: Final = int(Histogram.WAIT_ANSWERED)
_WAIT_ABANDONED_BINS: Final = int(Histogram.WAIT_ABANDONED)
_HANDLE_TIME_BINS: Final = int(Histogram.HANDLE_TIME)


def _offered(row: Row, sign: int, at: int, _duration: int, _promise: Promise) -> None:
    row[_OFFERED] = row.get(_OFFERED, 0) + sign
    row[_MOMENTS_MS] = row.get(_MOMENTS_MS, 0) - sign * at


def _answered(row: Row, sign: int, at: int, wait: int, promise: Promise) -> None:
    row[_ANSWERED] = row.get(_ANSWERED, 0) + sign
    row[_MOMENTS_MS] = row.get(_MOMENTS_MS, 0) + sign * at
    row[_WAIT_ANSWERED_MS] = row.get(_WAIT_ANSWERED_MS, 0) + sign * wait
    if wait <= promise.threshold_ms:
        row[_ANSWERED_WITHIN_TARGET] = row.get(_ANSWERED_WITHIN_TARGET, 0) + sign
    key = _WAIT_ANSWERED_BINS + bin_of(wait)
    row[key] = row.get(key, 0) + sign


def _abandoned(row: Row, sign: int, at: int, wait: int, promise: Promise) -> None:
    row[_ABANDONED] = row.get(_ABANDONED, 0) + sign
    row[_MOMENTS_MS] = row.get(_MOMENTS_MS, 0) + sign * at
    row[_WAIT_ABANDONED_MS] = row.get(_WAIT_ABANDONED_MS, 0) + sign * wait
    if wait <= promise.threshold_ms:
        row[_ABANDONED_WITHIN_TARGET] = row.get(_ABANDONED_WITHIN_TARGET, 0) + sign
    if wait < promise.short_abandon_ms:
        row[_SHORT_ABANDONED] = row.get(_SHORT_ABANDONED, 0) + sign
    key = _WAIT_ABANDONED_BINS + bin_of(wait)
    row[key] = row.get(key, 0) + sign


def _handled(row: Row, sign: int, _at: int, talk: int, _promise: Promise) -> None:
    row[_HANDLED] = row.get(_HANDLED, 0) + sign
    row[_TALK_MS] = row.get(_TALK_MS, 0) + sign * talk


def _handle_time(row: Row, sign: int, _at: int, duration: int, _promise: Promise) -> None:
    key = _HANDLE_TIME_BINS + bin_of(duration)
    row[key] = row.get(key, 0) + sign


def _held(row: Row, sign: int, _at: int, hold: int, _promise: Promise) -> None:
    row[_HOLD_MS] = row.get(_HOLD_MS, 0) + sign * hold


def _wrapped(row: Row, sign: int, _at: int, wrap: int, _promise: Promise) -> None:
    row[_WRAP_UP_MS] = row.get(_WRAP_UP_MS, 0) + sign * wrap


def _first_response(row: Row, sign: int, _at: int, took: int, _promise: Promise) -> None:
    row[_FIRST_RESPONSES] = row.get(_FIRST_RESPONSES, 0) + sign
    row[_FIRST_RESPONSE_MS] = row.get(_FIRST_RESPONSE_MS, 0) + sign * took
    key = _FIRST_RESPONSE_BINS + bin_of(took)
    row[key] = row.get(key, 0) + sign


def _response(row: Row, sign: int, _at: int, took: int, _promise: Promise) -> None:
    row[_RESPONSES] = row.get(_RESPONSES, 0) + sign
    row[_RESPONSE_MS] = row.get(_RESPONSE_MS, 0) + sign * took
    key = _RESPONSE_BINS + bin_of(took)
    row[key] = row.get(key, 0) + sign


Recorder = Callable[[Row, int, int, int, Promise], None]


def _exit_recorder(measure: int) -> Recorder:
    def record_exit(row: Row, sign: int, at: int, _duration: int, _promise: Promise) -> None:
        row[measure] = row.get(measure, 0) + sign
        row[_MOMENTS_MS] = row.get(_MOMENTS_MS, 0) + sign * at

    return record_exit


def _counter(measure: int) -> Recorder:
    def record(row: Row, sign: int, _at: int, _duration: int, _promise: Promise) -> None:
        row[measure] = row.get(measure, 0) + sign

    return record


#: What a fact of each name adds to its row, judged by the queue's promise: (row, sign, at, duration, promise) -> None.
RECORDERS: Final[dict[str, Recorder]] = {
    "offered": _offered,
    "answered": _answered,
    "abandoned": _abandoned,
    "handled": _handled,
    "handle_time": _handle_time,
    "held": _held,
    "wrapped": _wrapped,
    **{measure.name.lower(): _exit_recorder(int(measure)) for measure in (*LEFT, Measure.LOST)},
    "first_response": _first_response,
    "response": _response,
    # Visits by their subject, of which nothing else is counted.
    "about": _counter(_OFFERED),
    **{measure.name.lower(): _counter(int(measure)) for measure in BY_ONES},
}
