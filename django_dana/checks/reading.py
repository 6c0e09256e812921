"""Read the setting as far as it can be read, and tell what is wrong with the rest."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from django_dana import conf
from django_dana.checks import options as rules
from django_dana.checks.findings import Finding
from django_dana.conf.options import NAMES, PLAIN, PRODUCTION
from django_dana.conf.raw import FunctionRaised, Options, Setting

_LONGEST_ALIAS: Final = 100
_LONGEST_NAME_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class ReadAccount:
    """An account as far as it can be read: ``values`` holds the options in which nothing wrong was found."""

    alias: str
    options: Options
    values: Mapping[str, Any] = field(repr=False)

    @property
    def is_production(self) -> bool:
        return self.values.get("ENVIRONMENT") == PRODUCTION

    @property
    def notification_urls(self) -> list[str]:
        return rules.addresses(self.values.get("NOTIFICATION_URL", ()))

    def is_in_settings(self, name: str) -> bool:
        """Whether the option stands in the settings themselves, and not in a function."""
        return self.options.is_set(name) and not self.options.is_function(name) and self.options.source is None

    def place(self, name: str) -> str:
        return place(self.alias, name)


def place(alias: str, *names: str) -> str:
    """Return where in the setting something stands."""
    return "".join(["DANA", *(f'["{name}"]' for name in (alias, *names))])


def raised(error: FunctionRaised, otherwise: Finding, where: str = "DANA") -> CheckMessage:
    """Return what is found where a function of the shop raised; before the first migrate that is normal."""
    is_database = issubclass(error.error, DatabaseError)
    return (Finding.DATABASE_SILENT if is_database else otherwise).at(where, error=error.error.__name__)


def read_accounts(messages: list[CheckMessage]) -> Iterator[ReadAccount]:
    """Yield every account that is one; what is wrong with the others, and with single options, goes to messages."""
    setting = _read_setting(messages)
    for alias in setting:
        if not isinstance(alias, str) or not 0 < len(alias) <= _LONGEST_ALIAS:
            messages.append(Finding.BAD_ALIAS.at())
            continue
        try:
            options = setting[alias]
        except ImproperlyConfigured:
            messages.append(Finding.ACCOUNT_NOT_A_DICT.at(place(alias)))
            continue
        messages += _check_names(options)
        yield ReadAccount(alias, options, dict(_read_options(options, messages)))


def _read_setting(messages: list[CheckMessage]) -> Setting:
    if not hasattr(settings, "DANA"):
        messages.append(Finding.NO_SETTING.at())
        return Setting({})
    try:
        setting = conf.raw_accounts()
    except FunctionRaised as error:
        messages.append(raised(error, Finding.BAD_PATH))
        return Setting({})
    except ImproperlyConfigured:
        messages.append(Finding.NOT_A_DICT.at())
        return Setting({})
    if "default" not in list(setting):
        messages.append(Finding.NO_DEFAULT.at())
    return setting


def _check_names(options: Options) -> Iterator[CheckMessage]:
    for name in options:
        if name not in NAMES:
            shown = name if isinstance(name, str) and len(name) <= _LONGEST_NAME_SHOWN else "..."
            similar = difflib.get_close_matches(shown.upper(), sorted(NAMES), n=1)
            suggestion = f" (did you mean {similar[0]}?)" if similar else ""
            yield Finding.UNKNOWN_OPTION.at(place(options.alias, shown), suggestion=suggestion)


def _read_options(options: Options, messages: list[CheckMessage]) -> Iterator[tuple[str, Any]]:
    for name, option in PLAIN.items():
        where = place(options.alias, name)
        try:
            value = options.value(name)
        except FunctionRaised as error:
            messages.append(raised(error, Finding.OPTION_RAISED, where))
            continue
        finding = rules.judge(option, value)
        if finding is None:
            yield name, value
        else:
            messages.append(finding.at(where, longest=rules.longest(option)))
