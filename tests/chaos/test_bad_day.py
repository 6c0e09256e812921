"""A bad day: workers are killed, the broker restarts twice, the database is cut off, DANA loses a third of its replies.

In the end every order and cancel stands as it does at DANA, and nothing was sent twice with different content.
The short form runs with ``--services``; the long one with ``CHAOS_ORDERS=500 CHAOS_CANCELS=200``.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Q

from django_dana import services
from django_dana.management.commands.dana_explain import explain
from django_dana.models import ApiCall, CancelRequest, Order, OutboxEvent
from django_dana.simulator import Behaviour, Merchant, Simulator, WrongState
from tests.factories import account_with, new_order
from tests.keys import DANA_PRIVATE_KEY, SHOP_PUBLIC_KEY
from tests.services import processes
from tests.services.brokers import Broker
from tests.services.conftest import wait_for
from tests.services.processes import Setup

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

ORDER_COUNT = int(os.environ.get("CHAOS_ORDERS", "60"))
CANCEL_COUNT = int(os.environ.get("CHAOS_CANCELS", "25"))
KILL_EVERY = 4.0
SETTLE_SECONDS = 60 + ORDER_COUNT

STATES = {"INIT": "initiated", "SUCCESS": "paid", "CANCELLED": "cancelled"}

# about three replies in ten
FAULTS = (
    "*:drop_reply:0.08",
    "*:reset:0.04",
    "*:http:0.05:status=502",
    "*:garbage:0.05",
    "*:delay:0.04:seconds=1.5",
    "create:code:0.05:code=5005401",
    "cancel:code:0.05:code=5005701",
    "query:code:0.05:code=5005501",
    "notify:duplicate:0.1",
    "notify:late:0.1:seconds=2",
    "notify:reorder:0.1",
)


@pytest.fixture
def simulator(live_server: Any) -> Iterator[Simulator]:
    """DANA, with faults; the shop hears it at the live server."""
    from django.conf import settings

    partner = settings.DANA["default"]
    merchant = Merchant(partner["MERCHANT_ID"], partner["PARTNER_ID"], SHOP_PUBLIC_KEY)
    behaviour = replace(Behaviour(), notify_delays=(0.1, *[1.0] * 60))
    with Simulator([merchant], private_key=DANA_PRIVATE_KEY, seed=7, faults=FAULTS, behaviour=behaviour) as dana:
        yield dana


@pytest.fixture
def options(simulator: Simulator, live_server: Any, settings: Any) -> dict[str, Any]:
    options = {
        "BASE_URL": simulator.base_url,
        "NOTIFICATION_URL": f"{live_server.url}/dana/v1.0/debit/notify",
        "TIMEOUT": 1.0,
        "ATTEMPT_DELAYS": [0.2, 0.4],
        "PENDING_DELAYS": [0.5, 1, 2],
    }
    settings.DANA = account_with(**options)
    return options


class Killer:
    """Keeps three workers and two sweeps going, and kills one of them every few seconds."""

    def __init__(self, web: Setup) -> None:
        self._web = web
        self._chance = random.Random(7)
        self._stop = threading.Event()
        self._running: dict[str, Any] = {}
        self._starts = 0
        self.kills = self.crashes = 0
        for name in ("worker-0", "worker-1", "worker-2", "sweeper-0", "sweeper-1"):
            self._start(name)
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def _start(self, name: str) -> None:
        self._starts += 1
        if name.startswith("worker"):
            # RabbitMQ lets two workers of one name not live together, nor one right after the other
            options = ["--pool", "prefork", "--concurrency", "2", "--hostname", f"{name}-{self._starts}@%h"]
            app = ["celery", "-A", "tests.services.worker_app", "worker", "--loglevel", "WARNING"]
            quiet = ["--without-gossip", "--without-mingle", "--queues", self._web.queue]
            self._running[name] = self._web.start(name, *app, *options, *quiet)
        else:
            self._running[name] = self._web.start(name, "tests.chaos.sweeper")

    def _go_on(self) -> None:
        while not self._stop.wait(KILL_EVERY):
            name = self._chance.choice(sorted(self._running))
            processes.kill(self._running[name])
            self._start(name)
            self.kills += 1
            for name in self._ended():
                self._start(name)
                self.crashes += 1

    def _ended(self) -> list[str]:
        """Those that ended by themselves; in a shop, systemd or the like starts them again."""
        return [name for name, process in self._running.items() if process.poll() is not None]

    def spare_them(self) -> None:
        """Kill nobody any more."""
        self._stop.set()
        self._thread.join()

    def end(self) -> None:
        self.spare_them()
        for process in self._running.values():
            processes.end(process)


def test_a_bad_day(web: Setup, broker: Broker, simulator: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("the database connections are cut with PostgreSQL's own means")
    started = time.monotonic()
    killer = Killer(web)
    try:
        orders, cancels = live_through_the_day(broker, simulator)
        killer.spare_them()
        simulator.faults.clear()
        assert simulator.wait_for_notifications(SETTLE_SECONDS)
        wait_until_settled()
    finally:
        killer.end()
    compare_with_dana(simulator)
    figures = {
        "orders": orders,
        "cancels": cancels,
        "workers killed": killer.kills,
        "workers that ended by themselves": killer.crashes,
        "API calls": ApiCall.objects.count(),
        "lost calls": ApiCall.objects.filter(duration_ms=None).count(),
        "rows of the table": dict(Counter(ApiCall.objects.values_list("rule_code", flat=True))),
        "payments": dict(Counter(Order.objects.values_list("payment_status", flat=True))),
        "cancel requests": dict(Counter(CancelRequest.objects.values_list("status", flat=True))),
        "seconds": round(time.monotonic() - started),
    }
    with capsys.disabled():
        print(f"\nchaos on {web.broker.partition(':')[0]}: {figures}")  # noqa: T201


def live_through_the_day(broker: Broker, dana: Simulator) -> tuple[int, int]:
    """Buy, pay and cancel, while things break; return how many orders and cancels there were."""
    chance = random.Random(11)
    cancels = 0
    for number in range(ORDER_COUNT):
        if number in (ORDER_COUNT // 3, 2 * ORDER_COUNT // 3):
            broker.restart(pause=2.0)
        if number in (ORDER_COUNT // 4, ORDER_COUNT // 2):
            cut_database()
        new_order()
        pay_some(dana, chance)
        cancels += cancels < CANCEL_COUNT and cancel_one(chance)
        time.sleep(0.1)
    broker.wait_until_restarted()
    wait_for(lambda: not Order.objects.filter(create_status__in=("new", "pending")).exists(), "end", SETTLE_SECONDS)
    deadline = time.monotonic() + SETTLE_SECONDS
    while cancels < CANCEL_COUNT and time.monotonic() < deadline:
        pay_some(dana, chance)
        cancels += cancel_one(chance)
    return ORDER_COUNT, cancels


def pay_some(dana: Simulator, chance: random.Random) -> None:
    """Let a few buyers pay; some never do."""
    for order in dana.snapshot()["orders"]:
        if order["state"] == "INIT" and chance.random() < 0.1:
            with suppress(WrongState):
                dana.order(order["reference"]).pay()


def cancel_one(chance: random.Random) -> bool:
    """Ask for one cancel, also of an order whose create is still on its way; return whether one was possible."""
    orders = list(Order.objects.filter(cancel_requests=None, payment_status__in=("none", "initiated", "paid")))
    if not orders:
        return False
    with suppress(ValidationError):
        return bool(services.cancel_order(chance.choice(orders)))
    return False


def cut_database() -> None:
    """Cut every connection to the database but this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def unsettled() -> set[int]:
    """The orders about which something is on its way."""
    is_due = ~Q(next_attempt_at=None) | ~Q(next_sync_at=None) | ~Q(lease_until=None)
    is_open = Q(unfinished=True) | Q(needs_attention="end_unknown")
    return {
        *Order.objects.filter(Q(create_status__in=("new", "pending")) | is_due).values_list("pk", flat=True),
        *CancelRequest.objects.filter(is_open).values_list("order", flat=True),
        *OutboxEvent.objects.values_list("order", flat=True),
    }


