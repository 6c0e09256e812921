"""DANA's five operations: what each checks, does and answers, once headers and signature have passed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from django_dana.protocol.notation import jakarta_time, money
from django_dana.simulator import fields, magic, methods, qris
from django_dana.simulator.clock import Clock
from django_dana.simulator.habits import Habits
from django_dana.simulator.merchants import Merchant
from django_dana.simulator.methods import Method
from django_dana.simulator.orders import STATUS, Order, Orders, Refund, State


class Refusal(Exception):
    """DANA does not do it.

    Attributes:
        case: HTTP status and case, e.g. ``40418``; or a whole responseCode of seven digits.
        field: the field that the message names, if any.
        why: the reason that X-Debug-Mode brings to light.
    """

    def __init__(self, case: str, why: str, *, field: str = "") -> None:
        super().__init__(case, why, field)
        self.case = case
        self.why = why
        self.field = field


@dataclass(frozen=True, slots=True)
class Counter:
    """What an operation works with: one shop's call at DANA's counter.

    Attributes:
        body: the body, checked field by field.
        external_id: X-EXTERNAL-ID.
        merchants: the accounts whose key made the signature.
    """

    body: dict[str, Any]
    external_id: str
    merchants: list[Merchant]
    orders: Orders
    habits: Habits
    clock: Clock
    base_url: str

    def merchant(self) -> Merchant:
        """Return the account that the body names.

        Raises:
            Refusal: it is not one of those that signed, or its store or sub-merchant is not registered.
        """
        named = [merchant for merchant in self.merchants if merchant.merchant_id == self.body["merchantId"]]
        if not named:
            raise Refusal("40408", "merchantId does not belong to the X-PARTNER-ID and key of this call")
        for name, registered, reason in (
            ("externalStoreId", named[0].stores, "SHOP_NOT_EXIST"),
            ("subMerchantId", named[0].sub_merchants, "DIVISION_NOT_EXIST"),
        ):
            if registered is not None and self.body.get(name) and self.body[name] not in registered:
                raise Refusal("40408", reason)
        return named[0]


@dataclass(frozen=True, slots=True)
class Operation:
    """One of DANA's operations.

    Attributes:
        name: our short name for it.
        path: DANA's path.
        service: the two digits in its response codes.
        check: the check of its body.
        act: does it and returns the fields of the answer; ``responseCode`` only where it is not 200SS00.
        reference: the field that names the order.
        own_number: the field that names the request itself, where the order's reference does not.
        repeated: fields that refusals repeat besides the reference.
    """

    name: str
    path: str
    service: str
    check: fields.Check
    act: Callable[[Counter], dict[str, Any]]
    reference: str = "originalPartnerReferenceNo"
    own_number: str = ""
    repeated: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The field whose repetition must carry the same content, for the books."""
        return self.own_number or self.reference


def create(counter: Counter) -> dict[str, Any]:
    """Create Order: idempotent on merchant and reference; other content is refused."""
    merchant, body = counter.merchant(), counter.body
    known = counter.orders.get(merchant.merchant_id, body["partnerReferenceNo"])
    if known is not None:
        if known.content != body:
            raise Refusal("40418", f"the reference is known with other {_difference(known.content, body)}")
        return _created(known)
    amount = Decimal(body["amount"]["value"])
    if counter.habits.highest_amount is not None and amount > counter.habits.highest_amount:
        raise Refusal("40302", f"the sandbox takes at most {counter.habits.highest_amount}")
    order = _new_order(counter, merchant, amount)
    counter.orders.add(order)
    return _created(order)


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    return ", ".join(sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)))


def _new_order(counter: Counter, merchant: Merchant, amount: Decimal) -> Order:
    body, now = counter.body, counter.clock.now()
    reference = body["partnerReferenceNo"]
    number = counter.orders.number("order", merchant.merchant_id, reference, digits=27)
    order = Order(
        merchant_id=merchant.merchant_id,
        partner_id=merchant.partner_id,
        reference=reference,
        reference_no=f"{now:%Y%m%d}{number:0>27}",
        amount=amount,
        currency=body["amount"]["currency"],
        content=body,
        external_id=counter.external_id,
        created_at=now,
        valid_up_to=_valid_up_to(body, now, counter.habits),
        method=_method(body),
    )
    _open_doors(order, counter)
    return order


