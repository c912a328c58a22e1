"""``callwatch up``: everything on this machine, as child processes that end together."""

import asyncio
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, TypeVar

from agents.embedded.kafka import start_kafka
from agents.embedded.local import LOOPBACK, listens, require_free_port
from agents.embedded.process import Process, ProcessFailedError
from agents.embedded.redis import answers_ping, start_redis
from config.errors import UsageError
from config.settings import Settings
from config.values import without_password

T = TypeVar("T")

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

#: Seconds to end in good order. Together, and with what killing takes, they stay below the 5 s that an end may take.
ROLE_GRACE_S: Final = 2.5
SERVICE_GRACE_S: Final = 1.0
SERVICE_READY_S: Final = 15.0


def _command(role: str) -> Sequence[str]:
    return (sys.executable, "-m", "agents.cli", role)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run, and where.

    ``kafka`` and ``redis`` are addresses of servers that run elsewhere (``host:port``, ``redis://...``); without
    them both are started here. ``data`` is a folder in which the Redis started here keeps its data, append-only;
    without it nothing is kept. ``make_topics`` gets Kafka's address once Kafka answers; it may block, and runs in a
    thread. ``environment`` is added to what the children inherit, and ``commands`` is what they run, by role.
    """

    make_topics: Callable[[str], object]
    kafka: str | None = None
    redis: str | None = None
    kafka_port: int = 9092
    redis_port: int = 6379
    port: int = 8080
    simulator: bool = True
    data: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {role: _command(role) for role in ("worker", "board", "simulate")}
    )
    ready_within_s: float = 60.0

    @property
    def kafka_address(self) -> str:
        """Return where Kafka is, be it given or started here."""
        return self.kafka or f"{LOOPBACK}:{self.kafka_port}"

    @property
    def redis_address(self) -> str:
        """Return where Redis is, be it given or started here."""
        return self.redis or f"redis://{LOOPBACK}:{self.redis_port}/0"

    def child_environment(self) -> dict[str, str]:
        """Return the environment in which the children find Kafka, Redis and their port.

        Passwords and certificates for other servers are not for those started here.
        """
        started_here = [
            *(["CALLWATCH_KAFKA_"] if self.kafka is None else []),
            *(["CALLWATCH_REDIS_"] if self.redis is None else []),
        ]
        inherited = {**os.environ, **self.environment}
        return {
            **{name: value for name, value in inherited.items() if not name.startswith(tuple(started_here))},
            "CALLWATCH_KAFKA": self.kafka_address,
            "CALLWATCH_REDIS": self.redis_address,
            "CALLWATCH_HOST": LOOPBACK,
            "CALLWATCH_PORT": str(self.port),
            # What a child wrote last has to be in its log when it is killed.
            "PYTHONUNBUFFERED": "1",
        }


class _Run:
    """The child processes of one ``up``, and which of them ended by itself first.

    ``directory`` takes their logs.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.died: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self.roles: list[Process] = []
        self._services: list[Process] = []
        self._watches: list[asyncio.Task[None]] = []

    def add_service(self, process: Process) -> Process:
        """Take ``process`` as one that the roles need, and return it: it ends after them."""
        self._services.append(process)
        self._watches.append(asyncio.create_task(self._watch(process)))
        return process

    async def start_role(self, role: str, plan: Plan) -> None:
        """Start the child for ``role``."""
        process = await Process.start(
            role, plan.commands[role], log=self.directory / f"{role}.log", env=plan.child_environment()
        )
        self.roles.append(process)
        self._watches.append(asyncio.create_task(self._watch(process)))

    async def end(self) -> None:
        """End all children, those first that no other needs."""
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*(process.stop(ROLE_GRACE_S) for process in self.roles))
        await asyncio.gather(*(process.stop(SERVICE_GRACE_S) for process in self._services))

    async def _watch(self, process: Process) -> None:
        await process.wait()
        if not self.died.done():
            self.died.set_result(process)


async def up(plan: Plan, say: Callable[[str], None] = print) -> int:
    """Run ``plan`` until SIGINT or SIGTERM, then return 0; return 1, having said why on stderr, when a child fails.

    ``say`` gets what a person should read. Raise ``UsageError`` when the plan contradicts itself, a port is taken,
    or a binary is missing. However it ends, nothing is left running.
    """
    _require_sense(plan)
    with tempfile.TemporaryDirectory(prefix="callwatch-") as scratch, _interruption() as interrupted:
        run = _Run(Path(scratch))
        work = asyncio.create_task(_serve(plan, run, say))
        try:
            ends: set[asyncio.Future[Any]] = {work, run.died, interrupted}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if interrupted.done():
                say("ending")
                return 0
            if run.died.done():
                raise run.died.result().failure()
            await work
        except ProcessFailedError as error:
            sys.stderr.write(f"{error}\n")
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await run.end()
    return 1


