"""A window: a model that people look at and never edit, since DANA decides what stands in it.

What people may do is a handle: a button of its own that posts, asks for its own permission, and is written to the
history of the row.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana import services
from django_dana.admin.tables import Table
from django_dana.models import Order
from django_dana.protocol import operations
from django_dana.protocol.response_codes import Outcome

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    _ModelAdmin = admin.ModelAdmin[Any]
    _Paginator = Paginator[Any]
else:
    _ModelAdmin = admin.ModelAdmin
    _Paginator = Paginator

CHANGE_PERMISSION: Final = "django_dana.change_order"

#: Rows that a list counts and pages through; whoever looks for an older one searches or filters.
MOST_LISTED: Final = 5_000

#: The long columns of an order that a list of other rows does not need.
ORDER_COLUMNS: Final = tuple(
    f"order__{name}"
    for name in ("request_body", "web_redirect_url", "payment_code", "pay_option_details", "metadata", "return_url")
)

_RELOAD_AFTER: Final = 3
_RELOAD_FOR: Final = timedelta(minutes=2)


class Told(NamedTuple):
    """What a person is told after pulling a handle."""

    sentence: str
    level: int = messages.SUCCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """A button on the page of one row.

    Attributes:
        name: the end of its address and of its URL name.
        label: what stands on it.
        permissions: whoever has one of these may pull it.
        fits: whether pulling it makes sense for the row as it is; what it does may refuse all the same.
        pull: does it. A ValidationError is a refusal, and is shown.
        atomic: whether it is one transaction with the line in the history; not where it speaks to DANA.
    """

    name: str
    label: "_StrOrPromise"
    permissions: Sequence[str]
    fits: Callable[[Any], bool]
    pull: Callable[[HttpRequest, Any], Told]
    atomic: bool = True

    def may_be_pulled_by(self, user: Any) -> bool:
        """Whether a user has one of the permissions."""
        return any(user.has_perm(permission) for permission in self.permissions)


def ask_dana(order: Order) -> Told:
    """Ask DANA about an order, and return what came of the question."""
    fresh = services.sync_order(order)
    if fresh.last_sync_at == order.last_sync_at:
        raise ValidationError(
            gettext("DANA could not be asked now: a call is under way, or the account is not usable.")
        )
    question = fresh.api_calls.filter(operation=operations.QUERY_PAYMENT.key).latest("id")
    rule = question.rule or operations.QUERY_PAYMENT.codes.no_reply
    if rule.outcome is not Outcome.SUCCESS:
        return Told(gettext(rule.advice), messages.WARNING)
    return Told(gettext("DANA has answered: %(status)s.") % {"status": fresh.get_payment_status_display()})


class BoundedPaginator(_Paginator):
    """Counts no further than MOST_LISTED, since counting a million rows takes longer than reading a page of them."""

    @cached_property
    def count(self) -> int:
        """The number of rows, at most MOST_LISTED."""
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows[:MOST_LISTED].count()


class LightChangeList(ChangeList):
    """Leaves long texts where they are."""

    model_admin: "Window"

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Return the rows without the columns that the list does not show."""
        return super().get_queryset(request, exclude_parameters).defer(*self.model_admin.heavy)


