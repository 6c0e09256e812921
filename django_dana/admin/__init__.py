"""The admin for shop staff: what was asked of DANA, what came of it, and the few things that people may do."""

from django_dana.admin.evidence import ApiCallAdmin, NotificationAdmin
from django_dana.admin.order_requests import CancelRequestAdmin, RefundRequestAdmin
from django_dana.admin.orders import OrderAdmin

__all__ = ["ApiCallAdmin", "CancelRequestAdmin", "NotificationAdmin", "OrderAdmin", "RefundRequestAdmin"]
