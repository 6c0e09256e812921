"""How many orders a second go through real worker processes, beside a task that is written by hand."""

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from unittest import mock

from celery import Celery
from django.db import connection

from django_dana import tasks
from django_dana.models import Order
from tests import wire as wires
from tests.benchmarks.measuring import Figures, Line
from tests.celery import app as celery_app
from tests.factories import new_order
from tests.services import processes
from tests.services.brokers import Redis
from tests.services.processes import Setup
from tests.wire import Wire

_ORDERS: Final = 300
_ROUNDS: Final = 3


def measure(wire: Wire) -> Iterator[Line]:
    """Measure it, where there is a database that processes can share, and Redis."""
    if connection.vendor == "sqlite" or not shutil.which("redis-server"):
        return
    wire.play(wires.code("2005400"))
    with tempfile.TemporaryDirectory() as folder:
        broker = Redis(Path(folder))
        broker.start()
        setup = Setup(broker.address, "dana-benchmark", {"BASE_URL": wire.url}, Path(folder))
        app = Celery("web", broker=setup.broker, set_as_current=False)
        app.conf.task_default_queue = setup.queue
        app.set_current()
        worker = setup.start_worker("worker", app="tests.benchmarks.worker_app")
        try:
            yield _line(app)
        finally:
            processes.end(worker)
            celery_app.set_current()
            app.close()
            broker.stop()


def _line(app: Celery) -> Line:
    rounds = [
        (_rate(app, "django_dana.tasks.create_order"), _rate(app, "tests.benchmarks.worker_app.create_by_hand"))
        for _ in range(_ROUNDS)
    ]
    ours, by_hand = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    return Line(
        name="orders a second through 2 worker processes, Redis",
        floor_name="a task by hand: insert the call, send, lock, update both",
        figures=Figures(ours, by_hand),
        goal=0.75,
        unit="/s",
    )


def _rate(app: Celery, task: str) -> float:
    with mock.patch.object(tasks, "start"):
        orders = [new_order().pk for _ in range(_ORDERS)]
    started = time.perf_counter()
    for pk in orders:
        app.send_task(task, (pk,))
    waiting = Order.objects.filter(pk__in=orders).exclude(create_status=Order.CreateStatus.SUCCESS)
    while waiting.exists():
        time.sleep(0.02)
    return _ORDERS / (time.perf_counter() - started)
