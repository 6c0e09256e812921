"""Payment codes: a number to copy, or a QR code to scan or to save."""

import io
from typing import Final

import segno
from django.utils.safestring import SafeString, mark_safe

_GROUP: Final = 4


def groups(code: str) -> list[str]:
    """Return a number in groups of four, as it is read aloud; anything else in one piece."""
    if not (code.isascii() and code.isdigit()):
        return [code]
    return [code[start : start + _GROUP] for start in range(0, len(code), _GROUP)]


def qr_svg(content: str) -> SafeString:
    """Return a QR code as SVG to stand inside a page."""
    # white behind and around it: scanners need the contrast, also on a dark page
    svg = _qr(content).svg_inline(scale=8, border=4, dark="#000", light="#fff", omitsize=True)
    return mark_safe(svg)  # noqa: S308  segno draws modules only; the content itself is not in it


def qr_png(content: str) -> bytes:
    """Return a QR code as a picture that phones keep in their gallery."""
    picture = io.BytesIO()
    _qr(content).save(picture, kind="png", scale=12, border=4)
    return picture.getvalue()


def _qr(content: str) -> segno.QRCode:
    # whatever fits the column fits a QR code
    return segno.make_qr(content, error="m")
