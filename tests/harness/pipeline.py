"""callwatch as its users run it: worker and board as processes of their own, on a given Kafka and Redis."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from agents.embedded.local import LOOPBACK
from tests.harness.server import Server, free_port


def wait_until(true: Callable[[], bool], within_s: float, what: str) -> None:
    """Return once ``true()``; raise AssertionError when it is not within ``within_s``."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, f"not within {within_s} s: {what}"
        time.sleep(0.1)


class Pipeline:
    """Workers and a board, with topics and a group of their own."""

    def __init__(self, kafka: str, redis: str, name: str, directory: Path, **environment: str) -> None:
        self.directory = directory
        self.name = name
        self.port = free_port()
        self.environment = {
            "CALLWATCH_KAFKA": kafka,
            "CALLWATCH_REDIS": redis,
            "CALLWATCH_TOPIC_PREFIX": name,
            "CALLWATCH_GROUP": name,
            "CALLWATCH_PORT": str(self.port),
            **environment,
        }
        self.workers: list[Server] = []
        self.board = self._server("board", self._serves)

    @property
    def calls(self) -> str:
        """The topic of calls."""
        return f"{self.name}.calls"

    def start(self) -> None:
        """Make the topics, start one worker and the board."""
        self.command("topics")
        self.add_worker()
        self.board.start()

    def add_worker(self, **environment: str) -> Server:
        """Start one more worker, with settings of its own; it counts once the group has given it partitions."""
        worker = self._server(f"worker-{len(self.workers)}", lambda: True, **environment)
        self.workers.append(worker)
        worker.start()
        return worker

    def spare_worker(self) -> Server:
        """Return a worker that its caller starts and ends."""
        return self._server("worker-spare", lambda: True)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``callwatch`` with this pipeline's settings."""
        return subprocess.run(
            [sys.executable, "-m", "agents.cli", *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )

    def get(self, path: str, **query: str) -> Any:
        """Return what the board answers, as JSON."""
        address = f"http://{LOOPBACK}:{self.port}{path}?{urlencode(query)}"
        with urllib.request.urlopen(address, timeout=60) as answer:
            return json.load(answer)

    def samples(self, name: str) -> dict[str, float]:
        """Return the samples of one metric, by their labels as they are written."""
        address = f"http://{LOOPBACK}:{self.port}/metrics"
        with urllib.request.urlopen(address, timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        found = (line.removeprefix(name).rsplit(" ", 1) for line in lines if line.startswith((name + "{", name + " ")))
        return {labels: float(value) for labels, value in found}

    def read(self) -> int:
        """Return how many messages of sources were counted or refused so far; callwatch's own are left out."""
        counted = self.samples("callwatch_events_total"), self.samples("callwatch_dead_letters_total")
        own = 'topic="callcenter.customers"'
        return round(sum(count for each in counted for labels, count in each.items() if own not in labels))

    def wait_read(self, messages: int, within_s: float = 120.0) -> None:
        """Wait until that many messages were counted or refused."""
        wait_until(lambda: self.read() >= messages, within_s, f"{messages} messages read, only {self.read()}")

    def stop(self) -> None:
        """End everything."""
        for server in (*self.workers, self.board):
            server.kill()

    def _server(self, name: str, ready: Callable[[], bool], **environment: str) -> Server:
        role = name.split("-", maxsplit=1)[0]
        directory = self.directory / name
        directory.mkdir(parents=True)
        command = [sys.executable, "-m", "agents.cli", role]
        settings = {**self.environment, **environment}
        return Server(name, ["env", *(f"{k}={v}" for k, v in settings.items()), *command], directory, ready)

    def _serves(self) -> bool:
        try:
            return bool(self.get("/healthz")["status"] == "ok")
        except (urllib.error.URLError, ConnectionError):
            return False
