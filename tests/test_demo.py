"""The demo, where it can't begin. The whole of it is run by the browser test and by ``.ci/run``."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

MANAGE = Path(__file__).parents[1] / "example_project" / "manage.py"


@pytest.mark.parametrize("option", ["--port", "--simulator-port"])
def test_a_port_that_is_taken_is_a_plain_sentence_with_the_option(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, str(MANAGE), "demo", option, str(port)],
            env={**os.environ, "SHOP_VAR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "shop.settings"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.strip() == f"CommandError: Port {port} is taken. Choose another with {option}."
