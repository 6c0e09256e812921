"""The ``DANA`` setting, typed and read when it is used, so that ``override_settings`` works everywhere."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from django_dana.conf import keys, raw
from django_dana.conf.options import OPTIONS, PLAIN, PRODUCTION, SANDBOX, Kind, Option
from django_dana.conf.raw import FunctionRaised, Options, Setting, place
from django_dana.exceptions import InvalidKey, UnknownAccount
from django_dana.protocol.secret import Secret

__all__ = [
    "BASE_URLS",
    "OPTIONS",
    "PRODUCTION",
    "SANDBOX",
    "SANDBOX_PUBLIC_KEY",
    "Account",
    "Accounts",
    "FunctionRaised",
    "account",
    "accounts",
    "raw_accounts",
]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account at DANA. Seconds are floats, keys are read only when they are needed (they may sit in a vault)."""

    alias: str
    environment: str
    merchant_id: str
    partner_id: str
    notification_urls: tuple[str, ...]
    #: The paths that the signature of a notification may cover: those of our public addresses, whatever a proxy does.
    notification_paths: tuple[str, ...]
    mcc: str
    base_url: str
    channel_id: str
    origin: str
    return_url: str | None
    return_schemes: tuple[str, ...]
    shop_name: str
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
    retention: timedelta
    proxy: Secret | None
    debug_mode: bool
    _options: Options = field(repr=False, compare=False)

    @property
    def is_sandbox(self) -> bool:
        """Whether no real money moves here."""
        return self.environment == SANDBOX

    @property
    def notification_url(self) -> str:
        """The address that is sent to DANA."""
        return self.notification_urls[0]

    @property
    def site(self) -> str:
        """Scheme and host under which buyers reach this shop."""
        parts = urlsplit(self.notification_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def private_key(self) -> Secret:
        """The text of our private key.

        Raises:
            InvalidKey: there is none, or it can't be read.
            FunctionRaised: its function raised.
        """
        texts = keys.texts(self._options, "PRIVATE_KEY")
        if len(texts) != 1:
            raise InvalidKey(f"{len(texts)} private keys are set; exactly one is needed")
        return texts[0]

    @property
    def public_keys(self) -> tuple[Secret, ...]:
        """The texts of DANA's public keys, several while keys rotate. Raises what private_key raises.

        They are no secret, but what stands there by mistake may be one.
        """
        texts = keys.texts(self._options, "DANA_PUBLIC_KEY")
        if not texts and self.is_sandbox:
            return (Secret(SANDBOX_PUBLIC_KEY),)
        if not texts:
            raise InvalidKey("no public key of DANA is set, and there is no default in production")
        return texts


@dataclass(frozen=True, slots=True)
class Accounts:
    """All accounts that can be used, in the order of the setting; iterating gives them.

    Attributes:
        by_alias: the same by their alias.
        unusable: why the others can't be used, by alias; without anything that the setting holds.
    """

    by_alias: Mapping[str, Account]
    unusable: Mapping[str, str]

    def __iter__(self) -> Iterator[Account]:
        return iter(self.by_alias.values())

    def __len__(self) -> int:
        return len(self.by_alias)


def raw_accounts() -> Setting:
    """Return the DANA setting as the shop wrote it, or as its function returns it, by alias.

    Raises:
        FunctionRaised: that function can't be imported, or it raised.
        ImproperlyConfigured: the setting is no dict.
    """
    return raw.read()


def account(alias: str) -> Account:
    """Return the account of that alias.

    Raises:
        UnknownAccount: the setting has none.
        ImproperlyConfigured: it can't be used (``manage.py check`` says so beforehand).
    """
    try:
        options = raw.read()[alias]
    except KeyError:
        raise UnknownAccount(f"The DANA setting has no account {alias!r}.") from None
    return _account(options)


def accounts() -> Accounts:
    """Return all accounts. One that can't be used is no reason to lose the others.

    Raises:
        ImproperlyConfigured: the setting as a whole can't be read.
    """
    by_alias, unusable = {}, {}
    setting = raw.read()
    for alias in setting:
        try:
            by_alias[alias] = _account(setting[alias])
        except ImproperlyConfigured as error:
            unusable[alias] = str(error)
    return Accounts(by_alias, unusable)


# -- building ---------------------------------------------------------------------------------------------------------

# By alias: an account is built again only when one of its options is another one than before, which costs less to
# find out. Where a function gives an option, it is built each time.
_built: Final[dict[str, tuple[Options, Account]]] = {}

_TYPES: Final[Mapping[Kind, type | tuple[type, ...]]] = {
    Kind.TERMINAL_TYPE: str,
    Kind.TEXT: str,
    Kind.HEADER: str,
    Kind.ADDRESS: str,
    Kind.HOST: str,
    Kind.SECONDS: (int, float),
    Kind.COUNT: int,
    Kind.SPAN: timedelta,
    Kind.FLAG: bool,
}


def _account(options: Options) -> Account:
    built = _built.get(options.alias)
    if built is not None and built[0].equals(options):
        return built[1]
    options = options.snapshot()
    built = options, _build(options)
    if not options.has_functions():
        _built[options.alias] = built
    return built[1]


def _build(options: Options) -> Account:
    values = {option.name.lower(): _read(options, option) for option in PLAIN.values()}
    urls = values.pop("notification_url")
    return Account(
        alias=options.alias,
        notification_urls=urls,
        notification_paths=tuple(dict.fromkeys(urlsplit(url).path for url in urls)),
        **{**values, "base_url": (values["base_url"] or BASE_URLS[values["environment"]]).rstrip("/")},
        _options=options,
    )


def _read(options: Options, option: Option) -> Any:
    if option.kind is Kind.PROXY:
        return _proxy(options, option)
    value = options.value(option.name)
    if option.is_required and not value:
        raise ImproperlyConfigured(f"DANA[{options.alias!r}] has no {option.name}.")
    if value is None and option.default is None:
        return None
    converted = _CONVERTED.get(option.kind, _checked)(value, option.kind)
    if converted is None:
        # it may be a key in the wrong place
        del value
        raise _unusable(options, option)
    return converted


def _proxy(options: Options, option: Option) -> Secret | None:
    texts = options.secrets(option.name)
    if texts is None or len(texts) > 1 or not all(_is_http(text.reveal()) for text in texts):
        raise _unusable(options, option)
    return texts[0] if texts else None


def _is_http(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def _unusable(options: Options, option: Option) -> ImproperlyConfigured:
    if option.kind is Kind.ENVIRONMENT:
        return ImproperlyConfigured(f"{place(options.alias, option.name)} is neither 'sandbox' nor 'production'.")
    return ImproperlyConfigured(f"{place(options.alias, option.name)} can't be used; manage.py check says why.")


# Each returns the value as an Account has it, or None where it is of a type that can't be used.


def _checked(value: Any, kind: Kind) -> Any:
    return value if isinstance(value, _TYPES[kind]) else None


def _environment(value: Any, kind: Kind) -> str | None:
    return value if isinstance(value, str) and value in BASE_URLS else None


def _delays(value: Any, kind: Kind) -> tuple[float, ...] | None:
    is_usable = isinstance(value, list | tuple) and all(isinstance(item, int | float) for item in value)
    return tuple(value) or None if is_usable else None


def _schemes(value: Any, kind: Kind) -> tuple[str, ...] | None:
    is_usable = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    return tuple(value) if is_usable else None


def _addresses(value: Any, kind: Kind) -> tuple[str, ...] | None:
    urls = tuple(value) if isinstance(value, list | tuple) else (value,)
    return urls if all(_is_address(url) for url in urls) else None


def _is_address(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(urlsplit(value).netloc)
    except ValueError:
        return False


_CONVERTED: Final[Mapping[Kind, Callable[[Any, Kind], Any]]] = {
    Kind.ENVIRONMENT: _environment,
    Kind.DELAYS: _delays,
    Kind.GROWING_DELAYS: _delays,
    Kind.SCHEMES: _schemes,
    Kind.ADDRESSES: _addresses,
}
