"""Staff have looked."""

from django.utils.translation import gettext_lazy as _

from django_dana.models import Order, OutboundRequest
from django_dana.services.orders import account_of
from django_dana.services.permitted import refuse
from django_dana.transitions import locked_order, reviews


def clear_attention(row: OutboundRequest) -> None:
    """Note that staff have looked, so that the row no longer needs attention.

    Raises:
        ValidationError: DANA is being asked, and only its answer may end this.
    """
    order = row if isinstance(row, Order) else row.order  # type: ignore[attr-defined]
    with locked_order(order.pk, account_of(order)) as locked:
        if reviews.waits_for_answer(locked, row):
            refuse(_("DANA is being asked about this order. Wait for its answer."))
        reviews.reviewed(locked, row)
