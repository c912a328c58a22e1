"""The simulator's floor: who waits in which line, which agent is free. States only; nothing happens here."""

from collections import OrderedDict, deque
from operator import attrgetter

from agents.sources.callcenter import CallCenter, Queue, Team


class Contact:
    """One contact on its way through the call center."""

    __slots__ = (
        "agent",
        "asked",
        "bot",
        "called_back",
        "channel",
        "customer_id",
        "id",
        "line",
        "messages",
        "responded",
        "since",
        "subject",
        "transferred",
        "unanswered",
        "visit",
        "wait_ms",
        "waiting",
    )

    line: "Line"

    def __init__(self, contact_id: str, channel: str, customer_id: str, subject: str) -> None:
        self.id = contact_id
        self.channel = channel
        self.customer_id = customer_id
        #: What it is about, as far as anybody says.
        self.subject = subject
        #: The agent who talks to it or whose phone rings for it.
        self.agent: Agent | None = None
        #: Counts the visits, so that what was planned for an earlier one is known to be void. 0: in no queue yet.
        self.visit = 0
        self.since = 0.0
        self.waiting = False
        self.wait_ms = 0.0
        self.messages = 0
        self.transferred = False
        self.called_back = False
        #: Whether a bot wrote; when the customer first asked for an answer, and the first line without one.
        self.bot = False
        self.asked: int | None = None
        self.unanswered: int | None = None
        self.responded = False

    def enter(self, now: float, line: "Line") -> None:
        """Begin a visit."""
        self.line = line
        self.visit += 1
        self.since = now
        self.waiting = True

    @property
    def in_line(self) -> bool:
        """Whether it waits and no phone rings for it."""
        return self.waiting and self.agent is None


class Line:
    """One queue: its description, and who waits in it, first come first."""

    __slots__ = ("name", "spec", "teams", "waiting")

    def __init__(self, spec: Queue) -> None:
        self.name = spec.name
        self.spec = spec
        self.teams: list[Crew] = []
        #: Contact and number of its visit; who left in the meantime is passed over when its turn comes.
        self.waiting: deque[tuple[Contact, int]] = deque()

    def head(self) -> Contact | None:
        """Return who has waited longest, None when nobody waits."""
        waiting = self.waiting
        while waiting:
            contact, visit = waiting[0]
            if contact.visit == visit and contact.in_line:
                return contact
            waiting.popleft()
        return None


class Crew:
    """One team at work: the lines it serves, and its idle agents by how many contacts they have."""

    __slots__ = ("idle", "lines", "spec")

    def __init__(self, spec: Team, lines: list[Line]) -> None:
        self.spec = spec
        self.lines = lines
        self.idle: list[OrderedDict[Agent, None]] = [OrderedDict() for _ in range(spec.concurrency)]


class Agent:
    """One agent: how many phones ring for them, how many contacts they talk to and wrap up."""

    __slots__ = ("id", "paused", "place", "ringing", "state", "talking", "team", "wrapping")

    def __init__(self, agent_id: str, team: Crew) -> None:
        self.id = agent_id
        self.team = team
        self.ringing = self.talking = self.wrapping = 0
        self.paused = False
        self.state = ""
        #: Where the agent stands among the idle ones; None for one who has no room.
        self.place: OrderedDict[Agent, None] | None = None

    @property
    def load(self) -> int:
        """How many contacts they have in hand."""
        return self.ringing + self.talking + self.wrapping

    @property
    def has_room(self) -> bool:
        """Whether they can take one more contact."""
        return not self.paused and self.ringing + self.talking + self.wrapping < self.team.spec.concurrency

    def state_now(self) -> str:
        """Return the state as it is called on the wire."""
        if self.talking:
            return "on_contact"
        if self.ringing:
            return "offered"
        if self.wrapping:
            return "wrap_up"
        return "break" if self.paused else "available"


class Floor:
    """All lines and agents of a call center, and who serves whom."""

    def __init__(self, center: CallCenter) -> None:
        self.lines = {queue.name: Line(queue) for queue in center.queues}
        self.agents: list[Agent] = []
        for team in center.teams:
            crew = Crew(team, [self.lines[name] for name in team.queues])
            first = len(self.agents) + 1
            self.agents += [Agent(f"agent-{number:03d}", crew) for number in range(first, first + team.agents)]
            for line in crew.lines:
                line.teams.append(crew)
        for line in self.lines.values():
            # Who can do nothing else goes first, and keeps those with more skills free for the other queues.
            line.teams.sort(key=lambda crew: len(crew.lines))

    def idle_agent(self, line: Line) -> Agent | None:
        """Return the least busy and longest idle agent of the first team with room, None when there is none."""
        for crew in line.teams:
            for idle in crew.idle:
                if idle:
                    return next(iter(idle))
        return None

    def place(self, agent: Agent) -> None:
        """Put an agent where their load says: among the idle, last, or nowhere."""
        place = agent.team.idle[agent.load] if agent.has_room else None
        if place is not agent.place:
            if agent.place is not None:
                del agent.place[agent]
            if place is not None:
                place[agent] = None
            agent.place = place

    def longest_waiting(self, crew: Crew) -> Contact | None:
        """Take the one who has waited longest out of the team's lines, None when nobody waits."""
        heads = [head for line in crew.lines if (head := line.head()) is not None]
        if not heads:
            return None
        contact = min(heads, key=attrgetter("since"))
        contact.line.waiting.popleft()
        return contact
