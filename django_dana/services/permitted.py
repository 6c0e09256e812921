"""What may be done with an order and its requests: the one rule for services, admin and REST API.

Each ``why_not_…`` returns the sentence that refuses, or None.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_dana.models import CancelRequest, Order, OutboundRequest, RefundRequest
from django_dana.protocol import operations
from django_dana.protocol.response_codes import FollowUp, Outcome, Rule

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Reason = _StrPromise | None

#: ``"background"``: a worker makes the call; ``"now"``: one bounded attempt in the caller's thread.
Send = Literal["background", "now"]

CANCEL_PERMISSION: Final = "django_dana.cancel_order"
REFUND_PERMISSION: Final = "django_dana.refund_order"
SETTLE_PERMISSION: Final = "django_dana.settle_order_outside"


def why_not_cancel(order: Order) -> "Reason":
    """Return the sentence that says why an order can't be cancelled, or None if it can."""
    if reason := _why_closed(order):
        return reason
    if order.is_being_cancelled:
        return _("A cancel of this order is under way. Wait until it ends.")
    return _why_refunds_forbid_cancel(order) or _why_dana_has_nothing(order)


def _why_refunds_forbid_cancel(order: Order) -> "Reason":
    if any(refund_request.unfinished for refund_request in order.refund_requests.all()):
        return _("A refund of this order is under way. Wait until it ends.")
    if order.refunded_amount:
        return _("Part of this order was refunded, so it can't be cancelled. Refund the rest instead.")
    return None


def _why_dana_has_nothing(order: Order) -> "Reason":
    if order.create_status == Order.CreateStatus.SUCCESS:
        return None
    calls = order.api_calls.of(operations.CREATE_ORDER)
    if order.next_attempt_at is not None and not calls.exists():
        return _("This order was not sent to DANA yet. Stop it instead.")
    if order.may_be_anothers:
        return _("DANA may have somebody else's order under this reference, so it must not be cancelled.")
    if not calls.not_refused_for_good().exists():
        return _("DANA never had this order, so there is nothing to cancel.")
    return None


def why_not_refund(order: Order) -> "Reason":
    """Return the sentence that says why nothing of an order can be refunded, or None if something can."""
    if reason := _why_closed(order):
        return reason
    if order.payment_status != Order.PaymentStatus.PAID:
        return _("This order is not paid, so there is nothing to refund.")
    if any(
        cancel_request.unfinished or cancel_request.is_end_unknown for cancel_request in order.cancel_requests.all()
    ):
        return _("A cancel of this order may still give all the money back. Wait until DANA answers.")
    if not order.amount_left:
        return _("Nothing is left to refund: all of it was refunded or is being refunded.")
    return None


def _why_closed(order: Order) -> "Reason":
    """Return why no money goes back by DANA any more, or None."""
    if order.settled_outside_at:
        return _("This order was settled outside DANA, so nothing more is given back here.")
    return _CLOSED.get(order.payment_status)


def why_not_retry(row: OutboundRequest) -> "Reason":
    """Return the sentence that says why the same payload can't be sent again, or None if it can."""
    if reason := _why_held(_order_of(row)):
        return reason
    if row.series_is_running:
        return _("It is being sent just now. Wait for DANA's answer.")
    if reason := _RETRY[row.operation.key](row):
        return reason
    if row.rule and row.call_status == "failed" and _refuses_payload(row.rule):
        return _("DANA refused the content of this request, so the same one would be refused again.")
    return None


def why_not_stop(row: OutboundRequest) -> "Reason":
    """Return the sentence that says why there is nothing to stop, or None if there is."""
    if row.next_attempt_at is None:
        return _("Nothing is being tried again here.")
    return _why_held(_order_of(row))


def _why_not_retry_create(order: Any) -> "Reason":
    if order.create_status == Order.CreateStatus.SUCCESS:
        return _("DANA has this order already.")
    if timezone.now() >= order.valid_up_to:
        return _("The time of this order is over, so DANA can't accept it any more. Create a new order.")
    if not order.is_open or order.cancel_requests.exists():
        return _("This order is closed or being cancelled. Create a new order.")
    if not order.attempts and not order.rule_code:
        return _("This order was stopped before it was sent. Create a new order.")
    return None