@contextmanager
def _interruption() -> Iterator[asyncio.Future[None]]:
    """Give a future that is done once a person or a supervisor wants an end; a second wish changes nothing."""
    loop = asyncio.get_running_loop()
    interrupted: asyncio.Future[None] = loop.create_future()

    def interrupt() -> None:
        if not interrupted.done():
            interrupted.set_result(None)

    for number in SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        yield interrupted
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def _require_sense(plan: Plan) -> None:
    if plan.data is not None and (plan.redis is not None or plan.kafka is None):
        raise UsageError(
            "--data keeps what the embedded Redis counted, which fits only the Kafka it came from, and the embedded "
            "Kafka forgets everything: give --kafka with it, and no --redis"
        )
    if plan.kafka is None:
        require_free_port(plan.kafka_port, "--kafka-port")
    if plan.redis is None:
        require_free_port(plan.redis_port, "--redis-port")
    require_free_port(plan.port, "--port")


async def _serve(plan: Plan, run: _Run, say: Callable[[str], None]) -> None:
    """Start everything in its order, say where it is, and stay."""
    say("callwatch is starting")
    await _start_services(plan, run)
    await _in_thread(partial(plan.make_topics, plan.kafka_address))
    for role in ("worker", "board", *(("simulate",) if plan.simulator else ())):
        await run.start_role(role, plan)
    board = run.roles[1]
    await board.wait_ready(lambda: _in_thread(partial(_board_is_ready, plan.port)), plan.ready_within_s)
    say(_addresses(plan))
    await asyncio.Event().wait()


async def _start_services(plan: Plan, run: _Run) -> None:
    if plan.kafka is None:
        kafka = run.add_service(await start_kafka(plan.kafka_port, run.directory))
        await kafka.wait_ready(lambda: listens(plan.kafka_port), SERVICE_READY_S)
    if plan.redis is None:
        directory = plan.data or run.directory
        directory.mkdir(parents=True, exist_ok=True)
        redis = run.add_service(await start_redis(plan.redis_port, directory, append_only=plan.data is not None))
        await redis.wait_ready(lambda: answers_ping(plan.redis_port), SERVICE_READY_S)


async def _in_thread(call: Callable[[], T]) -> T:
    """Await ``call`` from a thread that, unlike asyncio's own, the end does not wait for: a Kafka may be far away."""
    work: Future[T] = Future()
    work.set_running_or_notify_cancel()

    def run() -> None:
        try:
            work.set_result(call())
        except Exception as error:  # noqa: BLE001  # raised where it is awaited
            work.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(work)


def _board_is_ready(port: int) -> bool:
    connection = HTTPConnection(LOOPBACK, port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _addresses(plan: Plan) -> str:
    """Return the addresses as a person reads them, without the password that a Redis address may carry."""
    board = f"http://{LOOPBACK}:{plan.port}"
    redis = without_password(plan.redis_address)
    rows = (
        ("wallboard", f"{board}/"),
        ("metrics", f"{board}/metrics"),
        ("API", f"{board}/docs"),
        ("Kafka", plan.kafka_address + ("  (in memory, gone at the end)" if plan.kafka is None else "")),
        ("Redis", redis + ("  (in memory, gone at the end)" if plan.redis is None and plan.data is None else "")),
    )
    lines = "\n".join(f"  {name:<11}{address}" for name, address in rows)
    return f"callwatch is up\n\n{lines}\n{_exports(plan)}\nCtrl-C ends it all."


def _exports(plan: Plan) -> str:
    """Return the lines that let other commands find Kafka and Redis where these are not where they would look."""
    usual = Settings()
    lines = []
    if plan.kafka_address != usual.kafka:
        lines.append(f"  export CALLWATCH_KAFKA={plan.kafka_address}")
    # An address with a password is known to whoever gave it, and not for a screen.
    if plan.redis_address != usual.redis and plan.redis_address == without_password(plan.redis_address):
        lines.append(f"  export CALLWATCH_REDIS={plan.redis_address}")
    return "\n".join(["", "So that other commands find them:", *lines, ""]) if lines else ""
