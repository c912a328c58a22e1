"""Customers' figures against the slow answer: whatever the order, the repetition, the re-telling, the restarts."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, msgpack, structs

from streams import events as ev
from streams.accounts import accounts, facts
from streams.contact import is_aside
from streams.customer import History
from streams.customers import CustomerPartition
from streams.events import Outcome
from streams.measures import Histogram, Measure
from streams.partition import Change, Limits, Now
from streams.told import LIFE, pass_on, tell, told, unpack
from tests.customers import BEGIN, DAY, HOUR, Figures, Life, Said, Visit, World, open_tickets, right_answer, world_of

FINE: Final = 10_000
INTERVAL: Final = 900_000
KINDS: Final = {
    "ORDERS": ev.OrderPlaced,
    "CUSTOMERS_JOINED": ev.CustomerJoined,
    "CUSTOMERS_LEFT": ev.CustomerLeft,
}


def time_of(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)


def summaries(life: Life, rng: random.Random) -> Iterator[dict[str, bytes]]:
    """Yield what is told of a contact as more and more of its events become known, the customer perhaps last."""
    moments: list[int | Said] = [each for each in (life.ended, *life.said) if each is not None]
    rng.shuffle(moments)
    late = rng.random() < 0.3
    before: str | None = None
    for count in range(len(moments) + 1):
        seen = moments[:count]
        whole = count == len(moments)
        customer = life.customer if whole or not late else None
        outcomes = [Outcome(s.at, s.id, s.resolved, s.automated, s.cents) for s in seen if isinstance(s, Said)]
        summary = told(
            life.id,
            life.channel,
            version=count + 1,
            opened=life.opened,
            customer_id=customer,
            queue=life.queue or None,
            subject=life.subject,
            ended=life.ended if life.ended in seen else None,
            answered_by=life.agents,
            replies=life.replies,
            outcomes=outcomes,
        )
        yield tell(summary, before)
        before = customer or life.id


def passed_on(visit: Visit) -> dict[str, bytes]:
    """Return what is told of an order, a coming or a going."""
    amount = visit.cents / 100
    return pass_on(KINDS[visit.kind](id=visit.id, time=time_of(visit.at), customer_id=visit.customer, amount=amount))


def said_late(life: Life, said: Said) -> dict[str, bytes]:
    """Return what is told once a contact is settled: the event as it came."""
    kind = ev.ContactResolved if said.resolved else ev.ContactReopened
    event = kind(
        id=said.id,
        time=time_of(said.at),
        contact_id=life.id,
        channel=life.channel,  # type: ignore[arg-type] # one of the channels
        customer_id=life.customer or UNSET,
        automated=UNSET if said.automated is None else said.automated,
        cost=UNSET if said.cents is None else said.cents / 100,
    )
    return pass_on(event)


def messages_of(world: World, rng: random.Random) -> list[tuple[int, bytes]]:
    """Return all messages as they arrive, and when: in disorder, many twice, some again weeks later."""
    sent: list[dict[str, bytes]] = [passed_on(visit) for visit in world.visits]
    for life in world.lives:
        later = [each for each in life.said if life.customer and rng.random() < 0.2]
        sent += [said_late(life, each) for each in later]
        sent += summaries(replace(life, said=[each for each in life.said if each not in later]), rng)
    arrivals: list[tuple[int, int, bytes]] = []
    for number, message in enumerate(value for each in sent for value in each.values()):
        value = unpack(message).value
        arrives = ev.moment(ev.decode(ev.CUSTOMERS, value)) + rng.choice(
            [0, rng.randrange(DAY), rng.randrange(20 * DAY)]
        )
        arrivals.append((arrives, number, value))
        # All within 35 days: for so long a customer's history is promised to be known.
        for _ in range(rng.choice([0, 0, 1, 2])):
            arrives += rng.choice([0, HOUR, rng.randrange(7 * DAY)])
            arrivals.append((arrives, number, value))
    return [(arrives, value) for arrives, _, value in sorted(arrivals)]


class Counted:
    """What a partition has counted, added up over commits and restarts."""

    def __init__(self) -> None:
        self.rows: Counter[tuple[int, str, str, int]] = Counter()
        self.aside: Counter[tuple[int, str, str, int]] = Counter()
        self.now: dict[str, Now] = {}
        self.packed: dict[str, bytes] = {}
        self.watermark: int | None = None

    def partition(self) -> CustomerPartition:
        return CustomerPartition(Limits(), watermark=self.watermark, packed=self.packed)

    def commit(self, change: Change) -> None:
        self.watermark = change.watermark
        for rows, buckets in ((self.rows, change.deltas), (self.aside, change.aside)):
            for bucket, places in buckets.items():
                for (name, second), row in places.items():
                    for measure, amount in row.items():
                        rows[bucket, name, second, int(measure)] += amount
        for name, data in change.open.items():
            if data is None:
                self.packed.pop(name, None)
            else:
                self.packed[name] = data
        for name, shown in change.now.items():
            if shown is None:
                self.now.pop(name, None)
            else:
                self.now[name] = shown


def count_all(values: list[tuple[int, bytes]], rng: random.Random, until: int) -> Counted:
    """Count messages, with a commit now and then and a restart after some of them."""
    counted = Counted()
    partition = counted.partition()
    for arrived, value in values:
        event = ev.decode(ev.CUSTOMERS, value)
        partition.count(event, ev.moment(event), arrived)
        if rng.random() < 0.3:
            counted.commit(partition.take())
            if rng.random() < 0.3:
                partition = counted.partition()
    partition.advance(until)
    counted.commit(partition.take())
    return counted


def in_buckets(figures: Figures) -> tuple[dict[object, int], dict[object, int]]:
    """Return figures as rows of fine buckets, and those kept aside as rows of intervals."""
    fine: Counter[object] = Counter()
    aside: Counter[object] = Counter()
    for (at, name, second, figure), amount in figures.items():
        if second.startswith("@"):
            aside[at // INTERVAL, name, second, int(Measure[figure])] += amount
        else:
            fine[at // FINE, name, second, int(Measure[figure])] += amount
    return dict(fine), dict(aside)


def without_bins(rows: Counter[tuple[int, str, str, int]]) -> dict[object, int]:
    return {key: amount for key, amount in rows.items() if amount and key[3] < Histogram.WAIT_ANSWERED}


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    contacts=st.integers(1, 16),
    grain=st.sampled_from((1, HOUR, DAY)),
    ahead=st.sampled_from((0, DAY, 7 * DAY, 40 * DAY)),
)
def test_figures_of_customers_are_those_of_the_slow_answer(seed: int, contacts: int, grain: int, ahead: int) -> None:
    rng = random.Random(seed)
    world = world_of(seed, contacts=contacts, grain=grain)
    values = messages_of(world, rng)
    latest = max(ev.moment(ev.decode(ev.CUSTOMERS, value)) for _, value in values)
    counted = count_all(values, rng, latest + ahead)
    fine, aside = in_buckets(right_answer(world, latest + ahead))
    assert without_bins(counted.rows) == fine
    assert without_bins(counted.aside) == aside
    assert {name.rpartition(" ")[2]: ticket for name, ticket in counted.now.items()} == open_tickets(world)
    assert len(counted.now) == len(open_tickets(world))
    bins = sum(amount for key, amount in (counted.rows + counted.aside).items() if key[3] >= Histogram.RESOLUTION)
    assert bins == sum(life.resolution() is not None for life in world.lives)


def test_who_was_not_heard_of_for_weeks_is_forgotten_but_still_counts() -> None:
    rng = random.Random(7)
    world = world_of(7, contacts=30)
    values = messages_of(world, rng)
    end = BEGIN + 400 * DAY
    counted = count_all(values, rng, end)
    assert counted.packed == {}
    assert counted.now == {}
    assert without_bins(counted.rows) == in_buckets(right_answer(world, end))[0]


def test_in_a_replay_a_customers_contacts_may_come_in_any_order_whatsoever() -> None:
    for seed in range(20):
        rng = random.Random(seed)
        world = world_of(seed, contacts=12, days=300)
        values = [value for _, value in messages_of(world, rng)]
        rng.shuffle(values)
        today = BEGIN + 500 * DAY
        end = BEGIN + 400 * DAY
        counted = count_all([(today, value) for value in values], rng, end)
        assert without_bins(counted.rows) == in_buckets(right_answer(world, end))[0]


def of_few_contacts(event: ev.Envelope, ids: int) -> ev.Envelope:
    """Return an event as one of so many contacts, which have several lives then."""
    if isinstance(event, ev.ContactTold):
        version = event.version + LIFE * (event.opened // 1000)
        return structs.replace(event, contact_id=f"c{int(event.contact_id[1:]) % ids}", version=version)
    if isinstance(event, ev.ContactEvent):
        return structs.replace(event, contact_id=f"c{int(event.contact_id[1:]) % ids}")
    return event


def facts_of(packed: bytes | None) -> Counter[tuple[int, str, str, int]]:
    """Return from scratch what a history adds up to, in buckets; those of intervals have negative numbers."""
    found: Counter[tuple[int, str, str, int]] = Counter()
    if packed is not None:
        history = msgpack.decode(packed, type=History)
        counted = accounts(history, history.stories(), history.noted, history.windows)
        for (at, place), row in facts(counted).items():
            bucket = -(at // INTERVAL) if is_aside(place) else at // FINE
            for measure, amount in row.items():
                found[bucket, *place, measure] += amount
    return found


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    contacts=st.integers(1, 12),
    ids=st.sampled_from((3, 99)),
    pause=st.sampled_from((0.0, 0.6)),
)
def test_a_message_counts_the_facts_after_it_less_those_before(
    seed: int, contacts: int, ids: int, pause: float
) -> None:
    rng = random.Random(seed)
    partition, packed = CustomerPartition(Limits()), dict[str, bytes | None]()
    never_forgotten = BEGIN + 10_000 * DAY
    for _, value in messages_of(world_of(seed, customers=2, contacts=contacts), rng):
        event = ev.decode(ev.CUSTOMERS, value)
        partition.count(of_few_contacts(event, ids), ev.moment(event), never_forgotten)
        if rng.random() < pause:
            continue
        change, expected, counted = partition.take(), Counter[tuple[int, str, str, int]](), Counted()
        for name, data in change.open.items():
            expected.update(facts_of(data))
            expected.subtract(facts_of(packed.get(name)))
            packed[name] = data
        counted.commit(change)
        counted.rows.update({(-key[0], *key[1:]): amount for key, amount in counted.aside.items()})
        assert {key: n for key, n in counted.rows.items() if n} == {key: n for key, n in expected.items() if n}
