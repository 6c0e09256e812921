"""How an amount is shown to people; the windows of the staff and the pages of the buyer share it."""

from decimal import Decimal
from typing import Final

from django.utils.formats import number_format

_SIGNS: Final = {"IDR": "Rp"}


def price(amount: Decimal, currency: str) -> str:
    """Return an amount with its currency in the reader's notation, such as ``Rp15.000,00``."""
    number = number_format(amount, decimal_pos=2, force_grouping=True)
    # no-break space, so that a code never stands on another line than its number
    return f"{_SIGNS.get(currency) or currency + chr(0xA0)}{number}"
