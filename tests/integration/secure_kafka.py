"""A real Kafka that lets in only whom it knows: SASL over TLS, certificates on both sides, and access control.

The listener that the harness itself uses stays open, on loopback, and its user may do anything.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from agents.embedded.local import LOOPBACK
from tests.harness.jars import kafka_jars
from tests.harness.kafka import Broker, KafkaCluster
from tests.harness.server import free_port
from tests.integration.certificates import Authority, Certificate

#: Who may count, and who is known but may do nothing.
USER: Final = "callwatch"
STRANGER: Final = "stranger"
PASSWORD: Final = "kafka-s3cret-and-long"  # noqa: S105 -- of a server that lives for a test

#: What callwatch needs of Kafka, as docs/reliability.md lists it; {0} is the topics' prefix, {1} the group.
RIGHTS: Final = (
    (ResourceType.TOPIC, ACLOperation.READ),
    (ResourceType.TOPIC, ACLOperation.WRITE),
    (ResourceType.TOPIC, ACLOperation.CREATE),
    (ResourceType.GROUP, ACLOperation.READ),
)


class SecureBroker(Broker):
    """A broker with three more listeners: SASL, certificates on both sides, and one with another host's certificate."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        super().__init__(1, directory, kafka_jars(), proxied=False)
        self._authority = authority
        self._ports = {name: free_port() for name in ("SASL", "MTLS", "ELSEWHERE")}

    def listener(self, name: str) -> str:
        """Return the address of a listener: SASL, MTLS or ELSEWHERE."""
        return f"{LOOPBACK}:{self._ports[name]}"

    def write_properties(self, voters: str, replicas: int) -> None:
        """Write the harness's configuration, and to it what locks the doors."""
        super().write_properties(voters, replicas)
        lines = dict(line.split("=", 1) for line in self.properties.read_text().splitlines())
        for name in self._ports:
            lines["listeners"] += f",{name}://{self.listener(name)}"
            lines["advertised.listeners"] += f",{name}://{self.listener(name)}"
        lines |= self._security()
        self.properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    def _security(self) -> dict[str, str]:
        here = self._authority.sign("broker")
        elsewhere = self._authority.sign("elsewhere", host="kafka.example.org")
        module = "org.apache.kafka.common.security"
        users = f'user_{USER}="{PASSWORD}" user_{STRANGER}="{PASSWORD}"'
        sasl = {
            f"listener.name.{name}.{key}": value
            for name in ("sasl", "elsewhere")
            for key, value in {
                "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
                "plain.sasl.jaas.config": f"{module}.plain.PlainLoginModule required {users};",
                "scram-sha-256.sasl.jaas.config": f"{module}.scram.ScramLoginModule required;",
                "scram-sha-512.sasl.jaas.config": f"{module}.scram.ScramLoginModule required;",
            }.items()
        }
        protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MTLS:SSL,ELSEWHERE:SASL_SSL"
        return {
            "listener.security.protocol.map": protocols,
            **self._tls("sasl", here),
            **self._tls("mtls", here),
            **self._tls("elsewhere", elsewhere),
            "listener.name.mtls.ssl.client.auth": "required",
            "listener.name.mtls.ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            **sasl,
        }

    def _tls(self, listener: str, certificate: Certificate) -> dict[str, str]:
        prefix = f"listener.name.{listener}.ssl"
        return {
            f"{prefix}.keystore.type": "PEM",
            f"{prefix}.keystore.location": str(certificate.together()),
            f"{prefix}.truststore.type": "PEM",
            f"{prefix}.truststore.location": str(self._authority.file),
        }


class SecureKafka(KafkaCluster):
    """One secure broker, with its users and what they may do."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        home = directory / "broker-1"
        home.mkdir(parents=True)
        self.broker = SecureBroker(home, authority)
        super().__init__(directory, brokers=1)

    def _broker(self, _node: int, _directory: Path, *, proxied: bool) -> Broker:  # type: ignore[override] # not static
        assert not proxied
        return self.broker

    def start(self, within_s: float = 90.0) -> None:
        """Start the broker and make its users known."""
        super().start(within_s)
        mechanisms = (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
        admin = KafkaAdminClient(bootstrap_servers=self.address)
        try:
            for mechanism in mechanisms:
                made = [UserScramCredentialUpsertion(user, mechanism, PASSWORD) for user in (USER, STRANGER)]
                assert set(admin.alter_user_scram_credentials(made).values()) == {None}
        finally:
            admin.close()

    def allow(self, prefix: str, rights: Iterable[tuple[ResourceType, ACLOperation]] = RIGHTS) -> None:
        """Let the user do ``rights`` with topics and groups whose names begin with ``prefix``."""
        admin = KafkaAdminClient(bootstrap_servers=self.address)
        try:
            for kind, operation in rights:
                pattern = ResourcePattern(kind, prefix, ACLResourcePatternType.PREFIXED)
                allowed = ACL(f"User:{USER}", "*", operation, ACLPermissionType.ALLOW, pattern)
                assert not admin.create_acls([allowed])["failed"]
        finally:
            admin.close()
