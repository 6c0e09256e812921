"""Everything that can be wrong in the setting is told by a system check, in a message without secrets."""

import base64
import io
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import celery._state
import pytest
from celery import Celery
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.core.checks import CheckMessage, Tags
from django.core.checks.registry import registry
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError
from django.test import override_settings
from django.urls import include, path
from django.views.debug import ExceptionReporter
from hypothesis import given
from hypothesis import strategies as st

from django_dana.checks import Finding, check_celery, check_setting, check_vault
from django_dana.checks import options as rules
from django_dana.conf import SANDBOX_PUBLIC_KEY
from django_dana.conf.options import NAMES, PLAIN
from django_dana.exceptions import InvalidKey
from django_dana.webhook.views import NotificationView
from tests.celery import app as celery_app
from tests.factories import clean_account_with, clean_account_without
from tests.keys import DANA_PUBLIC_KEY, SHOP_PRIVATE_KEY, SHOP_PUBLIC_KEY, STRANGER_PRIVATE_KEY, STRANGER_PUBLIC_KEY

DOCS = Path(__file__).parent.parent / "docs" / "checks.rst"

Found = Callable[..., list[str]]


def ids(messages: list[CheckMessage]) -> list[str]:
    """Return the ids without their prefix."""
    return [str(message.id).removeprefix("django_dana.") for message in messages]


@pytest.fixture
def found(settings: Any) -> Found:
    """Run the check over the default account with some options changed."""

    def run(**options: Any) -> list[str]:
        settings.DANA = clean_account_with(**options)
        return ids(check_setting())

    return run


@pytest.fixture
def in_production(found: Found) -> Found:
    """The same for a production account in which all else is well."""

    def run(**options: Any) -> list[str]:
        return found(**{"ENVIRONMENT": "production", **options})

    return run


def der(key: Any) -> str:
    """Return the public half of a key as base64."""
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(public).decode()


# -- all is well ----------------------------------------------------------------------------------------------------


def test_nothing_wrong_in_sandbox(found: Found) -> None:
    assert found() == []
    assert check_vault() == []


def test_nothing_wrong_in_production(in_production: Found) -> None:
    assert in_production() == []
    assert check_vault() == []


def test_nothing_wrong_with_every_option_given(found: Found) -> None:
    assert found(**{name: option.default for name, option in PLAIN.items() if not option.is_required}) == []
    more = {
        "BASE_URL": "http://127.0.0.1:8900/",
        "ORIGIN": "https://shop.example",
        "RETURN_URL": "https://shop.example/thanks",
        "RETURN_SCHEMES": ["shopapp", "id.example.shop"],
        "SUB_MERCHANT_ID": "division-1",
        "EXTERNAL_STORE_ID": "Kopi Gayo Sabang",
        "PROXY": "http://user:word@proxy.example:3128",
        "ATTEMPT_DELAYS": (0.5, 1),
        "MERCHANT_ID": lambda: "216620000000000000001",
    }
    assert found(**more) == []


# -- the setting as a whole -----------------------------------------------------------------------------------------


def test_no_setting(settings: Any) -> None:
    del settings.DANA
    assert ids(check_setting()) == ["E001"]


@pytest.mark.parametrize("value", [None, [], 5, b"x"])
def test_setting_not_a_dict(settings: Any, value: object) -> None:
    settings.DANA = value
    assert ids(check_setting()) == ["E002"]


def give_nothing() -> None:
    """A function for the setting that returns no accounts."""


def test_function_of_setting_returns_no_dict(settings: Any) -> None:
    settings.DANA = "tests.test_checks.give_nothing"
    assert ids(check_setting()) == ["E002"]


@pytest.mark.parametrize("value", ["", "nowhere", "tests.nowhere.accounts", "tests.test_checks.nothing", "tests.keys"])
def test_path_cannot_be_imported(settings: Any, value: str) -> None:
    settings.DANA = value
    assert ids(check_setting()) == ["E003"]


def give_accounts() -> dict[str, Any]:
    """A function for the setting."""
    return clean_account_with()


def test_path_of_function(settings: Any) -> None:
    settings.DANA = "tests.test_checks.give_accounts"
    assert ids(check_setting()) == []


def test_no_default_account(settings: Any) -> None:
    settings.DANA = {"shop": settings.DANA["default"]}
    assert ids(check_setting()) == ["E004"]


