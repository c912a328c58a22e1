"""The long form: faults of every kind, again and again, until there have been enough. ``make faults`` runs it.

Rounds of a few faults each, on a Redis with a replica and on a Redis Cluster; after every round every number is
held against the oracle. What is chosen follows from the seed, which is printed: ``--seed`` chooses the same again.
"""

import argparse
import logging
import random
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.scenario import FAULTS, Chance, Fault, Outcome, run
from tests.faults.site import Site
from tests.harness.kafka import KafkaCluster
from tests.harness.redis_cluster import ReplicatedCluster
from tests.harness.redis_pair import RedisPair

FAULTS_A_ROUND = 5
CONTACTS_A_ROUND = 300


def plan(seed: int, faults: int) -> Iterator[list[Fault]]:
    """Yield rounds, of ``faults`` faults in all, each about as often; what needs a restore comes last."""
    rng, seen = random.Random(seed), Counter[str]()
    kinds = {cluster: [fault for fault in FAULTS.values() if fault.cluster is cluster] for cluster in (False, True)}
    left = faults
    while left:
        # On the site whose kinds of faults have had the fewest turns so far.
        pool = min(kinds.values(), key=lambda kind: (sum(seen[fault.name] for fault in kind) / len(kind), rng.random()))
        chosen: list[Fault] = []
        for _ in range(min(FAULTS_A_ROUND, left)):
            fewest = min(seen[fault.name] for fault in pool)
            chosen.append(rng.choice([fault for fault in pool if seen[fault.name] == fewest]))
            seen[chosen[-1].name] += 1
        left -= len(chosen)
        once = {fault.name: fault for fault in chosen if fault.restore is not None}
        yield [fault for fault in chosen if fault.restore is None] + list(once.values())


class Run:
    """The sites of one long run, and what came of it."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.seed = seed
        self.outcomes: list[Outcome] = []
        self._kafka = KafkaCluster(directory / "kafka", brokers=3, proxied=True)
        self.sites = {
            False: Site(self._kafka, RedisPair(directory), "faults-pair", directory / "pair", seed),
            True: Site(self._kafka, ReplicatedCluster(directory), "faults-cluster", directory / "cluster", seed),
        }

    def start(self, ending: ExitStack) -> None:
        """Start everything; ``ending`` ends it."""
        ending.callback(self._kafka.kill)
        self._kafka.start()
        for site in self.sites.values():
            ending.callback(site.store.kill)
            site.store.start()
            ending.callback(site.stop)
            site.start()
            run(site, [], self._chance("first"), CONTACTS_A_ROUND)
            site.watch.start()

    def survive(self, number: int, faults: list[Fault]) -> None:
        """Run one round; raise AssertionError where a number is wrong or something stuck."""
        began = time.monotonic()
        outcomes = run(self.sites[faults[0].cluster], faults, self._chance(str(number)), CONTACTS_A_ROUND)
        self.outcomes += outcomes
        done = "; ".join(f"{outcome.fault} {outcome.catch_up:.1f} s" for outcome in outcomes)
        say(f"round {number}, {time.monotonic() - began:.0f} s, {len(self.outcomes)} faults survived: {done}")

    @property
    def deaths(self) -> int:
        """How many workers ended by themselves."""
        return sum(site.deaths for site in self.sites.values())

    def _chance(self, name: str) -> Chance:
        return Chance(f"{self.seed}/{name}", brief=False)


def table(outcomes: Iterable[Outcome]) -> str:
    """Return a row for each fault: how often, and how long it took to catch up, in the middle and at worst."""
    took: defaultdict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        took[outcome.fault].append(outcome.catch_up)
    rows = ["| fault | times | caught up, p50 | worst |", "| --- | ---: | ---: | ---: |"]
    rows += [
        f"| {name} | {len(times)} | {statistics.median(times):.1f} s | {max(times):.1f} s |"
        for name, times in sorted(took.items())
    ]
    everything = [time for times in took.values() for time in times]
    rows += [f"| all | {len(everything)} | {statistics.median(everything):.1f} s | {max(everything):.1f} s |"]
    return "\n".join(rows)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run until enough faults are survived; return 1 at the first wrong number."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="how many faults (200)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="what everything follows from")
    asked = parser.parse_args()
    say(f"{asked.faults} faults, seed {asked.seed}")
    # The load's own client, which tells of every broker that is away.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    directory = Path(tempfile.mkdtemp(prefix="callwatch-faults-"))
    with ExitStack() as ending:
        try:
            long = Run(directory, asked.seed)
            long.start(ending)
            for number, faults in enumerate(plan(asked.seed, asked.faults)):
                long.survive(number, faults)
        except pytest.skip.Exception as reason:
            say(str(reason))
            return 0
        except (AssertionError, pytest.fail.Exception) as wrong:
            say(f"seed {asked.seed}, logs in {directory}: {wrong}")
            return 1
    shutil.rmtree(directory)
    say(f"\n{table(long.outcomes)}\n\nworkers that ended by themselves: {long.deaths}; every number right")
    return 1 if long.deaths else 0


if __name__ == "__main__":
    sys.exit(main())
