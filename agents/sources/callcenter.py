"""A call center as queueing theory describes it: who calls, how long they wait, who serves them.

Durations are seconds, rates are per hour, probabilities run from 0 to 1. A queue with one team of its own,
exponential service, and no ring, wrap-up or breaks is M/M/n; with patience it is M/M/n+M (Erlang A).
"""

from typing import Final, Literal

import msgspec

from streams.events import Channel, Reason
from streams.told import TICKETS

RatingKind = Literal["survey.csat", "survey.ces", "survey.nps", "survey.esat"]

HOURS_A_DAY: Final = 24
SECONDS_AN_HOUR: Final = 3_600.0


class Duration(msgspec.Struct, frozen=True):
    """A random length of time: exponential, or lognormal when ``cv``, its coefficient of variation, is given."""

    mean_s: float
    cv: float | None = None


class Leaving(msgspec.Struct, frozen=True):
    """A way out of a queue: after so long a wait this share of those who still wait take it, for this reason."""

    reason: Reason
    share: float
    after_s: float


class After(msgspec.Struct, frozen=True, kw_only=True):
    """What follows a talk, each with its own probability, and how long after on average."""

    #: The matter is settled; and then is not after all.
    resolved: float = 0.0
    reopened: float = 0.0
    reopened_after_s: float = 300.0
    #: What a resolution is said to have cost on average; 0: nothing is said.
    cost: float = 0.0
    #: The customer comes back on the same subject.
    returns: float = 0.0
    returns_after_s: float = 3_600.0
    #: The customer orders, for so much on average.
    orders: float = 0.0
    orders_after_s: float = 1_800.0
    order_amount: float = 60.0
    #: A reviewer scores the contact.
    reviewed: float = 0.0


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """One queue: its arrivals, and what its contacts go through.

    A mean of 0 leaves that part out: no ring, no wrap-up, no IVR, no messages. Without ``patience_s``
    everybody waits until answered.
    """

    name: str
    channel: Channel = "voice"
    rate_per_hour: float
    #: 24 factors of the rate, one for each hour of the UTC day; none means the same rate all day.
    profile: tuple[float, ...] = ()
    #: The rate swings by this share of itself, once every period; ``phase`` shifts it by periods.
    swing: float = 0.0
    swing_period_s: float = 600.0
    swing_phase: float = 0.0
    service: Duration
    patience_s: float | None = None
    wrap_up_s: float = 0.0
    ring_s: float = 0.0
    decline: float = 0.0
    hold: float = 0.0
    transfer: float = 0.0
    transfer_to: str = ""
    #: The share of the waiting who take the offer, made after a wait, to be called back.
    callback: float = 0.0
    callback_after_s: float = 60.0
    callback_in_s: float = 300.0
    overflow_after_s: float | None = None
    overflow_to: str = ""
    leavings: tuple[Leaving, ...] = ()
    ivr_s: float = 0.0
    ivr_hangup: float = 0.0
    #: A bot writes back before a person does, and settles this share of the matters by itself.
    bot: bool = False
    bot_resolves: float = 0.0
    message_gap_s: float = 0.0
    #: On a ticket: how long the customer takes to write again where the matter is not settled.
    again_after_s: float = 3_600.0
    #: What contacts are about, one as likely as the other.
    subjects: tuple[str, ...] = ()
    #: The share who answer a survey, and which, one as likely as the other.
    survey: float = 0.0
    surveys: tuple[RatingKind, ...] = ("survey.csat",)
    after: After | None = None

    @property
    def is_ticket(self) -> bool:
        """Whether its contacts are letters, open until somebody settles them, and not conversations."""
        return self.channel in TICKETS


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """Agents of equal skills: the queues they serve, and how many contacts each handles at once."""

    queues: tuple[str, ...]
    agents: int
    concurrency: int = 1
    #: How likely an agent takes a break after a contact, and how long it lasts on average.
    break_probability: float = 0.0
    break_s: float = 300.0
    #: How likely an agent who comes back from one says how content they are.
    esat: float = 0.0


class CallCenter(msgspec.Struct, frozen=True, kw_only=True):
    """Queues and the teams that serve them; raise ValueError where they do not fit together."""

    queues: tuple[Queue, ...]
    teams: tuple[Team, ...]
    #: Customers who come and go by themselves.
    joins_per_hour: float = 0.0
    leaves_per_hour: float = 0.0

    def __post_init__(self) -> None:
        names = [queue.name for queue in self.queues]
        if len(set(names)) != len(names):
            raise ValueError(f"two queues of one name among {', '.join(names)}")
        for queue in self.queues:
            _check_queue(queue, names)
        for team in self.teams:
            if unknown := set(team.queues) - set(names):
                raise ValueError(f"a team serves {', '.join(sorted(unknown))}, which is no queue of this call center")
            if team.agents < 1 or team.concurrency < 1:
                raise ValueError("a team needs at least one agent, and an agent at least one contact at a time")
        if unserved := set(names).difference(*(team.queues for team in self.teams)):
            raise ValueError(f"no team serves {', '.join(sorted(unserved))}")


def _check_queue(queue: Queue, names: list[str]) -> None:
    """Raise ValueError when a queue's own numbers make no sense."""
    if queue.profile and (len(queue.profile) != HOURS_A_DAY or min(queue.profile) < 0):
        raise ValueError(f"{queue.name}: a profile has {HOURS_A_DAY} factors, none below 0")
    if queue.ivr_hangup + queue.bot_resolves > 1:
        raise ValueError(f"{queue.name}: more hang up or are settled by the bot than there are")
    if queue.bot_resolves and not (queue.bot and queue.ivr_s):
        raise ValueError(f"{queue.name}: a bot that settles matters needs the time for it, ivr_s")
    if not 0 <= queue.swing <= 1:
        raise ValueError(f"{queue.name}: swing is a share from 0 to 1")
    for share, target in ((queue.transfer, queue.transfer_to), (queue.overflow_after_s or 0.0, queue.overflow_to)):
        if share and (target not in names or target == queue.name):
            raise ValueError(f"{queue.name}: contacts move on to another queue, and {target!r} is none")


def scaled(center: CallCenter, contacts_per_second: float) -> CallCenter:
    """Return ``center`` grown or shrunk, arrivals and agents alike, to ``contacts_per_second`` on average.

    The load on an agent stays as it is; larger teams still serve better, as they do in life.
    """
    present = sum(queue.rate_per_hour for queue in center.queues) / SECONDS_AN_HOUR
    factor = contacts_per_second / present
    queues = tuple(
        msgspec.structs.replace(queue, rate_per_hour=queue.rate_per_hour * factor) for queue in center.queues
    )
    teams = tuple(msgspec.structs.replace(team, agents=max(1, round(team.agents * factor))) for team in center.teams)
    return msgspec.structs.replace(
        center,
        queues=queues,
        teams=teams,
        joins_per_hour=center.joins_per_hour * factor,
        leaves_per_hour=center.leaves_per_hour * factor,
    )