@pytest.mark.parametrize("alias", [5, "", "x" * 101, None])
def test_bad_alias(settings: Any, alias: object) -> None:
    settings.DANA = {**clean_account_with(), alias: {}}
    assert ids(check_setting()) == ["E005"]


@pytest.mark.parametrize("options", [None, [], "sandbox", 5])
def test_account_not_a_dict(settings: Any, options: object) -> None:
    settings.DANA = {"default": options}
    assert ids(check_setting()) == ["E006"]


def test_unknown_option(found: Found) -> None:
    assert found(TIMEOUTS=3) == ["E007"]
    [message] = check_setting()
    assert message.msg == 'DANA["default"]["TIMEOUTS"] is not an option (did you mean TIMEOUT?).'


@pytest.mark.parametrize("name", [5, None, ("a", "b"), SHOP_PRIVATE_KEY])
def test_unknown_option_without_a_likely_name(settings: Any, name: Any) -> None:
    settings.DANA = {"default": {**settings.DANA["default"], name: "x"}}
    [message] = check_setting()
    assert message.msg == 'DANA["default"]["..."] is not an option.'


@pytest.mark.parametrize("name", ["ENVIRONMENT", "MERCHANT_ID", "PARTNER_ID", "NOTIFICATION_URL", "MCC"])
def test_missing_option(settings: Any, found: Found, name: str) -> None:
    settings.DANA = clean_account_without(name)
    assert ids(check_setting()) == ["E008"]
    assert found(**{name: None}) == ["E008"]
    assert found(**{name: ""}) == ["E008"]
    [message] = check_setting()
    assert f'DANA["default"]["{name}"]' in message.msg


def test_emptied_channel_id(found: Found) -> None:
    assert found(CHANNEL_ID="") == ["E008"]
    assert found(TIMEOUT=None) == ["E008"]


def bad_key() -> str:
    raise InvalidKey("s3cr3t")


def test_function_of_option_raises(settings: Any, found: Found) -> None:
    assert found(MERCHANT_ID=lambda: 1 / 0) == ["E009"]
    assert found(MERCHANT_ID=bad_key) == ["E009"]
    settings.DANA = "tests.test_checks.bad_key"
    assert ids(check_setting()) == ["E003"]


# -- single options -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["Sandbox", "test", True, 1, [], {}])
def test_neither_sandbox_nor_production(found: Found, value: object) -> None:
    assert found(ENVIRONMENT=value) == ["E010"]


@pytest.mark.parametrize("name", ["MERCHANT_ID", "PARTNER_ID", "MCC", "CHANNEL_ID", "ORIGIN", "SHOP_NAME"])
@pytest.mark.parametrize("value", [5732, b"5732", ["5732"]])
def test_not_text(found: Found, name: str, value: object) -> None:
    assert found(**{name: value}) == ["E011"]


@pytest.mark.parametrize("name", ["NOTIFICATION_URL", "RETURN_URL", "BASE_URL", "PROXY"])
def test_address_not_text(found: Found, name: str) -> None:
    assert found(**{name: 5}) == ["E011"]


@pytest.mark.parametrize(
    "value", ["216620\n", " 216620", "216620 ", "2166\x0020", "21\x7f", "21\r\nX-Evil: 1", "\ud800"]
)
@pytest.mark.parametrize("name", ["MERCHANT_ID", "PARTNER_ID", "CHANNEL_ID", "ORIGIN", "MCC", "EXTERNAL_STORE_ID"])
def test_whitespace_around_or_control_character(found: Found, name: str, value: str) -> None:
    assert found(**{name: value}) == ["E012"]


def test_not_ascii_in_header(found: Found) -> None:
    for name in ("PARTNER_ID", "CHANNEL_ID", "ORIGIN"):
        assert found(**{name: "toko-é"}) == ["E013"]


@pytest.mark.parametrize(
    ("name", "longest"),
    [("MERCHANT_ID", 64), ("PARTNER_ID", 36), ("SUB_MERCHANT_ID", 32), ("EXTERNAL_STORE_ID", 64), ("MCC", 64)],
)
def test_too_long(found: Found, name: str, longest: int) -> None:
    assert found(**{name: "1" * longest}) == []
    assert found(**{name: "1" * (longest + 1)}) == ["E014"]
    [message] = check_setting()
    assert f"more than the {longest} characters" in message.msg


