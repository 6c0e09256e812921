"""The ``DANA`` setting, read when it is used."""

import dataclasses
import json
import os
import pickle
import pprint
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from django_dana import conf, services, timing
from django_dana.conf.options import KEYS, NAMES, OPTIONS, PLAIN, REQUIRED, Kind, Option
from django_dana.exceptions import InvalidKey, UnknownAccount
from django_dana.protocol import signing
from django_dana.protocol.secret import Secret
from tests.factories import DEFAULT_ACCOUNT, clean_account_with, clean_account_without
from tests.keys import DANA_PUBLIC_KEY, SHOP_PRIVATE_KEY, SHOP_PUBLIC_KEY, STRANGER_PUBLIC_KEY

DOCS = Path(__file__).parent.parent / "docs" / "settings.rst"


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
        ("return_schemes", ()),
        ("shop_name", ""),
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
        ("retention", timedelta(days=90)),
        ("proxy", None),
        ("debug_mode", False),
    ],
)
def test_default(account: Any, attribute: str, value: object) -> None:
    assert getattr(account(), attribute) == value


def test_every_default_has_a_row_above() -> None:
    rows = test_default.pytestmark[0].args[1]
    assert {row[0].upper() for row in rows} == set(PLAIN) - set(REQUIRED)


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
    "RETURN_SCHEMES": ("tokoapp",),
    "SHOP_NAME": "Toko Gayo",
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
    "RETENTION": timedelta(days=30),
    "PROXY": "http://proxy.example:3128",
    "DEBUG_MODE": True,
}


def shown(value: object) -> object:
    """Return a value of an account as the setting has it."""
    return value.reveal() if isinstance(value, Secret) else value


@pytest.mark.parametrize("name", PLAIN)
def test_option(account: Any, name: str) -> None:
    assert shown(getattr(account(**{name: CHANGED[name]}), name.lower())) == CHANGED[name]


@pytest.mark.parametrize("name", PLAIN)
def test_option_from_function(account: Any, name: str) -> None:
    assert shown(getattr(account(**{name: lambda: CHANGED[name]}), name.lower())) == CHANGED[name]


def test_option_from_function_is_asked_each_time(account: Any) -> None:
    names = iter(["Toko", "Toko Gayo"])
    account(SHOP_NAME=lambda: next(names))
    assert conf.account("default").shop_name == "Toko Gayo"


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
    assert changed.notification_paths == ("/pay/v1.0/debit/notify",)
    assert changed.site == "https://toko.example:8443"


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_notification_urls(account: Any, kind: Any) -> None:
    changed = account(NOTIFICATION_URL=kind(["https://new.example/a", "https://old.example/b", "http://old.example/b"]))
    assert changed.notification_urls == ("https://new.example/a", "https://old.example/b", "http://old.example/b")
    assert changed.notification_url == "https://new.example/a"
    assert changed.notification_paths == ("/a", "/b")
    assert changed.site == "https://new.example"


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("nothing", [None, "", []])
def test_required_option_missing(settings: Any, account: Any, name: str, nothing: object) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"DANA\['default'\] has no {name}"):
        account(**{name: nothing})
    settings.DANA = clean_account_without(name)
    with pytest.raises(ImproperlyConfigured, match=name):
        conf.account("default")


def test_unknown_environment(account: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="neither 'sandbox' nor 'production'"):
        account(ENVIRONMENT="test")


@pytest.mark.parametrize("proxy", [5, "proxy.example:3128", "socks5://proxy.example", ["http://a", "http://b"]])
def test_unusable_proxy(account: Any, proxy: object) -> None:
    with pytest.raises(ImproperlyConfigured, match="PROXY"):
        account(PROXY=proxy)


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


CALLS: list[str] = []


def many_accounts() -> dict[str, Any]:
    """A function for the setting that counts its calls."""
    CALLS.append("called")
    return {f"toko-{number}": DEFAULT_ACCOUNT for number in range(50)}


def test_function_of_setting_is_called_once_for_all_accounts(settings: Any) -> None:
    settings.DANA = "tests.test_conf.many_accounts"
    CALLS.clear()
    assert len(conf.accounts()) == 50
    assert CALLS == ["called"]


