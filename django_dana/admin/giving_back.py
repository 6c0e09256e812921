"""The page on which money is given back: how much, by which way, what will happen, and why."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import get_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana import services
from django_dana.display import price
from django_dana.models import CancelRequest, Order, RefundRequest
from django_dana.protocol import operations
from django_dana.services import WayBack
from django_dana.services.permitted import CANCEL_PERMISSION, REFUND_PERMISSION, why_not_permitted

ALL: Final = "all"
PART: Final = "part"

_PERMISSIONS: Final = {
    operations.CANCEL_ORDER.key: CANCEL_PERMISSION,
    operations.REFUND_ORDER.key: REFUND_PERMISSION,
}

#: Any amount that is not all of it.
_A_PART: Final = Decimal(0)


class StaleForm(Exception):
    """The order has changed since the person saw it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How much goes back, and how.

    Attributes:
        name: all that is left, or a part of it.
        way: the operation of DANA, and why that one.
        label: how much.
        effect: what will happen.
        why_not: why it can't be done, or not by this person; empty where it can.
    """

    name: str
    way: WayBack
    label: str
    effect: str
    why_not: str


def choices_for(order: Order, user: Any) -> list[Choice]:
    """Return what a person may choose from: all, and a part where money of the buyer is with us."""
    found = [all_of(order, user)]
    if order.payment_status == Order.PaymentStatus.PAID:
        label, effect = gettext("A part of it"), gettext("It is refunded at DANA; the rest stays with us.")
        found.append(_choice(PART, order, _A_PART, user, label, effect))
    return found


def all_of(order: Order, user: Any) -> Choice:
    """Return what happens where everything that is left goes back."""
    left = order.amount_left
    facts = {"price": price(left, order.currency)}
    way = services.how_to_give_back(order, left, timezone.now())
    if order.paid_at is None:
        effect = gettext(
            "The whole order is cancelled at DANA, so the buyer can't pay it any more. If it was paid meanwhile, "
            "%(price)s goes back to the buyer."
        )
    elif way.operation is operations.CANCEL_ORDER:
        effect = gettext("The whole order is cancelled at DANA, and %(price)s goes back to the buyer.")
    else:
        effect = gettext("%(price)s is refunded at DANA.")
    return _choice(ALL, order, left, user, gettext("All of it, %(price)s") % facts, effect % facts)


def _choice(name: str, order: Order, amount: Decimal, user: Any, label: str, effect: str) -> Choice:
    now = timezone.now()
    way = services.how_to_give_back(order, amount, now)
    why_not = services.why_not_give_back(order, amount, now)
    why_not = why_not or why_not_permitted(user, _PERMISSIONS[way.operation.key])
    return Choice(name, way, label, effect, str(why_not or ""))


def may_give_back(order: Order, user: Any) -> bool:
    """Whether there is anything that this person may choose."""
    return any(not choice.why_not for choice in choices_for(order, user))


class AmountField(forms.CharField):
    """An amount in the reader's notation: 6,000 in English is 6.000 in Indonesian."""

    def clean(self, value: Any) -> Any:
        """Return the amount as a Decimal, or None."""
        text = "".join(super().clean(value).split()).removeprefix("Rp")
        if not text:
            return None
        grouped, point = (re.escape(get_format(name)) for name in ("THOUSAND_SEPARATOR", "DECIMAL_SEPARATOR"))
        found = re.fullmatch(rf"([0-9]+|[0-9]{{1,3}}(?:{grouped}[0-9]{{3}})+)(?:{point}([0-9]{{1,2}}))?", text)
        if found is None:
            example = price(Decimal(6000), "IDR")
            raise ValidationError(_("Write an amount like %(example)s."), params={"example": example})
        return Decimal(f"{''.join(re.findall('[0-9]', found[1]))}.{found[2] or 0}")


class GiveBackForm(forms.Form):
    """How much goes back and why; of an order that was not paid, only why it is cancelled."""

    choice = forms.ChoiceField(label=_("How much"))
    amount = AmountField(
        label=_("Amount"),
        required=False,
        max_length=25,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "size": 20}),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=256,
        help_text=_("DANA gets it, and it is kept with the request. For example: out of stock."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 60}),
    )
    note = forms.CharField(
        label=_("Internal note"),
        required=False,
        max_length=500,
        help_text=_("For your colleagues; DANA and the buyer do not see it."),
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
    )
    version = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, choices: Sequence[Choice], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = choices
        choice: Any = self.fields["choice"]
        choice.choices = [(each.name, each.label) for each in choices if not each.why_not]

    def clean(self) -> dict[str, Any]:
        """See to it that a part has an amount."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("choice") != PART:
            data["amount"] = None
        elif data.get("amount") is None and "amount" not in self.errors:
            self.add_error("amount", _("Write how much of it goes back."))
        return data


def version_of(order: Order) -> str:
    """Return what a person must have seen of an order to decide about its money."""
    paid_at: datetime | None = order.paid_at
    left = order.amount_left
    way = services.how_to_give_back(order, left, timezone.now())
    paid = paid_at.isoformat() if paid_at else "-"
    return "/".join([order.payment_status, paid, str(order.refunded_amount), str(left), way.operation.key])


def give_back(
    order: Order, *, amount: Decimal | None, reason: str, version: str, user: Any
) -> CancelRequest | RefundRequest:
    """Ask DANA to give an amount back, or all that is left; inside a transaction.

    Raises:
        StaleForm: the order is not any more what the person saw.
        ValidationError: DANA can't be asked for it.
    """
    locked = Order.objects.lock(order.pk)
    if version_of(locked) != version:
        raise StaleForm
    left = locked.amount_left
    if amount == left:
        # the page has said that a part is a refund, and may have said that all of it is a cancel
        raise ValidationError({"amount": _("This is all that is left. Choose “all of it”.")})
    way = services.how_to_give_back(locked, left if amount is None else amount, timezone.now())
    if way.operation is operations.CANCEL_ORDER:
        return services.cancel_order(locked, reason=reason, requested_by=user)
    return services.refund_order(locked, amount=amount, reason=reason, requested_by=user)
