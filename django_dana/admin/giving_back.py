"""The page on which money is given back: what will happen, what was asked for before, and why."""

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from django_dana import services
from django_dana.models import CancelRequest, Order


class StaleForm(Exception):
    """The order has changed since the person saw it."""


class GiveBackForm(forms.Form):
    """Why money is given back, or an unpaid order cancelled."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=256,
        help_text=_("DANA gets it, and it is kept with the request. For example: out of stock."),
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off", "size": 60}),
    )
    note = forms.CharField(
        label=_("Internal note"),
        required=False,
        max_length=500,
        help_text=_("For your colleagues; DANA and the buyer do not see it."),
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
    )
    version = forms.CharField(widget=forms.HiddenInput)


def version_of(order: Order) -> str:
    """Return what a person must have seen of an order to decide about its money."""
    paid_at: datetime | None = order.paid_at
    return f"{order.payment_status}/{paid_at.isoformat() if paid_at else '-'}"


def give_back(order: Order, form: GiveBackForm, user: Any) -> CancelRequest:
    """Ask for what the form says; inside a transaction.

    Raises:
        StaleForm: the order is not any more what the person saw.
        ValidationError: DANA can't be asked for it.
    """
    locked = Order.objects.lock(order.pk)
    if version_of(locked) != form.cleaned_data["version"]:
        raise StaleForm
    return services.cancel_order(locked, reason=form.cleaned_data["reason"], requested_by=user)


def add_refusal(form: GiveBackForm, refusal: ValidationError) -> None:
    """Show a refusal beside the field that it names, if the form has it."""
    by_field = refusal.error_dict if hasattr(refusal, "error_dict") else {"": refusal.error_list}
    for name, errors in by_field.items():
        form.add_error(name if name in form.fields else None, errors)
