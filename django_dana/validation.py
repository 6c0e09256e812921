"""What DANA would refuse is refused here first, with the field's name, before anything is saved or sent.

Lengths and required fields: DANA's page *Create Order*, request body.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from django_dana.protocol import notation, payment_methods

MAX_AMOUNT: Final = Decimal("9999999999999.99")
MAX_REFERENCE: Final = 64
#: DANA's own limit (a week in production) is left to DANA, whose sample has 16 months; this one keeps the calendar
#: from running out.
LONGEST_LIFETIME: Final = timedelta(days=3_660)


@dataclass(frozen=True, slots=True)
class _Text:
    """A text field of an object: its longest length, and whether it must be there."""

    longest: int
    required: bool = False


@dataclass(frozen=True, slots=True)
class _Money:
    """A money field of an object."""

    required: bool = False


_Fields = Mapping[str, "_Text | _Money"]

_BUYER: Final[_Fields] = {
    "externalUserType": _Text(32),
    "externalUserId": _Text(32),
    "nickname": _Text(64),
    "userId": _Text(32),
}

_GOODS: Final[_Fields] = {
    "name": _Text(64, required=True),
    "merchantGoodsId": _Text(64, required=True),
    "description": _Text(1024, required=True),
    "category": _Text(64, required=True),
    "quantity": _Text(16, required=True),
    "price": _Money(required=True),
    "unit": _Text(64),
    "merchantShippingId": _Text(64),
    "snapshotUrl": _Text(512),
    "extendInfo": _Text(4096),
}

_SHIPPING: Final[_Fields] = {
    "merchantShippingId": _Text(64, required=True),
    "countryName": _Text(64, required=True),
    "stateName": _Text(64, required=True),
    "cityName": _Text(64, required=True),
    "address1": _Text(256, required=True),
    "firstName": _Text(64, required=True),
    "lastName": _Text(64, required=True),
    "zipCode": _Text(32, required=True),
    "trackingNo": _Text(64),
    "carrier": _Text(64),
    "chargeAmount": _Money(),
    "areaName": _Text(64),
    "address2": _Text(256),
    "mobileNo": _Text(32),
    "phoneNo": _Text(32),
    "email": _Text(128),
    "faxNo": _Text(32),
}

_ENV_INFO: Final[_Fields] = {
    "terminalType": _Text(32),
    "orderTerminalType": _Text(32),
    "websiteLanguage": _Text(16),
    "clientIp": _Text(32),
    "clientKey": _Text(64),
    "extendInfo": _Text(4096),
    **{
        name: _Text(128)
        for name in (
            "sessionId",
            "tokenId",
            "osType",
            "appVersion",
            "sdkVersion",
            "orderOsType",
            "merchantAppVersion",
        )
    },
}

_TERMINAL_TYPES: Final = ("APP", "WEB", "WAP", "SYSTEM")

_PAY_OPTION: Final[_Fields] = {
    "payMethod": _Text(64, required=True),
    "payOption": _Text(64),
    "transAmount": _Money(),
    "feeAmount": _Money(),
    "cardToken": _Text(64),
    "merchantToken": _Text(64),
}


class Problems:
    """Collects what is wrong, by field, so that a caller hears of all of it at once."""

    def __init__(self) -> None:
        self._by_field: dict[str, list[ValidationError]] = {}

    def add(self, field: str, message: Any, code: str = "invalid", **params: Any) -> None:
        """Note a problem with a field."""
        self._by_field.setdefault(field, []).append(ValidationError(message, code=code, params=params))

    def raise_if_any(self) -> None:
        """Raise a ValidationError that names every field concerned."""
        if self._by_field:
            raise ValidationError(self._by_field)

    def __contains__(self, field: str) -> bool:
        return field in self._by_field


def amount(problems: Problems, value: object) -> Decimal:
    """Check a price: Decimal or int, above 0, at most two decimals, at most MAX_AMOUNT."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        problems.add("amount", _("Give the amount as Decimal or int, never as float or text."))
        return Decimal(0)
    value = Decimal(value)
    if not value.is_finite() or value <= 0:
        problems.add("amount", _("The amount must be above 0."))
    elif value > MAX_AMOUNT:
        problems.add("amount", _("The amount must be at most %(limit)s."), limit=MAX_AMOUNT)
    elif value != (in_cents := notation.two_decimals(value)):
        problems.add("amount", _("The amount must have at most two decimals."))
    else:
        return in_cents
    return Decimal(0)


