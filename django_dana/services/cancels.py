"""Cancel orders."""

from django.contrib.auth.models import AbstractBaseUser

from django_dana import validation
from django_dana.models import CancelRequest, Order
from django_dana.protocol import operations
from django_dana.protocol.messages import CancelOrder
from django_dana.services import requests
from django_dana.services.orders import account_of
from django_dana.services.permitted import (
    CANCEL_PERMISSION,
    Send,
    check_permission,
    refuse,
    refuse_in_transaction,
    why_not_cancel,
)
from django_dana.transitions import creates, locked_order
from django_dana.validation import Problems


def cancel_order(
    order: Order, *, reason: str = "", requested_by: AbstractBaseUser | None = None, send: Send = "background"
) -> CancelRequest:
    """Ask DANA to cancel a whole order, which gives the money back where it was paid.

    Args:
        order: the order.
        reason: at most 256 characters; DANA gets it.
        requested_by: who asks; the permission ``django_dana.cancel_order`` is checked here too.
        send: as for :func:`create_order`.

    Returns:
        The request; its ``status`` says what became of it.

    Raises:
        PermissionDenied: ``requested_by`` may not cancel.
        ValidationError: what :func:`why_not_cancel` says, or the reason is too long; nothing was saved or sent.
        RuntimeError: ``send="now"`` inside a transaction.
    """
    check_permission(requested_by, CANCEL_PERMISSION)
    if send == "now":
        refuse_in_transaction('cancel_order(send="now")')
    problems = Problems()
    reason = validation.text(problems, "reason", reason, 256)
    problems.raise_if_any()
    account = account_of(order)
    with locked_order(order.pk, account) as locked:
        order = locked.order
        refuse(why_not_cancel(order))
        creates.stopped_by_cancel(locked)
        cancel_request = CancelRequest.objects.create(  # type: ignore[misc]  # requested_by: the shop's own user model
            order=order,
            amount=order.amount,
            reason=reason,
            requested_by=requested_by,
            request_body=_request_body(order, reason),
            next_attempt_at=locked.now,
            give_up_at=locked.now + account.cancel_give_up_after,
        )
    requests.start(cancel_request, send)
    return cancel_request


def retry_cancel(cancel_request: CancelRequest, *, requested_by: AbstractBaseUser | None = None) -> CancelRequest:
    """Send the same cancel again, by hand, as a new series of attempts.

    Raises:
        PermissionDenied: ``requested_by`` may not cancel.
        ValidationError: what :func:`why_not_retry` says.
    """
    return requests.retry(cancel_request, CANCEL_PERMISSION, requested_by)


def _request_body(order: Order, reason: str) -> str:
    creates_sent = order.api_calls.of(operations.CREATE_ORDER).order_by("-id")
    return CancelOrder(
        original_partner_reference_no=order.partner_reference_no,
        original_reference_no=order.reference_no,
        original_external_id=creates_sent.values_list("external_id", flat=True).first() or "",
        merchant_id=order.merchant_id,
        sub_merchant_id=order.sub_merchant_id,
        external_store_id=order.external_store_id,
        amount=order.amount,
        currency=order.currency,
        reason=reason,
    ).body()
