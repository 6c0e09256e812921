"""What one person sees and does in a browser. The screenshots of every step are kept in ``artifacts/``."""

import base64
import json
from importlib import resources
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.wait import WebDriverWait

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
SECONDS = 30


class Visit:
    """What one person sees and does."""

    def __init__(self, browser: webdriver.Chrome, name: str) -> None:
        self._browser = browser
        self._name = name
        self._pictures = 0
        ARTIFACTS.mkdir(exist_ok=True)

    def sees(self, text: str) -> None:
        """Wait for a text, and keep a picture of the page."""
        # a page that loads itself again while it is read is looked at once more
        wait = WebDriverWait(self._browser, SECONDS, ignored_exceptions=[WebDriverException])
        wait.until(expected.text_to_be_present_in_element((By.TAG_NAME, "body"), text))
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

    def picture(self, name: str) -> Path:
        """Keep a picture of the whole page, however long it is."""
        height = self._browser.execute_script("return document.documentElement.scrollHeight")
        width = self._browser.execute_script("return window.innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        options = {"captureBeyondViewport": True, "clip": clip}
        shot = self._browser.execute_cdp_cmd("Page.captureScreenshot", options)
        path = ARTIFACTS / f"{self._name}-{name}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
        return path


def be_a_phone(browser: webdriver.Chrome, *, width: int = 360, height: int = 740, is_phone: bool = True) -> None:
    """Show pages as on a phone, or on a screen of this size."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if is_phone else 1, "mobile": is_phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(browser: webdriver.Chrome, *, scheme: str) -> None:
    """Show pages ``light`` or ``dark``."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def complaints(browser: webdriver.Chrome, within: str | dict[str, Any] = "html") -> list[str]:
    """Return what axe-core finds serious or critical on the page, each with the place."""
    browser.execute_script((resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
    found: dict[str, Any] = browser.execute_async_script(
        "const done = arguments[arguments.length - 1]; axe.run(arguments[0]).then(done)", within
    )
    return [
        f"{rule['id']}: {json.dumps(node['target'])} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
