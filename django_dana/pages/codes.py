"""Payment codes: a number to copy, or a QR code to scan."""

import segno
from django.utils.safestring import SafeString, mark_safe

from django_dana.models import Order
from django_dana.protocol import payment_methods
from django_dana.protocol.payment_methods import ShownAs


def is_qris(order: Order) -> bool:
    """Whether the payment code of an order is the content of a QR code."""
    method = payment_methods.shown(order.pay_option_details)
    return method is not None and method.shown_as is ShownAs.QR


def bank(order: Order) -> str:
    """Return the bank of a virtual account, else nothing."""
    method = payment_methods.shown(order.pay_option_details)
    return method.name if method is not None and method.shown_as is ShownAs.VIRTUAL_ACCOUNT else ""


def qr_svg(content: str) -> SafeString:
    """Return a QR code as SVG to stand inside a page, or nothing where no QR code can hold the content."""
    try:
        code = segno.make_qr(content, error="m")
    except ValueError:
        return SafeString("")
    # white behind and around it: scanners need the contrast, also on a dark page
    svg = code.svg_inline(scale=8, border=4, dark="#000", light="#fff", omitsize=True)
    return mark_safe(svg)  # noqa: S308  segno draws modules only; the content itself is not in it
