"""The table: everything, on a test database of its own."""

from itertools import chain

from django.db import connection
from django.test import override_settings
from django.test.utils import setup_test_environment
from django.urls import include, path

from tests import wire as wires
from tests.benchmarks import forged, long, measuring, short, workers
from tests.factories import account_with

urlpatterns = [
    path("hand", short.notification_by_hand),
    path("forged", forged.refusal_by_hand),
    path("", include("tests.urls")),
]


def main(rows: int) -> None:
    """Measure and print."""
    setup_test_environment()
    connection.creation.create_test_db(verbosity=0)
    try:
        with (
            wires.serving() as wire,
            override_settings(ROOT_URLCONF=__name__, DANA=account_with(BASE_URL=wire.url), ALLOWED_HOSTS=["*"]),
        ):
            print(f"{connection.vendor}; medians")  # noqa: T201
            print(measuring.HEAD)  # noqa: T201
            for line in chain(short.measure(wire), forged.measure(), workers.measure(wire), long.measure(rows)):
                print(line, flush=True)  # noqa: T201
    finally:
        connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)
