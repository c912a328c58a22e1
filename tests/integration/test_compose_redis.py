"""The Redis of docker-compose.yml, started here as it is started there: its user can do what callwatch does, alone."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import redis
from redis.exceptions import NoPermissionError
from ruamel.yaml import YAML

from agents import app
from agents.embedded.local import LOOPBACK
from config.settings import Settings
from tests.harness.server import Server, accepts, free_port, missing
from tests.integration.commits import CALLS, FULL, committed
from tests.integration.secure_redis import BOARD, CALLWATCH

pytestmark = pytest.mark.integration

ROOT: Final = Path(__file__).parents[2]
PASSWORD: Final = "0123456789abcdef"  # noqa: S105 -- of a server that lives for a test
SERVICES: Final[dict[str, Any]] = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]


class ComposeRedis(NamedTuple):
    """A server started by the command in docker-compose.yml, on a port of its own."""

    server: Server
    port: int

    def connect(self, user: str) -> redis.Redis:
        return redis.Redis(host=LOOPBACK, port=self.port, username=user, password=PASSWORD)


@pytest.fixture
def compose_redis(tmp_path: Path) -> Iterator[ComposeRedis]:
    """The server; only where it listens and keeps its files is other than in a container."""
    if shutil.which("redis-server") is None:
        missing("no redis-server on the path")
    port = free_port()
    shell, flag, script = SERVICES["redis"]["command"]
    script = script.replace("$$", "$").replace("--dir /data", f"--dir {tmp_path} --bind {LOOPBACK} --port {port}")
    command = ["env", f"REDISCLI_AUTH={PASSWORD}", shell, flag, script]
    server = Server("redis", command, tmp_path, lambda: accepts(port))
    try:
        server.start()
        yield ComposeRedis(server, port)
    finally:
        server.kill()


async def test_callwatchs_user_may_do_what_callwatch_does_and_no_more(compose_redis: ComposeRedis) -> None:
    address = SERVICES["worker"]["environment"]["CALLWATCH_REDIS"].replace(
        "redis:6379", f"{LOOPBACK}:{compose_redis.port}"
    )
    settings = Settings(redis=address, redis_password=PASSWORD)
    store = app.open_store(settings)
    try:
        await app.require_store(store, settings, writes=True)
        await committed(store, FULL)
        assert (await store.load(CALLS)).open
    finally:
        await store.close()
    with compose_redis.connect("callwatch") as client:
        for forbidden in (
            ("SET", "callwatch:x", "1"),
            ("HSET", "other", "a", "b"),
            ("FLUSHALL",),
            ("CONFIG", "GET", "*"),
        ):
            with pytest.raises(NoPermissionError):
                client.execute_command(*forbidden)
    with redis.Redis(host=LOOPBACK, port=compose_redis.port) as nobody, pytest.raises(redis.AuthenticationError):
        nobody.ping()


def test_the_password_stands_in_no_list_of_processes(compose_redis: ComposeRedis) -> None:
    found = ""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += file.read_text().replace("\0", " ")
    assert f":{compose_redis.port}" in found
    assert PASSWORD not in found


def test_the_rights_are_those_that_security_md_lists() -> None:
    assert f"user callwatch on >$$REDISCLI_AUTH {CALLWATCH}" in SERVICES["redis"]["command"][2]
    told = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert f"ACL SETUSER callwatch on >PASSWORD {CALLWATCH}\n" in told
    assert f"ACL SETUSER board on >PASSWORD {BOARD}\n" in told
