"""Messages from DANA: kept as they came, and applied to the order they are about."""

from collections.abc import Collection, Mapping
from typing import Final

from django.db.models import QuerySet

from django_dana import tasks
from django_dana.conf import Account
from django_dana.models import Notification, Order
from django_dana.protocol.messages import StatusReport
from django_dana.transitions import locked_order, payments

MAX_REFUSED: Final = 1_000
MAX_REFUSED_BYTES: Final = 4_096

_KEPT_HEADERS: Final = frozenset(
    {
        *("content-type", "x-timestamp", "x-signature", "origin", "x-partner-id", "x-external-id", "channel-id"),
        *("charset", "user-agent"),
    }
)


def keep_notification(
    *, body: bytes, headers: Mapping[str, str], account: str, verified_by: str, outcome: str, error: str
) -> Notification:
    """Store a message as it came, in a write of its own. The store of refused ones is bounded in size and number."""
    verified = bool(verified_by)
    kept = body if verified else body[:MAX_REFUSED_BYTES]
    notification = Notification.objects.create(
        account=account,
        body=kept.decode("utf-8", "backslashreplace").replace("\x00", "\\x00"),
        headers={name: value[:512] for name, value in headers.items() if name.lower() in _KEPT_HEADERS},
        verified=verified,
        verified_by=verified_by,
        outcome=outcome,
        error=error[:300],
    )
    if not verified:
        surplus = list(_surplus().values_list("pk", flat=True))
        Notification.objects.filter(pk__in=surplus).delete()
    return notification


def _surplus() -> QuerySet[Notification]:
    """The next refused messages that are too many, the latest first."""
    return Notification.objects.refused().order_by("-id")[MAX_REFUSED : MAX_REFUSED + 100]


def find_order(aliases: Collection[str], *, merchant_id: str, partner_reference_no: str) -> Order | None:
    """Return the order of one of these accounts that a message names, or None."""
    candidates = Order.objects.filter(
        merchant_id=merchant_id, partner_reference_no=partner_reference_no, account__in=aliases
    )
    # Some collations find "inv-1" for "INV-1"; DANA does not.
    exact = (merchant_id, partner_reference_no)
    return next((order for order in candidates if (order.merchant_id, order.partner_reference_no) == exact), None)


def conclude_notification(
    notification: Notification, outcome: Notification.Outcome, *, order: Order | None = None, error: str = ""
) -> None:
    """Note what became of a message."""
    notification.outcome, notification.order, notification.error = outcome, order, error[:300]
    if order is not None:
        # of several accounts with one merchant, only the order tells which it is
        notification.account = order.account
    notification.save(update_fields=["account", "outcome", "order", "error"])


def apply_notification(notification: Notification, order: Order, account: Account, report: StatusReport) -> None:
    """Apply what a verified message says about an order. A repetition changes nothing."""
    with locked_order(order.pk, account) as locked:
        payments.reported_by_notification(locked, report)
        order = locked.order
        outcome = Notification.Outcome.KNOWN
        if locked.is_news:
            outcome = Notification.Outcome.ATTENTION if order.needs_attention else Notification.Outcome.APPLIED
        conclude_notification(notification, outcome, order=order)
        tasks.start_follow_up(order)
