"""Orders by the REST API: what goes in, what comes out, and what is refused."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections

from django_dana import gateway, services
from django_dana.models import CancelRequest, Order, RefundRequest
from tests import wire as w
from tests.api.conftest import Api
from tests.factories import account_with, created_order, fresh, new_order, order_with, paid_order
from tests.wire import QUERY_PATH, Wire

pytestmark = pytest.mark.django_db

BODY = {"amount": "15000.00", "title": "Kopi Gayo"}


# -- create -----------------------------------------------------------------------------------------------------------


def test_an_order_is_created(api: Api) -> None:
    response = api.post("orders/", {**BODY, "shop_reference": "cart-1", "metadata": {"cart": 1}})
    assert response.status_code == 201
    shown = response.json()
    order = Order.objects.get()
    assert shown["partner_reference_no"] == order.partner_reference_no
    assert shown["amount"] == "15000.00"
    assert shown["refunded_amount"] == "0.00"
    assert shown["shop_reference"] == "cart-1"
    assert shown["metadata"] == {"cart": 1}
    assert shown["state"] == "preparing"
    assert shown["is_final"] is False
    assert shown["pay_page"] == f"http://testserver/dana/pay/{order.public_id}/"
    assert response["Location"] == shown["url"] == f"http://testserver/dana/api/orders/{order.public_id}/"
    assert api.get(shown["url"]).json() == shown


def test_every_argument_of_the_service_can_be_given(api: Api) -> None:
    body = {
        **BODY,
        "account": "default",
        "partner_reference_no": "INV-1",
        "shop_reference": "cart-1",
        "currency": "IDR",
        "valid_up_to": "2030-01-02T03:04:05+07:00",
        "return_url": "/thanks/",
        "pay_option_details": [{"payMethod": "NETWORK_PAY", "payOption": "NETWORK_PAY_PG_QRIS"}],
        "buyer": {"nickname": "Sari"},
        "goods": [
            {
                "name": "Kopi",
                "merchantGoodsId": "1",
                "description": "Gayo",
                "category": "coffee",
                "quantity": "1",
                "price": {"value": "15000.00", "currency": "IDR"},
            }
        ],
        "shipping": [],
        "env_info": {"terminalType": "WEB"},
        "sub_merchant_id": "sub",
        "external_store_id": "store",
        "metadata": {"a": [1]},
    }
    assert api.post("orders/", body).status_code == 201
    order = Order.objects.get()
    assert order.valid_up_to.isoformat() == "2030-01-01T20:04:05+00:00"
    assert (order.external_store_id, order.sub_merchant_id, order.return_url) == ("store", "sub", "/thanks/")
    assert '"nickname":"Sari"' in order.request_body


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": 15000}, "amount"),
        ({"amount": 15000.5}, "amount"),
        ({"amount": "-1.00"}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "1.001"}, "amount"),
        ({"amount": "1e3"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "٣"}, "amount"),
        ({"amount": "99999999999999.00"}, "amount"),
        ({"amount": ""}, "amount"),
        ({"amount": None}, "amount"),
        ({"title": ""}, "title"),
        ({"title": "x" * 65}, "title"),
        ({"title": 1}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"account": "unknown"}, "account"),
        ({"currency": "rupiah"}, "currency"),
        ({"valid_up_to": "2020-01-01T00:00:00Z"}, "valid_up_to"),
        ({"valid_up_to": "tomorrow"}, "valid_up_to"),
        ({"return_url": "javascript:alert(1)"}, "return_url"),
        ({"buyer": {"nickname": 1}}, "buyer"),
        ({"buyer": []}, "buyer"),
        ({"goods": [{}]}, "goods"),
        ({"goods": [1]}, "goods"),
        ({"goods": {}}, "goods"),
        ({"metadata": {"a": "\x00"}}, "metadata"),
        ({"metadata": "text"}, "metadata"),
        (
            {"pay_option_details": [{"payMethod": "NETWORK_PAY", "payOption": "NETWORK_PAY_PG_QRIS"}]},
            "external_store_id",
        ),
        ({"shop_refrence": "typo"}, "shop_refrence"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_by_field_and_nothing_is_saved(api: Api, change: dict[str, Any], field: str) -> None:
    response = api.post("orders/", {**BODY, **change})
    assert response.status_code == 400
    problems = response.json()
    assert list(problems) == [field]
    assert all(isinstance(sentence, str) for sentence in problems[field])
    assert not Order.objects.exists()


def test_everything_that_is_wrong_is_said_at_once(api: Api) -> None:
    assert api.post("orders/", {"title": 1, "typo": 1}).json().keys() == {"title", "amount", "typo"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"title": "\\ud800"}',
        b'{"\\ud800": 1}',
        b"1" * 9_999,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_json_object_is_refused(api: Api, body: bytes) -> None:
    response = api.post("orders/", body)
    assert response.status_code == 400
    assert response.json()


def test_only_json_is_read(api: Api) -> None:
    response = api.client.post("/dana/api/orders/", BODY)
    assert response.status_code == 415


def test_json_is_answered_whatever_is_asked_for(api: Api) -> None:
    response = api.client.get("/dana/api/orders/?format=xml", headers={"accept": "text/html"})
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert "no-store" in response["Cache-Control"]


def test_a_body_that_is_too_large_is_refused(api: Api, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    response = api.post("orders/", {**BODY, "metadata": {"a": "x" * 1_000}})
    assert response.status_code == 413
    assert response.json().keys() == {"detail"}


def test_a_reference_is_used_once(api: Api) -> None:
    assert api.post("orders/", {**BODY, "partner_reference_no": "INV-1"}).status_code == 201
    response = api.post("orders/", {**BODY, "partner_reference_no": "INV-1"})
    assert response.status_code == 400
    assert list(response.json()) == ["partner_reference_no"]


def test_the_sentences_are_in_the_language_of_the_reader(api: Api) -> None:
    response = api.client.post(
        "/dana/api/orders/",
        b'{"amount": "1.001", "title": "x"}',
        content_type="application/json",
        headers={"accept-language": "id"},
    )
    assert response.json() != api.post("orders/", {"amount": "1.001", "title": "x"}).json()


# -- one order --------------------------------------------------------------------------------------------------------


def test_an_order_is_found_by_reference_and_by_public_id(api: Api) -> None:
    order = new_order(partner_reference_no="INV-1")
    by_reference = api.get("orders/INV-1/").json()
    assert by_reference == api.get(f"orders/{order.public_id}/").json()
    assert by_reference["public_id"] == str(order.public_id)


@pytest.mark.parametrize("reference", ["inv-1", "INV-1%00", "INV-1%20", "INV-2", "%20", "..%2f"])
def test_a_reference_is_exact(api: Api, reference: str) -> None:
    new_order(partner_reference_no="INV-1")
    assert api.get(f"orders/{reference}/").status_code == 404


def test_a_reference_with_a_slash_is_reached_by_its_public_id(api: Api) -> None:
    order = new_order(partner_reference_no="2026/11/1")
    url = api.get("orders/").json()["results"][0]["url"]
    assert url.endswith(f"/{order.public_id}/")
    assert api.get(url).json()["partner_reference_no"] == "2026/11/1"


def test_a_reference_of_two_merchants_is_ambiguous(api: Api, settings: Any) -> None:
    settings.DANA = {**account_with(), "second": {**account_with()["default"], "MERCHANT_ID": "2"}}
    new_order(partner_reference_no="INV-1")
    order = new_order(partner_reference_no="INV-1", account="second")
    assert api.get("orders/INV-1/").status_code == 409
    assert api.get(f"orders/{order.public_id}/").json()["account"] == "second"


def test_it_says_what_comes_next_and_what_may_not_be_done(api: Api, dana: Wire) -> None:
    order = new_order()
    shown = api.get(f"orders/{order.public_id}/").json()
    assert shown["next_step"] == order.next_step
    assert shown["why_not_cancel"] == str(services.why_not_cancel(order))
    paid = api.get(f"orders/{paid_order(dana).public_id}/").json()
    assert (paid["state"], paid["is_final"], paid["why_not_cancel"], paid["why_not_refund"]) == (
        "paid",
        True,
        None,
        None,
    )
    assert paid["amount_left"] == "15000.00"


def test_no_secret_and_no_buyer_is_shown(api: Api) -> None:
    order = new_order(
        buyer={"nickname": "Sari"},
        pay_option_details=[{"payMethod": "CARD", "cardToken": "tok", "additionalInfo": {"phoneNumber": "0812"}}],
    )
    text = api.get(f"orders/{order.public_id}/").content.decode()
    assert not any(word in text for word in ("Sari", "tok", "0812"))


# -- cancel -----------------------------------------------------------------------------------------------------------


def test_an_order_is_cancelled(api: Api, dana: Wire) -> None:
    order = paid_order(dana)
    response = api.post(f"orders/{order.partner_reference_no}/cancel/", {"reason": "changed her mind"})
    assert response.status_code == 201
    cancel_request = CancelRequest.objects.get()
    assert cancel_request.requested_by == api.user
    assert (cancel_request.reason, cancel_request.amount) == ("changed her mind", Decimal("15000.00"))
    shown = response.json()
    assert shown["status"] == "new"
    assert shown["requested_by"] == str(User.objects.get().pk)
    assert shown["order"].endswith(f"/orders/{order.public_id}/")
    assert response["Location"] == shown["url"]
    assert api.get(shown["url"]).json() == shown
    assert api.get("cancel-requests/").json()["results"] == [shown]
    assert api.get(shown["order"]).json()["state"] == "cancelling"


def test_a_cancel_that_is_refused_says_why(api: Api, dana: Wire) -> None:
    order = paid_order(dana)
    path = f"orders/{order.partner_reference_no}/cancel/"
    assert api.post(path).status_code == 201
    response = api.post(path, {})
    assert response.status_code == 400
    assert response.json() == {"order": [str(services.why_not_cancel(fresh(order)))]}


@pytest.mark.parametrize("body", [{"reason": "x" * 257}, {"reason": 1}, {"amount": "1.00"}, {"reason": "\x00"}])
def test_a_cancel_takes_a_reason_and_nothing_else(api: Api, dana: Wire, body: dict[str, Any]) -> None:
    response = api.post(f"orders/{paid_order(dana).partner_reference_no}/cancel/", body)
    assert response.status_code == 400
    assert list(response.json()) == list(body)
    assert not CancelRequest.objects.exists()


# -- refund -----------------------------------------------------------------------------------------------------------


def test_a_part_is_refunded_and_then_the_rest(api: Api, dana: Wire) -> None:
    order = paid_order(dana)
    path = f"orders/{order.partner_reference_no}/refund/"
    response = api.post(path, {"amount": "5000.00", "reason": "one bag was torn"})
    assert response.status_code == 201
    refund_request = RefundRequest.objects.get()
    assert (refund_request.amount, refund_request.reason) == (Decimal("5000.00"), "one bag was torn")
    assert refund_request.requested_by == api.user
    shown = response.json()
    assert (shown["amount"], shown["status"]) == ("5000.00", "new")
    assert shown["partner_refund_no"] == refund_request.partner_refund_no
    assert response["Location"] == shown["url"]
    assert api.get(shown["url"]).json() == shown
    assert api.get("refund-requests/").json()["results"] == [shown]
    assert api.get(shown["order"]).json()["amount_left"] == "10000.00"
    assert api.get(shown["order"]).json()["is_final"] is False
    assert api.post(path).json()["amount"] == "10000.00"


def test_a_refund_under_a_key_is_made_once(api: Api, dana: Wire) -> None:
    path = f"orders/{paid_order(dana).partner_reference_no}/refund/"
    first, second = (api.post(path, {"amount": "1.00"}, key="k1") for _time in range(2))
    assert first.content == second.content
    assert RefundRequest.objects.count() == 1
    assert api.post(path, {"amount": "2.00"}, key="k1").status_code == 422


def test_a_refund_that_is_refused_says_why(api: Api) -> None:
    order = new_order()
    response = api.post(f"orders/{order.partner_reference_no}/refund/")
    assert response.status_code == 400
    assert response.json() == {"order": [str(services.why_not_refund(order))]}


@pytest.mark.parametrize(
    "body",
    [{"amount": "15000.01"}, {"amount": "0"}, {"amount": 1}, {"amount": None}, {"reason": "x" * 257}, {"typo": "1"}],
    ids=str,
)
def test_what_is_wrong_with_a_refund_is_said_by_field(api: Api, dana: Wire, body: dict[str, Any]) -> None:
    response = api.post(f"orders/{paid_order(dana).partner_reference_no}/refund/", body)
    assert response.status_code == 400
    assert list(response.json()) == list(body)
    assert not RefundRequest.objects.exists()


@pytest.mark.parametrize("action", ["cancel", "refund", "sync"])
def test_an_unknown_order_is_not_found(api: Api, action: str) -> None:
    assert api.post(f"orders/INV-1/{action}/").status_code == 404


def test_unknown_requests_are_not_found(api: Api) -> None:
    for path in ("cancel-requests/1/", f"cancel-requests/{10**30}/", "refund-requests/1/"):
        assert api.get(path).status_code == 404


# -- sync -------------------------------------------------------------------------------------------------------------


def test_dana_is_asked_now(api: Api, dana: Wire) -> None:
    order = created_order(dana)
    dana.play(w.status("00", amount=str(order.amount)))
    response = api.post(f"orders/{order.partner_reference_no}/sync/")
    assert response.status_code == 200
    assert response.json()["state"] == "paid"
    assert len(dana.bodies(QUERY_PATH)) == 1


def test_what_dana_does_not_answer_leaves_the_order_as_it_is(api: Api, dana: Wire) -> None:
    order = created_order(dana)
    dana.play(w.hang_up)
    response = api.post(f"orders/{order.partner_reference_no}/sync/", {})
    assert response.status_code == 200
    assert response.json()["state"] == "payable"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", [None, "k1"])
def test_dana_is_asked_outside_a_transaction(api: Api, monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    order = order_with(create_status="success", next_attempt_at=None)
    inside: list[bool] = []
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)  # noqa: FBT003
    monkeypatch.setattr(gateway, "sync", lambda order_id, **options: inside.append(connection.in_atomic_block))
    assert api.post(f"orders/{order.partner_reference_no}/sync/", key=key).status_code == 200
    assert inside == [False]


@pytest.mark.django_db(transaction=True)
def test_a_refusal_under_atomic_requests_is_kept_under_its_key(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)  # noqa: FBT003
    first = api.post("orders/", {**BODY, "account": "unknown"}, key="k1")
    second = api.post("orders/", {**BODY, "account": "unknown"}, key="k1")
    assert first.status_code == second.status_code == 400
    assert second["Idempotent-Replayed"] == "true"


def test_moments_are_in_iso_8601(api: Api) -> None:
    order = new_order()
    shown = api.get(f"orders/{order.public_id}/").json()
    assert datetime.fromisoformat(shown["created_at"]) == order.created_at
