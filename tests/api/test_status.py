"""The state of one order, for its buyer's app."""

import uuid
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone

from django_dana import gateway, services
from django_dana.models import Order
from tests import wire as w
from tests.api.conftest import Api
from tests.conftest import Clock
from tests.factories import QRIS, created_order, order_with, paid_order
from tests.wire import QUERY_PATH, Wire

pytestmark = pytest.mark.django_db

BCA = {"payMethod": "VIRTUAL_ACCOUNT", "payOption": "VIRTUAL_ACCOUNT_BCA"}
SUCCESS: dict[str, Any] = {"create_status": "success", "payment_status": "initiated", "next_attempt_at": None}


def status(order: Order) -> dict[str, Any]:
    """Return what anybody gets who has the address."""
    response = Api().get(f"status/{order.public_id}/")
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    shown: dict[str, Any] = response.json()
    return shown


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """DANA knows nothing more."""
    monkeypatch.setattr(gateway, "sync", lambda order_id, **options: False)


def test_an_order_being_prepared() -> None:
    shown = status(order_with())
    assert (shown["state"], shown["is_final"], shown["pay_url"]) == ("preparing", False, "")
    assert shown["sentence"]


@pytest.mark.usefixtures("silent")
def test_where_to_pay_by_dana() -> None:
    shown = status(order_with(**SUCCESS, web_redirect_url=w.PAGE))
    assert (shown["state"], shown["pay_url"], shown["payment_code"], shown["qr_svg"]) == ("payable", w.PAGE, "", "")


@pytest.mark.usefixtures("silent")
def test_where_to_pay_by_number() -> None:
    shown = status(order_with(order_arguments={"pay_option_details": [BCA]}, **SUCCESS, payment_code="8888123"))
    assert (shown["state"], shown["pay_url"], shown["payment_code"], shown["qr_svg"]) == ("payable", "", "8888123", "")


@pytest.mark.usefixtures("silent")
def test_where_to_pay_by_qr_code() -> None:
    arguments = {"pay_option_details": [QRIS], "external_store_id": "1"}
    shown = status(order_with(order_arguments=arguments, **SUCCESS, payment_code="00020101"))
    assert shown["payment_code"] == "00020101"
    assert shown["qr_svg"].startswith("<svg")


@pytest.mark.usefixtures("silent")
def test_no_address_of_javascript() -> None:
    assert status(order_with(**SUCCESS, web_redirect_url="javascript:alert(1)"))["pay_url"] == ""


def test_a_paid_order_is_final_and_nowhere_to_be_paid(dana: Wire) -> None:
    shown = status(paid_order(dana))
    assert (shown["state"], shown["is_final"], shown["pay_url"]) == ("paid", True, "")


def test_dana_is_asked_at_most_once_in_ten_seconds(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    dana.play(w.status("01"))
    clock.forward(seconds=11)
    for _poll in range(5):
        assert status(order)["state"] == "payable"
    assert len(dana.bodies(QUERY_PATH)) == 1
    clock.forward(seconds=11)
    dana.play(w.status("00", amount=str(order.amount)))
    assert status(order)["state"] == "paid"
    assert status(order)["state"] == "paid"
    assert len(dana.bodies(QUERY_PATH)) == 2


@pytest.mark.parametrize(
    "fields",
    [{"create_status": "pending"}, {**SUCCESS, "payment_status": "paid"}, {**SUCCESS, "payment_status": "expired"}],
    ids=str,
)
def test_dana_is_not_asked_where_it_knows_no_more(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]) -> None:
    asked: list[int] = []
    monkeypatch.setattr(gateway, "sync", lambda order_id, **options: asked.append(order_id))
    status(order_with(**fields))
    assert asked == []


def test_a_query_that_fails_leaves_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(services, "sync_order", fail)
    assert status(order_with(**SUCCESS, web_redirect_url=w.PAGE))["state"] == "payable"


def test_a_database_that_fails_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(services, "sync_order", fail)
    with pytest.raises(DatabaseError):
        status(order_with(**SUCCESS, web_redirect_url=w.PAGE))


def test_who_has_no_address_learns_nothing(client: Any) -> None:
    assert client.get(f"/dana/api/status/{uuid.uuid4()}/").status_code == 404
    assert client.get("/dana/api/status/1/").status_code == 404


def test_a_broken_token_does_not_keep_a_buyer_out() -> None:
    order = order_with()
    response = Api().client.get(f"/dana/api/status/{order.public_id}/", headers={"authorization": "Basic nonsense"})
    assert response.status_code == 200


@pytest.mark.usefixtures("silent")
def test_it_is_the_state_and_nothing_about_the_order() -> None:
    order = order_with(
        order_arguments={"title": "Secret", "metadata": {"a": "Secret"}}, **SUCCESS, web_redirect_url=w.PAGE
    )
    text = str(status(order))
    assert "Secret" not in text
    assert order.partner_reference_no not in text
    assert "15000" not in text


@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
def test_it_is_only_read(client: Any, method: str) -> None:
    assert getattr(client, method)(f"/dana/api/status/{order_with().public_id}/").status_code == 405


def test_the_state_is_that_of_the_order(clock: Clock) -> None:
    for fields in (
        {},
        {"create_status": "failed", "next_attempt_at": None},
        {"create_status": "failed", "next_attempt_at": timezone.now()},
        {**SUCCESS, "payment_status": "cancelled"},
        {**SUCCESS, "payment_status": "refunded"},
        {**SUCCESS, "payment_status": "not_found"},
        {**SUCCESS, "payment_status": "paid", "needs_attention": "conflict"},
    ):
        order = order_with(**fields)
        assert (status(order)["state"], status(order)["is_final"]) == (order.state, order.is_final)