def text(problems: Problems, field: str, value: object, longest: int, *, required: bool = False) -> str:
    """Check a text: a string DANA and every database can hold, of at most so many characters."""
    if value is None:
        value = ""
    if not isinstance(value, str):
        problems.add(field, _("Give it as text."))
        return ""
    if required and not value.strip():
        problems.add(field, _("It must not be empty."), "required")
    if len(value) > longest:
        problems.add(
            field,
            _("It has %(length)s characters; DANA takes at most %(longest)s."),
            longest=longest,
            length=len(value),
        )
    if not _is_clean(value):
        problems.add(field, _("It holds a control character or half a surrogate pair."))
    return value


def reference(problems: Problems, value: object) -> str:
    """Check a partner reference that the shop chose; empty where it left the choice to us."""
    return "" if value is None else text(problems, "partner_reference_no", value, MAX_REFERENCE, required=True)


def currency(problems: Problems, value: object) -> str:
    """Check a currency: three capital letters; DANA documents IDR."""
    if not (isinstance(value, str) and len(value) == 3 and value.isascii() and value.isupper() and value.isalpha()):
        problems.add("currency", _("Give the currency as three capital letters, such as IDR."))
        return ""
    return value


def valid_up_to(problems: Problems, value: object, now: datetime) -> datetime:
    """Check the end of an order's time: aware, and in the future. DANA takes whole seconds."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        problems.add("valid_up_to", _("Give it as a datetime with a time zone."))
        return now
    # before comparing: what lies within this second would be over before it is sent
    value = value.replace(microsecond=0)
    if value <= now:
        problems.add("valid_up_to", _("It lies in the past."))
    elif value - now > LONGEST_LIFETIME:
        problems.add("valid_up_to", _("It lies more than ten years ahead."))
    return value


def return_url(problems: Problems, value: object, schemes: Collection[str] = ()) -> str:
    """Check where the return page leads the buyer: a path of this site, an http(s) address, or an app of the shop.

    Args:
        problems: takes what is wrong.
        value: the address.
        schemes: those of the shop's apps.
    """
    url = text(problems, "return_url", value, 2048)
    if not url or (url.startswith("/") and not url.startswith(("//", "/\\"))):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https", *schemes) or not parts.netloc:
        problems.add(
            "return_url",
            _("Give a path that starts with /, an https address, or that of an app whose scheme is in RETURN_SCHEMES."),
        )
    return url


def metadata(problems: Problems, value: object) -> dict[str, Any]:
    """Check the shop's own data: a JSON object."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not _is_json(value):
        problems.add("metadata", _("Give a dict that JSON can hold."))
        return {}
    return value


def buyer(problems: Problems, value: object) -> dict[str, Any]:
    """Check the buyer: the two external fields stand together or not at all."""
    result = _object(problems, "buyer", {} if value is None else value, _BUYER)
    if bool(result.get("externalUserType")) != bool(result.get("externalUserId")):
        problems.add("buyer", _("externalUserType and externalUserId must be given together."))
    return result


def goods(problems: Problems, value: object) -> list[dict[str, Any]]:
    """Check the goods."""
    return _objects(problems, "goods", value, _GOODS)


def shipping(problems: Problems, value: object) -> list[dict[str, Any]]:
    """Check the shipping addresses."""
    return _objects(problems, "shipping", value, _SHIPPING)


def env_info(problems: Problems, value: object) -> dict[str, Any]:
    """Check what is known of the buyer's device. A client IP that does not fit (long IPv6) is left out."""
    if isinstance(value, Mapping) and "clientIp" in value:
        value = {**value, "clientIp": _short_ip(value["clientIp"])}
    result = _object(problems, "env_info", {} if value is None else value, _ENV_INFO)
    for name in ("terminalType", "orderTerminalType"):
        if result.get(name, "APP") not in _TERMINAL_TYPES:
            problems.add("env_info", _("%(name)s must be APP, WEB, WAP or SYSTEM."), name=name)
    return result


