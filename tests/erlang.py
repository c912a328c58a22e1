"""Erlang C and Erlang A as closed forms: what a queue of theory does in the long run.

``arrivals`` contacts and ``service`` completions of one busy agent per unit of time, ``agents``, and, where
customers are impatient, ``patience`` their abandonments per unit of time of waiting. Any unit will do.

Erlang C (M/M/n): A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in
automatic telephone exchanges", 1917. Erlang A (M/M/n+M): O. Garnett, A. Mandelbaum, M. Reiman, "Designing a
call center with impatient customers", 2002; A. Mandelbaum, S. Zeltyn, "Service engineering in action: the
Palm/Erlang-A queue", 2007, whose A(x, y) and offered-wait density are used here.
"""

import math
from collections.abc import Callable
from typing import NamedTuple


def erlang_b(agents: int, load: float) -> float:
    """Return the share of contacts blocked where nobody can wait, by Erlang's recursion."""
    blocked = 1.0
    for n in range(1, agents + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


class ErlangC(NamedTuple):
    """A queue whose customers wait until answered (M/M/n); the load must be below the number of agents."""

    arrivals: float
    service: float
    agents: int

    @property
    def load(self) -> float:
        return self.arrivals / self.service

    @property
    def waits(self) -> float:
        """The share who wait at all: Erlang's C."""
        blocked = erlang_b(self.agents, self.load)
        return self.agents * blocked / (self.agents - self.load * (1 - blocked))

    def service_level(self, threshold: float) -> float:
        """The share answered within the threshold."""
        return 1 - self.waits * math.exp(-(self.agents - self.load) * self.service * threshold)

    @property
    def speed_of_answer(self) -> float:
        """The average wait."""
        return self.waits / ((self.agents - self.load) * self.service)


class ErlangA(NamedTuple):
    """A queue whose customers give up (M/M/n+M)."""

    arrivals: float
    service: float
    agents: int
    patience: float

    @property
    def _a(self) -> float:
        """Palm's A(n mu / theta, lambda / theta) = 1 + sum over j of y^j / ((x + 1) ... (x + j))."""
        x, y = self.agents * self.service / self.patience, self.arrivals / self.patience
        total = term = 1.0
        j = 0
        while term > 1e-15 * total:
            j += 1
            term *= y / (x + j)
            total += term
        return total

    @property
    def waits(self) -> float:
        """The share who find all agents busy."""
        blocked = erlang_b(self.agents, self.arrivals / self.service)
        return self._a * blocked / (1 + (self._a - 1) * blocked)

    @property
    def abandons(self) -> float:
        """The share who give up."""
        utilisation = self.arrivals / (self.agents * self.service)
        return self.waits * (1 / (utilisation * self._a) + 1 - 1 / utilisation)

    @property
    def average_wait(self) -> float:
        """The average wait of all, answered and abandoned."""
        return self.abandons / self.patience

    def answered_within(self, threshold: float) -> float:
        """The share of all who are answered within the threshold: answered_of_offered."""
        return 1 - self.waits + self._integral(lambda _: 1.0, threshold)

    @property
    def speed_of_answer(self) -> float:
        """The average wait of the answered."""
        horizon = 40 / (self.agents * self.service) + 40 / self.patience
        return self._integral(lambda wait: wait, horizon) / (1 - self.abandons)

    def _integral(self, value: Callable[[float], float], horizon: float) -> float:
        """Integrate ``value`` of the wait over the answered who waited up to ``horizon``, by Simpson's rule.

        The offered wait has the density v(0) exp(lambda / theta (1 - e^(-theta x)) - n mu x), and who is
        offered a wait of x is still there with probability e^(-theta x).
        """
        steps = 20_000
        step = horizon / steps
        # Everybody who waits has a wait, which scales the density.
        scale = self.waits / self._mass()
        total = 0.0
        for i in range(steps + 1):
            wait = i * step
            weight = 1 if i in (0, steps) else 4 if i % 2 else 2
            total += weight * value(wait) * self._shape(wait) * math.exp(-self.patience * wait)
        return scale * total * step / 3

    def _shape(self, wait: float) -> float:
        exponent = self.arrivals / self.patience * -math.expm1(-self.patience * wait)
        return math.exp(exponent - self.agents * self.service * wait)

    def _mass(self) -> float:
        """The integral of the shape: A(n mu / theta, lambda / theta) / (n mu)."""
        return self._a / (self.agents * self.service)
