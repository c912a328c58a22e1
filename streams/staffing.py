"""How long the next one waits, and how many agents a load needs.

All of it is queueing theory, and so rests on what theory assumes: arrivals independent of each other, handle times
that vary like an exponential distribution, agents who serve this queue alone, customers who do not give up.
Rates are per second, times seconds.
"""

from collections.abc import Iterator
from math import exp, floor
from typing import Final

#: Nobody staffs a queue with more: a promise that asks for more is not to be kept.
MOST_AGENTS: Final = 100_000


def expected_wait(ahead: int, free: int, agents: int, handle_time: float) -> float | None:
    """Return how long the next to arrive waits, in seconds; None where nobody serves.

    With somebody free for them, not at all. Otherwise the queue ahead and they themselves, less who is free, must
    each see an agent become free, of whom ``agents`` do so every ``handle_time``: (ahead + 1 - free) x handle time /
    agents, the queue-length predictor of W. Whitt, "Predicting queueing delays", Management Science 45 (6), 1999.
    """
    if agents <= 0:
        return None
    return max(0, ahead + 1 - free) * handle_time / agents


def capacity(agents: int, handle_time: float) -> float:
    """Return how many contacts a second ``agents`` can take: agents / handle time."""
    return agents / handle_time


def _blocking(load: float) -> Iterator[tuple[int, float]]:
    """Yield (agents, Erlang's B) from 1 agent on, by B(n) = load B(n - 1) / (n + load B(n - 1))."""
    blocked = 1.0
    for agents in range(1, MOST_AGENTS + 1):
        blocked = load * blocked / (agents + load * blocked)
        yield agents, blocked


def agents_needed(arrivals: float, handle_time: float, threshold: float, target: float) -> int | None:
    """Return the fewest agents that answer the share ``target`` within ``threshold`` seconds, by Erlang C.

    A. K. Erlang, 1917: with load a = arrivals x handle time and C the share who wait at all, the service level is
    1 - C exp(-(n - a) threshold / handle time). None where no number of agents is enough; 0 where nobody comes.
    """
    load = arrivals * handle_time
    if load <= 0:
        return 0
    if target >= 1 or load >= MOST_AGENTS:
        return None
    for agents, blocked in _blocking(load):
        if agents <= floor(load):
            continue
        waits = agents * blocked / (agents - load * (1 - blocked))
        if 1 - waits * exp(-(agents - load) * threshold / handle_time) >= target:
            return agents
    return None


def recovery(waiting: int, arrivals: float, agents: int, handle_time: float) -> float | None:
    """Return how long ``agents`` need until those who wait now are answered, while others come, in seconds.

    None where they never get there: arrivals as fast as they can take them.
    """
    spare = capacity(agents, handle_time) - arrivals
    return waiting / spare if spare > 0 else None