def test_address_too_long(found: Found) -> None:
    long = "https://shop.example/".ljust(513, "x")
    assert found(NOTIFICATION_URL=long) == ["E014"]
    assert found(RETURN_URL=long) == ["E014"]
    assert found(RETURN_URL=long[:512]) == []


@pytest.mark.parametrize("name", ["NOTIFICATION_URL", "RETURN_URL", "BASE_URL", "PROXY"])
@pytest.mark.parametrize(
    "value",
    [
        *("shop.example", "/dana/notify", "//shop.example/", "ftp://shop.example", "https://", "https:///notify"),
        *("https://[::1", "https://shop.example:port/", "https://shop.example:99999/", "https://sh op.example/"),
    ],
)
def test_not_an_address(found: Found, name: str, value: str) -> None:
    assert found(**{name: value}) == ["E015"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], ["E008"]),
        ([""], ["E015"]),
        ([5], ["E011"]),
        ({"https://shop.example/dana/v1.0/debit/notify"}, ["E011"]),
        (["https://shop.example/dana/v1.0/debit/notify", "shop.example"], ["E015"]),
        (["https://shop.example/dana/v1.0/debit/notify", "https://shop.example/elsewhere"], ["W006"]),
        (["https://shop.example/dana/v1.0/debit/notify", "https://shop.example/dana/v1.0/debit/notify#a"], ["W005"]),
        (["https://shop.example/dana/v1.0/debit/notify", "https://old.example/dana/v1.0/debit/notify/"], []),
    ],
)
def test_several_notification_urls(found: Found, value: object, expected: list[str]) -> None:
    assert found(NOTIFICATION_URL=value) == expected


@pytest.mark.parametrize("rest", ["/path", "/?q=1", "#part"])
def test_base_url_with_more_than_host(found: Found, rest: str) -> None:
    assert found(BASE_URL=f"https://api.sandbox.dana.id{rest}") == ["E016"]
    assert found(BASE_URL="https://me:word@api.sandbox.dana.id") == ["E016"]


def test_not_https_in_production(in_production: Found) -> None:
    assert in_production(NOTIFICATION_URL="http://shop.example/dana/v1.0/debit/notify") == ["E017"]
    assert in_production(BASE_URL="http://api.saas.dana.id") == ["E017"]
    both = [f"{scheme}://shop.example/dana/v1.0/debit/notify" for scheme in ("https", "http")]
    assert in_production(NOTIFICATION_URL=both) == ["E017"]


def test_return_url_in_the_open_in_production(in_production: Found, found: Found) -> None:
    assert in_production(RETURN_URL="http://shop.example/thanks") == ["W017"]
    assert in_production(RETURN_URL="https://shop.example/thanks") == []
    assert found(RETURN_URL="http://shop.example/thanks") == []


@pytest.mark.parametrize("value", [0, -1, 60.1, float("nan"), float("inf"), "8", True, Decimal(8), []])
def test_bad_timeout(found: Found, value: object) -> None:
    assert found(TIMEOUT=value) == ["E018"]


@pytest.mark.parametrize("value", [0, -3, 2.0, "3", True])
def test_bad_max_attempts(found: Found, value: object) -> None:
    assert found(MAX_ATTEMPTS=value) == ["E019"]


@pytest.mark.parametrize("name", ["ATTEMPT_DELAYS", "PENDING_DELAYS"])
@pytest.mark.parametrize("value", [[], 5, "2,5", [0], [1, -1], ["2"], [True], [float("nan")], [604_801], {2, 5}])
def test_bad_delays(found: Found, name: str, value: object) -> None:
    assert found(**{name: value}) == ["E020"]


@pytest.mark.parametrize(
    "value",
    ["shopapp", 5, {"shopapp"}, ["shopapp://"], ["ShopApp"], ["7app"], [""], [5], ["shopapp", "javascript"], ["https"]],
    ids=str,
)
def test_bad_schemes_of_apps(found: Found, value: object) -> None:
    assert found(RETURN_SCHEMES=value) == ["E035"]


def test_shrinking_pending_delays(found: Found) -> None:
    assert found(PENDING_DELAYS=[30, 30, 60]) == []
    assert found(PENDING_DELAYS=[60, 30]) == ["E021"]
    assert found(ATTEMPT_DELAYS=[60, 30]) == []


