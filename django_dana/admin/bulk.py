"""What is done with several orders at once: cancel them, after a page that says what would happen; export them."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_dana import services
from django_dana.admin.giving_back import version_of
from django_dana.display import csv_cell, price
from django_dana.models import Order
from django_dana.services.summary import Summary, money_of, summarize, with_requests

#: Orders cancelled at once: what one person can read before they press.
MOST_CANCELLED: Final = 100

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
    """Why several orders are cancelled."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=256,
        help_text=_("DANA gets it with each request. For example: out of stock."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 60}),
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order that somebody has chosen, and why it can't be cancelled, if it can't."""

    summary: Summary
    why_not: str
    price: str
    version: str


def candidates(orders: QuerySet[Order]) -> list[Candidate]:
    """Return what would happen to each chosen order."""
    found = []
    for order in with_requests(orders.order_by("id"))[: MOST_CANCELLED + 1]:
        why_not = services.why_not_cancel(order)
        found.append(
            Candidate(summarize(order), str(why_not or ""), price(order.amount, order.currency), version_of(order))
        )
    return found


def totals(found: Iterable[Candidate]) -> list[str]:
    """Return how much money goes back, by currency."""
    sums: dict[str, Decimal] = {}
    for candidate in found:
        if not candidate.why_not:
            money = candidate.summary.money
            sums[money.currency] = sums.get(money.currency, Decimal(0)) + money.still_with_us
    return [price(amount, currency) for currency, amount in sums.items()]


def export(orders: QuerySet[Order]) -> StreamingHttpResponse:
    """Return the orders as CSV, row by row."""
    response = StreamingHttpResponse(_lines(orders), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="orders-{timezone.localdate():%Y-%m-%d}.csv"'
    return response


class _Echo:
    """A file that gives back what is written."""

    def write(self, value: str) -> str:
        return value


def _lines(orders: QuerySet[Order]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    # so that spreadsheets read it as UTF-8
    yield "\ufeff"
    yield writer.writerow(_COLUMNS)
    for order in with_requests(orders).iterator(chunk_size=500):
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
