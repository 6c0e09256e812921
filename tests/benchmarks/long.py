"""What a long table adds: the same question of the same database, asked when it was short."""

import statistics
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from django_dana import tasks
from django_dana.models import Order
from django_dana.progress import Progress
from tests.benchmarks.measuring import Figures, Line, time_of
from tests.benchmarks.short import copy_of
from tests.factories import new_order

#: A table that is no longer small.
SHORT: Final = 10_000

_ROUNDS: Final = 60
_BATCH: Final = 2_000

_LONG_AGO = timezone.now() - timedelta(days=30)
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
    questions: dict[str, Callable[[], Any]] = {
        "the admin's list of orders": lambda: staff.get("/admin/django_dana/order/"),
        "the sweep finds the creates that are due": lambda: list(tasks.due_creates()[:100]),
        "the sweep finds the questions that are due": lambda: list(tasks.due_syncs()[:100]),
        "the sweep finds what nobody has answered": lambda: list(tasks.unanswered()[:100]),
        "the sweep finds what stays open for long": lambda: list(tasks.long_open()[:100]),
        "the sweep finds a sample of what is paid": lambda: list(tasks.paid_sample()),
    }
    new_order()
    # nothing is due, so that both tables are asked the same
    Order.objects.update(**_PAID)
    short = min(SHORT, rows // 10)
    progress.expect(lambda: rows - Order.objects.count())
    fill_orders(short - Order.objects.count(), progress)
    before = {name: _median(ask) for name, ask in questions.items()}
    fill_orders(rows - short, progress)
    if progress.is_stopped:
        return
    for name, ask in questions.items():
        yield Line(
            name=f"{name}, among {rows:,}",
            floor_name=f"among {short:,}",
            figures=Figures(_median(ask), before[name]),
            goal=1.5,
        )


def fill_orders(rows: int, progress: Progress) -> None:
    """Write so many orders that were paid long ago."""
    order = Order.objects.order_by("pk")[0]
    for start in range(0, rows, _BATCH):
        with transaction.atomic():
            written = Order.objects.bulk_create(copy_of(order) for _ in range(min(_BATCH, rows - start)))
        progress.advance(len(written))
        if progress.is_stopped:
            return
    Order.objects.filter(created_at__gt=_LONG_AGO).update(created_at=_LONG_AGO)
    # as in a table that has been there for a while, the statistics are known where the engine keeps them by itself
    analyze = {"postgresql": "VACUUM ANALYZE django_dana_order", "mysql": "ANALYZE TABLE django_dana_order"}
    if connection.vendor in analyze:
        with connection.cursor() as cursor:
            cursor.execute(analyze[connection.vendor])


def _median(ask: Callable[[], Any]) -> float:
    ask()
    return statistics.median(time_of(ask) for _ in range(_ROUNDS))
