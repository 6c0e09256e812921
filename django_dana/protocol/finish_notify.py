"""Finish Notify (service 56): what DANA tells a shop about a payment.

Source: DANA's page *Finish Notify*, request body, and captured notifications. Read leniently: only what finds the order
and names its state is required; unknown keys and values, missing optional keys and both forms of time are fine, since
no detail may keep a verified payment from being recorded.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Self

from django_dana.protocol import notation

_MAX_ID: Final = 64


class BadMessage(ValueError):
    """A message that can't be about an order of ours.

    Attributes:
        is_incomplete: whether a mandatory field is missing altogether.
    """

    def __init__(self, reason: str, *, is_incomplete: bool = False) -> None:
        super().__init__(reason)
        self.is_incomplete = is_incomplete


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishNotify:
    """One message.

    Attributes:
        partner_reference_no: our reference (DANA's page of Gapura has the descriptions of the two ids swapped).
        merchant_id: whose order it is.
        status: DANA's latestTransactionStatus.
        amount: the amount, or None where it is absent or can't be read.
        currency: its currency.
        amount_unreadable: whether an amount is there that can't be read.
        reference_no: DANA's id of the order, if given.
        paid_at: when it was paid, if given.
        pay_method: what it was paid with, if given.
        pay_option: which bank or wallet, if given.
    """

    partner_reference_no: str
    merchant_id: str
    status: str
    amount: Decimal | None
    currency: str
    amount_unreadable: bool
    reference_no: str
    paid_at: datetime | None
    pay_method: str
    pay_option: str

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read the text that DANA's signature covers.

        Raises:
            BadMessage: it is no JSON object, or a mandatory field is missing or of a wrong form.
        """
        try:
            content = notation.parse_json_object(text, lenient=True)
        except ValueError as error:
            raise BadMessage(str(error)) from None
        ids = _mandatory(content, "originalPartnerReferenceNo", "merchantId", "latestTransactionStatus")
        amount, currency = notation.parse_money(content.get("amount")) or (None, "")
        additional = _object(content.get("additionalInfo"))
        payment = _object(additional.get("paymentInfo"))
        option = _first_option(payment)
        # the time of payment stands in one of three places, depending on the method
        times = (additional.get("paidTime"), payment.get("paidTime"), content.get("finishedTime"))
        return cls(
            partner_reference_no=ids[0],
            merchant_id=ids[1],
            status=ids[2].strip(),
            amount=amount,
            currency=currency,
            amount_unreadable="amount" in content and amount is None,
            reference_no=_text(content.get("originalReferenceNo")),
            paid_at=next((moment for value in times if (moment := notation.parse_time(value))), None),
            pay_method=_text(option.get("payMethod")),
            pay_option=_text(option.get("payOption")),
        )


def _mandatory(content: dict[str, Any], *names: str) -> list[str]:
    """Return the texts of fields without which nothing can be booked, compared as they are and never trimmed."""
    missing = [name for name in names if content.get(name) in (None, "")]
    wrong = [name for name in names if name not in missing and not _is_id(content[name])]
    if missing or wrong:
        raise BadMessage(f"wrong fields: {', '.join([*missing, *wrong])}", is_incomplete=bool(missing))
    return [str(content[name]) for name in names]


def _is_id(value: Any) -> bool:
    is_text = isinstance(value, str | int) and not isinstance(value, bool)
    return is_text and len(str(value)) <= _MAX_ID


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first_option(payment: dict[str, Any]) -> dict[str, Any]:
    options = payment.get("payOptionInfos")
    return _object(options[0]) if isinstance(options, list) and options else {}


def _text(value: Any) -> str:
    return value[:_MAX_ID] if isinstance(value, str) else ""
