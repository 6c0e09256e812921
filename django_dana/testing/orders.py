"""Orders in any state, for tests of what a shop does with them. No call is made and no signal is sent."""

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from django_dana import conf
from django_dana.exceptions import UnknownAccount
from django_dana.models import CancelRequest, Order

_PAGE: Final = "https://m.sandbox.dana.id/n/cashier/new/checkout?bizNo=1"

_AT_DANA: Final = {
    "create_status": Order.CreateStatus.SUCCESS,
    "payment_status": Order.PaymentStatus.INITIATED,
    "response_code": "2005400",
    "attempts": 1,
    "web_redirect_url": _PAGE,
    "next_attempt_at": None,
}


def _paid() -> dict[str, Any]:
    return {**_AT_DANA, "payment_status": Order.PaymentStatus.PAID, "paid_at": timezone.now()}


_FIELDS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "preparing": lambda: {"next_attempt_at": timezone.now()},
    "payable": lambda: {**_AT_DANA},
    "confirming": lambda: {**_AT_DANA, "payment_status": Order.PaymentStatus.PAYING},
    "paid": _paid,
    "in_review": lambda: {**_paid(), "needs_attention": Order.Attention.PAID_AFTER_CLOSED},
    "cancelling": _paid,
    "cancelled": lambda: {**_paid(), "payment_status": Order.PaymentStatus.CANCELLED},
    "refunded": lambda: {**_paid(), "payment_status": Order.PaymentStatus.REFUNDED},
    "expired": lambda: {
        **_AT_DANA,
        "payment_status": Order.PaymentStatus.EXPIRED,
        "valid_up_to": timezone.now() - timedelta(minutes=1),
    },
    "refused": lambda: {
        "create_status": Order.CreateStatus.FAILED,
        "response_code": "4035415",
        "attempts": 1,
        "next_attempt_at": None,
    },
    "start_again": lambda: {**_AT_DANA, "web_redirect_url": "", "needs_attention": Order.Attention.NO_ADDRESS},
}


def make_order(state: str = "payable", **fields: Any) -> Order:
    """Return a saved order in a state.

    Args:
        state: one of the words of ``Order.state``.
        fields: columns of the order that matter to the test, such as ``amount`` or ``title``.

    Raises:
        ValueError: there is no such state.
    """
    if state not in _FIELDS:
        raise ValueError(f"There is no state {state!r}; the states are {', '.join(sorted(_FIELDS))}.")
    now = timezone.now()
    order = Order(
        **{
            "account": "default",
            "environment": conf.SANDBOX,
            "merchant_id": _merchant_id(str(fields.get("account", "default"))),
            "amount": Decimal("85000.00"),
            "title": "Test order",
            "valid_up_to": now + timedelta(minutes=30),
            "request_body": "{}",
            "reference_no": "" if state in ("preparing", "refused") else uuid.uuid4().hex,
            **_FIELDS[state](),
            **fields,
        }
    )
    if state == "refunded":
        order.refunded_amount = order.amount
    order.save(force_insert=True)
    if state == "cancelling":
        CancelRequest.objects.create(
            order=order, amount=order.amount, request_body="{}", next_attempt_at=now, give_up_at=now + timedelta(days=1)
        )
    return order


def _merchant_id(alias: str) -> str:
    try:
        return conf.account(alias).merchant_id
    except (UnknownAccount, ImproperlyConfigured):
        return "216620000000000000001"
