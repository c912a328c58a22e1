"""The coverage-guided fuzzer: ``python -m tests.fuzz decode --runs 700000``, or ``count``. It ends with what it did.

It wants atheris (Python 3.11 or 3.12, Linux), which is no dependency of callwatch. What it finds on its way is kept in
a folder of the user's cache and makes the next run start further on; an input that fails is written into the folder
it is run in, as ``crash-...``: put it into ``corpus`` with the fix.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

try:
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:
    sys.exit("make fuzz needs atheris, which installs on Python 3.11 and 3.12: pip install atheris")

with atheris.instrument_imports(include=["streams"]):
    from tests.fuzz.targets import count_any, decode_any

HERE: Final = Path(__file__).parent
TARGETS: Final[dict[str, Callable[[bytes], None]]] = {"decode": decode_any, "count": count_any}


def main() -> None:
    """Run one target on as many inputs as told; exit with an error at the first that fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callwatch" / "fuzz" / chosen.target
    cache.mkdir(parents=True, exist_ok=True)
    flags = [f"-runs={chosen.runs}", f"-seed={chosen.seed}", f"-dict={HERE / 'events.dict'}", "-max_len=600"]
    folders = [str(cache), str(HERE / "corpus" / chosen.target)]
    tried, target, began = 0, TARGETS[chosen.target], time.monotonic()

    def once(data: bytes) -> None:
        nonlocal tried
        tried += 1
        target(data)
        if tried == chosen.runs:
            took = time.monotonic() - began
            sys.stderr.write(f"{chosen.target}: {tried:,} inputs in {took:.0f} s, nothing escaped\n")

    atheris.Setup([sys.argv[0], *flags, *folders], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
