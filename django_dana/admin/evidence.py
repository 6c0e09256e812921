"""The admin of what was sent, answered and heard. Raw texts, masked as they are, need a permission of their own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana.admin.base import CHANGE_PERMISSION, ORDER_COLUMNS, ActionResult, ReadOnlyAdmin, RowAction
from django_dana.admin.rendering import link, pretty_text, pretty_value
from django_dana.models import ApiCall, Notification
from django_dana.protocol import notation
from django_dana.services.permitted import CANCEL_PERMISSION

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class EvidenceAdmin(ReadOnlyAdmin):
    """What calls and messages share: the order they belong to, and who may read them as they are."""

    list_select_related = ("order",)

    @admin.display(description=_("order"))
    def shown_order(self, row: Any) -> str:
        """Return the reference of the order."""
        return str(row.order or "-")

    @admin.display(description=_("order"))
    def order_link(self, row: Any) -> SafeString | str:
        """Return a link to the order."""
        return link(self.page_of(row.order), row.order) if row.order else "-"

    def row_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Add the raw texts, or who may read them."""
        context = super().row_context(request, row)
        if self.may_read_evidence(request):
            context["evidence"] = self.evidence(row)
        else:
            context["closed_evidence"] = True
        return context

    def evidence(self, row: Any) -> Sequence[tuple["_StrOrPromise", SafeString]]:
        """Return the raw texts of a row, masked."""
        raise NotImplementedError


def _why_not_review(notification: Notification) -> Any:
    if notification.reviewed_at:
        return _("It has already been reviewed.")
    fine = (Notification.Outcome.APPLIED, Notification.Outcome.KNOWN, Notification.Outcome.TEST)
    return _("It was applied, so there is nothing to review.") if notification.outcome in fine else None


def _review(request: HttpRequest, notification: Notification, data: dict[str, Any]) -> ActionResult:
    notification.reviewed_at = timezone.now()
    notification.save(update_fields=["reviewed_at"])
    return ActionResult(gettext("Noted: the message no longer needs attention."))


@admin.register(ApiCall)
class ApiCallAdmin(EvidenceAdmin):
    """Each HTTP call to DANA."""

    list_display = ("started_at", "operation", "shown_order", "response_code", "response_message", "error")
    list_filter = ("operation",)
    search_fields = ("order__partner_reference_no", "order__reference_no", "external_id")
    search_help_text = _("The beginning of a reference of the order, or of an X-EXTERNAL-ID.")
    heavy = ("response_body", *ORDER_COLUMNS)
    fieldsets = (
        (None, {"fields": ("order_link", "request_link", "operation", "external_id", "started_at", "duration_ms")}),
        (_("Answer"), {"fields": ("http_status", "response_code", "response_message", "meaning", "error")}),
    )

    @admin.display(description=_("request"))
    def request_link(self, call: ApiCall) -> SafeString | str:
        """Return a link to the cancel or refund request it was made for."""
        about = call.cancel_request or call.refund_request
        return link(self.page_of(about), about) if about else "-"

    @admin.display(description=_("meaning"))
    def meaning(self, call: ApiCall) -> str:
        """Return what DANA's table says of the answer."""
        if call.duration_ms is None and not call.rule_code:
            return gettext("No answer is recorded: the call is under way, or the worker ended before its end.")
        return gettext(call.rule.advice) if call.rule else "-"

    def heading(self, row: ApiCall) -> str:
        """Return what was called, and about which order."""
        return gettext("%(operation)s of %(order)s") % {"operation": row.get_operation_display(), "order": row.order}

    def evidence(self, row: ApiCall) -> Sequence[tuple["_StrOrPromise", SafeString]]:
        """Return the answer."""
        return [(_("response"), pretty_text(row.response_body))]


@admin.register(Notification)
class NotificationAdmin(EvidenceAdmin):
    """Each message of DANA, also those that were refused."""

    list_display = ("received_at", "outcome", "shown_order", "verified", "account", "error")
    list_filter = ("outcome", "verified")
    search_fields = ("order__partner_reference_no", "order__reference_no")
    search_help_text = _("The beginning of a reference of the order: ours or DANA's.")
    heavy = ("body", "headers", *ORDER_COLUMNS)
    row_actions = (
        RowAction(
            name="review",
            label=_("Mark as reviewed"),
            permissions=(CHANGE_PERMISSION, CANCEL_PERMISSION),
            why_not=_why_not_review,
            run=_review,
            question=_("You have found out whose message it is, and nothing more is to be done about it."),
        ),
    )
    fieldsets = (
        (None, {"fields": ("order_link", "claimed_reference", "outcome", "error", "received_at", "reviewed_at")}),
        (_("Message"), {"fields": ("verified", "verified_by", "account")}),
    )

    @admin.display(description=_("reference in the message"))
    def claimed_reference(self, notification: Notification) -> str:
        """Return which order the message says it is about; whether it is so is another question."""
        try:
            message = notation.parse_json_object(notification.body.encode())
        except ValueError:
            return "-"
        return str(message.get("originalPartnerReferenceNo") or "-")

    def heading(self, row: Notification) -> str:
        """Return what it is, and what became of it."""
        return gettext("Message from DANA: %(outcome)s") % {"outcome": row.get_outcome_display() or "-"}

    def evidence(self, row: Notification) -> Sequence[tuple["_StrOrPromise", SafeString]]:
        """Return the message and the headers that are kept."""
        return [(_("body"), pretty_text(row.body)), (_("headers"), pretty_value(row.headers))]
