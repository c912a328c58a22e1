"""Whole call centers, made up: plausible lives and implausible ones, and the disorder in which they arrive."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from streams.policy import HOUR_MS, MINUTE_MS, SECOND_MS, Policies, Promise
from tests.oracle import Rules

#: Friday, 2026-01-02, 08:00 UTC.
BEGIN: Final = 1_767_340_800_000
SETTLING_MS: Final = 10 * MINUTE_MS
REASONS: Final = ("overflow", "timeout", "exit_key", "callback", "empty", "withdrawn")
QUEUES: Final = {"sales": "voice", "support": "voice", "chat": "chat", "walk-in": "video"}
POLICIES: Final = Policies(
    queues={
        "sales": Promise(),
        "support": Promise(threshold_ms=45 * SECOND_MS, short_abandon_ms=8 * SECOND_MS),
        # A short fuse, so that ghosts are common.
        "chat": Promise(threshold_ms=MINUTE_MS, longest_credible_wait_ms=30 * MINUTE_MS),
    }
)
#: The same, as the oracle reads it.
RULES: Final = {
    "sales": Rules(),
    "support": Rules(target=45_000, short=8_000),
    "chat": Rules(target=60_000, longest=30 * 60_000),
}
#: Kinds that may come at any moment of a life, whether they make sense there or not.
SENSELESS: Final = (
    "answered",
    "abandoned",
    "left_queue",
    "held",
    "resumed",
    "transferred",
    "ended",
    "queued",
    "wrapped",
)
#: Lines and rings: they move no contact.
BESIDE: Final = ("message.received", "message.sent", "contact.offered", "contact.declined", "contact.started")
AGENTS: Final = ("ann", "bob", "cleo")
SUBJECTS: Final = ("", "", "invoice", "delivery")

Event = dict[str, Any]


class Arrival(NamedTuple):
    """One message on its way: when its event happened, and the event."""

    at: int
    event: Event


class CallCenter(NamedTuple):
    """A call center's events, each once, and as they arrive: in disorder, some of them twice."""

    events: list[Event]
    arrivals: list[Arrival]
    #: Whether lives have events that make no sense: then a wrap-up may come long after the end that it is for.
    senseless: bool


