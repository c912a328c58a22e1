"""Whom Kafka and Redis do not let in is told why, in one line that holds no secret."""

import gc
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from redis.exceptions import NoPermissionError

from agents import app
from agents.access import require_group
from agents.store import NOTHING, StoreError
from agents.store.redis import RedisStore
from config.errors import UsageError
from config.settings import Settings, load_settings
from tests.integration import secure_kafka, secure_redis
from tests.integration.certificates import Authority
from tests.integration.commits import CALLS, FULL, committed
from tests.integration.secure_kafka import STRANGER, USER, SecureKafka
from tests.integration.secure_redis import SecureRedis

pytestmark = [
    pytest.mark.integration,
    # asyncio leaves the socket of a TLS handshake that failed to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

WRONG: Final = "not-the-passw0rd"
#: What a commit's script does, each of which a user may lack.
WRITES: Final = (
    "hset",
    "hincrby",
    "hdel",
    "append",
    "sadd",
    "srem",
    "xadd",
    "unlink",
    "mget",
    "smembers",
    "hgetall",
    "evalsha",
)


@pytest.fixture(autouse=True)
def _own_garbage() -> Iterator[None]:
    """What a test leaves is collected while its warnings are ignored, not in the test after it."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def locked_redis(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecureRedis]:
    """A Redis that asks who is there."""
    server = SecureRedis(tmp_path_factory.mktemp("redis") / "here", authority)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def sasl(kafka: SecureKafka, authority: Authority, **changes: str) -> dict[str, str]:
    return {
        "CALLWATCH_KAFKA": kafka.broker.listener("SASL"),
        "CALLWATCH_KAFKA_SECURITY": "sasl_ssl",
        "CALLWATCH_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "CALLWATCH_KAFKA_USERNAME": USER,
        "CALLWATCH_KAFKA_PASSWORD": secure_kafka.PASSWORD,
        "CALLWATCH_KAFKA_CA_FILE": str(authority.file),
        **changes,
    }


def refused_by_kafka(environment: dict[str, str]) -> str:
    with pytest.raises(UsageError) as caught:
        app.ensure_topics(load_settings(environment))
    return plain(caught.value)


def plain(error: BaseException) -> str:
    """Return what is told, which is one line of some words and holds no password."""
    told = str(error)
    assert "\n" not in told
    assert len(told) < 350
    assert not any(secret in told for secret in (WRONG, secure_kafka.PASSWORD, secure_redis.PASSWORD))
    return told


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_wrong_password_for_kafka_is_told(locked_kafka: SecureKafka, authority: Authority, mechanism: str) -> None:
    changes = {"CALLWATCH_KAFKA_SASL_MECHANISM": mechanism, "CALLWATCH_KAFKA_PASSWORD": WRONG}
    told = refused_by_kafka(sasl(locked_kafka, authority, **changes))
    assert "wrong user or password; check CALLWATCH_KAFKA_USERNAME and CALLWATCH_KAFKA_PASSWORD" in told


def test_another_authority_than_kafkas_is_told(locked_kafka: SecureKafka, authority: Authority, tmp_path: Path) -> None:
    other = str(Authority(tmp_path / "other").file)
    told = refused_by_kafka(sasl(locked_kafka, authority, CALLWATCH_KAFKA_CA_FILE=other))
    assert "is CALLWATCH_KAFKA_CA_FILE the authority that signed its certificate?" in told


def test_kafkas_certificate_for_another_host_is_told(locked_kafka: SecureKafka, authority: Authority) -> None:
    elsewhere = locked_kafka.broker.listener("ELSEWHERE")
    told = refused_by_kafka(sasl(locked_kafka, authority, CALLWATCH_KAFKA=elsewhere))
    assert "certificate is not valid for '127.0.0.1'; name the host" in told


def test_a_client_without_the_certificate_that_kafka_wants_is_told(
    locked_kafka: SecureKafka, authority: Authority
) -> None:
    mtls = {
        "CALLWATCH_KAFKA": locked_kafka.broker.listener("MTLS"),
        "CALLWATCH_KAFKA_SECURITY": "ssl",
        "CALLWATCH_KAFKA_CA_FILE": str(authority.file),
    }
    assert "whether it wants our certificate" in refused_by_kafka(mtls)


@pytest.mark.parametrize(
    ("security", "listener", "advice"),
    [
        ("plaintext", "MTLS", "ssl, or sasl_ssl with a user and password"),
        ("plaintext", "SASL", "ssl, or sasl_ssl with a user and password"),
        ("sasl_plaintext", "SASL", "sasl_ssl"),
    ],
)
def test_a_client_without_the_tls_that_kafka_wants_is_told(
    locked_kafka: SecureKafka, security: str, listener: str, advice: str
) -> None:
    address = locked_kafka.broker.listener(listener)
    login = {"CALLWATCH_KAFKA_USERNAME": USER, "CALLWATCH_KAFKA_PASSWORD": secure_kafka.PASSWORD}
    asked = {"CALLWATCH_KAFKA": address, "CALLWATCH_KAFKA_SECURITY": security}
    told = refused_by_kafka(asked | (login if security == "sasl_plaintext" else {}))
    assert told == f"Kafka at {address} wants TLS: set CALLWATCH_KAFKA_SECURITY to {advice} (see SECURITY.md)"


def test_a_kafka_without_tls_lets_in_who_asks_for_none(locked_kafka: SecureKafka) -> None:
    settings = load_settings({"CALLWATCH_KAFKA": locked_kafka.address})
    assert app.kafka_security(settings) == {"security_protocol": "PLAINTEXT"}


def test_a_kafka_user_without_rights_is_told(locked_kafka: SecureKafka, authority: Authority) -> None:
    told = refused_by_kafka(sasl(locked_kafka, authority, CALLWATCH_KAFKA_USERNAME=STRANGER))
    assert "grant its user the rights that SECURITY.md lists, on this topic" in told


def test_a_kafka_user_who_may_not_join_the_group_is_told(locked_kafka: SecureKafka, authority: Authority) -> None:
    security = app.kafka_security(load_settings(sasl(locked_kafka, authority)))
    broker = locked_kafka.broker.listener("SASL")
    locked_kafka.allow("allowed-group")
    require_group(broker, "allowed-group", security)
    with pytest.raises(UsageError) as caught:
        require_group(broker, "somebody else's", security)
    assert "grant its user the rights that SECURITY.md lists, on this group" in plain(caught.value)


@pytest.mark.parametrize("command", [("topics",), ("dead-letters",)])
def test_a_refusal_is_one_line_and_exit_code_2(
    locked_kafka: SecureKafka, authority: Authority, command: tuple[str, ...]
) -> None:
    environment = sasl(locked_kafka, authority, CALLWATCH_KAFKA_PASSWORD=WRONG)
    ran = subprocess.run(
        [sys.executable, "-m", "agents.cli", *command],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert re.fullmatch(r"callwatch: Kafka at \S+ does not let callwatch in: wrong user or password; .*\n", ran.stderr)
    assert WRONG not in ran.stderr


@pytest.mark.parametrize("name", ["CA", "CERT"])
def test_a_file_that_is_no_certificate_is_told(authority: Authority, tmp_path: Path, name: str) -> None:
    wrong = tmp_path / "letter.txt"
    wrong.write_text("Dear operator")
    files = {"CALLWATCH_KAFKA_CA_FILE": str(authority.file), f"CALLWATCH_KAFKA_{name}_FILE": str(wrong)}
    with pytest.raises(UsageError, match=rf"CALLWATCH_KAFKA_{name}_FILE: \S+letter.txt .*PEM"):
        app.kafka_security(load_settings({"CALLWATCH_KAFKA_SECURITY": "ssl", **files}))


async def refused_by_redis(url: str, password: str = secure_redis.PASSWORD, *, writes: bool = True) -> str:
    settings = Settings(redis=url, redis_password=password)
    store = app.open_store(settings)
    try:
        with pytest.raises(UsageError) as caught:
            await app.require_store(store, settings, writes=writes)
    finally:
        await store.close()
    return plain(caught.value)


async def test_a_wrong_password_for_redis_is_told(locked_redis: SecureRedis) -> None:
    told = await refused_by_redis(locked_redis.url(), WRONG)
    assert "check the user in CALLWATCH_REDIS, and CALLWATCH_REDIS_PASSWORD" in told


async def test_another_authority_than_rediss_is_told(locked_redis: SecureRedis, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other").file
    told = await refused_by_redis(locked_redis.url(ssl_ca_certs=other))
    assert "an authority that is not trusted: name it as ssl_ca_certs" in told


async def test_rediss_certificate_for_another_host_is_told(authority: Authority, tmp_path: Path) -> None:
    server = SecureRedis(tmp_path / "elsewhere", authority, host="redis.example.org")
    try:
        server.start()
        told = await refused_by_redis(server.url())
        assert "certificate is for another host: name that one in CALLWATCH_REDIS" in told
    finally:
        server.kill()


async def test_a_file_of_certificates_that_is_not_there_is_told(locked_redis: SecureRedis) -> None:
    told = await refused_by_redis(locked_redis.url(ssl_ca_certs="/nowhere.pem"))
    assert "a file named in CALLWATCH_REDIS" in told


async def test_a_client_without_tls_is_told(locked_redis: SecureRedis) -> None:
    told = await refused_by_redis(f"redis://callwatch@127.0.0.1:{locked_redis.port}/0")
    assert "does it want TLS (rediss://)" in told


async def test_a_redis_that_wants_certificates_lets_in_who_has_one(authority: Authority, tmp_path: Path) -> None:
    server = SecureRedis(tmp_path / "mutual", authority, mutual=True)
    try:
        server.launch()
        own = authority.sign("callwatch")
        mutual = server.url(ssl_certfile=own.certificate, ssl_keyfile=own.key)
        await answered(mutual)
        told = await refused_by_redis(server.url())
        assert re.search(r"a certificate.* \(?(name it as )?ssl_certfile", told)
    finally:
        server.kill()


async def answered(url: str) -> None:
    """Wait until a server that has just been launched lets a client in."""
    settings = Settings(redis=url, redis_password=secure_redis.PASSWORD)
    store = app.open_store(settings)
    try:
        for _ in range(50):
            try:
                return await store.probe(writes=True)
            except StoreError:
                continue
        await app.require_store(store, settings)
    finally:
        await store.close()


@pytest.mark.parametrize("command", WRITES)
async def test_a_redis_user_who_may_not_do_all_is_told(locked_redis: SecureRedis, command: str) -> None:
    with locked_redis.admin() as admin:
        admin.execute_command("ACL", "SETUSER", "callwatch", f"-{command}", "-eval")
    try:
        told = await refused_by_redis(locked_redis.url())
        # Older servers do not say which command it was that a script was refused.
        assert re.search(rf"permissions.*'{command}'|user executing the script can't run this command", told)
        assert "give its user the rights that SECURITY.md lists" in told
    finally:
        with locked_redis.admin() as admin:
            admin.execute_command("ACL", "SETUSER", "callwatch", f"+{command}", "+eval")


@pytest.mark.parametrize("command", ["smembers", "hgetall", "xrange", "evalsha"])
async def test_a_boards_redis_user_who_may_not_read_all_is_told(locked_redis: SecureRedis, command: str) -> None:
    with locked_redis.admin() as admin:
        admin.execute_command("ACL", "SETUSER", "board", f"-{command}", "-eval")
    try:
        told = await refused_by_redis(locked_redis.url("board"), writes=False)
        assert "give its user the rights that SECURITY.md lists" in told
    finally:
        with locked_redis.admin() as admin:
            admin.execute_command("ACL", "SETUSER", "board", f"+{command}", "+eval")


async def test_the_rights_listed_are_enough_and_reach_no_other_key(locked_redis: SecureRedis) -> None:
    settings = Settings(redis=locked_redis.url(), redis_password=secure_redis.PASSWORD)
    store = app.open_store(settings)
    try:
        await app.require_store(store, settings, writes=True)
        head = await committed(store, FULL)
        assert (await store.load(CALLS)).head == head
        client: Any = store._client
        for key, command in (("other", "HSET"), ("callwatc", "HSET"), ("callwatch:x", "SET")):
            with pytest.raises(NoPermissionError):
                await client.execute_command(command, key, *(("field", "1") if command == "HSET" else ("1",)))
    finally:
        await store.close()
        with locked_redis.admin() as admin:
            assert {key.split(b":")[0] for key in admin.scan_iter()} == {b"callwatch"}
            assert not [key for key in admin.scan_iter() if b"probe" in key]
            admin.flushall()


async def test_the_boards_user_may_read_and_not_write(locked_redis: SecureRedis) -> None:
    writer = app.open_store(Settings(redis=locked_redis.url(), redis_password=secure_redis.PASSWORD))
    reading = Settings(redis=locked_redis.url("board"), redis_password=secure_redis.PASSWORD)
    reader: RedisStore = app.open_store(reading)
    try:
        await writer.load(CALLS)
        await committed(writer, FULL)
        await app.require_store(reader, reading)
        assert await reader.partitions() == [CALLS]
        snapshot = await reader.snapshot(CALLS, [100], [1])
        assert set(snapshot.fine) == {100}
        assert await reader.changes(CALLS, snapshot.cursor) is not None
        assert await reader.intervals(CALLS) == {1}
        with pytest.raises(StoreError, match=r"permissions|can't run this command"):
            await reader.commit("calls/1", NOTHING, FULL)
    finally:
        await writer.close()
        await reader.close()
        with locked_redis.admin() as admin:
            admin.flushall()
