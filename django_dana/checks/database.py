"""What the database must give: one database that is written and read, and times with a zone."""

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage
from django.db import DEFAULT_DB_ALIAS, models, router

from django_dana.checks.findings import Finding


def check() -> Iterator[CheckMessage]:
    """Check the database routers and USE_TZ."""
    if not settings.USE_TZ:
        yield Finding.NAIVE_TIMES.at()
    for model in apps.get_app_config("django_dana").get_models():
        databases = sorted(_databases(model) - {DEFAULT_DB_ALIAS})
        if databases:
            yield Finding.ROUTER.at(model=model.__name__, databases=" and ".join(databases))


def _databases(model: type[models.Model]) -> set[str]:
    try:
        return {router.db_for_write(model), router.db_for_read(model)}
    except Exception:  # noqa: BLE001  a router that raises is seen at once, without us
        return set()
