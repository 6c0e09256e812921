"""Noting that the money of an order was settled by other means, where DANA can't do it any more."""

from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_dana import validation
from django_dana.models import CancelRequest, Order

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

SETTLE_PERMISSION: Final = "django_dana.settle_order_outside"


def why_not_settle_outside(order: Order) -> "_StrPromise | None":
    """Return the sentence that says why an order can't be settled outside DANA, or None if it can."""
    if order.settled_outside_at:
        return _("It is noted already that this order was settled outside DANA.")
    if order.payment_status != Order.PaymentStatus.PAID:
        return _("No money of this order is with us, so there is nothing to settle.")
    requests = list(order.cancel_requests.all())
    if any(row.unfinished for row in requests):
        return _("A refund is under way. Wait for its end, or stop it, so that the money does not go back twice.")
    is_unknown = any(row.needs_attention == CancelRequest.Attention.END_UNKNOWN for row in requests)
    if is_unknown and order.next_sync_at is not None:
        return _("DANA is being asked whether the refund happened. Wait for its answer.")
    return None


def settle_outside(order: Order, *, note: str, settled_by: AbstractBaseUser | None = None) -> Order:
    """Note that the money of an order was settled by other means. This moves no money and tells DANA nothing.

    What needed a person's attention about the order and its requests needs it no more.

    Args:
        order: the order.
        note: how, for example the number of a bank transfer; at most 500 characters.
        settled_by: who says so; the permission ``django_dana.settle_order_outside`` is checked here.

    Raises:
        PermissionDenied: ``settled_by`` may not.
        ValidationError: no money is with us, something is under way, or the note is missing.
    """
    user: Any = settled_by
    if user is not None and not user.has_perm(SETTLE_PERMISSION):
        raise PermissionDenied(_("You may not settle orders outside DANA."))
    problems = validation.Problems()
    note = validation.text(problems, "note", " ".join(note.split()), 500, required=True)
    problems.raise_if_any()
    with transaction.atomic():
        locked = Order.objects.lock(order.pk)
        if reason := why_not_settle_outside(locked):
            raise ValidationError({"order": reason})
        locked.settled_outside_at = timezone.now()
        locked.settled_outside_note = note
        locked.needs_attention = ""
        locked.save(update_fields=["settled_outside_at", "settled_outside_note", "needs_attention", "updated_at"])
        locked.cancel_requests.exclude(needs_attention="").update(needs_attention="")
    return locked
