"""What need not be kept for ever: the long texts of what is settled. The rows themselves stay."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.utils import timezone

from django_dana.models import ApiCall, CancelRequest, Event, Notification, Order

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows were emptied or deleted, or would be."""

    calls: int
    notifications: int
    refused: int


def prune(*, before: datetime, batch_size: int = 1000, dry_run: bool = False) -> Pruned:
    """Empty the bodies of settled orders, and delete refused notifications.

    Args:
        before: only what was last touched before this moment.
        batch_size: rows per transaction; each is one short statement, which looks again whether all is settled.
        dry_run: count only.

    Returns:
        The numbers of rows.
    """
    settled = settled_orders(before)
    calls = ApiCall.objects.filter(started_at__lt=before, order__in=settled).exclude(response_body="")
    notifications = Notification.objects.filter(received_at__lt=before, order__in=settled).exclude(body="")
    refused = Notification.objects.filter(received_at__lt=before, verified=False)
    if dry_run:
        return Pruned(calls=calls.count(), notifications=notifications.count(), refused=refused.count())
    return Pruned(
        calls=_in_batches(calls, batch_size, lambda batch: batch.update(response_body="")),
        notifications=_in_batches(notifications, batch_size, lambda batch: batch.update(body="", headers={})),
        refused=_in_batches(refused, batch_size, lambda batch: batch.delete()[0]),
    )


def settled_orders(before: datetime) -> QuerySet[Order]:
    """Orders that were last touched before this moment and about which nothing is open.

    Neither the payment nor a cancel, nothing is due, held or still to be told, and nobody has to look.
    """
    closed = ~Q(payment_status__in=Order.OPEN_PAYMENT) | Q(
        payment_status=Order.PaymentStatus.NONE, create_status=Order.CreateStatus.FAILED
    )
    open_cancels = CancelRequest.objects.filter(Q(unfinished=True) | ~Q(needs_attention=""), order=OuterRef("pk"))
    return Order.objects.free(timezone.now()).filter(
        closed,
        ~Exists(open_cancels),
        ~Exists(Event.objects.filter(order=OuterRef("pk"))),
        updated_at__lt=before,
        needs_attention="",
        next_attempt_at=None,
        next_sync_at=None,
    )


def _in_batches(found: QuerySet[Row], size: int, act: Callable[[QuerySet[Row]], Any]) -> int:
    done, last = 0, 0
    while batch := list(found.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:size]):
        done += act(found.filter(pk__in=batch))
        last = batch[-1]
    return done
