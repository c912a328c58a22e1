"""What libraries say again and again is logged now and then."""

import logging

import pytest

from agents import logs
from agents.logs import MOST_SAID, NowAndThen


def record(name: str, message: str, *details: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 0, message, details, None)


def test_what_is_repeated_within_a_minute_is_said_once_whatever_its_details(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(logs, "monotonic", lambda: clock[0])
    seen = NowAndThen()
    assert seen.filter(record("aiokafka", "no coordinator: %s", 1))
    clock[0] += 59.0
    assert not seen.filter(record("aiokafka", "no coordinator: %s", 2))
    clock[0] += 1.0
    assert seen.filter(record("aiokafka", "no coordinator: %s", 3))


def test_what_another_says_or_is_something_else_is_said_too() -> None:
    seen = NowAndThen()
    assert seen.filter(record("aiokafka", "no coordinator: %s", 1))
    assert seen.filter(record("faust", "no coordinator: %s", 1))
    assert seen.filter(record("aiokafka", "no partition: %s", 1))


def test_what_differs_each_time_is_not_remembered_for_ever() -> None:
    seen = NowAndThen()
    assert all(seen.filter(record("asyncio", f"task {number} failed")) for number in range(10 * MOST_SAID))
    assert len(seen._said) <= MOST_SAID
