"""A buyer and a member of staff in a real browser, on the example shop with all its processes."""

import pytest
from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.visits import SECONDS, Visit

pytestmark = pytest.mark.services


def test_buy_pay_and_cancel(demo_shop: str, browser: webdriver.Chrome) -> None:
    buyer = Visit(browser, "buyer")
    browser.get(demo_shop)
    buyer.sees("Kopi Gayo")
    buyer.presses("form[action='/buy/gayo/'] button")
    buyer.sees("SIMULATOR")
    assert "/checkout" in browser.current_url
    buyer.presses("button[value=pay]")
    WebDriverWait(browser, SECONDS).until(lambda page: "/purchase/" in page.current_url)
    buyer.sees("Paid. Thank you!")
    purchase_url = browser.current_url

    browser.set_window_size(1200, 900)
    staff = Visit(browser, "staff")
    browser.get(f"{demo_shop}/admin/django_dana/order/")
    staff.writes("#id_username", "staff")
    staff.writes("#id_password", "kopi")
    staff.presses("input[type=submit]")
    staff.sees("Kopi Gayo")
    staff.presses("#result_list tbody tr:first-child th a")
    staff.sees("Paid")
    staff.presses("a[href*='/give-back/']")
    staff.sees("goes back to the buyer")
    staff.writes("#id_reason", "stock ran out")
    staff.presses("button.danger")
    staff.sees("stock ran out")
    staff.sees("went back to the buyer")

    browser.set_window_size(420, 860)
    browser.get(purchase_url)
    buyer.sees("Cancelled. Your money is on its way back.")