@pytest.mark.parametrize("name", ["ORDER_LIFETIME", "CANCEL_GIVE_UP_AFTER", "RETENTION"])
@pytest.mark.parametrize("value", [timedelta(0), timedelta(minutes=-1), timedelta.max, 1800, "30m"])
def test_bad_span(found: Found, name: str, value: object) -> None:
    assert found(**{name: value}) == ["E022"]


def test_retention(found: Found) -> None:
    assert found(RETENTION=timedelta(days=3_660)) == []
    assert found(RETENTION=timedelta(days=3_661)) == ["E022"]
    assert "at most 3660 days" in check_setting()[0].msg


@pytest.mark.parametrize("name", ["RETRY_FAILED", "DEBUG_MODE"])
@pytest.mark.parametrize("value", ["False", 0, 1])
def test_not_a_bool(found: Found, name: str, value: object) -> None:
    assert found(**{name: value}) == ["E023"]


@pytest.mark.parametrize("value", ["web", "MOBILE", 1, []])
def test_bad_terminal_type(found: Found, value: object) -> None:
    assert found(TERMINAL_TYPE=value) == ["E024"]


def test_debug_mode_in_production(in_production: Found, found: Found) -> None:
    assert in_production(DEBUG_MODE=True) == ["E025"]
    assert found(DEBUG_MODE=True) == []


def test_more_attempts_than_dana_says(found: Found) -> None:
    assert found(MAX_ATTEMPTS=3) == []
    assert found(MAX_ATTEMPTS=4) == ["W001"]


def test_orders_live_longer_than_dana_takes(found: Found, in_production: Found) -> None:
    assert found(ORDER_LIFETIME=timedelta(minutes=31)) == ["W002"]
    assert in_production(ORDER_LIFETIME=timedelta(days=7)) == []
    assert in_production(ORDER_LIFETIME=timedelta(days=8)) == ["W002"]


def test_long_channel_id(found: Found) -> None:
    assert found(CHANNEL_ID="2024010100000000000001-SERVER") == ["W003"]


# -- keys -----------------------------------------------------------------------------------------------------------


def test_no_private_key(settings: Any, found: Found) -> None:
    settings.DANA = clean_account_without("PRIVATE_KEY")
    assert ids(check_setting()) == ["E026"]
    assert found(PRIVATE_KEY="") == ["E026"]


@pytest.fixture(scope="module")
def short_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505  that it is too short is the point


def private_text(key: Any) -> str:
    return base64.b64encode(
        key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    ).decode()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("secret", "neither PEM nor base64"),
        ("c2VjcmV0", "no RSA private key"),
        (SHOP_PUBLIC_KEY, "this is a public key"),
        (f"-----BEGIN PUBLIC KEY-----\n{SHOP_PUBLIC_KEY}\n-----END PUBLIC KEY-----", "this is a public key"),
        (5, "not text"),
        (SHOP_PRIVATE_KEY.encode(), "not text"),
        ([SHOP_PRIVATE_KEY, SHOP_PRIVATE_KEY], "2 keys are set"),
        (SHOP_PRIVATE_KEY[:-40], "no RSA private key"),
    ],
)
def test_unusable_private_key(found: Found, value: object, reason: str) -> None:
    assert found(PRIVATE_KEY=value) == ["E027"]
    [message] = check_setting()
    assert reason in message.msg


def test_short_private_key(found: Found, short_key: rsa.RSAPrivateKey) -> None:
    assert found(PRIVATE_KEY=private_text(short_key)) == ["E027"]
    assert "1024 bits" in check_setting()[0].msg


def test_private_key_of_another_kind(found: Found) -> None:
    assert found(PRIVATE_KEY=private_text(ec.generate_private_key(ec.SECP256R1()))) == ["E027"]
    assert "not an RSA key" in check_setting()[0].msg


def test_no_file_with_private_key(found: Found, tmp_path: Path) -> None:
    for value in (tmp_path / "none.pem", str(tmp_path), 5, "\0"):
        assert found(PRIVATE_KEY_PATH=value) == ["E027"]
    assert 'DANA["default"]["PRIVATE_KEY_PATH"]' in check_setting()[0].msg


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("secret", "neither PEM nor base64"),
        ("c2VjcmV0", "no RSA public key"),
        (SHOP_PRIVATE_KEY, "this is a private key"),
        ([DANA_PUBLIC_KEY, 5], "not text"),
        ([DANA_PUBLIC_KEY, "secret"], "neither PEM nor base64"),
    ],
)
def test_unusable_public_key(found: Found, value: object, reason: str) -> None:
    assert found(DANA_PUBLIC_KEY=value) == ["E028"]
    assert reason in check_setting()[0].msg


