"""The state of a simulator as plain JSON values, for comparison with what a shop knows."""

from typing import Any

from django_dana.protocol.notation import jakarta_time, money
from django_dana.simulator.engine.call_log import Call
from django_dana.simulator.engine.orders import STATUS, Order, Refund


def order_entry(order: Order) -> dict[str, Any]:
    """Return an order with its refunds."""
    moments = {
        "created_at": order.created_at,
        "valid_up_to": order.valid_up_to,
        "paid_at": order.paid_at,
        "closed_at": order.closed_at,
        "cancelled_at": order.cancelled_at,
    }
    return {
        "merchant_id": order.merchant_id,
        "reference": order.reference,
        "reference_no": order.reference_no,
        "amount": money(order.amount, order.currency),
        "state": str(order.state),
        "status": STATUS[order.state],
        "payments": order.payments,
        "paid_with": order.paid_with.name if order.paid_with else None,
        "payment_code": order.payment_code,
        "web_redirect_url": order.web_redirect_url,
        "refunded": money(order.refunded, order.currency),
        "refunds": [refund_entry(order, refund) for refund in order.refunds],
        "is_foreign": order.is_foreign,
        **{name: jakarta_time(moment) if moment else None for name, moment in moments.items()},
    }


def refund_entry(order: Order, refund: Refund) -> dict[str, Any]:
    """Return one refund of an order."""
    return {
        "merchant_id": order.merchant_id,
        "reference": order.reference,
        "partner_refund_no": refund.partner_refund_no,
        "refund_no": refund.refund_no,
        "amount": money(refund.amount, order.currency),
        "refunded_at": jakarta_time(refund.refunded_at),
    }


def request_entries(calls: list[Call]) -> list[dict[str, Any]]:
    """Return the distinct bodies for each merchant, operation and key; more than one is a mistake of the shop's."""
    bodies: dict[tuple[str, str, str], list[str]] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for call in calls:
        place = (call.merchant_id, call.operation, call.key)
        seen = bodies.setdefault(place, [])
        counts[place] = counts.get(place, 0) + 1
        if call.body not in seen:
            seen.append(call.body)
    return [
        {
            "merchant_id": merchant_id,
            "operation": operation,
            "key": key,
            "calls": counts[merchant_id, operation, key],
            "bodies": seen,
        }
        for (merchant_id, operation, key), seen in bodies.items()
    ]
