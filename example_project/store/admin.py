"""The shop's own window: purchases."""

from django.contrib import admin
from django.http import HttpRequest

from store.models import Purchase


@admin.register(Purchase)
class PurchaseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only list of purchases."""

    list_display = ("__str__", "payment", "packed_at", "called_off_at", "created_at")
    list_select_related = ("payment",)
    readonly_fields = ("product_slug", "payment", "packed_at", "called_off_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A purchase begins in the shop."""
        return False
