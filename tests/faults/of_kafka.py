"""What befalls Kafka: brokers die, stall, lose their disks, and the network to them breaks."""

import time

from tests.faults.faults import Chance, fault
from tests.faults.site import Site
from tests.harness.pipeline import wait_until
from tests.harness.proxy import Proxy


@fault("a broker is killed and started again")
def broker_killed(site: Site, chance: Chance) -> None:
    """SIGKILL: others lead its partitions and the group meanwhile; the time to catch up counts from the kill."""
    broker = chance.rng.choice(site.kafka.brokers)
    broker.kill()
    site.healed = time.monotonic()
    chance.sleep(1, 8)
    broker.start()


@fault("a broker stalls")
def broker_stalls(site: Site, chance: Chance) -> None:
    """SIGSTOP for longer than it may be silent (3 s), then SIGCONT. Counts from the stall."""
    broker = chance.rng.choice(site.kafka.brokers)
    broker.pause()
    site.healed = time.monotonic()
    chance.sleep(5, 10)
    broker.resume()


def _replace_lost(site: Site) -> None:
    for broker in site.kafka.brokers:
        if not (broker.directory / "data").exists():
            site.kafka.replace(broker)
    for topic in site.topics:
        wait_until(lambda topic=topic: site.kafka.in_sync(topic), 60, f"{topic} in sync again")  # type: ignore[misc]


@fault("one of three brokers is lost for good", restore=_replace_lost)
def broker_lost(site: Site, chance: Chance) -> None:
    """SIGKILL, and its disk is gone; another with an empty disk takes its place only after all has been checked."""
    site.kafka.lose(chance.rng.choice(site.kafka.brokers))


def _proxies(site: Site) -> list[Proxy]:
    return [broker.proxy for broker in site.kafka.brokers if broker.proxy is not None]


@fault("the network between workers and Kafka is cut")
def kafka_cut(site: Site, chance: Chance) -> None:
    """All connections are reset, new ones refused."""
    for proxy in _proxies(site):
        proxy.cut()
    chance.sleep(2, 15)
    for proxy in _proxies(site):
        proxy.heal()


@fault("the network between workers and Kafka swallows everything")
def kafka_silent(site: Site, chance: Chance) -> None:
    """Connections stand, and nothing arrives; later all of it does."""
    for proxy in _proxies(site):
        proxy.hold()
    chance.sleep(4, 15)
    for proxy in _proxies(site):
        proxy.heal()


@fault("Kafka's answers to workers get lost")
def kafka_half_open(site: Site, chance: Chance) -> None:
    """Requests arrive, answers do not, and then the connections are reset."""
    for proxy in _proxies(site):
        proxy.hold(answers_only=True)
    chance.sleep(2, 8)
    for proxy in _proxies(site):
        proxy.drop()
        proxy.heal()


@fault("the network between workers and Kafka is slow")
def kafka_slow(site: Site, chance: Chance) -> None:
    """Every packet takes a third of a second more."""
    for proxy in _proxies(site):
        proxy.delay(0.3)
    chance.sleep(2, 8)
    for proxy in _proxies(site):
        proxy.heal()
