"""Fixtures that unit tests of one kind share."""

import pytest

from agents.processors import insistence, processor
from tests.unit.counted import Clock


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A steady clock in ms that stands until it is set, and no waits between tries."""
    clock = Clock(0)
    monkeypatch.setattr(processor, "monotonic", lambda: clock() / 1000)
    monkeypatch.setattr(insistence, "WAITS_S", (0.0, 0.0))
    return clock
