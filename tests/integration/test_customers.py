"""From contacts to customers' figures through real Kafka, Faust and Redis: a worker killed, everything sent twice."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from agents.store.redis import RedisStore
from streams.measures import Histogram, Measure
from tests.customers import BEGIN, DAY, HOUR, TICKETS, Figures, Life, Said, Visit, World, open_tickets, right_answer
from tests.generate import written
from tests.harness.kafka import KafkaCluster
from tests.harness.pipeline import Pipeline, wait_until

INTERVAL: Final = 900_000
MINUTE: Final = 60_000
PARTITIONS: Final = 2
QUEUES: Final = {"sales": "voice", "support": "chat", "post": "email"}
LAST: Final = BEGIN + 60 * DAY

Event = dict[str, Any]
#: What is shown of open tickets, and the rows of the intervals, of all partitions of customers.
Found = tuple[dict[str, tuple[object, ...]], dict[tuple[int, str, str, str], int]]

pytestmark = pytest.mark.integration


class Author:
    """Writes a life as its events, and each event with when it happened."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.events: list[tuple[int, Event]] = []

    def tell(self, at: int, name: str, kind: str, **fields: object) -> None:
        """Add an event."""
        self.events.append((at, {"id": name, "type": kind, "time": written(at), **fields}))

    def live(self, number: int, customer: str | None, opened: int) -> Life:
        """Write one contact: talks, an end, and perhaps days later what became of the matter."""
        rng = self.rng
        queue = rng.choice(list(QUEUES))
        life = Life(f"c{number}", customer, queue, QUEUES[queue], opened, rng.choice(["bill", "moving"]))
        about: Event = {"contact_id": life.id, "channel": life.channel}
        if customer:
            about["customer_id"] = customer
        at = opened
        for talk in range(rng.choice([0, 1, 1, 2])):
            agent = rng.choice(["ann", "bob"])
            self.tell(at, f"q{number}-{talk}", "contact.queued", queue=queue, subject=life.subject, **about)
            self.tell(at + 5_000, f"a{number}-{talk}", "contact.answered", agent_id=agent, **about)
            self.tell(at + MINUTE, f"t{number}-{talk}", "contact.transferred", **about)
            life.agents.append(agent)
            at += MINUTE + 1_000
        if not life.agents:
            self.tell(at, f"q{number}", "contact.queued", queue=queue, subject=life.subject, **about)
        life.replies = len(life.agents)
        if life.channel not in TICKETS or rng.random() < 0.5:
            life.ended = at = at + 30_000
            self.tell(at, f"e{number}", "contact.ended", **about)
        self.settle(life, number, at, about)
        return life

    def settle(self, life: Life, number: int, at: int, about: Event) -> None:
        """Resolve and reopen: of somebody unknown at once, or it could not be told whose it is."""
        for step in range(self.rng.choice([0, 1, 1, 2, 3])):
            at += self.rng.choice([1_000, 2 * HOUR, 2 * DAY]) if life.customer else 1_000
            said = Said(at, f"s{number}-{step}", step % 2 == 0, None, self.rng.choice([None, 250]))
            kind = "contact.resolved" if said.resolved else "contact.reopened"
            cost: Event = {} if said.cents is None else {"cost": said.cents / 100}
            self.tell(at, said.id, kind, **about, **cost)
            life.said.append(said)


