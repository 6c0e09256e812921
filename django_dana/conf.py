"""The ``DANA`` setting, typed and read when it is used, so that ``override_settings`` works everywhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_dana.exceptions import InvalidKey, UnknownAccount

SANDBOX: Final = "sandbox"
PRODUCTION: Final = "production"

# DANA's hosts, the same in its five SDKs (its Python SDK says http for sandbox; https answers there too).
BASE_URLS: Final = {
    SANDBOX: "https://api.sandbox.dana.id",
    PRODUCTION: "https://api.saas.dana.id",
}

# DANA's public constant for notifications in sandbox, the same in its five SDKs and on its authentication page.
SANDBOX_PUBLIC_KEY: Final = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAnaKVGRbin4Wh4KN35OPhytJBjYTz7QZKSZjmHfiHxFmulfT87rta+IvG"
    "J0rCBgg+1EtKk1hX8G5gPGJs1htJ5jHa3/jCk9l+luzjnuT9UVlwJahvzmFw+IoDoM7hIPjsLtnIe04SgYo0tZBpEmkQvUGhmHPq"
    "YnUGSSMIpDLJDvbyr8gtwluja1SbRphgDCoYVXq+uUJ5HzPS049aaxTSnfXh/qXuDoB9EzCrgppLDS2ubmk21+dr7WaO/3RFjnwx"
    "5ouv6w+iC1XOJKar3CTkX6JV1OSST1C9sbPGzMHZ8AGB51BM0mok7davD/5irUk+f0C25OgzkwtxAt80dkDo/QIDAQAB"
)

REQUIRED: Final = ("ENVIRONMENT", "MERCHANT_ID", "PARTNER_ID", "NOTIFICATION_URL", "MCC")

# Each may also be given as NAME_PATH, one file or (public) several; a path wins, as in DANA's SDKs.
KEY_OPTIONS: Final = ("PRIVATE_KEY", "DANA_PUBLIC_KEY")

DEFAULTS: Final[Mapping[str, Any]] = {
    "BASE_URL": None,
    "CHANNEL_ID": "95221",
    "ORIGIN": "",
    "RETURN_URL": None,
    "SUB_MERCHANT_ID": "",
    "EXTERNAL_STORE_ID": "",
    "TERMINAL_TYPE": "SYSTEM",
    "TIMEOUT": 8.0,
    "MAX_ATTEMPTS": 3,
    "ATTEMPT_DELAYS": [2, 5],
    "ORDER_LIFETIME": timedelta(minutes=30),
    "PENDING_DELAYS": [30, 60, 300, 900, 3600],
    "CANCEL_GIVE_UP_AFTER": timedelta(hours=24),
    "RETRY_FAILED": True,
    "PROXY": None,
    "DEBUG_MODE": False,
}

OPTIONS: Final = frozenset(
    {*REQUIRED, *KEY_OPTIONS, *(f"{name}_PATH" for name in KEY_OPTIONS), *DEFAULTS},
)


@dataclass(frozen=True, slots=True)
class Account:
    """One account at DANA. Seconds are floats, keys are read only when they are needed (they may sit in a vault)."""

    alias: str
    environment: str
    merchant_id: str
    partner_id: str
    notification_url: str
    mcc: str
    base_url: str
    channel_id: str
    origin: str
    return_url: str | None
    sub_merchant_id: str
    external_store_id: str
    terminal_type: str
    timeout: float
    max_attempts: int
    attempt_delays: tuple[float, ...]
    order_lifetime: timedelta
    pending_delays: tuple[float, ...]
    cancel_give_up_after: timedelta
    retry_failed: bool
    proxy: str | None
    debug_mode: bool
    _private_key: Callable[[], list[str]]
    _public_keys: Callable[[], list[str]]

    @property
    def is_sandbox(self) -> bool:
        """Whether no real money moves here."""
        return self.environment == SANDBOX

    @property
    def private_key(self) -> str:
        """The text of our private key. Raises InvalidKey when there is none."""
        texts = self._private_key()
        if len(texts) != 1:
            raise InvalidKey(f"{len(texts)} private keys are set; exactly one is needed")
        return texts[0]

    @property
    def public_keys(self) -> list[str]:
        """The texts of DANA's public keys, several while keys rotate. Raises InvalidKey when there is none."""
        texts = self._public_keys()
        if not texts and self.is_sandbox:
            return [SANDBOX_PUBLIC_KEY]
        if not texts:
            raise InvalidKey("no public key of DANA is set, and there is no default in production")
        return texts

    @property
    def notification_path(self) -> str:
        """The path that the signature of a notification covers: that of our public URL, whatever a proxy does."""
        return urlsplit(self.notification_url).path

    @property
    def site(self) -> str:
        """Scheme and host under which buyers reach this shop."""
        parts = urlsplit(self.notification_url)
        return f"{parts.scheme}://{parts.netloc}"


