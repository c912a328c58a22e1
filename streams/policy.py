"""A queue's promises to its customers: what it is held to, and when it is open; what the business says of itself.

Every number that judges a queue stands here, once: measures ask for the target and the short-abandon
limit, the wallboard and the alert rules for the rest.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

#: The definitions of service level that a queue can be held to; ``kpis.service_level`` has the formulas.
ServiceLevelFormula = Literal[
    "answered_of_offered",
    "answered_of_answered",
    "abandoned_in_target_met",
    "abandoned_in_target_ignored",
    "short_abandoned_ignored",
    "left_missed",
]
FORMULAS: Final[tuple[str, ...]] = get_args(ServiceLevelFormula)

#: Monday is 0, as in ``datetime.date.weekday``.
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Opening(msgspec.Struct, frozen=True):
    """One stretch of opening time on one weekday, in minutes since local midnight; ``closes`` is exclusive."""

    weekday: int
    opens: int
    closes: int


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What one queue promises, and the limits past which its wallboard tile and its alerts speak up.

    Durations are milliseconds, ratios run from 0 to 1. The defaults are the field's customary 80 % in 20 s.
    """

    target_ratio: float = 0.8
    threshold_ms: int = 20 * SECOND_MS
    formula: ServiceLevelFormula = "answered_of_offered"
    short_abandon_ms: int = 5 * SECOND_MS
    abandonment_ratio: float = 0.05
    longest_credible_wait_ms: int = 4 * HOUR_MS
    queue_length_limit: int | None = None
    longest_wait_limit_ms: int | None = None
    #: A ratio of fewer contacts than these alarms nobody: one hang-up at night is 100 % abandonment.
    minimum_contacts: int = 20
    #: An agent has as many of the queue's contacts at the same time: one call, but several chats.
    contacts_at_once: int = 1
    #: So many tickets may be open at most; None: the queue has no goal.
    backlog_goal: int | None = None
    #: Empty means always open.
    hours: tuple[Opening, ...] = ()
    #: ISO dates (YYYY-MM-DD) on which the queue is closed all day.
    holidays: frozenset[str] = frozenset()


class Business(msgspec.Struct, frozen=True, kw_only=True):
    """What figures of money, customers and people need to know beside events. None: not said, so neither is the figure.

    Money is in hundredths of ``currency`` (ISO 4217), durations are milliseconds, ratios run from 0 to 1.
    """

    currency: str | None = None
    #: An hour of an agent, with all that it costs.
    agent_hour_cents: int | None = None
    #: What service costs in a month whoever works: rooms, licences, management.
    overhead_month_cents: int | None = None
    #: What is left of a purchase.
    margin_ratio: float | None = None
    #: How many customers there were at the beginning of this day (ISO date, local).
    customers: int | None = None
    customers_counted: str | None = None
    #: Who comes back within this after a resolution was not helped at first contact.
    return_window_ms: int = 7 * DAY_MS
    #: An order within this after a contact may have followed from it.
    order_window_ms: int = 5 * DAY_MS
    #: A review from this share of its scale on is to standard.
    quality_ratio: float = 0.8
    #: Agents busier than this have no time to breathe.
    occupancy_ratio: float = 0.85
    #: The share of paid time that is meant for contacts.
    utilisation_ratio: float = 0.7


#: What visits are judged by when they are counted: queue -> (threshold, short abandon) in ms; "" for all others.
Terms = dict[str, tuple[int, int]]


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """The promises of all queues, and the call center's own time zone.

    A queue that ``queues`` does not list is held to ``default``.
    """

    queues: Mapping[str, Promise] = {}
    default: Promise = Promise()
    timezone: str = "UTC"
    #: A queue's group on the wallboard, where it has one.
    groups: Mapping[str, str] = {}
    #: The channel that a queue's promise is shown under before its first contact has told its own.
    channels: Mapping[str, str] = {}
    #: agent_id -> the queues that the agent serves.
    skills: Mapping[str, tuple[str, ...]] = {}
    #: agent_id -> the agent's shifts; who is not listed has none.
    schedules: Mapping[str, tuple[Opening, ...]] = {}
    business: Business = Business()

    def of(self, queue: str) -> Promise:
        """Return the promise that ``queue`` is held to."""
        return self.queues.get(queue, self.default)

    def is_open(self, queue: str, at: int) -> bool:
        """Tell whether ``queue`` is open at ``at`` (ms since 1970), by its hours and holidays in local time."""
        promise = self.of(queue)
        if not promise.hours and not promise.holidays:
            return True
        local = datetime.fromtimestamp(at / SECOND_MS, self.zone)
        if local.date().isoformat() in promise.holidays:
            return False
        minute = local.hour * 60 + local.minute
        stretches = [h for h in promise.hours if h.weekday == local.weekday()]
        return not promise.hours or any(h.opens <= minute < h.closes for h in stretches)

    @property
    def terms(self) -> Terms:
        """Return what the promises say of how visits are counted."""
        promises = {**self.queues, "": self.default}
        return {queue: (promise.threshold_ms, promise.short_abandon_ms) for queue, promise in promises.items()}

    @property
    def zone(self) -> ZoneInfo:
        """Return the call center's time zone."""
        return ZoneInfo(self.timezone)
