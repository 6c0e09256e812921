"""The admin of cancel and refund requests: did the money go back, and if not, why not."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

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
from django_dana.models import ApiCall, CancelRequest, RefundRequest
from django_dana.services import summary
from django_dana.services.permitted import CANCEL_PERMISSION, REFUND_PERMISSION
from django_dana.services.summary import Request, Tone

_TONES = {"new": Tone.WAIT, "pending": Tone.WAIT, "success": Tone.GOOD, "failed": Tone.BAD, "aborted": Tone.BAD}


def _why_not_sync(row: Request) -> Any:
    if row.status in ("new", "success"):
        return _("DANA has nothing to add to what is shown here.")
    return summary.why_not_sync(row.order)


def _retry(request: HttpRequest, row: Request, data: dict[str, Any]) -> ActionResult:
    user: Any = request.user
    if isinstance(row, CancelRequest):
        services.retry_cancel(row, requested_by=user)
    else:
        services.retry_refund(row, requested_by=user)
    return ActionResult(gettext("It is on its way to DANA. This page will show the result."))


def _stop(request: HttpRequest, row: Request, data: dict[str, Any]) -> ActionResult:
    services.stop_retrying(row)
    return ActionResult(gettext("It is not sent again by itself any more."))


def _review(request: HttpRequest, row: Request, data: dict[str, Any]) -> ActionResult:
    services.clear_attention(row)
    return ActionResult(gettext("Noted: the request no longer needs attention."))


def _actions(permission: str) -> Sequence[RowAction]:
    """Return what may be done about a request, on its own page and on that of its order."""
    action = partial(RowAction, permissions=(permission,))
    return (
        action(name="retry", label=_("Send again"), why_not=services.why_not_retry, run=_retry),
        action(
            name="sync",
            label=_("Ask DANA now"),
            why_not=_why_not_sync,
            run=lambda request, row, data: sync(row.order),
            atomic=False,
        ),
        action(name="stop", label=_("Stop trying"), why_not=services.why_not_stop, run=_stop),
        action(
            name="review",
            label=_("Mark as reviewed"),
            why_not=summary.why_not_review,
            run=_review,
            confirmation=_(
                "You have looked into it, and nothing more is to be done about this request. No money is moved."
            ),
        ),
    )


#: What may be done about each kind of request.
ACTIONS: dict[type[Request], Sequence[RowAction]] = {
    CancelRequest: _actions(CANCEL_PERMISSION),
    RefundRequest: _actions(REFUND_PERMISSION),
}


class OrderRequestAdmin(ReadOnlyAdmin):
    """Requests to give money back: where each one stands and what comes next."""

    list_display = ("shown_order", "shown_status", "shown_amount", "created_at", "requested_by", "reason")
    list_filter = (AttentionFilter, "status")
    list_select_related = ("order", "requested_by")
    heavy = ("request_body", *ORDER_COLUMNS)

    #: The fields that are DANA's.
    at_dana: ClassVar[Sequence[str]] = ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return who asked for what, and what DANA said."""
        asked = ("order_link", "shown_amount", "status", "reason", "requested_by", "created_at")
        answer = ("response_code", "response_message", "attempts", "next_attempt_at", "give_up_at")
        return ((None, {"fields": asked}), (_("At DANA"), {"fields": (*self.at_dana, *answer)}))

    @admin.display(description=_("status"))
    def shown_status(self, row: Request) -> SafeString:
        """Return the status, or why a person should look, as a badge."""
        text = row.get_needs_attention_display() or row.get_status_display()
        return badge(text, Tone.BAD if row.needs_attention else _TONES[row.status])

    @admin.display(description=_("amount"))
    def shown_amount(self, row: Request) -> str:
        """Return the amount in the reader's notation."""
        return price(row.amount, row.order.currency)

    @admin.display(description=_("order"))
    def shown_order(self, row: Request) -> str:
        """Return the reference of the order."""
        return str(row.order)

    @admin.display(description=_("order"))
    def order_link(self, row: Request) -> SafeString:
        """Return a link to the order."""
        return link(self.page_of(row.order), f"{row.order}, {row.order.title}")

    def row_context(self, request: HttpRequest, row: Request) -> dict[str, Any]:
        """Add the request as it is sent, for those who may read it."""
        context = super().row_context(request, row)
        if self.may_read_evidence(request):
            context["evidence"] = [(_("request"), pretty_text(row.request_body))]
        return context

    def is_under_way(self, row: Request) -> bool:
        """Whether DANA has still to decide."""
        return bool(row.unfinished)

    def tables(self, request: HttpRequest, row: Request) -> list[Table]:
        """Return the calls made for the request."""
        return [call_table(self, row)] if self.may_see(request, ApiCall) else []


@admin.register(CancelRequest)
class CancelRequestAdmin(OrderRequestAdmin):
    """Requests to cancel an order."""

    search_fields = ("order__partner_reference_no", "order__reference_no")
    search_help_text = _("The beginning of a reference of the order: ours or DANA's.")
    at_dana = ("cancel_time", "transaction_date")
    row_actions = ACTIONS[CancelRequest]

    def heading(self, row: CancelRequest) -> str:
        """Return the number, and the reference of the order, by which people know it."""
        return gettext("Cancel request %(number)s of %(order)s") % {"number": row, "order": row.order}


@admin.register(RefundRequest)
class RefundRequestAdmin(OrderRequestAdmin):
    """Requests to refund part or all of an order."""

    search_fields = ("order__partner_reference_no", "order__reference_no", "partner_refund_no", "refund_no")
    search_help_text = _("The beginning of a reference of the order, or of a refund number: ours or DANA's.")
    at_dana = ("partner_refund_no", "refund_no", "refund_time")
    row_actions = ACTIONS[RefundRequest]

    def heading(self, row: RefundRequest) -> str:
        """Return the number, and the reference of the order, by which people know it."""
        return gettext("Refund request %(number)s of %(order)s") % {"number": row, "order": row.order}
