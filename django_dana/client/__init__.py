"""A client for DANA's payment gateway, in plain Python: it knows neither Django nor Celery."""

from django_dana.client.http import Client, Credentials, client_for
from django_dana.protocol.messages import (
    CancelOrder,
    CancelReply,
    CreateOrder,
    CreateReply,
    QueryPayment,
    QueryReply,
    Reply,
)

__all__ = [
    "CancelOrder",
    "CancelReply",
    "Client",
    "CreateOrder",
    "CreateReply",
    "Credentials",
    "QueryPayment",
    "QueryReply",
    "Reply",
    "client_for",
]
