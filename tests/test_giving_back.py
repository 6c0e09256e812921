"""Refunds at the doors: which way money goes back, and what the commands, the health and the testing kit say of it."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from django_dana import services, tasks
from django_dana.health import findings
from django_dana.models import Order
from django_dana.services.privacy import settled_orders
from django_dana.testing import Dana, running_dana
from tests import wire as w
from tests.conftest import Clock
from tests.factories import fresh, fresh_refund, new_order, order_with, paid_order
from tests.wire import Wire

pytestmark = pytest.mark.django_db

WHOLE = Decimal("15000.00")
PART = Decimal("6000.00")

WAYS: dict[str, tuple[Decimal, dict[str, Any], timedelta, str, str]] = {
    "all, at once": (WHOLE, {}, timedelta(minutes=1), "cancel", "All of the payment"),
    "all, in the last second": (WHOLE, {}, timedelta(hours=23, minutes=59, seconds=59), "cancel", "All of the payment"),
    "all, after the window": (WHOLE, {}, timedelta(hours=24), "refund", "more than 24 hours ago"),
    "all, paid nobody knows when": (WHOLE, {"paid_at": None}, timedelta(days=9), "cancel", "All of the payment"),
    "part": (PART, {}, timedelta(minutes=1), "refund", "Part of the payment"),
    "the rest": (PART, {"refunded_amount": Decimal("9000.00")}, timedelta(minutes=1), "refund", "refunded already"),
    "more than is left": (WHOLE, {"refunded_amount": PART}, timedelta(minutes=1), "refund", "Part of the payment"),
    "more than was paid": (WHOLE * 2, {}, timedelta(minutes=1), "refund", "Part of the payment"),
}


@pytest.mark.parametrize(("amount", "fields", "later", "key", "why"), WAYS.values(), ids=WAYS)
def test_the_way_back_and_why(amount: Decimal, fields: dict[str, Any], later: timedelta, key: str, why: str) -> None:
    paid_at = timezone.now()
    order = order_with(**{"payment_status": "paid", "paid_at": paid_at, **fields})
    way = services.how_to_give_back(order, amount, paid_at + later)
    assert way.operation.key == key
    assert why in str(way.reason)


def test_dana_explain_tells_of_refunds(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005800"), w.code("2025800"))
    for reason in ("one cup of two", "the other cup"):
        tasks.refund_order(services.refund_order(order, amount=PART, reason=reason).pk)
        clock.forward(seconds=1)
    out = StringIO()
    call_command("dana_explain", order.partner_reference_no, stdout=out)
    first, second = order.refund_requests.order_by("pk")
    position = 0
    for text in (
        f"refund #{first.pk} of 6000.00 asked for: one cup of two",
        "→ Refund Order  HTTP 200",
        f"refund #{second.pk} of 6000.00 asked for: the other cup",
        "→ Refund Order  HTTP 202",
        "given back 6000.00, left 3000.00",
        f"refund #{first.pk} success: DANA has made the refund",
        f"refund #{second.pk} pending: DANA is making the refund",
        f"next: refund #{second.pk} is sent at ",
    ):
        position = out.getvalue().index(text, position)


@pytest.mark.parametrize(("code", "settled"), [("2005800", True), ("2025800", False), ("4035805", False)])
def test_an_order_with_a_refund_that_is_open_is_not_settled(
    dana: Wire,
    clock: Clock,
    code: str,
    settled: bool,  # noqa: FBT001
) -> None:
    order = paid_order(dana)
    dana.play(w.code(code))
    refund_request = services.refund_order(order, amount=PART)
    tasks.refund_order(refund_request.pk)
    # what the order itself shows is left out, so that only the request speaks
    Order.objects.filter(pk=order.pk).update(needs_attention="", next_sync_at=None)
    clock.forward(days=100)
    assert settled_orders(timezone.now()).filter(pk=order.pk).exists() == settled


def test_the_health_shows_refunds_that_are_due_and_those_that_need_attention(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("4035805"))
    services.refund_order(order, amount=PART)
    tasks.refund_order(services.refund_order(order, amount=PART).pk)
    clock.forward(hours=1)
    due = {finding.subject: finding for finding in findings.queues(timezone.now())}["refunds"]
    assert (due.level, due.count) == (findings.Level.ERROR, 1)
    assert any("refund" in finding.subject for finding in findings.attention(timezone.now()))


@pytest.fixture
def kit() -> Any:
    with running_dana() as dana:
        yield dana


def test_a_shop_can_test_its_refunds(kit: Dana) -> None:
    order = kit.pay(new_order())
    refund_request = services.refund_order(order, amount=PART)
    assert fresh_refund(refund_request).status == "success"
    assert kit.order(order).order.refunded == PART
    order = kit.refund(order, Decimal("4000.00"))
    assert (order.refunded_amount, order.amount_left) == (Decimal("10000.00"), Decimal("5000.00"))
    order = kit.refund(order)
    assert (order.payment_status, order.amount_left) == ("refunded", Decimal("0.00"))


@pytest.mark.parametrize("fault", ["drop_reply:times=1", "in_progress:times=2", "act_late:times=1:seconds=60"])
def test_a_refund_with_a_fault_ends_once(kit: Dana, fault: str) -> None:
    order = kit.pay(new_order())
    kit.faults.add(f"refund:{fault}")
    refund_request = services.refund_order(order, amount=PART)
    for _ in range(6):
        kit.advance(100)
        kit.run_due()
    assert fresh_refund(refund_request).status == "success"
    assert fresh(order).refunded_amount == kit.order(order).order.refunded == PART
