"""A month of a real bank's calls, and an oracle that counted it: both stand beside the repository, in ../shared."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.harness.server import missing

SHARED: Final = Path(__file__).parents[1].parent / "shared"
ORACLE: Final = SHARED / "tools" / "oracle.py"
JANUARY: Final = SHARED / "data" / "anonymous_bank_1999" / "january.tsv.gz"
EVENTS: Final = 89_778
#: What both oracles and callwatch count.
COUNTS: Final = (
    "offered",
    "answered",
    "answered_within_target",
    "abandoned",
    "abandoned_within_target",
    "short_abandoned",
    "handled",
)


def write_january(path: Path) -> None:
    """Write the month to ``path`` as events, JSON Lines; without the bank's records say so."""
    if not JANUARY.is_file():
        missing("the bank's calls stand beside the repository, in ../shared, and are not here")
    command = [sys.executable, str(SHARED / "tools" / "bank_events.py"), str(JANUARY)]
    path.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
