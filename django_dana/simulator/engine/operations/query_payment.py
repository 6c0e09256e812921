"""Query Payment."""

from decimal import Decimal
from typing import Any

from django_dana.protocol.notation import jakarta_time, money
from django_dana.simulator.engine import magic
from django_dana.simulator.engine.answers import Refusal
from django_dana.simulator.engine.operations.context import OperationContext
from django_dana.simulator.engine.orders import STATUS, Order, State


def query(context: OperationContext) -> dict[str, Any]:
    """Tell what DANA knows about an order; under the fault ``lag``, what it knew some time ago."""
    body = context.body
    case = magic.case_of_query(body)
    if case is not None:
        raise Refusal(case, "serviceCode is a magic value")
    order = _find_queried(context)
    if order is None:
        raise Refusal("40401", "this merchant and service have no such order")
    status = context.behaviour.refunded_status if order.is_refunded else STATUS[order.state]
    answer = {
        "originalPartnerReferenceNo": order.reference,
        "originalReferenceNo": order.reference_no,
        "serviceCode": body["serviceCode"],
        "latestTransactionStatus": status,
        "transactionStatusDesc": str(order.state),
        "originalResponseCode": "2005400",
        "originalResponseMessage": "Successful",
        "transAmount": money(order.amount, order.currency),
        "amount": money(order.amount, order.currency),
        "feeAmount": money(Decimal(0), order.currency),
        "title": order.title,
        "additionalInfo": _details(order),
    }
    if len(order.external_id) <= 32:
        # X-EXTERNAL-ID may have 36 characters, but in this answer there is room for 32
        answer["originalExternalId"] = order.external_id
    if order.paid_at is not None:
        answer["paidTime"] = jakarta_time(order.paid_at)
    return answer


def _find_queried(context: OperationContext) -> Order | None:
    body = context.body
    merchant_ids = {merchant.merchant_id for merchant in context.merchants}
    # Query's table has no "Invalid Merchant": somebody else's order is simply not found
    if body["merchantId"] not in merchant_ids or body["serviceCode"] != "54":
        return None
    reference, number = body.get("originalPartnerReferenceNo"), body.get("originalReferenceNo")
    order = context.orders.get(body["merchantId"], reference) if reference else context.orders.by_number(str(number))
    if order is None or order.merchant_id != body["merchantId"] or number not in (None, "", order.reference_no):
        return None
    return context.orders.as_of(order, context.now - context.lag) if context.lag else order


def _details(order: Order) -> dict[str, Any]:
    times: dict[str, Any] = {
        "createdTime": jakarta_time(order.created_at),
        "expiryTime": jakarta_time(order.valid_up_to),
    }
    amounts = {"orderAmount": money(order.amount, order.currency)}
    details: dict[str, Any] = {
        "merchantId": order.merchant_id,
        "amountDetail": amounts,
        "timeDetail": times,
        "statusDetail": {
            "acquirementStatus": str(order.state),
            # texts: DANA's page has booleans here, but its own SDK reads nothing else than texts
            "frozen": "false",
            "cancelled": "true" if order.state is State.CANCELLED else "false",
        },
    }
    if order.paid_at is not None:
        amounts["payAmount"] = amounts["confirmAmount"] = money(order.amount, order.currency)
        times["paidTimes"] = times["confirmedTimes"] = [jakarta_time(order.paid_at)]
    if order.refunds:
        amounts["refundAmount"] = money(order.refunded, order.currency)
    if order.state is State.CANCELLED and order.cancelled_at is not None:
        amounts["voidAmount"] = money(order.amount, order.currency)
        times["cancelledTime"] = jakarta_time(order.cancelled_at)
    if order.method is not None and order.method.is_virtual_account:
        details["virtualAccountInfo"] = {
            "virtualAccountCode": order.payment_code,
            "virtualAccountExpiryTime": jakarta_time(order.valid_up_to),
        }
    return details
