"""The board while things break: the last known figures, marked stale with their age; never blank, never wrong."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from kafka import KafkaProducer

from config.tokens import make_token
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline, wait_until
from tests.harness.redis import RedisServer
from tests.unit.life import POLICIES, Visit, figures, life_of, messages

pytestmark = pytest.mark.integration

MINUTE_MS: Final = 60_000
COUNTS: Final = ("offered", "answered", "abandoned", "short_abandoned", "left", "handled")
QUEUES: Final = """
timezone: Europe/Berlin
queues:
  sales: {}
  support: {service_level: {within: 30s, formula: left_missed}, short_abandon: 8s}
  chat: {service_level: {target: 90 %, within: 60s}}
"""


class Look(NamedTuple):
    """What the board answered at one moment."""

    counts: tuple[Any, ...]
    offered_total: float
    stale: bool
    reason: str
    age_s: float


class Watcher:
    """Looks at the board all the time, from a thread of its own."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.looks: list[Look] = []
        self.failures: list[Exception] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.looks.append(look(self._pipeline))
            except Exception as error:  # noqa: BLE001 -- whatever it is, the test fails of it
                self.failures.append(error)
            time.sleep(0.05)

    def since(self, number: int) -> list[Look]:
        return self.looks[number:]


def counts_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return (*(row[name] for name in COUNTS), row["queue_length"], row["service_level"]["answered_of_offered"])


def look(pipeline: Pipeline) -> Look:
    answer = pipeline.get("/api/v1/queues", window="1h")
    total = sum(pipeline.samples("callcenter_contacts_offered_total").values())
    trust = answer["pipeline"]
    return Look(
        counts_of(answer["rows"][-1]), total, trust["stale"], trust["reason"] or "", trust["age_seconds"] or 0.0
    )


def send(kafka: str, pipeline: Pipeline, visits: list[Visit], until: int) -> None:
    told = sorted(
        ((at, visit.contact_id, event) for visit in visits for at, event in messages(visit) if at <= until),
        key=lambda entry: (entry[0], entry[2]["type"] != "contact.queued"),
    )
    producer = KafkaProducer(bootstrap_servers=kafka)
    for at, contact, event in told:
        topic = f"{pipeline.name}.{'chats' if event['channel'] == 'chat' else 'calls'}"
        producer.send(topic, key=contact.encode(), value=json.dumps(event).encode(), timestamp_ms=at)
    producer.flush(30)
    producer.close()


