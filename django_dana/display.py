"""How amounts, times, payment methods and foreign texts are shown to people: staff and buyers alike."""

import unicodedata
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from django_dana.protocol import payment_methods
from django_dana.protocol.payment_methods import ShownAs

_SIGNS: Final = {"IDR": "Rp"}

#: With these, also as East Asian spreadsheets write them, a cell begins that is calculated.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


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


def payment_method(pay_method: str, pay_option: str) -> str:
    """Return what buyers call the payment method that DANA reports, such as ``GoPay``; else DANA's own word for it."""
    method = payment_methods.reported(pay_method, pay_option)
    if method is None:
        return pay_option or pay_method
    if method.shown_as is ShownAs.VIRTUAL_ACCOUNT:
        return _("%(bank)s virtual account") % {"bank": method.name}
    return method.name


def one_line(text: str) -> str:
    """Return a text that somebody else wrote without what a terminal would obey or hide, on one line."""
    return "".join(_shown(character) for character in text)


def csv_cell(value: object) -> str:
    """Return a value so that no spreadsheet takes it for a formula."""
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")
