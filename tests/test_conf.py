"""The ``DANA`` setting, read when it is used."""

import os
from dataclasses import FrozenInstanceError
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from django_dana import conf
from django_dana.exceptions import InvalidKey, UnknownAccount
from tests.factories import DEFAULT_ACCOUNT, clean_account_with, clean_account_without
from tests.keys import DANA_PUBLIC_KEY, SHOP_PRIVATE_KEY, SHOP_PUBLIC_KEY, STRANGER_PUBLIC_KEY


@pytest.fixture
def account(settings: Any) -> Any:
    """Return the default account with some options changed."""

    def make(**options: Any) -> conf.Account:
        settings.DANA = clean_account_with(**options)
        return conf.account("default")

    return make


# -- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("base_url", "https://api.sandbox.dana.id"),
        ("channel_id", "95221"),
        ("origin", ""),
        ("return_url", None),
        ("sub_merchant_id", ""),
        ("external_store_id", ""),
        ("terminal_type", "SYSTEM"),
        ("timeout", 8.0),
        ("max_attempts", 3),
        ("attempt_delays", (2, 5)),
        ("order_lifetime", timedelta(minutes=30)),
        ("pending_delays", (30, 60, 300, 900, 3600)),
        ("cancel_give_up_after", timedelta(hours=24)),
        ("retry_failed", True),
        ("proxy", None),
        ("debug_mode", False),
    ],
)
def test_default(account: Any, attribute: str, value: object) -> None:
    assert getattr(account(), attribute) == value


def test_every_default_has_a_row_above() -> None:
    rows = test_default.pytestmark[0].args[1]
    assert {row[0].upper() for row in rows} == set(conf.DEFAULTS)


CHANGED = {
    "ENVIRONMENT": "production",
    "MERCHANT_ID": "m",
    "PARTNER_ID": "p",
    "NOTIFICATION_URL": "https://toko.example/n",
    "MCC": "5814",
    "BASE_URL": "http://127.0.0.1:8900",
    "CHANNEL_ID": "1",
    "ORIGIN": "https://toko.example",
    "RETURN_URL": "https://toko.example/thanks",
    "SUB_MERCHANT_ID": "s",
    "EXTERNAL_STORE_ID": "e",
    "TERMINAL_TYPE": "WEB",
    "TIMEOUT": 3,
    "MAX_ATTEMPTS": 1,
    "ATTEMPT_DELAYS": (1,),
    "ORDER_LIFETIME": timedelta(minutes=5),
    "PENDING_DELAYS": (7,),
    "CANCEL_GIVE_UP_AFTER": timedelta(hours=1),
    "RETRY_FAILED": False,
    "PROXY": "http://proxy.example:3128",
    "DEBUG_MODE": True,
}


@pytest.mark.parametrize("name", [*conf.REQUIRED, *conf.DEFAULTS])
def test_option(account: Any, name: str) -> None:
    assert getattr(account(**{name: CHANGED[name]}), name.lower()) == CHANGED[name]


@pytest.mark.parametrize("name", [*conf.REQUIRED, *conf.DEFAULTS])
def test_option_from_function(account: Any, name: str) -> None:
    assert getattr(account(**{name: lambda: CHANGED[name]}), name.lower()) == CHANGED[name]


def test_lists_become_tuples(account: Any) -> None:
    changed = account(ATTEMPT_DELAYS=[1, 2], PENDING_DELAYS=[3])
    assert (changed.attempt_delays, changed.pending_delays) == ((1, 2), (3,))


def test_environment_picks_the_host(account: Any) -> None:
    assert account(ENVIRONMENT="production").base_url == "https://api.saas.dana.id"
    assert account(ENVIRONMENT="sandbox").base_url == "https://api.sandbox.dana.id"
    assert account(BASE_URL="").base_url == "https://api.sandbox.dana.id"


def test_base_url_loses_its_slash(account: Any) -> None:
    assert account(BASE_URL="http://127.0.0.1:8900/").base_url == "http://127.0.0.1:8900"


def test_environment_is_never_taken_from_debug(settings: Any, account: Any) -> None:
    for debug in (True, False):
        settings.DEBUG = debug
        assert account().is_sandbox
        assert not account(ENVIRONMENT="production").is_sandbox


def test_notification_path_and_site(account: Any) -> None:
    changed = account(NOTIFICATION_URL="https://toko.example:8443/pay/v1.0/debit/notify")
    assert changed.notification_path == "/pay/v1.0/debit/notify"
    assert changed.site == "https://toko.example:8443"


@pytest.mark.parametrize("name", conf.REQUIRED)
@pytest.mark.parametrize("nothing", [None, ""])
def test_required_option_missing(settings: Any, account: Any, name: str, nothing: object) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"DANA\['default'\] has no {name}"):
        account(**{name: nothing})
    settings.DANA = clean_account_without(name)
    with pytest.raises(ImproperlyConfigured, match=name):
        conf.account("default")


def test_unknown_environment(account: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="neither 'sandbox' nor 'production'"):
        account(ENVIRONMENT="test")


