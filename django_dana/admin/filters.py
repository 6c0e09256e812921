"""Filters of the lists. Each asks by equality or range on a column that has an index."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_dana import conf
from django_dana.models import REQUESTS, Order, OrderState
from django_dana.services.states import in_state

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

_DAYS: Final = {"1": _("Last 24 hours"), "7": _("Last 7 days"), "30": _("Last 30 days")}


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


class StateFilter(admin.SimpleListFilter):
    """By the one word that shops, buyers and the REST API read."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, "_StrOrPromise"]]:
        """Return the states."""
        return OrderState.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter by the chosen state."""
        value = self.value()
        return in_state(queryset, OrderState(value)) if value in OrderState.values else queryset


class BackFilter(admin.SimpleListFilter):
    """Orders whose money is on its way back, by cancel or refund."""

    title = _("refund under way")
    parameter_name = "back"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, "_StrOrPromise"]]:
        """Return the one choice."""
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter if it is chosen."""
        return under_way(queryset) if self.value() == "yes" else queryset


def under_way(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Return the orders of which a request is still to be sent; found by index."""
    managers: Sequence[Any] = [kind._default_manager for kind in REQUESTS]
    first, *others = (manager.filter(next_attempt_at__isnull=False).values("order_id") for manager in managers)
    # one subquery, since no database takes an index for "in this one or in that one"
    return orders.filter(pk__in=first.union(*others))


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


class _SinceFilter(admin.SimpleListFilter):
    """The last days by a column of time."""

    column = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, "_StrOrPromise"]]:
        """Return the numbers of days."""
        return list(_DAYS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter by the chosen number of days."""
        if self.value() not in _DAYS:
            return queryset
        since = timezone.now() - timedelta(days=int(self.value() or 0))
        return queryset.filter(**{f"{self.column}__gte": since})


class CreatedFilter(_SinceFilter):
    """By the time of creation."""

    title = _("created")
    parameter_name = "created"
    column = "created_at"


class PaidFilter(_SinceFilter):
    """By the time of the payment."""

    title = _("paid")
    parameter_name = "paid"
    column = "paid_at"
