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


def parse_json_object(text: bytes, *, lenient: bool = False) -> dict[str, Any]:
    """Return the JSON object that ``text`` holds: UTF-8, without NaN or Infinity, of bounded depth.

    Strict by default, where leniency would let two readers see two messages: no key twice, no NUL, no half of a
    surrogate pair.

    Args:
        text: what was received.
        lenient: for what DANA tells about money, which no detail may keep from being heard. What is no text becomes
            U+FFFD, control characters are taken, and a key may stand twice, except at the top level; an object in
            which one does is no amount (:func:`parse_money`).

    Raises:
        ValueError: ``text`` is anything else than such an object.
    """
    try:
        value = json.loads(
            text.decode("utf-8", "replace" if lenient else "strict"),
            strict=not lenient,
            parse_constant=_refuse_constant,
            parse_float=_decimal,
            object_pairs_hook=_object if lenient else _unique_keys,
        )
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
        if lenient and _NO_TEXT.search(text):
            value = _with_text(value)
        _check_depth_and_text(value)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    if isinstance(value, _AmbiguousObject):
        raise ValueError(_KEY_TWICE)
    return dict(value)


class _AmbiguousObject(dict[str, Any]):
    """A JSON object in which a key stands twice; the last one counts."""


_KEY_TWICE = "a key stands twice in one object"

#: Escapes that may stand for NUL or half a surrogate pair, and NUL itself.
_NO_TEXT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|\x00")
_NO_CHARACTER = re.compile("[\x00\ud800-\udfff]")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text, _STRICT)
    except InvalidOperation:
        raise ValueError("a number's exponent is out of range") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    return result if len(result) == len(pairs) else _AmbiguousObject(result)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError(_KEY_TWICE)
    return result


def _with_text(value: Any) -> Any:
    """Return ``value`` with U+FFFD in place of what no database stores as text."""
    if isinstance(value, str):
        return _NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_with_text(item) for item in value]
    if isinstance(value, dict):
        pairs = [(_with_text(key), _with_text(item)) for key, item in value.items()]
        return _AmbiguousObject(pairs) if isinstance(value, _AmbiguousObject) else _object(pairs)
    return value


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
    if _NO_CHARACTER.search(value):
        raise ValueError("a string holds NUL or a lone surrogate")


def two_decimals(amount: Decimal) -> Decimal:
    """Return ``amount``, which is finite and below 10**30, with exactly two decimals, whatever the decimal context."""
    return amount.quantize(_CENT, context=_CONTEXT)


def money(amount: Decimal, currency: str) -> dict[str, str]:
    """Return DANA's money object for ``amount`` in whole units of ``currency``, with two decimals."""
    return {"value": str(two_decimals(amount)), "currency": currency}


def parse_money(value: Any) -> tuple[Decimal, str] | None:
    """Return amount and currency of DANA's money object, or None where ``value`` is not one."""
    if not isinstance(value, dict) or isinstance(value, _AmbiguousObject):
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