def _why_not_retry_cancel(cancel_request: Any) -> "Reason":
    order = cancel_request.order
    if cancel_request.status == CancelRequest.Status.SUCCESS:
        return _("This cancel has succeeded already.")
    if reason := _why_closed(order):
        return reason
    if order.cancel_requests.exclude(pk=cancel_request.pk).unfinished().exists():
        return _("Another cancel of this order is under way. Wait until it ends.")
    if order.may_be_anothers:
        return _("DANA may have somebody else's order under this reference, so it must not be cancelled.")
    return _why_refunds_forbid_cancel(order)


def _why_not_retry_refund(refund_request: Any) -> "Reason":
    order = refund_request.order
    if refund_request.status == RefundRequest.Status.SUCCESS:
        return _("This refund has succeeded already.")
    if reason := _why_closed(order) or (None if refund_request.unfinished else why_not_refund(order)):
        return reason
    if not refund_request.unfinished and refund_request.amount > order.amount_left:
        return _("Less than the amount of this refund is left. Ask for a smaller one.")
    return None


_RETRY: Final[dict[str, Callable[[Any], "Reason"]]] = {
    operations.CREATE_ORDER.key: _why_not_retry_create,
    operations.CANCEL_ORDER.key: _why_not_retry_cancel,
    operations.REFUND_ORDER.key: _why_not_retry_refund,
}

_CLOSED: Final[dict[str, "_StrPromise"]] = {
    Order.PaymentStatus.CANCELLED: _("This order is cancelled already."),
    Order.PaymentStatus.EXPIRED: _("The time to pay this order is over, so there is nothing to cancel or refund."),
    Order.PaymentStatus.REFUNDED: _("Already refunded."),
    Order.PaymentStatus.NOT_FOUND: _("DANA does not have this order, so there is nothing to cancel or refund."),
}


def _refuses_payload(rule: Rule) -> bool:
    """Whether it is the content that DANA refuses, and not the account or the moment."""
    others_fault = rule.is_tried_again or rule.blames_account or FollowUp.CONTACT_DANA in rule.follow_up
    is_doubtful = rule.may_mask_success or rule.order_unknown
    return rule.outcome is Outcome.FAILED and not others_fault and not is_doubtful


def _order_of(row: Any) -> Order:
    return row if isinstance(row, Order) else row.order


def _why_held(order: Order) -> "Reason":
    if order.is_held(timezone.now()):
        return _("A call to DANA is under way. Try again in a minute.")
    return None


# -- refusing -------------------------------------------------------------------------------------------------------


def refuse(reason: Any) -> None:
    """Raise a ValidationError on ``order`` where there is a reason to."""
    if reason:
        raise ValidationError({"order": reason})


def check_permission(user: AbstractBaseUser | None, permission: str) -> None:
    """Raise PermissionDenied where a user lacks a permission."""
    if user is not None and (reason := why_not_permitted(user, permission)):
        raise PermissionDenied(reason)


def why_not_permitted(user: AbstractBaseUser, permission: str) -> "Reason":
    """Return the sentence that says what a user may not do, or None."""
    return None if user.has_perm(permission) else _REFUSED_TO[permission]  # type: ignore[attr-defined]


_REFUSED_TO: Final = {
    CANCEL_PERMISSION: _("You may not cancel orders."),
    REFUND_PERMISSION: _("You may not refund orders."),
    SETTLE_PERMISSION: _("You do not have permission to mark orders as settled outside DANA."),
}


def refuse_in_transaction(what: str) -> None:
    """Raise RuntimeError inside a transaction, which would hold the order's lock during a call to DANA.

    Django's own TestCase transactions don't count, as with ``atomic(durable=True)``.
    """
    blocks = transaction.get_connection().atomic_blocks
    if blocks and not blocks[-1]._from_testcase:
        raise RuntimeError(
            f"{what} calls DANA, so it can't run inside a transaction. Call it after the transaction, for example "
            "with transaction.on_commit(), or mark the view with @transaction.non_atomic_requests where "
            "ATOMIC_REQUESTS made the transaction."
        )
