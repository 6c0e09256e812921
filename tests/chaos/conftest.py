"""The bad day has the same brokers and the same web side as the other tests with real processes."""

from tests.services.conftest import broker, web

__all__ = ["broker", "web"]
