"""Customers, made up, what is told of them, and the slow and obvious answer to what that adds up to.

The oracle looks at every contact of a customer beside every other one; it knows nothing of ``streams.customer``.
Times and durations are whole milliseconds.
"""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

DAY: Final = 86_400_000
HOUR: Final = 3_600_000
#: Friday, 2026-01-02, 08:00 UTC.
BEGIN: Final = 1_767_340_800_000
TICKETS: Final = ("email", "messaging", "sms")
QUEUES: Final = {"sales": "voice", "support": "chat", "post": "email", "desk": "messaging", "": "voice"}

#: (ms since 1970, queue, channel or agent, figure) -> how much
Figures = Counter[tuple[int, str, str, str]]


@dataclass(frozen=True)
class Said:
    """That a matter was resolved or reopened."""

    at: int
    id: str
    resolved: bool
    automated: bool | None = None
    cents: int | None = None


@dataclass
class Life:
    """One contact of somebody."""

    id: str
    customer: str | None
    queue: str
    channel: str
    opened: int
    subject: str | None = None
    ended: int | None = None
    agents: list[str] = field(default_factory=list)
    replies: int = 0
    said: list[Said] = field(default_factory=list)

    @property
    def place(self) -> tuple[str, str]:
        """Return where it counts."""
        return (self.queue, self.channel) if self.queue else (self.channel, "@channel")

    def happened(self) -> list[tuple[int, int, str, bool]]:
        """Return what opened and closed it, in order: time, rank at one instant, id, whether it closed."""
        steps = [(each.at, 0 if each.resolved else 2, each.id, each.resolved) for each in self.said]
        if self.ended is not None:
            steps.append((self.ended, 1, "", True))
        return sorted(steps)

    def closed_at(self) -> int | None:
        """Return when it was closed, if it still is: by the first that closed it since it was open last."""
        steps = self.happened()
        last_open = max((number for number, step in enumerate(steps) if not step[3]), default=-1)
        return next((at for at, *_, closed in steps[last_open + 1 :] if closed), None)

    def reopenings(self) -> list[int]:
        """Return when it was opened again: right after something that closed it."""
        steps = self.happened()
        return [now[0] for before, now in pairwise(steps) if before[3] and not now[3]]

    def resolution(self) -> Said | None:
        """Return the resolution that holds: the first of those that no reopening followed."""
        ordered = sorted(self.said, key=lambda each: (each.at, not each.resolved, each.id))
        last = max((number for number, each in enumerate(ordered) if not each.resolved), default=-1)
        return next(iter(ordered[last + 1 :]), None)

    def unsettled_ms(self, until: int) -> int:
        """Return for how long it was unsettled from its opening until then, an instant after another."""
        marks = sorted({self.opened, until, *(each.at for each in self.said if self.opened <= each.at <= until)})
        return sum(end - begin for begin, end in pairwise(marks) if not self._settled(begin))

    def _settled(self, at: int) -> bool:
        told = [each for each in self.said if each.at <= at]
        return bool(told) and max(told, key=lambda each: (each.at, not each.resolved, each.id)).resolved


@dataclass(frozen=True)
class Visit:
    """An order (with what it brought), a coming or a going."""

    id: str
    customer: str
    at: int
    kind: str
    cents: int = 0


@dataclass
class World:
    """All that happened."""

    lives: list[Life]
    visits: list[Visit]


def right_answer(world: World, watermark: int, return_ms: int = 7 * DAY, order_ms: int = 5 * DAY) -> Figures:
    """Return what it all adds up to, as known when the watermark stood there."""
    found: Figures = Counter()
    for life in world.lives:
        others = [each for each in world.lives if life.customer and each.customer == life.customer and each != life]
        later = [each for each in others if (each.opened, each.id) > (life.opened, life.id)]
        orders = [each.at for each in world.visits if each.kind == "ORDERS" and each.customer == life.customer]
        if not (life.customer or life.said or life.channel in TICKETS):
            continue  # nothing is told of it
        _count_one(found, life)
        if life.customer:
            found[life.opened, *life.place, "KNOWN"] += 1
            for days, name in ((1, "CAME_BACK_DAY"), (7, "CAME_BACK_WEEK")):
                found[life.opened, *life.place, name] += any(each.opened - life.opened <= days * DAY for each in later)
            found[life.opened, *life.place, "CONVERTED"] += any(0 <= at - life.opened <= order_ms for at in orders)
            _count_first_contact(found, life, later, watermark, return_ms)
    for visit in world.visits:
        place = ("", "")
        if visit.kind == "ORDERS":
            found[visit.at, *(place := _led_to(visit, world.lives, order_ms)), "REVENUE_CENTS"] += visit.cents
        found[visit.at, *place, visit.kind] += 1
    return +found


