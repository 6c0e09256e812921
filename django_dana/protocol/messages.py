"""What is sent to DANA and what DANA answers, as frozen dataclasses. Plain Python.

Field names and their order are those of DANA's pages *Create Order*, *Cancel Order*, *Query Payment*, *Refund Order*
and *Finish Notify*.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Self

from django_dana.exceptions import UnexpectedReply
from django_dana.protocol import notation
from django_dana.protocol.payment_methods import Address, promised_address
from django_dana.protocol.response_codes import NO_REPLY, UNEXPECTED, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOrder:
    """One order as it is told to DANA. Empty optional fields are left out of the body.

    ``buyer``, ``goods``, ``shipping``, ``env_info`` and ``pay_option_details`` are in DANA's own field names.
    """

    partner_reference_no: str
    merchant_id: str
    amount: Decimal
    currency: str
    title: str
    valid_up_to: datetime
    return_url: str
    notification_url: str
    mcc: str
    terminal_type: str
    sub_merchant_id: str = ""
    external_store_id: str = ""
    pay_option_details: Sequence[Mapping[str, Any]] = ()
    buyer: Mapping[str, Any] = field(default_factory=dict)
    goods: Sequence[Mapping[str, Any]] = ()
    shipping: Sequence[Mapping[str, Any]] = ()
    env_info: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> str:
        """Return the JSON text to send, the same for the same order."""
        scenario = "API" if self.pay_option_details else "REDIRECT"
        order = _without_empty(
            orderTitle=self.title,
            scenario=scenario,
            buyer=self.buyer,
            goods=self.goods,
            shippingInfo=self.shipping,
        )
        env_info = {"sourcePlatform": "IPG", "terminalType": self.terminal_type, **self.env_info}
        return notation.compact_json(
            _without_empty(
                partnerReferenceNo=self.partner_reference_no,
                merchantId=self.merchant_id,
                subMerchantId=self.sub_merchant_id,
                externalStoreId=self.external_store_id,
                amount=notation.money(self.amount, self.currency),
                validUpTo=notation.jakarta_time(self.valid_up_to),
                urlParams=[
                    {"url": self.return_url, "type": "PAY_RETURN", "isDeeplink": "Y"},
                    {"url": self.notification_url, "type": "NOTIFICATION", "isDeeplink": "Y"},
                ],
                payOptionDetails=self.pay_option_details,
                additionalInfo={"order": order, "mcc": self.mcc, "envInfo": env_info},
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """The body of Cancel Order. Empty optional fields are left out; additionalInfo is always sent."""

    original_partner_reference_no: str
    merchant_id: str
    amount: Decimal
    currency: str
    original_reference_no: str = ""
    original_external_id: str = ""
    sub_merchant_id: str = ""
    external_store_id: str = ""
    reason: str = ""

    def body(self) -> str:
        """Return the JSON text to send."""
        present = _without_empty(
            originalPartnerReferenceNo=self.original_partner_reference_no,
            originalReferenceNo=self.original_reference_no,
            originalExternalId=self.original_external_id,
            merchantId=self.merchant_id,
            subMerchantId=self.sub_merchant_id,
            reason=self.reason,
            externalStoreId=self.external_store_id,
            amount=notation.money(self.amount, self.currency),
        )
        return notation.compact_json({**present, "additionalInfo": {}})


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """The body of Refund Order, which gives part or all of a payment back. Empty optional fields are left out."""

    original_partner_reference_no: str
    merchant_id: str
    partner_refund_no: str
    amount: Decimal
    currency: str
    original_reference_no: str = ""
    sub_merchant_id: str = ""
    external_store_id: str = ""
    reason: str = ""

    def body(self) -> str:
        """Return the JSON text to send."""
        present = _without_empty(
            merchantId=self.merchant_id,
            subMerchantId=self.sub_merchant_id,
            originalPartnerReferenceNo=self.original_partner_reference_no,
            originalReferenceNo=self.original_reference_no,
            partnerRefundNo=self.partner_refund_no,
            refundAmount=notation.money(self.amount, self.currency),
            externalStoreId=self.external_store_id,
            reason=self.reason,
        )
        return notation.compact_json({**present, "additionalInfo": {}})


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPayment:
    """The body of Query Payment."""

    original_partner_reference_no: str
    merchant_id: str
    sub_merchant_id: str = ""
    external_store_id: str = ""

    def body(self) -> str:
        """Return the JSON text to send."""
        return notation.compact_json(
            _without_empty(
                originalPartnerReferenceNo=self.original_partner_reference_no,
                serviceCode="54",
                merchantId=self.merchant_id,
                subMerchantId=self.sub_merchant_id,
                externalStoreId=self.external_store_id,
            )
        )


def _without_empty(**fields: Any) -> dict[str, Any]:
    # An empty buyer object was answered 4005401 to one integrator, so what is empty is not sent.
    return {name: value for name, value in fields.items() if value}


class ReplyFields:
    """The JSON object of a reply, read leniently: what is missing or of another type is empty or None."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    def at(self, *path: str) -> Any:
        """Return what stands at a path of keys, or None."""
        value: Any = self._content
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def text(self, *path: str) -> str:
        """Return the string at a path of keys, or an empty one."""
        value = self.at(*path)
        return value if isinstance(value, str) else ""

    def money(self, *path: str) -> tuple[Decimal, str] | None:
        """Return amount and currency at a path of keys, or None."""
        return notation.parse_money(self.at(*path))

    def time(self, *path: str) -> datetime | None:
        """Return the moment at a path of keys, or None."""
        return notation.parse_time(self.at(*path))

    def expect(self, name: str, sent: str) -> None:
        """Refuse another order's reference where one is given. DANA leaves it out of some refusals.

        Raises:
            UnexpectedReply: it is another's.
        """
        if self.at(name) not in (None, "", sent):
            raise UnexpectedReply(f"{name} is another order's")


