"""One scenario: a round of the load, faults in the middle of it, and then every number as the oracle has it."""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from tests.faults import of_cluster, of_kafka, of_redis, of_workers
from tests.faults.answers import check_board, check_customers, check_store
from tests.faults.faults import FAULTS, Chance, Fault
from tests.faults.site import Site

#: Whoever imports this has all faults registered.
MODULES = (of_cluster, of_kafka, of_redis, of_workers)
__all__ = ["FAULTS", "Chance", "Fault", "Outcome", "run"]


#: A third of what is left of a round is sent within as many seconds for each fault: it lasts until they are over.
PACE_S: Final = 3.0


class Outcome(NamedTuple):
    """One fault, survived: ``catch_up`` seconds after it all records were counted within a second again."""

    fault: str
    catch_up: float


def run(site: Site, faults: Sequence[Fault], chance: Chance, contacts: int) -> list[Outcome]:
    """Send a round of ``contacts``, do ``faults`` meanwhile, and hold every number against the oracle."""
    sending, outcomes = site.feed.send(site.next_round(contacts), PACE_S * max(1, len(faults))), list[Outcome]()
    for fault in faults:
        time.sleep(chance.rng.uniform(0.3, 1.0))
        site.healed = None
        fault.act(site, chance)
        outcomes.append(Outcome(fault.name, site.catch_up(site.healed or time.monotonic())))
    site.feed.finish()
    sending.result(site.patience_s)
    site.drain()
    check_store(site)
    check_board(site)
    check_customers(site)
    if site.watch.started:
        site.watch.check(site.rounds)
    for fault in faults:
        if fault.restore is not None:
            fault.restore(site)
    return outcomes
