"""The shop's own window: purchases."""

from django.contrib import admin

from store.models import Purchase


@admin.register(Purchase)
class PurchaseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only list of purchases."""

    list_display = ("__str__", "payment", "packed_at", "called_off_at", "created_at")
    list_select_related = ("payment",)
    readonly_fields = ("product_slug", "payment", "packed_at", "called_off_at")
