"""What is the same for every kind of request about an order: start it, and send it again."""

from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser

from django_dana import background
from django_dana.models import OrderRequest
from django_dana.services.orders import account_of
from django_dana.services.permitted import Send, check_permission, refuse, why_not_retry
from django_dana.transitions import OF_REQUEST, locked_order

RequestT = TypeVar("RequestT", bound=OrderRequest)


def start(request: OrderRequest, send: Send) -> None:
    """Have a new request sent, where ``send`` is "now" with one attempt in this thread."""
    if send == "now":
        from django_dana import gateway

        gateway.attempt(type(request), request.pk)
        request.refresh_from_db()
    background.start_on_commit(type(request), request.pk)


def retry(request: RequestT, permission: str, requested_by: AbstractBaseUser | None) -> RequestT:
    """Send the same payload again, by hand, as a new series of attempts.

    Raises:
        PermissionDenied: ``requested_by`` lacks the permission.
        ValidationError: what :func:`why_not_retry` says.
    """
    check_permission(requested_by, permission)
    order = request.order
    with locked_order(order.pk, account_of(order)) as locked:
        request = locked.current(request)
        refuse(why_not_retry(request))
        OF_REQUEST[type(request)].retried(locked, request)
    background.start_on_commit(type(request), request.pk)
    return request
