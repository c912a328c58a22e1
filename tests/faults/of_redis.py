"""What befalls Redis: it dies, forgets, fails over, is full; and the network to it breaks."""

import time

from tests.faults.faults import Chance, fault
from tests.faults.site import Site


@fault("Redis is killed and started again")
def redis_killed(site: Site, chance: Chance) -> None:
    """SIGKILL; it comes back with its append-only file."""
    site.pair.primary.kill()
    with site.outage():
        chance.sleep(1, 6)
    site.pair.primary.start()


@fault("Redis comes back with its file cut short")
def redis_cut_short(site: Site, chance: Chance) -> None:
    """SIGKILL, and the end of its append-only file is gone, in the middle of a command: as after a loss of power."""
    site.pair.primary.kill()
    site.pair.primary.cut_file_short(chance.rng.randrange(1, 200_000))
    site.pair.primary.start()


@fault("Redis is emptied")
def redis_emptied(site: Site, _chance: Chance) -> None:
    """FLUSHALL: everything is counted again from what Kafka has."""
    site.pair.primary.do("FLUSHALL")


@fault("Redis fails over to a replica that lags")
def redis_fails_over(site: Site, chance: Chance) -> None:
    """The replica has missed the last second or more when it takes over; the old primary comes back as its replica."""
    site.pair.primary.link.hold()
    chance.sleep(1.5, 4)
    site.pair.fail_over()
    site.healed = time.monotonic()
    site.pair.bring_back()


@fault("Redis has no memory left")
def redis_out_of_memory(site: Site, chance: Chance) -> None:
    """maxmemory with noeviction: commits are refused; then there is room again."""
    site.pair.primary.fill_memory()
    with site.outage():
        chance.sleep(2, 8)
    site.pair.primary.free_memory()


@fault("Redis's disk is full")
def redis_disk_full(site: Site, chance: Chance) -> None:
    """Its append-only file cannot grow, as on a full disk: it refuses to write; then it can again."""
    site.pair.primary.fill_disk()
    with site.outage():
        chance.sleep(3, 8)
    site.pair.primary.free_disk()


@fault("Redis stalls")
def redis_stalls(site: Site, chance: Chance) -> None:
    """SIGSTOP for longer than callwatch waits (2 s), then SIGCONT: it then does what was asked before."""
    site.pair.primary.pause()
    with site.outage():
        chance.sleep(5, 10)
    site.pair.primary.resume()


@fault("the network to Redis is cut")
def redis_cut(site: Site, chance: Chance) -> None:
    """All connections are reset, new ones refused."""
    site.pair.front.cut()
    with site.outage():
        chance.sleep(2, 15)
    site.pair.front.heal()


@fault("the network to Redis swallows everything")
def redis_silent(site: Site, chance: Chance) -> None:
    """Connections stand, and nothing arrives; later all of it does."""
    site.pair.front.hold()
    with site.outage():
        chance.sleep(5, 15)
    site.pair.front.heal()


@fault("Redis's answers get lost")
def redis_half_open(site: Site, chance: Chance) -> None:
    """Commits arrive and are applied, and nobody learns of it."""
    site.pair.front.hold(answers_only=True)
    with site.outage():
        chance.sleep(1, 8)
    site.pair.front.drop()
    site.pair.front.heal()


@fault("the network to Redis is slow")
def redis_slow(site: Site, chance: Chance) -> None:
    """Every packet takes a third of a second more."""
    site.pair.front.delay(0.3)
    chance.sleep(2, 8)
    site.pair.front.heal()
