"""Asking Kafka something outside of the worker: what the client says of trouble becomes one line."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kafka.errors import AuthorizationError, KafkaError

from config.errors import UsageError

#: A Kafka that has not answered a new client within this is taken for gone, in ms.
BOOTSTRAP_MS: Final = 5_000


@contextmanager
def asking(brokers: str) -> Iterator[None]:
    """Raise UsageError for whatever Kafka's client raises, and keep it from logging every try."""
    logger = logging.getLogger("kafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    except AuthorizationError as error:
        what = type(error).__name__.removesuffix("AuthorizationFailedError").lower()
        advice = f"grant its user the rights that SECURITY.md lists, on this {what}"
        raise UsageError(f"Kafka at {brokers} does not let callwatch do this; {advice}") from error
    except (KafkaError, OSError) as error:
        problem = str(error) or type(error).__name__
        advice = "is it running, is the address right (--kafka), and does CALLWATCH_KAFKA_SECURITY say how to log in?"
        raise UsageError(f"Kafka at {brokers}: {problem}; {advice}") from error
    finally:
        logger.setLevel(level)