def test_broken_accounts_are_told_apart(settings: Any) -> None:
    settings.DANA = {
        "default": DEFAULT_ACCOUNT,
        "no dict": None,
        "no merchant": {**DEFAULT_ACCOUNT, "MERCHANT_ID": ""},
        "raises": {**DEFAULT_ACCOUNT, "MCC": lambda: 1 / 0},
        "toko": DEFAULT_ACCOUNT,
    }
    accounts = conf.accounts()
    assert list(accounts.by_alias) == [account.alias for account in accounts] == ["default", "toko"]
    assert accounts.unusable == {
        "no dict": "DANA['no dict'] is not a dict.",
        "no merchant": "DANA['no merchant'] has no MERCHANT_ID.",
        "raises": "The function in DANA['raises']['MCC'] raised ZeroDivisionError.",
    }


def test_change_in_place(settings: Any) -> None:
    settings.DANA = {"default": {**DEFAULT_ACCOUNT, "ATTEMPT_DELAYS": [1]}}
    assert conf.account("default").attempt_delays == (1,)
    settings.DANA["default"]["ATTEMPT_DELAYS"].append(2)
    assert conf.account("default").attempt_delays == (1, 2)
    settings.DANA["default"]["SHOP_NAME"] = "Toko"
    assert conf.account("default").shop_name == "Toko"


@pytest.mark.parametrize("setting", [{}, {"toko": DEFAULT_ACCOUNT}])
def test_unknown_account(settings: Any, setting: dict[str, Any]) -> None:
    settings.DANA = setting
    with pytest.raises(UnknownAccount, match="'default'"):
        conf.account("default")


def test_no_setting_at_all(settings: Any) -> None:
    del settings.DANA
    assert list(conf.accounts()) == []


def from_a_table() -> dict[str, Any]:
    """What a shop that keeps its merchants in a table returns."""
    return {"default": {**DEFAULT_ACCOUNT, "MERCHANT_ID": os.environ["MERCHANT_OF_THE_TEST"]}}


def test_dotted_path_that_leads_nowhere(settings: Any) -> None:
    settings.DANA = "tests.test_conf.nothing"
    for read in (conf.raw_accounts, conf.accounts, lambda: conf.account("default")):
        with pytest.raises(conf.FunctionRaised, match=r"^The function in DANA raised ImportError\.$"):
            read()


