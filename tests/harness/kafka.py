"""Real Apache Kafka in KRaft mode: one broker or three, each a JVM that can be killed, paused, started again."""

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from agents.embedded.local import LOOPBACK
from tests.harness.jars import kafka_jars
from tests.harness.proxy import Proxy
from tests.harness.server import Server, accepts, free_port, missing

#: A broker that starts fast and stays small, rather than one that runs long.
JVM: Final = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
#: Above Kafka's 1 MiB, so that tests can send what callwatch itself must refuse.
LARGEST_MESSAGE: Final = 4 * 1024 * 1024

#: What Kafka takes for the offset before which all that a partition holds is deleted.
TO_THE_END: Final = -1


def _java(jars: Path, *arguments: str) -> list[str]:
    java = shutil.which("java")
    if java is None:
        missing("no Apache Kafka here: it needs Java 17 or newer, and there is no java on the path")
    log4j2 = Path(__file__).with_name("log4j2.properties")
    return [str(java), *JVM, f"-Dlog4j2.configurationFile={log4j2}", "-cp", f"{jars}/*", *arguments]


@contextmanager
def _admin(address: str, timeout_ms: int = 30_000) -> Iterator[KafkaAdminClient]:
    """Give an admin client of the brokers at ``address``."""
    client = KafkaAdminClient(bootstrap_servers=address, request_timeout_ms=timeout_ms, bootstrap_timeout_ms=timeout_ms)
    try:
        yield client
    finally:
        client.close()


class Broker(Server):
    """One broker, which is a controller too; ``proxied`` also has it reached through a proxy."""

    def __init__(self, node: int, directory: Path, jars: Path, *, proxied: bool) -> None:
        self.node = node
        self.port = free_port()
        self.controller_port = free_port()
        self._proxied_port = free_port() if proxied else None
        self.proxy = None if self._proxied_port is None else Proxy(self._proxied_port)
        self.properties = directory / "server.properties"
        command = _java(jars, "kafka.Kafka", str(self.properties))
        super().__init__(f"kafka-{node}", command, directory, self._answers)

    @property
    def address(self) -> str:
        """Return where clients find this broker."""
        return f"{LOOPBACK}:{self.port}"

    def write_properties(self, voters: str, replicas: int) -> None:
        """Write the broker's configuration: ``voters`` is the quorum, ``replicas`` how often data is kept."""
        internal = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        lines = (
            "process.roles=broker,controller",
            f"node.id={self.node}",
            *self._listeners(),
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=PLAINTEXT",
            f"controller.quorum.voters={voters}",
            f"log.dirs={self.directory / 'data'}",
            "auto.create.topics.enable=false",
            f"default.replication.factor={replicas}",
            # What is acknowledged outlives the loss of a broker.
            f"min.insync.replicas={1 if replicas == 1 else 2}",
            *(f"{topic}.replication.factor={replicas}" for topic in internal),
            *(f"{topic}.num.partitions=4" for topic in internal),
            "transaction.state.log.min.isr=1",
            "share.coordinator.state.topic.min.isr=1",
            # A broker that stalls keeps its followers waiting no longer than it is missed itself.
            "replica.lag.time.max.ms=3000",
            "replica.socket.timeout.ms=3000",
            "controller.quorum.fetch.timeout.ms=1500",
            "controller.quorum.election.timeout.ms=500",
            "group.initial.rebalance.delay.ms=0",
            # A killed broker is let in again only when its former self is given up: by default after 9 s.
            "broker.session.timeout.ms=3000",
            "broker.heartbeat.interval.ms=500",
            f"message.max.bytes={LARGEST_MESSAGE}",
            f"replica.fetch.max.bytes={LARGEST_MESSAGE}",
            # By default a quarter of this small heap.
            "log.cleaner.dedupe.buffer.size=4194304",
        )
        self.properties.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _listeners(self) -> tuple[str, str, str]:
        listeners, advertised = f"PLAINTEXT://{self.address}", f"PLAINTEXT://{self.address}"
        if self.proxy is not None:
            listeners += f",PROXIED://{LOOPBACK}:{self._proxied_port}"
            advertised += f",PROXIED://{LOOPBACK}:{self.proxy.port}"
        return (
            f"listeners={listeners},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            f"advertised.listeners={advertised}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
        )

    def _answers(self) -> bool:
        if not accepts(self.port):
            return False
        with suppress(KafkaError), _admin(self.address, timeout_ms=2_000) as admin:
            return any(broker["broker_id"] == self.node for broker in admin.describe_cluster()["brokers"])
        return False


