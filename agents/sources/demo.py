"""The call center of ``callwatch up``: sales at ease, billing near its target, support suffering, and chat.

The load of each queue moves up and down over minutes, so that there is always something to watch.
"""

from typing import Final

import msgspec

from agents.sources.callcenter import After, CallCenter, Duration, Leaving, Queue, RatingKind, Team

#: How busy the hours of a working day are, midnight first, relative to the busiest.
DAY: Final = (
    *(0.05, 0.03, 0.02, 0.02, 0.03, 0.06, 0.15, 0.40, 0.75, 0.95, 1.00, 0.95),
    *(0.80, 0.85, 0.90, 0.90, 0.85, 0.80, 0.65, 0.45, 0.35, 0.25, 0.15, 0.08),
)

SURVEYS: Final[tuple[RatingKind, ...]] = ("survey.csat", "survey.nps", "survey.ces")
SALES: Final = Queue(
    name="sales",
    rate_per_hour=420,
    swing=0.35,
    swing_period_s=480,
    service=Duration(170, cv=0.8),
    patience_s=150,
    wrap_up_s=20,
    ring_s=2.5,
    decline=0.01,
    hold=0.08,
    transfer=0.04,
    transfer_to="billing",
    ivr_s=12,
    ivr_hangup=0.03,
    subjects=("offer", "order", "delivery"),
    survey=0.1,
    surveys=SURVEYS,
    after=After(resolved=0.9, reopened=0.03, returns=0.04, orders=0.3, reviewed=0.03),
)
SUPPORT: Final = Queue(
    name="support",
    rate_per_hour=480,
    swing=0.3,
    swing_period_s=720,
    swing_phase=0.3,
    service=Duration(290, cv=1.2),
    patience_s=240,
    wrap_up_s=40,
    ring_s=3,
    decline=0.03,
    hold=0.25,
    transfer=0.06,
    transfer_to="billing",
    callback=0.2,
    callback_after_s=45,
    callback_in_s=420,
    overflow_after_s=90,
    overflow_to="sales",
    ivr_s=20,
    ivr_hangup=0.06,
    leavings=(Leaving("exit_key", 0.03, 60), Leaving("timeout", 1.0, 900)),
    subjects=("login", "outage", "installation", "return"),
    survey=0.1,
    surveys=SURVEYS,
    after=After(resolved=0.75, reopened=0.08, returns=0.15, reviewed=0.03),
)
BILLING: Final = Queue(
    name="billing",
    rate_per_hour=300,
    swing=0.3,
    swing_period_s=600,
    swing_phase=0.6,
    service=Duration(200, cv=0.9),
    patience_s=180,
    wrap_up_s=30,
    ring_s=2.5,
    decline=0.02,
    hold=0.12,
    ivr_s=15,
    ivr_hangup=0.04,
    leavings=(Leaving("exit_key", 0.02, 60),),
    subjects=("invoice", "payment", "address"),
    survey=0.1,
    surveys=SURVEYS,
    after=After(resolved=0.85, reopened=0.05, returns=0.08, reviewed=0.03),
)
CHAT: Final = Queue(
    name="chat",
    channel="chat",
    rate_per_hour=380,
    swing=0.4,
    swing_period_s=540,
    swing_phase=0.15,
    service=Duration(420, cv=0.7),
    patience_s=300,
    wrap_up_s=15,
    ring_s=4,
    decline=0.01,
    ivr_s=25,
    ivr_hangup=0.1,
    bot=True,
    bot_resolves=0.15,
    message_gap_s=30,
    leavings=(Leaving("withdrawn", 0.05, 5),),
    subjects=("login", "delivery", "invoice"),
    survey=0.15,
    surveys=SURVEYS,
    after=After(resolved=0.8, reopened=0.05, returns=0.1, orders=0.05, reviewed=0.02),
)
MAIL: Final = Queue(
    name="mail",
    channel="email",
    rate_per_hour=60,
    service=Duration(240, cv=0.8),
    again_after_s=2_400,
    subjects=("invoice", "return", "address"),
    survey=0.1,
    surveys=SURVEYS,
    after=After(resolved=0.7, reopened=0.05, returns=0.05, reviewed=0.02, cost=3.5),
)
BREAKS: Final = 0.02
TEAMS: Final = (
    Team(queues=("sales",), agents=29, break_probability=BREAKS, esat=0.05),
    Team(queues=("support",), agents=37, break_probability=BREAKS, esat=0.05),
    Team(queues=("billing",), agents=22, break_probability=BREAKS, esat=0.05),
    Team(queues=("billing", "support"), agents=3, break_probability=BREAKS, esat=0.05),
    Team(queues=("chat",), agents=14, concurrency=3, break_probability=BREAKS, esat=0.05),
    Team(queues=("mail",), agents=8, break_probability=BREAKS, esat=0.05),
)


def demo(profile: tuple[float, ...] = ()) -> CallCenter:
    """Return the call center that ``callwatch up`` shows; ``profile`` (such as ``DAY``) adds the hours of the day."""
    queues = tuple(msgspec.structs.replace(queue, profile=profile) for queue in (SALES, SUPPORT, BILLING, CHAT, MAIL))
    return CallCenter(queues=queues, teams=TEAMS, joins_per_hour=60, leaves_per_hour=20)
