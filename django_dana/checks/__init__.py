"""System checks: an account that is wrong is an error with an id, never a traceback in the first payment.

:class:`Finding` holds all that can be found. No message shows a value of the setting: it might be a key in the wrong
place. Sources of lengths and limits: DANA's pages *Create Order* and *Cancel Order*, and its SDKs.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import Error as DatabaseError
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse

from django_dana import conf, tasks, timing
from django_dana.conf import DEFAULTS, KEY_OPTIONS, OPTIONS, PRODUCTION, REQUIRED, SANDBOX
from django_dana.exceptions import InvalidKey
from django_dana.protocol import signing

TAG: Final = "django_dana"


class Finding(Enum):
    """What can be found: its id, what is wrong, and what to do. ``{where}`` is the place in the setting."""

    NO_SETTING = (
        "E001",
        "There is no DANA setting.",
        'Add DANA = {"default": {...}} to your settings, or take django_dana out of INSTALLED_APPS.',
    )
    NOT_A_DICT = (
        "E002",
        "The DANA setting is neither a dict of accounts nor the dotted path of a function that returns one.",
        'Write it like DATABASES: {"default": {"ENVIRONMENT": "sandbox", ...}}.',
    )
    BAD_PATH = (
        "E003",
        "The function that the DANA setting names could not be imported or called ({error}).",
        "Correct the dotted path, or call the function in a shell to see what it raises.",
    )
    NO_DEFAULT = (
        "E004",
        'The DANA setting has no account "default".',
        "Name the account that is used when none is given: default.",
    )
    BAD_ALIAS = (
        "E005",
        "An alias in the DANA setting is not text of 1 to 100 characters.",
        "Orders keep the alias of their account; choose a short name.",
    )
    ACCOUNT_NOT_A_DICT = (
        "E006",
        "{where} is not a dict.",
        "Give the options of this account as a dict.",
    )
    UNKNOWN_OPTION = (
        "E007",
        "{where} is not an option{suggestion}.",
        "Correct the name; what is not an option has no effect.",
    )
    MISSING_OPTION = (
        "E008",
        "{where} is missing or empty.",
        "Take it from DANA's merchant portal, or leave the option out where it has a default.",
    )
    OPTION_RAISED = (
        "E009",
        "{where} is a function that raised {error}.",
        "Call the function in a shell to see what is wrong; what it said is not shown, since it may hold a secret.",
    )
    ENVIRONMENT = (
        "E010",
        "{where} is neither sandbox nor production.",
        "Say which of the two the account belongs to; it is never guessed.",
    )
    NOT_TEXT = (
        "E011",
        "{where} is not text.",
        "Write it in quotes, numbers too.",
    )
    UNCLEAN = (
        "E012",
        "{where} begins or ends with whitespace, or holds a control character.",
        "Look for a line break or a blank that came along when it was copied.",
    )
    NOT_ASCII = (
        "E013",
        "{where} holds a character that cannot stand in an HTTP header.",
        "Use letters, digits and punctuation of ASCII only.",
    )
    TOO_LONG = (
        "E014",
        "{where} has more than the {longest} characters that DANA takes.",
        "Compare it with DANA's merchant portal.",
    )
    NOT_AN_ADDRESS = (
        "E015",
        "{where} is not an absolute http or https address.",
        "Write the whole address, such as https://shop.example/path.",
    )
    BASE_URL = (
        "E016",
        "{where} has more than scheme, host and port.",
        "Leave out path, query and user; DANA's paths are added.",
    )
    NOT_HTTPS = (
        "E017",
        "{where} is not an https address, and the account is a production one.",
        "Use https; payments must not travel in the open.",
    )
    TIMEOUT = (
        "E018",
        "{where} is not a number of seconds above 0 and at most 60.",
        "DANA expects 8; it is the time for a whole call.",
    )
    MAX_ATTEMPTS = (
        "E019",
        "{where} is not a whole number of at least 1.",
        "DANA says 3, the first call included.",
    )
    DELAYS = (
        "E020",
        "{where} is not a list of seconds, each above 0 and at most a week.",
        "Give at least one number; the last one repeats.",
    )
    SHRINKING_DELAYS = (
        "E021",
        "{where} has a delay that is shorter than the one before it.",
        "Let the delays grow, so that DANA is called less and less often.",
    )
    NOT_A_SPAN = (
        "E022",
        "{where} is not a timedelta above 0 and at most a year.",
        "Write timedelta(minutes=30), for example.",
    )
    NOT_A_BOOL = (
        "E023",
        "{where} is neither True nor False.",
        "A text such as 'False' from the environment counts as true; convert it.",
    )
    TERMINAL_TYPE = (
        "E024",
        "{where} is none of APP, WEB, WAP and SYSTEM.",
        "Use SYSTEM unless DANA told you otherwise.",
    )
    DEBUG_IN_PRODUCTION = (
        "E025",
        "{where} is on, and the account is a production one.",
        "Take it out; DANA offers X-Debug-Mode in sandbox only.",
    )
    NO_PRIVATE_KEY = (
        "E026",
        "{where} and PRIVATE_KEY_PATH are both missing.",
        "Give the private key of this account in one of the two.",
    )
    PRIVATE_KEY = (
        "E027",
        "{where} holds no usable private key: {reason}.",
        "Give your own RSA key of 2048 bits as PEM or base64, PKCS#8 or PKCS#1.",
    )
    PUBLIC_KEY = (
        "E028",
        "{where} holds no usable public key: {reason}.",
        "Give DANA's RSA key, as PEM or base64, or leave it out in sandbox.",
    )
    NO_PUBLIC_KEY = (
        "E029",
        "{where} and DANA_PUBLIC_KEY_PATH are both missing, and the account is a production one.",
        "Ask DANA for its production key; without it no notification can be trusted.",
    )
    OWN_KEY = (
        "E030",
        "{where} is the public half of your own private key.",
        "Put DANA's key there: notifications are signed by DANA, so your key fits none of them.",
    )
    NO_RETURN_ROUTE = (
        "E031",
        "{where} is not set, and the route django_dana:return is missing.",
        'Add path("dana/", include("django_dana.urls")) to your URLs, or set RETURN_URL.',
    )

    MANY_ATTEMPTS = (
        "W001",
        "{where} is more than 3.",
        "DANA says at most 3 attempts, the first call included.",
    )
    LONG_LIFETIME = (
        "W002",
        "{where} is longer than DANA takes: 30 minutes in sandbox, a week in production.",
        "Shorten it, or DANA may refuse the orders.",
    )
    LONG_CHANNEL_ID = (
        "W003",
        "{where} has more than the 5 characters that DANA documents.",
        "DANA has been seen to take longer ones; leave the option out unless DANA gave you one.",
    )
    SANDBOX_KEY = (
        "W004",
        "{where} is DANA's sandbox key, and the account is a production one.",
        "Ask DANA whether production has a key of its own; DANA has not said so in public.",
    )
    DECORATED_ADDRESS = (
        "W005",
        "{where} has a query, a fragment, a user, a percent sign or a character outside ASCII.",
        "Use a plain path; whether DANA's signature covers the rest is not known.",
    )
    OTHER_ROUTE = (
        "W006",
        "The path of {where} does not lead to the route django_dana:notify.",
        "Correct it, unless a proxy in front of Django rewrites the path.",
    )
    NO_ROUTES = (
        "W007",
        "The route django_dana:notify is missing, so notifications are not heard here.",
        'Add path("dana/", include("django_dana.urls")) to your URLs.',
    )
    SSL_REDIRECT = (
        "W008",
        "SECURE_SSL_REDIRECT may redirect DANA's notifications, and DANA does not follow a redirect.",
        "Behind a proxy set SECURE_PROXY_SSL_HEADER, or name the path in SECURE_REDIRECT_EXEMPT.",
    )
    MIXED_ENVIRONMENTS = (
        "W009",
        "{where} is also the merchant of an account of the other environment.",
        "A merchant id belongs to one environment; compare both with DANA's merchant portal.",
    )
    DATABASE_SILENT = (
        "W010",
        "{where} comes from a function that could not read the database ({error}).",
        "Before the first migrate this is normal; run the checks again afterwards.",
    )
    OTHER_HOST = (
        "W011",
        "{where} is set, and the account is a production one, so payments do not go to DANA's own host.",
        "Take it out, unless a gateway of yours stands in between.",
    )
    SILENT_REDIS = (
        "W012",
        "Celery's Redis transport has no socket_timeout and socket_connect_timeout of at most {limit} seconds.",
        "Set both in broker_transport_options: a buyer waits as long as a broker that does not answer.",
    )
    SILENT_BROKER = (
        "W013",
        "Celery's broker_connection_timeout is more than {limit} seconds.",
        "Make it shorter: a buyer waits as long as a broker that does not answer.",
    )
    VISIBILITY = (
        "W014",
        "Celery's visibility_timeout is shorter than the {limit} seconds that a task of ours may take.",
        "Make it longer, or messages come back while their task still runs. They do no harm, only work.",
    )
    NO_TIME_LIMIT = (
        "W015",
        "Celery's task_time_limit is not set, or shorter than the {limit} seconds that a task of ours may take.",
        "Set it a little longer: without it, a receiver of your shop that hangs holds a worker for ever.",
    )
    EAGER = (
        "W016",
        "Celery's task_always_eager is set, so buyers wait while DANA is called, and nothing is tried again.",
        "Take it out; it is for tests.",
    )

    def __init__(self, code: str, message: str, hint: str) -> None:
        self.id = f"{TAG}.{code}"
        self.message = message
        self.hint = hint
        self.kind = Error if code.startswith("E") else Warning

    def at(self, where: str = "DANA", **details: object) -> CheckMessage:
        """Return it as a check message about a place in the setting."""
        return self.kind(self.message.format(where=where, **details), hint=self.hint, id=self.id)


# -- what holds for one option ------------------------------------------------------------------------------------

_DAY: Final = 86_400
_LONGEST_DELAY: Final = 7 * _DAY
_LONGEST_SPAN: Final = timedelta(days=365)
_LONGEST_LIFETIME: Final = {SANDBOX: timedelta(minutes=30), PRODUCTION: timedelta(days=7)}
_LONGEST_CHANNEL_ID: Final = 5
_LONGEST_ALIAS: Final = 100
_LONGEST_SILENCE: Final = 2.0
_LONGEST_NAME_SHOWN: Final = 40

_LENGTHS: Final = {
    "MERCHANT_ID": 64,
    "PARTNER_ID": 36,
    "MCC": 64,
    "NOTIFICATION_URL": 512,
    "RETURN_URL": 512,
    "SUB_MERCHANT_ID": 32,
    "EXTERNAL_STORE_ID": 64,
}
_HEADERS: Final = ("PARTNER_ID", "CHANNEL_ID", "ORIGIN")
_ADDRESSES: Final = ("NOTIFICATION_URL", "BASE_URL", "RETURN_URL", "PROXY")
_TEXTS: Final = tuple(dict.fromkeys((*_LENGTHS, *_HEADERS, *_ADDRESSES)))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_clean(value: str) -> bool:
    return value == value.strip() and not re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", value)


def _is_number(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most


def _is_delays(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(_is_number(item, _LONGEST_DELAY) for item in value)


def _is_span(value: Any) -> bool:
    return isinstance(value, timedelta) and timedelta(0) < value <= _LONGEST_SPAN


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        usable_port = parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and usable_port and " " not in value


def _is_bare(value: str) -> bool:
    parts = urlsplit(value)
    return parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username or parts.password)


def _fits(name: str) -> Callable[[str], bool]:
    return lambda value: len(value) <= _LENGTHS[name]


# In this order; of each option only the first problem is told.
_RULES: Final[Sequence[tuple[Finding, Iterable[str], Callable[[Any], bool]]]] = (
    (Finding.ENVIRONMENT, ("ENVIRONMENT",), lambda value: value in (SANDBOX, PRODUCTION)),
    (Finding.NOT_TEXT, _TEXTS, _is_text),
    (Finding.UNCLEAN, _TEXTS, _is_clean),
    (Finding.NOT_ASCII, _HEADERS, str.isascii),
    *((Finding.TOO_LONG, (name,), _fits(name)) for name in _LENGTHS),
    (Finding.NOT_AN_ADDRESS, _ADDRESSES, _is_address),
    (Finding.BASE_URL, ("BASE_URL",), _is_bare),
    (Finding.TIMEOUT, ("TIMEOUT",), lambda value: _is_number(value, 60)),
    (Finding.MAX_ATTEMPTS, ("MAX_ATTEMPTS",), lambda value: type(value) is int and value >= 1),
    (Finding.DELAYS, ("ATTEMPT_DELAYS", "PENDING_DELAYS"), _is_delays),
    (Finding.SHRINKING_DELAYS, ("PENDING_DELAYS",), lambda value: list(value) == sorted(value)),
    (Finding.NOT_A_SPAN, ("ORDER_LIFETIME", "CANCEL_GIVE_UP_AFTER"), _is_span),
    (Finding.NOT_A_BOOL, ("RETRY_FAILED", "DEBUG_MODE"), lambda value: isinstance(value, bool)),
    (Finding.TERMINAL_TYPE, ("TERMINAL_TYPE",), lambda value: value in ("APP", "WEB", "WAP", "SYSTEM")),
    (Finding.MANY_ATTEMPTS, ("MAX_ATTEMPTS",), lambda value: value <= DEFAULTS["MAX_ATTEMPTS"]),
    (Finding.LONG_CHANNEL_ID, ("CHANNEL_ID",), lambda value: len(value) <= _LONGEST_CHANNEL_ID),
)

_MAY_BE_EMPTY: Final = frozenset(name for name, default in DEFAULTS.items() if default is None or default == "")


# -- the checks ---------------------------------------------------------------------------------------------------


@register(TAG)
def check_setting(**kwargs: Any) -> list[CheckMessage]:
    """Check the setting and the routes; keys that a function hands out are left to :func:`check_vault`."""
    messages: list[CheckMessage] = []
    accounts = list(_read_accounts(messages))
    for account in accounts:
        messages += _check_environment(account)
        messages += _check_keys(account, in_vault=False)
        messages += _check_routes(account)
    return [*messages, *_check_merchants(accounts), *_check_project()]


@register(TAG, Tags.security, deploy=True)
def check_vault(**kwargs: Any) -> list[CheckMessage]:
    """Check the keys that functions hand out (the vault need not be there before), and what real money asks for."""
    messages: list[CheckMessage] = []
    for account in _read_accounts([]):
        messages += _check_keys(account, in_vault=True)
        if account.is_production and account.values.get("BASE_URL"):
            messages.append(Finding.OTHER_HOST.at(account.place("BASE_URL")))
    return messages


@register(TAG, deploy=True)
def check_celery(**kwargs: Any) -> list[CheckMessage]:
    """Warn where the shop's Celery settings would let a buyer wait, or a worker hang."""
    broker = tasks.broker()
    found = {
        Finding.SILENT_REDIS: broker.transport.startswith("redis")
        and not (_is_short(broker.socket_timeout) and _is_short(broker.socket_connect_timeout)),
        Finding.SILENT_BROKER: broker.transport.startswith(("amqp", "pyamqp"))
        and not _is_short(broker.connection_timeout),
        Finding.VISIBILITY: broker.transport.startswith("redis") and broker.visibility_timeout < timing.LONGEST_TASK,
        Finding.NO_TIME_LIMIT: (broker.task_time_limit or 0) < timing.LONGEST_TASK,
        Finding.EAGER: broker.is_eager,
    }
    limits = {
        Finding.SILENT_REDIS: _LONGEST_SILENCE,
        Finding.SILENT_BROKER: _LONGEST_SILENCE,
        Finding.VISIBILITY: timing.LONGEST_TASK,
        Finding.NO_TIME_LIMIT: timing.LONGEST_TASK,
    }
    return [finding.at(limit=f"{limits.get(finding, 0):g}") for finding, is_so in found.items() if is_so]


