"""The admin of orders: where each one stands, what happened, and what may be done, above all giving money back."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timeuntil
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_dana import services
from django_dana.admin import bulk, filters, giving_back, order_requests
from django_dana.admin.base import (
    CHANGE_PERMISSION,
    REFRESH_AFTER,
    ActionResult,
    Button,
    ReadOnlyAdmin,
    RowAction,
    add_refusal,
    sync,
)
from django_dana.admin.buyer_text import buyer_page, buyer_texts
from django_dana.admin.filters import AccountFilter, AttentionFilter, BackFilter, CreatedFilter, PaidFilter, StateFilter
from django_dana.admin.rendering import badge, joined, outside_link, pretty_text, pretty_value
from django_dana.admin.timeline import timeline_of
from django_dana.display import moment, payment_method, price
from django_dana.models import ApiCall, Notification, Order
from django_dana.services import inbox, summary
from django_dana.services.permitted import CANCEL_PERMISSION, REFUND_PERMISSION, SETTLE_PERMISSION
from django_dana.services.summary import Act, ActName, Request, Summary

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


def _retry(request: HttpRequest, order: Order, data: dict[str, Any]) -> ActionResult:
    services.retry_order(order)
    return ActionResult(gettext("The order is sent to DANA again."))


def _stop(request: HttpRequest, order: Order, data: dict[str, Any]) -> ActionResult:
    services.stop_retrying(order)
    return ActionResult(gettext("The order is not sent again by itself any more."))


def _review(request: HttpRequest, order: Order, data: dict[str, Any]) -> ActionResult:
    services.clear_attention(order)
    return ActionResult(gettext("Noted: the order no longer needs attention."))


def _settle(request: HttpRequest, order: Order, data: dict[str, Any]) -> ActionResult:
    user: Any = request.user
    services.settle_outside(order, note=data["note"], settled_by=user)
    return ActionResult(gettext("Noted: settled outside DANA. This system moved no money."))


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders: where each one stands, what comes next, and why."""

    list_display = ("shown_reference", "shown_state", "shown_amount", "shown_created_at")
    list_display_links = ("shown_reference",)
    list_filter = (StateFilter, AttentionFilter, BackFilter, CreatedFilter, PaidFilter, AccountFilter)
    sortable_by = ("shown_created_at",)
    search_fields = ("partner_reference_no", "reference_no", "shop_reference", "payment_code")
    search_help_text = _("The beginning of a reference, ours, DANA's or the shop's, or of a virtual account's number.")
    heavy = ("request_body", "web_redirect_url", "payment_code", "pay_option_details", "metadata", "return_url", "note")
    row_template = "admin/django_dana/order/page.html"
    fieldsets = (
        (_("At DANA"), {"fields": ("partner_reference_no", "reference_no", "page_at_dana", "payment_code")}),
        (
            _("The call"),
            {
                "fields": (
                    "create_status",
                    "payment_status",
                    "response_code",
                    "response_message",
                    "attempts",
                    "next_attempt_at",
                    "last_sync_at",
                    "next_sync_at",
                    "note",
                )
            },
        ),
        (
            _("More"),
            {
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
    row_actions = (
        RowAction(
            name=ActName.SYNC,
            label=_("Ask DANA now"),
            permissions=(CHANGE_PERMISSION, CANCEL_PERMISSION),
            why_not=summary.why_not_sync,
            run=lambda request, order, data: sync(order),
            atomic=False,
        ),
        RowAction(
            name=ActName.RETRY,
            label=_("Send again"),
            permissions=(CHANGE_PERMISSION,),
            why_not=services.why_not_retry,
            run=_retry,
        ),
        RowAction(
            name=ActName.STOP,
            label=_("Stop trying"),
            permissions=(CHANGE_PERMISSION,),
            why_not=services.why_not_stop,
            run=_stop,
        ),
        RowAction(
            name=ActName.REVIEW,
            label=_("Mark as reviewed"),
            permissions=(CHANGE_PERMISSION, CANCEL_PERMISSION),
            why_not=summary.why_not_review,
            run=_review,
            confirmation=_(
                "You have looked into it, and nothing more is to be done about this order. No money is moved."
            ),
        ),
        RowAction(
            name=ActName.SETTLE,
            label=_("Settled outside DANA"),
            permissions=(SETTLE_PERMISSION,),
            why_not=services.why_not_settle_outside,
            run=_settle,
            confirmation=_(
                "You have given the money back by other means, such as a bank transfer. This system moves no money, "
                "and from here on DANA is not asked to give any back. Write down how it was done and its number."
            ),
        ),
    )

    actions = ("give_back_selected", "export_selected")

    # -- the list -----------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        """Return the orders, with the requests on which their state depends."""
        return summary.with_requests(super().get_queryset(request))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Add the ways to what waits and to how it goes, with counts."""
        return super().changelist_view(request, {"links": list(self._links(request)), **(extra_context or {})})

    def _links(self, request: HttpRequest) -> Iterator[dict[str, Any]]:
        """Yield the links above the list. Each count is bounded, and served by an index."""
        orders = self.get_queryset(request).order_by()
        waits = _bounded(inbox.orders_in_need(orders))
        yield {"label": gettext("Needs a person"), "url": self.address("inbox"), "count": waits, "is_bad": waits}
        under_way = _bounded(filters.under_way(orders))
        url = self.list_of(Order, **{BackFilter.parameter_name: "yes"})
        yield {"label": gettext("Refunds under way"), "url": url, "count": under_way}
        if self.may_see(request, Notification):
            url = self.list_of(Notification, outcome__in="unknown_order,failed")
            count = _bounded(inbox.unapplied_messages())
            yield {"label": gettext("Messages not applied"), "url": url, "count": count, "is_bad": count}
        yield {"label": gettext("Overview"), "url": self.address("overview"), "count": None}

    @admin.display(description=_("order"))
    def shown_reference(self, order: Order) -> SafeString:
        """Return the reference, and under it what was bought."""
        sandbox = "SANDBOX" if order.environment == "sandbox" else ""
        return format_html(
            '<span class="dana-ref">{}</span> <span class="dana-sub">{} <small>{}</small></span>',
            order.partner_reference_no,
            joined([order.shop_reference, order.title]),
            sandbox,
        )

    @admin.display(description=_("state"))
    def shown_state(self, order: Order) -> SafeString:
        """Return the state as a badge, marked where a person should look."""
        standing = summary.summarize(order)
        mark = format_html('<span class="dana-mark">{}</span>', _("needs attention"))
        return format_html("{} {}", badge(standing.badge, standing.tone), mark if standing.needs_attention else "")

    @admin.display(description=_("amount"))
    def shown_amount(self, order: Order) -> str:
        """Return the amount in the reader's notation."""
        return price(order.amount, order.currency)

    @admin.display(description=_("created at"), ordering="id")
    def shown_created_at(self, order: Order) -> str:
        """Return the time; sorted by the key, which has an index and the same order."""
        return moment(order.created_at)

    # -- the page -----------------------------------------------------------------------------------------------------

    @admin.display(description=_("page at DANA"))
    def page_at_dana(self, order: Order) -> str:
        """Return a link to DANA's page, if its address is one to follow."""
        url = order.safe_redirect_url
        return outside_link(url, gettext("Open DANA's page")) if url else order.web_redirect_url or "-"

    @admin.display(description=_("payment methods"))
    def payment_methods(self, order: Order) -> str:
        """Return the methods the shop asked for."""
        return pretty_value(order.pay_option_details) if order.pay_option_details else gettext("DANA's own page")

    @admin.display(description=_("metadata"))
    def shown_metadata(self, order: Order) -> SafeString:
        """Return the shop's own data."""
        return pretty_value(order.metadata)

    def row_context(self, request: HttpRequest, row: Order) -> dict[str, Any]:
        """Return the truth about an order: one sentence, one act, and everything that happened."""
        standing = summary.summarize(row)
        may_read = self.may_read_evidence(request)
        page = buyer_page(request, row)
        timeline = timeline_of(standing, with_evidence=may_read)
        primary = standing.primary and self._button(request, standing.primary)
        others = [button for act in standing.others if (button := self._button(request, act))]
        return {
            "summary": standing,
            "figures": list(self._figures(standing)),
            "primary": primary,
            "others": others,
            "differences": list(_differences(row)),
            "texts": buyer_texts(standing, page),
            "buyer_page": page,
            "timeline": timeline,
            "zone": timezone.localtime().tzname(),
            "calls_url": self.list_of(ApiCall, order__id__exact=row.pk) if self.may_see(request, ApiCall) else "",
            "messages_url": (
                self.list_of(Notification, order__id__exact=row.pk) if self.may_see(request, Notification) else ""
            ),
            "refresh_after": REFRESH_AFTER if standing.is_under_way else 0,
            "sections": list(self.sections(request, row)),
            "evidence": [(_("request"), pretty_text(row.request_body))] if may_read else [],
        }

    def _figures(self, standing: Summary) -> Iterator[tuple["_StrOrPromise", str]]:
        """Yield where the money is."""
        money = standing.money
        if not money.paid:
            yield _("To be paid"), price(standing.order.amount, money.currency)
            yield _("Paid"), price(money.paid, money.currency)
            if standing.order.is_open:
                yield _("Can be paid until"), self._until(standing.order.valid_up_to, standing)
            return
        yield _("Paid"), price(money.paid, money.currency)
        yield _("Given back"), price(money.given_back, money.currency)
        yield _("Still with us"), price(money.still_with_us, money.currency)
        if method := payment_method(standing.order.pay_method, standing.order.pay_option):
            yield _("Paid with"), method
        if standing.cancel_until:
            yield _("Can be cancelled until"), self._until(standing.cancel_until, standing)

    def _until(self, when: Any, standing: Summary) -> str:
        text = f"{moment(when)} {timezone.localtime(when).tzname()}"
        if when <= standing.now:
            return gettext("%s (over)") % text
        return f"{text} ({timeuntil(when, standing.now, depth=1)})"

    def _button(self, request: HttpRequest, act: Act) -> Button | None:
        """Return the button of an act, if this person may do it."""
        order_id = act.target.pk if isinstance(act.target, Order) else act.target.order_id
        user: Any = request.user
        if act.name == ActName.GIVE_BACK:
            if isinstance(act.target, Order) and not giving_back.may_give_back(act.target, user):
                return None
            return Button(act.label, self.address(ActName.GIVE_BACK, order_id), is_link=True)
        actions = self.row_actions if isinstance(act.target, Order) else order_requests.ACTIONS[type(act.target)]
        action = next(action for action in actions if action.name == act.name)
        if not action.is_allowed_for(user):
            return None
        if isinstance(act.target, Order):
            url = self.address(action.name, order_id)
        else:
            url = self.address(f"{act.target.operation.key}-{action.name}", order_id, act.target.pk)
        return Button(act.label, url, is_link=bool(action.confirmation))

    # -- acts ---------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add the page that gives money back, and what may be done about each request of an order."""
        of_requests = [
            self.route(
                f"{kind.operation.key}-{action.name}",
                partial(self._run_request_action, kind, action),
                more="<int:request_id>/",
            )
            for kind, actions in order_requests.ACTIONS.items()
            for action in actions
        ]
        return [
            path("inbox/", self.admin_site.admin_view(self.inbox_view), name="django_dana_order_inbox"),
            path("overview/", self.admin_site.admin_view(self.overview_view), name="django_dana_order_overview"),
            self.route(ActName.GIVE_BACK, self.give_back_view),
            *of_requests,
            *super().get_urls(),
        ]

    # -- pages about many ---------------------------------------------------------------------------------------------

    def inbox_view(self, request: HttpRequest) -> HttpResponse:
        """Show what waits for a person."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        items = [
            {
                "since": item.since,
                "when": moment(item.since),
                "what": item.what,
                "cause": item.cause,
                "act": item.act,
                "badge": item.badge,
                "tone": item.tone,
                "url": self._url_of(request, item.row),
                "buttons": self._buttons_of_message(request, item.row) if isinstance(item.row, Notification) else [],
            }
            for item in inbox.waiting(self.get_queryset(request).order_by())
            if item.row is None or self.may_see(request, type(item.row), item.row)
        ]
        return self._page(request, gettext("Needs a person"), "inbox", items=items)

    def _buttons_of_message(self, request: HttpRequest, message: Notification) -> list[Button]:
        model_admin: Any = self.admin_site.get_model_admin(Notification)
        buttons: list[Button] = model_admin.buttons(request, message)
        return buttons

    def _url_of(self, request: HttpRequest, row: Order | Notification | None) -> str:
        if row is not None:
            return self.page_of(row)
        return self.list_of(Notification, verified__exact=0) if self.may_see(request, Notification) else ""

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """Show how it goes."""
        # its charts come with the first look at them, and not when Django starts
        from django_dana.admin import overview

        if not self.has_view_permission(request):
            raise PermissionDenied
        chosen = request.GET.get("days", "")
        days = int(chosen) if chosen in map(str, overview.PERIODS) else 7
        found = overview.overview_of(self.get_queryset(request).prefetch_related(None), days)
        context = {
            "overview": found,
            "facts": overview.facts_of(found),
            "periods": [
                {"days": number, "label": label, "is_chosen": number == days}
                for number, label in overview.PERIODS.items()
            ],
            "unsettled_url": self.page_of(found.oldest_unsettled) if found.oldest_unsettled else "",
        }
        return self._page(request, gettext("Overview"), "overview", **context)

    def _page(self, request: HttpRequest, title: str, name: str, **context: Any) -> HttpResponse:
        defaults = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "list_url": self.address("changelist"),
            "zone": timezone.localtime().tzname(),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"admin/django_dana/order/{name}.html", {**defaults, **context})

    @admin.action(description=_("Give the money back…"), permissions=["give_back"])
    def give_back_selected(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        """Say what would happen to each chosen order, then do it."""
        form = bulk.BulkForm(request.POST if "confirmed" in request.POST else None)
        chosen = summary.with_requests(queryset.order_by("id"))[: bulk.MOST_GIVEN_BACK + 1]
        is_too_many = len(chosen) > bulk.MOST_GIVEN_BACK
        orders = self._visible(request, chosen)
        if form.is_valid() and not is_too_many:
            self._give_back_all(request, orders, form.cleaned_data["reason"])
            return None
        found = bulk.candidates(orders, request.user)
        context = {
            "candidates": found,
            "number": sum(not one.choice.why_not for one in found),
            "totals": bulk.totals(found),
            "is_too_many": is_too_many,
            "limit": bulk.MOST_GIVEN_BACK,
            "form": form,
        }
        return self._page(request, gettext("Give the money of several orders back"), "bulk_give_back", **context)

    def has_give_back_permission(self, request: HttpRequest) -> bool:
        """Whether this person may give money back in one of the two ways."""
        user: Any = request.user
        return any(user.has_perm(permission) for permission in (CANCEL_PERMISSION, REFUND_PERMISSION))

    def _visible(self, request: HttpRequest, orders: Iterable[Order]) -> Iterator[Order]:
        """Yield the orders that this person may see; a shop may narrow that row by row."""
        return (order for order in orders if self.has_view_permission(request, order))

    def _give_back_all(self, request: HttpRequest, orders: Iterable[Order], reason: str) -> None:
        """Ask for each on its own, so that one that is refused stops no other."""
        done = 0
        for order in orders:
            try:
                version = request.POST.get(f"version-{order.pk}", "")
                self._ask_for(request, order, {"reason": reason, "version": version})
                done += 1
            except giving_back.StaleForm:
                message = gettext("%(order)s has changed in the meantime; nothing was sent for it.") % {"order": order}
                self.message_user(request, message, messages.WARNING)
            except (ValidationError, PermissionDenied) as refusal:
                reasons = refusal.messages if isinstance(refusal, ValidationError) else [str(refusal)]
                self.message_user(request, f"{order}: {' '.join(reasons)}", messages.ERROR)
        message = ngettext("%d request is on its way to DANA.", "%d requests are on their way to DANA.", done) % done
        self.message_user(request, message, messages.SUCCESS if done else messages.WARNING)

    @admin.action(description=_("Export as CSV"))
    def export_selected(self, request: HttpRequest, queryset: QuerySet[Order]) -> StreamingHttpResponse:
        """Return the chosen orders as CSV."""
        return bulk.export(self._visible(request, summary.with_requests(queryset).iterator(chunk_size=500)))

    # -- acts on one --------------------------------------------------------------------------------------------------

    def _run_request_action(
        self, kind: type[Request], action: RowAction, request: HttpRequest, object_id: int, request_id: int
    ) -> HttpResponse:
        """Do what may be done about a request, for who sees the order, also where they do not see the request."""
        if not action.is_allowed_for(request.user):
            raise PermissionDenied
        if request.method != "POST" and not action.confirmation:
            return HttpResponseNotAllowed(["POST"])
        order: Order = self.row(request, object_id)
        about = kind.of(order).filter(pk=request_id).first()
        if about is None:
            raise Http404
        return self.perform(request, action, order, about=about)

    def give_back_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Say what will happen, and on a POST ask for it."""
        user: Any = request.user
        if not self.has_give_back_permission(request):
            raise PermissionDenied
        order: Order = self.row(request, object_id)
        choices = giving_back.choices_for(order, user)
        if request.method != "POST":
            form = giving_back.GiveBackForm(choices, initial={"version": giving_back.version_of(order)})
            return self._give_back_page(request, order, form)
        form = giving_back.GiveBackForm(choices, request.POST)
        if form.is_valid():
            try:
                self._ask_for(request, order, form.cleaned_data)
            except giving_back.StaleForm:
                return self._stale_page(request, self.row(request, object_id))
            except ValidationError as refusal:
                add_refusal(form, refusal)
            else:
                self.message_user(request, gettext("It is on its way to DANA. This page will show the result."))
                return HttpResponseRedirect(self.address("change", order.pk))
        elif giving_back.version_of(order) != request.POST.get("version"):
            return self._stale_page(request, order)
        return self._give_back_page(request, order, form)

    def _ask_for(self, request: HttpRequest, order: Order, data: dict[str, Any]) -> None:
        """Ask for it, and note who did."""
        reason, note, amount = data["reason"], data.get("note", ""), data.get("amount")
        with transaction.atomic():
            asked = giving_back.give_back(
                order, amount=amount, reason=reason, version=data["version"], user=request.user
            )
            if order.paid_at:
                label = gettext("Give %(price)s back") % {"price": price(asked.amount, order.currency)}
            else:
                label = gettext("Cancel (nothing was paid)")
            self.log_change(request, order, f"{label}: {reason}" + (f"\n{note}" if note else ""))

    def _stale_page(self, request: HttpRequest, order: Order) -> HttpResponse:
        """Show the form again for what the order is by now; nothing was sent."""
        choices = giving_back.choices_for(order, request.user)
        form = giving_back.GiveBackForm(
            choices, {**request.POST.dict(), "version": giving_back.version_of(order), "choice": ""}
        )
        state = summary.summarize(order).badge
        message = gettext(
            "This order has changed since you opened the page: it is now “%(state)s”. Nothing was sent. "
            "Read what would happen now, then decide."
        )
        form.add_error(None, message % {"state": state})
        form.errors.pop("choice", None)
        return self._give_back_page(request, order, form)

    def _give_back_page(self, request: HttpRequest, order: Order, form: giving_back.GiveBackForm) -> HttpResponse:
        standing = summary.summarize(order)
        earlier = [self._earlier(request, standing, row) for row in reversed(standing.requests)]
        possible = [choice for choice in form.offered if not choice.why_not]
        context = {
            "summary": standing,
            "figures": list(self._figures(standing)),
            "why_not": "" if possible else form.offered[0].why_not,
            "is_only_choice": len(possible) == 1,
            "earlier": earlier,
            "may_repeat": any(each["retry"] for each in earlier),
            "row_url": self.address("change", order.pk),
            "form": form,
        }
        return self.respond(request, order, "admin/django_dana/order/give_back.html", **context)

    def _earlier(self, request: HttpRequest, standing: Summary, row: Request) -> dict[str, Any]:
        """Return what the page says of an earlier request, with its buttons."""
        acts = {act.name: act for act in standing.acts if act.target == row}
        retry = acts.pop(ActName.RETRY, None)
        return {
            "row": row,
            "when": moment(row.created_at),
            "price": price(row.amount, standing.order.currency),
            "retry": self._button(request, retry) if retry else None,
            "others": [button for act in acts.values() if (button := self._button(request, act))],
        }


def _differences(order: Order) -> Iterator[dict[str, Any]]:
    """Yield what DANA reported otherwise than we hold it."""
    if order.reported_amount is not None and order.reported_amount != order.amount:
        held, reported = price(order.amount, order.currency), price(order.reported_amount, order.currency)
        yield {"label": gettext("Amount"), "held": held, "reported": reported}


def _bounded(rows: QuerySet[Any]) -> int:
    """Return how many there are, counting no further than a person would read."""
    return rows.order_by()[: inbox.MOST_LISTED].count()
