"""Everything that a fault can befall: three brokers, a Redis with its replica, workers in one group, a board."""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import redis
from aiokafka import TopicPartition
from kafka.errors import CoordinatorNotAvailableError
from redis.exceptions import RedisClusterException

from agents.embedded.local import LOOPBACK
from agents.store.keys import Keys, unpack_beat
from tests.faults.feed import Feed
from tests.faults.lag import Lag, covers
from tests.faults.load import Round
from tests.faults.watch import WATCHED, Watch, fetch
from tests.generate import written as iso
from tests.harness.clock import WrongClock
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline, wait_until
from tests.harness.redis_cluster import ReplicatedCluster
from tests.harness.redis_pair import RedisPair
from tests.harness.server import Server

WORKERS: Final = 3
PARTITIONS: Final = 4
TOPICS: Final = ("calls", "chats")
#: The promises of tests/generate.py, as an operator writes them.
QUEUES: Final = """\
queues:
  sales: {}
  support: {service_level: {within: 45s}, short_abandon: 8s}
  chat: {service_level: {within: 60s}, longest_credible_wait: 30m}
"""
#: Whoever has not caught up within this never will.
CATCH_UP_S: Final = 120.0
#: What asking a Redis raises that is away or not yet there, or a cluster of them.
AWAY: Final = (redis.RedisError, RedisClusterException, OSError, StopIteration)
#: No clock goes wrong by this on its own, in seconds.
FAR_S: Final = 1_800