def _is_short(seconds: float | None) -> bool:
    return seconds is not None and seconds <= _LONGEST_SILENCE


# -- reading ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Account:
    """An account as far as it can be read: ``values`` holds the options in which no error was found."""

    alias: str
    options: Mapping[str, Any]
    values: Mapping[str, Any]

    @property
    def is_production(self) -> bool:
        return self.values.get("ENVIRONMENT") == PRODUCTION

    def place(self, name: str) -> str:
        return _place(self.alias, name)


def _place(alias: str, *names: str) -> str:
    return "".join(["DANA", *(f'["{name}"]' for name in (alias, *names))])


class _Raised(Exception):
    """A function of the shop raised. Only the type of its error is kept: the text may hold a secret."""

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.is_database = isinstance(error, DatabaseError)

    def finding(self, otherwise: Finding, where: str = "DANA") -> CheckMessage:
        return (Finding.DATABASE_SILENT if self.is_database else otherwise).at(where, error=self)


@contextmanager
def _calling_the_shop(*own_errors: type[Exception]) -> Iterator[None]:
    """Turn what a function of the shop raises into _Raised, and let errors of our own pass."""
    try:
        yield
    except own_errors:
        raise
    except Exception as error:  # noqa: BLE001  a check tells what is wrong, whatever it is, and never raises
        raise _Raised(error) from None


