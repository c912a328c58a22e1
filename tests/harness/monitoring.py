"""Real Prometheus and Alertmanager from Debian's packages, with callwatch's own configuration, on loopback."""

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from ruamel.yaml import YAML

from agents.embedded.local import LOOPBACK
from tests.harness.server import Server, free_port, missing

CONFIG: Final = Path(__file__).parents[2] / "config"


def tool(name: str) -> str:
    """Return the path of a program of Debian's packages prometheus or prometheus-alertmanager."""
    found = shutil.which(name)
    if found is None:
        missing(f"no {name} on the path: apt-get install prometheus prometheus-alertmanager")
    return str(found)


def config_of(name: str) -> Any:
    """Return ``config/<name>/<name>.yml`` as it stands."""
    return YAML(typ="safe").load(CONFIG / name / f"{name}.yml")


def ask(port: int, path: str) -> Any:
    """Return what the server on ``port`` answers, as JSON."""
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}{path}", timeout=30) as answer:
        return json.load(answer)


def _ready(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://{LOOPBACK}:{port}/-/ready", timeout=2) as answer:
        return bool(answer.status == 200)
    return False


class Prometheus(Server):
    """Scrapes one board by the repository's configuration, with its rules."""

    def __init__(
        self, directory: Path, board: int, alertmanager: int | None = None, overrides: Mapping[str, str] | None = None
    ) -> None:
        """Scrape the board on port ``board``; ``overrides`` replace global intervals of the configuration."""
        self.port = free_port()
        config = config_of("prometheus")
        config["global"] |= overrides or {}
        config["rule_files"] = [str(CONFIG / "prometheus" / name) for name in config["rule_files"]]
        # A board on loopback asks for no token.
        del config["scrape_configs"][0]["authorization"]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [f"{LOOPBACK}:{board}"]}]
        config["scrape_configs"][1]["static_configs"] = [{"targets": [f"{LOOPBACK}:{self.port}"]}]
        found = [] if alertmanager is None else [f"{LOOPBACK}:{alertmanager}"]
        config["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": found}]
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / "prometheus.json"
        file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        self.data = directory / "data"
        command = [
            *(tool("prometheus"), f"--config.file={file}", f"--storage.tsdb.path={self.data}"),
            *(f"--web.listen-address={LOOPBACK}:{self.port}", "--log.level=warn"),
        ]
        super().__init__("prometheus", command, directory, lambda: _ready(self.port))

    @property
    def url(self) -> str:
        """Return the server's address."""
        return f"http://{LOOPBACK}:{self.port}"

    def get(self, path: str) -> Any:
        """Return what the server answers, as JSON."""
        return ask(self.port, path)

    def query(self, expr: str, seconds: int = 0) -> list[dict[str, Any]]:
        """Return the series that ``expr`` gives now, or over the last ``seconds``; raise where it is wrong."""
        now = time.time()
        asked: dict[str, object] = {"query": expr}
        if seconds:
            asked |= {"start": now - seconds, "end": now, "step": 5}
        path = "query_range" if seconds else "query"
        result: list[dict[str, Any]] = ask(self.port, f"/api/v1/{path}?{urlencode(asked)}")["data"]["result"]
        return result


class Alertmanager(Server):
    """Routes, groups and inhibits by the repository's configuration; every receiver posts to one address."""

    def __init__(self, directory: Path, webhook: str, **overrides: str) -> None:
        """Post to ``webhook``/<receiver>; ``overrides`` replace what the root route says of times."""
        self.port = free_port()
        config = config_of("alertmanager")
        config["route"] |= overrides
        for receiver in config["receivers"]:
            receiver["webhook_configs"] = [{"url": f"{webhook}/{receiver['name']}"}]
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / "alertmanager.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        command = [
            *(tool("prometheus-alertmanager"), f"--config.file={file}", f"--storage.path={directory / 'data'}"),
            *(f"--web.listen-address={LOOPBACK}:{self.port}", "--cluster.listen-address=", "--log.level=warn"),
        ]
        super().__init__("alertmanager", command, directory, lambda: _ready(self.port))

    def tell(self, **labels: str) -> None:
        """Tell of an alert that fires, as Prometheus would."""
        address = f"--alertmanager.url=http://{LOOPBACK}:{self.port}"
        pairs = [f"{name}={value}" for name, value in labels.items()]
        subprocess.run([tool("amtool"), "alert", "add", address, *pairs], check=True, timeout=30)
