"""The books: what this DANA believes and has seen, to be compared with what a shop believes."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django_dana.protocol.notation import jakarta_time, money
from django_dana.simulator.journal import Call
from django_dana.simulator.orders import STATUS, Order

if TYPE_CHECKING:
    from django_dana.simulator.simulator import Simulator


def export(dana: "Simulator") -> dict[str, Any]:
    """Return the books as plain JSON values.

    Returns:
        ``orders``: each with merchant, reference, amount, state and status, times, refunds.
        ``requests``: for each merchant, operation and key (the order's reference; partnerRefundNo for a refund)
        the distinct bodies that were sent, in order; more than one where it should be one is a shop's mistake.
        ``calls``: each with start and end in seconds since the epoch, verdict, answer and faults.
        ``notifications``: each with all its tries and what the shop answered.
    """
    with dana.lock:
        dana.orders.expire_due()
        calls = dana.journal.calls
        return {
            "seed": dana.seed,
            "written_at": jakarta_time(dana.clock.now()),
            "merchants": [
                {"merchant_id": merchant.merchant_id, "partner_id": merchant.partner_id}
                for merchant in dana.merchants.all
            ],
            "orders": [_order(order) for order in dana.orders],
            "requests": _requests(calls),
            "calls": [asdict(call) for call in calls],
            "notifications": [asdict(item) for item in dana.notifications.all],
        }


def _order(order: Order) -> dict[str, Any]:
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
        "refunds": [
            {"number": item.number, "refund_no": item.refund_no, "amount": money(item.amount, order.currency)}
            for item in order.refunds
        ],
        **{name: jakarta_time(moment) if moment else None for name, moment in moments.items()},
    }


def _requests(calls: list[Call]) -> list[dict[str, Any]]:
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