def _read_accounts(messages: list[CheckMessage]) -> Iterator[_Account]:
    """Yield every account that is one; what is wrong with the others, and with single options, goes to messages."""
    for alias, options in _raw_accounts(messages).items():
        if not isinstance(alias, str) or not 0 < len(alias) <= _LONGEST_ALIAS:
            messages.append(Finding.BAD_ALIAS.at())
        elif not isinstance(options, Mapping):
            messages.append(Finding.ACCOUNT_NOT_A_DICT.at(_place(alias)))
        else:
            messages += _check_names(alias, options)
            yield _Account(alias, options, dict(_read_options(alias, options, messages)))


def _raw_accounts(messages: list[CheckMessage]) -> Mapping[Any, Any]:
    if not hasattr(settings, "DANA"):
        messages.append(Finding.NO_SETTING.at())
        return {}
    try:
        with _calling_the_shop():
            accounts: Any = conf.raw_accounts()
    except _Raised as raised:
        messages.append(raised.finding(Finding.BAD_PATH))
        return {}
    if not isinstance(accounts, Mapping):
        messages.append(Finding.NOT_A_DICT.at())
        return {}
    if "default" not in accounts:
        messages.append(Finding.NO_DEFAULT.at())
    return accounts


def _check_names(alias: str, options: Mapping[Any, Any]) -> Iterator[CheckMessage]:
    for name in options:
        if name not in OPTIONS:
            shown = name if isinstance(name, str) and len(name) <= _LONGEST_NAME_SHOWN else "..."
            similar = difflib.get_close_matches(shown.upper(), sorted(OPTIONS), n=1)
            suggestion = f" (did you mean {similar[0]}?)" if similar else ""
            yield Finding.UNKNOWN_OPTION.at(_place(alias, shown), suggestion=suggestion)


