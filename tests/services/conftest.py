"""Fixtures for the tests with real processes."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from celery import Celery
from django.db import connection

from tests.celery import app as celery_app
from tests.conftest import missing, need
from tests.services.cable import Cable
from tests.services.processes import Setup

BROKERS = {
    "redis": os.environ.get("CI_REDIS", "redis://127.0.0.1:6379/0"),
    "rabbitmq": os.environ.get("CI_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672//"),
}


@pytest.fixture(params=BROKERS)
def cable(request: pytest.FixtureRequest) -> Iterator[tuple[Cable, str]]:
    """A broker at the end of a cable, and its address."""
    need(request.param)
    address = urlsplit(BROKERS[request.param])
    with Cable(address.port or 0) as cable:
        host = address.netloc.rpartition("@")
        netloc = f"{host[0]}{host[1]}127.0.0.1:{cable.port}"
        yield cable, address._replace(netloc=netloc).geturl()


@pytest.fixture
def web(cable: tuple[Cable, str], options: dict[str, Any], tmp_path: Path, transactional_db: None) -> Iterator[Setup]:
    """The web side of a test: its messages go to the broker, into a queue of their own."""
    if connection.vendor == "sqlite":
        missing("a database server")
    setup = Setup(cable[1], f"dana-test-{time.time_ns()}", options, tmp_path)
    app = Celery("web", broker=setup.broker, set_as_current=False)
    app.conf.task_default_queue = setup.queue
    app.set_current()
    app.set_default()
    yield setup
    app.control.purge()
    celery_app.set_current()
    celery_app.set_default()
    app.close()


def wait_for(reached: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Go on as soon as something is so."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"no {what} in {seconds} s"
        time.sleep(0.05)
