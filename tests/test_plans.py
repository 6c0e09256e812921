"""What is looked for again and again is found by an index, however many orders there are."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from django_dana import tasks
from django_dana.models import CancelRequest, Notification, RefundRequest
from django_dana.services.notifications import surplus

pytestmark = pytest.mark.django_db

FINDS: list[tuple[Callable[[], QuerySet[Any]], str]] = [
    (tasks.abandoned, "dana_call_open"),
    (tasks.due_creates, "dana_order_due"),
    (lambda: tasks.due_requests(CancelRequest), "dana_cancel_due"),
    (lambda: tasks.due_requests(RefundRequest), "dana_refund_due"),
    (tasks.due_syncs, "dana_order_sync_due"),
    (tasks.paid_sample, "dana_order_paid"),
    (lambda: surplus(Notification.objects.refused(), 1_000), "dana_notification_verified"),
    (lambda: surplus(Notification.objects.unmatched(), 1_000), "dana_notification_order"),
    (lambda: surplus(Notification.objects.failed_for(7), 20), "dana_notification_order"),
    (lambda: Notification.objects.filter(signature_hash="x"), "signature_hash"),
    (lambda: Notification.objects.filter(partner_reference_no="x"), "dana_notification_claimed"),
]


@pytest.mark.parametrize("find", [tasks.unanswered, tasks.long_open])
def test_what_is_open_is_found_by_its_index(find: Callable[[], QuerySet[Any]]) -> None:
    if connection.vendor == "postgresql":
        pytest.skip("on an empty table PostgreSQL takes any index; the benchmarks show it on a long one")
    assert "dana_order_unanswered" in find().values_list("pk", flat=True).explain()


@pytest.mark.parametrize(("find", "index"), FINDS, ids=[f"{index} {number}" for number, (_, index) in enumerate(FINDS)])
def test_it_is_found_by_its_index(find: Callable[[], QuerySet[Any]], index: str) -> None:
    if connection.vendor == "postgresql":
        # its tables are empty here, and then it would not care for an index, nor for which one
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert "Index" in find().values_list("pk", flat=True).explain()
        return
    plan = find().values_list("pk", flat=True).explain()
    # MariaDB looks into the index of a unique key before it plans; of an empty one it shows nothing more
    assert index in plan or "after reading const tables" in plan
