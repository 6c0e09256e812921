"""What is said to DANA and what DANA answers, as frozen dataclasses. Plain Python.

Field names and their order are those of DANA's pages *Create Order*, *Cancel Order* and *Query Payment*.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django_dana.protocol import notation
from django_dana.protocol.response_codes import Rule


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
    """The wish to cancel a whole order. Empty optional fields are left out; additionalInfo is always sent."""

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
class QueryPayment:
    """The question what became of an order."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of DANA that could be understood.

    Attributes:
        rule: the row of DANA's table that its responseCode names.
        message: DANA's responseMessage, for people only.
        http_status: noted; the responseCode alone decides.
        text: the whole body as it came.
        retry_after: seconds that DANA asks us to wait, if it does.
    """

    rule: Rule
    message: str
    http_status: int
    text: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateReply(Reply):
    """The answer to Create Order."""

    reference_no: str
    web_redirect_url: str
    payment_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelReply(Reply):
    """The answer to Cancel Order; the times are as DANA wrote them, if it did."""

    cancel_time: datetime | None
    transaction_date: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryReply(Reply):
    """The answer to Query Payment. Whatever DANA left out is empty or None."""

    status: str
    acquirement_status: str
    reference_no: str
    amount: Decimal | None
    currency: str
    refund_amount: Decimal | None
    paid_at: datetime | None
