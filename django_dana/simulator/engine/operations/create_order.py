"""Create Order."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django_dana.simulator.engine import methods, qris
from django_dana.simulator.engine.addresses import checkout_url
from django_dana.simulator.engine.answers import Refusal
from django_dana.simulator.engine.behaviour import Behaviour
from django_dana.simulator.engine.merchants import Merchant
from django_dana.simulator.engine.methods import Method
from django_dana.simulator.engine.operations.context import OperationContext, difference
from django_dana.simulator.engine.orders import Order


def create(context: OperationContext) -> dict[str, Any]:
    """Create an order: idempotent on merchant and reference; different content is refused."""
    merchant, body = context.merchant(), context.body
    known = context.orders.get(merchant.merchant_id, body["partnerReferenceNo"])
    if known is not None:
        if known.content != body:
            raise Refusal("40418", f"the reference is known with a different {difference(known.content, body)}")
        return _created(known)
    amount = Decimal(body["amount"]["value"])
    if context.behaviour.highest_amount is not None and amount > context.behaviour.highest_amount:
        raise Refusal("40302", f"the sandbox takes at most {context.behaviour.highest_amount}")
    order = _new_order(context, merchant, amount)
    context.orders.add(order)
    return _created(order)


def _new_order(context: OperationContext, merchant: Merchant, amount: Decimal) -> Order:
    body, now = context.body, context.now
    reference = body["partnerReferenceNo"]
    number = context.shared.number("order", merchant.merchant_id, reference, digits=27)
    order = Order(
        merchant_id=merchant.merchant_id,
        partner_id=merchant.partner_id,
        reference=reference,
        reference_no=f"{now:%Y%m%d}{number:0>27}",
        amount=amount,
        currency=body["amount"]["currency"],
        content=body,
        external_id=context.external_id,
        created_at=now,
        valid_up_to=_valid_up_to(body, now, context.behaviour),
        method=_method(body),
    )
    _set_payment_entry(order, context)
    return order


def _valid_up_to(body: dict[str, Any], now: datetime, behaviour: Behaviour) -> datetime:
    if not body.get("validUpTo"):
        return now + timedelta(minutes=30)
    moment = datetime.fromisoformat(body["validUpTo"])
    if moment <= now:
        raise Refusal("40001", "validUpTo has passed", field="validUpTo")
    # a minute of grace: two machines never have quite the same time
    if behaviour.order_lifetime is not None and moment > now + behaviour.order_lifetime + timedelta(minutes=1):
        raise Refusal("40001", f"validUpTo is more than {behaviour.order_lifetime} ahead", field="validUpTo")
    return moment


def _method(body: dict[str, Any]) -> Method | None:
    """Return the method of an order in API form, or None where the buyer chooses on DANA's page."""
    if not body.get("payOptionDetails") or body["additionalInfo"]["order"].get("scenario") == "REDIRECT":
        return None
    detail = body["payOptionDetails"][0]
    return methods.find(detail["payMethod"], detail["payOption"])


def _set_payment_entry(order: Order, context: OperationContext) -> None:
    """Set the payment code, or the address of the checkout page."""
    number = context.shared.number("code", order.merchant_id, order.reference, digits=12)
    if order.method is not None and order.method.is_virtual_account:
        order.payment_code = f"8528{number:0>12}"
    elif order.method is not None and order.method.is_qris:
        order.payment_code = qris.content(order.amount, order.merchant_id, order.reference_no)
    elif order.method is None or order.method.has_page:
        order.web_redirect_url = checkout_url(order, context.shared)


def _created(order: Order) -> dict[str, Any]:
    answer: dict[str, Any] = {"referenceNo": order.reference_no, "partnerReferenceNo": order.reference}
    if order.web_redirect_url:
        answer["webRedirectUrl"] = order.web_redirect_url
    if order.payment_code:
        answer["additionalInfo"] = {"paymentCode": order.payment_code}
    return answer
