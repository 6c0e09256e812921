"""Orders that another system of the same merchant made under a reference of the shop's."""

from decimal import Decimal
from typing import Any

import pytest
import requests

from django_dana.simulator import Simulator, WrongState
from tests.simulator.shop import Listener, Shop, answered, rupiah


def test_the_shops_own_order_is_refused(dana: Simulator, shop: Shop) -> None:
    dana.add_foreign_order("INV-1", Decimal("9000.00"))

    answered(shop.call("create", shop.order("INV-1", "9000.00")), "4045418")

    answer = answered(shop.call("query", shop.query("INV-1")), "2005500")
    assert (answer["amount"], answer["latestTransactionStatus"]) == (rupiah("9000.00"), "01")
    (order,) = dana.snapshot()["orders"]
    assert (order["is_foreign"], order["amount"]) == (True, rupiah("9000.00"))


def test_an_order_of_the_shops_is_not_foreign(dana: Simulator, shop: Shop) -> None:
    shop.create("INV-1")

    assert [order["is_foreign"] for order in dana.snapshot()["orders"]] == [False]
    with pytest.raises(WrongState, match="INV-1"):
        dana.add_foreign_order("INV-1", Decimal("9000.00"))


def test_it_is_paid_cancelled_and_expires_like_any_other(dana: Simulator, shop: Shop) -> None:
    dana.add_foreign_order("INV-1", Decimal("9000.00")).pay()
    dana.add_foreign_order("INV-2", Decimal("9000.00"))

    answered(shop.call("cancel", shop.cancel("INV-1")), "2005700")
    dana.advance(1801)

    assert [order["state"] for order in dana.snapshot()["orders"]] == ["CANCELLED", "CLOSED"]
    assert dana.sent() == []


def control(dana: Simulator, **body: Any) -> requests.Response:
    return requests.post(f"{dana.base_url}/simulator/orders/foreign", json=body, timeout=5)


def test_control_api(dana: Simulator, listener: Listener) -> None:
    url = f"{listener.url}/till"

    reply = control(dana, reference="INV-1", amount="9000.00", notificationUrl=url, merchantId="M-TEST")
    dana.order("INV-1").pay()

    assert (reply.status_code, reply.json()["state"]) == (200, "INIT")
    assert dana.wait_for_notifications()
    assert [heard.path for heard in listener.heard] == ["/till"]
    assert control(dana, reference="INV-1", amount="9000.00").status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"reference": "INV-1", "amount": 9000}, 400),
        ({"reference": "INV-1", "amount": "9000"}, 400),
        ({"reference": "INV-1", "amount": "NaN"}, 400),
        ({"reference": "INV-1"}, 400),
        ({"amount": "9000.00"}, 400),
        ({"reference": "INV-1", "amount": "9000.00", "merchantId": "M-NOBODY"}, 404),
    ],
)
def test_control_api__refused(dana: Simulator, body: dict[str, Any], status: int) -> None:
    reply = control(dana, **body)

    assert reply.status_code == status
    assert reply.json()["error"].endswith(".")
    assert not list(dana.orders)