class Site:
    """A call center's callwatch on ``kafka`` and ``store``, with a load that never stops for long."""

    def __init__(
        self, kafka: KafkaCluster, store: RedisPair | ReplicatedCluster, name: str, directory: Path, seed: int
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.kafka = kafka
        self.store = store
        self.seed = seed
        #: The clocks of two workers' hosts. A worker that comes back to two others that share four partitions evenly
        #: is left without any, and signs nothing; one of the two always has some.
        self.clocks = [WrongClock(_made(directory / f"host-{number}")) for number in range(1, WORKERS)]
        queues = directory / "queues.yaml"
        queues.write_text(QUEUES)
        self.pipeline = Pipeline(
            kafka.proxied_address,
            store.url,
            name,
            directory,
            CALLWATCH_PARTITIONS=str(PARTITIONS),
            CALLWATCH_REPLICATION=str(len(kafka.brokers)),
            CALLWATCH_QUEUES=str(queues),
            CALLWATCH_CLOCK="watermark",
            CALLWATCH_STALE_AFTER="2s",
            # Small, so that a round is many commits.
            CALLWATCH_BATCH_RECORDS="100",
            CALLWATCH_INTERVAL_RETENTION="3650d",
        )
        self.rounds: list[Round] = []
        self._guest: Server | None = None
        #: Workers that ended although nobody had ended them, and were started again, as a supervisor would.
        self.deaths = 0
        self._feed: Feed | None = None
        #: From when on callwatch can be expected to go on as before, if the fault said so before it was over.
        self.healed: float | None = None
        self.patience_s = CATCH_UP_S
        self.watch = Watch(self._get, lambda: self._span(WATCHED))
        self._lag = Lag(lambda: _by_name(self.feed.acknowledged()), self.heads)

    @property
    def workers(self) -> list[Server]:
        """The workers, running or not."""
        return self.pipeline.workers

    @property
    def topics(self) -> list[str]:
        """The topics of the load."""
        return [f"{self.pipeline.name}.{topic}" for topic in TOPICS]

    def start(self) -> None:
        """Make the topics, start workers and board, and wait until all workers have joined their group.

        One that is still starting when Kafka goes away ends, as it should; no fault is meant for it.
        """
        self.pipeline.start()
        for clock in self.clocks:
            self.pipeline.add_worker(**clock.environment)
        wait_until(self._have_all_joined, CATCH_UP_S, "all workers in their group")
        self._feed = Feed(self.kafka.address, self.topics, PARTITIONS)
        self._lag.start()

    def _have_all_joined(self) -> bool:
        with suppress(CoordinatorNotAvailableError):  # before the first of them Kafka has no groups
            return len(self.kafka.members(self.pipeline.name)) == WORKERS
        return False

    @property
    def feed(self) -> Feed:
        """What sends the load; the site must have been started."""
        assert self._feed is not None
        return self._feed

    def guest(self) -> Server:
        """Return one more worker, not started; the same whenever it is asked for."""
        if self._guest is None:
            self._guest = self.pipeline.spare_worker()
        return self._guest

    def outage(self) -> AbstractContextManager[None]:
        """Say that nothing can be counted meanwhile."""
        return self.watch.outage()

    def stop(self) -> None:
        """End everything that the site started itself."""
        self.watch.stop()
        self._lag.stop()
        if self._guest is not None:
            self._guest.kill()
        self.pipeline.stop()
        if self._feed is not None:
            self._feed.close()

    def next_round(self, contacts: int) -> Round:
        """Make up the next round; it begins where the one before was closed."""
        begin = {"begin": self.rounds[-1].end} if self.rounds else {}
        self.rounds.append(Round(self.seed, len(self.rounds), contacts, **begin))
        return self.rounds[-1]

    @property
    def pair(self) -> RedisPair:
        """The Redis with its replica."""
        assert isinstance(self.store, RedisPair)
        return self.store

    @property
    def cluster(self) -> ReplicatedCluster:
        """The Redis Cluster."""
        assert isinstance(self.store, ReplicatedCluster)
        return self.store

    def intervals(self) -> list[dict[str, Any]]:
        """Return what the board answers about every quarter of an hour so far."""
        rows: list[dict[str, Any]] = self.pipeline.get("/api/v1/intervals", **self._span(), interval="15m")["rows"]
        return rows

    def _span(self, rounds: int = 0) -> dict[str, str]:
        """Return the span of the last ``rounds``, or of all."""
        return {"from": iso(self.rounds[-rounds:][0].begin), "to": iso(self.rounds[-1].end)}

    def _get(self, path: str, timeout: float, **query: str) -> Any:
        return fetch(f"http://{LOOPBACK}:{self.pipeline.port}{path}?{urlencode(query)}", timeout)

    def ends(self) -> dict[str, int]:
        """Return how many records each partition of the load has, by its name in the store."""
        return _by_name(self.feed.ends())

    def heads(self) -> dict[str, int]:
        """Return the stored offset of each partition of the load."""
        with suppress(*AWAY), _client(self.store.direct_url) as client:
            pairs = [(name, client.hget(Keys(name).head, "offset")) for name in partitions()]
            return {name: int(offset) if isinstance(offset, bytes) else -1 for name, offset in pairs}
        return dict.fromkeys(partitions(), -1)

    def clock_is_wrong(self) -> bool:
        """Tell whether a worker signs with a time that is far from the true one."""
        with suppress(*AWAY), _client(self.store.direct_url) as client:
            beats = [client.hget(Keys(name).head, "beat") for name in partitions()]
            return any(abs(unpack_beat(beat).at / 1000 - time.time()) > FAR_S for beat in beats if beat)
        return False

    def nurse(self) -> None:
        """Start workers again that ended by themselves."""
        for worker in self.workers:
            if worker.ended:
                self.deaths += 1
                worker.start()

    def drain(self) -> None:
        """Wait until all that is in Kafka is counted."""
        give_up, wanted = time.monotonic() + CATCH_UP_S, self.ends()
        while not covers(self.heads(), wanted):
            self.nurse()
            assert time.monotonic() < give_up, f"stuck: {self.heads()} of {wanted}, {self.deaths} deaths"
            time.sleep(0.05)

    def catch_up(self, since: float) -> float:
        """Wait until records are counted within a second again; return how long after ``since`` they were not."""
        give_up = time.monotonic() + CATCH_UP_S
        while (late := self._lag.settled(since)) is None:
            self.nurse()
            assert time.monotonic() < give_up, f"stuck: {self.heads()} of {self.ends()}, {self.deaths} deaths"
            time.sleep(0.05)
        return late


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _client(url: str) -> Any:
    kind = redis.RedisCluster if "-cluster://" in url else redis.Redis
    return kind.from_url(url.replace("-cluster://", "://"), socket_timeout=5)


def _by_name(found: Mapping[TopicPartition, int]) -> dict[str, int]:
    return {f"{tp.topic.rpartition('.')[2]}/{tp.partition}": end for tp, end in found.items()}


def partitions() -> Iterator[str]:
    """Yield the names of the load's partitions in the store."""
    yield from (f"{topic}/{number}" for topic in TOPICS for number in range(PARTITIONS))
