"""What holds for each kind of option. Sources of the limits: DANA's pages and SDKs."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django_dana import timing
from django_dana.checks.findings import Finding
from django_dana.conf.options import PRODUCTION, SANDBOX, Kind, Option

_LONGEST_CHANNEL_ID: Final = 5

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")

#: What a browser runs, shows or hands to something else than an app of the shop.
_SCHEMES_OF_BROWSERS: Final = frozenset(
    {
        *("about", "blob", "data", "file", "filesystem", "ftp", "http", "https", "intent", "javascript", "mailto"),
        *("sms", "tel", "vbscript", "view-source", "ws", "wss"),
    }
)

Rule = tuple[Finding, Callable[[Any, Option], bool]]


def judge(option: Option, value: Any) -> Finding | None:
    """Return the first thing that is wrong with the value of an option, if any."""
    if value is None or value == "" or (option.kind is Kind.ADDRESSES and value == []):
        return None if option.default in (None, "") and not option.is_required else Finding.MISSING_OPTION
    values = addresses(value) if option.kind is Kind.ADDRESSES else [value]
    rules = (*_RULES[option.kind], *_MORE_RULES.get(option.name, ()))
    return next((finding for item in values for finding, holds in rules if not holds(item, option)), None)


def longest(option: Option) -> str:
    """Return the limit of an option in words."""
    return f"{option.longest.days} days" if isinstance(option.longest, timedelta) else str(option.longest)


def addresses(value: Any) -> list[Any]:
    """Return the addresses of an option that holds one or several."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _is_text(value: Any, option: Option) -> bool:
    return isinstance(value, str)


def _is_clean(value: str, option: Option) -> bool:
    return value == value.strip() and not re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", value)


def _is_ascii(value: str, option: Option) -> bool:
    return value.isascii()


def _fits(value: str, option: Option) -> bool:
    return not isinstance(option.longest, int) or len(value) <= option.longest


def _is_address(value: str, option: Option) -> bool:
    try:
        parts = urlsplit(value)
        has_usable_port = parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and has_usable_port and " " not in value


def _are_schemes(value: Any, option: Option) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(item, str) and _SCHEME.fullmatch(item) and item not in _SCHEMES_OF_BROWSERS for item in value
    )


def _is_bare(value: str, option: Option) -> bool:
    parts = urlsplit(value)
    return parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username or parts.password)


def _is_number(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most


def _is_delays(value: Any, option: Option) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(_is_number(item, timing.LONGEST_DELAY) for item in value)
    )


def _is_span(value: Any, option: Option) -> bool:
    assert isinstance(option.longest, timedelta)  # noqa: S101  every option of this kind says so
    return isinstance(value, timedelta) and timedelta(0) < value <= option.longest


_TEXT: Final[Sequence[Rule]] = (
    (Finding.NOT_TEXT, _is_text),
    (Finding.UNCLEAN, _is_clean),
    (Finding.TOO_LONG, _fits),
)
_ADDRESS: Final[Sequence[Rule]] = (*_TEXT, (Finding.NOT_AN_ADDRESS, _is_address))
_DELAYS: Final[Sequence[Rule]] = ((Finding.DELAYS, _is_delays),)

# In this order; of each option only the first problem is told.
_RULES: Final[Mapping[Kind, Sequence[Rule]]] = {
    Kind.ENVIRONMENT: ((Finding.ENVIRONMENT, lambda value, option: value in (SANDBOX, PRODUCTION)),),
    Kind.TEXT: _TEXT,
    Kind.HEADER: (*_TEXT[:2], (Finding.NOT_ASCII, _is_ascii), *_TEXT[2:]),
    Kind.ADDRESS: _ADDRESS,
    Kind.ADDRESSES: _ADDRESS,
    Kind.SCHEMES: ((Finding.SCHEMES, _are_schemes),),
    Kind.HOST: (*_ADDRESS, (Finding.BASE_URL, _is_bare)),
    Kind.PROXY: _ADDRESS,
    Kind.TERMINAL_TYPE: ((Finding.TERMINAL_TYPE, lambda value, option: value in ("APP", "WEB", "WAP", "SYSTEM")),),
    Kind.SECONDS: ((Finding.TIMEOUT, lambda value, option: _is_number(value, timing.LONGEST_TIMEOUT)),),
    Kind.COUNT: (
        (Finding.MAX_ATTEMPTS, lambda value, option: type(value) is int and value >= 1),
        (Finding.MANY_ATTEMPTS, lambda value, option: value <= option.default),
    ),
    Kind.DELAYS: _DELAYS,
    Kind.GROWING_DELAYS: (
        *_DELAYS,
        (Finding.SHRINKING_DELAYS, lambda value, option: list(value) == sorted(value)),
    ),
    Kind.SPAN: ((Finding.NOT_A_SPAN, _is_span),),
    Kind.FLAG: ((Finding.NOT_A_BOOL, lambda value, option: isinstance(value, bool)),),
}

_MORE_RULES: Final[Mapping[str, Sequence[Rule]]] = {
    # a warning, since DANA's own SDKs send more
    "CHANNEL_ID": ((Finding.LONG_CHANNEL_ID, lambda value, option: len(value) <= _LONGEST_CHANNEL_ID),),
}
