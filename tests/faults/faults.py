"""The register of faults: each a name, what it does, and what puts the site in order again afterwards."""

import time
from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

from tests.faults.site import Site


class Chance:
    """Seeded choice of moments and stretches; ``brief`` keeps stretches at their shortest."""

    def __init__(self, seed: str, *, brief: bool) -> None:
        self.rng = Random(seed)
        self._brief = brief

    def sleep(self, shortest: float, longest: float) -> None:
        """Let between ``shortest`` and ``longest`` seconds pass."""
        chosen = self.rng.uniform(shortest, longest)
        time.sleep(shortest if self._brief else chosen)


Act = Callable[[Site, Chance], None]


class Fault(NamedTuple):
    """What can go wrong: ``act`` returns once it is over, ``restore`` replaces what does not come back by itself."""

    name: str
    act: Act
    restore: Callable[[Site], None] | None = None
    #: Whether it befalls a Redis Cluster rather than a Redis with a replica.
    cluster: bool = False


#: All faults, by name.
FAULTS: Final[dict[str, Fault]] = {}


def fault(name: str, restore: Callable[[Site], None] | None = None, *, cluster: bool = False) -> Callable[[Act], Act]:
    """Register a fault."""

    def register(act: Act) -> Act:
        FAULTS[name] = Fault(name, act, restore, cluster)
        return act

    return register
