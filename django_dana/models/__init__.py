"""The rows: what is asked of DANA, what came of it, and the evidence."""

from django_dana.models.cancel_requests import CancelRequest
from django_dana.models.evidence import ApiCall, Notification
from django_dana.models.idempotency import IdempotencyKey
from django_dana.models.orders import Order, OrderState
from django_dana.models.outbound import OutboundRequest
from django_dana.models.outbox import OutboxEvent
from django_dana.models.refund_requests import RefundRequest
from django_dana.models.sweeps import Sweep

__all__ = [
    "ApiCall",
    "CancelRequest",
    "IdempotencyKey",
    "Notification",
    "Order",
    "OrderState",
    "OutboundRequest",
    "OutboxEvent",
    "RefundRequest",
    "Sweep",
]