def raw_accounts() -> Mapping[str, Any]:
    """Return the DANA setting as the shop wrote it, or as its callable returns it, by alias."""
    value = getattr(settings, "DANA", {})
    return import_string(value)() if isinstance(value, str) else value


def account(alias: str) -> Account:
    """Return the account of that alias.

    Raises:
        UnknownAccount: the setting has none.
        ImproperlyConfigured: it lacks a required option (``manage.py check`` says so beforehand).
    """
    try:
        options = raw_accounts()[alias]
    except KeyError:
        raise UnknownAccount(f"The DANA setting has no account {alias!r}.") from None
    return _account(alias, options)


def accounts() -> list[Account]:
    """Return all accounts, in the order of the setting."""
    return [_account(alias, options) for alias, options in raw_accounts().items()]


def option(options: Mapping[str, Any], name: str) -> Any:
    """Return one option that is no key: its value, what its callable returns, or its default."""
    value = options.get(name, DEFAULTS.get(name))
    return value() if callable(value) else value


def key_texts(options: Mapping[str, Any], name: str) -> list[str]:
    """Return the texts of a key option: those of the files it names, or those it holds.

    Raises:
        InvalidKey: a file can't be read.
    """
    paths = _as_list(option(options, f"{name}_PATH"))
    if not paths:
        return _as_list(option(options, name))
    try:
        return [Path(path).read_text(encoding="ascii") for path in paths]
    except (OSError, TypeError, ValueError) as error:
        raise InvalidKey(f"the file of {name}_PATH can't be read ({type(error).__name__})") from None


def _as_list(value: Any) -> list[Any]:
    if not value:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]


def _account(alias: str, options: Mapping[str, Any]) -> Account:
    values = {name: option(options, name) for name in (*REQUIRED, *DEFAULTS)}
    for name in REQUIRED:
        if not values[name]:
            raise ImproperlyConfigured(f"DANA[{alias!r}] has no {name}.")
    if values["ENVIRONMENT"] not in BASE_URLS:
        raise ImproperlyConfigured(f"DANA[{alias!r}]['ENVIRONMENT'] is neither 'sandbox' nor 'production'.")
    return Account(
        alias=alias,
        environment=values["ENVIRONMENT"],
        merchant_id=values["MERCHANT_ID"],
        partner_id=values["PARTNER_ID"],
        notification_url=values["NOTIFICATION_URL"],
        mcc=values["MCC"],
        base_url=(values["BASE_URL"] or BASE_URLS[values["ENVIRONMENT"]]).rstrip("/"),
        channel_id=values["CHANNEL_ID"],
        origin=values["ORIGIN"],
        return_url=values["RETURN_URL"],
        sub_merchant_id=values["SUB_MERCHANT_ID"],
        external_store_id=values["EXTERNAL_STORE_ID"],
        terminal_type=values["TERMINAL_TYPE"],
        timeout=values["TIMEOUT"],
        max_attempts=values["MAX_ATTEMPTS"],
        attempt_delays=tuple(values["ATTEMPT_DELAYS"]),
        order_lifetime=values["ORDER_LIFETIME"],
        pending_delays=tuple(values["PENDING_DELAYS"]),
        cancel_give_up_after=values["CANCEL_GIVE_UP_AFTER"],
        retry_failed=values["RETRY_FAILED"],
        proxy=values["PROXY"],
        debug_mode=values["DEBUG_MODE"],
        _private_key=lambda: key_texts(options, "PRIVATE_KEY"),
        _public_keys=lambda: key_texts(options, "DANA_PUBLIC_KEY"),
    )
