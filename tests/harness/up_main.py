"""Run ``agents.embedded.up`` with commands of the test's own: ``python -m tests.harness.up_main PLAN-AS-JSON``."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from agents.embedded.up import Plan, up
from config.errors import UsageError


def main(fields: dict[str, Any]) -> int:
    """Run the plan and say which topics were asked for, as the command line would."""

    def make_topics(address: str) -> None:
        print(f"topics on {address}", flush=True)  # noqa: T201  # read by the test
        time.sleep(topics_take_s)

    topics_take_s = fields.pop("topics_take_s", 0)

    if "data" in fields:
        fields["data"] = Path(fields["data"])
    try:
        return asyncio.run(up(Plan(make_topics=make_topics, **fields), say=lambda text: print(text, flush=True)))  # noqa: T201  # as above
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
