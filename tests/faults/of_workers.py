"""What befalls workers: they die, freeze, come and go, and their clocks jump."""

import time

from tests.faults.faults import Chance, fault
from tests.faults.site import Site
from tests.harness.pipeline import wait_until


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
    """An hour forth or back, and some time later right again; the steady clock of the host goes on as it did."""
    site.clock.jump(chance.rng.choice((3_600, -3_600)))
    wait_until(site.clock_is_wrong, 30, "a worker whose clock has jumped")
    chance.sleep(1, 6)
    site.clock.jump(0)
