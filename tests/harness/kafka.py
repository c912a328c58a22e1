"""Real Apache Kafka in KRaft mode: one broker or three, each a JVM that can be killed, paused, started again."""

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from typing import Final

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from agents.embedded.local import LOOPBACK
from tests.harness.jars import kafka_jars
from tests.harness.server import Server, accepts, free_port, missing

#: A broker that starts fast and stays small, rather than one that runs long.
JVM: Final = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
#: Above Kafka's 1 MiB, so that tests can send what callwatch itself must refuse.
LARGEST_MESSAGE: Final = 4 * 1024 * 1024


def _java(jars: Path, *arguments: str) -> list[str]:
    java = shutil.which("java")
    if java is None:
        missing("no Apache Kafka here: it needs Java 17 or newer, and there is no java on the path")
    log4j2 = Path(__file__).with_name("log4j2.properties")
    return [str(java), *JVM, f"-Dlog4j2.configurationFile={log4j2}", "-cp", f"{jars}/*", *arguments]


class Broker(Server):
    """One broker, which is a controller too."""

    def __init__(self, node: int, directory: Path, jars: Path) -> None:
        self.node = node
        self.port = free_port()
        self.controller_port = free_port()
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
            f"listeners=PLAINTEXT://{self.address},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            f"advertised.listeners=PLAINTEXT://{self.address}",
            "controller.listener.names=CONTROLLER",
            f"controller.quorum.voters={voters}",
            f"log.dirs={self.directory / 'data'}",
            "auto.create.topics.enable=false",
            f"default.replication.factor={replicas}",
            *(f"{topic}.replication.factor={replicas}" for topic in internal),
            *(f"{topic}.num.partitions=4" for topic in internal),
            "transaction.state.log.min.isr=1",
            "share.coordinator.state.topic.min.isr=1",
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

    def _answers(self) -> bool:
        # kafka-python leaves a socket open for every connection that is refused.
        if not accepts(self.port):
            return False
        with suppress(KafkaError):
            admin = KafkaAdminClient(
                bootstrap_servers=self.address, request_timeout_ms=2_000, bootstrap_timeout_ms=2_000
            )
            try:
                return any(broker["broker_id"] == self.node for broker in admin.describe_cluster()["brokers"])
            finally:
                admin.close()
        return False


class KafkaCluster:
    """A cluster of ``brokers`` (1 or 3) on loopback, its data under ``directory``.

    With three of them every topic that names no replication of its own is kept three times.
    """

    def __init__(self, directory: Path, brokers: int = 1) -> None:
        self.brokers = [self._broker(node, directory) for node in range(1, brokers + 1)]
        voters = ",".join(f"{b.node}@{LOOPBACK}:{b.controller_port}" for b in self.brokers)
        for broker in self.brokers:
            broker.write_properties(voters, replicas=brokers)
        self._format()

    @property
    def address(self) -> str:
        """Return all brokers' addresses, comma-separated, as clients take them."""
        return ",".join(broker.address for broker in self.brokers)

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
        admin = KafkaAdminClient(bootstrap_servers=self.address)
        try:
            admin.create_topics([NewTopic(name, partitions, len(self.brokers))])
        finally:
            admin.close()

    @staticmethod
    def _broker(node: int, directory: Path) -> Broker:
        home = directory / f"broker-{node}"
        home.mkdir(parents=True)
        return Broker(node, home, kafka_jars())

    def _format(self) -> None:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ("kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config")
        for broker in self.brokers:
            subprocess.run(
                _java(kafka_jars(), *tool, str(broker.properties)), check=True, capture_output=True, timeout=60
            )