def test_short_public_key(found: Found, short_key: rsa.RSAPrivateKey) -> None:
    assert found(DANA_PUBLIC_KEY=der(short_key)) == ["E028"]


def test_no_file_with_public_key(found: Found, tmp_path: Path) -> None:
    there = tmp_path / "dana.pem"
    there.write_text(DANA_PUBLIC_KEY)
    assert found(DANA_PUBLIC_KEY_PATH=[there]) == []
    assert found(DANA_PUBLIC_KEY_PATH=[there, tmp_path / "none.pem"]) == ["E028"]


@pytest.mark.parametrize("nothing", [None, "", []])
def test_no_public_key_in_production(in_production: Found, found: Found, nothing: object) -> None:
    assert in_production(DANA_PUBLIC_KEY=nothing) == ["E029"]
    assert found(DANA_PUBLIC_KEY=nothing) == []


def test_own_key_as_danas(found: Found) -> None:
    assert found(DANA_PUBLIC_KEY=SHOP_PUBLIC_KEY) == ["E030"]
    assert found(DANA_PUBLIC_KEY=[DANA_PUBLIC_KEY, SHOP_PUBLIC_KEY]) == ["E030"]
    assert found(DANA_PUBLIC_KEY=[DANA_PUBLIC_KEY, STRANGER_PUBLIC_KEY]) == []


def test_sandbox_key_in_production(in_production: Found, found: Found) -> None:
    assert in_production(DANA_PUBLIC_KEY=[DANA_PUBLIC_KEY, SANDBOX_PUBLIC_KEY]) == ["W004"]
    assert found(DANA_PUBLIC_KEY=SANDBOX_PUBLIC_KEY) == []


def test_key_file_that_others_can_read(found: Found, tmp_path: Path) -> None:
    file = tmp_path / "own.pem"
    file.write_text(SHOP_PRIVATE_KEY)
    for mode, expected in ((0o644, ["W018"]), (0o604, ["W018"]), (0o640, []), (0o400, [])):
        file.chmod(mode)
        assert found(PRIVATE_KEY_PATH=file) == expected
        assert found(PRIVATE_KEY_PATH=lambda: [str(file)]) == []
        assert ids(check_vault()) == expected
    assert found(DANA_PUBLIC_KEY_PATH=file, DANA_PUBLIC_KEY=None) == ["E028"]


# -- keys that functions hand out -----------------------------------------------------------------------------------


def no_vault() -> str:
    raise ConnectionError("the vault at 10.0.0.1 refused the token s3cr3t")


@pytest.mark.parametrize("name", ["PRIVATE_KEY", "DANA_PUBLIC_KEY", "PRIVATE_KEY_PATH", "DANA_PUBLIC_KEY_PATH"])
def test_vault_is_last_sync_at_deploy_only(found: Found, name: str) -> None:
    assert found(**{name: no_vault}) == []
    [message] = check_vault()
    assert ids([message]) == ["E009"]
    assert message.msg == f'DANA["default"]["{name}"] is a function that raised ConnectionError.'


def test_vault_with_good_keys(found: Found) -> None:
    assert found(PRIVATE_KEY=lambda: SHOP_PRIVATE_KEY, DANA_PUBLIC_KEY=lambda: [DANA_PUBLIC_KEY]) == []
    assert check_vault() == []


def test_vault_with_bad_keys(found: Found) -> None:
    assert found(PRIVATE_KEY=lambda: SHOP_PUBLIC_KEY, DANA_PUBLIC_KEY=lambda: SHOP_PRIVATE_KEY) == []
    assert ids(check_vault()) == ["E027", "E028"]


def test_own_key_as_danas_from_vault(found: Found) -> None:
    assert found(PRIVATE_KEY=lambda: SHOP_PRIVATE_KEY, DANA_PUBLIC_KEY=SHOP_PUBLIC_KEY) == []
    assert ids(check_vault()) == ["E030"]


