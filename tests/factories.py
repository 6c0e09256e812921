"""What several test files make: accounts, orders in some state, and what is read back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import ROUND_UP, Clamped, Context, Decimal, FloatOperation, Inexact, InvalidOperation, Rounded, Subnormal
from typing import Any

from django.conf import settings as django_settings
from django.db import connection

from django_dana import conf, services, tasks
from django_dana.models import CancelRequest, Order, RefundRequest
from django_dana.protocol.messages import StatusReport
from django_dana.transitions import locked_order, payments
from tests import wire as wires
from tests.wire import Act, Wire

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
"""When the tests' clock starts."""

PAID_AT = datetime(2026, 11, 21, 9, 31, tzinfo=UTC)

QRIS = {"payMethod": "NETWORK_PAY", "payOption": "NETWORK_PAY_PG_QRIS"}

DEFAULT_ACCOUNT = dict(django_settings.DANA["default"])
"""The default account as tests/settings.py has it, whatever a test does to the setting."""


ODD_CONTEXTS = {
    "low precision": Context(prec=3),
    "narrow exponents": Context(prec=3, Emax=3, Emin=-1),
    "every trap": Context(prec=3, traps=[Inexact, Rounded, Subnormal, Clamped, FloatOperation, InvalidOperation]),
    "no trap": Context(prec=3, traps=[]),
    "rounds up": Context(rounding=ROUND_UP),
}
"""Decimal contexts that a shop may have set."""


class Death(BaseException):
    """The worker is killed."""


def account_with(**options: Any) -> dict[str, Any]:
    """Return the DANA setting as it is now with some options of the default account changed."""
    return {"default": {**django_settings.DANA["default"], **options}}


def clean_account_with(**options: Any) -> dict[str, Any]:
    """Return the DANA setting of tests/settings.py, whatever a test has made of it, with some options changed."""
    return {"default": {**DEFAULT_ACCOUNT, **options}}


def clean_account_without(*names: str) -> dict[str, Any]:
    """Return the DANA setting of tests/settings.py with some options left out."""
    return {"default": {name: value for name, value in DEFAULT_ACCOUNT.items() if name not in names}}


def new_order(**arguments: Any) -> Order:
    """Ask for an order as a shop does."""
    return services.create_order(**{"amount": Decimal("15000.00"), "title": "Kopi Gayo", **arguments})


def created_order(wire: Wire, **arguments: Any) -> Order:
    """Return an order that DANA has."""
    wire.play(wires.code("2005400"))
    order = new_order(**arguments)
    tasks.create_order(order.pk)
    return fresh(order)


def paid_order(wire: Wire, **arguments: Any) -> Order:
    """Return an order that is paid, as Query Payment told."""
    order = created_order(wire, **arguments)
    wire.play(wires.status("00", amount=str(order.amount)))
    return services.sync_order(order)


def order_with(*, order_arguments: dict[str, Any] | None = None, **fields: Any) -> Order:
    """Return an order in some state, whatever led to it."""
    order = new_order(**(order_arguments or {}))
    Order.objects.filter(pk=order.pk).update(**fields)
    return fresh(order)


def change(order: Order, **columns: Any) -> Order:
    """Return the order with columns that belong to DANA set as if a transition had."""
    Order.objects.filter(pk=order.pk).update(**columns)
    return fresh(order)


def fresh(order: Order) -> Order:
    """Return the order as the database has it."""
    return Order.objects.get(pk=order.pk)


def fresh_cancel(cancel_request: CancelRequest) -> CancelRequest:
    """Return the cancel request as the database has it."""
    return CancelRequest.objects.get(pk=cancel_request.pk)


def fresh_refund(refund_request: RefundRequest) -> RefundRequest:
    """Return the refund request as the database has it."""
    return RefundRequest.objects.get(pk=refund_request.pk)


def asked(wire: Wire, order: Order, answer: Act) -> Order:
    """Ask DANA and let it answer so."""
    wire.play(answer)
    return services.sync_order(order)


def notified(order: Order, status: str = "00", **fields: Any) -> Order:
    """Apply what a notification says."""
    report = StatusReport(**{"status": status, "amount": order.amount, "currency": "IDR", **fields})
    with locked_order(order.pk, conf.account(order.account)) as locked:
        payments.reported_by_notification(locked, report)
    return fresh(order)


def cancelled(wire: Wire, order: Order, *acts: Act) -> CancelRequest:
    """Cancel an order and let DANA answer so."""
    wire.play(*acts)
    cancel_request = services.cancel_order(fresh(order))
    tasks.cancel_order(cancel_request.pk)
    return fresh_cancel(cancel_request)


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL of what is done meanwhile."""
    heard: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        heard.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield heard
