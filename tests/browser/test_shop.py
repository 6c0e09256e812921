"""A buyer and a member of staff in a real browser, on the example shop with all its processes."""

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.conftest import SIMULATOR_PORT
from tests.browser.visits import SECONDS, Visit

pytestmark = pytest.mark.services


def pay_for(browser: webdriver.Chrome, buyer: Visit, shop: str) -> str:
    """Buy a coffee and pay for it; return the page of the purchase."""
    browser.set_window_size(420, 860)
    browser.get(shop)
    buyer.sees("Kopi Gayo")
    buyer.presses("form[action='/buy/gayo/'] button")
    buyer.sees("SIMULATOR")
    assert "/checkout" in browser.current_url
    buyer.presses("button[value=pay]")
    WebDriverWait(browser, SECONDS).until(lambda page: "/purchase/" in page.current_url)
    buyer.sees("Paid. Thank you!")
    return browser.current_url


def open_latest_order(browser: webdriver.Chrome, staff: Visit, shop: str) -> None:
    """Log in to the admin, and open the order that was made last."""
    browser.set_window_size(1200, 900)
    browser.get(f"{shop}/admin/django_dana/order/")
    staff.writes("#id_username", "staff")
    staff.writes("#id_password", "kopi")
    staff.presses("input[type=submit]")
    staff.sees("Kopi Gayo")
    staff.presses("#result_list tbody tr:first-child th a")
    staff.sees("has arrived")


def test_buy_pay_and_cancel(demo_shop: str, browser: webdriver.Chrome) -> None:
    buyer, staff = Visit(browser, "buyer"), Visit(browser, "staff")
    purchase_url = pay_for(browser, buyer, demo_shop)
    open_latest_order(browser, staff, demo_shop)
    staff.presses("a[href*='/give-back/']")
    staff.sees("The whole order is cancelled at DANA")
    staff.presses("input[value=all]")
    staff.writes("#id_reason", "stock ran out" + Keys.ENTER)
    staff.sees("How much goes back?")
    assert "/give-back/" in browser.current_url
    staff.presses("button.danger")
    staff.sees("stock ran out")
    staff.sees("went back to the buyer")

    browser.set_window_size(420, 860)
    browser.get(purchase_url)
    buyer.sees("Cancelled. Your money is on its way back.")


def test_a_part_then_the_rest_then_nothing_is_left(demo_shop: str, browser: webdriver.Chrome) -> None:
    buyer, staff = Visit(browser, "refund-buyer"), Visit(browser, "refund")
    pay_for(browser, buyer, demo_shop)
    open_latest_order(browser, staff, demo_shop)
    order_url = browser.current_url
    give_back_url = order_url.replace("/change/", "/give-back/")
    reference = browser.find_element(By.CSS_SELECTOR, ".dana h1").text.split()[0]

    staff.presses("a[href*='/give-back/']")
    staff.sees("which is a refund at DANA")
    staff.presses("input[value=part]")
    staff.writes("#id_amount", "999,999")
    staff.writes("#id_reason", "one bag was torn")
    staff.presses("button.danger")
    staff.sees("is left to refund")
    assert browser.find_element(By.CSS_SELECTOR, ".dana-field:has(#id_amount) .errorlist").is_displayed()
    browser.find_element(By.ID, "id_amount").clear()
    staff.writes("#id_amount", "20,000")
    staff.presses("button.danger")
    staff.sees("partly given back")
    staff.sees("Rp20,000.00 of it went back to the buyer")

    browser.get(give_back_url)
    staff.sees("Part of this order was refunded already, so the rest is refunded.")
    staff.presses("input[value=all]")
    staff.writes("#id_reason", "the other bag too")
    staff.presses("button.danger")
    staff.sees("The money was given back at DANA. There is nothing to do.")

    browser.get(give_back_url)
    staff.sees("Nothing can be given back now.")
    staff.sees("Already refunded.")
    assert not browser.find_elements(By.CSS_SELECTOR, ".dana button.danger")

    browser.get(f"http://127.0.0.1:{SIMULATOR_PORT}/")
    simulator = Visit(browser, "refund-simulator")
    simulator.sees("Refunds (2)")
    made = "//section[h2[starts-with(., 'Refunds')]]//tr[td[. = '{}']]/td[last()]"
    amounts = [cell.text for cell in browser.find_elements(By.XPATH, made.format(reference))]
    assert amounts == ["Rp 65.000", "Rp 20.000"]
    simulator.sees("refunded 85000.00")