#: Characters. A virtual account has some 16; the content of a QR code of QRIS has at most 512 (EMV QR Code
#: Specification for Payment Systems, Merchant-Presented Mode).
MAX_PAYMENT_CODE: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOrderReply:
    """DANA has the order; where the buyer pays."""

    reference_no: str
    web_redirect_url: str = ""
    payment_code: str = ""

    @classmethod
    def read(cls, fields: ReplyFields, sent: Mapping[str, Any]) -> Self:
        """Read a success. Raises UnexpectedReply where it lacks what its payment method promises."""
        reply = cls(
            reference_no=fields.text("referenceNo"),
            web_redirect_url=fields.text("webRedirectUrl"),
            payment_code=fields.text("additionalInfo", "paymentCode"),
        )
        if not reply.reference_no:
            raise UnexpectedReply("a success without referenceNo")
        if len(reply.payment_code) > MAX_PAYMENT_CODE:
            # cut short it would lead the buyer's money elsewhere
            raise UnexpectedReply("a paymentCode that is longer than a QR code of QRIS")
        promised = promised_address(sent.get("payOptionDetails", ()))
        if not reply._keeps(promised):
            raise UnexpectedReply(f"a success without {promised.value}")
        return reply

    def _keeps(self, promised: Address) -> bool:
        return {
            Address.PAGE: bool(self.web_redirect_url),
            Address.CODE: bool(self.payment_code),
            Address.EITHER: bool(self.web_redirect_url or self.payment_code),
            Address.NONE: True,
        }[promised]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrderReply:
    """DANA has cancelled the order; the times are those that it gave, if it did."""

    cancel_time: datetime | None = None
    transaction_date: datetime | None = None

    @classmethod
    def read(cls, fields: ReplyFields, sent: Mapping[str, Any]) -> Self:
        """Read a success."""
        return cls(cancel_time=fields.time("cancelTime"), transaction_date=fields.time("transactionDate"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrderReply:
    """DANA has made the refund; its number and time are those that it gave, if it did."""

    refund_no: str = ""
    refund_time: datetime | None = None

    @classmethod
    def read(cls, fields: ReplyFields, sent: Mapping[str, Any]) -> Self:
        """Read a success. Raises UnexpectedReply where it is about another refund or amount."""
        fields.expect("partnerRefundNo", sent["partnerRefundNo"])
        # an amount that can't be read is no other amount: the code alone says success
        refunded = fields.money("refundAmount")
        if refunded is not None and refunded != notation.parse_money(sent["refundAmount"]):
            raise UnexpectedReply("refundAmount is another one")
        return cls(refund_no=fields.text("refundNo"), refund_time=fields.time("refundTime"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """What DANA says about a payment, in a notification or in its answer to Query Payment.

    Attributes:
        status: latestTransactionStatus as it came; an undocumented one is possible.
        amount: the order's amount, None where it is absent or can't be read.
        currency: its currency.
        amount_unreadable: whether an amount is there that can't be read.
        reference_no: DANA's id of the order.
        paid_at: when it was paid.
        acquirement_status: DANA's finer status.
        refund_amount: how much went back.
        refund_currency: its currency.
        pay_method: what the buyer paid with.
        pay_option: which one of it.
        sent_at: when DANA sent a notification (its X-TIMESTAMP); None for an answer to a query.
    """

    status: str
    amount: Decimal | None = None
    currency: str = ""
    amount_unreadable: bool = False
    reference_no: str = ""
    paid_at: datetime | None = None
    acquirement_status: str = ""
    refund_amount: Decimal | None = None
    refund_currency: str = ""
    pay_method: str = ""
    pay_option: str = ""
    sent_at: datetime | None = None

    @classmethod
    def read(cls, fields: ReplyFields, sent: Mapping[str, Any]) -> Self:
        """Read a successful Query Payment. Raises UnexpectedReply where it lacks the status."""
        status = fields.text("latestTransactionStatus")
        if not status:
            raise UnexpectedReply("a success without latestTransactionStatus")
        stated = fields.at("amount")
        if stated is None:
            stated = fields.at("additionalInfo", "amountDetail", "orderAmount")
        amount, currency = notation.parse_money(stated) or (None, "")
        refund_amount, refund_currency = fields.money("additionalInfo", "amountDetail", "refundAmount") or (None, "")
        pay_method, pay_option = _paid_with(fields.at("additionalInfo", "paymentViews"))
        return cls(
            status=status,
            amount=amount,
            currency=currency,
            amount_unreadable=stated is not None and amount is None,
            reference_no=fields.text("originalReferenceNo"),
            paid_at=fields.time("paidTime"),
            acquirement_status=fields.text("additionalInfo", "statusDetail", "acquirementStatus"),
            refund_amount=refund_amount,
            refund_currency=refund_currency,
            pay_method=pay_method,
            pay_option=pay_option,
        )


def _paid_with(payment_views: Any) -> tuple[str, str]:
    """Return payMethod and payOption of the first payment that names them (Query Payment's paymentViews)."""
    views = payment_views if isinstance(payment_views, list) else []
    for view in views:
        options = view.get("payOptionInfos") if isinstance(view, dict) else None
        if isinstance(options, list) and options:
            option = ReplyFields(options[0] if isinstance(options[0], dict) else {})
            return option.text("payMethod"), option.text("payOption")
    return "", ""


Reply = CreateOrderReply | CancelOrderReply | RefundOrderReply | StatusReport


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """How one call of ours ended, from the client to the transition that follows from it.

    Attributes:
        rule: the row of DANA's table: the one its responseCode names, or *no reply*, or *unexpected*.
        reply: what a success says; None otherwise.
        message: DANA's responseMessage, for people only.
        http_status: noted; the responseCode alone decides.
        text: the whole body as it came.
        error: what went wrong, or what is odd; never a secret.
        retry_after: seconds that DANA asked us to wait, if it did.
    """

    rule: Rule
    reply: Reply | None = None
    message: str = ""
    http_status: int | None = None
    text: str = ""
    error: str = ""
    retry_after: float | None = None

    @property
    def code(self) -> str:
        """DANA's responseCode, empty where none was understood."""
        return "" if self.rule.code in (NO_REPLY, UNEXPECTED) else self.rule.code
