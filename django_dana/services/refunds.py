"""Refund orders in part or in full."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext_lazy as _

from django_dana import timing, validation
from django_dana.models import Order, RefundRequest
from django_dana.models.refund_requests import new_refund_number
from django_dana.protocol import operations
from django_dana.protocol.messages import RefundOrder
from django_dana.protocol.operations import Operation
from django_dana.services import requests
from django_dana.services.orders import account_of
from django_dana.services.permitted import (
    REFUND_PERMISSION,
    Send,
    check_permission,
    refuse,
    refuse_in_transaction,
    why_not_cancel,
    why_not_refund,
)
from django_dana.transitions import locked_order
from django_dana.validation import Problems

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


@dataclass(frozen=True, slots=True)
class WayBack:
    """How money goes back: the operation of DANA, and why that one."""

    operation: Operation
    reason: "_StrPromise"


def how_to_give_back(order: Order, amount: Decimal, now: datetime) -> WayBack:
    """Return how an amount of a paid order goes back: by Cancel Order where it can, else by Refund Order.

    Only what everything depends on: whether it may be asked for is what :func:`why_not_cancel` and
    :func:`why_not_refund` say.
    """
    if amount != order.amount - order.refunded_amount:
        return WayBack(operations.REFUND_ORDER, _("Part of the payment goes back, which is a refund at DANA."))
    if order.refunded_amount:
        return WayBack(operations.REFUND_ORDER, _("Part of this order was refunded already, so the rest is refunded."))
    if order.paid_at is not None and now >= order.paid_at + timing.CANCEL_WINDOW:
        return WayBack(
            operations.REFUND_ORDER,
            _("It was paid more than 24 hours ago, when DANA no longer cancels, so it is refunded."),
        )
    return WayBack(
        operations.CANCEL_ORDER, _("All of the payment goes back within 24 hours, so the order is cancelled at DANA.")
    )


def why_not_give_back(order: Order, amount: Decimal, now: datetime) -> "_StrPromise | None":
    """Return the sentence that says why an amount can't go back by the way that it would take, or None."""
    return _WHY_NOT[how_to_give_back(order, amount, now).operation.key](order)


_WHY_NOT: Final[dict[str, Callable[[Order], "_StrPromise | None"]]] = {
    operations.CANCEL_ORDER.key: why_not_cancel,
    operations.REFUND_ORDER.key: why_not_refund,
}


def refund_order(
    order: Order,
    *,
    amount: Decimal | int | None = None,
    reason: str = "",
    requested_by: AbstractBaseUser | None = None,
    send: Send = "background",
) -> RefundRequest:
    """Ask DANA to give part or all of a payment back.

    Args:
        order: the order.
        amount: at most what is left of the payment, where refunds under way count as given; left out, all of it.
        reason: at most 256 characters; DANA gets it.
        requested_by: who asks; the permission ``django_dana.refund_order`` is checked here too.
        send: as for :func:`create_order`.

    Returns:
        The request; its ``status`` says what became of it.

    Raises:
        PermissionDenied: ``requested_by`` may not refund.
        ValidationError: what :func:`why_not_refund` says, or something is wrong with the arguments, by field; nothing
            was saved or sent.
        RuntimeError: ``send="now"`` inside a transaction.
    """
    check_permission(requested_by, REFUND_PERMISSION)
    if send == "now":
        refuse_in_transaction('refund_order(send="now")')
    problems = Problems()
    reason = validation.text(problems, "reason", reason, 256)
    wanted = None if amount is None else validation.amount(problems, amount)
    problems.raise_if_any()
    account = account_of(order)
    with locked_order(order.pk, account) as locked:
        order = locked.order
        refuse(why_not_refund(order))
        number, amount = new_refund_number(), _amount_to_refund(order, wanted)
        refund_request = RefundRequest.objects.create(  # type: ignore[misc]  # requested_by: the shop's own user model
            order=order,
            merchant_id=order.merchant_id,
            amount=amount,
            reason=reason,
            requested_by=requested_by,
            partner_refund_no=number,
            request_body=_request_body(order, number, amount, reason),
            next_attempt_at=locked.now,
            give_up_at=locked.now + account.cancel_give_up_after,
        )
    requests.start(refund_request, send)
    return refund_request


def retry_refund(refund_request: RefundRequest, *, requested_by: AbstractBaseUser | None = None) -> RefundRequest:
    """Send the same refund again, by hand, as a new series of attempts. DANA makes it once, whatever it gets.

    Raises:
        PermissionDenied: ``requested_by`` may not refund.
        ValidationError: what :func:`why_not_retry` says.
    """
    return requests.retry(refund_request, REFUND_PERMISSION, requested_by)


def _amount_to_refund(order: Order, wanted: Decimal | None) -> Decimal:
    """Return the amount, which is never more than what is left."""
    # read with a lock, so that it is what is there now, also in a shop's transaction that repeats its first read
    under_way = order.refund_requests.select_for_update().unfinished().values_list("amount", flat=True)
    left = order.amount - order.refunded_amount - sum(under_way, Decimal(0))
    problems = Problems()
    if left < (wanted or Decimal("0.01")):
        problems.add("amount", _("At most %(left)s is left to refund."), "too_much", left=max(left, Decimal("0.00")))
    problems.raise_if_any()
    return left if wanted is None else wanted


def _request_body(order: Order, number: str, amount: Decimal, reason: str) -> str:
    return RefundOrder(
        original_partner_reference_no=order.partner_reference_no,
        original_reference_no=order.reference_no,
        merchant_id=order.merchant_id,
        sub_merchant_id=order.sub_merchant_id,
        external_store_id=order.external_store_id,
        partner_refund_no=number,
        amount=amount,
        currency=order.currency,
        reason=reason,
    ).body()
