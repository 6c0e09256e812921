"""ReadOnlyAdmin: models that people look at and never edit, since DANA decides what stands in them.

What people may do is a RowAction: a button that posts, asks for its own permission, and is written to the history.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import display_for_field, label_for_field, lookup_field, unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from django_dana import services
from django_dana.admin import search
from django_dana.admin.rendering import joined
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
EVIDENCE_PERMISSION: Final = "django_dana.view_evidence"

#: Rows that a list counts and pages through; whoever looks for an older one searches or filters.
MOST_LISTED: Final = 5_000

#: Rows on which something is done at once: what one person can answer for.
MOST_AT_ONCE: Final = 100

#: The long columns of an order that a list of other rows does not need.
ORDER_COLUMNS: Final = tuple(
    f"order__{name}"
    for name in ("request_body", "web_redirect_url", "payment_code", "pay_option_details", "metadata", "return_url")
)

#: Seconds between two looks at a row that is likely to change.
REFRESH_AFTER: Final = 3


class ActionResult(NamedTuple):
    """What a person is told after an action."""

    sentence: str
    level: int = messages.SUCCESS


class NoteForm(forms.Form):
    """Why a person closes something. It stays here: DANA and the buyer never see it."""

    note = forms.CharField(
        label=_("Note"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
        help_text=_("For your colleagues. It is kept in the history; DANA and the buyer do not see it."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowAction:
    """A button on the page of one row.

    Attributes:
        name: the end of its address and of its URL name.
        label: what stands on it.
        permissions: any one of these is enough.
        why_not: the sentence that says why it can't be done now, or None.
        run: does it, with what the form gave. A ValidationError is a refusal, and is shown.
        atomic: whether it is one transaction with the line in the history; not where it speaks to DANA.
        confirmation: what it means, on a page with a form that comes first; none: it is done at once.
        form: the form of that page.
    """

    name: str
    label: "_StrOrPromise"
    permissions: Sequence[str]
    why_not: Callable[[Any], "_StrOrPromise | None"]
    run: Callable[[HttpRequest, Any, dict[str, Any]], ActionResult]
    atomic: bool = True
    confirmation: "_StrOrPromise" = ""
    form: type[NoteForm] = NoteForm

    def is_allowed_for(self, user: Any) -> bool:
        """Whether a user has one of the permissions."""
        return any(user.has_perm(permission) for permission in self.permissions)


class Button(NamedTuple):
    """A button, or a link that looks like one, on a page."""

    label: str
    url: str
    is_link: bool = False


class Section(NamedTuple):
    """Some fields under a heading."""

    title: "_StrOrPromise"
    fields: list[tuple[str, Any]]


def sync(order: Order) -> ActionResult:
    """Ask DANA about an order, and return what came of it."""
    fresh = services.sync_order(order)
    if fresh.last_sync_at == order.last_sync_at:
        raise ValidationError(
            gettext("DANA could not be asked now: a call is under way, or the account is not usable.")
        )
    query = fresh.api_calls.filter(operation=operations.QUERY_PAYMENT.key).latest("id")
    rule = query.rule or operations.QUERY_PAYMENT.codes.no_reply
    if rule.outcome is not Outcome.SUCCESS:
        return ActionResult(gettext(rule.advice), messages.WARNING)
    return ActionResult(gettext("DANA has answered: %(status)s.") % {"status": fresh.get_payment_status_display()})


def add_refusal(form: forms.Form, refusal: ValidationError) -> None:
    """Show a refusal beside the field that it names, if the form has it."""
    by_field = refusal.error_dict if hasattr(refusal, "error_dict") else {"": refusal.error_list}
    for name, errors in by_field.items():
        form.add_error(name if name in form.fields else None, errors)


class BoundedPaginator(_Paginator):
    """Counts no further than MOST_LISTED, since counting a million rows takes longer than reading a page of them."""

    @cached_property
    def count(self) -> int:
        """The number of rows, at most MOST_LISTED."""
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows[:MOST_LISTED].count()


class LightChangeList(ChangeList):
    """Leaves long texts in the database."""

    model_admin: "ReadOnlyAdmin"

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Return the rows without the columns that the list does not show."""
        return super().get_queryset(request, exclude_parameters).defer(*self.model_admin.heavy)