def _read_options(alias: str, options: Mapping[str, Any], messages: list[CheckMessage]) -> Iterator[tuple[str, Any]]:
    for name in (*REQUIRED, *DEFAULTS):
        try:
            with _calling_the_shop():
                value = conf.option(options, name)
        except _Raised as raised:
            messages.append(raised.finding(Finding.OPTION_RAISED, _place(alias, name)))
            continue
        finding = _judge(name, value)
        if finding is None:
            yield name, value
        else:
            messages.append(finding.at(_place(alias, name), longest=_LENGTHS.get(name)))


def _judge(name: str, value: Any) -> Finding | None:
    """Return the first thing that is wrong with the value of an option, if any."""
    if value is None or value == "":
        return None if name in _MAY_BE_EMPTY else Finding.MISSING_OPTION
    return next((finding for finding, names, holds in _RULES if name in names and not holds(value)), None)


# -- what must fit together ---------------------------------------------------------------------------------------


def _check_environment(account: _Account) -> Iterator[CheckMessage]:
    values = account.values
    lifetime = values.get("ORDER_LIFETIME")
    if lifetime and lifetime > _LONGEST_LIFETIME.get(values.get("ENVIRONMENT", ""), lifetime):
        yield Finding.LONG_LIFETIME.at(account.place("ORDER_LIFETIME"))
    if not account.is_production:
        return
    for name in ("NOTIFICATION_URL", "BASE_URL"):
        if urlsplit(values.get(name) or "https:").scheme != "https":
            yield Finding.NOT_HTTPS.at(account.place(name))
    if values.get("DEBUG_MODE"):
        yield Finding.DEBUG_IN_PRODUCTION.at(account.place("DEBUG_MODE"))


