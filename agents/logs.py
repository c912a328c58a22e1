"""What is logged, and how: quiet at rest, and no flood while a broker or a store is away."""

import logging
import sys
from time import monotonic
from typing import Any, Final

import structlog

from config.settings import Settings

#: What a library repeats is let through after so many seconds.
REPEAT_S: Final = 60.0

#: So many different things are remembered; some libraries put details into what they say.
MOST_SAID: Final = 500


class NowAndThen(logging.Filter):
    """Lets what a library says again and again, whatever the details, through once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether this was not said within the last minute."""
        what, last = (record.name, str(record.msg)), monotonic()
        again = last - self._said.get(what, -REPEAT_S) < REPEAT_S
        if not again:
            if len(self._said) >= MOST_SAID:
                self._said.clear()
            self._said[what] = last
        return not again


def configure_logging(settings: Settings) -> None:
    """Log lines of fields to standard error, those of libraries from warnings up."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    renderer: Any = structlog.processors.JSONRenderer()
    if settings.log_format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=max(level, logging.WARNING), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(NowAndThen())
    # What these warn of while a broker or a store is away is said once, by callwatch, in words an operator knows.
    for noisy in ("aiokafka", "kafka", "faust", "mode"):
        logging.getLogger(noisy).setLevel(max(level, logging.ERROR))