def _count_one(found: Figures, life: Life) -> None:
    place, closed, resolution = life.place, life.closed_at(), life.resolution()
    found[life.opened, *place, "OPENED"] += 1
    found[life.opened, *place, "REPEATED"] += len(set(life.agents)) >= 2
    if closed is not None:
        found[closed, *place, "CLOSED"] += 1
        if life.channel in TICKETS:
            found[closed, *place, "TICKETS_CLOSED"] += 1
            found[closed, *place, "TICKET_MS"] += max(0, closed - life.opened)
        if life.agents:
            found[closed, life.agents[-1], "@agent", "CLOSED"] += 1
    for at in life.reopenings():
        found[at, *place, "REOPENED"] += 1
    for said in life.said:
        found[said.at, *place, "COST_CENTS"] += said.cents or 0
    if resolution is not None:
        at = resolution.at
        found[at, *place, "RESOLVED"] += 1
        found[at, *place, "RESOLVED_KNOWN"] += life.customer is not None
        found[at, *place, "RESOLUTION_MS"] += life.unsettled_ms(at)
        alone = life.replies == 0 and life.agents == []
        found[at, *place, "AUTOMATED"] += alone and resolution.automated in (None, True)
        found[at, *place, "SINGLE_REPLY"] += life.replies == 1


def _count_first_contact(found: Figures, life: Life, later: list[Life], watermark: int, return_ms: int) -> None:
    resolution = life.resolution()
    if resolution is None:
        return
    end = resolution.at + return_ms
    same = [each for each in later if None in (each.subject, life.subject) or each.subject == life.subject]
    first = not life.reopenings() and all(each.opened > end for each in same)
    found[resolution.at, *life.place, "FIRST_CONTACT"] += first
    if watermark >= end:
        found[end, *life.place, "FINAL"] += 1
        found[end, *life.place, "FIRST_CONTACT_FINAL"] += first


def _led_to(order: Visit, lives: Iterable[Life], order_ms: int) -> tuple[str, str]:
    before = [each for each in lives if each.customer == order.customer and 0 <= order.at - each.opened <= order_ms]
    return max(before, key=lambda each: (each.opened, each.id)).place if before else ("", "")


def open_tickets(world: World) -> dict[str, tuple[str, str, int]]:
    """Return the tickets that nobody has closed."""
    tickets = [each for each in world.lives if each.channel in TICKETS and each.closed_at() is None]
    return {each.id: (each.queue, each.channel, each.opened) for each in tickets}


def world_of(seed: int, customers: int = 4, contacts: int = 12, days: int = 50, grain: int = 1) -> World:
    """Return a world in which customers come back soon, reopen, and order; ``grain`` is what its clocks tick in."""
    rng = random.Random(seed)

    def after(at: int, longest: int, *exactly: int) -> int:
        return at + rng.choice([0, rng.randrange(longest), rng.randrange(longest), *exactly]) // grain * grain

    lives: list[Life] = []
    visits: list[Visit] = []
    for number in range(contacts):
        queue = rng.choice(list(QUEUES))
        customer = rng.choice([None, *(f"u{each}" for each in range(customers))])
        known = [each for each in lives if each.customer == customer and customer]
        opened = BEGIN + rng.randrange(days * DAY) // grain * grain
        if known and rng.random() < 0.7:  # the customer comes back
            opened = after(rng.choice(known).opened, 9 * DAY, DAY, 7 * DAY, 7 * DAY + grain)
        life = Life(f"c{number}", customer, queue, QUEUES[queue], opened, rng.choice([None, "bill", "bill", "moving"]))
        life.agents = [rng.choice(["ann", "bob"]) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        life.replies = len(life.agents) * rng.choice([1, 1, 2])
        now = after(opened, 2 * HOUR)
        if rng.random() < 0.8:
            life.ended = now
        resolved = False
        for step in range(rng.choice([0, 1, 1, 1, 2, 3, 4])):
            resolved = not resolved if rng.random() < 0.85 else resolved
            cents = rng.choice([None, 0, 420])
            life.said.append(Said(now, f"s{number}-{step}", resolved, rng.choice([None, True, False]), cents))
            now = after(now, 12 * HOUR)
        lives.append(life)
        for order in range(rng.choice([0, 0, 0, 1, 2]) if customer else 0):
            at = after(opened, 6 * DAY, 5 * DAY, 5 * DAY + grain)
            visits.append(Visit(f"o{number}-{order}", customer or "", at, "ORDERS", rng.choice([0, 1_999, 5_990])))
    for number, kind in enumerate(("CUSTOMERS_JOINED", "CUSTOMERS_LEFT", "CUSTOMERS_LEFT")):
        visits.append(Visit(f"v{number}", f"u{number}", BEGIN + rng.randrange(days * DAY), kind))
    return World(lives, visits)
