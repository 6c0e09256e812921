"""The window on cancel requests: did the money go back, and if not, why not."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana import services
from django_dana.admin.base import ORDER_COLUMNS, AttentionColumn, AttentionFilter, Handle, Told, Window, ask_dana
from django_dana.admin.rendering import link, pretty_text
from django_dana.admin.tables import Table, call_table
from django_dana.display import price
from django_dana.models import ApiCall, CancelRequest, Order
from django_dana.services.permitted import CANCEL_PERMISSION


def can_be_asked_about(cancel_request: CancelRequest) -> bool:
    """Whether DANA may know something of it that we don't."""
    return cancel_request.status not in (CancelRequest.Status.NEW, CancelRequest.Status.SUCCESS)


def can_be_sent_again(cancel_request: CancelRequest) -> bool:
    """Whether the same request may be sent once more by hand."""
    ended = cancel_request.status in (CancelRequest.Status.FAILED, CancelRequest.Status.ABORTED)
    order = cancel_request.order
    return (
        ended
        and (order.is_open or order.payment_status == Order.PaymentStatus.PAID)
        and not order.cancel_requests.exclude(pk=cancel_request.pk).unfinished().exists()
    )


def is_tried_again(cancel_request: CancelRequest) -> bool:
    """Whether the request is repeated from time to time."""
    return cancel_request.status != CancelRequest.Status.NEW and cancel_request.next_attempt_at is not None


def can_be_marked(cancel_request: CancelRequest) -> bool:
    """Whether a person may say that it needs no attention; not while nobody knows its end."""
    known_ends = (CancelRequest.Attention.REFUSED, CancelRequest.Attention.NOT_CANCELLED)
    return cancel_request.needs_attention in known_ends


def _send_again(request: HttpRequest, cancel_request: CancelRequest) -> Told:
    user: Any = request.user
    services.retry_cancel(cancel_request, requested_by=user)
    return Told(gettext("The cancel is on its way to DANA. This page shows what becomes of it."))


def _stop(request: HttpRequest, cancel_request: CancelRequest) -> Told:
    services.stop_retrying(cancel_request)
    return Told(gettext("The cancel is not sent again by itself any more."))


def _mark(request: HttpRequest, cancel_request: CancelRequest) -> Told:
    services.clear_attention(cancel_request)
    return Told(gettext("Noted: the cancel request needs no attention any more."))


@admin.register(CancelRequest)
class CancelRequestAdmin(AttentionColumn, Window):
    """Cancel requests: where each one stands and what comes next."""

    list_display = ("created_at", "shown_order", "status", "attention", "shown_amount", "requested_by", "reason")
    list_filter = ("status", AttentionFilter)
    list_select_related = ("order", "requested_by")
    search_fields = ("order__partner_reference_no", "order__reference_no")
    search_help_text = _("A whole reference of the order: ours or DANA's.")
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
                    "shown_request",
                )
            },
        ),
    )
    handles = (
        Handle(
            name="retry",
            label=_("Send again"),
            permissions=(CANCEL_PERMISSION,),
            fits=can_be_sent_again,
            pull=_send_again,
        ),
        Handle(
            name="ask",
            label=_("Ask DANA now"),
            permissions=(CANCEL_PERMISSION,),
            fits=can_be_asked_about,
            pull=lambda request, cancel_request: ask_dana(cancel_request.order),
            atomic=False,
        ),
        Handle(
            name="stop",
            label=_("Stop trying"),
            permissions=(CANCEL_PERMISSION,),
            fits=is_tried_again,
            pull=_stop,
        ),
        Handle(
            name="mark",
            label=_("Mark as looked at"),
            permissions=(CANCEL_PERMISSION,),
            fits=can_be_marked,
            pull=_mark,
        ),
    )

    @admin.display(description=_("amount"))
    def shown_amount(self, cancel_request: CancelRequest) -> str:
        """Return the amount in the reader's notation."""
        return price(cancel_request.amount, cancel_request.order.currency)

    @admin.display(description=_("order"))
    def shown_order(self, cancel_request: CancelRequest) -> str:
        """Return the reference of the order."""
        return str(cancel_request.order)

    @admin.display(description=_("order"))
    def order_link(self, cancel_request: CancelRequest) -> str:
        """Return a link to the order."""
        order = cancel_request.order
        return link(self.page_of(order), f"{order}, {order.title}")

    @admin.display(description=_("request"))
    def shown_request(self, cancel_request: CancelRequest) -> SafeString:
        """Return what is sent to DANA."""
        return pretty_text(cancel_request.request_body)

    def heading(self, obj: CancelRequest) -> str:
        """Return the reference of the order, by which people know it."""
        return str(obj.order)

    def is_under_way(self, obj: CancelRequest) -> bool:
        """Whether DANA has still to decide."""
        return bool(obj.unfinished)

    def tables(self, request: HttpRequest, obj: CancelRequest) -> list[Table]:
        """Return the calls made for the request."""
        return [call_table(self, obj)] if self.may_see(request, ApiCall) else []
