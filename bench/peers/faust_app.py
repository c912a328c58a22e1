"""What the two peers in Faust share: the app around one agent."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import faust
from faust.types import StreamT


def run(kafka: str, topic: str, group: str, count: Callable[[StreamT[Any]], Awaitable[None]]) -> None:
    """Run a worker with ``count`` as the agent of ``topic``, until it is ended."""
    app = faust.App(
        group,
        broker=f"kafka://{kafka}",
        value_serializer="raw",
        store="memory://",
        datadir=Path(gettempdir()) / "callwatch-bench-faust",
        web_enabled=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=10.0,
        broker_request_timeout=30.0,
    )
    app.agent(app.topic(topic, value_serializer="raw"), name=f"{group}.count")(count)
    faust.Worker(app, loglevel="error").execute_from_commandline()
