"""DANA's notation for money, time and JSON, in both directions.

Sources: DANA's Create Order page (amount, X-TIMESTAMP, validUpTo) and, for what is read, captured notifications.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any, Final

# Indonesia's western time has no daylight saving; DANA accepts exactly this offset.
JAKARTA = timezone(timedelta(hours=7), "WIB")

_MONEY = re.compile(r"\d{1,16}(\.\d{1,2})?", re.ASCII)
_EPOCH_MILLISECONDS = re.compile(r"\d{12,14}", re.ASCII)

_CENT: Final = Decimal("0.01")

# The shop's own decimal context may have a low precision, or raise on what is inexact, or on nothing.
_CONTEXT: Final = Context(prec=40, rounding=ROUND_HALF_EVEN, traps=[])
_STRICT: Final = Context(traps=[InvalidOperation])

# Nothing that DANA sends is nested deeper than about ten levels, and MariaDB's JSON columns take 32.
_MAX_DEPTH = 30


def compact_json(value: Mapping[str, Any]) -> str:
    """Return ``value`` as JSON without whitespace and in ASCII, the form in which signed bytes equal sent bytes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def parse_json_object(text: bytes) -> dict[str, Any]:
    """Return the JSON object that ``text`` holds.

    Strict where leniency would let two readers see two messages: UTF-8 only, no NaN or Infinity, no key twice,
    no lone surrogate, bounded depth.

    Raises:
        ValueError: ``text`` is anything else than such an object.
    """
    try:
        value = json.loads(
            text.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_decimal,
            object_pairs_hook=_unique_keys,
        )
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
        _check_depth_and_text(value)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text, _STRICT)
    except InvalidOperation:
        raise ValueError("a number's exponent is out of range") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _check_depth_and_text(value: Any, depth: int = 0) -> None:
    if depth > _MAX_DEPTH:
        raise ValueError("JSON nested too deeply")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key)
            _check_depth_and_text(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_depth_and_text(item, depth + 1)


def _check_text(value: str) -> None:
    # PostgreSQL stores no NUL, and no database stores half a surrogate pair.
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("a string holds NUL or a lone surrogate")


def two_decimals(amount: Decimal) -> Decimal:
    """Return ``amount``, which is finite and below 10**30, with exactly two decimals, whatever the decimal context."""
    return amount.quantize(_CENT, context=_CONTEXT)


def money(amount: Decimal, currency: str) -> dict[str, str]:
    """Return DANA's money object for ``amount`` in whole units of ``currency``, with two decimals."""
    return {"value": str(two_decimals(amount)), "currency": currency}


def parse_money(value: Any) -> tuple[Decimal, str] | None:
    """Return amount and currency of DANA's money object, or None where ``value`` is not one."""
    if not isinstance(value, dict):
        return None
    amount, currency = value.get("value"), value.get("currency")
    if not isinstance(amount, str) or not isinstance(currency, str) or not _MONEY.fullmatch(amount):
        return None
    return Decimal(amount), currency


def jakarta_time(moment: datetime) -> str:
    """Return ``moment`` (aware) as ``YYYY-MM-DDTHH:mm:ss+07:00``, 25 characters, whatever TIME_ZONE is."""
    return moment.astimezone(JAKARTA).isoformat(timespec="seconds")


def parse_time(value: Any) -> datetime | None:
    """Return the aware moment that DANA means, or None where ``value`` is no time.

    DANA writes ISO 8601 with an offset; a captured LinkAja payment has epoch milliseconds in a string. As a number
    they were never seen, but would mean the same.
    """
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    try:
        value = str(value)
        if _EPOCH_MILLISECONDS.fullmatch(value):
            return datetime.fromtimestamp(int(value) / 1000, UTC)
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=JAKARTA)
        # normalised, so that a moment no database can hold is refused here
        return moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
