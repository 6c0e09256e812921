"""What staff decide about what needs attention."""

from django_dana.models import CancelRequest, Order, OutboundRequest, RefundRequest
from django_dana.transitions.base import FROM_REQUESTS, LockedOrder


def waits_for_answer(locked: LockedOrder, row: OutboundRequest) -> bool:
    """Whether DANA is being asked about it, so that only its answer may clear the attention."""
    order = locked.order
    if order.next_sync_at is None:
        return False
    if isinstance(row, Order) and order.needs_attention not in FROM_REQUESTS:
        return order.needs_attention == Order.Attention.CONFLICT
    return locked.has_request_of_unknown_end


def reviewed(locked: LockedOrder, row: OutboundRequest) -> None:
    """Staff have looked: no attention, and for an order no more queries about what it was."""
    order = locked.order
    is_order = isinstance(row, Order)
    requests: list[CancelRequest | RefundRequest] = [*locked.cancels, *locked.refunds]
    for request in requests:
        is_the_one = type(request) is type(row) and request.pk == row.pk
        if is_the_one or (is_order and order.needs_attention in FROM_REQUESTS):
            request.needs_attention = ""
    if not is_order:
        return
    order.needs_attention = ""
    if not (order.outcome_ambiguous or locked.is_being_cancelled or locked.has_request_of_unknown_end):
        order.next_sync_at = order.unsettled_since = None


def settled_outside(locked: LockedOrder, note: str) -> None:
    """Staff have settled the money by other means: nothing needs attention any more."""
    locked.order.settled_outside_at = locked.now
    locked.order.settled_outside_note = note
    locked.order.needs_attention = ""
    requests: list[CancelRequest | RefundRequest] = [*locked.cancels, *locked.refunds]
    for request in requests:
        request.needs_attention = ""