def test_bad_key_beside_the_vault_is_told_once(found: Found) -> None:
    assert found(PRIVATE_KEY=lambda: SHOP_PRIVATE_KEY, DANA_PUBLIC_KEY="secret") == ["E028"]
    assert check_vault() == []


def test_empty_vault_in_production(in_production: Found) -> None:
    assert in_production(PRIVATE_KEY=str, DANA_PUBLIC_KEY=list) == []
    assert ids(check_vault()) == ["E026", "E029"]


def test_sandbox_key_in_production_from_vault(in_production: Found) -> None:
    assert in_production(DANA_PUBLIC_KEY=lambda: SANDBOX_PUBLIC_KEY) == []
    assert ids(check_vault()) == ["W004"]


def test_base_url_in_production(in_production: Found, found: Found) -> None:
    assert in_production(BASE_URL="https://gateway.example") == []
    assert ids(check_vault()) == ["W011"]
    assert found(BASE_URL="https://gateway.example") == []
    assert check_vault() == []


def password_of_the_proxy() -> str:
    return "http://shop:p4ssw0rd@proxy.example:3128"


def setting_with_a_proxy() -> dict[str, Any]:
    return clean_account_with(PROXY=password_of_the_proxy())


def test_password_of_the_proxy_that_error_reports_show(found: Found, settings: Any) -> None:
    assert found(PROXY=password_of_the_proxy()) == []
    assert ids(check_vault()) == ["W019"]
    shown = ExceptionReporter(None, None, None, None).get_traceback_text()
    assert "p4ssw0rd" in shown
    for setting in (
        clean_account_with(PROXY=password_of_the_proxy),
        clean_account_with(PROXY="http://proxy.example:3128"),
        f"{__name__}.setting_with_a_proxy",
    ):
        settings.DANA = setting
        assert check_vault() == []
        shown = ExceptionReporter(None, None, None, None).get_traceback_text()
        assert "p4ssw0rd" not in shown
        assert SHOP_PRIVATE_KEY[:40] not in shown


# -- Celery -------------------------------------------------------------------------------------------------------

CALM = {
    "broker_url": "redis://127.0.0.1/0",
    "broker_transport_options": {"socket_timeout": 2, "socket_connect_timeout": 1, "visibility_timeout": 360},
    "task_time_limit": 300,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"broker_transport_options": {"visibility_timeout": 360}}, ["W012"]),
        ({"broker_transport_options": {"socket_timeout": 60, "socket_connect_timeout": 1}}, ["W012"]),
        ({"broker_url": "amqp://127.0.0.1//"}, ["W013"]),
        ({"broker_url": "amqp://127.0.0.1//", "broker_connection_timeout": 1}, []),
        ({"broker_transport_options": {**CALM["broker_transport_options"], "visibility_timeout": 60}}, ["W014"]),  # type: ignore[dict-item]
        ({"task_time_limit": None}, ["W015"]),
        ({"task_time_limit": 30}, ["W015"]),
        ({"task_always_eager": True}, ["W016"]),
        ({"broker_url": None, "task_time_limit": None}, []),
        ({"broker_url": None, "task_always_eager": True}, ["W016"]),
    ],
    ids=lambda value: "" if isinstance(value, list) else ",".join(value) or "calm",
)
def test_celery(changes: dict[str, Any], expected: list[str]) -> None:
    app = Celery("checked", set_as_current=False)
    app.conf.update({**CALM, **changes})
    app.set_current()
    try:
        assert ids(check_celery()) == expected
    finally:
        celery_app.set_current()


def test_no_celery_app_of_the_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    monkeypatch.setattr(celery._state, "_tls", celery._state._TLS())  # type: ignore[attr-defined]
    monkeypatch.setattr(celery._state, "default_app", None)
    assert check_celery() == []


# -- database -----------------------------------------------------------------------------------------------------


class SendsTo:
    """A router that sends the models of one app somewhere."""

    def __init__(self, app: str, *, write: str | None = None, read: str | None = None) -> None:
        self._app, self._write, self._read = app, write, read

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return self._write if model._meta.app_label == self._app else None

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return self._read if model._meta.app_label == self._app else None