def test_account_is_frozen(account: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        account().merchant_id = "other"


# -- the setting as a whole -----------------------------------------------------------------------------------------


def test_override_settings() -> None:
    with override_settings(DANA=clean_account_with(MERCHANT_ID="other")):
        assert conf.account("default").merchant_id == "other"
    assert conf.account("default").merchant_id == DEFAULT_ACCOUNT["MERCHANT_ID"]


def test_several_accounts(settings: Any) -> None:
    settings.DANA = {"default": DEFAULT_ACCOUNT, "toko": {**DEFAULT_ACCOUNT, "MERCHANT_ID": "other"}}
    assert [(account.alias, account.merchant_id) for account in conf.accounts()] == [
        ("default", DEFAULT_ACCOUNT["MERCHANT_ID"]),
        ("toko", "other"),
    ]


@pytest.mark.parametrize("setting", [{}, {"toko": DEFAULT_ACCOUNT}])
def test_unknown_account(settings: Any, setting: dict[str, Any]) -> None:
    settings.DANA = setting
    with pytest.raises(UnknownAccount, match="'default'"):
        conf.account("default")


def test_no_setting_at_all(settings: Any) -> None:
    del settings.DANA
    assert conf.accounts() == []


def from_a_table() -> dict[str, Any]:
    """What a shop that keeps its merchants in a table returns."""
    return {"default": {**DEFAULT_ACCOUNT, "MERCHANT_ID": os.environ["MERCHANT_OF_THE_TEST"]}}


def test_dotted_path_is_called_each_time(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DANA = "tests.test_conf.from_a_table"
    for merchant_id in ("one", "two"):
        monkeypatch.setenv("MERCHANT_OF_THE_TEST", merchant_id)
        assert conf.account("default").merchant_id == merchant_id


# -- keys -----------------------------------------------------------------------------------------------------------


def test_keys_as_text(account: Any) -> None:
    assert account().private_key == SHOP_PRIVATE_KEY
    assert account().public_keys == [DANA_PUBLIC_KEY]


def test_several_public_keys(account: Any) -> None:
    both = [DANA_PUBLIC_KEY, STRANGER_PUBLIC_KEY]
    assert account(DANA_PUBLIC_KEY=both).public_keys == both
    assert account(DANA_PUBLIC_KEY=tuple(both)).public_keys == both
    assert account(DANA_PUBLIC_KEY=lambda: both).public_keys == both


def test_keys_from_files(account: Any, tmp_path: Path) -> None:
    files = [tmp_path / "own.pem", tmp_path / "dana.pem", tmp_path / "next.pem"]
    for file, text in zip(files, (SHOP_PRIVATE_KEY, DANA_PUBLIC_KEY, STRANGER_PUBLIC_KEY), strict=True):
        file.write_text(text)
    own, now, later = files
    changed = account(
        PRIVATE_KEY="", PRIVATE_KEY_PATH=own, DANA_PUBLIC_KEY=None, DANA_PUBLIC_KEY_PATH=[now, str(later)]
    )
    assert changed.private_key == SHOP_PRIVATE_KEY
    assert changed.public_keys == [DANA_PUBLIC_KEY, STRANGER_PUBLIC_KEY]
    assert account(DANA_PUBLIC_KEY_PATH=lambda: str(now)).public_keys == [DANA_PUBLIC_KEY]


def test_path_wins_over_text(account: Any, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(SHOP_PUBLIC_KEY)
    changed = account(PRIVATE_KEY_PATH=tmp_path / "key.pem", DANA_PUBLIC_KEY_PATH=str(tmp_path / "key.pem"))
    assert changed.private_key == SHOP_PUBLIC_KEY
    assert changed.public_keys == [SHOP_PUBLIC_KEY]


def test_empty_path_does_not_win(account: Any) -> None:
    assert account(PRIVATE_KEY_PATH="").private_key == SHOP_PRIVATE_KEY


def test_files_are_read_each_time(account: Any, tmp_path: Path) -> None:
    file = tmp_path / "own.pem"
    changed = account(PRIVATE_KEY_PATH=file)
    for text in ("before", "after"):
        file.write_text(text)
        assert changed.private_key == text


def test_vault_is_asked_only_when_the_key_is_needed(account: Any) -> None:
    asked = []

    def vault() -> str:
        asked.append("asked")
        return SHOP_PRIVATE_KEY

    changed = account(PRIVATE_KEY=vault)
    assert asked == []
    assert changed.private_key == SHOP_PRIVATE_KEY
    assert asked == ["asked"]


@pytest.mark.parametrize("content", [b"\xff\xfe", "kunci-é".encode()])
def test_file_that_is_no_text(account: Any, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(InvalidKey, match="PRIVATE_KEY_PATH can't be read"):
        _ = account(PRIVATE_KEY_PATH=tmp_path / "key.pem").private_key


@pytest.mark.parametrize("path", ["nowhere.pem", ".", "\0", 5])
def test_file_that_is_not_there(account: Any, path: object) -> None:
    with pytest.raises(InvalidKey, match="DANA_PUBLIC_KEY_PATH can't be read"):
        _ = account(DANA_PUBLIC_KEY_PATH=path).public_keys


@pytest.mark.parametrize("texts", [None, "", [], [SHOP_PRIVATE_KEY, SHOP_PRIVATE_KEY]])
def test_not_exactly_one_private_key(account: Any, texts: object) -> None:
    with pytest.raises(InvalidKey, match="exactly one is needed"):
        _ = account(PRIVATE_KEY=texts).private_key


def test_sandbox_key_is_the_default_in_sandbox_only(account: Any) -> None:
    assert account(DANA_PUBLIC_KEY=None).public_keys == [conf.SANDBOX_PUBLIC_KEY]
    with pytest.raises(InvalidKey, match="no default in production"):
        _ = account(DANA_PUBLIC_KEY=None, ENVIRONMENT="production").public_keys


def test_repr_shows_no_key(account: Any) -> None:
    assert SHOP_PRIVATE_KEY[:24] not in repr(account())