def world_of(seed: int, contacts: int) -> tuple[World, list[tuple[int, Event]]]:
    """Return what happens to some customers, and its events; at last all partitions hear of two months later."""
    rng = random.Random(seed)
    author, lives, visits = Author(rng), list[Life](), list[Visit]()
    for number in range(contacts):
        customer = rng.choice([None, *(f"u{each}" for each in range(contacts // 4))])
        life = author.live(number, customer, BEGIN + rng.randrange(30 * DAY))
        lives.append(life)
        if customer and rng.random() < 0.3:
            visits.append(Visit(f"o{number}", customer, life.opened + rng.randrange(7 * DAY), "ORDERS", 1_990))
    for number in range(12 * PARTITIONS):
        visits.append(Visit(f"last{number}", f"u-last{number}", LAST, "CUSTOMERS_JOINED"))
    for visit in visits:
        kind = "order.placed" if visit.kind == "ORDERS" else "customer.joined"
        author.tell(visit.at, visit.id, kind, customer_id=visit.customer, amount=visit.cents / 100)
    return World(lives, visits), author.events


def disordered(events: list[tuple[int, Event]], rng: random.Random) -> list[bytes]:
    """Return events as they arrive: up to five minutes late, each twice, a third of the copies hours later."""
    stream = []
    for number, (at, event) in enumerate(events):
        arrives = at + rng.randrange(5 * MINUTE)
        again = arrives + rng.choice([0, rng.randrange(5 * MINUTE), rng.randrange(9 * HOUR)])
        stream += [(arrives, number, event), (again, number, event)]
    return [json.dumps(event).encode() for *_, event in sorted(stream, key=lambda entry: entry[:2])]


def expected_of(world: World) -> Found:
    """Return the right answer, by interval."""
    figures: Figures = right_answer(world, LAST)
    rows: Counter[tuple[int, str, str, str]] = Counter()
    for (at, name, second, figure), amount in figures.items():
        rows[at // INTERVAL, name, second, figure] += amount
    return dict(open_tickets(world)), dict(rows)


async def found_in(redis_url: str) -> Found:
    """Return what the store has of customers."""
    store, tickets = RedisStore(redis_url), dict[str, tuple[object, ...]]()
    rows: Counter[tuple[int, str, str, str]] = Counter()
    try:
        for partition in await store.partitions():
            if not partition.startswith("customers/"):
                continue
            shown = (await store.snapshot(partition, (), ())).now
            tickets.update({name.rpartition(" ")[2]: tuple(ticket) for name, ticket in shown.items()})
            _, intervals = await store.rows(partition, (), sorted(await store.intervals(partition)))
            for number, places in intervals.items():
                for place, row in places.items():
                    for key, amount in row.items():
                        if amount and key < Histogram.WAIT_ANSWERED:
                            rows[number, *place, Measure(key).name] += amount
    finally:
        await store.close()
    return tickets, dict(rows)


@pytest.fixture
def pipeline(kafka: KafkaCluster, redis_url: str, unique: str, tmp_path: Path) -> Iterator[Pipeline]:
    """A worker and a board."""
    settings = {"CALLWATCH_PARTITIONS": str(PARTITIONS), "CALLWATCH_INTERVAL_RETENTION": "3650d"}
    pipeline = Pipeline(kafka.address, redis_url, unique, tmp_path, CALLWATCH_BATCH_RECORDS="100", **settings)
    try:
        pipeline.start()
        yield pipeline
    finally:
        pipeline.stop()


def test_customers_figures_are_right_though_the_worker_is_killed_and_all_comes_twice(
    pipeline: Pipeline, redis_url: str, tmp_path: Path
) -> None:
    world, events = world_of(6, 400)
    lines = disordered(events, random.Random(6))
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    expected = expected_of(world)
    with ThreadPoolExecutor(1) as sender:
        sending = sender.submit(pipeline.command, "replay", str(path))
        for kill in (1, 2):
            pipeline.wait_read(len(lines) * kill // 4)
            pipeline.workers[-1].kill()
            assert pipeline.read() < len(lines), "the worker was done before it was killed: nothing is shown"
            pipeline.add_worker()
        sending.result()
    pipeline.wait_read(len(lines))

    def as_expected() -> bool:
        return asyncio.run(found_in(redis_url)) == expected

    try:
        wait_until(as_expected, 30, "the customers' figures")
    except AssertionError:
        tickets, rows = asyncio.run(found_in(redis_url))
        wrong = {key: (rows.get(key), expected[1].get(key)) for key in rows.keys() | expected[1].keys()}
        assert {key: pair for key, pair in wrong.items() if pair[0] != pair[1]} == {}
        assert tickets == expected[0]
        raise