def test_router_reads_a_replica(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [SendsTo("django_dana", read="replica")]
    assert set(ids(check_setting())) == {"E032"}
    assert "sends Order to replica," in " ".join(message.msg for message in check_setting())


def test_router_writes_elsewhere(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [SendsTo("django_dana", write="payments", read="payments_replica")]
    assert set(ids(check_setting())) == {"E032"}
    assert "sends Order to payments and payments_replica," in " ".join(message.msg for message in check_setting())


def test_router_of_other_models(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [SendsTo("auth", write="users"), SendsTo("django_dana", write="default")]
    assert ids(check_setting()) == []


class Raises:
    """A router with a bug."""

    def db_for_write(self, model: Any, **hints: Any) -> str:
        raise RuntimeError


def test_router_that_raises_is_not_our_matter(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [Raises()]
    assert ids(check_setting()) == []


def test_times_without_zone(settings: Any) -> None:
    settings.USE_TZ = False
    assert ids(check_setting()) == ["E033"]


# -- addresses and routes -------------------------------------------------------------------------------------------


def test_return_route_missing(settings: Any, found: Found) -> None:
    notify = ([path("v1.0/debit/notify", NotificationView.as_view(), name="notify")], "django_dana")
    settings.ROOT_URLCONF = (path("dana/", include(notify)),)
    assert found() == ["E031"]
    assert found(RETURN_URL="https://shop.example/thanks") == []


@pytest.mark.parametrize(
    "value",
    [
        "https://shop.example/dana/v1.0/debit/notify?shop=1",
        "https://shop.example/dana/v1.0/debit/notify#a",
        "https://me:word@shop.example/dana/v1.0/debit/notify",
        "https://shop.example/dana/v1.0/debit%2Fnotify",
        "https://tokoé.example/dana/v1.0/debit/notify",
    ],
)
def test_notification_url_is_no_plain_path(found: Found, value: str) -> None:
    assert found(NOTIFICATION_URL=value) == ["W005"]


@pytest.mark.parametrize("path", ["", "/", "/v1.0/debit/notify", "/dana/v1.0/debit/notify/x", "/admin/"])
def test_notification_url_is_not_our_route(found: Found, path: str) -> None:
    assert found(NOTIFICATION_URL=f"https://shop.example{path}") == ["W006"]


def test_notification_url_with_trailing_slash(found: Found) -> None:
    assert found(NOTIFICATION_URL="https://shop.example/dana/v1.0/debit/notify/") == []


def test_notification_url_under_another_namespace(settings: Any, found: Found) -> None:
    settings.ROOT_URLCONF = (path("pay/", include("django_dana.urls", namespace="pay")),)
    assert found(NOTIFICATION_URL="https://shop.example/pay/v1.0/debit/notify") == []


def test_routes_not_included(settings: Any, found: Found) -> None:
    settings.ROOT_URLCONF = ()
    assert found() == ["E031", "W007"]
    assert found(RETURN_URL="https://shop.example/thanks") == ["W007"]


@pytest.mark.parametrize("urlconf", ["tests.nowhere", (5,)])
def test_urls_that_cannot_be_loaded_are_not_our_matter(settings: Any, found: Found, urlconf: object) -> None:
    settings.ROOT_URLCONF = urlconf
    assert found() == []


def test_ssl_redirect_before_notifications(settings: Any, found: Found) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert found() == ["W008"]
    settings.SECURE_REDIRECT_EXEMPT = [r"^health$"]
    assert found() == ["W008"]
    settings.SECURE_REDIRECT_EXEMPT = [r"^dana/"]
    assert found() == []


def test_ssl_redirect_behind_proxy(settings: Any, found: Found) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert found() == []


# -- several accounts, functions that need the database -------------------------------------------------------------


def test_each_account_is_checked(settings: Any) -> None:
    settings.DANA = {**clean_account_with(), "toko": {**clean_account_with()["default"], "TIMEOUT": 0}}
    [message] = check_setting()
    assert message.msg.startswith('DANA["toko"]["TIMEOUT"]')


def test_one_merchant_in_two_environments(settings: Any) -> None:
    live = clean_account_with(ENVIRONMENT="production")["default"]
    live["PRIVATE_KEY"] = STRANGER_PRIVATE_KEY
    settings.DANA = {**clean_account_with(), "live": live}
    assert ids(check_setting()) == ["W009", "W009"]
    assert check_vault() == []
    settings.DANA = {**clean_account_with(), "again": clean_account_with()["default"]}
    assert ids(check_setting()) == []


def test_one_merchant_and_key_in_two_environments(settings: Any) -> None:
    live = clean_account_with(ENVIRONMENT="production")["default"]
    settings.DANA = {**clean_account_with(), "live": live}
    assert ids(check_setting()) == ["E034", "E034"]
    assert check_vault() == []


def test_one_merchant_and_key_from_vault_in_two_environments(settings: Any) -> None:
    live = clean_account_with(ENVIRONMENT="production", PRIVATE_KEY=lambda: SHOP_PRIVATE_KEY)["default"]
    settings.DANA = {**clean_account_with(), "live": live}
    assert ids(check_setting()) == ["W009", "W009"]
    assert ids(check_vault()) == ["E034"]


def no_table() -> dict[str, Any]:
    """A function for the setting, before the first migrate."""
    raise OperationalError("no such table: merchants")


def test_no_table_before_first_migrate(settings: Any, found: Found) -> None:
    settings.DANA = "tests.test_checks.no_table"
    assert ids(check_setting()) == ["W010"]
    assert found(MERCHANT_ID=no_table) == ["W010"]


# -- never a secret, never an exception -----------------------------------------------------------------------------


def test_no_message_holds_a_secret(settings: Any, found: Found) -> None:
    secret = SHOP_PRIVATE_KEY
    for name in NAMES:
        for value in (secret, [secret], {secret: secret}, secret.encode()):
            found(**{name: value})
            assert secret[:24] not in repr(check_setting() + check_vault())
    settings.DANA = secret
    assert secret[:24] not in repr(check_setting())
    settings.DANA = {"default": {secret: secret}}
    assert secret[:24] not in repr(check_setting())


junk_option = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.timedeltas(),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none()), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.builds(object),
    st.text(max_size=20).map(lambda text: f"https://{text}"),
)


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), junk_option))
def test_checks_never_raise(options: dict[str, Any]) -> None:
    with override_settings(DANA=clean_account_with(**options)):
        check_setting()
        check_vault()


