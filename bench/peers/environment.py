"""The peers' virtual environments, made once, with pinned versions, in the user's cache."""

import fcntl
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

_COMMON: Final = ("redis==8.1.0", "hiredis==3.5.0", "orjson==3.13.0")
#: Peer -> what it needs.
PACKAGES: Final = {
    "plain_faust": ("faust-streaming==0.15.3", "aiokafka==0.14.0", *_COMMON),
    "faust_take": ("faust-streaming==0.15.3", "aiokafka==0.14.0", *_COMMON),
    "aiokafka_loop": ("aiokafka==0.14.0", *_COMMON),
    "quix": ("quixstreams==3.28.1", *_COMMON),
    "bytewax_flow": ("bytewax[kafka]==0.21.1", *_COMMON),
    "flink": ("apache-flink==2.3.0", "setuptools==80.10.2", *_COMMON),
}
#: Flink's connector, which Maven brings.
FLINK_KAFKA: Final = "org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2"


def cache() -> Path:
    """Return the folder of the peers' environments."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callwatch" / "bench"


def python_of(peer: str) -> Path:
    """Return the interpreter of a peer's environment, made if it is not there yet."""
    packages = PACKAGES[peer]
    name = sha256(" ".join((sys.version, *packages)).encode()).hexdigest()[:12]
    home = cache() / f"{packages[0].split('=')[0].split('[')[0]}-{name}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            uv = (sys.executable, "-m", "uv")
            subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(home)], check=True)
            python = str(home / "bin" / "python")
            subprocess.run([*uv, "pip", "install", "-q", "--python", python, *packages], check=True, timeout=600)
            (home / "complete").touch()
    return home / "bin" / "python"


def command_of(peer: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return the command that runs a peer with ``arguments``, and what its environment needs beyond the bench's."""
    python = python_of(peer)
    command = [str(python), "-m", f"bench.peers.{peer}", *arguments]
    if peer != "flink":
        return command, {}
    # Python inside Flink's JVM does not know of virtual environments.
    packages = next(python.parent.parent.glob("lib/python*/site-packages"))
    return [*command, str(_flink_jar())], {"PYTHONPATH": f"{packages}{os.pathsep}{Path(__file__).parents[2]}"}


def _flink_jar() -> Path:
    _, name, version = FLINK_KAFKA.split(":")
    jar = cache() / f"{name}-{version}.jar"
    if not jar.exists():
        copy = ("mvn", "-B", "-q", "dependency:copy", f"-Dartifact={FLINK_KAFKA}", f"-DoutputDirectory={cache()}")
        subprocess.run(copy, check=True, timeout=500)
    return jar