def test_dotted_path_is_called_each_time(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DANA = "tests.test_conf.from_a_table"
    for merchant_id in ("one", "two"):
        monkeypatch.setenv("MERCHANT_OF_THE_TEST", merchant_id)
        assert conf.account("default").merchant_id == merchant_id


# -- keys -----------------------------------------------------------------------------------------------------------


def secrets(*texts: str) -> tuple[Secret, ...]:
    """Return the texts as an account gives them."""
    return tuple(map(Secret, texts))


def test_keys_as_text(account: Any) -> None:
    assert account().private_key == Secret(SHOP_PRIVATE_KEY)
    assert account().public_keys == secrets(DANA_PUBLIC_KEY)


def test_several_public_keys(account: Any) -> None:
    both = [DANA_PUBLIC_KEY, STRANGER_PUBLIC_KEY]
    assert account(DANA_PUBLIC_KEY=both).public_keys == secrets(*both)
    assert account(DANA_PUBLIC_KEY=tuple(both)).public_keys == secrets(*both)
    assert account(DANA_PUBLIC_KEY=lambda: both).public_keys == secrets(*both)


def test_keys_from_files(account: Any, tmp_path: Path) -> None:
    files = [tmp_path / "own.pem", tmp_path / "dana.pem", tmp_path / "next.pem"]
    for file, text in zip(files, (SHOP_PRIVATE_KEY, DANA_PUBLIC_KEY, STRANGER_PUBLIC_KEY), strict=True):
        file.write_text(text)
    own, now, later = files
    changed = account(
        PRIVATE_KEY="", PRIVATE_KEY_PATH=own, DANA_PUBLIC_KEY=None, DANA_PUBLIC_KEY_PATH=[now, str(later)]
    )
    assert changed.private_key == Secret(SHOP_PRIVATE_KEY)
    assert changed.public_keys == secrets(DANA_PUBLIC_KEY, STRANGER_PUBLIC_KEY)
    assert account(DANA_PUBLIC_KEY_PATH=lambda: str(now)).public_keys == secrets(DANA_PUBLIC_KEY)


def test_path_wins_over_text(account: Any, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(SHOP_PUBLIC_KEY)
    changed = account(PRIVATE_KEY_PATH=tmp_path / "key.pem", DANA_PUBLIC_KEY_PATH=str(tmp_path / "key.pem"))
    assert changed.private_key == Secret(SHOP_PUBLIC_KEY)
    assert changed.public_keys == secrets(SHOP_PUBLIC_KEY)


@pytest.mark.parametrize("nothing", ["", None, list, lambda: None], ids=["empty", "none", "list", "function"])
def test_empty_path_does_not_win(account: Any, nothing: object) -> None:
    assert account(PRIVATE_KEY_PATH=nothing).private_key == Secret(SHOP_PRIVATE_KEY)


def test_vault_is_asked_only_when_the_key_is_needed(account: Any) -> None:
    asked = []

    def vault() -> str:
        asked.append("asked")
        return SHOP_PRIVATE_KEY

    changed = account(PRIVATE_KEY=vault)
    assert asked == []
    assert changed.private_key == Secret(SHOP_PRIVATE_KEY)
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


@pytest.mark.parametrize("key", [5, SHOP_PRIVATE_KEY.encode(), [5], {"key": SHOP_PRIVATE_KEY}])
def test_key_that_is_no_text(account: Any, key: object) -> None:
    with pytest.raises(InvalidKey, match="not text"):
        _ = account(PRIVATE_KEY=key).private_key


def test_sandbox_key_is_the_default_in_sandbox_only(account: Any) -> None:
    assert account(DANA_PUBLIC_KEY=None).public_keys == secrets(conf.SANDBOX_PUBLIC_KEY)
    with pytest.raises(InvalidKey, match="no default in production"):
        _ = account(DANA_PUBLIC_KEY=None, ENVIRONMENT="production").public_keys


# -- keys are kept for a short time ---------------------------------------------------------------------------------


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Move the clock of the process."""
    passed = [0.0]
    began = time.monotonic()
    monkeypatch.setattr("django_dana.conf.keys.time.monotonic", lambda: began + passed[0])

    def move(by: float) -> None:
        passed[0] += by

    return move


class Vault:
    """A function for an option, which counts how often it is called."""

    def __init__(self) -> None:
        self.calls = 0
        self.answer: str | Exception = SHOP_PRIVATE_KEY

    def __call__(self) -> str:
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_key_of_function_is_kept(account: Any, seconds: Any) -> None:
    vault = Vault()
    account(PRIVATE_KEY=vault)
    for _ in range(100):
        assert conf.account("default").private_key == Secret(SHOP_PRIVATE_KEY)
    assert vault.calls == 1
    vault.answer = "next"
    seconds(timing.KEYS_ARE_KEPT - 1)
    assert conf.account("default").private_key == Secret(SHOP_PRIVATE_KEY)
    seconds(2)
    assert conf.account("default").private_key == Secret("next")
    assert vault.calls == 2


def test_key_of_file_is_kept(account: Any, seconds: Any, tmp_path: Path) -> None:
    file = tmp_path / "own.pem"
    file.write_text("before")
    changed = account(PRIVATE_KEY_PATH=file)
    assert changed.private_key == Secret("before")
    file.write_text("after")
    assert changed.private_key == Secret("before")
    seconds(timing.KEYS_ARE_KEPT + 1)
    assert changed.private_key == Secret("after")


def test_key_in_the_setting_is_not_kept(settings: Any) -> None:
    settings.DANA = {"default": {**DEFAULT_ACCOUNT}}
    for text in ("before", "after"):
        settings.DANA["default"]["PRIVATE_KEY"] = text
        assert conf.account("default").private_key == Secret(text)


def test_failure_of_function_is_kept_more_shortly(account: Any, seconds: Any) -> None:
    vault = Vault()
    vault.answer = ConnectionError("token s3cr3t")
    account(PRIVATE_KEY=vault)
    for _ in range(100):
        with pytest.raises(conf.FunctionRaised, match=r"PRIVATE_KEY.*raised ConnectionError\.$"):
            _ = conf.account("default").private_key
    assert vault.calls == 1
    vault.answer = SHOP_PRIVATE_KEY
    seconds(timing.KEY_ERRORS_ARE_KEPT + 1)
    assert conf.account("default").private_key == Secret(SHOP_PRIVATE_KEY)


def test_failure_of_file_is_kept_more_shortly(account: Any, seconds: Any, tmp_path: Path) -> None:
    file = tmp_path / "own.pem"
    changed = account(PRIVATE_KEY_PATH=file)
    for _ in range(2):
        with pytest.raises(InvalidKey, match="FileNotFoundError"):
            _ = changed.private_key
        file.write_text("key")
    seconds(timing.KEY_ERRORS_ARE_KEPT + 1)
    assert changed.private_key == Secret("key")


def test_another_function_is_another_key(account: Any) -> None:
    assert account(PRIVATE_KEY=lambda: "one").private_key == Secret("one")
    assert account(PRIVATE_KEY=lambda: "two").private_key == Secret("two")


def test_accounts_do_not_share_what_is_kept(settings: Any) -> None:
    settings.DANA = {alias: {**DEFAULT_ACCOUNT, "PRIVATE_KEY": lambda alias=alias: alias} for alias in ("one", "two")}
    for alias in ("one", "two", "one"):
        assert conf.account(alias).private_key == Secret(alias)


def test_options_of_one_account_do_not_share_what_is_kept(account: Any) -> None:
    def both() -> str:
        return DANA_PUBLIC_KEY

    changed = account(PRIVATE_KEY=both, DANA_PUBLIC_KEY=lambda: [both(), STRANGER_PUBLIC_KEY])
    assert changed.private_key == Secret(DANA_PUBLIC_KEY)
    assert len(changed.public_keys) == 2


VAULT = Vault()


def accounts_with_new_functions() -> dict[str, Any]:
    """A function for the setting whose functions are others each time."""
    return {"default": {**DEFAULT_ACCOUNT, "PRIVATE_KEY": lambda: VAULT()}}


def test_functions_of_a_function_are_kept_too(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VAULT, "calls", 0)
    settings.DANA = "tests.test_conf.accounts_with_new_functions"
    for _ in range(100):
        assert conf.account("default").private_key == Secret(SHOP_PRIVATE_KEY)
    assert VAULT.calls == 1


def accounts_with_files() -> dict[str, Any]:
    """A function for the setting whose rows name files."""
    return {"default": {**DEFAULT_ACCOUNT, "PRIVATE_KEY_PATH": os.environ["FILE_OF_THE_TEST"]}}


def test_file_that_a_function_names_is_read_where_it_changes(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.DANA = "tests.test_conf.accounts_with_files"
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        monkeypatch.setenv("FILE_OF_THE_TEST", str(tmp_path / name))
        assert conf.account("default").private_key == Secret(name)


def test_override_settings_forgets_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("one", "two"):
        monkeypatch.setattr(VAULT, "answer", text)
        with override_settings(DANA="tests.test_conf.accounts_with_new_functions"):
            assert conf.account("default").private_key == Secret(text)
    assert conf.account("default").private_key == Secret(SHOP_PRIVATE_KEY)


VALUES = {
    **CHANGED,
    "PRIVATE_KEY": "another key",
    "DANA_PUBLIC_KEY": "another key of DANA",
}


@given(st.lists(st.tuples(st.sampled_from([*PLAIN, *KEYS]), st.booleans()), max_size=8))
def test_override_settings_works_for_every_option(changes: list[tuple[str, bool]]) -> None:
    before = described(conf.account("default"))
    for name, is_function in changes:
        value = (lambda name=name: VALUES[name]) if is_function else VALUES[name]
        expected = before | described_values({name: VALUES[name]})
        with override_settings(DANA={"default": {**DEFAULT_ACCOUNT, name: value}}):
            found = described(conf.account("default"))
            assert {key: found[key] for key in expected} == expected
            assert [described(one) for one in conf.accounts()] == [found]
        assert described(conf.account("default")) == before


def described(account: conf.Account) -> dict[str, object]:
    """Return the values of an account under the names of the options."""
    keys = {"PRIVATE_KEY": account.private_key.reveal(), "DANA_PUBLIC_KEY": account.public_keys[0].reveal()}
    return {**{name: shown(getattr(account, name.lower())) for name in PLAIN if name != "BASE_URL"}, **keys}


def described_values(options: dict[str, Any]) -> dict[str, object]:
    return {name: value for name, value in options.items() if name != "BASE_URL"}


# -- secrets --------------------------------------------------------------------------------------------------------

PASSWORD = "p4ssw0rd-0f-the-proxy"
SHOWN_OF_KEY = SHOP_PRIVATE_KEY[40:70]


def held(error: BaseException | None) -> Iterator[str]:
    """Yield what an error report shows: the text of each error, and the variables of our frames on its way."""
    while error is not None:
        yield repr(error) + str(error)
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "django_dana" in frame.f_code.co_filename:
                yield from map(repr, frame.f_locals.values())
                yield pprint.pformat(frame.f_locals)
        error = error.__cause__ or error.__context__


@pytest.fixture
def error_of(settings: Any) -> Any:
    """Return the error that an act raises with some options changed, having seen that it shows no secret."""

    def run(act: Callable[[], object], **options: Any) -> BaseException:
        proxy = f"http://shop:{PASSWORD}@proxy.example:3128"
        settings.DANA = {"default": {**DEFAULT_ACCOUNT, "PROXY": proxy, **options}}
        with pytest.raises(Exception) as caught:  # noqa: PT011  the caller says which
            act()
        for text in held(caught.value):
            assert SHOWN_OF_KEY not in text
            assert PASSWORD not in text
        return caught.value

    return run


def read_all() -> object:
    account = conf.account("default")
    return signing.load_private_key(account.private_key), [signing.load_public_key(key) for key in account.public_keys]


def new_order() -> object:
    return services.create_order(amount=Decimal(15000), title="Kopi Gayo")


@pytest.mark.parametrize("act", [read_all, new_order])
@pytest.mark.parametrize("name", REQUIRED)
def test_error_shows_no_secret__option_missing(error_of: Any, act: Any, name: str) -> None:
    assert isinstance(error_of(act, **{name: ""}), ImproperlyConfigured)


WRONG = {
    Kind.DELAYS: 5,
    Kind.GROWING_DELAYS: ["5"],
    Kind.SPAN: 5,
    Kind.FLAG: "False",
    Kind.COUNT: "3",
    Kind.SECONDS: "8",
    Kind.ADDRESSES: "https://[::1",
}


@pytest.mark.parametrize("act", [read_all, new_order])
@pytest.mark.parametrize("name", PLAIN)
def test_error_shows_no_secret__option_of_a_wrong_type(error_of: Any, act: Any, name: str) -> None:
    error = error_of(act, **{name: WRONG.get(PLAIN[name].kind, 5)})
    assert isinstance(error, ImproperlyConfigured)
    assert name in str(error)


@pytest.mark.parametrize("act", [read_all, new_order])
@pytest.mark.parametrize("name", [name for name in PLAIN if PLAIN[name].kind in WRONG])
def test_error_shows_no_secret__key_in_the_place_of_another_option(error_of: Any, act: Any, name: str) -> None:
    assert isinstance(error_of(act, **{name: SHOP_PRIVATE_KEY}), ImproperlyConfigured)


def vault_that_is_down() -> Any:
    raise ConnectionError("the vault refused the token")


@pytest.mark.parametrize("act", [read_all, new_order])
@pytest.mark.parametrize("name", PLAIN)
def test_error_shows_no_secret__function_of_option_raises(error_of: Any, act: Any, name: str) -> None:
    error = error_of(act, **{name: vault_that_is_down})
    assert str(error) == f"The function in DANA['default']['{name}'] raised ConnectionError."


@pytest.mark.parametrize("name", [*KEYS, *(key.path_name for key in KEYS.values())])
def test_error_shows_no_secret__function_of_key_raises(error_of: Any, name: str) -> None:
    assert isinstance(error_of(read_all, **{name: vault_that_is_down}), conf.FunctionRaised)


@pytest.mark.parametrize(
    "options",
    [
        {"PRIVATE_KEY": f"{SHOP_PRIVATE_KEY}!"},
        {"PRIVATE_KEY": SHOP_PRIVATE_KEY[:-80]},
        {"PRIVATE_KEY": [SHOP_PRIVATE_KEY, SHOP_PRIVATE_KEY]},
        {"PRIVATE_KEY": SHOP_PRIVATE_KEY.encode()},
        {"PRIVATE_KEY": f"-----BEGIN PUBLIC KEY-----\n{SHOP_PRIVATE_KEY}\n-----END PUBLIC KEY-----"},
        {"PRIVATE_KEY": f"-----BEGIN PRIVATE KEY-----\nProc-Type: 4\n{SHOP_PRIVATE_KEY}\n-----END PRIVATE KEY-----"},
        {"PRIVATE_KEY": lambda: f"{SHOP_PRIVATE_KEY}!"},
        {"PRIVATE_KEY_PATH": SHOP_PRIVATE_KEY},
        {"PRIVATE_KEY_PATH": [SHOP_PRIVATE_KEY, 5]},
        {"DANA_PUBLIC_KEY": SHOP_PRIVATE_KEY},
        {"DANA_PUBLIC_KEY": {SHOP_PRIVATE_KEY: SHOP_PRIVATE_KEY}},
        {"DANA_PUBLIC_KEY": f"{SHOP_PRIVATE_KEY}!"},
        {"DANA_PUBLIC_KEY_PATH": SHOP_PRIVATE_KEY},
    ],
)
def test_error_shows_no_secret__key_that_is_none(error_of: Any, options: dict[str, Any]) -> None:
    assert isinstance(error_of(read_all, **options), InvalidKey)


def test_error_shows_no_secret__account_that_is_no_dict(settings: Any) -> None:
    for setting in ({"default": [SHOP_PRIVATE_KEY]}, [SHOP_PRIVATE_KEY], SHOP_PRIVATE_KEY):
        settings.DANA = setting
        for act in (read_all, conf.accounts):
            if setting == {"default": [SHOP_PRIVATE_KEY]} and act is conf.accounts:
                continue
            with pytest.raises(ImproperlyConfigured) as caught:
                act()
            assert not any(SHOWN_OF_KEY in text for text in held(caught.value))


@pytest.mark.parametrize("alias", ["default", "nowhere"])
def test_error_shows_no_secret__unknown_account(settings: Any, alias: str) -> None:
    settings.DANA = {"toko": DEFAULT_ACCOUNT}
    with pytest.raises(UnknownAccount) as caught:
        conf.account(alias)
    assert not any(SHOWN_OF_KEY in text for text in held(caught.value))


def test_repr_shows_no_secret(account: Any) -> None:
    changed = account(PROXY=f"http://shop:{PASSWORD}@proxy.example:3128")
    for shown in (changed, conf.raw_accounts(), conf.raw_accounts()["default"], conf.accounts(), changed.private_key):
        assert SHOWN_OF_KEY not in repr(shown) + str(shown) + pprint.pformat(shown)
        assert PASSWORD not in repr(shown) + str(shown) + pprint.pformat(shown)


def test_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(Secret("s3cr3t"))


# -- the documentation ----------------------------------------------------------------------------------------------


def test_account_has_every_option() -> None:
    fields = {field.name.upper() for field in dataclasses.fields(conf.Account)}
    renamed = {"ALIAS", "NOTIFICATION_URLS", "NOTIFICATION_PATHS", "_OPTIONS"}
    assert fields == set(PLAIN) - {"NOTIFICATION_URL"} | renamed
    assert {"PRIVATE_KEY", "PRIVATE_KEY_PATH", "DANA_PUBLIC_KEY", "DANA_PUBLIC_KEY_PATH"} == NAMES - set(PLAIN)


def default_of(option: Option) -> str:
    """Return the default as the documentation shows it."""
    if option.is_required or option.default_doc:
        return option.default_doc or "required"
    if isinstance(option.default, timedelta):
        return SPANS[option.default]
    return f"``{json.dumps(option.default)}``" if isinstance(option.default, str) else f"``{option.default}``"


SPANS = {timedelta(minutes=30): "30 minutes", timedelta(hours=24): "24 hours", timedelta(days=90): "90 days"}


def test_documentation_lists_exactly_these_options() -> None:
    text = " ".join(DOCS.read_text(encoding="utf-8").split())
    rows = []
    for name, option in OPTIONS.items():
        names = f"``{name}`` or ``{option.path_name}``" if name in KEYS else f"``{name}``"
        rows.append(f"* - {names} - {default_of(option)} - {option.doc}")
    assert " ".join(["* - Option - Default - Meaning", *rows]) in text