# -- what they cost ---------------------------------------------------------------------------------------------------

START = """
import sys
from django.conf import settings
settings.configure(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_dana"], DANA={})
import django
django.setup()
heavy = {"celery", "cryptography", "kombu", "requests", "rest_framework", "segno", "urllib3"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


def test_start_of_django_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# -- registered and documented --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_command_runs_the_checks(settings: Any) -> None:
    settings.DANA = {}
    with pytest.raises(SystemCheckError, match=r"django_dana\.E004"):
        call_command("check")


def test_command_is_content_with_the_settings_of_the_tests() -> None:
    out = io.StringIO()
    call_command("check", tags=["django_dana"], stdout=out)
    assert "no issues" in out.getvalue()


def test_command_asks_the_vault_at_deploy(settings: Any) -> None:
    settings.DANA = clean_account_with(PRIVATE_KEY=no_vault)
    call_command("check", tags=["django_dana"], stdout=io.StringIO())
    with pytest.raises(SystemCheckError, match=r"django_dana\.E009"):
        call_command("check", tags=["django_dana"], deploy=True)


def test_every_check_is_registered() -> None:
    assert check_celery in registry.deployment_checks
    assert {check.tags for check in (check_setting, check_celery)} == {("django_dana",)}


def test_ids_are_given_once() -> None:
    assert len({finding.id for finding in Finding}) == len(Finding)


def test_every_kind_of_option_has_a_rule() -> None:
    assert set(rules._RULES) == {option.kind for option in PLAIN.values()}


def test_tags() -> None:
    assert check_setting in registry.registered_checks
    assert check_vault in registry.deployment_checks
    assert set(check_vault.tags) == {"django_dana", Tags.security}


def test_every_id_has_a_test() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    assert {finding.id for finding in Finding} <= {
        f"django_dana.{found}" for found in re.findall(r'"([EW]\d{3})"', tests)
    }


def test_documentation_lists_exactly_these() -> None:
    text = " ".join(DOCS.read_text(encoding="utf-8").split())
    assert re.findall(r"django_dana\.[EW]\d{3}", text) == [finding.id for finding in Finding]
    for finding in Finding:
        message = re.sub(r"\{\w+\}", "…", finding.message.replace("{suggestion}", ""))
        assert f"{finding.id} - {message} - {finding.hint}" in text
