"""Noting that the money of an order was settled by other means, where DANA can't do it any more."""

from typing import TYPE_CHECKING, Final

from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext_lazy as _

from django_dana import validation
from django_dana.models import CancelRequest, Order, RefundRequest
from django_dana.services.orders import account_of
from django_dana.services.permitted import SETTLE_PERMISSION, check_permission, refuse
from django_dana.transitions import locked_order, reviews

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

LONGEST_NOTE: Final = 500


def why_not_settle_outside(order: Order) -> "_StrPromise | None":
    """Return the sentence that says why an order can't be settled outside DANA, or None if it can."""
    if order.settled_outside_at:
        return _("It is noted already that this order was settled outside DANA.")
    if order.payment_status != Order.PaymentStatus.PAID:
        return _("No money of this order is with us, so there is nothing to settle.")
    requests: list[CancelRequest | RefundRequest] = [*order.cancel_requests.all(), *order.refund_requests.all()]
    if any(request.unfinished and not _is_left_open(request) for request in requests):
        return _("Money is on its way back. Wait for the end of it, or stop it, so that it does not go back twice.")
    if order.next_sync_at is not None and any(request.is_end_unknown for request in requests):
        return _("DANA is being asked whether the money went back. Wait for its answer.")
    return None


def _is_left_open(request: CancelRequest | RefundRequest) -> bool:
    """Whether it was given up without an answer: nothing is sent any more, and a person has to find out."""
    is_refund = isinstance(request, RefundRequest)
    return is_refund and bool(request.needs_attention) and request.next_attempt_at is None


def settle_outside(order: Order, *, note: str, settled_by: AbstractBaseUser | None = None) -> Order:
    """Note that the money of an order was settled by other means. This moves no money and tells DANA nothing.

    What needed attention about the order and its requests needs it no more, and nothing is given back by DANA from
    here on.

    Args:
        order: the order.
        note: how, for example the number of a bank transfer; at most 500 characters.
        settled_by: who says so; the permission ``django_dana.settle_order_outside`` is checked here.

    Raises:
        PermissionDenied: ``settled_by`` may not.
        ValidationError: no money is with us, something is under way, or the note is missing.
    """
    check_permission(settled_by, SETTLE_PERMISSION)
    problems = validation.Problems()
    note = validation.text(problems, "note", " ".join(note.split()), LONGEST_NOTE, required=True)
    problems.raise_if_any()
    with locked_order(order.pk, account_of(order)) as locked:
        refuse(why_not_settle_outside(locked.order))
        reviews.settled_outside(locked, note)
    return locked.order
