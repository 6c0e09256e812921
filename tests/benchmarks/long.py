"""What a long table adds: the same question of the same database, asked when it was short."""

import statistics
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final
from unittest import mock

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from django_dana import tasks
from django_dana.models import Order
from django_dana.progress import Progress
from tests.benchmarks.measuring import Figures, Line, time_of
from tests.benchmarks.short import copy_of
from tests.factories import new_order, statements

#: A table that is no longer small.
SHORT: Final = 10_000

_ROUNDS: Final = 60
_BATCH: Final = 2_000

_NOW = timezone.now()
_A_MINUTE: Final = timedelta(minutes=1)
_LONG_AGO = _NOW - timedelta(days=30)
_PAID: Final = {
    "create_status": "success",
    "payment_status": "paid",
    "paid_at": _LONG_AGO,
    "valid_up_to": _LONG_AGO,
    "next_attempt_at": None,
    "next_sync_at": None,
}


def measure(rows: int, progress: Progress) -> Iterator[Line]:
    """Measure what a long table adds. The time is that of the wall: a database server works in a process of its own."""
    user = User.objects.create_superuser("staff")
    staff = Client()
    staff.force_login(user)
    latest = new_order(shop_reference="WEB-10042")
    orders = "/admin/django_dana/order/"
    questions: dict[str, Callable[[], Any]] = {
        "the admin's list of orders": lambda: staff.get(orders),
        "the same, found by a reference": lambda: staff.get(orders, {"q": "WEB-10"}),
        "the same, of the orders that expired": lambda: staff.get(orders, {"state": "expired"}),
        "the admin's page of an order": lambda: staff.get(f"{orders}{latest.pk}/change/"),
        "what waits for a person": lambda: staff.get(f"{orders}inbox/"),
        "the overview of 7 days": lambda: staff.get(f"{orders}overview/"),
        "the sweep finds the creates that are due": lambda: list(tasks.due_creates()[:100]),
        "the sweep finds the queries that are due": lambda: list(tasks.due_syncs()[:100]),
        "the sweep finds what nobody has answered": lambda: list(tasks.unanswered()[:100]),
        "the sweep finds what stays open for long": lambda: list(tasks.long_open()[:100]),
        "the sweep finds a sample of what is paid": lambda: list(tasks.paid_sample()),
    }
    # nothing is due, so that both tables are asked the same
    Order.objects.update(**_PAID)
    short = min(SHORT, rows // 10)
    before_filling = Order.objects.count()
    progress.expect(lambda: rows - before_filling)
    fill_orders(before_filling, short, progress)
    before = {name: _median(ask) for name, ask in questions.items()}
    fill_orders(short, rows, progress)
    if progress.is_stopped:
        return
    for name, ask in questions.items():
        with statements() as asked:
            ask()
        yield Line(
            name=f"{name}, statements: {len(asked)}",
            floor_name=f"among {short:,} orders instead of {rows:,}",
            figures=Figures(_median(ask), before[name]),
            goal=1.5,
        )


def fill_orders(first: int, last: int, progress: Progress) -> None:
    """Write orders that were paid long ago: one a minute, so that a longer table has a longer past."""
    order = Order.objects.order_by("pk")[0]
    created_at: Any = Order._meta.get_field("created_at")
    for start in range(first, last, _BATCH):
        numbers = range(start, min(start + _BATCH, last))
        # else the database would be told that all of them are made now
        with transaction.atomic(), mock.patch.object(created_at, "auto_now_add", new=False):
            Order.objects.bulk_create(
                copy_of(order, created_at=_NOW - number * _A_MINUTE, shop_reference="") for number in numbers
            )
        progress.advance(len(numbers))
        if progress.is_stopped:
            return
    # as in a table that has been there for a while, the statistics are known where the engine keeps them by itself
    analyze = {"postgresql": "VACUUM ANALYZE django_dana_order", "mysql": "ANALYZE TABLE django_dana_order"}
    if connection.vendor in analyze:
        with connection.cursor() as cursor:
            cursor.execute(analyze[connection.vendor])


def _median(ask: Callable[[], Any]) -> float:
    ask()
    return statistics.median(time_of(ask) for _ in range(_ROUNDS))
