"""Who watches the watch: a wrong answer of the board, or a late record, does not go unnoticed."""

import random
import time
from collections.abc import Callable

import pytest

from streams.policy import DAY_MS
from tests import oracle
from tests.faults.lag import Lag
from tests.faults.load import Round
from tests.faults.rows import counts
from tests.faults.watch import Look, Watch
from tests.generate import RULES

ROUNDS = [Round(1, 0, 20)]
ROUNDS += [Round(1, 1, 20, ROUNDS[0].end)]
RIGHT = {place: counts(row) for part in ROUNDS for place, row in part.table.items()}
#: A place of the first round, where something is offered.
PLACE = next(place for place, row in ROUNDS[0].table.items() if row["offered"])


def watch_of(*looks: Look) -> Watch:
    watch = Watch(lambda *_: None, dict)
    watch.looks += looks
    return watch


def look(at: float = 0.0, *, stale: bool = False, age: float = 0.0, places: int = 4, **offered: int) -> Look:
    """A look at the right numbers, but for what ``PLACE`` was offered."""
    return Look(at, stale, age, places, RIGHT | {PLACE: RIGHT[PLACE] | offered})


def test_the_right_numbers_pass() -> None:
    watch_of(look()).check(ROUNDS)


def test_a_contact_counted_twice_is_noticed_even_while_stale() -> None:
    with pytest.raises(AssertionError, match="more than"):
        watch_of(look(stale=True, offered=RIGHT[PLACE]["offered"] + 1)).check(ROUNDS)


def test_a_contact_missing_from_a_round_that_is_over_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"not \{'offered'"):
        watch_of(look(offered=RIGHT[PLACE]["offered"] - 1)).check(ROUNDS)


def test_less_may_be_shown_while_stale() -> None:
    watch_of(look(offered=0), look(1.0, stale=True)).check(ROUNDS)


def test_an_outage_that_is_not_marked_is_noticed() -> None:
    watch = watch_of(look(9.0))
    watch.outages.append((1.0, 10.0))
    with pytest.raises(AssertionError, match=r"not stale 8\.0 s after"):
        watch.check(ROUNDS)


def test_an_age_that_is_too_low_is_noticed() -> None:
    watch = watch_of(look(9.0, stale=True, age=1.0))
    watch.outages.append((1.0, 10.0))
    with pytest.raises(AssertionError, match=r"says 1\.0 s"):
        watch.check(ROUNDS)


def test_a_blank_board_is_noticed() -> None:
    with pytest.raises(AssertionError, match="blank"):
        watch_of(look(places=0)).check(ROUNDS)


@pytest.mark.parametrize("seed", range(5))
def test_no_prefix_of_a_round_adds_up_to_more_than_its_ceiling(seed: int) -> None:
    part, rng = Round(seed, 0, 40), random.Random(seed)
    for _ in range(20):
        arrived = [arrival.event for arrival in part.arrivals[: rng.randrange(len(part.arrivals))]]
        watermark = rng.randrange(part.begin, part.close + DAY_MS)
        for place, row in oracle.table(arrived, watermark, RULES).items():
            assert all(amount <= part.ceiling[place][name] for name, amount in row.items())


def late(counted: Callable[[], int]) -> float:
    """Return how late records are, of which there is one and ``counted()`` are counted."""
    began = time.monotonic()
    lag = Lag(lambda: {"calls/0": 1}, lambda: {"calls/0": counted()})
    lag.start()
    while (found := lag.settled(began)) is None:
        time.sleep(0.02)
    lag.stop()
    return found


def test_what_is_counted_at_once_is_not_late() -> None:
    assert late(lambda: 1) == 0.0


def test_what_is_counted_after_two_seconds_is_late_by_two() -> None:
    began = time.monotonic()
    assert 1.5 < late(lambda: int(time.monotonic() - began > 2)) < 2.5
