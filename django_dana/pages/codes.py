"""Payment codes: a number to copy, or a QR code to scan."""

from typing import Any, Final

import segno
from django.utils.safestring import SafeString, mark_safe

from django_dana.models import Order

_QRIS: Final = "NETWORK_PAY_PG_QRIS"
_VIRTUAL_ACCOUNT: Final = "VIRTUAL_ACCOUNT_"

#: The names that buyers know, where DANA's own differs from them.
_BANKS: Final = {
    "MANDIRI": "Mandiri",
    "BSI_PAYMENT": "BSI",
    "CIMB": "CIMB Niaga",
    "PERMATA": "Permata",
    "PANI": "Panin",
}


def is_qris(order: Order) -> bool:
    """Whether the payment code of an order is the content of a QR code."""
    return _pay_option(order) == _QRIS


def bank(order: Order) -> str:
    """Return the bank of a virtual account, else nothing."""
    option = _pay_option(order)
    if not option.startswith(_VIRTUAL_ACCOUNT):
        return ""
    name = option.removeprefix(_VIRTUAL_ACCOUNT)
    return _BANKS.get(name, name)


def qr_svg(content: str) -> SafeString:
    """Return a QR code as SVG to stand inside a page, or nothing where no QR code can hold the content."""
    try:
        code = segno.make_qr(content, error="m")
    except ValueError:
        return SafeString("")
    # white behind and around it: scanners need the contrast, also on a dark page
    svg = code.svg_inline(scale=8, border=4, dark="#000", light="#fff", omitsize=True)
    return mark_safe(svg)  # noqa: S308  segno draws modules only; the content itself is not in it


def _pay_option(order: Order) -> str:
    details: Any = order.pay_option_details
    return str(details[0].get("payOption", "")) if details else ""
