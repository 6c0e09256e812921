"""The keys: each can be read, is of its kind, and is not the other one."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.core.checks import CheckMessage

from django_dana import conf
from django_dana.checks.findings import Finding
from django_dana.checks.reading import ReadAccount, raised
from django_dana.conf import keys
from django_dana.conf.options import KEYS
from django_dana.conf.raw import FunctionRaised
from django_dana.exceptions import InvalidKey
from django_dana.protocol import signing
from django_dana.protocol.secret import Secret

_Halves = Mapping[str, Sequence[RSAPublicKey]]


def check(accounts: Sequence[ReadAccount], *, from_functions: bool) -> Iterator[CheckMessage]:
    """Check the keys that functions give, or the others; a pair is compared as soon as both may be read."""
    read: dict[str, _Halves] = {}
    for account in accounts:
        yield from _check_account(account, read, from_functions=from_functions)
    yield from _check_merchants(accounts, read, from_functions=from_functions)


class _BadKey(Exception):
    """A key option can't be used; carries the message."""

    def __init__(self, message: CheckMessage) -> None:
        super().__init__(message.id)
        self.message = message


def _check_account(account: ReadAccount, read: dict[str, _Halves], *, from_functions: bool) -> Iterator[CheckMessage]:
    functions = [name for name in KEYS if _comes_from_function(account, name)]
    told = functions if from_functions else [name for name in KEYS if name not in functions]
    halves: dict[str, Sequence[RSAPublicKey]] = {}
    read[account.alias] = halves
    for name in KEYS if from_functions else told:
        try:
            halves[name] = _read_public_halves(account, name)
        except _BadKey as bad:
            if name in told:
                yield bad.message
    if not told:
        return
    own, danas = halves.get("PRIVATE_KEY", ()), halves.get("DANA_PUBLIC_KEY", ())
    if any(key in own for key in danas):
        yield Finding.OWN_KEY.at(_place(account, "DANA_PUBLIC_KEY"))
    if account.is_production and "DANA_PUBLIC_KEY" in told and _sandbox_key() in danas:
        yield Finding.SANDBOX_KEY.at(_place(account, "DANA_PUBLIC_KEY"))
    if "PRIVATE_KEY" in told and _is_readable_by_others(account):
        yield Finding.READABLE_KEY.at(_place(account, "PRIVATE_KEY"))


def _check_merchants(
    accounts: Sequence[ReadAccount], read: Mapping[str, _Halves], *, from_functions: bool
) -> Iterator[CheckMessage]:
    """Find a merchant in both environments: with the same key it is a mistake for sure."""
    of_merchant: dict[Any, list[ReadAccount]] = {}
    for account in accounts:
        of_merchant.setdefault(account.values.get("MERCHANT_ID"), []).append(account)
    for account in accounts:
        environments = {account.values.get("ENVIRONMENT"), None}
        others = [
            other
            for other in of_merchant[account.values.get("MERCHANT_ID")]
            if other.values.get("ENVIRONMENT") not in environments and other.values.get("MERCHANT_ID")
        ]
        own = read[account.alias].get("PRIVATE_KEY")
        if own and any(own == read[other.alias].get("PRIVATE_KEY") for other in others):
            if from_functions == _comes_from_function(account, "PRIVATE_KEY"):
                yield Finding.SHARED_KEY.at(account.place("MERCHANT_ID"))
        elif others and not from_functions:
            yield Finding.MIXED_ENVIRONMENTS.at(account.place("MERCHANT_ID"))


def _comes_from_function(account: ReadAccount, name: str) -> bool:
    path_name, options = KEYS[name].path_name, account.options
    return options.is_function(path_name) or (not options.is_set(path_name) and options.is_function(name))


def _place(account: ReadAccount, name: str) -> str:
    path_name = KEYS[name].path_name
    return account.place(path_name if account.options.is_set(path_name) else name)


def _read_public_halves(account: ReadAccount, name: str) -> Sequence[RSAPublicKey]:
    """Return the public keys of an option, or the public half of its private key; raise _BadKey with what is wrong."""
    where = _place(account, name)
    try:
        texts = keys.read(account.options, name)
        if name == "PRIVATE_KEY":
            return _private_halves(texts, where)
        if not texts and account.is_production:
            raise _BadKey(Finding.NO_PUBLIC_KEY.at(where))
        return [signing.load_public_key(text) for text in texts]
    except InvalidKey as error:
        finding = Finding.PRIVATE_KEY if name == "PRIVATE_KEY" else Finding.PUBLIC_KEY
        raise _BadKey(finding.at(where, reason=error)) from None
    except FunctionRaised as error:
        raise _BadKey(raised(error, Finding.OPTION_RAISED, where)) from None


def _private_halves(texts: Sequence[Secret], where: str) -> Sequence[RSAPublicKey]:
    if not texts:
        raise _BadKey(Finding.NO_PRIVATE_KEY.at(where))
    if len(texts) > 1:
        raise InvalidKey(f"{len(texts)} keys are set; exactly one is needed")
    return [signing.load_private_key(texts[0]).public_key()]


def _sandbox_key() -> RSAPublicKey:
    return signing.load_public_key(conf.SANDBOX_PUBLIC_KEY)


def _is_readable_by_others(account: ReadAccount) -> bool:
    if os.name != "posix" or not account.options.is_set("PRIVATE_KEY_PATH"):
        return False
    try:
        return _has_mode(account.options.value("PRIVATE_KEY_PATH"), stat.S_IROTH)
    except FunctionRaised:
        return False


def _has_mode(path: Any, mode: int) -> bool:
    try:
        return bool(Path(path[0] if isinstance(path, list | tuple) else path).stat().st_mode & mode)
    except (OSError, TypeError, ValueError, LookupError):
        return False
