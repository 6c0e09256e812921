"""Fixtures for the tests with real processes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.db import connection

from tests.celery import app as celery_app
from tests.conftest import missing
from tests.services.brokers import BROKERS, Broker
from tests.services.processes import Setup


@pytest.fixture(scope="session", params=BROKERS)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of our own."""
    broker = BROKERS[request.param](tmp_path_factory.mktemp(request.param))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def web(broker: Broker, options: dict[str, Any], tmp_path: Path, transactional_db: None) -> Iterator[Setup]:
    """The web side of a test: its messages go to the broker, into a queue of their own."""
    if connection.vendor == "sqlite":
        missing("a database server")
    setup = Setup(broker.address, f"dana-test-{time.time_ns()}", options, tmp_path)
    app = Celery("web", broker=setup.broker, set_as_current=False)
    app.conf.task_default_queue = setup.queue
    app.set_current()
    app.set_default()
    yield setup
    celery_app.set_current()
    celery_app.set_default()
    app.close()


def wait_for(reached: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Go on as soon as something is so."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"no {what} in {seconds} s"
        time.sleep(0.05)
