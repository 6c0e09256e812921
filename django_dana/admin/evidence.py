"""The admin of what was sent, answered and heard. Raw texts, masked as they are, need a permission of their own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana import services
from django_dana.admin.base import CHANGE_PERMISSION, ORDER_COLUMNS, ActionResult, NoteForm, ReadOnlyAdmin, RowAction
from django_dana.admin.rendering import link, pretty_text, pretty_value
from django_dana.models import ApiCall, Notification, Order
from django_dana.services.permitted import CANCEL_PERMISSION
from django_dana.services.unapplied import why_not_apply_again, why_not_match

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


class MatchForm(NoteForm):
    """Which order a message is about, and how somebody knows."""

    reference = forms.CharField(
        label=_("Order"),
        max_length=64,
        help_text=_("Its whole reference: ours, DANA's or the shop's."),
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off", "size": 40}),
    )

    field_order = ("reference", "note")


def _why_not_review(notification: Notification) -> Any:
    if notification.reviewed_at:
        return _("It has already been reviewed.")
    fine = (Notification.Outcome.APPLIED, Notification.Outcome.KNOWN, Notification.Outcome.TEST)
    return _("It was applied, so there is nothing to review.") if notification.outcome in fine else None


def _review(request: HttpRequest, notification: Notification, data: dict[str, Any]) -> ActionResult:
    notification.reviewed_at = timezone.now()
    notification.save(update_fields=["reviewed_at"])
    return ActionResult(gettext("Noted: the message no longer needs attention."))


def _apply_again(request: HttpRequest, notification: Notification, data: dict[str, Any]) -> ActionResult:
    outcome = services.apply_again(notification)
    if outcome in (Notification.Outcome.UNKNOWN_ORDER, Notification.Outcome.FAILED):
        return ActionResult(
            gettext("It changes nothing still: %(outcome)s.") % {"outcome": outcome.label}, messages.WARNING
        )
    return ActionResult(gettext("Done: %(outcome)s.") % {"outcome": outcome.label})


_APPLY_AGAIN = RowAction(
    name="apply-again",
    label=_("Apply again"),
    permissions=(CHANGE_PERMISSION,),
    why_not=why_not_apply_again,
    run=_apply_again,
    # it notes what became of it though it may fail
    atomic=False,
    confirmation=_(
        "Its signature is checked with the keys that the DANA setting has now, then it is applied as if it had "
        "come now. Do it once what stood in its way is put right."
    ),
)
_REVIEW = RowAction(
    name="review",
    label=_("Mark as reviewed"),
    permissions=(CHANGE_PERMISSION, CANCEL_PERMISSION),
    why_not=_why_not_review,
    run=_review,
    confirmation=_("You have found out whose message it is, and nothing more is to be done about it."),
)


@admin.register(Notification)
class NotificationAdmin(EvidenceAdmin):
    """Each message of DANA, also those that were refused."""

    list_display = (
        *("received_at", "outcome", "shown_order", "shown_reference", "shown_merchant"),
        *("verified", "account", "error"),
    )
    list_filter = ("outcome", "verified")
    search_fields = ("partner_reference_no", "merchant_id", "order__partner_reference_no", "order__reference_no")
    search_help_text = _("The beginning of a reference, as the order or the message has it, or of a merchant id.")
    heavy = ("body", "headers", *ORDER_COLUMNS)
    row_actions = (_APPLY_AGAIN, _REVIEW)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    *("order_link", "shown_reference", "shown_merchant", "outcome", "error"),
                    *("received_at", "reviewed_at"),
                )
            },
        ),
        (_("Message"), {"fields": ("verified", "verified_by", "account")}),
    )

    actions = ("apply_selected", "review_selected")

    @admin.action(description=_("Apply again…"), permissions=["apply"])
    def apply_selected(self, request: HttpRequest, queryset: QuerySet[Notification]) -> HttpResponse | None:
        """Apply several messages again, after one cause stood in the way of all of them."""
        return self.perform_on_several(request, "apply-again", queryset)

    @admin.action(description=_("Mark as reviewed…"), permissions=["review"])
    def review_selected(self, request: HttpRequest, queryset: QuerySet[Notification]) -> HttpResponse | None:
        """Mark several messages as reviewed, with one note."""
        return self.perform_on_several(request, "review", queryset)

    def has_apply_permission(self, request: HttpRequest) -> bool:
        """Whether this person may apply messages again."""
        return _APPLY_AGAIN.is_allowed_for(request.user)

    def has_review_permission(self, request: HttpRequest) -> bool:
        """Whether this person may mark messages as reviewed."""
        return _REVIEW.is_allowed_for(request.user)

    def actions_on_row(self) -> Sequence[RowAction]:
        """Add the one that looks for another row, which this site may not show to everybody."""
        match = RowAction(
            name="match",
            label=_("Match to order"),
            permissions=(CHANGE_PERMISSION,),
            why_not=why_not_match,
            run=self._match,
            confirmation=_(
                "The message is kept with that order, and DANA is asked about it. The message alone does not make the "
                "order paid; DANA's answer does."
            ),
            form=MatchForm,
        )
        return (_APPLY_AGAIN, match, _REVIEW)

    def _match(self, request: HttpRequest, notification: Notification, data: dict[str, Any]) -> ActionResult:
        order = self._order_named(request, data["reference"].strip())
        services.match_to_order(notification, order)
        what = gettext("Matched a message from DANA")
        self.log_change(request, order, f"{what}\n{data['note']}")
        return ActionResult(gettext("Matched to %(order)s. DANA is being asked about it.") % {"order": order})

    def _order_named(self, request: HttpRequest, reference: str) -> Order:
        """Return the one order with this reference that this person may see."""
        named = Q(partner_reference_no=reference) | Q(reference_no=reference) | Q(shop_reference=reference)
        found = [order for order in Order.objects.filter(named)[:100] if self.may_see(request, Order, order)]
        if not found:
            raise ValidationError({"reference": gettext("There is no order with this reference.")})
        if len(found) > 1:
            raise ValidationError({"reference": gettext("Several orders have this number. Use our reference.")})
        return found[0]

    @admin.display(description=_("reference in the message"))
    def shown_reference(self, notification: Notification) -> str:
        """Return which order the message says it is about; whether it is so is another question."""
        return notification.partner_reference_no or "-"

    @admin.display(description=_("merchant in the message"))
    def shown_merchant(self, notification: Notification) -> str:
        """Return whose order the message says it is about."""
        return notification.merchant_id or "-"

    def heading(self, row: Notification) -> str:
        """Return what it is, and what became of it."""
        return gettext("Message from DANA: %(outcome)s") % {"outcome": row.get_outcome_display() or "-"}

    def evidence(self, row: Notification) -> Sequence[tuple["_StrOrPromise", SafeString]]:
        """Return the message and the headers that are kept."""
        return [(_("body"), pretty_text(row.body)), (_("headers"), pretty_value(row.headers))]
