"""The scenarios as data: what is sent, and which answer passes.

Names, requests and codes are those of DANA's acceptance suite (PaymentGateway.json and its tests) and of the test
scenarios on the merchant portal.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from django_dana.protocol.operations import CANCEL_ORDER, CREATE_ORDER, QUERY_PAYMENT, REFUND_ORDER, Operation


class Step(StrEnum):
    """What happens to the order of a scenario beforehand."""

    CREATE = "create"
    PAY = "create and pay"
    CANCEL = "cancel"
    REFUND = "refund"


Headers = dict[str, str]
Tamper = Callable[[Headers], Headers]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One call of ours and what DANA must make of it.

    Attributes:
        name: as DANA's acceptance suite calls it.
        operation: what is called.
        expects: the responseCode that passes.
        before: what is done first.
        reference: one of DANA's magic references, in place of an order's own.
        changes: fields that replace those of an ordinary body.
        tamper: changes the signed headers before they are sent.
        status: the latestTransactionStatus that passes, where the answer has one.
    """

    name: str
    operation: Operation
    expects: str
    _: KW_ONLY
    before: tuple[Step, ...] = ()
    reference: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    tamper: Tamper | None = None
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One Finish Notify of DANA and what this shop must answer.

    Attributes:
        name: of the scenario; these are ours, DANA's portal only describes them.
        amount: in rupiah; by it the portal recognises the scenario.
        lifetime: how long the order can be paid.
        is_paid: whether the order is paid, or left to expire.
        status: the latestTransactionStatus that DANA sends.
        expects: the responseCode that the shop's first answer must have.
    """

    name: str
    amount: Decimal
    lifetime: timedelta
    is_paid: bool
    status: str
    expects: str


def _without_timestamp(headers: Headers) -> Headers:
    return {name: value for name, value in headers.items() if name != "X-TIMESTAMP"}


def _with_bad_timestamp(headers: Headers) -> Headers:
    return {**headers, "X-TIMESTAMP": headers["X-TIMESTAMP"].replace("T", " ")}


def _with_bad_signature(headers: Headers) -> Headers:
    # DANA's suite sends 64 hexadecimal digits, too
    return {**headers, "X-SIGNATURE": "0123456789abcdef" * 4}


def _rupiah(value: str) -> dict[str, str]:
    return {"value": value, "currency": "IDR"}


_EXISTS: Final = (Step.CREATE,)

CREATE: Final = (
    Scenario("CreateOrderRedirect", CREATE_ORDER, "2005400"),
    Scenario("CreateOrderInvalidFieldFormat", CREATE_ORDER, "4005401", changes={"amount": _rupiah("1500")}),
    Scenario("CreateOrderInvalidMandatoryField", CREATE_ORDER, "4005402", tamper=_without_timestamp),
    Scenario("CreateOrderUnauthorized", CREATE_ORDER, "4015400", tamper=_with_bad_signature),
    Scenario(
        "CreateOrderInconsistentRequest",
        CREATE_ORDER,
        "4045418",
        before=_EXISTS,
        changes={"amount": _rupiah("16000.00")},
    ),
)

CANCEL: Final = (
    Scenario("CancelOrderValidScenario", CANCEL_ORDER, "2005700", before=_EXISTS),
    Scenario("CancelOrderInProgress", CANCEL_ORDER, "2025700", reference="2025700"),
    Scenario("CancelOrderUserStatusAbnormal", CANCEL_ORDER, "4035705", reference="4035705"),
    Scenario("CancelOrderMerchantStatusAbnormal", CANCEL_ORDER, "4045708", reference="4045708"),
    Scenario("CancelOrderInsufficientFunds", CANCEL_ORDER, "4035714", reference="4035714"),
    Scenario("CancelOrderNotAllowed", CANCEL_ORDER, "4035715", reference="4035715"),
    Scenario("CancelOrderExpired", CANCEL_ORDER, "4035700", reference="4035700"),
    Scenario("CancelOrderTimeout", CANCEL_ORDER, "5005701", reference="5005701"),
    Scenario("CancelOrderTransactionNotFound", CANCEL_ORDER, "4045701"),
    Scenario("CancelOrderInvalidTransactionStatus", CANCEL_ORDER, "4045700", before=(Step.PAY, Step.REFUND)),
    Scenario("CancelOrderInvalidMandatoryField", CANCEL_ORDER, "4005702", before=_EXISTS, tamper=_without_timestamp),
    Scenario("CancelOrderUnauthorized", CANCEL_ORDER, "4015700", before=_EXISTS, tamper=_with_bad_signature),
)

QUERY: Final = (
    Scenario("QueryPaymentCreatedOrder", QUERY_PAYMENT, "2005500", before=_EXISTS, status="01"),
    Scenario("QueryPaymentPaidOrder", QUERY_PAYMENT, "2005500", before=(Step.PAY,), status="00"),
    Scenario("QueryPaymentCanceledOrder", QUERY_PAYMENT, "2005500", before=(Step.CREATE, Step.CANCEL), status="05"),
    Scenario("QueryPaymentInvalidFieldFormat", QUERY_PAYMENT, "4005501", before=_EXISTS, tamper=_with_bad_timestamp),
    Scenario("QueryPaymentInvalidMandatoryField", QUERY_PAYMENT, "4005502", before=_EXISTS, tamper=_without_timestamp),
    Scenario("QueryPaymentUnauthorized", QUERY_PAYMENT, "4015500", before=_EXISTS, tamper=_with_bad_signature),
    Scenario("QueryPaymentTransactionNotFound", QUERY_PAYMENT, "4045501"),
    Scenario(
        "QueryPaymentInternalServerError", QUERY_PAYMENT, "5005501", before=_EXISTS, changes={"serviceCode": "AZ"}
    ),
)

_IS_PAID: Final = (Step.PAY,)


def _refund_of(value: str) -> Mapping[str, Any]:
    return {"refundAmount": _rupiah(value)}


REFUND: Final = (
    Scenario("RefundOrderValidScenario", REFUND_ORDER, "2005800", before=_IS_PAID, changes=_refund_of("1.00")),
    Scenario("RefundOrderInProgress", REFUND_ORDER, "2025800", before=_IS_PAID, changes=_refund_of("225800.00")),
    Scenario("RefundOrderNotAllowed", REFUND_ORDER, "4035815", before=_IS_PAID, changes=_refund_of("435815.00")),
    Scenario("RefundOrderInsufficientFunds", REFUND_ORDER, "4035814", before=_IS_PAID, changes=_refund_of("435814.00")),
    Scenario(
        "RefundOrderMerchantStatusAbnormal", REFUND_ORDER, "4045808", before=_IS_PAID, changes=_refund_of("445808.00")
    ),
    Scenario("RefundOrderTimeout", REFUND_ORDER, "5005801", before=_IS_PAID, changes=_refund_of("505801.00")),
    Scenario("RefundOrderIllegalParameter", REFUND_ORDER, "4005801", before=_IS_PAID, changes=_refund_of("10000")),
    Scenario("RefundOrderNotPaid", REFUND_ORDER, "4045800", before=_EXISTS),
    Scenario("RefundOrderInvalidBill", REFUND_ORDER, "4045801"),
    Scenario(
        "RefundOrderDuplicateRequest",
        REFUND_ORDER,
        "4045818",
        before=(Step.PAY, Step.REFUND),
        changes=_refund_of("1.00"),
    ),
    Scenario(
        "RefundOrderInvalidMandatoryParameter", REFUND_ORDER, "4005802", before=_IS_PAID, tamper=_without_timestamp
    ),
    Scenario("RefundOrderUnauthorized", REFUND_ORDER, "4015800", before=_IS_PAID, tamper=_with_bad_signature),
)

NOTIFY: Final = (
    Notice(
        name="FinishNotifyPaid",
        amount=Decimal("11011.00"),
        lifetime=timedelta(minutes=6),
        is_paid=True,
        status="00",
        expects="2005600",
    ),
    Notice(
        name="FinishNotifyInternalServerError",
        amount=Decimal("11012.00"),
        lifetime=timedelta(minutes=6),
        is_paid=True,
        status="00",
        expects="5005601",
    ),
    Notice(
        name="FinishNotifyExpired",
        amount=Decimal("11013.00"),
        lifetime=timedelta(seconds=135),
        is_paid=False,
        status="05",
        expects="2005600",
    ),
)

CALLS: Final = (*CREATE, *CANCEL, *QUERY, *REFUND)
