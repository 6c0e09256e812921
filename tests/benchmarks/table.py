"""The table: everything, on a test database of its own."""

from itertools import chain

from django.db import connection
from django.test import override_settings
from django.test.utils import setup_test_environment
from django.urls import include, path

from django_dana.management.progress import ShownProgress
from tests import wire as wires
from tests.benchmarks import forged, long, measuring, short, workers
from tests.factories import account_with

urlpatterns = [
    path("hand", short.notification_by_hand),
    path("hand-waking", short.notification_by_hand, {"wakes_worker": True}),
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
            ShownProgress(_print, "orders written") as progress,
            override_settings(ROOT_URLCONF=__name__, DANA=account_with(BASE_URL=wire.url), ALLOWED_HOSTS=["*"]),
        ):
            progress.say(f"{connection.vendor}; medians")
            progress.say(measuring.HEAD)
            lines = (short.measure(wire), forged.measure(), workers.measure(wire), long.measure(rows, progress))
            for line in chain.from_iterable(lines):
                progress.say(str(line))
                if progress.is_stopped:
                    return
    finally:
        connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


def _print(line: str, style: object = None) -> None:
    print(line, flush=True)  # noqa: T201
