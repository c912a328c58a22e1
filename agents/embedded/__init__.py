"""Kafka and Redis on this machine, for ``callwatch up`` and the tests."""
