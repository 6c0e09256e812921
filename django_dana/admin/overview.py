"""How business goes: orders, payments and refunds a day, how fast things are, what DANA refuses, what is unsettled."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana.admin import charts
from django_dana.admin.charts import Series
from django_dana.display import moment, price
from django_dana.models import ApiCall, Notification, Order
from django_dana.protocol.response_codes import Outcome

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

PERIODS: Final = {1: _("Today"), 7: _("7 days"), 30: _("30 days")}

#: Rows of which times are measured: enough for a median, and no more however many there are.
SAMPLE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart and the numbers in it."""

    chart: SafeString
    headings: Sequence["_StrOrPromise"]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What the page shows."""

    figures: list[tuple["_StrOrPromise", str]]
    plots: list[Plot]
    refusals: list[Sequence[Any]]
    oldest_unsettled: Order | None
    last_heard: datetime | None


def overview_of(orders: QuerySet[Order], days: int) -> Overview:
    """Return how the last days went.

    Args:
        orders: the orders that this person may see.
        days: how many days, today included.
    """
    today = timezone.localdate()
    dates = [today - timedelta(days=back) for back in reversed(range(days))]
    since = timezone.make_aware(datetime.combine(dates[0], datetime.min.time()))
    by_day = _by_day(orders.filter(created_at__gte=since))
    calls = ApiCall.objects.filter(started_at__gte=since)
    return Overview(
        figures=_figures(by_day.values()),
        plots=[
            _orders_plot(dates, by_day),
            _seconds_plot(_("Seconds from order to payment"), dates, _paid_after(orders, since), 1),
            _seconds_plot(_("Milliseconds until DANA answers"), dates, _answered_after(calls), 0),
        ],
        refusals=_refusals(calls),
        oldest_unsettled=orders.filter(next_sync_at__isnull=False).order_by("id").first(),
        last_heard=Notification.objects.filter(verified__in=[True])
        .order_by("-id")
        .values_list("received_at", flat=True)
        .first(),
    )


def _by_day(orders: QuerySet[Order]) -> dict[date, dict[str, Any]]:
    """Return the numbers of each day; an order counts on the day of its creation."""
    paid = Q(paid_at__isnull=False)
    all_back = paid & Q(payment_status__in=(Order.PaymentStatus.CANCELLED, Order.PaymentStatus.REFUNDED))
    part_back = paid & ~all_back & Q(refunded_amount__gt=0)
    rupiah = Q(currency="IDR")
    rows = (
        orders.order_by()
        .annotate(day=TruncDate("created_at"))
        .values("day")
        .annotate(
            orders=Count("pk"),
            paid=Count("paid_at"),
            given_back=Count("pk", filter=all_back | part_back),
            paid_amount=Sum("amount", filter=paid & rupiah),
            all_back_amount=Sum("amount", filter=all_back & rupiah),
            part_back_amount=Sum("refunded_amount", filter=part_back & rupiah),
        )
    )
    return {row["day"]: dict(row) for row in rows}


def _figures(rows: Iterable[dict[str, Any]]) -> list[tuple["_StrOrPromise", str]]:
    rows = list(rows)
    orders, paid, back = (sum(row[name] for row in rows) for name in ("orders", "paid", "given_back"))
    amount = _sum(rows, "paid_amount")
    back_amount = _sum(rows, "all_back_amount") + _sum(rows, "part_back_amount")
    share = f"{number_format(100 * paid / orders, 1)} %" if orders else "-"
    return [
        (_("Orders"), number_format(orders, force_grouping=True)),
        (_("Paid"), number_format(paid, force_grouping=True)),
        (_("Conversion"), share),
        (_("Amount paid"), price(amount, "IDR")),
        (_("Given back"), number_format(back, force_grouping=True)),
        (_("Amount given back"), price(back_amount, "IDR")),
    ]


def _sum(rows: Iterable[dict[str, Any]], name: str) -> Decimal:
    return sum((row[name] or Decimal(0) for row in rows), Decimal(0))


def _orders_plot(dates: Sequence[date], by_day: dict[date, dict[str, Any]]) -> Plot:
    def numbers(name: str) -> list[float | None]:
        return [by_day[day][name] if day in by_day else 0 for day in dates]

    series = [
        Series(_("orders"), "calm", numbers("orders")),
        Series(_("paid"), "good", numbers("paid")),
        Series(_("given back"), "bad", numbers("given_back")),
    ]
    return _plot(charts.bars, _("Orders per day"), dates, series, 0)


def _seconds_plot(
    title: "_StrOrPromise", dates: Sequence[date], found: Iterable[tuple[date, float]], digits: int
) -> Plot:
    by_day: dict[date, list[float]] = defaultdict(list)
    for day, value in found:
        by_day[day].append(value)
    series = [
        Series(_("half within"), "calm", [median(by_day[day]) if by_day[day] else None for day in dates]),
        Series(_("95 percent within"), "bad", [_most(by_day[day]) if by_day[day] else None for day in dates]),
    ]
    return _plot(charts.lines, title, dates, series, digits)


def _most(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))]


def _plot(
    draw: Callable[..., SafeString],
    title: "_StrOrPromise",
    dates: Sequence[date],
    series: Sequence[Series],
    digits: int,
) -> Plot:
    labels = [date_format(day, "j M") for day in dates]
    rows = [
        [
            label,
            *("-" if one.values[index] is None else number_format(one.values[index] or 0, digits) for one in series),
        ]
        for index, label in enumerate(labels)
    ]
    return Plot(draw(title, labels, series), [_("day"), *(one.name for one in series)], rows)


def _paid_after(orders: QuerySet[Order], since: datetime) -> Iterable[tuple[date, float]]:
    latest = orders.filter(paid_at__gte=since).order_by("-paid_at").values_list("created_at", "paid_at")[:SAMPLE]
    for created_at, paid_at in latest:
        if paid_at:
            yield timezone.localdate(paid_at), max((paid_at - created_at).total_seconds(), 0)


def _answered_after(calls: QuerySet[ApiCall]) -> Iterable[tuple[date, float]]:
    answered = calls.filter(http_status__isnull=False, duration_ms__isnull=False)
    for started_at, duration in answered.order_by("-started_at").values_list("started_at", "duration_ms")[:SAMPLE]:
        yield timezone.localdate(started_at), duration or 0


def _refusals(calls: QuerySet[ApiCall]) -> list[Sequence[Any]]:
    """Return how often DANA refused, by code, with what the code means."""
    found = calls.order_by().exclude(rule_code="").values("operation", "rule_code").annotate(number=Count("pk"))
    refusals: list[Sequence[Any]] = []
    for row in found:
        call = ApiCall(operation=row["operation"], rule_code=row["rule_code"])
        if call.rule and call.rule.outcome is Outcome.FAILED:
            refusals.append((row["number"], call.get_operation_display(), row["rule_code"], gettext(call.rule.advice)))
    return sorted(refusals, key=lambda row: -row[0])


def facts_of(overview: Overview) -> list[tuple["_StrOrPromise", str]]:
    """Return what stands in a sentence."""
    heard = moment(overview.last_heard) if overview.last_heard else gettext("never")
    return [(_("Last message from DANA"), heard)]