def _valid_up_to(body: dict[str, Any], now: datetime, habits: Habits) -> datetime:
    if not body.get("validUpTo"):
        return now + timedelta(minutes=30)
    moment = datetime.fromisoformat(body["validUpTo"])
    if moment <= now:
        raise Refusal("40001", "validUpTo has passed", field="validUpTo")
    # a minute of grace: two machines never have quite the same time
    if habits.order_lifetime is not None and moment > now + habits.order_lifetime + timedelta(minutes=1):
        raise Refusal("40001", f"validUpTo is more than {habits.order_lifetime} ahead", field="validUpTo")
    return moment


def _method(body: dict[str, Any]) -> Method | None:
    """Return the method of an order in API form, or None where the buyer chooses on DANA's page."""
    if not body.get("payOptionDetails") or body["additionalInfo"]["order"].get("scenario") == "REDIRECT":
        return None
    detail = body["payOptionDetails"][0]
    return methods.find(detail["payMethod"], detail["payOption"])


def _open_doors(order: Order, counter: Counter) -> None:
    """Give the order its payment code, or the address of its checkout page."""
    number = counter.orders.number("code", order.merchant_id, order.reference, digits=12)
    if order.method is not None and order.method.is_virtual_account:
        order.payment_code = f"8528{number:0>12}"
    elif order.method is not None and order.method.is_qris:
        order.payment_code = qris.content(order.amount, order.merchant_id, order.reference_no)
    elif order.method is None or order.method.has_page:
        order.web_redirect_url = checkout_url(order, counter.orders, counter.base_url)


def checkout_url(order: Order, orders: Orders, base_url: str) -> str:
    """Return the address of an order's checkout page, with the keys seen in a sandbox run."""
    query = {
        "bizNo": order.reference_no,
        "timestamp": int(order.created_at.timestamp() * 1000),
        "originSourcePlatform": "IPG",
        "mid": order.merchant_id,
        "sign": checkout_sign(order, orders),
        "forceToH5": "false",
        "newRegistrationPage": "true",
    }
    return f"{base_url}/n/cashier/new/checkout?{urlencode(query)}"


def checkout_sign(order: Order, orders: Orders) -> str:
    """Return the part of a checkout address that nobody guesses."""
    return orders.number("checkout", order.merchant_id, order.reference, digits=40)


def _created(order: Order) -> dict[str, Any]:
    answer: dict[str, Any] = {"referenceNo": order.reference_no, "partnerReferenceNo": order.reference}
    if order.web_redirect_url:
        answer["webRedirectUrl"] = order.web_redirect_url
    if order.payment_code:
        answer["additionalInfo"] = {"paymentCode": order.payment_code}
    return answer


def query(counter: Counter) -> dict[str, Any]:
    """Query Payment: what DANA believes about an order."""
    body = counter.body
    case = magic.case_of_query(body)
    if case is not None:
        raise Refusal(case, "serviceCode is a magic value")
    order = _find_queried(counter)
    if order is None:
        raise Refusal("40401", "no such order of this merchant and service")
    status = counter.habits.refunded_status if order.is_refunded else STATUS[order.state]
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


def _find_queried(counter: Counter) -> Order | None:
    body = counter.body
    merchant_ids = {merchant.merchant_id for merchant in counter.merchants}
    # Query's table has no "Invalid Merchant": somebody else's order is simply not found
    if body["merchantId"] not in merchant_ids or body["serviceCode"] != "54":
        return None
    reference, number = body.get("originalPartnerReferenceNo"), body.get("originalReferenceNo")
    order = counter.orders.get(body["merchantId"], reference) if reference else counter.orders.by_number(str(number))
    if order is None or order.merchant_id != body["merchantId"] or number not in (None, "", order.reference_no):
        return None
    return order


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


