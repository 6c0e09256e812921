"""What an environment asks of the other options of its account."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from django.core.checks import CheckMessage

from django_dana import timing
from django_dana.checks.findings import Finding
from django_dana.checks.reading import ReadAccount


def check_account(account: ReadAccount) -> Iterator[CheckMessage]:
    """Check what depends on the environment of an account."""
    values = account.values
    lifetime = values.get("ORDER_LIFETIME")
    if lifetime and lifetime > timing.LONGEST_ORDER_LIFETIME.get(values.get("ENVIRONMENT", ""), lifetime):
        yield Finding.LONG_LIFETIME.at(account.place("ORDER_LIFETIME"))
    if not account.is_production:
        return
    if not all(map(_is_https, account.notification_urls)):
        yield Finding.NOT_HTTPS.at(account.place("NOTIFICATION_URL"))
    if not _is_https(values.get("BASE_URL")):
        yield Finding.NOT_HTTPS.at(account.place("BASE_URL"))
    if not _is_https(values.get("RETURN_URL")):
        yield Finding.OPEN_RETURN.at(account.place("RETURN_URL"))
    if values.get("DEBUG_MODE"):
        yield Finding.DEBUG_IN_PRODUCTION.at(account.place("DEBUG_MODE"))


def check_hosts(accounts: Sequence[ReadAccount]) -> Iterator[CheckMessage]:
    """Warn of real payments that go elsewhere, and of a password that Django's error reports show."""
    for account in accounts:
        if account.is_in_settings("PROXY") and "@" in account.values.get("PROXY", ""):
            yield Finding.SHOWN_PASSWORD.at(account.place("PROXY"))
        if account.is_production and account.values.get("BASE_URL"):
            yield Finding.OTHER_HOST.at(account.place("BASE_URL"))


def _is_https(address: str | None) -> bool:
    return not address or urlsplit(address).scheme == "https"
