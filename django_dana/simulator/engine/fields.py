"""The bodies that DANA takes: which fields, how long, which must be there.

A small language: a *check* is given a value and the name of its field and yields what is wrong with it. An absent
field breaks case 02, one of the wrong form case 01. An empty text in a required field counts as the wrong form,
as the one known case (Consult Pay with an empty merchantId) has it; in an optional field it counts as absent.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django_dana.simulator.engine import methods


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a body.

    Attributes:
        case: ``40001`` (form), ``40002`` (absent) or empty: DANA lets it pass, but a shop should know.
        field: the name of the field, dotted; a wrong amount is named by its money field.
        why: a sentence for additionalInfo.debugMessage.
    """

    case: str
    field: str
    why: str


Check = Callable[[Any, str], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object."""

    name: str
    check: Check
    required: bool = False
    may_be_empty: bool = False


def texts(longest: int, *names: str, required: bool = False) -> list[Field]:
    """Return fields that are strings of at most ``longest`` characters."""
    return [Field(name, text(longest), required=required) for name in names]


def malformed(field: str, why: str) -> Problem:
    """Return the problem of a field whose form is wrong."""
    return Problem("40001", field, f"{field} {why}")


def missing(field: str, why: str = "is missing") -> Problem:
    """Return the problem of a field that must be there."""
    return Problem("40002", field, f"{field} {why}")


def first_problem(body: dict[str, Any], check: Check) -> Problem | None:
    """Return what DANA would complain about: absent fields before malformed ones, each in the order of the page."""
    found = sorted(_refused(check(body, "")), key=lambda problem: problem.case, reverse=True)
    return found[0] if found else None


def hints(body: dict[str, Any], check: Check) -> list[str]:
    """Return what DANA lets pass in silence: fields that its pages do not know."""
    return [problem.why for problem in check(body, "") if not problem.case]


def _refused(problems: Iterator[Problem]) -> Iterator[Problem]:
    return (problem for problem in problems if problem.case)


def text(longest: int, *, choices: tuple[str, ...] = ()) -> Check:
    """Return the check of a string of at most ``longest`` characters, one of ``choices`` if there are any."""

    def check(value: Any, name: str) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield malformed(name, "is not a string")
        elif len(value) > longest:
            yield malformed(name, f"has {len(value)} characters, more than {longest}")
        elif choices and value not in choices:
            yield malformed(name, f"is none of {', '.join(choices)}")

    return check


def matching(pattern: str, longest: int, what: str) -> Check:
    """Return the check of a string that matches ``pattern`` as a whole."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: Any, name: str) -> Iterator[Problem]:
        if not isinstance(value, str) or len(value) > longest or not compiled.fullmatch(value):
            yield malformed(name, f"is not {what}")

    return check


def record(*fields: Field) -> Check:
    """Return the check of an object with these fields, or any if there are none; others pass, with a hint."""

    names = {field.name for field in fields}

    def check(value: Any, name: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield malformed(name or "body", "is not an object")
            return
        for field in fields:
            yield from _in_object(value, field, f"{name}.{field.name}" if name else field.name)
        for unknown in value.keys() - names if names else ():
            yield Problem("", unknown, f"{name}.{unknown} is no field of DANA's page".lstrip("."))

    return check


def _in_object(value: dict[str, Any], field: Field, path: str) -> Iterator[Problem]:
    item = value.get(field.name)
    if item is None:
        if field.required:
            yield missing(path)
    elif item == "":
        if field.required and not field.may_be_empty:
            yield malformed(path, "is empty")
    else:
        yield from field.check(item, path)


def array(check_item: Check, *, at_least: int = 0) -> Check:
    """Return the check of an array whose items all pass ``check_item``."""

    def check(value: Any, name: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield malformed(name, "is not an array")
            return
        if len(value) < at_least:
            yield missing(name, "is empty")
        for item in value:
            yield from check_item(item, name)

    return check


def time(value: Any, name: str) -> Iterator[Problem]:
    """Check DANA's time form, 25 characters with the offset of Jakarta."""
    if not is_time(value):
        yield malformed(name, "is not YYYY-MM-DDTHH:mm:ss+07:00")


_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+07:00", re.ASCII)


def is_time(value: Any) -> bool:
    """Whether ``value`` is a real moment in DANA's form."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


_AMOUNT: Final = re.compile(r"\d{1,16}\.\d{2}", re.ASCII)


def money(value: Any, name: str) -> Iterator[Problem]:
    """Check DANA's money object: two decimals always, rupiah."""
    if not isinstance(value, dict):
        yield malformed(name, "is not an object")
        return
    for part in ("value", "currency"):
        if value.get(part) is None:
            yield missing(f"{name}.{part}")
            return
    if not isinstance(value["value"], str) or not _AMOUNT.fullmatch(value["value"]):
        # DANA names the money field itself: "Invalid Field Format amount"
        yield malformed(name, "needs a value of up to 16 digits, a point and two decimals")
    elif value["currency"] != "IDR":
        yield malformed(name, "has a currency other than IDR")


def positive_money(value: Any, name: str) -> Iterator[Problem]:
    """Check a money object that must be more than nothing."""
    found = list(money(value, name))
    yield from found
    if not found and Decimal(value["value"]) == 0:
        yield malformed(name, "is zero")


_OBJECT: Final = record()
_TERMINALS: Final = ("APP", "WEB", "WAP", "SYSTEM")

_ENV_INFO: Final = record(
    Field("sourcePlatform", text(32, choices=("IPG",)), required=True),
    Field("terminalType", text(32, choices=_TERMINALS), required=True),
    Field("orderTerminalType", text(32, choices=_TERMINALS)),
    Field("websiteLanguage", text(16)),
    Field("clientIp", text(32)),
    *texts(128, "sessionId", "tokenId", "osType", "appVersion", "sdkVersion", "orderOsType", "merchantAppVersion"),
    Field("clientKey", text(64)),
    Field("extendInfo", text(4096)),
)


def _buyer(value: Any, name: str) -> Iterator[Problem]:
    yield from _BUYER(value, name)
    if isinstance(value, dict):
        for one, other in (("externalUserType", "externalUserId"), ("externalUserId", "externalUserType")):
            # DANA's suite sends an empty type beside an id, and passes
            if value.get(one) and value.get(other) is None:
                yield missing(f"{name}.{other}", f"is missing beside {one}")


_BUYER: Final = record(
    *texts(32, "externalUserType", "externalUserId"),
    Field("nickname", text(64)),
    Field("userId", text(32)),
)

_GOODS: Final = record(
    *texts(64, "name", "merchantGoodsId", required=True),
    Field("description", text(1024), required=True),
    Field("category", text(64), required=True),
    Field("quantity", text(16), required=True),
    Field("price", money, required=True),
    *texts(64, "unit", "merchantShippingId"),
    Field("snapshotUrl", text(512)),
    Field("extendInfo", text(4096)),
)

_SHIPPING: Final = record(
    *texts(64, "merchantShippingId", "countryName", "stateName", "cityName", required=True),
    Field("address1", text(256), required=True),
    *texts(64, "firstName", "lastName", required=True),
    Field("zipCode", text(32), required=True),
    *texts(64, "trackingNo", "carrier"),
    Field("chargeAmount", money),
    Field("areaName", text(64)),
    Field("address2", text(256)),
    *texts(32, "mobileNo", "phoneNo"),
    Field("email", text(128)),
    Field("faxNo", text(32)),
)

_ORDER: Final = record(
    Field("orderTitle", text(64), required=True),
    Field("scenario", text(64, choices=("REDIRECT", "API"))),
    *texts(64, "merchantTransType", "orderMemo"),
    Field("createdTime", time),
    Field("extendInfo", text(4096)),
    Field("buyer", _buyer),
    Field("goods", array(_GOODS)),
    Field("shippingInfo", array(_SHIPPING)),
)

_URL: Final = record(
    Field("url", matching(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", 512, "a URL of at most 512 characters"), required=True),
    Field("type", text(32, choices=("PAY_RETURN", "NOTIFICATION")), required=True),
    Field("isDeeplink", text(1, choices=("Y", "N")), required=True),
)


def _urls(value: Any, name: str) -> Iterator[Problem]:
    yield from array(_URL, at_least=1)(value, name)
    if isinstance(value, list) and not any(
        isinstance(item, dict) and item.get("type") == "PAY_RETURN" for item in value
    ):
        yield missing(name, "has no PAY_RETURN")


_PROMO: Final = record(
    Field("promoAmount", money),
    Field("promoId", text(64)),
    Field("promoType", text(32, choices=("DIRECT_DISCOUNT",))),
)

_PAY_OPTION_DETAIL: Final = record(
    Field("payMethod", text(64, choices=methods.PAY_METHODS), required=True),
    Field("payOption", text(64), required=True, may_be_empty=True),
    Field("transAmount", positive_money, required=True),
    Field("feeAmount", money),
    *texts(64, "cardToken", "merchantToken"),
    Field(
        "additionalInfo",
        record(
            Field("phoneNumber", text(15)),
            Field("paymentCode", text(64)),
            Field("promoInfos", array(_PROMO)),
        ),
    ),
)


def _pay_options(value: Any, name: str) -> Iterator[Problem]:
    found = list(array(_PAY_OPTION_DETAIL, at_least=1)(value, name))
    yield from found
    if not any(problem.case for problem in found):
        for item in value:
            yield from _pay_option(item, name)


def _pay_option(item: dict[str, Any], name: str) -> Iterator[Problem]:
    method = methods.find(item["payMethod"], item["payOption"])
    if method is None:
        # the reason that a merchant saw where an option was not enabled for the account
        yield missing(f"{name}.payOption", "PAYOPTION_NOT_SUPPORTED")
    elif method.needs_phone and not (item.get("additionalInfo") or {}).get("phoneNumber"):
        yield missing(f"{name}.additionalInfo.phoneNumber", f"is missing for {method.label}")


def create_order(value: Any, name: str) -> Iterator[Problem]:
    """Check the body of Create Order, with what one field asks of another."""
    yield from _CREATE_ORDER(value, name)
    order = _dig(value, "additionalInfo", "order")
    details = value.get("payOptionDetails")
    if _dig(order, "scenario") == "API" and not details:
        yield missing("payOptionDetails", "is missing in an order of scenario API")
    if isinstance(details, list) and any(_dig(item, "payOption") == "NETWORK_PAY_PG_QRIS" for item in details):
        yield from _qris(value)


def _qris(body: dict[str, Any]) -> Iterator[Problem]:
    if not body.get("externalStoreId"):
        yield missing("externalStoreId", "is missing for QRIS")
    if len(str(body.get("partnerReferenceNo"))) > 25:
        yield malformed("partnerReferenceNo", "has more than 25 characters, too many for QRIS")


def _dig(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


_CREATE_ORDER: Final = record(
    *texts(64, "partnerReferenceNo", "merchantId", required=True),
    Field("amount", positive_money, required=True),
    Field("subMerchantId", text(32)),
    Field("externalStoreId", text(64)),
    # optional, since DANA's page has a default of 30 minutes
    Field("validUpTo", time),
    Field("disabledPayMethods", text(64)),
    Field("urlParams", _urls, required=True),
    Field("payOptionDetails", _pay_options),
    Field(
        "additionalInfo",
        record(
            Field("mcc", text(64), required=True),
            Field("envInfo", _ENV_INFO, required=True),
            Field("order", _ORDER, required=True),
            Field("extendInfo", text(4096)),
        ),
        required=True,
    ),
)


def query_payment(value: Any, name: str) -> Iterator[Problem]:
    """Check the body of Query Payment, which names an order by either reference."""
    yield from _QUERY_PAYMENT(value, name)
    if not value.get("originalPartnerReferenceNo") and not value.get("originalReferenceNo"):
        yield missing("originalPartnerReferenceNo", "and originalReferenceNo are both missing")


_QUERY_PAYMENT: Final = record(
    *texts(64, "originalPartnerReferenceNo", "originalReferenceNo"),
    Field("originalExternalId", text(36)),
    Field("serviceCode", text(2), required=True),
    Field("transactionDate", time),
    Field("amount", money),
    Field("merchantId", text(64), required=True),
    Field("subMerchantId", text(32)),
    Field("externalStoreId", text(64)),
    Field("additionalInfo", _OBJECT),
)

cancel_order: Final = record(
    Field("originalPartnerReferenceNo", text(64), required=True),
    Field("originalReferenceNo", text(64)),
    Field("originalExternalId", text(36)),
    Field("merchantId", text(64), required=True),
    Field("subMerchantId", text(32)),
    Field("reason", text(256)),
    Field("externalStoreId", text(64)),
    Field("amount", money),
    Field("additionalInfo", _OBJECT),
)

refund_order: Final = record(
    *texts(64, "merchantId", "originalPartnerReferenceNo", "partnerRefundNo", required=True),
    Field("refundAmount", positive_money, required=True),
    Field("subMerchantId", text(32)),
    Field("originalReferenceNo", text(64)),
    Field("originalExternalId", text(36)),
    *texts(64, "originalCaptureNo", "externalStoreId"),
    Field("reason", text(256)),
    Field("additionalInfo", _OBJECT),
)

consult_pay: Final = record(
    Field("merchantId", text(64), required=True),
    Field("amount", positive_money, required=True),
    Field("externalStoreId", text(64)),
    Field(
        "additionalInfo",
        record(
            Field("envInfo", _ENV_INFO, required=True),
            Field("buyer", _buyer),
            Field("merchantTransType", text(64)),
        ),
        required=True,
    ),
)