class ReadOnlyAdmin(_ModelAdmin):
    """Look, don't touch; and stay fast at a million rows."""

    actions: Any = None
    change_list_template = "admin/django_dana/change_list.html"
    list_per_page = 50
    ordering = ("-id",)
    paginator = BoundedPaginator
    row_template = "admin/django_dana/row.html"
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by: ClassVar[tuple[str, ...]] = ()

    #: Columns that the list leaves in the database.
    heavy: ClassVar[Sequence[str]] = ()
    row_actions: ClassVar[Sequence[RowAction]] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds a row by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits a row by hand; the change permission lets people see it and take some actions."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a row by hand."""
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that leaves long texts in the database."""
        return LightChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find references by their beginning, by index; a part in the middle would be looked for in every row."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q()
        for field in self.search_fields:
            found |= search.begins_with(field, term)
        return queryset.filter(found), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Tell the template where the list ends."""
        return super().changelist_view(request, {"most_listed": MOST_LISTED, **(extra_context or {})})

    # -- the page of one row ------------------------------------------------------------------------------------------

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a row."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return self.respond(request, row, self.row_template, **self.row_context(request, row), **(extra_context or {}))

    def respond(self, request: HttpRequest, row: Any, template: str, **context: Any) -> HttpResponse:
        """Render a page about a row, within the frame of whatever admin this is."""
        defaults = {
            **self.admin_site.each_context(request),
            "title": self.heading(row),
            "opts": self.opts,
            "original": row,
            "list_url": self.address("changelist") if self.has_view_permission(request) else "",
            "history_url": self.address("history", row.pk),
            "has_view_permission": True,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template, {**defaults, **context})

    def row_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what the page of a row shows."""
        return {
            "subheading": "",
            "sentence": getattr(row, "next_step", ""),
            "attention": row.get_needs_attention_display() if getattr(row, "needs_attention", "") else "",
            "buttons": self.buttons(request, row),
            "refresh_after": REFRESH_AFTER if self.is_under_way(row) else 0,
            "sections": list(self.sections(request, row)),
            "tables": self.tables(request, row),
        }

    def heading(self, row: Any) -> str:
        """Return what people call the row."""
        return str(row)

    def is_under_way(self, row: Any) -> bool:
        """Whether the row is likely to change in the next seconds, so that its page looks again by itself."""
        return False

    def tables(self, request: HttpRequest, row: Any) -> list[Table]:
        """Return what belongs to the row."""
        return []

    def sections(self, request: HttpRequest, row: Any) -> Iterator[Section]:
        """Yield the fields of the row, by heading."""
        for title, options in self.get_fieldsets(request, row):
            names = [str(name) for name in options["fields"]]
            yield Section(title or "", [(self._label_of(name), self._value_of(name, row)) for name in names])

    def _label_of(self, name: str) -> str:
        return str(label_for_field(name, self.model, self))

    def _value_of(self, name: str, row: Any) -> Any:
        field, _attribute, value = lookup_field(name, row, self)
        if field is None or field.is_relation:
            return "-" if value in (None, "") else value
        return display_for_field(value, field, "-")

    def may_read_evidence(self, request: HttpRequest) -> bool:
        """Whether this person may read raw messages, masked as they are."""
        user: Any = request.user
        return bool(user.has_perm(EVIDENCE_PERMISSION))

    # -- addresses ----------------------------------------------------------------------------------------------------

    def address(self, name: str, *args: Any) -> str:
        """Return the address of a page of this admin."""
        return self._reverse(self.model, name, *args)

    def page_of(self, row: Model) -> str:
        """Return the address of a row's page in the admin of its model."""
        return self._reverse(type(row), "change", row.pk)

    def list_of(self, model: type[Model], **conditions: str | int) -> str:
        """Return the address of a model's list, filtered."""
        return f"{self._reverse(model, 'changelist')}?{urlencode(conditions)}"

    def may_see(self, request: HttpRequest, model: type[Model], row: Model | None = None) -> bool:
        """Whether another model, or a row of it, is there for this person."""
        site = self.admin_site
        return bool(site.is_registered(model) and site.get_model_admin(model).has_view_permission(request, row))

    def _reverse(self, model: type[Model], name: str, *args: Any) -> str:
        opts = model._meta
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_{name}", args=args, current_app=self.admin_site.name)

    # -- actions ------------------------------------------------------------------------------------------------------

    def actions_on_row(self) -> Sequence[RowAction]:
        """Return the actions on a row of this model."""
        return self.row_actions

    def buttons(self, request: HttpRequest, row: Any) -> list[Button]:
        """Return what this person may do now."""
        return [
            Button(str(action.label), self.address(action.name, row.pk), is_link=bool(action.confirmation))
            for action in self.actions_on_row()
            if action.is_allowed_for(request.user) and action.why_not(row) is None
        ]

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the actions."""
        return [
            *(self.route(action.name, partial(self._run_action, action)) for action in self.actions_on_row()),
            *super().get_urls(),
        ]

    def route(self, name: str, view: Callable[..., Any], *, more: str = "") -> URLPattern:
        """Return the route of a page about one row, outside ATOMIC_REQUESTS."""
        opts = self.opts
        guarded = transaction.non_atomic_requests(self.admin_site.admin_view(never_cache(view)))
        return path(f"<int:object_id>/{more}{name}/", guarded, name=f"{opts.app_label}_{opts.model_name}_{name}")

    def row(self, request: HttpRequest, object_id: int) -> Any:
        """Return a row that this person may see."""
        row = self.get_object(request, str(object_id))
        if row is None:
            if not self.has_view_permission(request):
                raise PermissionDenied
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def _run_action(self, action: RowAction, request: HttpRequest, object_id: int) -> HttpResponse:
        if not action.is_allowed_for(request.user):
            raise PermissionDenied
        if request.method != "POST" and not action.confirmation:
            return HttpResponseNotAllowed(["POST"])
        row = self.row(request, object_id)
        return self.perform(request, action, row, about=row)

    def perform(self, request: HttpRequest, action: RowAction, row: Any, *, about: Any) -> HttpResponse:
        """Ask for a note where one is needed, do what an action says, note who did it, and go back.

        Args:
            request: the request.
            action: the action.
            row: the row of this admin, whose page is gone back to and whose history gets the line.
            about: what the action is about: the row, or something that belongs to it.
        """
        form = action.form(request.POST if request.method == "POST" else None)
        if action.confirmation and not form.is_valid():
            return self._confirm(request, action, row, form, why_not=action.why_not(about))
        try:
            result = self._do(request, action, row, about, form.cleaned_data if action.confirmation else {})
        except ValidationError as refusal:
            if action.confirmation and action.why_not(about) is None:
                add_refusal(form, refusal)
                return self._confirm(request, action, row, form, why_not=None)
            result = ActionResult(" ".join(refusal.messages), messages.ERROR)
        self.message_user(request, result.sentence, result.level)
        return HttpResponseRedirect(self.address("change", row.pk))

    def perform_on_several(self, request: HttpRequest, name: str, rows: QuerySet[Any]) -> HttpResponse | None:
        """Ask for a note once, then do what an action says to each row that this person may see.

        Each is done on its own, so that one that is refused stops no other.
        """
        action = next(action for action in self.row_actions if action.name == name)
        if not action.is_allowed_for(request.user):
            raise PermissionDenied
        chosen = list(rows.order_by("id").defer(None)[: MOST_AT_ONCE + 1])
        if len(chosen) > MOST_AT_ONCE:
            message = gettext("At most %(limit)d at once. Choose fewer.") % {"limit": MOST_AT_ONCE}
            self.message_user(request, message, messages.ERROR)
            return None
        chosen = [row for row in chosen if self.has_view_permission(request, row)]
        form = action.form(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._confirm_several(request, action, chosen, form)
        results = Counter(self._result_of(request, action, row, form.cleaned_data) for row in chosen)
        for result, number in results.items():
            self.message_user(request, f"{result.sentence} ({number})", result.level)
        return None

    def _result_of(self, request: HttpRequest, action: RowAction, row: Any, data: dict[str, Any]) -> ActionResult:
        if reason := action.why_not(row):
            return ActionResult(str(reason), messages.WARNING)
        try:
            return self._do(request, action, row, row, data)
        except ValidationError as refusal:
            return ActionResult(" ".join(refusal.messages), messages.ERROR)

    def _do(self, request: HttpRequest, action: RowAction, row: Any, about: Any, data: dict[str, Any]) -> ActionResult:
        """Do what an action says, and note who did it and why."""
        with transaction.atomic() if action.atomic else nullcontext():
            result = action.run(request, about, data)
            subject, note = "" if about is row else about, data.get("note", "")
            self.log_change(request, row, joined([action.label, subject]) + (f"\n{note}" if note else ""))
        return result

    def _confirm_several(
        self, request: HttpRequest, action: RowAction, rows: Sequence[Any], form: forms.Form
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": action.label,
            "opts": self.opts,
            "list_url": self.address("changelist"),
            "row_url": "",
            "confirmation": action.confirmation,
            "label": action.label,
            "form": form,
            "rows": rows,
            "action_name": request.POST.get("action", ""),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/django_dana/note.html", context)

    def _confirm(
        self, request: HttpRequest, action: RowAction, row: Any, form: forms.Form, *, why_not: Any
    ) -> HttpResponse:
        context = {
            "confirmation": action.confirmation,
            "label": action.label,
            "why_not": why_not,
            "form": form,
            "row_url": self.address("change", row.pk),
        }
        return self.respond(request, row, "admin/django_dana/note.html", **context)
