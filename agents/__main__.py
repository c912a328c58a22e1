"""Where `callwatch` begins: all that it needs takes a second to load, and Ctrl-C in it is no error."""

import sys


def main() -> None:
    """Load the command line and run it."""
    try:
        from agents.cli import main as run  # noqa: PLC0415 -- loading it is what may be interrupted
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
