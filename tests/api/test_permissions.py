"""Who may do what: every endpoint as nobody, with every permission but one, and with the right ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from django.urls import URLPattern
from django.utils import timezone

from django_dana import gateway
from django_dana.api import urls, views
from django_dana.api.base import DanaView
from django_dana.models import CancelRequest, Order, RefundRequest
from tests.api.conftest import Api
from tests.factories import order_with

pytestmark = pytest.mark.django_db

ALL = [
    *("django_dana.view_order", "django_dana.add_order", "django_dana.change_order", "django_dana.delete_order"),
    *("django_dana.cancel_order", "django_dana.refund_order"),
    *("django_dana.view_cancelrequest", "django_dana.view_refundrequest"),
]


@dataclass(frozen=True)
class Endpoint:
    """A way to call the API, and what it takes."""

    method: str
    route: str
    needs: Sequence[str]
    status: int = 200
    body: Any = None

    def call(self, api: Api, order: Order) -> Any:
        number = CancelRequest.objects.get().pk if "cancel-requests" in self.route else 0
        number = RefundRequest.objects.get().pk if "refund-requests" in self.route else number
        path = self.route.format(reference=order.partner_reference_no, number=number)
        return api.get(path) if self.method == "GET" else api.post(path, self.body)


ENDPOINTS = [
    Endpoint("GET", "orders/", ["django_dana.view_order"]),
    Endpoint("POST", "orders/", ["django_dana.add_order"], 201, {"amount": "15000.00", "title": "Kopi Gayo"}),
    Endpoint("GET", "orders/{reference}/", ["django_dana.view_order"]),
    Endpoint("POST", "orders/{reference}/cancel/", ["django_dana.view_order", "django_dana.cancel_order"], 201),
    Endpoint("POST", "orders/{reference}/refund/", ["django_dana.view_order", "django_dana.refund_order"], 201),
    Endpoint("POST", "orders/{reference}/sync/", ["django_dana.view_order", "django_dana.change_order"]),
    Endpoint("GET", "cancel-requests/", ["django_dana.view_cancelrequest"]),
    Endpoint("GET", "cancel-requests/{number}/", ["django_dana.view_cancelrequest"]),
    Endpoint("GET", "refund-requests/", ["django_dana.view_refundrequest"]),
    Endpoint("GET", "refund-requests/{number}/", ["django_dana.view_refundrequest"]),
]

every_endpoint = pytest.mark.parametrize(
    "endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.route}"
)


@pytest.fixture(autouse=True)
def no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody speaks to DANA here."""
    monkeypatch.setattr(gateway, "sync", lambda order_id, **options: False)


@pytest.fixture
def order() -> Order:
    """A paid order, with a cancel and a refund of another one."""
    order = order_with(create_status="success", payment_status="paid", next_attempt_at=None, paid_at=timezone.now())
    other = order_with(create_status="success", payment_status="paid", next_attempt_at=None)
    common = {"order": other, "amount": other.amount, "give_up_at": timezone.now(), "status": "failed"}
    CancelRequest.objects.create(**common, unfinished=None)
    RefundRequest.objects.create(**common, unfinished=False)
    return order


@every_endpoint
def test_nobody_may(endpoint: Endpoint, order: Order) -> None:
    response = endpoint.call(Api(), order)
    assert response.status_code == 403
    assert response.json().keys() == {"detail"}


@every_endpoint
def test_a_user_without_a_permission_may_not(
    endpoint: Endpoint, order: Order, api_of: Callable[[Sequence[str]], Api]
) -> None:
    assert endpoint.call(api_of([]), order).status_code == 403
    for missing in endpoint.needs:
        api = api_of([name for name in ALL if name != missing])
        assert endpoint.call(api, order).status_code == 403, missing


@every_endpoint
def test_a_user_with_the_permissions_and_no_others_may(
    endpoint: Endpoint, order: Order, api_of: Callable[[Sequence[str]], Api]
) -> None:
    assert endpoint.call(api_of(endpoint.needs), order).status_code == endpoint.status


@every_endpoint
def test_an_inactive_user_may_not(endpoint: Endpoint, order: Order) -> None:
    api = Api(User.objects.create_superuser("gone"))
    User.objects.update(is_active=False)
    assert endpoint.call(api, order).status_code == 403


def test_what_is_refused_changes_nothing(order: Order, api_of: Callable[[Sequence[str]], Api]) -> None:
    before = list(Order.objects.values()), CancelRequest.objects.count()
    for endpoint in ENDPOINTS:
        endpoint.call(api_of([]), order)
        endpoint.call(Api(), order)
    assert (list(Order.objects.values()), CancelRequest.objects.count()) == before


def test_the_table_above_has_every_endpoint() -> None:
    there = set()
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        view = getattr(pattern.callback, "cls", None)
        if isinstance(view, type) and issubclass(view, DanaView) and view is not views.Status:
            there |= {(method, str(pattern.pattern)) for method in view.permissions}
    tested = {
        (end.method, end.route.format(reference="<str:reference>", number="<str:request_id>")) for end in ENDPOINTS
    }
    assert tested == there


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
@pytest.mark.parametrize("route", ["orders/", "orders/x/", "orders/x/cancel/", "cancel-requests/"])
def test_no_other_method(api: Api, method: str, route: str) -> None:
    assert getattr(api.client, method)(f"/dana/api/{route}").status_code == 405


def test_a_post_by_session_needs_the_csrf_token(api: Api) -> None:
    api.client.handler.enforce_csrf_checks = True
    assert api.post("orders/", {"amount": "1.00", "title": "x"}).status_code == 403
    assert not Order.objects.exists()


@override_settings(
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
)
def test_a_shop_that_wants_a_login_everywhere_gets_answers_and_no_redirect(order: Order) -> None:
    assert Api().get("orders/").status_code == 403
    assert Api().get(f"status/{order.public_id}/").status_code == 200