def cancel(counter: Counter) -> dict[str, Any]:
    """Cancel Order: closes an unpaid order, gives a paid one back within the cancel window."""
    case = magic.case_of_cancel(counter.body)
    if case is not None:
        raise Refusal(case, "originalPartnerReferenceNo is a magic value")
    order = _find_original(counter)
    _check_amount(counter, order)
    if order.state is State.CANCELLED and counter.habits.repeated_cancel != "2005700":
        raise Refusal(counter.habits.repeated_cancel, "the order was cancelled before")
    if order.state is State.CANCELLED:
        return _cancelled(order)
    if order.refunds:
        raise Refusal("40400", "the order was refunded")
    if order.state is State.CLOSED:
        raise Refusal("40400", "the order is closed: it expired unpaid")
    if order.paid_at is not None and counter.clock.now() > order.paid_at + counter.habits.cancel_window:
        raise Refusal("40300", f"the order was paid more than {counter.habits.cancel_window} ago")
    counter.orders.cancel(order, notify=counter.habits.notify_on_cancel)
    return _cancelled(order)


def _find_original(counter: Counter) -> Order:
    merchant, body = counter.merchant(), counter.body
    order = counter.orders.get(merchant.merchant_id, body["originalPartnerReferenceNo"])
    if order is None:
        raise Refusal("40401", "this merchant has no order of that reference")
    if body.get("originalReferenceNo") not in (None, "", order.reference_no):
        raise Refusal("40401", "originalReferenceNo is another order's")
    return order


def _check_amount(counter: Counter, order: Order) -> None:
    amount = counter.body.get("amount")
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


def refund(counter: Counter) -> dict[str, Any]:
    """Refund Order: idempotent on partnerRefundNo; another content is refused."""
    body = counter.body
    case = magic.case_of_refund(body)
    if case is not None:
        raise Refusal(case, "refundAmount is a magic value")
    order = _find_original(counter)
    known = counter.orders.refund_by_number(order.merchant_id, body["partnerRefundNo"])
    if known is not None:
        if known[1].content != body:
            raise Refusal("40418", f"partnerRefundNo is known with other {_difference(known[1].content, body)}")
        return _refunded(*known)
    if order.state is not State.SUCCESS:
        raise Refusal("40400", f"the order is {order.state}, not paid")
    amount = Decimal(body["refundAmount"]["value"])
    if order.refunded + amount > order.amount:
        raise Refusal("40302", f"{order.amount - order.refunded:.2f} is left of the payment")
    number = counter.orders.number("refund", order.merchant_id, body["partnerRefundNo"], digits=27)
    new = Refund(
        number=body["partnerRefundNo"],
        refund_no=f"{counter.clock.now():%Y%m%d}{number:0>27}",
        amount=amount,
        content=body,
        moment=counter.clock.now(),
    )
    counter.orders.refund(order, new, notify=counter.habits.notify_on_refund)
    return _refunded(order, new)


def _refunded(order: Order, refund: Refund) -> dict[str, Any]:
    return {
        "originalPartnerReferenceNo": order.reference,
        "originalReferenceNo": order.reference_no,
        "originalExternalId": order.external_id,
        "refundNo": refund.refund_no,
        "partnerRefundNo": refund.number,
        "refundAmount": money(refund.amount, order.currency),
        "refundTime": jakarta_time(refund.moment),
    }


def consult(counter: Counter) -> dict[str, Any]:
    """Consult Pay: the ways to pay that are open to this merchant; QRIS needs a store."""
    counter.merchant()
    offered = [m for m in methods.METHODS if counter.body.get("externalStoreId") or not m.is_qris]
    return {
        "responseCode": counter.habits.consult_success,
        "paymentInfos": [
            {"payMethod": method.pay_method, "payOption": method.pay_option, "promoInfos": []} for method in offered
        ],
    }


OPERATIONS: Final = (
    Operation(
        "create",
        "/payment-gateway/v1.0/debit/payment-host-to-host.htm",
        "54",
        fields.create_order,
        create,
        reference="partnerReferenceNo",
    ),
    Operation(
        "query",
        "/payment-gateway/v1.0/debit/status.htm",
        "55",
        fields.query_payment,
        query,
        repeated=("originalReferenceNo", "serviceCode"),
    ),
    Operation("cancel", "/payment-gateway/v1.0/debit/cancel.htm", "57", fields.cancel_order, cancel),
    Operation(
        "refund",
        "/payment-gateway/v1.0/debit/refund.htm",
        "58",
        fields.refund_order,
        refund,
        own_number="partnerRefundNo",
        repeated=("partnerRefundNo",),
    ),
    Operation("consult", "/v1.0/payment-gateway/consult-pay.htm", "00", fields.consult_pay, consult, reference=""),
)
BY_PATH: Final = {operation.path: operation for operation in OPERATIONS}
