"""Prometheus' own tool has nothing to complain of in what the board exports."""

import pytest

from agents.store.memory import MemoryStore
from tests.alerts.promtool import check_metrics
from tests.unit.served import Served, served_life

pytestmark = pytest.mark.alerts


async def exposition_of(served: Served) -> str:
    async with served.client() as client:
        return (await client.get("/metrics")).text


async def test_the_exposition_of_a_living_call_center_is_flawless() -> None:
    text = await exposition_of(await served_life())
    assert len(text.splitlines()) > 300
    assert check_metrics(text) == ""


async def test_the_exposition_of_nothing_is_flawless() -> None:
    assert check_metrics(await exposition_of(Served(MemoryStore()))) == ""


def test_the_tool_does_complain_of_a_flaw() -> None:
    assert "counter metrics should have" in check_metrics("# HELP calls Calls.\n# TYPE calls counter\ncalls 1\n")
