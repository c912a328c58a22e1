"""What befalls workers: they die, freeze, come and go, and their clocks jump."""

import time
from typing import Final

from tests.faults.faults import Chance, fault
from tests.faults.site import Site
from tests.harness.clock import WrongClock

#: A worker that has partitions signs for each of them every second.
SIGNED_WITHIN_S: Final = 15.0


@fault("a worker is killed")
def worker_killed(site: Site, chance: Chance) -> None:
    """SIGKILL; started again, as a supervisor would. The time to catch up counts from the kill."""
    worker = chance.rng.choice(site.workers)
    worker.kill()
    site.healed = time.monotonic()
    chance.sleep(0, 5)
    worker.start()


@fault("all workers are killed")
def workers_killed(site: Site, chance: Chance) -> None:
    """SIGKILL to all at once, as when their host dies."""
    for worker in site.workers:
        worker.kill()
    with site.outage():
        chance.sleep(0, 5)
    for worker in site.workers:
        worker.start()


@fault("a worker freezes until its group has given it up, and wakes")
def worker_frozen(site: Site, chance: Chance) -> None:
    """SIGSTOP for longer than the session timeout of 10 s, then SIGCONT. Counts from the stop."""
    worker = chance.rng.choice(site.workers)
    worker.pause()
    site.healed = time.monotonic()
    chance.sleep(11.5, 16)
    worker.resume()


@fault("workers join and leave")
def workers_come_and_go(site: Site, chance: Chance) -> None:
    """One more worker, which counts for a while and is stopped in good order."""
    guest = site.guest()
    guest.start()
    chance.sleep(4, 8)
    guest.stop()


@fault("the clock of a worker's host jumps by an hour")
def clock_jumps(site: Site, chance: Chance) -> None:
    """An hour forth or back, and some time later right again; the steady clock of the host goes on as it did.

    The host is one whose worker has partitions: nobody could tell the clock of another.
    """
    seconds = chance.rng.choice((3_600, -3_600))
    clocks = chance.rng.sample(site.clocks, len(site.clocks))
    wrong = next((clock for clock in clocks if _shows(site, clock, seconds)), None)
    assert wrong is not None, "no worker signs with a clock that has jumped"
    chance.sleep(1, 6)
    wrong.jump(0)


def _shows(site: Site, clock: WrongClock, seconds: int) -> bool:
    """Let ``clock`` jump; set it right again and return False where no worker goes by it."""
    clock.jump(seconds)
    give_up = time.monotonic() + SIGNED_WITHIN_S
    while time.monotonic() < give_up:
        if site.clock_is_wrong():
            return True
        time.sleep(0.1)
    clock.jump(0)
    return False
