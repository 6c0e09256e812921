"""Whether DANA's notifications and the buyer find their way to our routes."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from django.conf import settings
from django.core.checks import CheckMessage
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse

from django_dana.checks.findings import Finding
from django_dana.checks.reading import ReadAccount

_ROUTE: Final = "django_dana:notify"


def check_account(account: ReadAccount) -> Iterator[CheckMessage]:
    """Check the addresses of an account against the routes."""
    if not account.values.get("RETURN_URL", "unknown") and _is_missing("django_dana:return", UUID(int=0)):
        yield Finding.NO_RETURN_ROUTE.at(account.place("RETURN_URL"))
    addresses = account.notification_urls
    if any(map(_is_decorated, addresses)):
        yield Finding.DECORATED_ADDRESS.at(account.place("NOTIFICATION_URL"))
    if not _is_missing(_ROUTE) and not all(_leads_to_our_view(unquote(urlsplit(url).path)) for url in addresses):
        yield Finding.OTHER_ROUTE.at(account.place("NOTIFICATION_URL"))


def check_project() -> Iterator[CheckMessage]:
    """Check that our route is there, and that nothing redirects it."""
    if _is_missing(_ROUTE):
        yield Finding.NO_ROUTES.at()
    elif settings.SECURE_SSL_REDIRECT and not settings.SECURE_PROXY_SSL_HEADER and not _is_exempt_from_redirect():
        yield Finding.SSL_REDIRECT.at()


def _is_decorated(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.query or parts.fragment) or "@" in parts.netloc or "%" in address or not address.isascii()


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
