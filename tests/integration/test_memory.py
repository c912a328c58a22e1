"""Memory stays bounded: a working day compressed in time, and floods of what nobody would send on purpose.

``make soak`` runs the day with more contacts a second, as ``SOAK`` says.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import pytest
import redis

from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline, wait_until
from tests.harness.redis import RedisServer

pytestmark = pytest.mark.integration

MIB: Final = 1024 * 1024
#: Contacts a second of the working day.
RATE: Final = float(os.environ.get("SOAK") or 1)
HOURS: Final = 8
WARM_UP_HOURS: Final = 2
#: The last contacts of a simulation may take hours, and what is not yet now has to be waited for.
GAP_HOURS: Final = 6
#: What a customer of one contact takes in Redis; as resident memory it may be twice as much.
CUSTOMER_BYTES: Final = 320
#: Messages of each kind in one round of the flood.
FLOOD: Final = 8_000
PARTITIONS: Final = 2
UNLISTED: Final = 200


class Resident(NamedTuple):
    """The memory of each process, in MiB, once so many events were read."""

    read: int
    worker: float
    board: float
    redis: float


class Watched(NamedTuple):
    """A pipeline and the Redis below it."""

    pipeline: Pipeline
    redis: RedisServer

    def look(self) -> Resident:
        """Return what each process holds now."""
        pids = (self.pipeline.workers[0].pid, self.pipeline.board.pid, self.redis.pid)
        return Resident(self.pipeline.read(), *(resident(pid) for pid in pids))


def resident(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


@pytest.fixture
def watched(kafka: KafkaCluster, unique: str, tmp_path: Path) -> Iterator[Watched]:
    """A worker, a board that takes the watermark for now, and a Redis of their own."""
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis")
    server.start()
    settings = {"CALLWATCH_PARTITIONS": str(PARTITIONS), "CALLWATCH_UNLISTED_QUEUES": str(UNLISTED)}
    pipeline = Pipeline(kafka.address, server.url, unique, tmp_path, CALLWATCH_CLOCK="watermark", **settings)
    try:
        pipeline.start()
        yield Watched(pipeline, server)
    finally:
        pipeline.stop()
        server.kill()


def simulate(pipeline: Pipeline, hours: int, ended: int) -> None:
    """Send some hours that ended so many hours ago, as fast as they can be read."""
    span = ("--history", f"{hours + ended}h", "--for", f"{hours}h", "--contacts-per-second", f"{RATE:g}")
    subprocess.run(
        [sys.executable, "-m", "agents.cli", "simulate", "--speed", "max", *span],
        env={**os.environ, **pipeline.environment},
        capture_output=True,
        check=True,
        timeout=3_600,
    )


def looks_while(watched: Watched, sending: Callable[[], bool]) -> list[Resident]:
    """Return looks taken until all that is sent is read."""
    looks = [watched.look()]
    still = 0
    while sending() or still < 20:  # 20 looks without anything new: all is read
        time.sleep(0.2)
        looks.append(watched.look())
        still = still + 1 if looks[-1].read == looks[-2].read else 0
    return looks


def typical(looks: list[Resident], start: float, end: float) -> Resident:
    """Return the medians of the looks between two shares of all that was read."""
    whole = looks[-1].read
    inside = [look for look in looks if start * whole <= look.read <= end * whole]
    assert inside, f"no look between {start:.0%} and {end:.0%} of {whole} events"
    return Resident(
        whole,
        median(look.worker for look in inside),
        median(look.board for look in inside),
        median(look.redis for look in inside),
    )


def told(name: str, look: Resident) -> None:
    sys.stdout.write(
        f"\n{name}: worker {look.worker:.0f}, board {look.board:.0f}, Redis {look.redis:.0f} MiB ({look.read:,} read)"
    )


def test_eight_hours_of_load_end_with_the_memory_they_had_in_their_middle(
    watched: Watched, kafka: KafkaCluster
) -> None:
    # What a worker keeps at hand, and what Kafka's client has fetched ahead, fills in the first hours.
    simulate(watched.pipeline, WARM_UP_HOURS, ended=HOURS + 2 * GAP_HOURS)
    looks_while(watched, lambda: False)
    before, joined = watched.pipeline.read(), kafka.members(watched.pipeline.name)
    sending = threading.Thread(target=simulate, args=(watched.pipeline, HOURS, GAP_HOURS))
    sending.start()
    looks = [look._replace(read=look.read - before) for look in looks_while(watched, sending.is_alive)]
    sending.join()
    assert looks[-1].read > HOURS * 3_600 * RATE * 3, "the simulator sent less than three events a contact"
    for look in looks[:: max(1, len(looks) // 12)]:
        told(f"after {HOURS * look.read / looks[-1].read:.1f} h", look)
    # A backlog of so many hours is worked off without leaving the group.
    assert kafka.members(watched.pipeline.name) == joined
    middle, last = typical(looks, 0.4, 0.6), typical(looks, 0.9, 1.0)
    # What grows on is told in docs/reliability.md: in Redis 8 bytes a contact for 7 days, and a customer at most.
    contacts = HOURS * 3_600 * RATE / 2
    # The counting itself grows by 1 MiB; the rest is what the allocator keeps of fetches and commits of a backlog.
    # If the records, or what is made of them, were held, half a day of them would be several times as much as this.
    # Customers it keeps too, packed as they are in Redis.
    customers = 2 * CUSTOMER_BYTES * contacts / MIB
    assert last.worker - middle.worker < 40 * max(1, RATE / 4) + customers
    assert last.board - middle.board < max(8, 0.08 * middle.board)
    assert last.redis - middle.redis < max(8, 0.08 * middle.redis) + 2 * 8 * contacts / MIB + customers


def is_ready(pipeline: Pipeline) -> bool:
    try:
        pipeline.get("/readyz")
    except urllib.error.HTTPError as error:
        error.close()
        return False
    return True


def flood(path: Path, number: int) -> Path:
    """Write a round: contacts that never end, each in a queue of its own, and events from 1970 and 9999."""
    began = datetime.now(UTC) - timedelta(hours=30 * (4 - number))
    with path.open("w") as file:
        for each in range(FLOOD):
            name = f"{number}-{each}"
            event = {"id": name, "type": "contact.queued", "contact_id": f"c{name}", "channel": "voice"}
            moment = (began + timedelta(milliseconds=each * 100)).isoformat()
            file.write(json.dumps({**event, "time": moment, "queue": f"nobody knows {name}"}) + "\n")
            for year in ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
                if each > FLOOD // 2 and each % 4 == 0:
                    odd = {**event, "id": f"{name}-{year}", "contact_id": f"o{name}-{year}", "time": year}
                    file.write(json.dumps({**odd, "queue": "sales"}) + "\n")
    return path


def test_floods_of_unknown_queues_endless_contacts_and_impossible_times_leave_no_more_than_one_of_them(
    watched: Watched, tmp_path: Path
) -> None:
    pipeline = watched.pipeline
    looks: list[Resident] = []
    sent = 0
    for number in range(4):
        file = flood(tmp_path / f"round-{number}.jsonl", number)
        pipeline.command("replay", str(file))
        sent += len(file.read_text().splitlines())
        pipeline.wait_read(sent)
        looks.append(watched.look())
        told(f"round {number}", looks[-1])
    assert looks[-1].worker < looks[1].worker * 1.2 + 8
    assert looks[-1].board < looks[1].board * 1.2 + 8
    assert looks[-1].redis < looks[1].redis * 1.2 + 8
    # Each round is lost, and closed, when the next begins: 30 hours later.
    with redis.Redis.from_url(watched.redis.url) as client:
        opened = sum(client.hlen(f"callwatch:{{calls/{number}}}:open") for number in range(PARTITIONS))
    assert opened == FLOOD
    refused = pipeline.samples("callwatch_dead_letters_total")
    odd = 4 * len([each for each in range(FLOOD) if each > FLOOD // 2 and each % 4 == 0])
    assert sum(count for labels, count in refused.items() if 'reason="future"' in labels) == odd
    assert sum(count for labels, count in refused.items() if 'reason="too_late"' in labels) == odd
    queues = {row["queue"] for row in pipeline.get("/api/v1/queues", window="1h")["rows"]}
    counted = pipeline.samples("callcenter_contacts_offered_total")
    unknown = [labels for labels in counted if "nobody knows" in labels]
    # The limit holds for each partition of a topic.
    assert len(unknown) <= PARTITIONS * UNLISTED
    assert sum(counted.values()) == 4 * FLOOD
    assert any('queue="other"' in labels for labels in counted)
    assert len(queues) <= PARTITIONS * UNLISTED + 20
    wait_until(lambda: is_ready(pipeline), 30, "the board is ready")
