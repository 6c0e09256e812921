"""The snapshot and the control API."""

import json
from typing import Any

import pytest
import requests

from django_dana.simulator import Simulator
from tests.simulator.shop import Listener, Shop, rupiah, until


def control(dana: Simulator, method: str, name: str, body: dict[str, Any] | None = None) -> requests.Response:
    return requests.request(method, f"{dana.base_url}/simulator/{name}", json=body, timeout=5)


def test_snapshot(dana: Simulator, shop: Shop, listener: Listener) -> None:
    order = shop.order("INV-1")
    shop.call("create", order)
    shop.call("create", order)
    shop.call("create", {**order, "amount": rupiah("16000.00")})
    dana.order("INV-1").pay()
    shop.call("refund", shop.refund("INV-1", "5000.00"))
    assert dana.wait_for_notifications()

    snapshot = control(dana, "GET", "snapshot").json()

    assert snapshot["merchants"] == [{"merchant_id": "M-TEST", "partner_id": "P-TEST"}]
    (entry,) = snapshot["orders"]
    assert entry["merchant_id"] == "M-TEST"
    assert entry["reference"] == "INV-1"
    assert entry["amount"] == rupiah("15000.00")
    assert (entry["state"], entry["status"], entry["payments"]) == ("SUCCESS", "00", 1)
    assert entry["refunded"] == rupiah("5000.00")
    created, refunded = snapshot["requests"]
    assert (created["operation"], created["key"], created["calls"]) == ("create", "INV-1", 3)
    assert len(created["bodies"]) == 2
    assert json.loads(created["bodies"][0]) == order
    assert (refunded["operation"], refunded["key"]) == ("refund", "R-INV-1")
    assert [call["response_code"] for call in snapshot["calls"]] == ["2005400", "2005400", "4045418", "2005800"]
    assert all(call["signature"] == "valid" for call in snapshot["calls"])
    assert all(call["started_at"] <= call["ended_at"] for call in snapshot["calls"])
    (notification,) = snapshot["notifications"]
    assert notification["attempts"][0]["response_code"] == "2005600"


