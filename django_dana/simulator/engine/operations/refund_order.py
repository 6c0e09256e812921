"""Refund Order."""

from decimal import Decimal
from typing import Any

from django_dana.protocol.notation import jakarta_time, money
from django_dana.simulator.engine import magic
from django_dana.simulator.engine.answers import Refusal
from django_dana.simulator.engine.operations.context import OperationContext, difference
from django_dana.simulator.engine.orders import Order, Refund, State


def refund(context: OperationContext) -> dict[str, Any]:
    """Give back part or all of a payment: idempotent on partnerRefundNo; different content is refused."""
    body = context.body
    case = magic.case_of_refund(body)
    if case is not None:
        raise Refusal(case, "refundAmount is a magic value")
    order = context.original_order()
    known = context.orders.refund_by_number(order.merchant_id, body["partnerRefundNo"])
    if known is not None:
        return _repeated(*known, body)
    amount = Decimal(body["refundAmount"]["value"])
    _check(context, order, amount)
    new = context.orders.refund(order, amount, partner_refund_no=body["partnerRefundNo"], content=body)
    return _refunded(order, new)


def _repeated(order: Order, refund: Refund, body: dict[str, Any]) -> dict[str, Any]:
    if refund.content != body:
        raise Refusal("40418", f"partnerRefundNo is known with a different {difference(refund.content, body)}")
    return _refunded(order, refund)


def _check(context: OperationContext, order: Order, amount: Decimal) -> None:
    window = context.behaviour.refund_window
    if order.state is not State.SUCCESS or order.paid_at is None:
        raise Refusal("40400", f"the order is {order.state}, not paid")
    if window is not None and context.now > order.paid_at + window:
        # the case in which DANA's suite expects a refund after its window
        raise Refusal("40315", f"the order was paid more than {window} ago")
    if amount > order.refundable:
        raise Refusal(context.behaviour.excess_refund, f"{order.refundable:.2f} is left of the payment")


def _refunded(order: Order, refund: Refund) -> dict[str, Any]:
    return {
        "originalPartnerReferenceNo": order.reference,
        "originalReferenceNo": order.reference_no,
        "originalExternalId": order.external_id,
        "refundNo": refund.refund_no,
        "partnerRefundNo": refund.partner_refund_no,
        "refundAmount": money(refund.amount, order.currency),
        "refundTime": jakarta_time(refund.refunded_at),
    }