def _check_merchants(accounts: Sequence[_Account]) -> Iterator[CheckMessage]:
    environments: dict[Any, set[Any]] = {}
    for account in accounts:
        environments.setdefault(account.values.get("MERCHANT_ID"), set()).add(account.values.get("ENVIRONMENT"))
    for account in accounts:
        merchant_id = account.values.get("MERCHANT_ID")
        if merchant_id and {SANDBOX, PRODUCTION} <= environments[merchant_id]:
            yield Finding.MIXED_ENVIRONMENTS.at(account.place("MERCHANT_ID"))


# -- keys -----------------------------------------------------------------------------------------------------------


class _BadKey(Exception):
    """A key option can't be used; carries the message."""

    def __init__(self, message: CheckMessage) -> None:
        super().__init__(message.id)
        self.message = message


def _check_keys(account: _Account, *, in_vault: bool) -> Iterator[CheckMessage]:
    """Check the keys that functions hand out, or the others; a pair is compared as soon as both may be read."""
    from_vault = [name for name in KEY_OPTIONS if _comes_from_function(account, name)]
    told = from_vault if in_vault else [name for name in KEY_OPTIONS if name not in from_vault]
    keys: dict[str, list[RSAPublicKey]] = {}
    for name in KEY_OPTIONS if in_vault and from_vault else told:
        try:
            keys[name] = _read_public_halves(account, name)
        except _BadKey as bad:
            if name in told:
                yield bad.message
    own, danas = keys.get("PRIVATE_KEY", []), keys.get("DANA_PUBLIC_KEY", [])
    if any(key in own for key in danas):
        yield Finding.OWN_KEY.at(_key_place(account, "DANA_PUBLIC_KEY"))
    if account.is_production and "DANA_PUBLIC_KEY" in told and _SANDBOX_KEY in danas:
        yield Finding.SANDBOX_KEY.at(_key_place(account, "DANA_PUBLIC_KEY"))


