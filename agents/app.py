"""Wiring: the one place where the parts are put together."""

import asyncio
import ctypes
import gc
import signal
import sys
from contextlib import suppress
from importlib.metadata import version as installed_version
from typing import Any, Final
from urllib.parse import quote, urlsplit

import faust
import structlog

from agents.access import let_in, redis_advice, require_group, tls
from agents.board import history, serving
from agents.board.follower import Follower
from agents.board.model import Model
from agents.board.web import Board
from agents.processors.batches import BatchApp
from agents.processors.ledger import Retention
from agents.processors.outbox import KafkaPost
from agents.processors.processor import Context, wall_clock
from agents.processors.topics import make_topics
from agents.processors.worker import KafkaOffice, Worker, faust_app, topic_name
from agents.sources.sender import Kafka
from agents.store import SchemaMismatchError, StoreError
from agents.store.redis import RedisStore
from config.errors import UsageError
from config.queues import load_policies
from config.settings import Settings
from config.values import without_password
from streams import events as ev

#: The worker ends within this of being asked to, in seconds.
STOP_WITHIN_S = 4.0

#: What glibc's mallopt calls the size from which on a buffer is mapped apart, and what it is set to.
M_MMAP_THRESHOLD: Final = -3
MAPPED_BYTES: Final = 1 << 20

log = structlog.get_logger()


def version() -> str:
    """Return the version that is installed."""
    return installed_version("callwatch")


def open_store(settings: Settings) -> RedisStore:
    """Return the store in Redis; nothing is sent yet."""
    address = settings.redis
    if settings.redis_password is not None:
        parts = urlsplit(address)
        user = parts.username or "default"  # as it is written in an address: quoted
        place = parts.netloc.rpartition("@")[2]
        address = parts._replace(netloc=f"{user}:{quote(settings.redis_password, safe='')}@{place}").geturl()
    return RedisStore(address)


async def require_store(store: RedisStore, settings: Settings, *, writes: bool = False) -> None:
    """Raise UsageError unless Redis answers and lets its user read or, a worker's, who ``writes``, do all.

    For one who writes raise it also if another version of callwatch has written what is there.
    """
    shown = without_password(settings.redis)
    try:
        await store.ping()
        await store.probe(writes=writes)
    except StoreError as error:
        raise UsageError(f"{error}; {redis_advice(str(error), shown)}") from None
    except SchemaMismatchError as error:
        raise UsageError(str(error)) from None


def kafka_security(settings: Settings) -> dict[str, Any]:
    """Return what Kafka's clients need to be let in, kafka-python's and aiokafka's alike.

    Raise UsageError where Kafka does not let us in with it.
    """
    security: dict[str, Any] = {"security_protocol": settings.kafka_security.upper()}
    if settings.kafka_security.startswith("sasl"):
        security |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password,
        }
    context = tls(settings)
    security = security if context is None else {**security, "ssl_context": context}
    let_in(settings.kafka, security)
    return security


def kafka_of(settings: Settings) -> Kafka:
    """Return the Kafka that sources feed."""
    return Kafka(settings.kafka, settings.topic_prefix, kafka_security(settings))


def _credentials(settings: Settings) -> Any:
    context = tls(settings)
    if settings.kafka_security.startswith("sasl"):
        return faust.SASLCredentials(
            username=settings.kafka_username,
            password=settings.kafka_password,
            mechanism=settings.kafka_sasl_mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)


def ensure_topics(settings: Settings) -> dict[str, int]:
    """Make the topics that are missing; return the number of partitions of each."""
    return make_topics(
        settings.kafka, settings.topic_prefix, settings.partitions, settings.replication, kafka_security(settings)
    )


def _calm_collector() -> None:
    """Let Python look for garbage less often: counting makes many objects that live long, and none of them cyclic.

    A third of the time to count an event went into looking through all open contacts again and again, and all who ask
    a board of a thousand queues waited 0.15 s now and then.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _map_large_buffers() -> None:
    """Have what Kafka's client fetches mapped apart, and given back once it is read; where libc is glibc.

    By itself glibc raises its threshold to the largest buffer that was ever freed and keeps the next ones in the heap,
    between what lives long: a worker with 100,000 open contacts so holds 27 MiB more, and is no faster.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)


