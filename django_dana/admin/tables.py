"""Short tables of what belongs to a row, shown on its page: the latest rows, and a link to all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from django_dana.admin.rendering import joined, link
from django_dana.models import ApiCall, CancelRequest, Notification, Order

if TYPE_CHECKING:
    from datetime import datetime

    from django.utils.functional import _StrOrPromise

#: Rows of one table; the rest is one click away.
MOST_SHOWN: Final = 20


class Addresses(Protocol):
    """Who knows where the windows are."""

    def page_of(self, row: Model) -> str:
        """Return the address of a row's page."""

    def list_of(self, model: type[Model], **conditions: str | int) -> str:
        """Return the address of a model's list, filtered."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that belong to another row. A cell is text or safe markup; ``more_url`` leads to all of them."""

    caption: "_StrOrPromise"
    headings: Sequence["_StrOrPromise"]
    rows: Sequence[Sequence[object]]
    more_url: str = ""


def cancel_table(addresses: Addresses, order: Order) -> Table:
    """Return the cancel requests of an order."""
    found, more = _latest(order.cancel_requests.select_related("requested_by"), "request_body")
    return Table(
        _("cancel requests"),
        (_("created at"), _("status"), _("what comes next"), _("requested by"), _("reason")),
        [
            (
                link(addresses.page_of(row), _moment(row.created_at)),
                row.get_status_display(),
                row.next_step,
                row.requested_by or "",
                row.reason,
            )
            for row in found
        ],
        addresses.list_of(CancelRequest, order__id__exact=order.pk) if more else "",
    )


def call_table(addresses: Addresses, owner: Order | CancelRequest) -> Table:
    """Return the calls to DANA for an order or a cancel request."""
    found, more = _latest(owner.api_calls.all(), "response_body")
    field = "order" if isinstance(owner, Order) else "cancel_request"
    return Table(
        _("API calls"),
        (_("started at"), _("operation"), _("answer"), _("milliseconds"), _("error")),
        [
            (
                link(addresses.page_of(row), _moment(row.started_at)),
                row.get_operation_display(),
                joined([row.response_code, row.response_message]),
                "" if row.duration_ms is None else row.duration_ms,
                row.error,
            )
            for row in found
        ],
        addresses.list_of(ApiCall, **{f"{field}__id__exact": owner.pk}) if more else "",
    )


def notification_table(addresses: Addresses, order: Order) -> Table:
    """Return what DANA told about an order by itself."""
    found, more = _latest(order.notifications.all(), "body", "headers")
    return Table(
        _("notifications"),
        (_("received at"), _("outcome"), _("error")),
        [
            (link(addresses.page_of(row), _moment(row.received_at)), row.get_outcome_display(), row.error)
            for row in found
        ],
        addresses.list_of(Notification, order__id__exact=order.pk) if more else "",
    )


#: The tables on the page of an order.
TABLES: Final[Sequence[tuple[type[Model], Callable[[Addresses, Order], Table]]]] = (
    (CancelRequest, cancel_table),
    (ApiCall, call_table),
    (Notification, notification_table),
)


def _latest(rows: QuerySet[Any], *heavy: str) -> tuple[list[Any], bool]:
    """Return the latest rows without their long texts, and whether there are more."""
    found = list(rows.order_by("-id").defer(*heavy)[: MOST_SHOWN + 1])
    return found[:MOST_SHOWN], len(found) > MOST_SHOWN


def _moment(moment: "datetime") -> str:
    """Return a time to the second: calls follow each other closely."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'SHORT_DATE_FORMAT')} {local:%H:%M:%S}"