def _comes_from_function(account: _Account, name: str) -> bool:
    path = account.options.get(f"{name}_PATH")
    return callable(path) or (not path and callable(account.options.get(name)))


def _key_place(account: _Account, name: str) -> str:
    return account.place(f"{name}_PATH" if account.options.get(f"{name}_PATH") else name)


def _read_public_halves(account: _Account, name: str) -> list[RSAPublicKey]:
    """Return the public keys of an option, or the public half of its private key; raise _BadKey with what is wrong."""
    where = _key_place(account, name)
    try:
        with _calling_the_shop(InvalidKey):
            texts = conf.key_texts(account.options, name)
        if name == "PRIVATE_KEY":
            return _private_halves(texts, where)
        if not texts and account.is_production:
            raise _BadKey(Finding.NO_PUBLIC_KEY.at(where))
        return [signing.load_public_key(_text(text)) for text in texts]
    except InvalidKey as error:
        finding = Finding.PRIVATE_KEY if name == "PRIVATE_KEY" else Finding.PUBLIC_KEY
        raise _BadKey(finding.at(where, reason=error)) from None
    except _Raised as raised:
        raise _BadKey(raised.finding(Finding.OPTION_RAISED, where)) from None


def _private_halves(texts: Sequence[Any], where: str) -> list[RSAPublicKey]:
    if not texts:
        raise _BadKey(Finding.NO_PRIVATE_KEY.at(where))
    if len(texts) > 1:
        raise InvalidKey(f"{len(texts)} keys are set; exactly one is needed")
    return [signing.load_private_key(_text(texts[0])).public_key()]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidKey("it is not text")
    return value


_SANDBOX_KEY: Final = signing.load_public_key(conf.SANDBOX_PUBLIC_KEY)


# -- routes ---------------------------------------------------------------------------------------------------------

_ROUTE: Final = "django_dana:notify"


def _check_routes(account: _Account) -> Iterator[CheckMessage]:
    values = account.values
    if not values.get("RETURN_URL", "unknown") and _is_missing("django_dana:return", UUID(int=0)):
        yield Finding.NO_RETURN_ROUTE.at(account.place("RETURN_URL"))
    address = values.get("NOTIFICATION_URL")
    if not address:
        return
    parts = urlsplit(address)
    if parts.query or parts.fragment or "@" in parts.netloc or "%" in address or not address.isascii():
        yield Finding.DECORATED_ADDRESS.at(account.place("NOTIFICATION_URL"))
    if not _is_missing(_ROUTE) and not _leads_to_our_view(unquote(parts.path)):
        yield Finding.OTHER_ROUTE.at(account.place("NOTIFICATION_URL"))


def _check_project() -> Iterator[CheckMessage]:
    if _is_missing(_ROUTE):
        yield Finding.NO_ROUTES.at()
    elif settings.SECURE_SSL_REDIRECT and not settings.SECURE_PROXY_SSL_HEADER and not _is_exempt_from_redirect():
        yield Finding.SSL_REDIRECT.at()


def _is_missing(route: str, *args: object) -> bool:
    try:
        reverse(route, args=args)
    except NoReverseMatch:
        return True
    except Exception:  # noqa: BLE001  URLs that can't be loaded are told by Django's own checks
        return False
    return False


def _leads_to_our_view(path: str) -> bool:
    try:
        match = resolve("/" + path.removeprefix(get_script_prefix()))
    except Resolver404:
        return False
    except Exception:  # noqa: BLE001  as above
        return True
    return match.url_name == "notify" and match.app_names[-1:] == ["django_dana"]


def _is_exempt_from_redirect() -> bool:
    try:
        # as SecurityMiddleware looks for it
        path = reverse(_ROUTE).lstrip("/")
        return any(re.search(pattern, path) for pattern in settings.SECURE_REDIRECT_EXEMPT)
    except Exception:  # noqa: BLE001  as above
        return True
