"""What follows from a query of ours, whatever it brought, and from a call that could not be made."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from django_dana import timing
from django_dana.models import REQUESTS, Order, OutboxEvent
from django_dana.protocol import operations
from django_dana.transitions import cancels, refunds
from django_dana.transitions.base import CONTRADICTIONS, LockedOrder


def ended(locked: LockedOrder) -> None:
    """Decide, after a query, whether and when to ask again."""
    order = locked.order
    if not _is_unsettled(locked):
        order.next_sync_at = _later(locked)
        order.unsettled_since = None
        locked.clear_attention(Order.Attention.UNSETTLED)
        return
    order.unsettled_since = order.unsettled_since or locked.now
    elapsed = locked.now - order.unsettled_since
    if elapsed > timing.SYNC_FOR:
        order.next_sync_at = None
        locked.flag_attention(Order.Attention.UNSETTLED)
        return
    order.next_sync_at = locked.now + timing.sync_delay(locked.account, elapsed)


def outdated(locked: LockedOrder) -> None:
    """Ask once more at once: something changed while the query was on its way."""
    locked.order.next_sync_at = locked.now


@transaction.atomic
def account_unusable(order_id: int) -> None:
    """Note that no call can be made for this order, and try again when ACCOUNT_REST is over."""
    order = Order.objects.lock(order_id)
    due = timezone.now() + timing.ACCOUNT_REST
    fields = ["updated_at"]
    if order.next_attempt_at is not None:
        order.next_attempt_at = max(order.next_attempt_at, due)
        fields.append("next_attempt_at")
    # also where no query was due yet: the sweep for those without an answer passes over what needs attention
    if order.is_open or order.next_sync_at is not None:
        # sooner, if need be: a query does no harm, and it clears the flag
        order.next_sync_at = due
        fields.append("next_sync_at")
    scheduled = [kind.of(order).exclude(next_attempt_at=None) for kind in REQUESTS]
    # nothing comes to clear the flag where nothing is due
    is_due = len(fields) > 1 or any(requests.exists() for requests in scheduled)
    for requests in scheduled:
        requests.filter(next_attempt_at__lt=due).update(next_attempt_at=due)
    if is_due and order.flag_attention(Order.Attention.ACCOUNT):
        fields.append("needs_attention")
        OutboxEvent.objects.create(name="order_needs_attention", order=order)
    order.save(update_fields=fields)


def _is_unsettled(locked: LockedOrder) -> bool:
    order = locked.order
    is_overdue = order.is_open and order.create_status != Order.CreateStatus.FAILED
    return (
        locked.answered_too_early
        or order.outcome_ambiguous
        or order.needs_attention in CONTRADICTIONS
        or (is_overdue and locked.now >= order.valid_up_to + timing.GRACE)
        or locked.has_request_of_unknown_end
    )


def _later(locked: LockedOrder) -> datetime | None:
    """Return when DANA is asked next about what is settled as far as it can be."""
    order, now = locked.order, locked.now
    if order.is_open:
        may_exist = order.needs_attention == Order.Attention.NO_ADDRESS or (
            order.create_status == Order.CreateStatus.FAILED and bool(locked.unseen_calls(operations.CREATE_ORDER))
        )
        after = order.valid_up_to + timing.GRACE
        # the sweep passes over an order that needs attention or failed, so its last query is scheduled here
        if may_exist and now < after:
            return after
    watched = [until for until in (cancels.watched_until(locked), refunds.watched_until(locked)) if until]
    return now + timing.WATCH_EVERY if watched and now < max(watched) else None
