"""What happens later than it was asked for, and what is seen later than it happened."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from django_dana.simulator import Simulator
from tests.simulator.shop import Shop, answered, now, until


def lose(shop: Shop, operation: str, body: dict[str, Any]) -> None:
    with pytest.raises(requests.ConnectionError):
        shop.call(operation, body)


def test_act_late__create(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("create:act_late:seconds=20:times=1")
    order = shop.order("INV-1")

    lose(shop, "create", order)

    assert not dana.calls[0].acted
    answered(shop.call("query", shop.query("INV-1")), "4045501")
    dana.advance(20)
    answered(shop.call("query", shop.query("INV-1")), "2005500")
    call = dana.calls[0]
    assert (call.acted, call.response_code, call.http_status) == (True, "2005400", None)


def test_act_late__cancel(dana: Simulator, shop: Shop) -> None:
    shop.create("INV-1")
    dana.order("INV-1").pay()
    dana.faults.add("cancel:act_late:seconds=200:times=1")

    lose(shop, "cancel", shop.cancel("INV-1"))

    dana.advance(199)
    assert dana.order("INV-1").state == "SUCCESS"
    dana.advance(1)
    assert dana.order("INV-1").state == "CANCELLED"


def test_act_late__refund_is_one_refund_with_the_repetition_that_was_sooner(dana: Simulator, shop: Shop) -> None:
    shop.create("INV-1")
    dana.order("INV-1").pay()
    dana.faults.add("refund:act_late:seconds=20:times=1")

    lose(shop, "refund", shop.refund("INV-1", "5000.00"))
    answered(shop.call("refund", shop.refund("INV-1", "5000.00")), "2005800")
    dana.advance(20)

    assert [refund["amount"]["value"] for refund in dana.refunds()] == ["5000.00"]


def test_act_late__by_itself(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("create:act_late:seconds=0.3")

    lose(shop, "create", shop.order("INV-1"))

    until(lambda: list(dana.orders))


def test_act_late__what_is_refused_is_refused_at_once(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("create:act_late:seconds=20")

    with pytest.raises(requests.ConnectionError):
        shop.call("create", shop.order("INV-1"), {"X-SIGNATURE": "bm9uc2Vuc2U="})

    assert dana.calls[0].response_code == "4015400"
    dana.advance(20)
    assert not list(dana.orders)


def test_act_late__after_a_reset_nothing_is_left_to_do(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("create:act_late:seconds=20")
    lose(shop, "create", shop.order("INV-1"))

    dana.reset()
    dana.advance(20)

    assert not list(dana.orders)


def test_advance__everything_happens_at_its_own_moment(dana: Simulator, shop: Shop) -> None:
    shop.create("INV-1", validUpTo=now(600))
    shop.create("INV-2", validUpTo=now(600))
    dana.faults.add("cancel:act_late:ref=INV-1:seconds=300")
    dana.faults.add("cancel:act_late:ref=INV-2:seconds=900")
    lose(shop, "cancel", shop.cancel("INV-1"))
    lose(shop, "cancel", shop.cancel("INV-2"))

    dana.advance(1700)

    first, second = dana.snapshot()["orders"]
    # the cancel came before the expiry, though both were due when time had passed
    assert first["state"] == "CANCELLED"
    cancelled_after = datetime.fromisoformat(first["cancelled_at"]) - datetime.fromisoformat(first["created_at"])
    assert timedelta(seconds=299) <= cancelled_after <= timedelta(seconds=310)
    # and after it there was nothing left to cancel
    assert second["state"] == "CLOSED"
    assert abs(datetime.fromisoformat(second["closed_at"]) - datetime.fromisoformat(second["valid_up_to"])) < (
        timedelta(seconds=5)
    )
    assert [call.response_code for call in dana.calls if call.operation == "cancel"] == ["2005700", "4045700"]


def status(shop: Shop) -> str:
    answer = answered(shop.call("query", shop.query("INV-1")), "2005500")
    value: str = answer["latestTransactionStatus"]
    return value


def test_lag__shows_what_was(dana: Simulator, shop: Shop) -> None:
    shop.create("INV-1")
    dana.advance(100)
    dana.order("INV-1").pay()
    dana.advance(10)
    shop.call("refund", shop.refund("INV-1", "5000.00"))
    dana.advance(10)
    dana.faults.add("query:lag:seconds=60:times=1")
    dana.faults.add("query:lag:seconds=15:skip=1:times=1")
    dana.faults.add("query:lag:seconds=5:skip=2:times=1")

    assert status(shop) == "01"
    paid = answered(shop.call("query", shop.query("INV-1")), "2005500")
    assert paid["latestTransactionStatus"] == "00"
    assert "refundAmount" not in paid["additionalInfo"]["amountDetail"]
    refunded = answered(shop.call("query", shop.query("INV-1")), "2005500")
    assert refunded["additionalInfo"]["amountDetail"]["refundAmount"]["value"] == "5000.00"


def test_lag__before_the_order_there_was_none(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("query:lag:seconds=60")
    shop.create("INV-1")

    answered(shop.call("query", shop.query("INV-1")), "4045501")
    dana.advance(61)

    assert status(shop) == "01"


@pytest.mark.parametrize("how", ["cancel", "expire", "start_paying"])
def test_lag__every_change_is_seen_late(dana: Simulator, shop: Shop, how: str) -> None:
    shop.create("INV-1")
    dana.advance(100)
    if how == "cancel":
        shop.call("cancel", shop.cancel("INV-1"))
    else:
        getattr(dana.order("INV-1"), how)()
    dana.faults.add("query:lag:seconds=60")

    assert status(shop) == "01"
    dana.advance(61)
    assert status(shop) == ("02" if how == "start_paying" else "05")
