"""The buyer's pages on a phone: each state, and all the way to paid by each method."""

import io
import re
import time
from collections.abc import Iterator
from typing import Any

import PIL.Image
import pytest
import requests
import zxingcpp
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from django_dana.models import Order
from django_dana.protocol.payment_methods import PayOption
from django_dana.testing import make_order
from tests.browser.conftest import SIMULATOR_PORT
from tests.browser.visits import SECONDS, Visit, be_a_phone, complaints, prefer

pytestmark = pytest.mark.services

QR_CONTENT = "00020101021226570011ID.DANA.WWW011893600915302259148102090225914810303UMI51440014ID.CO.QRIS.WWW"

VIRTUAL_ACCOUNT = {"pay_option_details": [PayOption.virtual_account("BCA")], "payment_code": "8528354983105293"}
QRIS = {"pay_option_details": [PayOption.qris()], "payment_code": QR_CONTENT}
OVO = {"pay_option_details": [PayOption.ewallet("OVO", phone_number="081234567890")]}
NO_PAGE = {"web_redirect_url": ""}

PAGES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "virtual-account": ("pay", "payable", {**VIRTUAL_ACCOUNT, **NO_PAGE}),
    "qris": ("pay", "payable", {**QRIS, **NO_PAGE}),
    "prompt": ("pay", "payable", {**OVO, **NO_PAGE}),
    **{
        state: ("return", state, {})
        for state in (
            *("preparing", "payable", "confirming", "paid", "in_review", "cancelling", "cancelled", "refunded"),
            *("expired", "refused", "start_again"),
        )
    },
}


