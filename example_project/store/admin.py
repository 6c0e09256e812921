"""The shop's own pages for staff: purchases and the attempts to pay them."""

from django.contrib import admin
from django.http import HttpRequest

from store.models import Attempt, Purchase


class AttemptInline(admin.TabularInline):  # type: ignore[type-arg]
    """All attempts to pay a purchase."""

    model = Attempt
    extra = 0
    can_delete = False
    show_change_link = False
    fields = readonly_fields = ("payment", "paid_twice_at", "created_at")

    def has_add_permission(self, request: HttpRequest, obj: Purchase | None = None) -> bool:
        """An attempt begins in the shop."""
        return False


@admin.register(Purchase)
class PurchaseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only list of purchases."""

    list_display = ("__str__", "packed_for", "packed_at", "called_off_at", "created_at")
    list_select_related = ("packed_for",)
    list_filter = (("attempts__paid_twice_at", admin.EmptyFieldListFilter),)
    readonly_fields = ("product_slug", "packed_for", "packed_at", "called_off_at")
    inlines = (AttemptInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A purchase begins in the shop."""
        return False