def _calm_interpreter() -> None:
    """Let Python interrupt itself less often."""
    _calm_collector()
    _map_large_buffers()
    # Counting is long stretches of Python: asking the other thread to stop for it every 5 ms only costs both.
    sys.setswitchinterval(0.02)


async def run_worker(settings: Settings) -> int:
    """Count until SIGINT or SIGTERM; return the exit code."""
    policies = load_policies(settings.queues)
    store = open_store(settings)
    await require_store(store, settings, writes=True)
    await asyncio.to_thread(ensure_topics, settings)
    await asyncio.to_thread(require_group, settings.kafka, settings.group, kafka_security(settings))
    _calm_interpreter()
    app = faust_app(
        group=settings.group,
        brokers=settings.kafka.split(","),
        batch_records=settings.batch_records,
        credentials=_credentials(settings),
    )
    office = KafkaOffice(app, topic_name(settings.topic_prefix, ev.DEAD_LETTERS))
    post = KafkaPost(app, topic_name(settings.topic_prefix, ev.CUSTOMERS))
    retention = Retention(
        settings.fine_retention_ms,
        settings.interval_retention_ms,
        settings.remember_ms,
        settings.days_retention_ms,
        settings.settling_ms,
        policies.zone,
    )
    Worker(app, Context(store, office, post, policies, settings.limits(), retention), settings.topic_prefix)
    trouble = await _run_until_asked(app)
    with suppress(Exception):
        async with asyncio.timeout(STOP_WITHIN_S):
            await app.stop()
            await store.close()
    if isinstance(trouble, SchemaMismatchError):
        raise UsageError(str(trouble))
    if trouble is not None:
        log.error("the worker cannot go on; started again, it goes on where it was", reason=repr(trouble))
    return 0 if trouble is None else 1


async def _run_until_asked(app: BatchApp) -> BaseException | None:
    """Run until SIGINT or SIGTERM; return None, or what it crashed of before."""
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    starting = asyncio.create_task(app.start())
    try:
        while not asked.is_set():
            if app.crashed:
                return app.crash_reason
            if starting.done() and starting.exception() is not None:
                return starting.exception()
            with suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), 0.2)
    finally:
        starting.cancel()
    return None


def make_board(settings: Settings, store: RedisStore) -> Board:
    """Return the board over ``store``. Raise UsageError where it would be open to others without a token."""
    policies = load_policies(settings.queues)
    windows = settings.windows_ms()

    def clock() -> int:
        marks = [beat.watermark for beat in follower.beats.values() if beat.watermark is not None]
        if marks and settings.clock == "watermark":
            return max(marks)
        return wall_clock() - follower.silence_ms

    def at_once(queue: str) -> int:
        return policies.of(queue).contacts_at_once

    follower = Follower(store, lambda: Model(windows, policies.zone, at_once), clock, settings.stale_after_ms)
    return Board(
        follower,
        store,
        policies,
        windows=windows,
        fine_retention_ms=settings.fine_retention_ms,
        version=version(),
        door=serving.door_of(settings),
    )


async def run_board(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code."""
    store = open_store(settings)
    board = make_board(settings, store)
    listener = serving.listen(settings)
    await require_store(store, settings)
    _calm_collector()
    await serving.serve(board, listener, settings.trusted_proxies)
    return 0


async def interval_report(
    settings: Settings, start: str | None, end: str | None, interval: str, queue: str | None
) -> list[dict[str, Any]]:
    """Return the rows of ``callwatch report``, read from the store. Raise UsageError for a question without answer."""
    store = open_store(settings)
    await require_store(store, settings)
    zone = load_policies(settings.queues).zone
    try:
        span = history.span_of(start, end, interval, wall_clock(), zone)
        return await history.interval_rows(store, span, zone, queue)
    except history.BadRequestError as error:
        raise UsageError(str(error)) from None
    finally:
        await store.close()
