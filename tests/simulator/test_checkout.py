"""The page on which a buyer pays."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from django_dana.simulator import Simulator
from tests.simulator.shop import Listener, Shop, answered


def press(url: str, action: str, method: str = "BALANCE") -> requests.Response:
    return requests.post(url, data={"action": action, "method": method}, allow_redirects=False, timeout=5)


def test_page__says_what_is_paid_and_that_it_is_a_simulator(shop: Shop) -> None:
    url = shop.create("INV-1")["webRedirectUrl"]

    reply = requests.get(url, timeout=5)

    assert reply.status_code == 200
    for text in ("SIMULATOR", "Kopi Gayo", "Rp 15.000", "Warung Kopi", "INV-1", "DANA balance"):
        assert text in reply.text
    assert "QRIS" not in reply.text  # no store, no QRIS
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    # nothing is fetched from anywhere
    assert not re.search(r"(src|href)=\"?(https?:)?//(?!127)", reply.text)


def test_page__a_title_can_not_become_markup(dana: Simulator, shop: Shop) -> None:
    evil = "\"'><script>alert(1)</script>{title}"
    body = shop.order("INV-1", merchantId="M-TEST")
    body["additionalInfo"]["order"]["orderTitle"] = evil
    url = answered(shop.call("create", body), "2005400")["webRedirectUrl"]
    shop.call("query", shop.query("<script>alert(2)</script>"))

    pages = [requests.get(url, timeout=5).text, requests.get(dana.base_url, timeout=5).text]

    for page in pages:
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page


def test_overview__nothing_that_comes_in_can_become_markup(dana: Simulator, shop: Shop, listener: Listener) -> None:
    evil = "\"'><script>alert(1)</script>"
    listener.answers = [lambda: "200" + evil]
    body = shop.order("INV-1")
    body["urlParams"][1]["url"] += "/\"'><script>alert(1)</script>"
    answered(shop.call("create", body, {"X-Extra": evil, "X-EXTERNAL-ID": evil[:36]}), "2005400")
    shop.call("query", b'{"originalPartnerReferenceNo":"\'><script>alert(1)</script>"', {"X-SIGNATURE": evil})
    dana.order("INV-1").pay()
    assert dana.wait_for_notifications()

    text = requests.get(dana.base_url, timeout=5).text

    assert text.count("<script") == 1
    assert text.count("&lt;script&gt;alert") >= 5


def test_overview__a_reference_that_is_no_text(dana: Simulator, shop: Shop) -> None:
    dana.faults.add("create:delay:0.5:seconds=0")
    answered(shop.call("create", b'{"partnerReferenceNo":"\\ud800"}'), "4005400")

    assert requests.get(dana.base_url, timeout=5).status_code == 200
    assert requests.get(f"{dana.base_url}/simulator/snapshot", timeout=5).status_code == 200


def test_pay__back_to_the_shop(dana: Simulator, shop: Shop, listener: Listener) -> None:
    created = shop.create("INV-1")

    reply = press(created["webRedirectUrl"], "pay", "VIRTUAL_ACCOUNT_CIMB")

    assert reply.status_code == 303
    where = urlsplit(reply.headers["Location"])
    assert (where.netloc, where.path) == ("shop.example", "/dana/return")
    assert parse_qs(where.query) == {
        "cart": ["1"],
        "originalReferenceNo": [created["referenceNo"]],
        "originalPartnerReferenceNo": ["INV-1"],
        "merchantId": ["M-TEST"],
        "status": ["SUCCESS"],
    }
    assert dana.wait_for_notifications()
    (heard,) = listener.heard
    (option,) = heard.content["additionalInfo"]["paymentInfo"]["payOptionInfos"]
    assert option["payOption"] == "VIRTUAL_ACCOUNT_CIMB"


def test_pay_twice__money_once_told_twice(dana: Simulator, shop: Shop, listener: Listener) -> None:
    url = shop.create("INV-1")["webRedirectUrl"]

    assert press(url, "pay_twice").status_code == 303
    assert press(url, "pay").status_code == 200  # it is paid already

    assert dana.wait_for_notifications()
    assert len(listener.heard) == 2
    assert dana.order("INV-1").order.payments == 1


def test_expire(dana: Simulator, shop: Shop, listener: Listener) -> None:
    url = shop.create("INV-1")["webRedirectUrl"]

    reply = press(url, "expire")

    assert "It has expired" in reply.text
    assert dana.wait_for_notifications()
    assert listener.heard[0].content["latestTransactionStatus"] == "05"
    assert "It has expired" in requests.get(url, timeout=5).text


def test_close_the_window(dana: Simulator, shop: Shop, listener: Listener) -> None:
    url = shop.create("INV-1")["webRedirectUrl"]

    assert "You closed the window" in press(url, "close").text

    assert dana.order("INV-1").state == "INIT"
    assert listener.heard == []


def test_cancelled_order__can_not_be_paid(dana: Simulator, shop: Shop) -> None:
    url = shop.create("INV-1")["webRedirectUrl"]
    answered(shop.call("cancel", shop.cancel("INV-1")), "2005700")

    assert "The shop has cancelled it" in press(url, "pay").text
    assert dana.order("INV-1").state == "CANCELLED"


@pytest.mark.parametrize("change", [("sign=", "sign=1"), ("bizNo=", "bizNo=1")])
def test_address_that_was_not_given_out(shop: Shop, change: tuple[str, str]) -> None:
    url = shop.create("INV-1")["webRedirectUrl"]

    assert requests.get(url.replace(*change), timeout=5).status_code == 404


def test_return_url_that_is_no_web_page__is_no_link(shop: Shop) -> None:
    shop.return_url = "javascript://shop/%0aalert(1)"
    url = shop.create("INV-1")["webRedirectUrl"]

    reply = press(url, "pay")

    assert reply.status_code == 200
    assert "javascript" not in reply.text


def test_return_url_with_other_letters(shop: Shop) -> None:
    shop.return_url = "https://toko.example/terima-kasih/☕?nama=a%20b"
    url = shop.create("INV-1")["webRedirectUrl"]

    location = press(url, "pay").headers["Location"]

    assert location.startswith("https://toko.example/terima-kasih/%E2%98%95?nama=a%20b&originalReferenceNo=")


def test_disabled_methods_are_not_offered(shop: Shop) -> None:
    url = shop.create("INV-1", disabledPayMethods="VIRTUAL_ACCOUNT", externalStoreId="S")["webRedirectUrl"]

    text = requests.get(url, timeout=5).text

    assert "virtual account" not in text
    assert "QRIS" in text


def test_qris__a_code_that_a_camera_reads(dana: Simulator, shop: Shop) -> None:
    body = shop.api_order("INV-1", "NETWORK_PAY", "NETWORK_PAY_PG_QRIS")
    body["externalStoreId"] = "STORE-1"
    code = answered(shop.call("create", body), "2005400")["additionalInfo"]["paymentCode"]

    reply = requests.get(f"{dana.base_url}/n/cashier/code", params={"paymentCode": code}, timeout=5)

    assert code.startswith("000201010212")
    assert "540815000.00" in code
    assert reply.text.count("<svg") == 2
    assert code in reply.text
    assert press(reply.url, "pay").status_code == 303
    assert dana.order("INV-1").state == "SUCCESS"


def test_virtual_account__page_by_its_number(dana: Simulator, shop: Shop) -> None:
    answer = answered(shop.call("create", shop.api_order("INV-1")), "2005400")
    number = answer["additionalInfo"]["paymentCode"]

    reply = requests.get(f"{dana.base_url}/n/cashier/code", params={"paymentCode": number}, timeout=5)

    assert number in reply.text
    assert shop.pay_virtual_account(number)["responseCode"] == "2002500"
    assert shop.pay_virtual_account(number)["responseCode"] == "4042514"
    assert shop.pay_virtual_account("123")["responseCode"] == "4042512"


def test_overview__shows_calls_and_what_the_shop_answered(dana: Simulator, shop: Shop, listener: Listener) -> None:
    listener.answers = ["5005601"]
    shop.create("INV-1")
    shop.call("query", shop.query("INV-1"), {"X-SIGNATURE": "bm9uc2Vuc2U="})
    dana.order("INV-1").pay()
    assert dana.wait_for_notifications()

    text = requests.get(dana.base_url, timeout=5).text

    for part in ("INV-1", "4015500", "X-SIGNATURE", "HTTP 500, 5005601", "2005600", dana.public_key):
        assert part in text
