"""What customers ask about: how often over a period, and what of it rises."""

from math import sqrt
from typing import Final

from agents.board.figures import Figures, rounded
from agents.board.periods import Sums
from streams import kpis
from streams.contact import Place
from streams.measures import Measure
from streams.names import OTHER

#: What rises: no fewer than these, half as many again as before, and three standard errors more.
FEWEST_RISING: Final = 5
RISE: Final = 1.5
ERRORS: Final = 3


def subject_rows(now: Sums, before: Sums, ratio_of_lengths: float) -> tuple[list[Figures], Figures]:
    """Return a row for each subject, those that rise first, then the most frequent; and what is of other subjects.

    ``ratio_of_lengths`` is how long now is of how long before was: what changes is the rate.
    """
    counts = {place[0]: _about(now, place) for place in (*now, *before) if place[1] == "@subject"}
    earlier = {name: _about(before, (name, "@subject")) for name in counts}
    other = {"offered": counts.pop(OTHER, 0), "before": earlier.pop(OTHER, 0)}
    rows = [
        {
            "subject": name,
            "offered": offered,
            "before": earlier[name],
            "change": rounded(kpis.ratio(offered - earlier[name] * ratio_of_lengths, earlier[name] * ratio_of_lengths)),
            "rising": rises(offered, earlier[name], ratio_of_lengths),
        }
        for name, offered in counts.items()
        if offered or earlier[name]
    ]
    return sorted(rows, key=lambda row: (not row["rising"], -row["offered"], row["subject"])), other


def _about(sums: Sums, place: Place) -> int:
    return sums.get(place, {}).get(Measure.OFFERED, 0)


def rises(offered: int, before: int, ratio_of_lengths: float) -> bool:
    """Tell whether more came than chance explains: by half at least, and by three standard errors of a difference.

    Counts that come by chance vary by their square root (Poisson), so twenty more than ten is news, two more is not.
    """
    expected = before * ratio_of_lengths
    error = sqrt(offered + before * ratio_of_lengths**2)
    return offered >= FEWEST_RISING and offered >= expected * RISE and offered - expected > ERRORS * error
