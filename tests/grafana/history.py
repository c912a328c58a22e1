"""A past for Prometheus: what a real board exports now, as if it had done so for hours.

The longest burn rates are made of half hours laid end to end, and no test can wait for these.
"""

import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Final

from agents.embedded.local import LOOPBACK
from tests.harness.monitoring import tool

MINUTE_S: Final = 60
#: What the rules record of a series of the board, for the windows that they lay end to end.
RECORDED: Final = re.compile(r'callcenter_(service_level_(?:met_)?contacts)\{(.*),window="30m"\} (\S+)')


def backfill(data: Path, board: int, until: int, minutes: int) -> None:
    """Fill Prometheus' folder ``data`` with the last ``minutes`` before ``until`` (seconds since 1970)."""
    with urllib.request.urlopen(f"http://{LOOPBACK}:{board}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    stamps = [until - MINUTE_S * back for back in range(minutes, 0, -1)]
    text = []
    for name in ("service_level_contacts", "service_level_met_contacts"):
        found = [match for line in lines if (match := RECORDED.fullmatch(line)) and match[1] == name]
        assert found, f"the board exports no {name}"
        text.append(f"# TYPE queue:{name}:sum30m gauge")
        text += [f"queue:{name}:sum30m{{{m[2]}}} {m[3]} {stamp}" for m in found for stamp in stamps]
    file = data.parent / "history.txt"
    file.write_text("\n".join([*text, "# EOF", ""]), encoding="utf-8")
    command = [tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(file), str(data)]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
