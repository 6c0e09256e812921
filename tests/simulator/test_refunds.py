"""Refund Order: sums, windows, repetitions and faults; and where refunds are shown."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from django_dana.simulator import Simulator, WrongState
from tests.simulator.shop import Shop, answered, rupiah


@pytest.fixture
def paid(dana: Simulator, shop: Shop) -> Shop:
    """A shop whose order INV-1 over 15000.00 is paid."""
    shop.create("INV-1")
    dana.order("INV-1").pay()
    return shop


def refund(shop: Shop, number: str, amount: str, code: str = "2005800") -> dict[str, Any]:
    return answered(shop.call("refund", shop.refund("INV-1", amount, partnerRefundNo=number)), code)


def refunded(shop: Shop) -> str:
    """What Query Payment says."""
    answer = answered(shop.call("query", shop.query("INV-1")), "2005500")
    amounts: dict[str, Any] = answer["additionalInfo"]["amountDetail"]
    value: str = amounts.get("refundAmount", rupiah("none"))["value"]
    return value


def test_parts__up_to_the_whole_amount(dana: Simulator, paid: Shop) -> None:
    assert refunded(paid) == "none"
    first = refund(paid, "R-1", "5000.00")
    assert refunded(paid) == "5000.00"
    second = refund(paid, "R-2", "10000.00")
    assert refunded(paid) == "15000.00"

    refund(paid, "R-3", "0.01", "4035802")

    assert first["refundNo"] != second["refundNo"]
    assert second["refundAmount"] == rupiah("10000.00")
    (order,) = dana.snapshot()["orders"]
    assert order["refunded"] == rupiah("15000.00")
    assert [(item["partner_refund_no"], item["amount"]["value"]) for item in order["refunds"]] == [
        ("R-1", "5000.00"),
        ("R-2", "10000.00"),
    ]


def test_more_than_is_left(dana: Simulator, paid: Shop) -> None:
    refund(paid, "R-1", "9000.00")

    refund(paid, "R-2", "6000.01", "4035802")
    dana.change_behaviour(excess_refund="4045813")
    refund(paid, "R-3", "6000.01", "4045813")

    assert refunded(paid) == "9000.00"


def test_same_number__same_content_is_one_refund(paid: Shop) -> None:
    first = refund(paid, "R-1", "5000.00")

    again = refund(paid, "R-1", "5000.00")

    assert again == first
    assert refunded(paid) == "5000.00"


def test_same_number__same_content_after_all_was_refunded(paid: Shop) -> None:
    first = refund(paid, "R-1", "15000.00")

    assert refund(paid, "R-1", "15000.00") == first


@pytest.mark.parametrize("changes", [{"refundAmount": rupiah("4000.00")}, {"reason": "broken cup"}])
def test_same_number__other_content(paid: Shop, changes: dict[str, Any]) -> None:
    refund(paid, "R-1", "5000.00")

    body = paid.refund("INV-1", "5000.00", partnerRefundNo="R-1", **changes)
    answer = answered(paid.call("refund", body), "4045818")

    assert next(iter(changes)) in answer["additionalInfo"]["debugMessage"]
    assert refunded(paid) == "5000.00"


def test_same_number__of_another_order(dana: Simulator, paid: Shop) -> None:
    refund(paid, "R-1", "5000.00")
    paid.create("INV-2")
    dana.order("INV-2").pay()

    answered(paid.call("refund", paid.refund("INV-2", "5000.00", partnerRefundNo="R-1")), "4045818")

    assert dana.order("INV-2").order.refunds == []


def test_refund_window(dana: Simulator, paid: Shop) -> None:
    dana.advance(10 * 24 * 3600)
    refund(paid, "R-1", "1.00")
    dana.change_behaviour(refund_window=timedelta(days=7))

    refund(paid, "R-2", "1.00", "4035815")

    # a refund that happened in time is still repeated
    refund(paid, "R-1", "1.00")


def test_cancel_window_and_refund_window_are_two(dana: Simulator, paid: Shop) -> None:
    dana.change_behaviour(cancel_window=timedelta(hours=1), refund_window=timedelta(hours=3))
    dana.advance(2 * 3600)

    answered(paid.call("cancel", paid.cancel("INV-1")), "4035700")
    refund(paid, "R-1", "1.00")


def test_cancelled_order__has_nothing_to_refund(paid: Shop) -> None:
    answered(paid.call("cancel", paid.cancel("INV-1")), "2005700")

    refund(paid, "R-1", "1.00", "4045800")


@pytest.mark.parametrize("kind", ["drop_reply", "reset", "cut"])
def test_lost_reply__dana_has_refunded(dana: Simulator, paid: Shop, kind: str) -> None:
    dana.faults.add(f"refund:{kind}:times=1")

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        refund(paid, "R-1", "5000.00")

    assert refunded(paid) == "5000.00"
    refund(paid, "R-1", "5000.00")
    assert refunded(paid) == "5000.00"


def test_in_progress_then_done(paid: Shop, dana: Simulator) -> None:
    dana.faults.add("refund:in_progress:times=1")

    refund(paid, "R-1", "5000.00", "2025800")
    assert refunded(paid) == "none"
    refund(paid, "R-1", "5000.00")
    assert refunded(paid) == "5000.00"


def test_in_danas_portal(dana: Simulator, paid: Shop) -> None:
    handle = dana.order("INV-1").refund(Decimal("4000.00"))

    refund(paid, "R-1", "11000.01", "4035802")
    assert refunded(paid) == "4000.00"
    handle.refund()
    assert refunded(paid) == "15000.00"
    with pytest.raises(WrongState, match=r"0\.00 can be refunded"):
        handle.refund()


@pytest.mark.parametrize("amount", ["15000.01", "0.00", "-1.00"])
def test_in_danas_portal__impossible_amounts(dana: Simulator, paid: Shop, amount: str) -> None:
    with pytest.raises(WrongState):
        dana.order("INV-1").refund(Decimal(amount))


def test_overview_and_control_api(dana: Simulator, paid: Shop) -> None:
    answer = refund(paid, "R-1", "5000.00")
    paid.create("INV-2")
    dana.order("INV-2").pay().refund(Decimal("700.00"))

    page = requests.get(dana.base_url, timeout=5).text
    listed = requests.get(f"{dana.base_url}/simulator/refunds", timeout=5).json()["refunds"]
    of_one = requests.get(f"{dana.base_url}/simulator/refunds?reference=INV-1", timeout=5).json()["refunds"]

    for part in ("Refunds (2)", "R-1", answer["refundNo"], "Rp 5.000", "Rp 700", "made in DANA&#x27;s portal"):
        assert part in page
    assert [(item["reference"], item["amount"]["value"]) for item in listed] == [
        ("INV-1", "5000.00"),
        ("INV-2", "700.00"),
    ]
    assert [item["refund_no"] for item in of_one] == [answer["refundNo"]]
