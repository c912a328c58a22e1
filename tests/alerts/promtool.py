"""What Prometheus' own tool says."""

import shutil
import subprocess

from tests.harness.server import missing


def check_metrics(exposition: str) -> str:
    """Return what ``promtool check metrics`` complains of; nothing where there is nothing to complain of."""
    tool = shutil.which("promtool")
    if tool is None:
        missing("promtool is not installed: apt-get install prometheus")
    checked = subprocess.run(
        [tool, "check", "metrics"], input=exposition, capture_output=True, text=True, timeout=60, check=False
    )
    return checked.stdout + checked.stderr + (f"exit code {checked.returncode}" if checked.returncode else "")
