"""Being let in: certificates and passwords for Kafka and Redis, and what is told when one of them is refused.

Kafka's clients try a refused login again and again and then say that there is no Kafka. So ``let_in`` logs in once
before any of them starts.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from struct import pack
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import IllegalSaslStateError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from aiokafka.errors import KafkaError as AioKafkaError
from kafka import KafkaAdminClient
from kafka.errors import AuthorizationError, KafkaError

from agents.processors.asking import BOOTSTRAP_MS, asking
from config.errors import UsageError, one_line
from config.settings import Settings

#: A broker that takes longer to let a client in is left to that client's own patience.
LET_IN_WITHIN_S: Final = 5.0

#: Which versions of the protocol do you speak? Every broker answers that, and to anybody.
VERSIONS: Final = pack(">ihhih9s", 19, 18, 0, 1, 9, b"callwatch")

#: What an answer in TLS begins with that says: this was no TLS.
TLS_ALERT: Final = b"\x15"

#: A broker answers that at once, or is not there, in seconds.
ANSWERS_WITHIN_S: Final = 1.0

#: What Redis's client or the TLS library says, and what to do; the first that matches.
REDIS_ADVICE: Final = (
    ("username-password", "check the user in CALLWATCH_REDIS, and CALLWATCH_REDIS_PASSWORD or its _FILE"),
    ("Authentication required", "give CALLWATCH_REDIS_PASSWORD, or CALLWATCH_REDIS_PASSWORD_FILE"),
    ("not valid for", "its certificate is for another host: name that one in CALLWATCH_REDIS"),
    ("CERTIFICATE_VERIFY", "its certificate is of an authority that is not trusted: name it as ssl_ca_certs"),
    ("No such file", "a file named in CALLWATCH_REDIS (ssl_ca_certs, ssl_certfile, ssl_keyfile) is not there"),
    ("user executing the script", "give its user the rights that SECURITY.md lists"),
    ("permissions", "give its user the rights that SECURITY.md lists"),
    ("WRONG_VERSION_NUMBER", "it speaks no TLS there: write redis:// instead of rediss://, or give its TLS port"),
    ("CERTIFICATE_REQUIRED", "it wants a certificate: name it as ssl_certfile, and its key as ssl_keyfile"),
    ("reset by peer", "does it want TLS (rediss://), or a certificate (ssl_certfile and ssl_keyfile)?"),
)


def redis_advice(problem: str, shown: str) -> str:
    """Return what to do about ``problem`` with the Redis at ``shown``, an address without its password."""
    found = (advice for sign, advice in REDIS_ADVICE if sign in problem)
    return next(found, "is it running, and is the address right (--redis)?") + f" (now {shown})"


def tls(settings: Settings) -> ssl.SSLContext | None:
    """Return what Kafka's certificate is checked by, and our own with it; None where TLS is not wanted.

    Raise UsageError for files that hold something else.
    """
    if settings.kafka_security not in ("ssl", "sasl_ssl"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    except (ssl.SSLError, OSError):
        raise UsageError(
            f"CALLWATCH_KAFKA_CA_FILE: {settings.kafka_ca_file} holds no certificate (PEM) that can be read"
        ) from None
    if settings.kafka_cert_file is not None:
        try:
            # With a password, even none, it does not ask for one at the terminal.
            context.load_cert_chain(settings.kafka_cert_file, settings.kafka_key_file, password="")
        except (ssl.SSLError, OSError):
            key = settings.kafka_key_file or settings.kafka_cert_file
            raise UsageError(
                f"CALLWATCH_KAFKA_CERT_FILE: {settings.kafka_cert_file} and {key} must hold a certificate and its key "
                "(PEM, the key without a password)"
            ) from None
    return context


def let_in(brokers: str, security: Mapping[str, Any]) -> None:
    """Log in to one of ``brokers``; ``security`` is what kafka-python's clients take.

    Raise UsageError if none lets us in. That none answers is not said here: whoever needs one does.
    """
    protocol = security["security_protocol"]
    if not protocol.endswith("SSL") and any(_wants_tls(broker) for broker in brokers.split(",")):
        secure = "sasl_ssl" if protocol.startswith("SASL") else "ssl, or sasl_ssl with a user and password"
        raise UsageError(f"Kafka at {brokers} wants TLS: set CALLWATCH_KAFKA_SECURITY to {secure} (see SECURITY.md)")
    if protocol == "PLAINTEXT":
        return
    logger = logging.getLogger("aiokafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        # In a thread of its own: the caller's may have an event loop already.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _let_in(brokers.split(","), security)).result()
    except (AioKafkaError, OSError) as error:
        raise UsageError(f"Kafka at {brokers} does not let callwatch in: {_refusal(error)}") from None
    finally:
        logger.setLevel(level)


def _wants_tls(broker: str) -> bool:
    host, _, port = broker.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWERS_WITHIN_S) as connection:
            connection.sendall(VERSIONS)
            return connection.recv(1) == TLS_ALERT
    except OSError:
        return False


async def _let_in(brokers: list[str], security: Mapping[str, Any]) -> None:
    refused: Exception | None = None
    for broker in brokers:
        host, _, port = broker.rpartition(":")
        try:
            async with asyncio.timeout(LET_IN_WITHIN_S):
                await _log_in(host.strip("[]"), int(port), security)
        except (TimeoutError, ConnectionRefusedError, socket.gaierror):
            continue
        except (AioKafkaError, OSError) as error:
            refused = error
        else:
            return
    if refused is not None:
        raise refused


async def _log_in(host: str, port: int, security: Mapping[str, Any]) -> None:
    connection = AIOKafkaConnection(host, port, **security)
    try:
        await connection.connect()
    finally:
        connection.close()


def _refusal(error: Exception) -> str:
    """Return what is wrong and what to do, in a few words that hold no secret."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if "not valid for" in error.verify_message:
            return f"{error.verify_message.rstrip('.')}; name the host that its certificate is for in CALLWATCH_KAFKA"
        return f"{error.verify_message}; is CALLWATCH_KAFKA_CA_FILE the authority that signed its certificate?"
    if isinstance(error, SaslAuthenticationFailed):
        return "wrong user or password; check CALLWATCH_KAFKA_USERNAME and CALLWATCH_KAFKA_PASSWORD or their _FILE"
    if isinstance(error, (UnsupportedSaslMechanismError, IllegalSaslStateError)):
        return "it does not offer this way to log in; check CALLWATCH_KAFKA_SASL_MECHANISM"
    said = one_line(str(error.reason or error) if isinstance(error, ssl.SSLError) else str(error))
    return f"{said or type(error).__name__}; check CALLWATCH_KAFKA_SECURITY, and whether it wants our certificate"


def require_group(brokers: str, group: str, security: Mapping[str, Any]) -> None:
    """Raise UsageError if Kafka forbids us its consumer ``group``: Faust would try to join for ever, and say nothing.

    Other trouble is left to those who can wait: on a new Kafka nobody keeps groups yet.
    """
    if security["security_protocol"] == "PLAINTEXT":
        return
    with asking(brokers):
        client = KafkaAdminClient(
            bootstrap_servers=brokers.split(","),
            bootstrap_timeout_ms=BOOTSTRAP_MS,
            request_timeout_ms=5_000,
            **security,
        )
        try:
            client.list_group_offsets(group)
        except AuthorizationError:
            raise
        except KafkaError:
            return
        finally:
            client.close()
