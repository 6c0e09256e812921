"""Finish Notify: the records and the body of what DANA tells a shop about an order.

The shape of the body is that of notifications that DANA's SDKs keep as test vectors.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django_dana.protocol.notation import compact_json, jakarta_time, money
from django_dana.simulator.engine.behaviour import Behaviour
from django_dana.simulator.engine.methods import Method
from django_dana.simulator.engine.orders import STATUS, Order, State


@dataclass(slots=True)
class DeliveryAttempt:
    """One attempt to deliver a notification.

    Attributes:
        error: why no whole HTTP reply came.
        hints: what DANA's page asks of the shop's answer and this one lacks.
    """

    sent_at: float
    timestamp: str
    external_id: str
    duration: float = 0.0
    http_status: int | None = None
    response_code: str = ""
    response_body: str = ""
    error: str = ""
    faults: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Notification:
    """One message to a shop.

    Attributes:
        status: latestTransactionStatus.
        state: ``waiting``, ``sending``, ``acknowledged`` (by 2005600), ``given up`` or ``lost``.
        due: when the next attempt begins, by time.monotonic.
        held: whether it waits for another one to overtake it.
    """

    number: int
    merchant_id: str
    partner_id: str
    reference: str
    status: str
    url: str
    content: dict[str, Any]
    state: str = "waiting"
    due: float = 0.0
    held: bool = False
    attempts: list[DeliveryAttempt] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def content(order: Order, behaviour: Behaviour) -> dict[str, Any]:
    """Return the body of an order's notification as of now."""
    status = STATUS[order.state]
    body: dict[str, Any] = {
        "originalPartnerReferenceNo": order.reference,
        "originalReferenceNo": order.reference_no,
        "merchantId": order.merchant_id,
        "amount": money(order.amount, order.currency),
        "latestTransactionStatus": status,
        "transactionStatusDesc": str(order.state),
        "createdTime": _time(order.created_at, behaviour),
    }
    if order.content.get("subMerchantId"):
        body["subMerchantId"] = order.content["subMerchantId"]
    if order.content.get("externalStoreId"):
        body[behaviour.store_id_name] = order.content["externalStoreId"]
    finished_at = order.paid_at if order.state is State.SUCCESS else order.closed_at or order.cancelled_at
    if finished_at is not None and not (behaviour.omit_finished_time and status == "05"):
        body["finishedTime"] = _time(finished_at, behaviour)
    if order.state is State.SUCCESS and order.paid_at is not None and order.paid_with is not None:
        body["additionalInfo"] = _payment(order, order.paid_with, _time(order.paid_at, behaviour))
    else:
        body["additionalInfo"] = {"extendInfo": compact_json({"closedReason": _REASONS[order.state]})}
    return body


_REASONS: Final = {
    State.CLOSED: "ORDER_EXPIRED",
    State.CANCELLED: "MERCHANT_CANCEL",
    State.INIT: "",
    State.PAYING: "",
    State.SUCCESS: "",
}


def _time(moment: datetime, behaviour: Behaviour) -> str:
    if behaviour.time_form == "epoch":
        return str(int(moment.timestamp() * 1000))
    return jakarta_time(moment)


def _payment(order: Order, method: Method, paid_time: str) -> dict[str, Any]:
    amount = money(order.amount, order.currency)
    option = {
        "payMethod": method.pay_method,
        **({"payOption": method.pay_option} if method.pay_option else {}),
        "payAmount": amount,
        "transAmount": amount,
        "chargeAmount": {"value": "0.00", "currency": order.currency},
    }
    if order.payment_code and method.is_virtual_account:
        option["paymentCode"] = order.payment_code
    info: dict[str, Any] = {
        "cashierRequestId": order.reference_no[-32:],
        "payOptionInfos": [option],
        "extendInfo": "{}",
    }
    # captures have paidTime inside paymentInfo for the balance and QRIS, beside it for everything else
    if method.is_qris or not method.pay_option:
        info["paidTime"] = paid_time
        return {"paymentInfo": info, "extendInfo": "{}"}
    return {"paymentInfo": info, "paidTime": paid_time, "extendInfo": "{}"}
