"""How evidence is shown: readable, and without what could be used to pay."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from django.utils.html import format_html
from django.utils.safestring import SafeString

from django_dana.protocol import notation

MASK: Final = "•••"

#: The ends of names of what one could pay with, act as the buyer's device with, or prove what one did not write.
_SECRETS: Final = r"(?:token(?:id)?|sessionid|signature|cvv2?|cvc|card_?(?:no|number)|pin|password|authcode)"
_SECRET_NAME: Final = re.compile(rf"{_SECRETS}$", re.IGNORECASE)

#: The same in a text that is no JSON, or was cut off. Its quotes may be escaped once or more; what is no text is
#: masked to the end, since nobody knows where it ends.
_SECRET_IN_TEXT: Final = re.compile(
    rf"""({_SECRETS}\\*["']?\s*[:=]\s*)(?:(\\*["'])(?:(?!(?<!\\)\2).)*|[\[{{].*|[^\s,;&}}"']+)""",
    re.IGNORECASE | re.DOTALL,
)


def pretty_text(text: str) -> SafeString:
    """Return JSON indented, and what can't be indented without losing anything as it is."""
    try:
        value = notation.parse_json_object(text.encode())
    except ValueError:
        return _preformatted(_masked(text))
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


def badge(text: object, tone: str) -> SafeString:
    """Return a state as a badge."""
    return format_html('<span class="dana-badge dana-{}">{}</span>', tone, text)


def joined(parts: Iterable[object]) -> str:
    """Return what is there of several texts, on one line."""
    return " ".join(str(part) for part in parts if part)


def _preformatted(text: str) -> SafeString:
    return format_html('<pre class="dana-text" tabindex="0">{}</pre>', text) if text else SafeString("-")


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: MASK if _SECRET_NAME.search(name) else _without_secrets(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return _text_without_secrets(value) if isinstance(value, str) else value


def _text_without_secrets(text: str) -> str:
    """Mask what stands in JSON inside a string, which DANA nests several times."""
    try:
        value = notation.parse_json_object(text.encode())
    except ValueError:
        return _masked(text)
    masked = _without_secrets(value)
    return text if masked == value else json.dumps(masked, ensure_ascii=False, default=float)


def _masked(text: str) -> str:
    return _SECRET_IN_TEXT.sub(rf"\1\2{MASK}", text)
