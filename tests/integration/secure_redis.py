"""A real Redis over TLS alone, whose users may do what its access control list says."""

import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import redis

from agents.embedded.local import LOOPBACK
from agents.embedded.redis import find_server
from config.errors import UsageError
from tests.harness.server import Server, free_port, missing
from tests.integration.certificates import Authority

PASSWORD: Final = "redis-s3cret-and-long"  # noqa: S105 -- of a server that lives for a test
ADMIN_PASSWORD: Final = "redis-admin-s3cret"  # noqa: S105 -- as above

#: What callwatch needs, as SECURITY.md gives it; and what is enough for a board with a user of its own.
CALLWATCH: Final = (
    "~callwatch:* resetchannels -@all +ping +evalsha +eval +script|load +sadd +smembers +mget "
    "+hmget +hset +hincrby +hdel +append +xadd +unlink +srem +hgetall +xrange +xrevrange"
)
BOARD: Final = (
    "~callwatch:* resetchannels -@all +ping +evalsha +eval +script|load +smembers +mget "
    "+hmget +hgetall +xrange +xrevrange"
)


class SecureRedis(Server):
    """``redis-server`` that listens with TLS only and asks its clients for a certificate if ``mutual``."""

    def __init__(self, directory: Path, authority: Authority, *, host: str = LOOPBACK, mutual: bool = False) -> None:
        directory.mkdir(parents=True)
        self.port = free_port()
        self.authority = authority
        own = authority.sign(f"redis-{directory.name}", host=host)
        users = directory / "users.acl"
        users.write_text(
            f"user default on >{ADMIN_PASSWORD} ~* &* +@all\n"
            f"user callwatch on >{PASSWORD} {CALLWATCH}\n"
            f"user board on >{PASSWORD} {BOARD}\n"
            f"user stranger on >{PASSWORD} resetkeys -@all +ping\n"
        )
        try:
            server = str(find_server())
        except UsageError as error:
            missing(str(error))
        command = [
            *(server, "--bind", LOOPBACK, "--port", "0", "--tls-port", str(self.port), "--dir", str(directory)),
            *("--tls-cert-file", str(own.certificate), "--tls-key-file", str(own.key)),
            *("--tls-ca-cert-file", str(authority.file), "--tls-auth-clients", "yes" if mutual else "no"),
            *("--save", "", "--appendonly", "no", "--aclfile", str(users)),
        ]
        super().__init__(f"redis-{directory.name}", command, directory, self._answers)

    def url(self, user: str = "callwatch", **options: object) -> str:
        """Return the address for ``user``, without a password, that trusts the authority unless told otherwise."""
        query = urlencode({"ssl_ca_certs": self.authority.file, **options})
        return f"rediss://{user}@{LOOPBACK}:{self.port}/0?{query}"

    def admin(self, **options: Any) -> "redis.Redis":
        """Return a client that may do anything."""
        return redis.Redis(
            host=LOOPBACK,
            port=self.port,
            password=ADMIN_PASSWORD,
            ssl=True,
            ssl_ca_certs=str(self.authority.file),
            ssl_check_hostname=False,
            **options,
        )

    def _answers(self) -> bool:
        with suppress(redis.RedisError, OSError, ssl.SSLError), self.admin(socket_timeout=1) as client:
            return bool(client.ping())
        return False