class KafkaCluster:
    """A cluster of ``brokers`` (1 or 3) on loopback, its data under ``directory``.

    With three of them every topic that names no replication of its own is kept three times. ``proxied`` brokers can
    also be reached at ``proxied_address``, each through its own proxy.
    """

    def __init__(self, directory: Path, brokers: int = 1, *, proxied: bool = False) -> None:
        self._cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.brokers = [self._broker(node, directory, proxied=proxied) for node in range(1, brokers + 1)]
        voters = ",".join(f"{b.node}@{LOOPBACK}:{b.controller_port}" for b in self.brokers)
        for broker in self.brokers:
            broker.write_properties(voters, replicas=brokers)
            self._format(broker)

    @property
    def address(self) -> str:
        """Return all brokers' addresses, comma-separated, as clients take them."""
        return ",".join(broker.address for broker in self.brokers)

    @property
    def proxied_address(self) -> str:
        """Return where all brokers are reached through their proxies."""
        return ",".join(f"{LOOPBACK}:{broker.proxy.port}" for broker in self.brokers if broker.proxy is not None)

    def start(self, within_s: float = 90.0) -> None:
        """Start all brokers and wait until each answers."""
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.wait_ready(within_s)

    def kill(self) -> None:
        """End all brokers with SIGKILL."""
        for broker in self.brokers:
            broker.kill()

    def pause(self) -> None:
        """Freeze all brokers."""
        for broker in self.brokers:
            broker.pause()

    def resume(self) -> None:
        """Let all brokers go on."""
        for broker in self.brokers:
            broker.resume()

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Make a topic, kept as often as there are brokers."""
        with _admin(self.address) as admin:
            admin.create_topics([NewTopic(name, partitions, len(self.brokers))])

    def empty_topic(self, name: str) -> None:
        """Delete all records of a topic."""
        with _admin(self.address) as admin:
            (described,) = admin.describe_topics([name])
            partitions = [TopicPartition(name, each["partition_index"]) for each in described["partitions"]]
            admin.delete_records(dict.fromkeys(partitions, TO_THE_END))

    def members(self, group: str) -> set[str]:
        """Return the members of a consumer group: who leaves it and joins again gets another name."""
        with _admin(self.address) as admin:
            (described,) = admin.describe_groups([group]).values()
        return {member["member_id"] for member in described["members"]}

    def lose(self, broker: Broker) -> None:
        """End a broker for good: its disk is gone too."""
        broker.kill()
        shutil.rmtree(broker.directory / "data")

    def replace(self, broker: Broker) -> None:
        """Start a new broker, with nothing on its disk, in the place of one that was lost."""
        self._format(broker)
        broker.start()

    def in_sync(self, topic: str) -> bool:
        """Tell whether all replicas of ``topic`` are where its leaders are."""
        with _admin(self.address) as admin:
            (described,) = admin.describe_topics([topic])
        return all(len(each["isr_nodes"]) == len(self.brokers) for each in described["partitions"])

    @staticmethod
    def _broker(node: int, directory: Path, *, proxied: bool) -> Broker:
        home = directory / f"broker-{node}"
        home.mkdir(parents=True)
        return Broker(node, home, kafka_jars(), proxied=proxied)

    def _format(self, broker: Broker) -> None:
        tool = ("kafka.tools.StorageTool", "format", f"--cluster-id={self._cluster_id}", "--config")
        subprocess.run(_java(kafka_jars(), *tool, str(broker.properties)), check=True, capture_output=True, timeout=60)
