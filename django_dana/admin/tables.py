"""Short tables of what belongs to a row, shown on its page: the latest rows, and a link to all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from django.db.models import Model
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from django_dana.admin.rendering import joined, link
from django_dana.models import ApiCall, OrderRequest

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


def call_table(addresses: Addresses, request: OrderRequest) -> Table:
    """Return the calls to DANA for a request."""
    rows = ApiCall.objects.filter(**{request.argument: request}).order_by("-id").defer("response_body")
    found = list(rows[: MOST_SHOWN + 1])
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
            for row in found[:MOST_SHOWN]
        ],
        addresses.list_of(ApiCall, **{f"{request.argument}__id__exact": request.pk}) if len(found) > MOST_SHOWN else "",
    )


def _moment(moment: "datetime") -> str:
    """Return a time to the second: calls follow each other closely."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'SHORT_DATE_FORMAT')} {local:%H:%M:%S}"
