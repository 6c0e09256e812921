"""Cancel Order."""

from decimal import Decimal
from typing import Any

from django_dana.protocol.notation import jakarta_time
from django_dana.simulator.engine import magic
from django_dana.simulator.engine.answers import Refusal
from django_dana.simulator.engine.operations.context import OperationContext
from django_dana.simulator.engine.orders import Order, State


def cancel(context: OperationContext) -> dict[str, Any]:
    """Close an unpaid order, or give a paid one back within the cancel window."""
    case = magic.case_of_cancel(context.body)
    if case is not None:
        raise Refusal(case, "originalPartnerReferenceNo is a magic value")
    order = context.original_order()
    _check_amount(context, order)
    if order.state is State.CANCELLED and context.behaviour.repeated_cancel != "2005700":
        raise Refusal(context.behaviour.repeated_cancel, "the order was cancelled before")
    if order.state is State.CANCELLED:
        return _cancelled(order)
    if order.refunds:
        raise Refusal("40400", "the order was refunded")
    if order.state is State.CLOSED:
        raise Refusal("40400", "the order is closed: it expired unpaid")
    if order.paid_at is not None and context.now > order.paid_at + context.behaviour.cancel_window:
        raise Refusal("40300", f"the order was paid more than {context.behaviour.cancel_window} ago")
    context.orders.cancel(order)
    return _cancelled(order)


def _check_amount(context: OperationContext, order: Order) -> None:
    amount = context.body.get("amount")
    if amount and Decimal(amount["value"]) != order.amount:
        raise Refusal("40001", f"amount is not the order's: {order.amount:.2f}", field="amount")


def _cancelled(order: Order) -> dict[str, Any]:
    answer = {
        "originalPartnerReferenceNo": order.reference,
        "originalReferenceNo": order.reference_no,
        "originalExternalId": order.external_id,
    }
    if order.cancelled_at is not None:
        answer["cancelTime"] = jakarta_time(order.cancelled_at)
    if order.paid_at is not None:
        answer["transactionDate"] = jakarta_time(order.paid_at)
    return answer
