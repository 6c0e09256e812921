"""The whole way with a real worker process, a real broker and the simulator on a real port."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.test import Client

from django_dana import services, tasks
from django_dana.models import ApiCall, CancelRequest, Order, OutboxEvent
from tests import wire as w
from tests.factories import fresh, fresh_cancel, new_order
from tests.notices import notify
from tests.services import processes
from tests.services.brokers import Broker
from tests.services.conftest import wait_for
from tests.services.processes import Setup
from tests.wire import CREATE_PATH, Wire

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def work(web: Setup) -> Iterator[Callable[..., Any]]:
    """Start a worker with each call."""
    started: list[Any] = []

    def start(*options: str) -> Any:
        started.append(web.start_worker(f"worker-{len(started)}", *options))
        return started[-1]

    yield start
    for process in started:
        processes.end(process)


@pytest.fixture
def options(dana: Wire) -> dict[str, Any]:
    """What the workers know of DANA."""
    return {"BASE_URL": dana.url, "TIMEOUT": 2.0}


def test_an_order_is_created_and_cancelled_by_a_worker(dana: Wire, work: Callable[..., Any]) -> None:
    work()
    dana.play(w.code("2005400"))
    order = new_order()
    wait_for(lambda: fresh(order).create_status == Order.CreateStatus.SUCCESS, "success")
    dana.play(w.code("2005700"))
    cancel_request = services.cancel_order(fresh(order), reason="stock ran out")
    wait_for(lambda: fresh_cancel(cancel_request).status == CancelRequest.Status.SUCCESS, "cancel")
    assert fresh(order).payment_status == "cancelled"


def test_the_attempts_of_a_series_come_from_the_schedule_of_the_worker(dana: Wire, work: Callable[..., Any]) -> None:
    work()
    dana.play(w.hang_up, w.hang_up, w.code("2005400"))
    order = new_order()
    wait_for(lambda: fresh(order).create_status == Order.CreateStatus.SUCCESS, "success")
    first, second, third = (request.at for request in dana.heard)
    assert 2 <= second - first < 4
    assert 5 <= third - second < 7
    assert len(set(dana.bodies(CREATE_PATH))) == 1


def test_a_worker_killed_in_its_call_loses_no_order(dana: Wire, work: Callable[..., Any]) -> None:
    worker = work()
    dana.play(w.hang(dana))
    order = new_order()
    wait_for(lambda: len(dana.heard) == 1, "call")
    processes.kill(worker)
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
    assert answered.rule_code == "2005400"
    assert len(set(dana.bodies(CREATE_PATH))) == 1


def test_doubled_messages_make_one_call(dana: Wire, work: Callable[..., Any]) -> None:
    dana.play(w.code("2005400"))
    order = new_order()
    for _ in range(20):
        tasks.start(tasks.create_order, order.pk)
    work()
    wait_for(lambda: fresh(order).create_status == Order.CreateStatus.SUCCESS, "success")
    time.sleep(1)
    assert len(dana.heard) == 1


def test_after_a_restart_of_the_broker_messages_flow_again(
    dana: Wire, broker: Broker, work: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    dana.play(w.code("2005400"))
    before = new_order()
    broker.restart(pause=1)
    meanwhile = new_order()
    # refused, or swallowed by a connection that is about to break
    assert {record.name for record in caplog.records if record.levelname == "WARNING"} <= {"django_dana.tasks"}
    broker.wait_until_restarted()
    work()
    # nothing sweeps here, so this one is created by its message
    after = new_order()
    wait_for(lambda: fresh(after).create_status == "success", "success after the restart")
    tasks.retry_due()
    assert [fresh(order).create_status for order in (before, meanwhile)] == ["success"] * 2


@pytest.mark.parametrize("how", ["hangs", "exits", "is killed", "raises"])
def test_a_receiver_that_does_not_return_costs_time_and_no_event(
    dana: Wire, web: Setup, work: Callable[..., Any], client: Client, how: str
) -> None:
    dana.play(w.code("2005400"))
    work("--time-limit", "2")
    bad = new_order(title="bad", metadata={"receiver": how})
    wait_for((web.folder / f"misbehaved-{bad.pk}").exists, "bad receiver")
    # DANA is answered by the web side, whatever the workers are doing
    assert notify(client, bad).json()["responseCode"] == "2005600"
    good = new_order(title="good")
    wait_for(lambda: not OutboxEvent.objects.filter(order=good).exists(), "event of another order")
    sweep = partial(tasks.start, tasks.send_outbox, bad.pk)

    def told() -> bool:
        sweep()
        return not OutboxEvent.objects.exists()

    wait_for(told, "event that comes again")
    told_of = (web.folder / "told").read_text().splitlines()
    assert sorted(set(told_of)) == ["bad order_created", "bad order_paid", "good order_created"]
    assert (fresh(bad).create_status, fresh(bad).payment_status) == ("success", "paid")
    assert len(dana.bodies(CREATE_PATH)) == 2
