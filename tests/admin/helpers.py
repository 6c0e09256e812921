"""What the tests of the admin share: addresses, people, and orders in some state."""

from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from django_dana import services
from django_dana.models import ApiCall, CancelRequest, Notification, Order, OrderRequest, RefundRequest
from tests.factories import fresh_cancel, order_with

ORDERS = "/admin/django_dana/order/"
CANCELS = "/admin/django_dana/cancelrequest/"
REFUNDS = "/admin/django_dana/refundrequest/"
CALLS = "/admin/django_dana/apicall/"
NOTIFICATIONS = "/admin/django_dana/notification/"

VIEWS = (
    *("view_order", "view_cancelrequest", "view_refundrequest", "view_apicall", "view_notification"),
    "view_evidence",
)

END = {"unfinished": None, "next_attempt_at": None}


def user_with(*permissions: str, name: str = "clerk") -> User:
    """Return a member of staff who may do just this."""
    user = User.objects.create_user(name, is_staff=True)
    found = Permission.objects.filter(content_type__app_label="django_dana", codename__in=permissions)
    assert len(found) == len(permissions)
    user.user_permissions.set(found)
    return user


def client_of(user: User) -> Client:
    """Return a browser in which somebody is logged in."""
    client = Client()
    client.force_login(user)
    return client


def page(order: Order, name: str = "change") -> str:
    """Return the address of a page about an order."""
    return f"{ORDERS}{order.pk}/{name}/"


def cancel_page(cancel_request: CancelRequest, name: str = "change") -> str:
    """Return the address of a page about a cancel request."""
    return f"{CANCELS}{cancel_request.pk}/{name}/"


def act_on(row: OrderRequest, name: str) -> str:
    """Return the address of an action on a request from the page of its order."""
    return f"{ORDERS}{row.order_id}/{row.pk}/{row.operation.key}-{name}/"


def text(response: Any) -> str:
    """Return the page as its reader gets it, with quotes as they are."""
    assert response.status_code == 200
    return str(response.content.decode()).replace("&#x27;", "'").replace("&quot;", '"')


def messages_on(response: Any) -> list[str]:
    """Return the messages on a page."""
    return [str(message) for message in response.context["messages"]]


def labels(response: Any) -> list[str]:
    """Return what stands on the buttons, the primary one first."""
    context = response.context
    if "summary" in context:
        return [button.label for button in (context["primary"], *context["others"]) if button]
    return [button.label for button in context["buttons"]]


def payable(**fields: Any) -> Order:
    """Return an order that DANA has and nobody has paid."""
    return order_with(**{"create_status": "success", "payment_status": "initiated", "next_attempt_at": None, **fields})


def paid(**fields: Any) -> Order:
    """Return a paid order."""
    return payable(**{"payment_status": "paid", "paid_at": timezone.now(), **fields})


def asked(order: Order, **fields: Any) -> CancelRequest:
    """Return a cancel request in some state."""
    cancel_request = services.cancel_order(order, reason="Stok habis")
    CancelRequest.objects.filter(pk=cancel_request.pk).update(**fields)
    return fresh_cancel(cancel_request)


def aborted(order: Order, **fields: Any) -> CancelRequest:
    """Return a cancel request that was given up."""
    return asked(order, **{"status": "aborted", "needs_attention": "not_cancelled", **END, **fields})


def refunded(order: Order, **fields: Any) -> RefundRequest:
    """Return a request for a part of a payment, done unless the fields say otherwise."""
    values = {"amount": 6000, "reason": "Stok habis", "status": "success", "unfinished": False, **fields}
    return RefundRequest.objects.create(
        order=order, merchant_id=order.merchant_id, give_up_at=timezone.now(), request_body="{}", **values
    )


def call_of(order: Order, number: int = 0, **fields: Any) -> ApiCall:
    """Return a call that was answered."""
    answer: dict[str, Any] = {
        "duration_ms": 5,
        "http_status": 200,
        "response_code": "2005400",
        "rule_code": "2005400",
        "operation": "create",
        "started_at": timezone.now(),
        "external_id": f"{order.pk}-{number}",
    }
    return ApiCall.objects.create(order=order, **{**answer, **fields})


def notification_of(order: Order | None, body: str = "{}", **fields: Any) -> Notification:
    """Return a message of DANA."""
    return Notification.objects.create(order=order, body=body, **{"outcome": "applied", "verified": True, **fields})
