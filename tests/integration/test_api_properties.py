"""The HTTP API against its own description: whatever is asked, what is answered is what is described."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS
from schemathesis.generation.modes import GenerationMode

from agents.board.serving import server_of
from tests.unit.served import served_life

pytestmark = pytest.mark.integration

#: Some questions are well formed and have no answer all the same: to before from, a time long past.
LEFT_OUT = ("positive_data_acceptance",)


class Listening:
    """A board on loopback, in a thread of its own."""

    def __init__(self) -> None:
        self.port = 0
        self.stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def start(self) -> None:
        self._thread.start()
        end = time.monotonic() + 30
        while not self.port:
            assert time.monotonic() < end
            time.sleep(0.05)

    def end(self) -> None:
        self.stop.set()
        self._thread.join(10)

    async def _serve(self) -> None:
        served = await served_life()
        server = server_of(served.board, (), host="127.0.0.1", port=0)
        # Not serve(): signals are for the main thread.
        running = asyncio.create_task(server._serve())
        while not self.stop.is_set():
            if server.started:
                self.port = server.servers[0].sockets[0].getsockname()[1]
            await asyncio.sleep(0.05)
        server.should_exit = True
        await running


@pytest.fixture(scope="module")
def described() -> Iterator[Any]:
    listening = Listening()
    listening.start()
    address = f"http://127.0.0.1:{listening.port}/openapi.json"
    # The stream has no end, and 503 is what /readyz answers once the worker of this test has been silent.
    yield schemathesis.openapi.from_url(address).exclude(path=["/api/v1/stream", "/readyz"])
    listening.end()


def test_whatever_is_asked_is_answered_as_described(described: Any) -> None:
    checks: list[Any] = [check for check in CHECKS.get_all() if check.__name__ not in LEFT_OUT]
    asked: Counter[str] = Counter()
    for found in described.get_all_operations():
        operation = found.ok()
        # Without a parameter there is nothing to get wrong.
        modes = list(GenerationMode) if operation.definition.raw["parameters"] else [GenerationMode.POSITIVE]
        for mode in modes:

            @settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def check(case: schemathesis.Case[Any]) -> None:
                asked[case.path] += 1
                case.call_and_validate(checks=checks, timeout=10)

            check()
    assert len(asked) > 10
    assert asked.total() > 150
