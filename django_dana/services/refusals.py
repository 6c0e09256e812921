"""Why an order or a request can't be sent again or stopped."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_dana.models import CancelRequest, Order


def why_not_retry(row: Order | CancelRequest) -> Any:
    """Return the sentence that says why the same payload can't be sent again by hand, or None if it can."""
    return _why_not_retry_order(row) if isinstance(row, Order) else _why_not_retry_cancel(row)


def _why_not_retry_order(order: Order) -> Any:
    now = timezone.now()
    if order.create_status == Order.CreateStatus.SUCCESS:
        return _("DANA has this order already.")
    if order.create_status == Order.CreateStatus.NEW:
        return _("It is on its way to DANA already.")
    if now >= order.valid_up_to:
        return _("The time of this order is over, so DANA can't accept it any more. Create a new order.")
    if not order.is_open or order.cancel_requests.exists():
        return _("This order is closed or being cancelled. Create a new order.")
    return _("A call to DANA is under way. Try again in a minute.") if order.is_held(now) else None


def _why_not_retry_cancel(cancel_request: CancelRequest) -> Any:
    order = cancel_request.order
    if cancel_request.status == CancelRequest.Status.SUCCESS:
        return _("This cancel has succeeded already.")
    if cancel_request.status == CancelRequest.Status.NEW:
        return _("It is on its way to DANA already.")
    if not order.is_open and order.payment_status != Order.PaymentStatus.PAID:
        return _("This order is closed, so there is nothing to cancel.")
    if order.settled_outside_at:
        return _("This order was settled outside DANA, so nothing more is sent.")
    if order.cancel_requests.exclude(pk=cancel_request.pk).unfinished().exists():
        return _("Another cancel of this order is under way. Wait for its end.")
    return _("A call to DANA is under way. Try again in a minute.") if order.is_held(timezone.now()) else None


def why_not_stop(row: Order | CancelRequest) -> Any:
    """Return the sentence that says why there is nothing to stop, or None if there is."""
    order = row if isinstance(row, Order) else row.order
    status = row.create_status if isinstance(row, Order) else row.status
    if row.next_attempt_at is None or status not in ("pending", "failed"):
        return _("Nothing is being tried again here.")
    return _("A call to DANA is under way. Try again in a minute.") if order.is_held(timezone.now()) else None
