"""A bad day: workers are killed, the broker restarts twice, the database is cut off, DANA loses a third of its replies.

In the end every order, cancel and refund stands as it does at DANA, and nothing was sent twice with different content.
The short form runs with ``--services``; the long one with ``CHAOS_ORDERS=500 CHAOS_CANCELS=200 CHAOS_REFUNDS=100``.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection
from django.db.models import Q
from django.utils import timezone

from django_dana import services
from django_dana.management.commands.dana_explain import explain
from django_dana.models import ApiCall, CancelRequest, Order, OutboxEvent, RefundRequest
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
REFUND_COUNT = int(os.environ.get("CHAOS_REFUNDS", "15"))
KILL_EVERY = 4.0
SETTLE_SECONDS = 60 + ORDER_COUNT

#: How many are still to be asked for, by what asks for one and says whether that was possible.
Wanted = dict[Callable[[random.Random], bool], int]

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
    "refund:code:0.05:code=5005801",
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
    """Keeps three workers and two sweeps going, and kills one of them every few seconds.

    One that is still starting is spared: on a slow machine there would be nobody left to do the work.
    """

    def __init__(self, web: Setup) -> None:
        self._web = web
        self._chance = random.Random(7)
        self._stop = threading.Event()
        self._running: dict[str, Any] = {}
        self._log_before: dict[str, int] = {}
        self._starts = 0
        self.kills = self.crashes = 0
        for name in ("worker-0", "worker-1", "worker-2", "sweeper-0", "sweeper-1"):
            self._start(name)
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def _start(self, name: str) -> None:
        self._starts += 1
        log = self._web.log(name)
        self._log_before[name] = log.stat().st_size if log.exists() else 0
        if name.startswith("worker"):
            # RabbitMQ lets two workers of one name not live together, nor one right after the other
            options = ["--pool", "prefork", "--concurrency", "2", "--hostname", f"{name}-{self._starts}@%h"]
            app = ["celery", "-A", "tests.services.worker_app", "worker", "--loglevel", "INFO"]
            quiet = ["--without-gossip", "--without-mingle", "--queues", self._web.queue]
            self._running[name] = self._web.start(name, *app, *options, *quiet)
        else:
            self._running[name] = self._web.start(name, "tests.chaos.sweeper")

    def _go_on(self) -> None:
        while not self._stop.wait(KILL_EVERY):
            if ready := [name for name in sorted(self._running) if self._is_ready(name)]:
                name = self._chance.choice(ready)
                processes.kill(self._running[name])
                self._start(name)
                self.kills += 1
            for name in self._ended():
                self._start(name)
                self.crashes += 1

    def _is_ready(self, name: str) -> bool:
        with self._web.log(name).open("rb") as log:
            log.seek(self._log_before[name])
            return b"ready" in log.read()

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
    started = time.monotonic()
    killer = Killer(web)
    try:
        live_through_the_day(broker, simulator)
        killer.spare_them()
        simulator.faults.clear()
        assert simulator.wait_for_notifications(SETTLE_SECONDS)
        wait_until_ended(unsettled)
    finally:
        killer.end()
    compare_with_dana(simulator)
    figures = {
        "orders": Order.objects.count(),
        "cancels": CancelRequest.objects.count(),
        "refunds": RefundRequest.objects.count(),
        "workers killed": killer.kills,
        "workers that ended by themselves": killer.crashes,
        "API calls": ApiCall.objects.count(),
        "lost calls": ApiCall.objects.filter(duration_ms=None).count(),
        "rows of the table": dict(Counter(ApiCall.objects.values_list("rule_code", flat=True))),
        "payments": dict(Counter(Order.objects.values_list("payment_status", flat=True))),
        "cancel requests": dict(Counter(CancelRequest.objects.values_list("status", flat=True))),
        "refund requests": dict(Counter(RefundRequest.objects.values_list("status", flat=True))),
        "seconds": round(time.monotonic() - started),
    }
    with capsys.disabled():
        print(f"\nchaos on {connection.vendor} and {web.broker.partition(':')[0]}: {figures}")  # noqa: T201


def live_through_the_day(broker: Broker, dana: Simulator) -> None:
    """Buy, pay, cancel and refund, while things break."""
    chance = random.Random(11)
    wanted: Wanted = {cancel_one: CANCEL_COUNT, refund_part_of_one: REFUND_COUNT}
    for number in range(ORDER_COUNT):
        if number in (ORDER_COUNT // 3, 2 * ORDER_COUNT // 3):
            broker.restart(pause=2.0)
        if number in (ORDER_COUNT // 4, ORDER_COUNT // 2):
            cut_database()
        new_order()
        give_back(dana, chance, wanted)
        time.sleep(0.1)
    broker.wait_until_restarted()
    wait_until_ended(
        lambda: set(Order.objects.filter(create_status__in=("new", "pending")).values_list("pk", flat=True))
    )
    deadline = time.monotonic() + SETTLE_SECONDS
    while any(wanted.values()) and time.monotonic() < deadline:
        give_back(dana, chance, wanted)
        time.sleep(0.1)


def give_back(dana: Simulator, chance: random.Random, wanted: Wanted) -> None:
    """Let some buyers pay, and ask for what is wanted still, where it is possible."""
    pay_some(dana, chance)
    for ask_for_one, left in wanted.items():
        if left:
            wanted[ask_for_one] -= ask_for_one(chance)


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


def refund_part_of_one(chance: random.Random) -> bool:
    """Ask for a part of one payment; return whether one was possible."""
    orders = list(Order.objects.filter(cancel_requests=None, payment_status="paid"))
    if not orders:
        return False
    amount = chance.choice([Decimal("4000.00"), Decimal("7500.00")])
    with suppress(ValidationError):
        return bool(services.refund_order(chance.choice(orders), amount=amount))
    return False


def cut_database() -> None:
    """Cut every connection to the database but this one."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
        for (number,) in cursor.fetchall():
            # one that ended meanwhile is as good as cut
            with suppress(OperationalError):
                cursor.execute(f"KILL {number:d}")