def test_snapshot__an_open_call_has_no_end(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("query:delay:seconds=600")

    with pytest.raises(requests.ReadTimeout):
        shop.call("query", shop.query("INV-1"), timeout=0.1)

    until(lambda: dana.calls and dana.calls[0].abandoned_at)
    (call,) = dana.snapshot()["calls"]
    assert call["ended_at"] is None
    assert call["abandoned_at"] >= call["started_at"]


def test_control__orders(dana: Simulator, shop: Shop, listener: Listener) -> None:
    shop.create("INV-1")
    shop.create("INV-2")

    assert control(dana, "POST", "orders/pay", {"reference": "INV-1", "method": "BALANCE"}).json()["state"] == "SUCCESS"
    assert control(dana, "POST", "orders/pay", {"reference": "INV-1"}).status_code == 409
    assert control(dana, "POST", "orders/start-paying", {"reference": "INV-2"}).json()["state"] == "PAYING"
    assert control(dana, "POST", "orders/expire", {"reference": "INV-2"}).json()["state"] == "CLOSED"
    assert control(dana, "POST", "orders/state", {"reference": "INV-2"}).json()["state"] == "CLOSED"
    assert control(dana, "POST", "orders/notify", {"reference": "INV-1", "copies": 2}).status_code == 200
    assert dana.wait_for_notifications()
    assert len(listener.heard) == 4
    assert control(dana, "POST", "notifications/resend", {"number": 1}).status_code == 200
    assert control(dana, "POST", "notifications/resend", {"number": 99}).status_code == 404
    assert dana.wait_for_notifications()
    assert len(control(dana, "GET", "notifications").json()["notifications"]) == 4
    assert len(control(dana, "GET", "notifications?reference=INV-2").json()["notifications"]) == 1


def test_control__faults_behaviour_clock(dana: Simulator, shop: Shop) -> None:
    assert control(dana, "POST", "faults", {"spec": "create:drop_reply:0.2"}).json()["number"] == 1
    assert control(dana, "POST", "faults", {"operation": "query", "kind": "empty", "times": 1}).json()["number"] == 2
    assert len(control(dana, "GET", "faults").json()["faults"]) == 2
    assert len(control(dana, "DELETE", "faults", {"number": 1}).json()["faults"]) == 1
    assert control(dana, "DELETE", "faults", {}).json() == {"faults": []}

    assert control(dana, "POST", "behaviour", {"repeated_cancel": "4045700"}).json()["repeated_cancel"] == "4045700"
    assert control(dana, "GET", "behaviour").json() == dana.behaviour.as_json()

    shop.create("INV-1")
    assert control(dana, "POST", "clock/advance", {"seconds": 601}).status_code == 200
    assert dana.order("INV-1").state == "CLOSED"

    assert control(dana, "POST", "reset", {}).status_code == 200
    assert dana.snapshot()["orders"] == []


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("POST", "faults", {"spec": "create:explode"}, 400),
        ("POST", "faults", {"kind": "empty"}, 400),
        ("POST", "faults", {"operation": "query", "kind": ["empty"]}, 400),
        ("POST", "faults", {"operation": "query", "kind": "delay", "seconds": 10**400}, 400),
        ("DELETE", "faults", {"number": 7}, 404),
        ("POST", "notifications/resend", {"number": "first"}, 400),
        ("POST", "orders/pay", {"reference": "NOBODY"}, 404),
        ("POST", "orders/pay", {}, 400),
        ("POST", "orders/pay", {"reference": "INV-1", "copies": 101}, 400),
        ("POST", "orders/notify", {"reference": "INV-1", "copies": 0}, 400),
        ("POST", "orders/refund", {"reference": "INV-1"}, 409),
        ("POST", "orders/refund", {"reference": "INV-1", "amount": 5}, 400),
        ("POST", "behaviour", {"nothing": 1}, 400),
        ("POST", "clock/advance", {"seconds": "soon"}, 400),
        ("POST", "clock/advance", {"seconds": None}, 400),
        ("POST", "clock/advance", {"seconds": 1e13}, 400),
        ("POST", "clock/advance", {"seconds": 1e300}, 400),
        ("GET", "nothing", None, 404),
        ("POST", "snapshot", {}, 404),
    ],
)
def test_control__refused(
    dana: Simulator, shop: Shop, method: str, name: str, body: dict[str, Any] | None, status: int
) -> None:
    shop.create("INV-1")

    reply = control(dana, method, name, body)

    assert reply.status_code == status
    assert reply.json()["error"].endswith(".")


@pytest.mark.parametrize("name", ["simulator/notifications/resend", "merchant-portal-app/api/sandbox-tools/execute"])
@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b"[]", b"\xff", b"", b"{", b'{"number":Infinity}'],
    ids=["deep", "array", "bytes", "empty", "cut", "number"],
)
def test_bodies_that_can_not_be_read(dana: Simulator, name: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    assert requests.post(f"{dana.base_url}/{name}", data=body, headers=headers, timeout=5).status_code == 400


# the types that a page of another site may send without asking first
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_control__not_from_a_form(dana: Simulator, shop: Shop, kind: str) -> None:
    shop.create("INV-1")

    reply = requests.post(f"{dana.base_url}/simulator/reset", data="{}", headers={"Content-Type": kind}, timeout=5)

    assert reply.status_code == 415
    assert dana.order("INV-1").state == "INIT"


def test_control__another_site_that_asks_is_not_let_in(dana: Simulator) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    for method in ("OPTIONS", "GET"):
        reply = requests.request(method, f"{dana.base_url}/simulator/snapshot", headers=headers, timeout=5)
        assert not [name for name in reply.headers if name.lower().startswith("access-control-")]


def test_health(dana: Simulator) -> None:
    assert control(dana, "GET", "health").json()["public_key"] == dana.public_key


def test_same_seed__same_numbers(dana: Simulator, shop: Shop) -> None:
    first = shop.create("INV-1")
    dana.reset()

    again = shop.create("INV-1")

    assert first["referenceNo"] == again["referenceNo"]
    assert len(first["referenceNo"]) == 35
