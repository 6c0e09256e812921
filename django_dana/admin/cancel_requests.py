"""The admin of cancel requests: did the money go back, and if not, why not."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana import services
from django_dana.admin.base import ORDER_COLUMNS, ActionResult, ReadOnlyAdmin, RowAction, sync
from django_dana.admin.filters import AttentionFilter
from django_dana.admin.rendering import badge, link, pretty_text
from django_dana.admin.tables import Table, call_table
from django_dana.display import price
from django_dana.models import ApiCall, CancelRequest
from django_dana.services import summary
from django_dana.services.permitted import CANCEL_PERMISSION
from django_dana.services.summary import Tone

_TONES = {
    CancelRequest.Status.NEW: Tone.WAIT,
    CancelRequest.Status.PENDING: Tone.WAIT,
    CancelRequest.Status.SUCCESS: Tone.GOOD,
    CancelRequest.Status.FAILED: Tone.BAD,
    CancelRequest.Status.ABORTED: Tone.BAD,
}


def _why_not_sync(cancel_request: CancelRequest) -> Any:
    if cancel_request.status in (CancelRequest.Status.NEW, CancelRequest.Status.SUCCESS):
        return _("DANA knows nothing more of it than stands here.")
    return summary.why_not_sync(cancel_request.order)


def _retry(request: HttpRequest, cancel_request: CancelRequest) -> ActionResult:
    user: Any = request.user
    services.retry_cancel(cancel_request, requested_by=user)
    return ActionResult(gettext("It is on its way to DANA. This page shows what becomes of it."))


def _stop(request: HttpRequest, cancel_request: CancelRequest) -> ActionResult:
    services.stop_retrying(cancel_request)
    return ActionResult(gettext("The cancel is not sent again by itself any more."))


def _review(request: HttpRequest, cancel_request: CancelRequest) -> ActionResult:
    services.clear_attention(cancel_request)
    return ActionResult(gettext("Noted: the cancel request needs no attention any more."))


#: What may be done about a cancel request, here and on the page of its order.
ACTIONS = (
    RowAction(
        name="retry",
        label=_("Send again"),
        permissions=(CANCEL_PERMISSION,),
        why_not=services.why_not_retry,
        run=_retry,
    ),
    RowAction(
        name="sync",
        label=_("Ask DANA now"),
        permissions=(CANCEL_PERMISSION,),
        why_not=_why_not_sync,
        run=lambda request, cancel_request: sync(cancel_request.order),
        atomic=False,
    ),
    RowAction(
        name="stop",
        label=_("Stop trying"),
        permissions=(CANCEL_PERMISSION,),
        why_not=services.why_not_stop,
        run=_stop,
    ),
    RowAction(
        name="review",
        label=_("Mark as reviewed"),
        permissions=(CANCEL_PERMISSION,),
        why_not=summary.why_not_review,
        run=_review,
        question=_("You have looked into it, and nothing more is to be done about this request. No money is moved."),
    ),
)


@admin.register(CancelRequest)
class CancelRequestAdmin(ReadOnlyAdmin):
    """Cancel requests: where each one stands and what comes next."""

    list_display = ("shown_order", "shown_status", "shown_amount", "created_at", "requested_by", "reason")
    list_filter = (AttentionFilter, "status")
    list_select_related = ("order", "requested_by")
    search_fields = ("order__partner_reference_no", "order__reference_no")
    search_help_text = _("The beginning of a reference of the order: ours or DANA's.")
    heavy = ("request_body", *ORDER_COLUMNS)
    fieldsets = (
        (None, {"fields": ("order_link", "shown_amount", "status", "reason", "requested_by", "created_at")}),
        (
            _("At DANA"),
            {
                "fields": (
                    "cancel_time",
                    "transaction_date",
                    "response_code",
                    "response_message",
                    "attempts",
                    "next_attempt_at",
                    "give_up_at",
                )
            },
        ),
    )
    row_actions = ACTIONS

    @admin.display(description=_("status"))
    def shown_status(self, cancel_request: CancelRequest) -> SafeString:
        """Return the status, or why a person should look, as a badge."""
        text = cancel_request.get_needs_attention_display() or cancel_request.get_status_display()
        status = CancelRequest.Status(cancel_request.status)
        return badge(text, Tone.BAD if cancel_request.needs_attention else _TONES[status])

    @admin.display(description=_("amount"))
    def shown_amount(self, cancel_request: CancelRequest) -> str:
        """Return the amount in the reader's notation."""
        return price(cancel_request.amount, cancel_request.order.currency)

    @admin.display(description=_("order"))
    def shown_order(self, cancel_request: CancelRequest) -> str:
        """Return the reference of the order."""
        return str(cancel_request.order)

    @admin.display(description=_("order"))
    def order_link(self, cancel_request: CancelRequest) -> SafeString:
        """Return a link to the order."""
        order = cancel_request.order
        return link(self.page_of(order), f"{order}, {order.title}")

    def heading(self, row: CancelRequest) -> str:
        """Return the number, and the reference of the order, by which people know it."""
        return gettext("Cancel request %(number)s of %(order)s") % {"number": row, "order": row.order}

    def row_context(self, request: HttpRequest, row: CancelRequest) -> dict[str, Any]:
        """Add the request as it is sent, for those who may read it."""
        context = super().row_context(request, row)
        if self.may_read_evidence(request):
            context["evidence"] = [(_("request"), pretty_text(row.request_body))]
        return context

    def is_under_way(self, row: CancelRequest) -> bool:
        """Whether DANA has still to decide."""
        return bool(row.unfinished)

    def tables(self, request: HttpRequest, row: CancelRequest) -> list[Table]:
        """Return the calls made for the request."""
        return [call_table(self, row)] if self.may_see(request, ApiCall) else []
