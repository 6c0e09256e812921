"""The windows on what was sent, answered and heard."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana.admin.base import ORDER_COLUMNS, Window
from django_dana.admin.rendering import link, pretty_text, pretty_value
from django_dana.models import ApiCall, Notification


class EvidenceWindow(Window):
    """What calls and messages share: the order they belong to."""

    list_select_related = ("order",)

    @admin.display(description=_("order"))
    def shown_order(self, row: Any) -> str:
        """Return the reference of the order."""
        return str(row.order or "-")

    @admin.display(description=_("order"))
    def order_link(self, row: Any) -> str:
        """Return a link to the order."""
        return link(self.page_of(row.order), row.order) if row.order else "-"


@admin.register(ApiCall)
class ApiCallAdmin(EvidenceWindow):
    """Each HTTP call to DANA."""

    list_display = ("started_at", "operation", "shown_order", "response_code", "response_message", "error")
    list_filter = ("operation",)
    search_fields = ("order__partner_reference_no", "order__reference_no", "external_id")
    search_help_text = _("A whole reference of the order, or an X-EXTERNAL-ID.")
    heavy = ("response_body", *ORDER_COLUMNS)
    fieldsets = (
        (None, {"fields": ("order_link", "cancel_link", "operation", "external_id", "started_at", "duration_ms")}),
        (
            _("Answer"),
            {"fields": ("http_status", "response_code", "response_message", "meaning", "error", "shown_response")},
        ),
    )

    @admin.display(description=_("cancel request"))
    def cancel_link(self, call: ApiCall) -> str:
        """Return a link to the cancel request it was made for."""
        return link(self.page_of(call.cancel_request), call.cancel_request) if call.cancel_request else "-"

    @admin.display(description=_("meaning"))
    def meaning(self, call: ApiCall) -> str:
        """Return what DANA's table says of the answer."""
        if call.duration_ms is None and not call.rule_code:
            return gettext("No answer is recorded: the call is under way, or the worker ended before its end.")
        return gettext(call.rule.advice) if call.rule else "-"

    @admin.display(description=_("response"))
    def shown_response(self, call: ApiCall) -> SafeString:
        """Return the body of the answer."""
        return pretty_text(call.response_body)


@admin.register(Notification)
class NotificationAdmin(EvidenceWindow):
    """Each message of DANA, also those that were refused."""

    list_display = ("received_at", "outcome", "shown_order", "verified", "account", "error")
    list_filter = ("outcome", "verified")
    search_fields = ("order__partner_reference_no", "order__reference_no")
    search_help_text = _("A whole reference of the order: ours or DANA's.")
    heavy = ("body", "headers", *ORDER_COLUMNS)
    fieldsets = (
        (None, {"fields": ("order_link", "outcome", "error", "received_at")}),
        (_("Message"), {"fields": ("shown_body", "shown_headers", "verified", "verified_by", "account")}),
    )

    @admin.display(description=_("body"))
    def shown_body(self, notification: Notification) -> SafeString:
        """Return the message."""
        return pretty_text(notification.body)

    @admin.display(description=_("headers"))
    def shown_headers(self, notification: Notification) -> SafeString:
        """Return the headers that are kept."""
        return pretty_value(notification.headers)
