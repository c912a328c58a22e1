"""Random times: when contacts arrive, how long service takes. Milliseconds, as the simulator counts them."""

import math
from collections.abc import Callable
from random import Random
from typing import Final

from agents.sources.callcenter import HOURS_A_DAY, SECONDS_AN_HOUR, Duration, Queue

HOUR_MS: Final = SECONDS_AN_HOUR * 1_000


def sampler(duration: Duration, random: Random) -> Callable[[], float]:
    """Return a function that draws a duration in milliseconds."""
    if duration.cv is None:
        rate = 0.001 / duration.mean_s
        return lambda: random.expovariate(rate)
    variance = math.log(1 + duration.cv**2)
    mu, sigma = math.log(duration.mean_s * 1_000) - variance / 2, math.sqrt(variance)
    return lambda: random.lognormvariate(mu, sigma)


def arrivals_of(queue: Queue, random: Random, start_ms: float) -> Callable[[float], float]:
    """Return a function from a moment to the next arrival after it, infinity when there is none.

    The arrivals are a Poisson process whose rate follows the queue's profile and swing, made by thinning one
    of the highest rate (Lewis and Shedler 1979).
    """
    profile = queue.profile or (1.0,) * HOURS_A_DAY
    highest = queue.rate_per_hour / HOUR_MS * max(profile) * (1 + queue.swing)
    if not highest:
        return lambda _: math.inf
    if not queue.profile and not queue.swing:
        return lambda now: now + random.expovariate(highest)
    turn = 2 * math.pi / (queue.swing_period_s * 1_000)
    phase = 2 * math.pi * queue.swing_phase

    def next_after(now: float) -> float:
        while True:
            now += random.expovariate(highest)
            swing = 1 + queue.swing * math.sin(turn * (now - start_ms) + phase)
            rate = queue.rate_per_hour / HOUR_MS * profile[int(now // HOUR_MS) % HOURS_A_DAY] * swing
            if random.random() * highest < rate:
                return now

    return next_after
