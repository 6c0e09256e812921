"""What need not be kept for ever: the long texts of what is settled. The rows themselves stay."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from django_dana.models import ApiCall, CancelRequest, Notification, Order, OutboxEvent, RefundRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows were emptied or deleted, or would be.

    ``unmatched`` counts the notifications without an order, refused or not.
    """

    calls: int
    notifications: int
    unmatched: int


def prune(*, before: datetime, batch_size: int = 1000, dry_run: bool = False) -> Pruned:
    """Empty the bodies of settled orders, and delete notifications that have no order.

    Args:
        before: only what was last touched before this moment.
        batch_size: orders, or notifications without one, per statement; each statement is a transaction of its own and
            looks again whether all is settled.
        dry_run: count only.

    Returns:
        The numbers of rows.
    """
    replies = ApiCall.objects.filter(started_at__lt=before).exclude(response_body="")
    messages = Notification.objects.filter(received_at__lt=before).exclude(body="")
    strangers = Notification.objects.filter(order=None, received_at__lt=before)
    settled = settled_orders(before)
    calls = notifications = unmatched = 0
    for first, last in _batches(settled, batch_size):
        # the range stands twice, since only that leads every database to the few rows of these orders
        orders = settled.filter(pk__gte=first, pk__lte=last)
        of_orders = Q(order_id__gte=first, order_id__lte=last, order__in=orders)
        calls += _empty(replies.filter(of_orders), dry_run, response_body="")
        notifications += _empty(messages.filter(of_orders), dry_run, body="", headers={})
    for first, last in _batches(strangers, batch_size):
        found = strangers.filter(pk__gte=first, pk__lte=last)
        unmatched += found.count() if dry_run else found.delete()[1].get(Notification._meta.label, 0)
    return Pruned(calls=calls, notifications=notifications, unmatched=unmatched)


def settled_orders(before: datetime) -> QuerySet[Order]:
    """Orders that were last touched before this moment and about which nothing is open.

    Neither the payment nor a cancel or refund, nothing is due, held or still to be told, and nobody has to look.
    """
    closed = ~Q(payment_status__in=Order.OPEN_PAYMENT) | Q(
        payment_status=Order.PaymentStatus.NONE, create_status=Order.CreateStatus.FAILED
    )
    is_open = Q(unfinished=True) | ~Q(needs_attention="")
    open_cancels = CancelRequest.objects.filter(is_open, order=OuterRef("pk"))
    open_refunds = RefundRequest.objects.filter(is_open, order=OuterRef("pk"))
    return Order.objects.free(timezone.now()).filter(
        closed,
        ~Exists(open_cancels),
        ~Exists(open_refunds),
        ~Exists(OutboxEvent.objects.filter(order=OuterRef("pk"))),
        updated_at__lt=before,
        needs_attention="",
        next_attempt_at=None,
        next_sync_at=None,
    )


def _empty(rows: QuerySet[Any], dry_run: bool, **values: Any) -> int:  # noqa: FBT001
    return rows.count() if dry_run else rows.update(**values)


def _batches(found: QuerySet[Any], size: int) -> Iterator[tuple[int, int]]:
    """Cut what is found into ranges of keys; give the first and the last key of each."""
    last = 0
    while keys := list(found.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:size]):
        last = keys[-1]
        yield keys[0], last
