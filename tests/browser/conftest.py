"""Chromium, and the example shop with all its processes."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.conftest import missing

ROOT = Path(__file__).parents[2]
PORT, SIMULATOR_PORT = 8125, 8925
SHOP_URL = f"http://127.0.0.1:{PORT}"

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


@pytest.fixture(scope="session")
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
