"""The windows for shop staff: what was asked of DANA and what came of it, with a few labelled handles."""

from django_dana.admin.cancel_requests import CancelRequestAdmin
from django_dana.admin.evidence import ApiCallAdmin, NotificationAdmin
from django_dana.admin.orders import OrderAdmin

__all__ = ["ApiCallAdmin", "CancelRequestAdmin", "NotificationAdmin", "OrderAdmin"]
