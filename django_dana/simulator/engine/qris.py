"""The content of a QRIS code: Indonesia's profile of EMVCo's merchant-presented QR code."""

import binascii
from decimal import Decimal


def content(amount: Decimal, merchant_id: str, reference_no: str) -> str:
    """Return the text that a QRIS code for one payment holds: tag, length, value, closed by a checksum.

    Args:
        amount: rupiah.
        merchant_id: DANA's id of the merchant.
        reference_no: DANA's number of the order; its last 20 digits become the reference in the code.
    """
    account = _tag("00", "ID.CO.SIMULATOR.WWW") + _tag("02", merchant_id[:32])
    text = "".join(
        (
            _tag("00", "01"),
            _tag("01", "12"),  # for one payment only
            _tag("26", account),
            _tag("52", "5999"),
            _tag("53", "360"),  # rupiah
            _tag("54", f"{amount:.2f}"),
            _tag("58", "ID"),
            _tag("59", "DANA SIMULATOR"),
            _tag("60", "JAKARTA"),
            _tag("62", _tag("01", reference_no[-20:])),
            "6304",
        )
    )
    return f"{text}{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"


def _tag(name: str, value: str) -> str:
    return f"{name}{len(value):02}{value}"
