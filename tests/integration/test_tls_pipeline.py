"""callwatch as a whole on a Kafka and a Redis that ask who is there; its passwords show nowhere."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.harness.pipeline import Pipeline, wait_until
from tests.integration import secure_kafka, secure_redis
from tests.integration.certificates import Authority
from tests.integration.secure_kafka import USER, SecureKafka
from tests.integration.secure_redis import SecureRedis

pytestmark = pytest.mark.integration

SECRETS: Final = (secure_kafka.PASSWORD, secure_redis.PASSWORD)
#: Ways to be let in by Kafka: two mechanisms with a password, or a certificate of one's own.
WAYS: Final = ("SCRAM-SHA-512", "PLAIN", "certificate")


@pytest.fixture
def locked_redis(tmp_path: Path, authority: Authority) -> Iterator[SecureRedis]:
    """An empty Redis that asks who is there."""
    server = SecureRedis(tmp_path / "redis", authority)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def kafka_access(kafka: SecureKafka, authority: Authority, way: str, secrets: Path) -> dict[str, str]:
    """Return the settings with which Kafka lets callwatch in; a password stands in a file."""
    common = {"CALLWATCH_KAFKA_CA_FILE": str(authority.file)}
    if way == "certificate":
        own = authority.sign(USER)
        return common | {
            "CALLWATCH_KAFKA": kafka.broker.listener("MTLS"),
            "CALLWATCH_KAFKA_SECURITY": "ssl",
            "CALLWATCH_KAFKA_CERT_FILE": str(own.certificate),
            "CALLWATCH_KAFKA_KEY_FILE": str(own.key),
        }
    password = secrets / "kafka-password"
    password.write_text(secure_kafka.PASSWORD + "\n")
    return common | {
        "CALLWATCH_KAFKA": kafka.broker.listener("SASL"),
        "CALLWATCH_KAFKA_SECURITY": "sasl_ssl",
        "CALLWATCH_KAFKA_SASL_MECHANISM": way,
        "CALLWATCH_KAFKA_USERNAME": USER,
        "CALLWATCH_KAFKA_PASSWORD_FILE": str(password),
    }


@pytest.fixture(params=WAYS)
def pipeline(
    request: pytest.FixtureRequest,
    locked_kafka: SecureKafka,
    locked_redis: SecureRedis,
    authority: Authority,
    unique: str,
    tmp_path: Path,
) -> Iterator[Pipeline]:
    """A worker and a board that log all there is to log."""
    password = tmp_path / "redis-password"
    password.write_text(secure_redis.PASSWORD)
    environment = {
        "CALLWATCH_REDIS_PASSWORD_FILE": str(password),
        "CALLWATCH_LOG_LEVEL": "debug",
        "CALLWATCH_PARTITIONS": "2",
        **kafka_access(locked_kafka, authority, request.param, tmp_path),
    }
    address = environment.pop("CALLWATCH_KAFKA")
    locked_kafka.allow(unique)
    pipeline = Pipeline(address, locked_redis.url(), unique, tmp_path, **environment)
    try:
        yield pipeline
    finally:
        pipeline.stop()


def events_of(path: Path) -> Path:
    """Write a call that is answered, and an event that is too far ahead of now."""
    began = datetime.now(UTC) - timedelta(minutes=2)
    steps = (("queued", 0), ("answered", 10), ("ended", 60), ("queued", 7_200))
    lines = [
        {
            "id": f"e{number}",
            "type": f"contact.{kind}",
            "time": (began + timedelta(seconds=at)).isoformat(),
            "contact_id": "c1",
            "channel": "voice",
            "queue": "sales",
            "agent_id": "a1",
        }
        for number, (kind, at) in enumerate(steps)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def command_lines(pipeline: Pipeline) -> str:
    pids = [server.pid for server in (*pipeline.workers, pipeline.board)]
    return "".join(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") + "\n" for pid in pids)


def logs(pipeline: Pipeline) -> str:
    return "".join(server.log.read_text() for server in (*pipeline.workers, pipeline.board))


def test_all_of_callwatch_works_where_both_ask_who_is_there_and_shows_no_password(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.start()
    said = [pipeline.command("topics")]
    said.append(pipeline.command("replay", str(events_of(tmp_path / "events.jsonl"))))
    pipeline.wait_read(4)
    wait_until(lambda: pipeline.get("/api/v1/queues", window="5m")["rows"][-1]["answered"] == 1, 30, "one answered")
    letters = pipeline.command("dead-letters")
    assert [line.split()[1] for line in letters.stdout.splitlines()] == ["future"]
    report = pipeline.command("report", "--format", "json")
    rows = [json.loads(line) for line in report.stdout.splitlines()]
    assert sum(row["handled"] for row in rows if row["queue"] == "sales") == 1
    said += [letters, report, pipeline.command("simulate", "--speed", "max", "--history", "20s", "--for", "10s")]
    pipeline.wait_read(5)
    # All that anybody can see of it from outside.
    seen = command_lines(pipeline) + logs(pipeline) + json.dumps(pipeline.get("/healthz"))
    seen += "".join(done.stdout + done.stderr + " ".join(done.args) for done in said)
    assert "agents.cli worker" in seen
    assert not [secret for secret in SECRETS if secret in seen]
