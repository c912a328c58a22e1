"""Apache Kafka's jars: brought by Maven once, kept in the user's cache."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.harness.server import missing

POM = Path(__file__).with_name("pom.xml")


def kafka_version() -> str:
    """Return the version of Apache Kafka that the tests run."""
    version = ET.parse(POM).findtext(".//{*}kafka.version")  # noqa: S314  # the file beside this one
    assert version is not None
    return version


def kafka_jars() -> Path:
    """Return the folder with the broker's jars, filled by Maven if it is not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callwatch"
    jars = cache / f"kafka-{kafka_version()}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            _copy_jars(jars)
    return jars


def _copy_jars(jars: Path) -> None:
    mvn = shutil.which("mvn")
    if mvn is None:
        missing("no Apache Kafka here: Maven brings it, and there is no mvn on the path")
    with tempfile.TemporaryDirectory(dir=jars.parent) as scratch:
        fresh = Path(scratch) / "jars"
        made = subprocess.run(
            [
                *(str(mvn), "-B", "-q", "-f", str(POM), "dependency:copy-dependencies"),
                *(f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"),
            ],
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        if made.returncode != 0:
            missing(f"no Apache Kafka here: Maven could not bring it: {made.stdout[-500:].strip()}")
        # At once and whole: a folder that is there is complete.
        fresh.rename(jars)


def main() -> None:
    """Bring the jars before pytest's clock runs; without them say so, and fail on CI."""
    try:
        kafka_jars()
    except pytest.skip.Exception as reason:
        sys.stderr.write(f"{reason}\n")
    except pytest.fail.Exception as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
