"""Who speaks: DANA's signature over the raw bytes, checked before anything is parsed or queried."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from django_dana import conf, signing
from django_dana.conf import Account
from django_dana.exceptions import InvalidKey, InvalidSignature

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


class DanaSignature(BaseAuthentication):
    """Authenticates DANA; there is no user."""

    def authenticate(self, request: Request) -> tuple[None, Verified]:
        """Verify the request, or raise AuthenticationFailed."""
        signature, timestamp = request.headers.get("X-SIGNATURE"), request.headers.get("X-TIMESTAMP")
        if not signature or not timestamp:
            raise AuthenticationFailed("X-SIGNATURE or X-TIMESTAMP is missing")
        accounts: dict[str, Account] = {}
        text = fingerprint = None
        for account, path, key in _candidates(request):
            if account.alias in accounts:
                continue
            try:
                text = signing.verify(
                    signing.load_public_key(key),
                    signature,
                    method="POST",
                    path=path,
                    body=request._request.body,
                    timestamp=timestamp,
                )
            except InvalidSignature:
                continue
            except InvalidKey as error:
                logger.error("A key in DANA[%r] can't be used: %s", account.alias, error)
                continue
            accounts[account.alias] = account
            fingerprint = hashlib.sha256(key.encode()).hexdigest()[:16]
        if text is None or fingerprint is None:
            raise AuthenticationFailed("no key of DANA made this signature over this message and path")
        return None, Verified(accounts, text, fingerprint)


def _candidates(request: Request) -> Iterator[tuple[Account, str, str]]:
    """The accounts, paths and keys to try; the path that DANA called is that of our public URL, so it comes first."""
    accounts = _usable_accounts()
    partner_id = request.headers.get("X-PARTNER-ID")
    addressed = [account for account in accounts if account.partner_id == partner_id] or accounts
    for account in addressed:
        try:
            keys = account.public_keys
        except InvalidKey as error:
            logger.error("No notification can be verified for DANA[%r]: %s", account.alias, error)
            continue
        for path in dict.fromkeys((account.notification_path, request.path)):
            for key in keys:
                yield account, path, key


def _usable_accounts() -> list[Account]:
    accounts = []
    for alias in conf.raw_accounts():
        try:
            accounts.append(conf.account(alias))
        except ImproperlyConfigured as error:
            logger.error("%s", error)
    return accounts