class Life:
    """Writes the events of one contact."""

    def __init__(self, rng: random.Random, name: str, grain: int, begin: int) -> None:
        self.rng = rng
        self.name = name
        self.grain = grain
        self.now = begin // grain * grain
        self.queue = rng.choice(list(QUEUES))
        self.events: list[Arrival] = []
        #: Whether it has come back: then it may be a life of its own, and what counts once in a life stays unsaid.
        self.back = False

    def pass_time(self, longest_ms: int, *likely: int) -> None:
        """Let some time pass: often none at all, often just as long as a limit."""
        choices = (0, self.rng.randrange(longest_ms), self.rng.randrange(longest_ms), *likely)
        self.now += self.rng.choice(choices) // self.grain * self.grain

    def tell(self, kind: str, at: int | None = None, **fields: object) -> None:
        """Add an event at ``at``, by default now."""
        at = self.now if at is None else at
        number = len(self.events)
        # Ids in no order: of one instant and one kind, it is the id that decides.
        event: Event = {"id": f"{self.rng.randrange(100)}-{self.name}-{number}", "type": kind, "time": written(at)}
        event |= {"contact_id": self.name, "channel": QUEUES[self.queue], **fields}
        self.events.append(Arrival(at, event))

    def enter(self) -> None:
        """Enter a queue, perhaps another one, perhaps twice."""
        self.queue = self.rng.choice([self.queue, *QUEUES])
        subject = self.rng.choice(SUBJECTS)
        self.tell("contact.queued", None, queue=self.queue, **({"subject": subject} if subject else {}))
        if self.rng.random() < 0.1:
            self.pass_time(MINUTE_MS)
            self.tell("contact.queued", queue=self.queue)
        if self.rng.random() < 0.3:
            self.pass_time(MINUTE_MS)
            agent = self.rng.choice(AGENTS)
            self.tell("contact.offered", agent_id=agent)
            self.tell("contact.declined", agent_id=agent)

    def wait(self) -> None:
        """Wait, mostly about as long as the limits are."""
        exact = (4_999, 5_000, 8_000, 20_000, 20_001, 45_000, 60_000)
        self.pass_time(self.rng.choice([MINUTE_MS, 10 * MINUTE_MS, 50 * MINUTE_MS]), *exact)

    def talk(self) -> None:
        """Be answered and talk, with holds and messages, until the agent is done or a queue follows."""
        self.tell("contact.answered", agent_id=self.rng.choice(AGENTS))
        for _ in range(self.rng.randrange(3)):
            self.pass_time(3 * MINUTE_MS)
            if self.queue == "chat" and not self.back:
                self.write()
                continue
            self.tell("contact.held")
            self.pass_time(MINUTE_MS)
            if self.rng.random() < 0.8:
                self.tell("contact.resumed")
        self.pass_time(4 * MINUTE_MS)

    def write(self) -> None:
        """Write some lines: the customer's, an agent's who may be named or not, a bot's in between."""
        for _ in range(self.rng.randrange(1, 4)):
            self.tell("message.received")
            self.pass_time(MINUTE_MS)
        if self.rng.random() < 0.8:
            self.tell("message.sent", None, **self.sender())

    def sender(self) -> dict[str, object]:
        """Return who writes a line."""
        named: dict[str, object] = {"agent_id": self.rng.choice(AGENTS)}
        return self.rng.choice([{}, {"sender": "agent"}, named, {"sender": "agent", **named}, {"sender": "bot"}])

    def meet_bot(self) -> bool:
        """Talk to a bot first; tell whether that was all."""
        for _ in range(self.rng.randrange(3)):
            self.tell("message.received")
            self.pass_time(MINUTE_MS)
            self.tell("message.sent", sender="bot")
            self.pass_time(MINUTE_MS)
        if self.rng.random() < 0.3:
            self.tell("contact.ended")
            return True
        return False

    def wrap_up(self) -> None:
        """Have the agent do some after-work, which the next part of the life does not wait for."""
        for _ in range(self.rng.choice([0, 1, 1, 2])):
            self.tell("contact.wrapped", self.now + self.rng.choice([1, self.rng.randint(1, 8 * MINUTE_MS)]))

    def live(self) -> None:
        """Write a whole life: visits, each with how it went on."""
        if self.rng.random() < 0.5:
            self.tell("contact.started")
            self.pass_time(2 * MINUTE_MS)
        if self.rng.random() < 0.3 and self.meet_bot():
            return
        for _ in range(self.rng.choice([1, 1, 1, 2, 2, 3])):
            self.enter()
            self.wait()
            follows = self.go_on(
                self.rng.choice(("answered",) * 6 + ("abandoned", "ended", "left", "overflow", "ghost"))
            )
            if not follows:
                return
            # At one instant a queue comes before an end: only a stumble may turn them round.
            self.now += self.grain

    def go_on(self, how: str) -> bool:
        """Write how a visit went on; tell whether another one may follow."""
        if how == "answered":
            self.talk()
            how = self.rng.choice(["ended"] * 4 + ["transferred", "requeued", "ghost"])
            if how in ("ended", "transferred"):
                self.tell(f"contact.{how}")
                self.wrap_up()
            if how == "ended":
                self.follow_up()
                self.back = True
        elif how in ("abandoned", "ended"):
            self.tell(f"contact.{how}")
            self.pass_time(HOUR_MS)  # then perhaps it comes back
            self.back = True
        elif how == "left":
            self.tell("contact.left_queue", reason=self.rng.choice(REASONS))
            self.pass_time(2 * HOUR_MS)  # as when it is called back
        return how != "ghost"

    def follow_up(self) -> None:
        """Let the matter be settled some time later, and perhaps not be settled after all."""
        self.pass_time(40 * MINUTE_MS)
        if self.rng.random() < 0.5:
            self.tell("contact.resolved")
            self.pass_time(40 * MINUTE_MS)

    def stumble(self) -> None:
        """Add events where they make no sense."""
        first, last = self.events[0].at, self.events[-1].at
        for _ in range(self.rng.randrange(4)):
            kind = self.rng.choice(SENSELESS)
            fields: dict[str, object] = {"agent_id": "bob"} if kind == "answered" else {}
            fields |= {"reason": "timeout"} if kind == "left_queue" else {}
            fields |= {"queue": self.rng.choice(list(QUEUES))} if kind == "queued" else {}
            at = self.rng.choice([self.rng.choice(self.events).at, self.rng.randint(first, last)])
            self.tell(f"contact.{kind}", at, **fields)
        for _ in range(self.rng.randrange(4)):
            kind = self.rng.choice(BESIDE)
            fields = self.sender() if kind == "message.sent" else {}
            fields |= {"agent_id": "bob"} if kind in ("contact.offered", "contact.declined") else {}
            self.tell(kind, self.rng.randint(first, last) // self.grain * self.grain, **fields)


def written(at: int) -> str:
    """Return a time as it stands in an event, in one of the ways of writing it."""
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z") if at % 2 else text


def lives(seed: int, contacts: int, grain: int, *, senseless: bool) -> Iterator[Arrival]:
    """Yield the events of some contacts; a contact's are the same, however many others there are."""
    for number in range(contacts):
        rng = random.Random(f"{seed}/{number}")
        life = Life(rng, f"c{number}", grain, BEGIN + rng.randrange(2 * HOUR_MS))
        life.live()
        if senseless:
            life.stumble()
        yield from life.events


def disorder(events: list[Arrival], rng: random.Random, twice: float) -> list[Arrival]:
    """Return events as they arrive: up to the settling time late, a share of them again, then or hours later."""
    stream: list[tuple[int, Arrival]] = []
    for arrival in events:
        arrives = arrival.at + rng.choice([0, 0, rng.randrange(SETTLING_MS), SETTLING_MS])
        stream.append((arrives, arrival))
        if rng.random() < twice:
            stream.append((arrives + rng.choice([0, rng.randrange(SETTLING_MS), rng.randrange(12 * HOUR_MS)]), arrival))
    return [arrival for _, arrival in sorted(stream, key=lambda one: one[0])]


def call_center(seed: int, contacts: int = 20, grain: int = 1, twice: float = 0.2) -> CallCenter:
    """Return one call center; ``grain`` is what its clocks tick in, in ms: a coarse one makes ties."""
    rng = random.Random(seed)
    senseless = rng.random() < 0.5
    found = sorted(lives(seed, contacts, grain, senseless=senseless), key=lambda arrival: arrival.at)
    return CallCenter([arrival.event for arrival in found], disorder(found, rng, twice), senseless)


#: Call centers of all sizes; the fewer contacts, the easier a failure is read.
call_centers: Final[st.SearchStrategy[CallCenter]] = st.builds(
    call_center,
    seed=st.integers(0, 2**32),
    contacts=st.integers(1, 25),
    grain=st.sampled_from((1, 125, 1_000, 10_000)),
    twice=st.sampled_from((0.0, 0.2, 0.9)),
)
