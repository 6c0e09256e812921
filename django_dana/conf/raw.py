"""The ``DANA`` setting as the shop wrote it, behind objects that show nothing of it.

Error reporters print the local variables of every frame, so outside this file no variable holds the raw options, and
nothing here raises while a variable does.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_dana.conf.options import PLAIN
from django_dana.protocol.secret import Secret


class FunctionRaised(ImproperlyConfigured):
    """A function in the setting raised. Only the type of its error is kept: the text may hold a secret.

    Attributes:
        error: that type.
    """

    def __init__(self, place: str, error: type[Exception]) -> None:
        super().__init__(place, error)
        self.place = place
        self.error = error

    def __str__(self) -> str:
        return f"The function in {self.place} raised {self.error.__name__}."


class Options:
    """The options of one account as the shop wrote them.

    Attributes:
        alias: the alias of the account.
        source: the dotted path of the function that returned them, or None.
    """

    __slots__ = ("_texts", "_values", "alias", "source")

    def __init__(self, alias: str, values: Mapping[Any, Any], source: str | None) -> None:
        self.alias = alias
        self.source = source
        self._values = values
        self._texts: dict[str, tuple[Secret, ...] | None] = {}

    @classmethod
    def of(cls, alias: str, values: Any, source: str | None) -> "Options | None":
        """Return the options, or None where they are no dict. Does not raise, since it holds the raw options."""
        return cls(alias, values, source) if isinstance(values, Mapping) else None

    def __repr__(self) -> str:
        return f"<the options of {place(self.alias)}>"

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def is_set(self, name: str) -> bool:
        """Whether the shop gave the option anything but None, an empty text or an empty list."""
        return bool(self._values.get(name))

    def is_function(self, name: str) -> bool:
        return callable(self._values.get(name))

    def value(self, name: str) -> Any:
        """Return what the option holds, what its function returns, or its default. Not for what is secret.

        Raises:
            FunctionRaised: its function raised.
        """
        if self.is_function(name):
            return self._call(name)
        return self._values.get(name, PLAIN[name].default if name in PLAIN else None)

    def secrets(self, name: str) -> tuple[Secret, ...] | None:
        """Return the texts that the option holds, or that its function returns, or None where one is no text.

        Raises:
            FunctionRaised: its function raised.
        """
        if self.is_function(name):
            return _wrapped(self._call(name))
        if name not in self._texts:
            self._texts[name] = _wrapped(self.value(name))
        return self._texts[name]

    def snapshot(self) -> "Options":
        """Return a copy that does not change when the shop changes its dict or a list in it."""
        values = {name: list(value) if isinstance(value, list) else value for name, value in self._values.items()}
        return Options(self.alias, values, self.source)

    def has_functions(self) -> bool:
        """Whether an option that is no key has to be asked for each time."""
        return any(callable(value) and name in PLAIN for name, value in self._values.items())

    def equals(self, other: "Options") -> bool:
        """Whether both come from one place and hold the same."""
        return self.source == other.source and bool(self._values == other._values)

    def comes_from_where(self, other: "Options", *names: str) -> bool:
        """Whether these options of both are given by the same functions or files.

        A function for the whole setting may make the functions in it anew each time; so one stands for the other.
        """
        if self.source != other.source:
            return False
        return all(
            (self.source and self.is_function(name) and other.is_function(name))
            or self._values.get(name) == other._values.get(name)
            for name in names
        )

    def _call(self, name: str) -> Any:
        try:
            return self._values[name]()
        except Exception as error:  # noqa: BLE001  a function of the shop may raise anything
            kind = type(error)
        # after the except block, so that the error and its text are not its context
        raise FunctionRaised(place(self.alias, name), kind)


class Setting(Mapping[str, Options]):
    """The whole setting: options by alias."""

    __slots__ = ("_accounts", "_source")

    def __init__(self, accounts: Mapping[Any, Any], source: str | None = None) -> None:
        self._accounts = accounts
        self._source = source

    @classmethod
    def of(cls, accounts: Any, source: str | None = None) -> "Setting | None":
        """Return the setting, or None where it is no dict. Does not raise, since it holds the raw options."""
        return cls(accounts, source) if isinstance(accounts, Mapping) else None

    def __repr__(self) -> str:
        return "<the DANA setting>"

    def __getitem__(self, alias: str) -> Options:
        options = Options.of(alias, self._accounts[alias], self._source)
        if options is None:
            raise ImproperlyConfigured(f"{place(alias)} is not a dict.")
        return options

    def __iter__(self) -> Iterator[str]:
        return iter(self._accounts)

    def __len__(self) -> int:
        return len(self._accounts)


def read() -> Setting:
    """Return the setting, or what its function returns; that function is called once.

    Raises:
        FunctionRaised: the function can't be imported, or it raised.
        ImproperlyConfigured: the setting is no dict.
    """
    setting = _call() if isinstance(getattr(settings, "DANA", None), str) else Setting.of(getattr(settings, "DANA", {}))
    if setting is None:
        raise ImproperlyConfigured("The DANA setting is not a dict of accounts.")
    return setting


def _call() -> Setting | None:
    try:
        return Setting.of(import_string(str(settings.DANA))(), str(settings.DANA))
    except Exception as error:  # noqa: BLE001  as above
        kind = type(error)
    raise FunctionRaised("DANA", kind)


def place(*names: object) -> str:
    """Return where in the setting something stands, as in ``DANA['default']['TIMEOUT']``."""
    return "".join(["DANA", *(f"[{name!r}]" for name in names)])


def _wrapped(value: Any) -> tuple[Secret, ...] | None:
    if not value:
        return ()
    texts = value if isinstance(value, list | tuple) else [value]
    return tuple(map(Secret, texts)) if all(isinstance(text, str) for text in texts) else None
