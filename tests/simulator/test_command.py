"""``manage.py dana_simulator``."""

import os
import re
import signal
import socket
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command

from django_dana.simulator import keys as simulator_keys
from tests import keys
from tests.factories import account_with
from tests.simulator.shop import Listener, Shop, until

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_it_is_interrupted(tmp_path: Path, listener: Listener, number: signal.Signals) -> None:
    key_file = tmp_path / "dana.pem"
    key_file.write_text(keys.DANA_PRIVATE_KEY)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "django", "dana_simulator", "--port", str(port), "--fault", "query:empty"]
    command += ["--private-key-file", str(key_file), "--notify-delay", "0", "0.05"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(4)]
            shop = Shop(f"http://127.0.0.1:{port}", "216620000000000000001", "2024010100000000000001")
            shop.notification_url = f"{listener.url}/notify"
            with shop.session:
                shop.create("INV-1")
                body = {"reference": "INV-1"}
                requests.post(f"{shop.base_url}/simulator/orders/pay", json=body, timeout=5).raise_for_status()
            until(lambda: listener.heard)
            process.send_signal(number)
            rest = process.stdout.read()
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
    text = "".join(lines) + rest
    assert f"http://127.0.0.1:{port}/" in lines[0]
    assert keys.DANA_PUBLIC_KEY in lines[1]
    assert "serves default: merchant 216620000000000000001" in lines[2]
    assert "BASE_URL" in lines[3]
    assert "The simulator has stopped." in text
    assert "notifications: its DANA_PUBLIC_KEY" not in text
    assert listener.heard[0].is_signed_by(keys.DANA_PUBLIC_KEY)


def test_no_sandbox_account(settings: Any) -> None:
    settings.DANA = account_with(ENVIRONMENT="production")

    with pytest.raises(CommandError, match="sandbox accounts only"):
        call_command("dana_simulator", port=0)


def test_unreadable_key(settings: Any) -> None:
    settings.DANA = account_with(PRIVATE_KEY="nonsense")

    with pytest.raises(CommandError, match="private key of the account 'default'") as caught:
        call_command("dana_simulator", port=0)
    assert "nonsense" not in str(caught.value)


def test_port_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        with pytest.raises(CommandError, match="--port"):
            call_command("dana_simulator", port=other.getsockname()[1])


def test_fault_that_is_none() -> None:
    with pytest.raises(CommandError, match="explode"):
        call_command("dana_simulator", port=0, fault=["create:explode"])


@pytest.mark.parametrize(
    ("name", "reason"), [("missing/dana.pem", "No such file or directory"), ("shopping.txt", "neither PEM nor base64")]
)
def test_key_file_that_is_none(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "shopping.txt").write_text("milk, eggs")

    with pytest.raises(CommandError, match=f"key file .*{name} can't be used: {reason}"):
        call_command("dana_simulator", port=0, private_key_file=tmp_path / name)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0], ids=["nan", "inf", "negative"])
def test_delay_that_is_none(seconds: float) -> None:
    with pytest.raises(CommandError, match="notify_delays can't be"):
        call_command("dana_simulator", port=0, notify_delay=[seconds])


@pytest.fixture
def ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command end as soon as it has begun to serve."""
    monkeypatch.setattr("django_dana.management.commands.dana_simulator._wait_for_signal", lambda: None)


@pytest.mark.usefixtures("ends_at_once")
def test_another_key_than_the_shop_knows(tmp_path: Path) -> None:
    out = StringIO()
    key_file = tmp_path / "new.pem"
    key_file.write_text(keys.STRANGER_PRIVATE_KEY)

    call_command("dana_simulator", port=0, private_key_file=key_file, stdout=out)

    assert "it will refuse these notifications" in out.getvalue()
    assert simulator_keys.load_or_create(key_file)


@pytest.mark.usefixtures("ends_at_once")
def test_several_accounts__production_is_not_served(settings: Any) -> None:
    sandbox = settings.DANA["default"]
    settings.DANA = {
        "default": {**sandbox, "ENVIRONMENT": "production", "MERCHANT_ID": "REAL"},
        "one": {**sandbox, "MERCHANT_ID": "M-ONE", "PARTNER_ID": "P-ONE"},
        "two": {**sandbox, "MERCHANT_ID": "M-TWO", "PARTNER_ID": "P-TWO", "PRIVATE_KEY": keys.STRANGER_PRIVATE_KEY},
    }
    out = StringIO()

    call_command("dana_simulator", port=0, stdout=out)

    assert "serves one: merchant M-ONE, partner P-ONE" in out.getvalue()
    assert "serves two: merchant M-TWO, partner P-TWO" in out.getvalue()
    assert "REAL" not in out.getvalue()


@pytest.mark.usefixtures("ends_at_once")
def test_beyond_this_machine__warns_and_gives_a_token() -> None:
    out = StringIO()

    call_command("dana_simulator", host="0.0.0.0", port=0, control_token="a b", stdout=out)  # noqa: S104

    assert "It can be reached from beyond this machine" in out.getvalue()
    assert "/?token=a+b" in out.getvalue()
    assert "Authorization: Bearer a b" in out.getvalue()


@pytest.mark.usefixtures("ends_at_once")
def test_on_this_machine__no_warning_no_token_but_a_seed() -> None:
    out = StringIO()

    call_command("dana_simulator", port=0, stdout=out)
    call_command("dana_simulator", port=0, seed=7, stdout=out)

    assert "beyond this machine" not in out.getvalue()
    assert "token" not in out.getvalue()
    first, second = re.findall(r"--seed (\d+)", out.getvalue())
    assert first != second == "7"
