"""Who signed a notification: DANA's key over the message, before anything is parsed or queried.

What it costs does not grow with the number of accounts: the settings are read once for each message, and so is the
body hashed and minified; each different pair of path and key is tried once.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Final

from django.core.exceptions import ImproperlyConfigured

from django_dana import conf
from django_dana.conf import Account
from django_dana.exceptions import InvalidKey, InvalidSignature
from django_dana.log_throttle import once_a_minute
from django_dana.protocol import notation, signing
from django_dana.protocol.secret import Secret

logger: Final = logging.getLogger("django_dana.notifications")


class AccountUnreadable(Exception):
    """Nothing verified the message, but an account or key of ours could not be read: the fault may be ours."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That DANA signed a message.

    Attributes:
        accounts: those whose path and key fitted, by alias; several may share a merchant.
        text: the text that the signature covers, the only one that may be parsed.
        sent_at: X-TIMESTAMP, which the signature covers too; None where it is no time.
        key_fingerprint: the beginning of the SHA-256 of the key that fitted.
        signature_hash: the SHA-256 of the signature: one for each path, text, timestamp and key.
        aliases: all that the setting has.
        unreadable: those of them that could not be tried.
    """

    accounts: dict[str, Account]
    text: bytes
    sent_at: datetime | None
    key_fingerprint: str
    signature_hash: str
    aliases: frozenset[str]
    unreadable: frozenset[str]

    @property
    def alias(self) -> str:
        """One of the accounts; which one of several only the order tells."""
        return next(iter(self.accounts))


def verify(body: bytes, headers: Mapping[str, str]) -> Proof:
    """Find out which accounts' DANA signed a message.

    Args:
        body: the bytes as they came.
        headers: found without regard to case.

    Raises:
        InvalidSignature: DANA did not.
        AccountUnreadable: no key fitted, but not all could be tried.
    """
    signature, timestamp = headers.get("X-SIGNATURE"), headers.get("X-TIMESTAMP")
    if not signature or not timestamp:
        raise InvalidSignature("X-SIGNATURE or X-TIMESTAMP is missing")
    raw = signing.decode_signature(signature)
    unreadable: set[str] = set()
    aliases, accounts = _accounts(unreadable)
    owners = [account for account in accounts if account.partner_id == headers.get("X-PARTNER-ID")]
    # where accounts own the partner id, one of them is meant, and no other is to blame if none fits
    not_meant = frozenset(unreadable) if owners else frozenset()
    signers = _signers(owners or accounts, unreadable)
    candidates = [(path, signing.load_public_key(key)) for path, key in signers]
    try:
        number, text = signing.find_signer(candidates, raw, method="POST", body=body, timestamp=timestamp)
    except InvalidSignature:
        if to_blame := sorted(unreadable - not_meant):
            raise AccountUnreadable(f"no key fitted, and these could not be tried: {', '.join(to_blame)}") from None
        raise
    (_, key), signed_by = list(signers.items())[number]
    return Proof(
        accounts={account.alias: account for account in signed_by},
        text=text,
        sent_at=notation.parse_time(timestamp),
        key_fingerprint=hashlib.sha256(key.reveal().encode()).hexdigest()[:16],
        signature_hash=hashlib.sha256(raw).hexdigest(),
        aliases=aliases,
        unreadable=frozenset(unreadable),
    )


def _accounts(unreadable: set[str]) -> tuple[frozenset[str], list[Account]]:
    """Read the setting once; return all its aliases and the accounts that can be read."""
    accounts = conf.accounts()
    for alias, reason in accounts.unusable.items():
        _note_unreadable(alias, reason, unreadable)
    return frozenset((*accounts.by_alias, *accounts.unusable)), list(accounts)


def _signers(accounts: Iterable[Account], unreadable: set[str]) -> dict[tuple[str, Secret], list[Account]]:
    """Return each pair of path and key once, with the accounts that have it.

    The paths are those of our public addresses, whatever a proxy strips and whatever the request itself says.
    """
    signers: dict[tuple[str, Secret], list[Account]] = {}
    for account in accounts:
        for path, key in product(account.notification_paths, _keys(account, unreadable)):
            signers.setdefault((path, key), []).append(account)
    return signers


def _keys(account: Account, unreadable: set[str]) -> list[Secret]:
    """Return the texts of an account's keys; one that can't be read does not block the others."""
    try:
        texts = account.public_keys
    except (InvalidKey, ImproperlyConfigured) as error:
        _note_unreadable(account.alias, str(error), unreadable)
        return []
    return [text for text in texts if _can_be_read(text, account.alias, unreadable)]


def _can_be_read(key: Secret, alias: str, unreadable: set[str]) -> bool:
    try:
        signing.load_public_key(key)
    except InvalidKey as error:
        _note_unreadable(alias, str(error), unreadable)
        return False
    return True


def _note_unreadable(alias: str, reason: str, unreadable: set[str]) -> None:
    cause = ("unreadable", alias)
    once_a_minute(logger, logging.ERROR, cause, "DANA[%r] can't verify notifications: %s", alias, reason)
    unreadable.add(alias)
