"""What staff do about a message of DANA that changed nothing: apply it again, or match it to an order."""

from typing import TYPE_CHECKING, Final

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_dana import background
from django_dana.exceptions import InvalidSignature
from django_dana.models import Notification, Order
from django_dana.services.orders import account_of
from django_dana.services.permitted import refuse
from django_dana.transitions import locked_order

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Outcome = Notification.Outcome

_NOT_APPLIED: Final = (Outcome.UNKNOWN_ORDER, Outcome.FAILED, Outcome.BAD_SIGNATURE)


def why_not_apply_again(notification: Notification) -> "_StrPromise | None":
    """Return the sentence that says why a message can't be applied again, or None if it can."""
    if notification.outcome not in _NOT_APPLIED:
        return _("Applying it again would change nothing.")
    return _why_reviewed(notification)


def apply_again(notification: Notification) -> Notification.Outcome:
    """Verify a message once more and apply it, after what stood in its way was put right.

    Nobody's word makes an order paid: the signature must fit the keys that the DANA setting has now.

    Raises:
        ValidationError: it can't be applied again, or its signature does not fit.
    """
    if reason := why_not_apply_again(notification):
        raise ValidationError(reason)
    # cryptography comes with the first message, and not when Django starts
    from django_dana.services import notifications
    from django_dana.services.verification import AccountUnreadable

    try:
        return notifications.receive_again(notification)
    except (InvalidSignature, AccountUnreadable):
        raise ValidationError(_("DANA's keys in the setting do not fit this message, so it changes nothing.")) from None


def why_not_match(notification: Notification) -> "_StrPromise | None":
    """Return the sentence that says why a message can't be matched to an order, or None if it can."""
    if notification.order_id is not None:
        return _("It belongs to an order already.")
    if not notification.verified:
        return _("Nobody has proved that DANA sent this message.")
    return _why_reviewed(notification)


def match_to_order(notification: Notification, order: Order) -> None:
    """Note to which order a message belongs, and have DANA asked about that order.

    The message itself changes nothing: it names another reference, so only DANA's answer may call the order paid.

    Raises:
        ValidationError: it can't be matched, or DANA can't be asked about the order.
    """
    if reason := why_not_match(notification):
        raise ValidationError(reason)
    if order.create_status == Order.CreateStatus.NEW:
        refuse(_("This order was not sent to DANA yet, so the message is not about it."))
    with locked_order(order.pk, account_of(order)) as locked:
        locked.sync_now()
        notification.order = locked.order
        notification.reviewed_at = timezone.now()
        notification.save(update_fields=["order", "reviewed_at"])
    background.start_follow_up(locked.order)


def _why_reviewed(notification: Notification) -> "_StrPromise | None":
    return _("It has already been reviewed.") if notification.reviewed_at else None
