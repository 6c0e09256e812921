"""How amounts and times are shown to people: staff and buyers alike."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format, number_format

_SIGNS: Final = {"IDR": "Rp"}


def price(amount: Decimal, currency: str) -> str:
    """Return an amount with its currency in the reader's notation, such as ``Rp15.000,00``."""
    number = number_format(amount, decimal_pos=2, force_grouping=True)
    # no-break space, so that a code never stands on another line than its number
    return f"{_SIGNS.get(currency) or currency + chr(0xA0)}{number}"


def moment(when: datetime) -> str:
    """Return a time in the reader's time zone and notation: without the date today, without the year this year."""
    local, today = timezone.localtime(when), timezone.localdate()
    time = date_format(local, "H:i")
    if local.date() == today:
        return time
    # a day and a month name, since 11/12 is read in two ways
    return f"{date_format(local, 'j M' if local.year == today.year else 'j M Y')}, {time}"