def pay_option_details(
    problems: Problems, value: object, *, amount: Mapping[str, str], reference: str, store_id: str
) -> list[dict[str, Any]]:
    """Check the payment methods of the API form; transAmount is the order's amount unless it is given."""
    details = []
    for item in _items(problems, "pay_option_details", value):
        extra = item.get("additionalInfo") if isinstance(item, Mapping) else None
        known = {name: item[name] for name in item if name != "additionalInfo"} if isinstance(item, Mapping) else item
        detail = _object(problems, "pay_option_details", known, _PAY_OPTION)
        # an empty payOption is what DANA's balance has, so this field is sent even then
        detail = {"payOption": "", "transAmount": dict(amount), **detail}
        if extra:
            detail["additionalInfo"] = extra
        _check_pay_option(problems, detail, reference=reference, store_id=store_id)
        details.append(detail)
    return details


def _check_pay_option(problems: Problems, detail: Mapping[str, Any], *, reference: str, store_id: str) -> None:
    extra = detail.get("additionalInfo", {})
    if not isinstance(extra, dict) or not _is_json(extra):
        problems.add("pay_option_details", _("additionalInfo must be a dict that JSON can hold."))
        return
    phone = text(problems, "pay_option_details", extra.get("phoneNumber"), 15)
    if not detail.get("payMethod"):
        return
    method = payment_methods.find(detail["payMethod"], detail["payOption"])
    if method is None:
        problems.add(
            "pay_option_details",
            _("DANA has no payment method %(pay_method)s with the option “%(pay_option)s”."),
            "unknown",
            pay_method=detail["payMethod"],
            pay_option=detail["payOption"],
        )
        return
    if method.needs_phone and not phone:
        problems.add(
            "pay_option_details", _("%(name)s needs additionalInfo.phoneNumber."), "required", name=method.name
        )
    if method.needs_store and not store_id:
        problems.add("external_store_id", _("%(name)s needs a store id."), "required", name=method.name)
    if len(reference) > method.max_reference:
        problems.add(
            "partner_reference_no",
            _("With %(name)s it has at most %(longest)s characters."),
            name=method.name,
            longest=method.max_reference,
        )


def _is_clean(value: str, allowed: str = "") -> bool:
    """Whether it has no control character but those allowed, and no half of a surrogate pair."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in value if character not in allowed)


def _is_json(value: dict[str, Any]) -> bool:
    """Whether DANA and every database can take it: PostgreSQL, for one, stores no NUL."""
    try:
        notation.parse_json_object(notation.compact_json(value).encode("ascii"))
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _short_ip(value: object) -> object:
    try:
        short = ipaddress.ip_address(str(value)).compressed
    except ValueError:
        return value
    return short if len(short) <= 32 else ""


def _items(problems: Problems, field: str, value: object) -> Iterable[Any]:
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        problems.add(field, _("Give a list of dicts."))
        return ()
    return value


def _objects(problems: Problems, field: str, value: object, fields: _Fields) -> list[dict[str, Any]]:
    return [_object(problems, field, item, fields) for item in _items(problems, field, value)]


def _object(problems: Problems, field: str, value: object, fields: _Fields) -> dict[str, Any]:
    """Check an object in DANA's own field names; what is empty and not required is left out."""
    if not isinstance(value, Mapping):
        problems.add(field, _("Give a dict with DANA's field names."))
        return {}
    for name in value:
        if name not in fields:
            problems.add(field, _("DANA has no field %(name)s here."), name=name)
    result = {name: _value(problems, field, name, kind, value.get(name)) for name, kind in fields.items()}
    return {name: item for name, item in result.items() if item}


def _value(problems: Problems, field: str, name: str, kind: _Text | _Money, value: object) -> Any:
    if value in (None, ""):
        if kind.required:
            problems.add(field, _("%(name)s is missing."), "required", name=name)
        return None
    if isinstance(kind, _Money):
        if not _is_money(value):
            problems.add(field, _("%(name)s must look like {'value': '10000.00', 'currency': 'IDR'}."), name=name)
        return value
    if not isinstance(value, str) or len(value) > kind.longest or not _is_clean(value, "\t\r\n"):
        problems.add(
            field,
            _("%(name)s must be text of at most %(longest)s characters, without control characters."),
            name=name,
            longest=kind.longest,
        )
        return None
    return value


# Stricter than what we read: DANA answers 4005401 to an amount without its two decimals.
_SENT_AMOUNT: Final = re.compile(r"\d{1,16}\.\d{2}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)


def _is_money(value: object) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"value", "currency"}
        and all(isinstance(part, str) for part in value.values())
        and _SENT_AMOUNT.fullmatch(value["value"]) is not None
        and _CURRENCY.fullmatch(value["currency"]) is not None
    )