class AttentionFilter(admin.SimpleListFilter):
    """All that a person should look at, in one click."""

    title = _("needs attention")
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, "_StrOrPromise"]]:
        """Return the reasons, after *any* and *none*."""
        return [("any", _("Yes")), ("none", _("No")), *model_admin.model.Attention.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter by equality only, for which there is an index; "not empty" would read the whole table."""
        value = self.value()
        reasons = queryset.model.Attention.values
        if value == "any":
            return queryset.filter(needs_attention__in=reasons)
        if value == "none":
            return queryset.filter(needs_attention="")
        return queryset.filter(needs_attention=value) if value in reasons else queryset


class AttentionColumn:
    """A list column that stands out where a person should look."""

    @admin.display(description=_("needs attention"))
    def attention(self, row: Any) -> str:
        """Return the reason, marked."""
        reason = row.get_needs_attention_display()
        return format_html('<span class="dana-attention">{}</span>', reason) if reason else "-"


class Window(_ModelAdmin):
    """Look, don't touch; and stay fast at a million rows."""

    actions = None
    change_form_template = "admin/django_dana/window.html"
    change_list_template = "admin/django_dana/window_list.html"
    list_per_page = 50
    ordering = ("-id",)
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by: ClassVar[tuple[str, ...]] = ()

    #: Columns that the list leaves in the database.
    heavy: ClassVar[Sequence[str]] = ()
    handles: ClassVar[Sequence[Handle]] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds a row by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits a row by hand; the change permission lets people see it and pull some handles."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a row by hand."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return every field that is shown."""
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that leaves long texts where they are."""
        return LightChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find whole references by index; parts of them would have to be looked for in every row."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q()
        for field in self.search_fields:
            # generated references are in capitals, and people type what they hear
            found |= Q(**{f"{field}__in": {term, term.upper()}})
        return queryset.filter(found), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Tell the template where the list ends."""
        return super().changelist_view(request, {"most_listed": MOST_LISTED, **(extra_context or {})})

    # -- the page of one row ------------------------------------------------------------------------------------------

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """Add what stands above and below the fields."""
        fresh = obj is not None and self.is_under_way(obj) and timezone.now() - obj.updated_at < _RELOAD_FOR
        context |= {
            "subtitle": self.heading(obj),
            "sentence": getattr(obj, "next_step", ""),
            "attention": obj.get_needs_attention_display() if getattr(obj, "needs_attention", "") else "",
            "notes": self.notes(request, obj),
            "is_under_way": self.is_under_way(obj),
            "reload_after": _RELOAD_AFTER if fresh else 0,
            "handles": self._offered(request, obj),
            "links": self.links(request, obj),
            "tables": self.tables(request, obj),
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def heading(self, obj: Any) -> str:
        """Return what people call the row."""
        return str(obj)

    def is_under_way(self, obj: Any) -> bool:
        """Whether the row is likely to change in the next seconds, so that its page loads itself again."""
        return False

    def notes(self, request: HttpRequest, obj: Any) -> list[SafeString]:
        """Return further sentences on where the row stands."""
        return []

    def links(self, request: HttpRequest, obj: Any) -> list[tuple["_StrOrPromise", str]]:
        """Return further ways on: labels and addresses."""
        return []

    def tables(self, request: HttpRequest, obj: Any) -> list[Table]:
        """Return what belongs to the row."""
        return []

    def address(self, name: str, *args: Any) -> str:
        """Return the address of a page of this window."""
        return self._reverse(self.model, name, *args)

    def page_of(self, row: Model) -> str:
        """Return the address of a row's page in the window of its model."""
        return self._reverse(type(row), "change", row.pk)

    def list_of(self, model: type[Model], **conditions: str | int) -> str:
        """Return the address of a model's list, filtered."""
        return f"{self._reverse(model, 'changelist')}?{urlencode(conditions)}"

    def may_see(self, request: HttpRequest, model: type[Model]) -> bool:
        """Whether the window of another model is there for this person."""
        site = self.admin_site
        return site.is_registered(model) and site.get_model_admin(model).has_view_permission(request)

    def _reverse(self, model: type[Model], name: str, *args: Any) -> str:
        opts = model._meta
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_{name}", args=args, current_app=self.admin_site.name)

    def _offered(self, request: HttpRequest, obj: Any) -> list[tuple["_StrOrPromise", str]]:
        return [
            (handle.label, self.address(handle.name, obj.pk))
            for handle in self.handles
            if handle.may_be_pulled_by(request.user) and handle.fits(obj)
        ]

    # -- handles ------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the handles."""
        return [
            *(self.route(handle.name, partial(self._pulled, handle)) for handle in self.handles),
            *super().get_urls(),
        ]

    def route(self, name: str, view: Callable[..., Any]) -> URLPattern:
        """Return the route of a page about one row, outside ATOMIC_REQUESTS."""
        opts = self.opts
        guarded = transaction.non_atomic_requests(self.admin_site.admin_view(view))
        return path(f"<int:object_id>/{name}/", guarded, name=f"{opts.app_label}_{opts.model_name}_{name}")

    def row(self, request: HttpRequest, object_id: int) -> Any:
        """Return a row that this person may see."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, str(object_id))
        if row is None:
            raise Http404
        return row

    def _pulled(self, handle: Handle, request: HttpRequest, object_id: int) -> HttpResponse:
        """Do what a handle says, note who did it, and go back to the row."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not handle.may_be_pulled_by(request.user):
            raise PermissionDenied
        row = self.row(request, object_id)
        try:
            with transaction.atomic() if handle.atomic else nullcontext():
                told = handle.pull(request, row)
                self.log_change(request, row, str(handle.label))
        except ValidationError as refusal:
            told = Told(" ".join(refusal.messages), messages.ERROR)
        self.message_user(request, told.sentence, told.level)
        return HttpResponseRedirect(self.address("change", row.pk))
