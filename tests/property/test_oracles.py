"""The repository's own oracle against the shared one: on made-up call centers, and on a bank's January."""

import importlib.util
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import pytest

from tests import oracle
from tests.bank import COUNTS, EVENTS, ORACLE, write_january
from tests.generate import call_center
from tests.harness.server import missing

#: A watermark by which no wait is lost: the shared oracle knows of none.
NEVER_LOST: Final = 0


@pytest.fixture(scope="module")
def shared() -> Any:
    """The shared oracle, as a module."""
    if not ORACLE.is_file():
        missing("the shared oracle stands beside the repository, in ../shared, and is not here")
    spec = importlib.util.spec_from_file_location("shared_oracle", ORACLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told_by(shared: Any, path: Path) -> oracle.Table:
    """Return what the shared oracle counts, by intervals of 15 minutes; seconds as milliseconds."""
    sums: defaultdict[tuple[int, str, str], Counter[str]] = defaultdict(Counter)
    for moment, queue, channel, name, amount in shared.facts(str(path), 20.0, 5.0):
        start = round(moment * 1_000) // (15 * oracle.MINUTE) * (15 * oracle.MINUTE)
        sums[start, queue, channel][name.replace("_seconds", "_ms")] += (
            round(amount * 1_000) if name.endswith("_seconds") else amount
        )
    return {key: +row for key, row in sums.items() if +row}


def told_by_us(events: list[oracle.Event]) -> oracle.Table:
    """Return the same of the repository's own oracle, in the words of the shared one."""
    result = {}
    for key, row in oracle.table(events, NEVER_LOST).items():
        told = Counter({name: row[name] for name in (*COUNTS, "wait_answered_ms", "wait_abandoned_ms")})
        told["left"] = sum(row[name] for name in row if name.startswith("left_"))
        told["handle_ms"] = row["talk_ms"] + row["wrap_up_ms"]
        if +told:
            result[key] = +told
    return result


@pytest.mark.parametrize("seed", range(30))
def test_both_oracles_agree_on_a_call_center(shared: Any, seed: int, tmp_path: Path) -> None:
    # Eighths of a second: the shared oracle reckons in seconds, and these a float holds exactly.
    center = call_center(seed, contacts=60, grain=125, twice=0.3)
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(arrival.event) + "\n" for arrival in center.arrivals))
    with path.open() as lines:
        assert told_by_us(oracle.read(lines)) == told_by(shared, path)


@pytest.mark.bank
def test_both_oracles_agree_on_the_banks_january(shared: Any, tmp_path: Path) -> None:
    path = tmp_path / "january.jsonl"
    write_january(path)
    with path.open() as lines:
        events = oracle.read(lines)
    assert len(events) == EVENTS
    assert told_by_us(events) == told_by(shared, path)