@pytest.fixture
def redis_own(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def call_center(kafka: KafkaCluster, redis_own: RedisServer, unique: str, tmp_path: Path) -> Iterator[Pipeline]:
    queues = tmp_path / "queues.yaml"
    queues.write_text(QUEUES)
    pipeline = Pipeline(
        kafka.address,
        redis_own.url,
        unique,
        tmp_path,
        CALLWATCH_QUEUES=str(queues),
        CALLWATCH_PARTITIONS="3",
        CALLWATCH_STALE_AFTER="3s",
    )
    try:
        pipeline.start()
        yield pipeline
    finally:
        pipeline.stop()


def test_the_board_never_blanks_and_is_never_wrong_while_things_break(
    call_center: Pipeline, redis_own: RedisServer, kafka: KafkaCluster
) -> None:
    now = int(time.time() * 1000)
    visits = life_of(1, begin=now - 25 * MINUTE_MS, length=20 * MINUTE_MS, visits=600)
    send(kafka.address, call_center, visits, until=now)
    known = figures(visits, POLICIES.of, 0, 1 << 62, now)
    waiting = sum(visit.waits_at(now) for visit in visits)
    expected = (*(known[name] for name in COUNTS), waiting, known["service_level"]["answered_of_offered"])
    fresh = (expected, float(known["offered"]), False)
    wait_until(lambda: look(call_center)[:3] == fresh, 90, "all counted")

    with Watcher(call_center) as watcher:

        def stale(reason: str, since: int) -> bool:
            return any(each.stale and reason in each.reason for each in watcher.since(since))

        began = len(watcher.looks)
        call_center.workers[0].kill()
        wait_until(lambda: stale("no sign of life from the worker", began), 20, "stale without a worker")
        time.sleep(2)
        assert watcher.looks[-1].age_s > 4

        began = len(watcher.looks)
        redis_own.kill()
        wait_until(lambda: stale("the store cannot be reached", began), 20, "stale without Redis")
        redis_own.start()
        began = len(watcher.looks)
        redis_own.flush()
        wait_until(lambda: stale("the store has lost its figures", began), 20, "stale over an empty Redis")

        began = len(watcher.looks)
        call_center.add_worker()
        wait_until(lambda: any(not each.stale for each in watcher.since(began)), 120, "rebuilt by a new worker")
        for _ in range(3):
            began = len(watcher.looks)
            redis_own.flush()
            wait_until(lambda: any(each.stale for each in watcher.since(began)), 30, "stale at a flush")  # noqa: B023
            wait_until(lambda: not watcher.looks[-1].stale, 60, "rebuilt under load")
        redis_own.kill()
        redis_own.start()
        time.sleep(3)
        wait_until(lambda: not watcher.looks[-1].stale, 60, "fresh again")

    assert watcher.failures == []
    assert len(watcher.looks) > 100
    assert {each.counts for each in watcher.looks} == {expected}
    # The counter of a store that was emptied starts again, as Prometheus expects of one that was lost.
    assert {each.offered_total for each in watcher.looks} == {float(known["offered"])}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_board_that_is_asked_to_end_ends_well_and_ends_its_streams(
    number: signal.Signals, redis_url: str, tmp_path: Path, unique: str
) -> None:
    pipeline = Pipeline("127.0.0.1:1", redis_url, unique, tmp_path)
    environment = [f"{name}={value}" for name, value in pipeline.environment.items()]
    command = ["env", *environment, sys.executable, "-m", "agents.cli", "board"]
    board = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        wait_until(pipeline._serves, 60, "the board serves")
        curl = ["curl", "-sN", f"http://127.0.0.1:{pipeline.port}/api/v1/stream"]
        streams = [subprocess.Popen(curl, stdout=subprocess.PIPE) for _ in range(3)]
        for stream in streams:
            assert stream.stdout is not None
            assert stream.stdout.readline() == b"retry: 1000\n"
        began = time.monotonic()
        board.send_signal(number)
        assert board.wait(10) == 0
        assert time.monotonic() - began < 5
        assert board.stderr is not None
        assert board.stderr.read() == b""
        for stream in streams:
            stream.communicate(timeout=5)
            assert stream.returncode == 0
    finally:
        board.kill()
        board.communicate()


def status_of(pipeline: Pipeline, path: str, token: str | None) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        with urlopen(Request(f"http://127.0.0.1:{pipeline.port}{path}", headers=headers), timeout=10) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_a_board_with_tokens_lets_in_who_has_one_and_writes_none_of_them_down(
    redis_url: str, tmp_path: Path, unique: str
) -> None:
    made = {role: make_token(role, role) for role in ("wallboard", "metrics")}
    tokens = tmp_path / "tokens"
    tokens.write_text("".join(f"{token.line}\n" for _, token in made.values()))
    pipeline = Pipeline("127.0.0.1:1", redis_url, unique, tmp_path, CALLWATCH_TOKENS_FILE=str(tokens))
    try:
        pipeline.board.start()
        for path, role in (("/api/v1/queues", "wallboard"), ("/metrics", "metrics")):
            other = next(name for name in made if name != role)
            seen = [status_of(pipeline, path, token) for token in (None, "wrong", made[other][0], made[role][0])]
            assert seen == [401, 401, 403, 200]
        assert status_of(pipeline, "/healthz", None) == 200
    finally:
        pipeline.stop()
    assert not any(secret in pipeline.board.log.read_text() for secret, _ in made.values())