def wait_until_settled() -> None:
    """Wait, or tell the story of an order that does not come to its end."""
    try:
        wait_for(lambda: not unsettled(), "settled orders", SETTLE_SECONDS)
    except AssertionError:
        orders = Order.objects.filter(pk__in=unsettled())[:3]
        raise AssertionError("\n".join(line for order in orders for line in explain(order))) from None


def compare_with_dana(dana: Simulator) -> None:
    """Compare every order and cancel with what DANA has."""
    snapshot = dana.snapshot()
    theirs = {order["reference"]: STATES[order["state"]] for order in snapshot["orders"]}
    ours = {order.partner_reference_no: order for order in Order.objects.all()}
    assert set(theirs) <= set(ours), "DANA has no order that we do not know"
    for reference, order in ours.items():
        # an order that was cancelled before DANA ever got it is unknown there, and then it must have failed here
        expected = theirs.get(reference, "not_found")
        assert order.payment_status == expected, f"{reference}: {order.next_step}"
        assert order.create_status == ("failed" if expected == "not_found" else "success")
    for cancel_request in CancelRequest.objects.select_related("order"):
        is_cancelled = theirs.get(cancel_request.order.partner_reference_no) == "cancelled"
        assert (cancel_request.status == "success") == is_cancelled, cancel_request.next_step
    assert [request for request in snapshot["requests"] if len(request["bodies"]) != 1] == []
    assert not ApiCall.objects.filter(duration_ms=None, error="").exists(), "every open call is explained"
    for order in ours.values():
        assert_calls_do_not_overlap(list(order.api_calls.order_by("started_at")))


def assert_calls_do_not_overlap(calls: list[ApiCall]) -> None:
    for call, following in pairwise(calls):
        if call.duration_ms is not None:
            assert call.started_at + timedelta(milliseconds=call.duration_ms) <= following.started_at
