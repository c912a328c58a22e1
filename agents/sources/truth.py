"""What happens in writing, counted where it is simulated: bots, first responses, responses, subjects.

Times are the whole milliseconds that the events carry, so that figures can be held against the sums exactly.
"""

from collections import Counter

from agents.sources.floor import Contact, Line

#: queue -> what happened -> how often, or for how long in ms
Happened = dict[str, Counter[str]]


class Truth:
    """Notes in ``happened``, by queue, and in ``subjects``, visits by what they were about."""

    def __init__(self, happened: Happened) -> None:
        self.happened = happened
        self.subjects: Counter[str] = Counter()

    def asked(self, now: float, contact: Contact) -> None:
        """Note that the customer wrote."""
        at = int(now)
        contact.asked = at if contact.asked is None else contact.asked
        contact.unanswered = at if contact.unanswered is None else contact.unanswered

    def replied(self, now: float, contact: Contact) -> None:
        """Note that a person wrote back: at first, and to what had no answer."""
        at, happened = int(now), self.happened[contact.line.name]
        if not contact.responded and contact.asked is not None:
            contact.responded = True
            happened["first_responses"] += 1
            happened["first_response_ms"] += at - contact.asked
        if contact.unanswered is not None:
            happened["responses"] += 1
            happened["response_ms"] += at - contact.unanswered
            contact.unanswered = None

    def entered(self, now: float, contact: Contact) -> None:
        """Note that a contact enters the queue that it is in now; from a bot or by itself."""
        contact.asked = int(now) if contact.asked is None else contact.asked
        if contact.bot and contact.visit == 1:
            self.happened[contact.line.name]["handed_over"] += 1
        if contact.subject:
            self.subjects[contact.subject] += 1

    def bot_wrote(self, contact: Contact, line: Line) -> None:
        """Note that a bot wrote, for the queue in front of which it stands."""
        contact.bot = True
        self.happened[line.name]["bot"] += 1

    def ended(self, contact: Contact, line: Line) -> None:
        """Note that a contact is over that asked for nobody."""
        if contact.bot and not contact.visit:
            self.happened[line.name]["left_after_bot"] += 1
