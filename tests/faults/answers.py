"""What callwatch says after the faults, held against the oracle: nothing lost, nothing counted twice, nobody waits."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from agents.store.redis import RedisStore
from streams.accounts import accounts, facts
from streams.contact import is_aside
from streams.customer import History
from streams.measures import Measure, Row, add
from streams.windows import INTERVAL_MS, Buckets, post
from tests.faults.load import Table, merged
from tests.faults.rows import board_table, counts
from tests.faults.site import Site
from tests.harness.pipeline import wait_until

#: What is counted shows on the board within this, also after it had to read everything anew.
SHOWN_S: Final = 15.0
#: What the oracle counts, by the numbers that the store has for it.
NAMES: Final = {int(measure): measure.name.lower() for measure in Measure if measure < Measure.MOMENTS_MS}


def named(row: Row) -> Counter[str]:
    """Return a row of the store in the oracle's words; nothing that is 0, and nothing that the oracle does not know."""
    return Counter({NAMES[key]: amount for key, amount in row.items() if key in NAMES and amount})


class Stored:
    """All that the store holds, by its own reader."""

    def __init__(self) -> None:
        self.intervals: Buckets = {}
        self.totals: dict[tuple[str, str], Row] = {}
        self.stats: Counter[str] = Counter()
        self.waiting = 0

    async def read(self, url: str) -> "Stored":
        """Read everything from the Redis at ``url``."""
        store = RedisStore(url)
        try:
            for partition in await store.partitions():
                if not partition.startswith(("calls/", "chats/")):
                    continue
                _, found = await store.rows(partition, (), sorted(await store.intervals(partition)))
                post(self.intervals, found)
                snapshot = await store.snapshot(partition, (), ())
                for place, (counters, owed) in snapshot.totals.items():
                    add(self.totals.setdefault(place, {}), counters)
                    add(self.totals[place], owed, -1)
                self.stats.update(snapshot.stats)
                self.waiting += len(snapshot.now)
        finally:
            await store.close()
        return self

    @property
    def table(self) -> Table:
        """The intervals, as the oracle gives them."""
        rows = {
            (number * INTERVAL_MS, *place): named(row)
            for number, places in self.intervals.items()
            for place, row in places.items()
            if not is_aside(place)
        }
        return {place: row for place, row in rows.items() if row}


def check_store(site: Site) -> None:
    """Hold the store against the oracle: every interval of every queue, totals, waiting contacts, every record once."""
    expected = merged(part.table for part in site.rounds)
    stored = asyncio.run(Stored().read(site.store.direct_url))
    require_same(stored.table, expected)
    assert stored.waiting == 0, f"{stored.waiting} still wait, and nobody does"
    totals: dict[tuple[str, str], Counter[str]] = {}
    for (_, queue, channel), row in expected.items():
        totals.setdefault((queue, channel), Counter()).update(row)
    require_same({place: named(row) for place, row in stored.totals.items() if named(row)}, totals)
    read = {name: count for name, count in stored.stats.items() if name.startswith(("event:", "dead:"))}
    assert sum(read.values()) == sum(site.ends().values()), f"not every record counted once: {read}"
    refused = {name for name in read if name.startswith("dead:")}
    assert refused <= {"dead:settled"}, f"refused, and not as settled: {refused}"


async def customers_in(url: str) -> tuple[set[str], Buckets, Buckets]:
    """Return the contacts resolved, what is remembered of customers adds up to, and what is stored of it."""
    store, resolved, right, found = RedisStore(url), set[str](), Buckets(), Buckets()
    try:
        for partition in await store.partitions():
            if partition.startswith("customers/"):
                loaded = await store.load(partition)
                post(found, (await store.rows(partition, (), sorted(loaded.intervals)))[1])
                for packed in loaded.open.values():
                    history = msgspec.msgpack.decode(packed, type=History)
                    stories = history.stories()
                    resolved |= {contact.id for contact, known in stories if known.resolved is not None}
                    counted = accounts(history, stories, history.noted, history.windows)
                    for (at, place), row in facts(counted).items():
                        post(right, {at // INTERVAL_MS: {place: row}})
    finally:
        await store.close()
    return resolved, _filled(right), _filled(found)


def _filled(buckets: Buckets) -> Buckets:
    """Return buckets without the rows in which nothing is."""
    filled = {number: {place: row for place, row in rows.items() if row} for number, rows in buckets.items()}
    return {number: rows for number, rows in filled.items() if rows}


def check_customers(site: Site) -> None:
    """Hold customers against what was sent: every resolved contact was told, and what was told is counted once."""
    told = set[str]().union(*(part.over for part in site.rounds))
    possible = set[str]().union(*(part.resolved for part in site.rounds))

    def told_and_counted() -> bool:
        resolved, right, found = asyncio.run(customers_in(site.store.direct_url))
        return told <= resolved <= possible and right == found

    try:
        wait_until(told_and_counted, SHOWN_S, "customers as they should be")
    except AssertionError:
        resolved, right, found = asyncio.run(customers_in(site.store.direct_url))
        wrong = sorted((told - resolved) | (resolved - possible))
        assert not wrong, f"{len(wrong)} of {len(told)} contacts not told, or told wrongly: {wrong[:5]}"
        require_same(found, right)
        raise


def require_same(found: Mapping[Any, object], expected: Mapping[Any, object]) -> None:
    """Raise AssertionError that shows where two tables differ."""
    places = [place for place in found.keys() | expected.keys() if found.get(place) != expected.get(place)]
    shown = [f"{place}: {found.get(place)}, not {expected.get(place)}" for place in places[:3]]
    assert not places, f"{len(places)} of {len(expected)} differ: {'; '.join(shown)}"


def check_board(site: Site) -> None:
    """Hold what the board answers about every interval, and about now, against the oracle."""
    expected = {place: counts(row) for place, row in merged(part.table for part in site.rounds).items()}
    expected = {place: row for place, row in expected.items() if any(row.values())}
    found = {place: row for place, row in board_table(site.intervals()).items() if any(row.values())}
    require_same(found, expected)
    wait_until(lambda: _nobody_waits(site), SHOWN_S, "a fresh board on which nobody waits")


def _nobody_waits(site: Site) -> bool:
    answer = site.pipeline.get("/api/v1/queues")
    waits = {(row["queue_length"], row["longest_wait_seconds"]) for row in answer["rows"]}
    return not answer["pipeline"]["stale"] and waits == {(0, None)}
