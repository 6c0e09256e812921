"""Where the texts of keys come from: the setting itself, files, or functions such as those of a vault.

What files and functions give is kept for a short time, so that a stranger who sends us messages can't work the vault.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.core.signals import setting_changed

from django_dana import timing
from django_dana.conf.options import KEYS
from django_dana.conf.raw import FunctionRaised, Options
from django_dana.exceptions import InvalidKey
from django_dana.protocol.secret import Secret


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was read, or why it could not be."""

    options: Options
    until: float
    texts: tuple[Secret, ...] = ()
    error: FunctionRaised | InvalidKey | None = field(default=None, repr=False)


# By alias and name of the option. Never more than the setting has keys.
_kept: Final[dict[tuple[str, str], _Kept]] = {}


def texts(options: Options, name: str) -> tuple[Secret, ...]:
    """Return the texts of a key option. What files and functions give may be as old as timing.KEYS_ARE_KEPT.

    Raises:
        FunctionRaised: the function of the option raised.
        InvalidKey: a file can't be read, or what is there is no text.
    """
    path_name = KEYS[name].path_name
    if not options.is_set(path_name) and not options.is_function(name):
        return read(options, name)
    kept = _kept.get((options.alias, name))
    if kept is None or kept.until < time.monotonic() or not kept.options.comes_from_where(options, name, path_name):
        kept = _kept[options.alias, name] = _read_to_keep(options, name)
    if kept.error is not None:
        # a new one each time, since a traceback grows with every raise
        raise type(kept.error)(*kept.error.args)
    return kept.texts


def read(options: Options, name: str) -> tuple[Secret, ...]:
    """Return the same, fresh."""
    path_name = KEYS[name].path_name
    in_files = _read_files(options.value(path_name)) if options.is_set(path_name) else ()
    if isinstance(in_files, str):
        raise InvalidKey(f"the file of {path_name} can't be read ({in_files})")
    found = in_files or options.secrets(name)
    if found is None:
        raise InvalidKey("it is not text")
    return found


def _read_to_keep(options: Options, name: str) -> _Kept:
    now = time.monotonic()
    try:
        return _Kept(options, now + timing.KEYS_ARE_KEPT, read(options, name))
    except (FunctionRaised, InvalidKey) as error:
        return _Kept(options, now + timing.KEY_ERRORS_ARE_KEPT, error=error.with_traceback(None))


def _read_files(paths: Any) -> tuple[Secret, ...] | str:
    """Return the texts, or the name of the error. Never raises: a path might be the key itself, in the wrong place."""
    if not paths:
        return ()
    try:
        return tuple(
            Secret(Path(path).read_text(encoding="ascii"))
            for path in (paths if isinstance(paths, list | tuple) else [paths])
        )
    except (OSError, TypeError, ValueError) as error:
        return type(error).__name__


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "DANA":
        _kept.clear()


# tests change the setting, and what its functions return, within the time
setting_changed.connect(_forget)
