"""The scenarios as data: what is sent, and which answer passes.

Names, requests and codes are those of DANA's acceptance suite (PaymentGateway.json and its tests) and of the test
scenarios on the merchant portal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final


class Operation(StrEnum):
    """DANA's operations that a scenario calls."""

    CREATE = "create"
    CANCEL = "cancel"
    QUERY = "query"


class Step(StrEnum):
    """What happens to the order of a scenario beforehand."""

    CREATE = "create"
    PAY = "create and pay"
    CANCEL = "cancel"
    REFUND = "refund"


Headers = dict[str, str]
Spoil = Callable[[Headers], Headers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One call of ours and what DANA must make of it.

    Attributes:
        name: its name in DANA's acceptance suite.
        operation: what is called.
        expects: the responseCode that passes.
        before: what is done first.
        reference: one of DANA's magic references, in place of an order's own.
        changes: fields that replace those of an ordinary body.
        spoil: changes the signed headers before they are sent.
        status: the latestTransactionStatus that passes, where the answer has one.
    """

    name: str
    operation: Operation
    expects: str
    before: tuple[Step, ...] = ()
    reference: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    spoil: Spoil | None = None
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


CREATE: Final = (
    Scenario(name="CreateOrderRedirect", operation=Operation.CREATE, expects="2005400"),
    Scenario(
        name="CreateOrderInvalidFieldFormat",
        operation=Operation.CREATE,
        expects="4005401",
        changes={"amount": _rupiah("1500")},
    ),
    Scenario(
        name="CreateOrderInvalidMandatoryField",
        operation=Operation.CREATE,
        expects="4005402",
        spoil=_without_timestamp,
    ),
    Scenario(name="CreateOrderUnauthorized", operation=Operation.CREATE, expects="4015400", spoil=_with_bad_signature),
    Scenario(
        name="CreateOrderInconsistentRequest",
        operation=Operation.CREATE,
        expects="4045418",
        before=(Step.CREATE,),
        changes={"amount": _rupiah("16000.00")},
    ),
)

QUERY: Final = (
    Scenario(
        name="QueryPaymentCreatedOrder",
        operation=Operation.QUERY,
        expects="2005500",
        before=(Step.CREATE,),
        status="01",
    ),
    Scenario(
        name="QueryPaymentPaidOrder",
        operation=Operation.QUERY,
        expects="2005500",
        before=(Step.PAY,),
        status="00",
    ),
    Scenario(
        name="QueryPaymentCanceledOrder",
        operation=Operation.QUERY,
        expects="2005500",
        before=(Step.CREATE, Step.CANCEL),
        status="05",
    ),
    Scenario(
        name="QueryPaymentInvalidFieldFormat",
        operation=Operation.QUERY,
        expects="4005501",
        before=(Step.CREATE,),
        spoil=_with_bad_timestamp,
    ),
    Scenario(
        name="QueryPaymentInvalidMandatoryField",
        operation=Operation.QUERY,
        expects="4005502",
        before=(Step.CREATE,),
        spoil=_without_timestamp,
    ),
    Scenario(
        name="QueryPaymentUnauthorized",
        operation=Operation.QUERY,
        expects="4015500",
        before=(Step.CREATE,),
        spoil=_with_bad_signature,
    ),
    Scenario(name="QueryPaymentTransactionNotFound", operation=Operation.QUERY, expects="4045501"),
    Scenario(
        name="QueryPaymentInternalServerError",
        operation=Operation.QUERY,
        expects="5005501",
        before=(Step.CREATE,),
        changes={"serviceCode": "AZ"},
    ),
)


def _magic(name: str, code: str) -> Scenario:
    """A cancel that DANA's sandbox answers with the code that its reference names."""
    return Scenario(name=name, operation=Operation.CANCEL, expects=code, reference=code)


CANCEL: Final = (
    Scenario(name="CancelOrderValidScenario", operation=Operation.CANCEL, expects="2005700", before=(Step.CREATE,)),
    _magic("CancelOrderInProgress", "2025700"),
    _magic("CancelOrderUserStatusAbnormal", "4035705"),
    _magic("CancelOrderMerchantStatusAbnormal", "4045708"),
    _magic("CancelOrderInsufficientFunds", "4035714"),
    _magic("CancelOrderNotAllowed", "4035715"),
    _magic("CancelOrderExpired", "4035700"),
    _magic("CancelOrderTimeout", "5005701"),
    Scenario(name="CancelOrderTransactionNotFound", operation=Operation.CANCEL, expects="4045701"),
    Scenario(
        name="CancelOrderInvalidTransactionStatus",
        operation=Operation.CANCEL,
        expects="4045700",
        before=(Step.PAY, Step.REFUND),
    ),
    Scenario(
        name="CancelOrderInvalidMandatoryField",
        operation=Operation.CANCEL,
        expects="4005702",
        before=(Step.CREATE,),
        spoil=_without_timestamp,
    ),
    Scenario(
        name="CancelOrderUnauthorized",
        operation=Operation.CANCEL,
        expects="4015700",
        before=(Step.CREATE,),
        spoil=_with_bad_signature,
    ),
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

CALLS: Final = (*CREATE, *CANCEL, *QUERY)
