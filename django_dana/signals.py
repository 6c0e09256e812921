"""What the shop hears. Receivers are called in a worker, at least once for each change, so they must be idempotent.

Every signal is sent with ``sender=Order`` and ``order``; the cancel signals also with ``cancel_request``, the refund
signals with ``refund_request``. Only ``notification_unmatched``, which is about no order, is sent with
``sender=Notification`` and ``notification``.
A receiver that raises is called again later; the others of the same signal are then called again too.
"""

from typing import Final

from django.dispatch import Signal


class _Signal(Signal):
    """A signal whose failing receivers are logged by the outbox, once a minute, and not each time by Django as well."""

    def _log_robust_failure(self, receiver: object, error: Exception) -> None:
        pass


#: DANA has the order: the buyer can pay.
order_created = _Signal()

#: DANA refused the order for good; nothing is tried again.
order_failed = _Signal()

#: The money is there. Deliver on this one only.
order_paid = _Signal()

#: The time to pay is over.
order_expired = _Signal()

#: The order was cancelled or refunded at DANA; if it was paid, the money went back. ``cancel_request`` may be None.
order_cancelled = _Signal()

#: A cancel was refused for good; nothing is tried again. Carries ``cancel_request``.
cancel_failed = _Signal()

#: A cancel was given up without knowing its end; DANA is being asked. Carries ``cancel_request``.
cancel_aborted = _Signal()

#: Money went back by a refund, part or all of it. ``refund_request`` is None where the refund was not ours.
order_refunded = _Signal()

#: A refund was refused for good, or DANA says that it was not made. Carries ``refund_request``.
refund_failed = _Signal()

#: Staff should look; ``order.needs_attention`` says why.
order_needs_attention = _Signal()

#: DANA told of an order that is not ours: ``notification`` has the merchant id and the reference that it names.
notification_unmatched = _Signal()

BY_NAME: Final = {
    "order_created": order_created,
    "order_failed": order_failed,
    "order_paid": order_paid,
    "order_expired": order_expired,
    "order_cancelled": order_cancelled,
    "cancel_failed": cancel_failed,
    "cancel_aborted": cancel_aborted,
    "order_refunded": order_refunded,
    "refund_failed": refund_failed,
    "order_needs_attention": order_needs_attention,
    "notification_unmatched": notification_unmatched,
}
