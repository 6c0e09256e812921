"""The whole way with a real worker process, a real broker and the simulator on a real port."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.db import connection

from django_dana import services, tasks
from django_dana.client.http import CREATE_PATH
from django_dana.models import ApiCall, CancelRequest, Order
from tests import wire as w
from tests.celery import app as celery_app
from tests.conftest import account_with, fresh, fresh_cancel, missing, need, new_order
from tests.services import processes
from tests.wire import Wire

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

BROKERS = {
    "redis": os.environ.get("CI_REDIS", "redis://127.0.0.1:6379/0"),
    "rabbitmq": os.environ.get("CI_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672//"),
}


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """A broker that is there; the web side of the test sends its messages to it, into a queue of its own."""
    if connection.vendor == "sqlite":
        missing("a database server")
    need(request.param)
    app = Celery("web", broker=BROKERS[request.param], set_as_current=False)
    app.conf.task_default_queue = f"dana-test-{time.time_ns()}"
    app.set_current()
    yield BROKERS[request.param]
    app.control.purge()
    celery_app.set_current()
    app.close()


@pytest.fixture
def work(broker: str, dana: Wire, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Start workers; the list of them grows with each call."""
    from celery import current_app

    with_queue = {"queue": current_app.conf.task_default_queue}
    started = []

    def start() -> Any:
        context = processes.worker(broker, dana.url, tmp_path / f"worker-{len(started)}.log", **with_queue)
        process = context.__enter__()
        started.append((context, process))
        return process

    yield start
    for context, _ in started:
        context.__exit__(None, None, None)


def wait_for(reached: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"no {what} in {seconds} s"
        time.sleep(0.05)


def test_an_order_is_created_and_cancelled_by_a_worker(dana: Wire, work: Callable[[], Any]) -> None:
    work()
    dana.play(w.code("2005400"))
    order = new_order()
    wait_for(lambda: fresh(order).create_status == Order.CreateStatus.SUCCESS, "success")
    dana.play(w.code("2005700"))
    cancel_request = services.cancel_order(fresh(order), reason="stock ran out")
    wait_for(lambda: fresh_cancel(cancel_request).status == CancelRequest.Status.SUCCESS, "cancel")
    assert fresh(order).payment_status == "cancelled"


def test_the_attempts_of_a_series_come_from_the_schedule_of_the_worker(dana: Wire, work: Callable[[], Any]) -> None:
    work()
    dana.play(w.hang_up, w.hang_up, w.code("2005400"))
    order = new_order()
    wait_for(lambda: fresh(order).create_status == Order.CreateStatus.SUCCESS, "success")
    first, second, third = (request.at for request in dana.heard)
    assert 2 <= second - first < 4
    assert 5 <= third - second < 7
    assert len(set(dana.bodies(CREATE_PATH))) == 1


def test_a_worker_killed_in_its_call_loses_no_order(dana: Wire, work: Callable[[], Any]) -> None:
    worker = work()
    dana.play(w.hang(dana))
    order = new_order()
    wait_for(lambda: len(dana.heard) == 1, "call")
    os.killpg(worker.pid, signal.SIGKILL)
    order = fresh(order)
    assert (order.create_status, order.lease_token is None) == ("new", False)
    dana.play(w.code("2005400"))
    work()

    def swept() -> bool:
        tasks.start(tasks.create_order, order.pk)
        return fresh(order).create_status == Order.CreateStatus.SUCCESS

    wait_for(swept, "success after the lease ran out")
    lost, answered = ApiCall.objects.filter(order=order).order_by("id")
    assert lost.duration_ms is None
    assert "worker ended" in lost.error
    assert answered.concluded_by == "2005400"
    assert len(set(dana.bodies(CREATE_PATH))) == 1


def test_doubled_messages_make_one_call(dana: Wire, work: Callable[[], Any], settings: Any) -> None:
    dana.play(w.code("2005400"))
    order = new_order()
    for _ in range(20):
        tasks.start(tasks.create_order, order.pk)
    work()
    wait_for(lambda: fresh(order).create_status == Order.CreateStatus.SUCCESS, "success")
    time.sleep(1)
    assert len(dana.heard) == 1
    assert account_with(BASE_URL=dana.url, TIMEOUT=0.5) == settings.DANA
