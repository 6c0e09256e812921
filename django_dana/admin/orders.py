"""The window on orders, and the one thing staff do there with money: cancel and refund."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana import conf, services
from django_dana.admin import cancel_requests
from django_dana.admin.base import (
    CHANGE_PERMISSION,
    AttentionColumn,
    AttentionFilter,
    Handle,
    Told,
    Window,
    ask_dana,
)
from django_dana.admin.rendering import joined, link, outside_link, pretty_text, pretty_value
from django_dana.admin.tables import TABLES, Table
from django_dana.display import price
from django_dana.models import CancelRequest, Order
from django_dana.services.permitted import CANCEL_PERMISSION

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

#: DANA cancels paid orders only so long after the payment. A warning, since DANA's answer decides.
CANCEL_WINDOW: Final = timedelta(hours=24)


class CancelForm(forms.Form):
    """Why an order is cancelled."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=256,
        required=False,
        help_text=_("DANA gets it, and it is kept with the request. For example: out of stock."),
        widget=forms.TextInput(attrs={"class": "vTextField", "autofocus": True}),
    )


class AccountFilter(admin.SimpleListFilter):
    """By account, as the DANA setting has them: asking the table would read all of it."""

    title = _("account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the accounts, if there is a choice."""
        try:
            aliases = list(conf.raw_accounts())
        except Exception:  # noqa: BLE001  a setting that is a callable may raise anything; the orders are shown anyway
            aliases = []
        return [(alias, alias) for alias in aliases] if len(aliases) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter by the chosen account."""
        return queryset.filter(account=self.value()) if self.value() else queryset


# -- handles --------------------------------------------------------------------------------------------------------


def can_be_asked_about(order: Order) -> bool:
    """Whether DANA may know something of it."""
    return order.create_status != Order.CreateStatus.NEW


def can_be_sent_again(order: Order) -> bool:
    """Whether the create may be sent once more by hand."""
    unsettled = order.create_status in (Order.CreateStatus.PENDING, Order.CreateStatus.FAILED)
    return (
        unsettled
        and order.is_open
        and timezone.now() < order.valid_up_to
        and not order.outcome_ambiguous
        and not order.cancel_requests.exists()
    )


def is_tried_again(order: Order) -> bool:
    """Whether the create is repeated from time to time."""
    return order.create_status != Order.CreateStatus.NEW and order.next_attempt_at is not None


def can_be_marked(order: Order) -> bool:
    """Whether a person may say that it needs no attention; not while DANA is asked which of its messages is true."""
    is_being_asked = order.needs_attention == Order.Attention.CONFLICT and order.next_sync_at is not None
    return bool(order.needs_attention) and not is_being_asked


def can_be_cancelled(order: Order) -> bool:
    """Whether DANA may have an order that is neither closed nor being cancelled."""
    return services.why_not_cancel(order) is None


def _send_again(request: HttpRequest, order: Order) -> Told:
    services.retry_order(order)
    return Told(gettext("The order is sent to DANA again."))


def _stop(request: HttpRequest, order: Order) -> Told:
    services.stop_retrying(order)
    return Told(gettext("The order is not sent again by itself any more."))


def _mark(request: HttpRequest, order: Order) -> Told:
    services.clear_attention(order)
    return Told(gettext("Noted: the order needs no attention any more."))


# -- the window -----------------------------------------------------------------------------------------------------


@admin.register(Order)
class OrderAdmin(AttentionColumn, Window):
    """Orders: where each one stands, what comes next, and why."""

    list_display = (
        "partner_reference_no",
        "payment_status",
        "attention",
        "shown_amount",
        "title",
        "create_status",
        "shown_created_at",
    )
    list_filter = ("payment_status", AttentionFilter, "create_status", AccountFilter)
    sortable_by = ("shown_created_at",)
    search_fields = ("partner_reference_no", "reference_no")
    search_help_text = _("A whole reference: ours or DANA's.")
    heavy = ("request_body", "web_redirect_url", "payment_code", "pay_option_details", "metadata", "return_url", "note")
    fieldsets = (
        (None, {"fields": ("title", "shown_amount", "payment_status", "paid_at", "valid_up_to", "created_at")}),
        (_("At DANA"), {"fields": ("partner_reference_no", "reference_no", "page_at_dana", "payment_code")}),
        (
            _("The call"),
            {
                "fields": (
                    "create_status",
                    "response_code",
                    "response_message",
                    "attempts",
                    "next_attempt_at",
                    "last_sync_at",
                    "next_sync_at",
                    "note",
                    "shown_request",
                )
            },
        ),
        (
            _("More"),
            {
                "classes": ("collapse",),
                "fields": (
                    "account",
                    "environment",
                    "merchant_id",
                    "sub_merchant_id",
                    "external_store_id",
                    "payment_methods",
                    "return_url",
                    "shown_metadata",
                    "public_id",
                    "updated_at",
                ),
            },
        ),
    )
    handles = (
        Handle(
            name="ask",
            label=_("Ask DANA now"),
            permissions=(CHANGE_PERMISSION, CANCEL_PERMISSION),
            fits=can_be_asked_about,
            pull=lambda request, order: ask_dana(order),
            atomic=False,
        ),
        Handle(
            name="retry",
            label=_("Send again"),
            permissions=(CHANGE_PERMISSION,),
            fits=can_be_sent_again,
            pull=_send_again,
        ),
        Handle(
            name="stop",
            label=_("Stop trying"),
            permissions=(CHANGE_PERMISSION,),
            fits=is_tried_again,
            pull=_stop,
        ),
        Handle(
            name="mark",
            label=_("Mark as looked at"),
            permissions=(CHANGE_PERMISSION, CANCEL_PERMISSION),
            fits=can_be_marked,
            pull=_mark,
        ),
    )

    @admin.display(description=_("amount"))
    def shown_amount(self, order: Order) -> str:
        """Return the amount in the reader's notation."""
        return price(order.amount, order.currency)

    @admin.display(description=_("created at"), ordering="id")
    def shown_created_at(self, order: Order) -> str:
        """Return the time; sorted by the key, which has an index and the same order."""
        return date_format(timezone.localtime(order.created_at), "SHORT_DATETIME_FORMAT")

    @admin.display(description=_("page at DANA"))
    def page_at_dana(self, order: Order) -> str:
        """Return a link to DANA's page, if its address is one to follow."""
        url = order.safe_redirect_url
        return outside_link(url, gettext("Open DANA's page")) if url else order.web_redirect_url or "-"

    @admin.display(description=_("request"))
    def shown_request(self, order: Order) -> SafeString:
        """Return what is sent to DANA."""
        return pretty_text(order.request_body)

    @admin.display(description=_("payment methods"))
    def payment_methods(self, order: Order) -> str:
        """Return the methods the shop asked for."""
        return pretty_value(order.pay_option_details) if order.pay_option_details else gettext("DANA's own page")

    @admin.display(description=_("metadata"))
    def shown_metadata(self, order: Order) -> SafeString:
        """Return the shop's own data."""
        return pretty_value(order.metadata)

    def is_under_way(self, obj: Order) -> bool:
        """Whether the first answer of DANA is awaited."""
        return obj.create_status == Order.CreateStatus.NEW

    def notes(self, request: HttpRequest, obj: Order) -> list[SafeString]:
        """Return what became of the last cancel: "paid, deliver it" is no advice while the money goes back."""
        last = obj.cancel_requests.order_by("-id").first()
        if last is None or not self.may_see(request, CancelRequest):
            return []
        title = link(self.page_of(last), _("Cancel request"))
        # of one that succeeded the order says the same
        step = "" if last.status == CancelRequest.Status.SUCCESS else last.next_step
        return [format_html("{}: <strong>{}</strong>. {}", title, last.get_status_display(), step)]

    def links(self, request: HttpRequest, obj: Order) -> list[tuple["_StrOrPromise", str]]:
        """Return the way to the page that cancels."""
        if not request.user.has_perm(CANCEL_PERMISSION) or not can_be_cancelled(obj):
            return []
        return [(_("Cancel and refund"), self.address("cancel", obj.pk))]

    def tables(self, request: HttpRequest, obj: Order) -> list[Table]:
        """Return the cancel requests, calls and messages of an order, as far as this person may see them."""
        return [build(self, obj) for model, build in TABLES if self.may_see(request, model)]

    # -- cancel -------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add the page that cancels."""
        return [self.route("cancel", self.cancel_view), *super().get_urls()]

    def cancel_view(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        """Say what will happen, and on a POST ask for it."""
        if not request.user.has_perm(CANCEL_PERMISSION):
            raise PermissionDenied
        order: Order = self.row(request, object_id)
        form = CancelForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                return self._cancel(request, order, form.cleaned_data["reason"])
            except ValidationError as refusal:
                form.add_error(None, refusal.messages)
        return self._cancel_page(request, order, form)

    def _cancel(self, request: HttpRequest, order: Order, reason: str) -> HttpResponse:
        user: Any = request.user
        with transaction.atomic():
            cancel_request = services.cancel_order(order, reason=reason, requested_by=user)
            self.log_change(request, order, joined([gettext("Cancel and refund"), reason and f"({reason})"]))
        self.message_user(request, gettext("The cancel is on its way to DANA. This page shows what becomes of it."))
        if self.may_see(request, CancelRequest):
            return HttpResponseRedirect(self.page_of(cancel_request))
        return HttpResponseRedirect(self.address("change", order.pk))

    def _cancel_page(self, request: HttpRequest, order: Order, form: CancelForm) -> HttpResponse:
        past = order.cancel_requests.order_by("-id").first()
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Cancel and refund"),
            "subtitle": str(order),
            "opts": self.opts,
            "order": order,
            "price": price(order.amount, order.currency),
            "is_late": order.paid_at is not None and timezone.now() - order.paid_at > CANCEL_WINDOW,
            "is_possible": can_be_cancelled(order),
            "past": past,
            "may_repeat": past is not None and cancel_requests.can_be_sent_again(past),
            "past_url": self.page_of(past) if past and self.may_see(request, CancelRequest) else "",
            "order_url": self.address("change", order.pk),
            "form": form,
        }
        return TemplateResponse(request, "admin/django_dana/order/cancel.html", context)
