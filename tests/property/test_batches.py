"""A batch that is counted contact by contact comes to the same as event by event."""

import random
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.contacts import ContactPartition
from streams.partition import DIGEST_BYTES, Limits, Partition
from streams.policy import MINUTE_MS, SECOND_MS
from tests.generate import BEGIN, SETTLING_MS, Arrival, CallCenter, call_centers, written
from tests.property.replay import ENDLESS, LIMITS, Kept, count


def batches(arrivals: list[Arrival], rng: random.Random) -> list[list[Arrival]]:
    """Return arrivals in batches of very different sizes, some events twice in a batch."""
    found: list[list[Arrival]] = []
    done = 0
    while done < len(arrivals):
        batch = list(arrivals[done : done + rng.choice([1, 9, 30, 200])])
        done += len(batch)
        again = rng.sample(batch, rng.randrange(len(batch) // 4 + 1))
        found.append([*batch, *again])
    return found


def with_more(arrivals: list[Arrival], rng: random.Random) -> list[Arrival]:
    """Return arrivals with more among them: outcomes, names of customers, lines long after a contact was over."""
    found: list[tuple[int, Arrival]] = []
    reached = 0
    for number, arrival in enumerate(arrivals):
        reached = max(reached, arrival.at)
        named = {"customer_id": f"customer {rng.randrange(5)}"} if rng.random() < 0.5 else {}
        found.append((reached, Arrival(arrival.at, {**arrival.event, **named})))
        if rng.random() < 0.2:
            kind = rng.choice(["contact.resolved", "contact.reopened", "message.received"])
            at = arrival.at + rng.choice([0, rng.randrange(2 * SETTLING_MS)])
            event = {name: arrival.event[name] for name in ("contact_id", "channel")}
            more = {**event, **named, "id": f"more {number}", "type": kind, "time": written(at)}
            found.append((max(at, reached) + rng.randrange(SETTLING_MS), Arrival(at, more)))
    return [arrival for _, arrival in sorted(found, key=lambda each: each[0])]


def ids_of(kept: Kept) -> dict[int, set[bytes]]:
    """Return the digests of all that is settled, by the hour in which it was."""
    return {
        hour: {digests[start : start + DIGEST_BYTES] for start in range(0, len(digests), DIGEST_BYTES)}
        for hour, digests in kept.settled.items()
    }


def rows_of(kept: Kept) -> list[object]:
    """Return all rows; what came to nothing is left out."""
    return [
        {(number, place): row for number, places in buckets.items() for place, row in places.items() if row}
        for buckets in (kept.buckets, kept.aside)
    ]


def assert_same(batches: Iterable[Sequence[Arrival]], limits: Limits, restarts: Callable[[], bool]) -> Kept:
    """Count ``batches`` at once and event by event; both have to commit the same. Return what is kept."""
    at_once, one_by_one = Kept(), Kept()
    quick, slow = at_once.load(limits), one_by_one.load(limits)
    for batch in batches:
        refused = count(quick, at_once, batch, ContactPartition.count_all)
        assert refused == count(slow, one_by_one, batch, Partition.count_all)
        for partition, kept in ((quick, at_once), (slow, one_by_one)):
            kept.commit(partition.take())
        assert quick.watermark == slow.watermark
        assert rows_of(at_once) == rows_of(one_by_one)
        assert (at_once.now, at_once.told) == (one_by_one.now, one_by_one.told)
        assert at_once.open == one_by_one.open
        assert ids_of(at_once) == ids_of(one_by_one)
        if restarts():
            quick, slow = at_once.load(limits), one_by_one.load(limits)
    return at_once


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(center=call_centers, seed=st.integers(0, 2**32))
def test_batch_counted_by_contact_commits_what_event_by_event_commits(center: CallCenter, seed: int) -> None:
    rng = random.Random(seed)
    limits = ENDLESS if rng.random() < 0.2 else LIMITS
    assert_same(batches(with_more(center.arrivals, rng), rng), limits, lambda: rng.random() < 0.1)


def call(kind: str, contact: str, at: int, **fields: str) -> Arrival:
    event = {"id": f"{contact} {kind} {at}", "type": kind, "time": written(at), "contact_id": contact}
    return Arrival(at, {**event, "channel": "voice", **fields})


@pytest.mark.parametrize("kind", ["message.received", "contact.resolved"])
def test_contact_settled_in_the_middle_of_a_batch_is_settled_for_the_rest_of_it(kind: str) -> None:
    over = [call("contact.queued", "a", BEGIN, queue="sales"), call("contact.abandoned", "a", BEGIN + SECOND_MS)]
    others = [call("contact.started", f"b{n}", BEGIN + 5 * MINUTE_MS + n * 30 * SECOND_MS) for n in range(16)]
    late = call(kind, "a", BEGIN + 9 * MINUTE_MS)
    kept = assert_same([over, [*others[:13], late, *others[13:]]], LIMITS, lambda: False)
    assert [len(ids) for ids in ids_of(kept).values()] == [1]
