"""DANA's operations that we call, each named once.

Paths and service codes: DANA's pages *Create Order*, *Query Payment*, *Cancel Order* and *Refund Order*.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django_dana.protocol import messages, response_codes
from django_dana.protocol.messages import Reply, ReplyFields
from django_dana.protocol.response_codes import CodeTable


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of DANA.

    Attributes:
        key: our short name for it, as stored with each call.
        name: DANA's name for it.
        path: where it is sent.
        codes: what its answers mean.
        references: fields of the request that a reply may repeat, and may not repeat otherwise.
        read: reads the fields of a successful reply to what was sent; raises UnexpectedReply.
    """

    key: str
    name: str
    path: str
    codes: CodeTable
    references: tuple[str, ...]
    read: Callable[[ReplyFields, Mapping[str, Any]], Reply]

    @property
    def service_code(self) -> str:
        """The two digits that stand in each of its response codes."""
        return self.codes.service_code


CREATE_ORDER: Final = Operation(
    "create",
    "Create Order",
    "/payment-gateway/v1.0/debit/payment-host-to-host.htm",
    response_codes.CREATE,
    ("partnerReferenceNo",),
    messages.CreateOrderReply.read,
)
QUERY_PAYMENT: Final = Operation(
    "query",
    "Query Payment",
    "/payment-gateway/v1.0/debit/status.htm",
    response_codes.QUERY,
    ("originalPartnerReferenceNo",),
    messages.StatusReport.read,
)
CANCEL_ORDER: Final = Operation(
    "cancel",
    "Cancel Order",
    "/payment-gateway/v1.0/debit/cancel.htm",
    response_codes.CANCEL,
    ("originalPartnerReferenceNo", "originalReferenceNo"),
    messages.CancelOrderReply.read,
)
REFUND_ORDER: Final = Operation(
    "refund",
    "Refund Order",
    "/payment-gateway/v1.0/debit/refund.htm",
    response_codes.REFUND,
    ("originalPartnerReferenceNo", "originalReferenceNo"),
    messages.RefundOrderReply.read,
)

ALL: Final = (CREATE_ORDER, QUERY_PAYMENT, CANCEL_ORDER, REFUND_ORDER)
BY_KEY: Final = {operation.key: operation for operation in ALL}
