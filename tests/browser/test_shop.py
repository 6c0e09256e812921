"""A buyer and a member of staff in a real browser, on the example shop with all its processes.

The screenshots of every step are kept in ``artifacts/``.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.wait import WebDriverWait

from tests.conftest import missing

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "artifacts"
PORT, SIMULATOR_PORT = 8125, 8925
SHOP_URL = f"http://127.0.0.1:{PORT}"
SECONDS = 30

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=420,860",
)


@pytest.fixture(scope="module")
def demo_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo, which goes on serving after its own story."""
    var = tmp_path_factory.mktemp("var")
    log = var / "demo.log"
    clean = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "CELERY_BROKER_URL")}
    with log.open("wb") as output:
        demo = subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "example_project" / "manage.py"),
                "demo",
                f"--port={PORT}",
                f"--simulator-port={SIMULATOR_PORT}",
            ],
            env={**clean, "SHOP_VAR": str(var), "DJANGO_SETTINGS_MODULE": "shop.settings"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 120
        while not _is_serving(demo, log):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield SHOP_URL
    finally:
        demo.terminate()
        assert demo.wait(30) == 0, log.read_text()


def _is_serving(demo: subprocess.Popen[bytes], log: Path) -> bool:
    assert demo.poll() is None, log.read_text()
    return "Ctrl-C ends everything" in log.read_text()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Chromium."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        missing("Chromium with its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


class Visit:
    """What one person sees and does."""

    def __init__(self, browser: webdriver.Chrome, name: str) -> None:
        self._browser = browser
        self._name = name
        self._pictures = 0
        ARTIFACTS.mkdir(exist_ok=True)

    def sees(self, text: str) -> None:
        """Wait for a text, and keep a picture of the page."""
        WebDriverWait(self._browser, SECONDS).until(expected.text_to_be_present_in_element((By.TAG_NAME, "body"), text))
        self._pictures += 1
        self._browser.save_screenshot(str(ARTIFACTS / f"{self._name}-{self._pictures:02}.png"))

    def presses(self, selector: str) -> None:
        """Press what a CSS selector finds."""
        self._find(selector).click()

    def writes(self, selector: str, text: str) -> None:
        """Fill in a field."""
        self._find(selector).send_keys(text)

    def _find(self, selector: str) -> webdriver.remote.webelement.WebElement:
        return WebDriverWait(self._browser, SECONDS).until(
            expected.element_to_be_clickable((By.CSS_SELECTOR, selector))
        )


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