@pytest.fixture
def phone(browser: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """A phone."""
    be_a_phone(browser)
    yield browser
    # pages that poll must not outlive the database of their test
    browser.get("about:blank")


def qr_codes(picture: bytes) -> list[str]:
    """Return what the QR codes in a picture say."""
    return [code.text for code in zxingcpp.read_barcodes(PIL.Image.open(io.BytesIO(picture)))]


def asked(browser: webdriver.Chrome) -> int:
    """Return how often the script of a page has looked for news."""
    script = "return performance.getEntriesByType('resource').filter(e => e.name.includes('poll=')).length"
    return int(browser.execute_script(script))


@pytest.mark.django_db(transaction=True)
def test_each_page_is_accessible_and_fits_a_phone(phone: webdriver.Chrome, live_server: Any, settings: Any) -> None:
    visit = Visit(phone, "page")
    found: list[str] = []
    for name, (page, state, fields) in PAGES.items():
        order = make_order(state, title="Kopi Gayo", return_url="/", **fields)
        for scheme in ("light", "dark"):
            prefer(phone, scheme=scheme)
            phone.get(f"{live_server.url}/dana/{page}/{order.public_id}/")
            visit.picture(f"{name}-{scheme}")
            found += [f"{name}, {scheme}: {complaint}" for complaint in complaints(phone)]
            width = phone.execute_script("return document.documentElement.scrollWidth")
            assert width <= 360, f"{name} is {width} pixels wide"
            log: list[dict[str, str]] = phone.get_log("browser")  # type: ignore[no-untyped-call]
            refused = [entry["message"] for entry in log if "Content Security Policy" in entry["message"]]
            assert refused == []
    assert found == []


@pytest.mark.django_db(transaction=True)
def test_the_page_changes_by_itself_and_rests_while_hidden(phone: webdriver.Chrome, live_server: Any) -> None:
    order = make_order("payable", **VIRTUAL_ACCOUNT, **NO_PAGE)
    phone.get(f"{live_server.url}/dana/pay/{order.public_id}/")
    WebDriverWait(phone, SECONDS).until(asked)
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    event = "document.dispatchEvent(new Event('visibilitychange'))"
    phone.execute_script(hide % "true" + event)
    time.sleep(0.5)
    before = asked(phone)
    time.sleep(4)
    assert asked(phone) == before
    Order.objects.update(payment_status="paid")
    phone.execute_script(hide % "false" + event)
    Visit(phone, "by-itself").sees("Your payment has arrived")


@pytest.mark.django_db(transaction=True)
def test_without_a_script_the_page_loads_itself_again(phone: webdriver.Chrome, live_server: Any) -> None:
    phone.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    order = make_order("preparing")
    phone.get(f"{live_server.url}/dana/pay/{order.public_id}/")
    Order.objects.update(payment_status="paid", create_status="success")
    Visit(phone, "without-script").sees("Your payment has arrived")


@pytest.mark.django_db(transaction=True)
def test_the_number_is_copied_without_its_gaps_and_the_time_runs(phone: webdriver.Chrome, live_server: Any) -> None:
    allowed = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": live_server.url}
    phone.execute_cdp_cmd("Browser.grantPermissions", allowed)
    order = make_order("payable", **VIRTUAL_ACCOUNT, **NO_PAGE)
    phone.get(f"{live_server.url}/dana/pay/{order.public_id}/")
    visit = Visit(phone, "copy")
    visit.presses(".copy")
    visit.sees("Copied")
    read = "const done = arguments[0]; navigator.clipboard.readText().then(done, (e) => done(String(e)))"
    assert phone.execute_async_script(read) == "8528354983105293"
    left = phone.find_element(By.CSS_SELECTOR, "[data-seconds-left]").text
    assert re.fullmatch(r"29:\d\d|30:00", left)


@pytest.mark.django_db(transaction=True)
def test_the_qr_code_says_what_dana_sent(phone: webdriver.Chrome, live_server: Any) -> None:
    order = make_order("payable", **QRIS, **NO_PAGE)
    phone.get(f"{live_server.url}/dana/pay/{order.public_id}/")
    assert qr_codes(Visit(phone, "qr").picture("page").read_bytes()) == [QR_CONTENT]
    link = phone.find_element(By.LINK_TEXT, "Save the QR code").get_attribute("href")
    assert qr_codes(requests.get(str(link), timeout=10).content) == [QR_CONTENT]


# -- all the way in the example shop --------------------------------------------------------------------------------


def pay_at_dana(browser: webdriver.Chrome) -> None:
    """Pay the order of the page elsewhere, as with another phone or at a bank."""
    reference = browser.find_element(By.CSS_SELECTOR, ".reference").text
    url = f"http://127.0.0.1:{SIMULATOR_PORT}/simulator/orders/pay"
    assert requests.post(url, json={"reference": reference}, timeout=10).ok


def choose(visit: Visit, browser: webdriver.Chrome, shop: str) -> None:
    """Go to the page where a buyer chooses how to pay."""
    browser.get(shop)
    visit.sees("Kopi Gayo")
    visit.presses("form[action='/buy/gayo/'] button[value=choose]")
    visit.sees("Pay by QRIS")
    assert complaints(browser) == []


def test_danas_own_page(demo_shop: str, phone: webdriver.Chrome) -> None:
    visit = Visit(phone, "phone-hosted")
    phone.get(demo_shop)
    assert complaints(phone) == []
    visit.presses("form[action='/buy/gayo/'] button:not([value])")
    visit.sees("SIMULATOR")
    visit.presses("button[value=pay]")
    WebDriverWait(phone, SECONDS).until(lambda page: "/purchase/" in page.current_url)
    visit.sees("Paid. Thank you!")
    assert complaints(phone) == []


def test_a_virtual_account(demo_shop: str, phone: webdriver.Chrome) -> None:
    visit = Visit(phone, "phone-account")
    choose(visit, phone, demo_shop)
    visit.presses("button[value=bank]")
    visit.sees("Virtual account number at BCA")
    assert complaints(phone) == []
    pay_at_dana(phone)
    visit.sees("Your payment has arrived")
    visit.presses("a.way.first")
    visit.sees("Paid. Thank you!")


def test_qris_after_the_first_way_was_given_up(demo_shop: str, phone: webdriver.Chrome) -> None:
    visit = Visit(phone, "phone-qris")
    choose(visit, phone, demo_shop)
    visit.presses("button[value=bank]")
    visit.sees("Virtual account number at BCA")
    visit.presses("a.way:not(.first)")
    visit.sees("Pay another way")
    visit.presses("form[action$='/another-way/'] button")
    visit.sees("Pay by QRIS")
    visit.presses("button[value=qris]")
    visit.sees("Scan this code")
    [content] = qr_codes(visit.picture("code").read_bytes())
    assert content.startswith("000201")
    pay_at_dana(phone)
    visit.sees("Your payment has arrived")
    visit.presses("a.way.first")
    visit.sees("Paid. Thank you!")
