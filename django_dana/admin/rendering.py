"""How evidence is shown: readable, and without what could be used to pay."""

import json
from collections.abc import Iterable
from typing import Any, Final

from django.utils.html import format_html
from django.utils.safestring import SafeString

from django_dana.protocol import notation

#: With these one could pay, or act as the buyer's device.
_SECRETS: Final = frozenset({"cardToken", "merchantToken", "tokenId", "sessionId"})


def pretty_text(text: str) -> SafeString:
    """Return JSON indented, and what can't be indented without losing anything as it is."""
    try:
        value = notation.parse_json_object(text.encode())
    except ValueError:
        return _preformatted(text)
    return pretty_value(value)


def pretty_value(value: Any) -> SafeString:
    """Return a JSON value indented, or nothing for an empty one."""
    if not value:
        return SafeString("-")
    return _preformatted(json.dumps(_without_secrets(value), indent=2, ensure_ascii=False, default=float))


def outside_link(url: str, text: str) -> SafeString:
    """Return a link that leaves the shop; call it only with an address that is safe to follow."""
    return format_html('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>', url, text)


def link(url: str, text: object) -> SafeString:
    """Return a link within the admin."""
    return format_html('<a href="{}">{}</a>', url, text)


def joined(parts: Iterable[object]) -> str:
    """Return what is there of several texts, on one line."""
    return " ".join(str(part) for part in parts if part)


def _preformatted(text: str) -> SafeString:
    return format_html('<pre class="dana-text">{}</pre>', text) if text else SafeString("-")


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "•••" if name in _SECRETS else _without_secrets(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return value
