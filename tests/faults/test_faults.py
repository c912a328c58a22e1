"""Each fault once, briefly: a load runs on, something breaks, and in the end every number is the oracle's."""

import sys

import pytest

from tests.faults.conftest import SEED
from tests.faults.scenario import FAULTS, Chance, run
from tests.faults.site import Site

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.cluster])
def test_every_number_is_right_after(name: str, site: Site) -> None:
    survives(name, site)


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.cluster])
def test_on_a_redis_cluster_every_number_is_right_after(name: str, clustered: Site) -> None:
    survives(name, clustered)


def survives(name: str, site: Site) -> None:
    chance, deaths = Chance(f"{SEED}/{name}", brief=True), site.deaths
    (outcome,) = run(site, [FAULTS[name]], chance, contacts=80)
    sys.stdout.write(f"{name}: caught up within {outcome.catch_up:.1f} s; seed {SEED}\n")
    assert site.deaths == deaths, "a worker ended by itself"
