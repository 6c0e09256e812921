"""What is done with several orders at once: giving money back, after a page that says what would happen; exporting."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_dana.admin.giving_back import Choice, all_of, version_of
from django_dana.display import csv_cell, price
from django_dana.models import Order
from django_dana.services.summary import Summary, money_of, summarize

#: Orders whose money is given back at once: what one person can read before they press.
MOST_GIVEN_BACK: Final = 100

_COLUMNS: Final = (
    "reference",
    "dana_reference",
    "title",
    "state",
    "needs_attention",
    "amount",
    "paid",
    "given_back",
    "currency",
    "created_at",
    "paid_at",
    "account",
    "environment",
)


class BulkForm(forms.Form):
    """Why the money of several orders is given back."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=256,
        help_text=_("DANA gets it with each request. For example: out of stock."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 60}),
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order that somebody has chosen, and what would happen to it."""

    summary: Summary
    choice: Choice
    version: str

    @property
    def price(self) -> str:
        """What would go back, in the reader's notation."""
        return price(self.amount, self.summary.money.currency)

    @property
    def amount(self) -> Decimal:
        """How much would go back."""
        return self.summary.order.amount_left if self.summary.order.paid_at else Decimal(0)


def candidates(orders: Iterable[Order], user: Any) -> list[Candidate]:
    """Return what would happen to each chosen order if all that is left of it went back."""
    return [Candidate(summarize(order), all_of(order, user), version_of(order)) for order in orders]


def totals(found: Iterable[Candidate]) -> list[str]:
    """Return how much money goes back, by currency."""
    sums: dict[str, Decimal] = {}
    for candidate in found:
        if not candidate.choice.why_not:
            currency = candidate.summary.money.currency
            sums[currency] = sums.get(currency, Decimal(0)) + candidate.amount
    return [price(amount, currency) for currency, amount in sums.items()]


def export(orders: Iterable[Order]) -> StreamingHttpResponse:
    """Return the orders as CSV, row by row."""
    response = StreamingHttpResponse(_lines(orders), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="orders-{timezone.localdate():%Y-%m-%d}.csv"'
    return response


class _Echo:
    """A file that gives back what is written."""

    def write(self, value: str) -> str:
        return value


def _lines(orders: Iterable[Order]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    # so that spreadsheets read it as UTF-8
    yield "\ufeff"
    yield writer.writerow(_COLUMNS)
    for order in orders:
        yield writer.writerow([csv_cell(value) for value in _values(order)])


def _values(order: Order) -> Iterator[Any]:
    standing, money = summarize(order), money_of(order)
    yield from (order.partner_reference_no, order.reference_no, order.title, standing.badge)
    yield "yes" if standing.needs_attention else ""
    yield from (order.amount, money.paid, money.given_back, order.currency)
    yield from (
        timezone.localtime(when).isoformat(" ", "seconds") if when else "" for when in (order.created_at, order.paid_at)
    )
    yield from (order.account, order.environment)
