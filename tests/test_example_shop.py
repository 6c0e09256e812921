"""The example shop's own tests, run as its developers run them."""

import os
import subprocess
import sys
from pathlib import Path

MANAGE = Path(__file__).parents[1] / "example_project" / "manage.py"
APART = ("DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE")


def test_the_shop_passes_its_own_tests(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if name not in APART}
    done = subprocess.run(
        [sys.executable, str(MANAGE), "test", "store"],
        env={**clean, "SHOP_VAR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "\nOK\n" in done.stderr
