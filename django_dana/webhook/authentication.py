"""Who speaks: DANA's signature over the raw bytes, checked before anything is parsed or queried."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.core.exceptions import ImproperlyConfigured
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from django_dana import conf
from django_dana.conf import Account
from django_dana.exceptions import InvalidKey, InvalidSignature
from django_dana.protocol import signing

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verified:
    """A message that DANA signed.

    Attributes:
        accounts: the accounts whose DANA key fitted, by alias; several may share a merchant.
        text: the text that the signature covers, the only one that may be parsed.
        fingerprint: the beginning of the SHA-256 of the key that fitted.
    """

    accounts: dict[str, Account]
    text: bytes
    fingerprint: str


class OutOfReach(Exception):
    """Nothing verified the message, but an account or key of ours could not be read: the fault may be ours."""


class DanaSignature(BaseAuthentication):
    """Authenticates DANA; there is no user."""

    def authenticate(self, request: Request) -> tuple[None, Verified]:
        """Verify the request, or raise AuthenticationFailed or OutOfReach."""
        signature, timestamp = request.headers.get("X-SIGNATURE"), request.headers.get("X-TIMESTAMP")
        if not signature or not timestamp:
            raise AuthenticationFailed("X-SIGNATURE or X-TIMESTAMP is missing")
        accounts: dict[str, Account] = {}
        broken: list[str] = []
        text = fingerprint = None
        for account, path, key in _candidates(request, broken):
            if account.alias in accounts:
                continue
            try:
                text = signing.verify(
                    key.key, signature, method="POST", path=path, body=request._request.body, timestamp=timestamp
                )
            except InvalidSignature:
                continue
            accounts[account.alias] = account
            fingerprint = key.fingerprint
        if text is not None and fingerprint is not None:
            return None, Verified(accounts, text, fingerprint)
        if broken:
            raise OutOfReach(f"no key fitted, and these could not be tried: {', '.join(broken)}")
        raise AuthenticationFailed("no key of DANA made this signature over this message and path")


@dataclass(frozen=True, slots=True)
class _Key:
    key: RSAPublicKey
    fingerprint: str


def _candidates(request: Request, broken: list[str]) -> Iterator[tuple[Account, str, _Key]]:
    """The accounts, paths and keys to try; the path that DANA called is that of our public URL, so it comes first.

    One account or key that can't be read must not block the others; its alias is added to ``broken``.
    """
    accounts = list(_accounts(broken))
    partner_id = request.headers.get("X-PARTNER-ID")
    for account in [account for account in accounts if account.partner_id == partner_id] or accounts:
        keys = list(_keys(account, broken))
        for path in dict.fromkeys((*account.notification_paths, request.path)):
            for key in keys:
                yield account, path, key


def _accounts(broken: list[str]) -> Iterator[Account]:
    accounts = conf.accounts()
    for alias, reason in accounts.unusable.items():
        _note(alias, reason, broken)
    yield from accounts


def _keys(account: Account, broken: list[str]) -> Iterator[_Key]:
    try:
        texts = account.public_keys
    except (InvalidKey, ImproperlyConfigured) as error:
        _note(account.alias, str(error), broken)
        return
    for text in texts:
        try:
            yield _Key(signing.load_public_key(text), hashlib.sha256(text.reveal().encode()).hexdigest()[:16])
        except InvalidKey as error:
            _note(account.alias, str(error), broken)


def _note(alias: str, reason: str, broken: list[str]) -> None:
    logger.error("DANA[%r] can't verify notifications: %s", alias, reason)
    broken.append(alias)
