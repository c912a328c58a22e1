"""What Redis holds with all retention full, worked out from what it holds of two hours of a smaller call center."""

from os import urandom
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace
from redis import Redis

from agents.sources.callcenter import CallCenter
from agents.sources.demo import demo
from agents.store.keys import Keys
from agents.store.packed import pack_digests, pack_rows, unpack_rows
from bench.load import calls, send
from bench.throughput import PARTITIONS, offsets, pipeline_of
from streams.partition import DIGEST_BYTES
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import wait_until
from tests.harness.redis import RedisServer

Row = dict[str, Any]

#: A contact of the simulator has about as many events.
EVENTS_A_CONTACT: Final = 5.3
#: What is kept at most, from the settings' defaults.
INTERVALS_KEPT: Final = 35 * 24 * 4
FINE_KEPT: Final = 720
REMEMBERED_HOURS: Final = 7 * 24
#: The call center wanted, and by how much the one measured is smaller: so many times fewer queues, and fewer events.
QUEUES_FULL: Final = 1_000
EVENTS_FULL: Final = 1_000
SMALLER: Final = 20
#: For so long events come: intervals from beginning to end, a batch's half hour, and the one until they are packed.
LENGTH_S: Final = 7_200
PACKED_WITHIN_S: Final = 120
#: So many buckets are not packed by then: those of the last two half hours.
LOOSE: Final = 400
MIB: Final = 2**20


def redis_full(kafka: KafkaCluster, redis: RedisServer, directory: Path, smaller: int = SMALLER) -> list[Row]:
    """Return the rows of Redis with 1,000 queues at 1,000 events/s, from a call center that many times ``smaller``."""
    events = EVENTS_FULL // smaller
    center = repeated(demo(), QUEUES_FULL // smaller // len(demo().queues))
    messages = calls(events * LENGTH_S, events / EVENTS_A_CONTACT, center)
    kafka.create_topic("bench-retention.calls", PARTITIONS)
    send(kafka.address, "bench-retention.calls", messages)
    redis.flush()
    pipeline = pipeline_of(kafka, redis, "bench-retention", directory)
    pipeline.command("topics")
    client = Redis.from_url(redis.url)
    pipeline.add_worker()
    try:
        wait_until(lambda: offsets(client, PARTITIONS) >= len(messages), 300, "the backlog is read")
        wait_until(lambda: max(map(_loose, _kept(client))) <= LOOSE, PACKED_WITHIN_S, "what is over is packed")
    finally:
        pipeline.stop()
    return _rows(client, smaller)


def repeated(center: CallCenter, times: int) -> CallCenter:
    """Return ``center`` with all its queues and teams ``times`` over, each under a name of its own."""
    numbers = range(times)
    queues = tuple(
        replace(
            queue,
            name=f"{queue.name}-{number}",
            transfer_to=queue.transfer_to and f"{queue.transfer_to}-{number}",
            overflow_to=queue.overflow_to and f"{queue.overflow_to}-{number}",
        )
        for number in numbers
        for queue in center.queues
    )
    teams = tuple(
        replace(team, queues=tuple(f"{queue}-{number}" for queue in team.queues))
        for number in numbers
        for team in center.teams
    )
    return replace(center, queues=queues, teams=teams)


def _kept(client: Redis) -> list[tuple[Keys, set[str]]]:
    """Return the names of all buckets of each partition."""
    each = [Keys(f"calls/{number}") for number in range(PARTITIONS)]
    members: list[Any] = [client.smembers(keys.buckets) for keys in each]
    return [(keys, {name.decode() for name in names}) for keys, names in zip(each, members, strict=True)]


def _loose(kept: tuple[Keys, set[str]]) -> int:
    return sum(name[0] != "p" for name in kept[1])


def _rows(client: Redis, smaller: int) -> list[Row]:
    """Work out what is kept of all the time, from what is kept of one."""
    kept = _kept(client)
    size = {kind: sum(_bytes(client, *of, kind) for of in kept) for kind in ("pf", "f", "pi", "i")}
    number = {kind: len({name for _, names in kept for name in names if name.startswith(kind)}) for kind in size}
    packed_fine = size["pf"] / number["pf"] * (FINE_KEPT - number["f"])
    intervals = _full_intervals(client, kept)
    of_queues, aside = ((total * (INTERVALS_KEPT - number["i"])) for total in intervals)
    ids = EVENTS_FULL / EVENTS_A_CONTACT * 3_600
    an_id = len(pack_digests(urandom(DIGEST_BYTES * round(ids / PARTITIONS)))) / round(ids / PARTITIONS)
    parts = {
        "15 min intervals of queues": of_queues * smaller,
        "10 s buckets": (packed_fine + size["f"]) * smaller,
        f"ids of settled contacts, {an_id:.2f} bytes each": ids * REMEMBERED_HOURS * an_id,
    }
    what = f"Redis, {QUEUES_FULL:,} queues at {EVENTS_FULL:,} events/s, {PARTITIONS} partitions, all retention full"
    total = sum(parts.values())
    rows: list[Row] = [{"what": what, "goal": 1_024, "below": True, "measured": round(total / MIB), "unit": "MiB"}]
    rows += [{"what": f"of it {part}", "measured": round(held / MIB), "unit": "MiB"} for part, held in parts.items()]
    what = "besides: newest intervals, and intervals of agents and subjects"
    return [*rows, {"what": what, "measured": round((aside + size["i"]) * smaller / MIB), "unit": "MiB"}]


def _bytes(client: Redis, keys: Keys, names: set[str], kind: str) -> int:
    """Return the memory of a partition's buckets of one kind."""
    found = [name for name in names if name.startswith(kind)]
    where = [keys.packed(name[1:]) if kind[0] == "p" else keys.bucket(name) for name in found]
    return sum(int(client.memory_usage(key, samples=0) or 0) for key in where)


def _full_intervals(client: Redis, kept: list[tuple[Keys, set[str]]]) -> tuple[float, float]:
    """Return what an interval takes in all partitions: its rows of queues, and the rest. The first began too late."""
    first = min(name for _, names in kept for name in names if name.startswith("pi"))
    of_queues: list[int] = []
    whole: list[int] = []
    for keys, names in kept:
        for name in (name for name in names if name.startswith("pi") and name != first):
            packed: Any = client.get(keys.packed(name[1:]))
            rows = {place: row for place, row in unpack_rows(packed).items() if not place[1].startswith("@")}
            of_queues.append(len(pack_rows(rows)))
            whole.append(int(client.memory_usage(keys.packed(name[1:])) or 0))
    share = len(kept) / len(whole)
    return sum(of_queues) * share, (sum(whole) - sum(of_queues)) * share
