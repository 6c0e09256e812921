"""The rows: what is asked of DANA, what came of it, and the evidence."""

from typing import Final

from django_dana.models.cancel_requests import CancelRequest
from django_dana.models.evidence import ApiCall, Notification
from django_dana.models.idempotency import IdempotencyKey
from django_dana.models.orders import Order, OrderState
from django_dana.models.outbound import OutboundRequest
from django_dana.models.outbox import OutboxEvent
from django_dana.models.refund_requests import RefundRequest
from django_dana.models.requests import OrderRequest
from django_dana.models.sweeps import Sweep

#: What may be asked of DANA about an order. Whatever holds for all of them goes through this list.
REQUESTS: Final[tuple[type[OrderRequest], ...]] = (CancelRequest, RefundRequest)

__all__ = [
    "REQUESTS",
    "ApiCall",
    "CancelRequest",
    "IdempotencyKey",
    "Notification",
    "Order",
    "OrderRequest",
    "OrderState",
    "OutboundRequest",
    "OutboxEvent",
    "RefundRequest",
    "Sweep",
]