def unsettled() -> set[int]:
    """The orders about which something is on its way."""
    # what may still turn out otherwise is asked about once a day for a week, which nobody waits for here
    is_due = ~Q(next_attempt_at=None) | Q(next_sync_at__lte=timezone.now() + timedelta(hours=1)) | ~Q(lease_until=None)
    is_open = Q(unfinished=True) | Q(needs_attention="end_unknown")
    return {
        *Order.objects.filter(Q(create_status__in=("new", "pending")) | is_due).values_list("pk", flat=True),
        *CancelRequest.objects.filter(is_open).values_list("order", flat=True),
        *RefundRequest.objects.filter(is_open).values_list("order", flat=True),
        *OutboxEvent.objects.values_list("order", flat=True),
    }


def wait_until_ended(find: Callable[[], set[int]]) -> None:
    """Wait until none is found, or tell the story of orders that do not come to their end."""
    try:
        wait_for(lambda: not find(), "settled orders", SETTLE_SECONDS)
    except AssertionError:
        orders = Order.objects.filter(pk__in=find())[:3]
        raise AssertionError("\n".join(line for order in orders for line in explain(order))) from None


def compare_with_dana(dana: Simulator) -> None:
    """Compare every order, cancel and refund with what DANA has."""
    snapshot = dana.snapshot()
    theirs = {order["reference"]: standing(order) for order in snapshot["orders"]}
    refunds = {refund["partner_refund_no"] for order in snapshot["orders"] for refund in order["refunds"]}
    refunded = {order["reference"]: Decimal(order["refunded"]["value"]) for order in snapshot["orders"]}
    ours = {order.partner_reference_no: order for order in Order.objects.all()}
    assert set(theirs) <= set(ours), "DANA has no order that we do not know"
    for reference, order in ours.items():
        # an order that was cancelled before DANA ever got it is unknown there, and then it must have failed here
        expected = theirs.get(reference, "not_found")
        assert order.payment_status == expected, f"{reference}: {order.next_step}"
        assert order.create_status == ("failed" if expected == "not_found" else "success")
        assert order.refunded_amount == refunded.get(reference, 0), f"{reference}: {order.note}"
    for cancel_request in CancelRequest.objects.select_related("order"):
        is_cancelled = theirs.get(cancel_request.order.partner_reference_no) == "cancelled"
        assert (cancel_request.status == "success") == is_cancelled, cancel_request.next_step
    for refund_request in RefundRequest.objects.all():
        is_made = refund_request.partner_refund_no in refunds
        assert (refund_request.status == "success") == is_made, refund_request.next_step
    assert [request for request in snapshot["requests"] if len(request["bodies"]) != 1] == []
    assert not ApiCall.objects.filter(duration_ms=None, error="").exists(), "every open call is explained"
    for order in ours.values():
        assert_calls_do_not_overlap(list(order.api_calls.order_by("started_at")))


def standing(order: dict[str, Any]) -> str:
    """Return what our order's payment_status should be."""
    return "refunded" if order["refunded"] == order["amount"] else STATES[order["state"]]


def assert_calls_do_not_overlap(calls: list[ApiCall]) -> None:
    for call, following in pairwise(calls):
        if call.duration_ms is not None:
            assert call.started_at + timedelta(milliseconds=call.duration_ms) <= following.started_at
