"""What is emptied when it is old, and what never is."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_dana.models import ApiCall, CancelRequest, Notification, Order, OutboxEvent
from tests.conftest import Clock
from tests.factories import new_order

pytestmark = pytest.mark.django_db


def prune(*args: str) -> list[str]:
    out = StringIO()
    call_command("dana_prune", *args, stdout=out)
    return out.getvalue().splitlines()


def settled_order(**values: Any) -> Order:
    """Return an order that was paid, with a call and a notification."""
    order = new_order()
    Order.objects.filter(pk=order.pk).update(
        **{"create_status": "success", "payment_status": "paid", "next_attempt_at": None, **values}
    )
    ApiCall.objects.create(
        order=order,
        operation="create",
        external_id=str(uuid.uuid4()),
        started_at=timezone.now(),
        duration_ms=12,
        http_status=200,
        response_code="2005400",
        response_body='{"responseCode":"2005400"}',
    )
    Notification.objects.create(
        order=order, body="{}", headers={"X-Signature": "abc"}, verified=True, outcome="applied"
    )
    return order


def is_kept(order: Order) -> bool:
    """Whether everything about an order is still there; half of it would be an error."""
    call, message = order.api_calls.get(), order.notifications.get()
    texts = [bool(call.response_body), bool(message.body), bool(message.headers)]
    assert len(set(texts)) == 1
    return texts[0]


def test_what_is_settled_is_emptied_after_90_days_and_not_before(clock: Clock) -> None:
    order = settled_order()
    clock.forward(days=90, seconds=-5)
    prune()
    assert is_kept(order)
    clock.forward(seconds=10)
    assert prune() == ["1 replies emptied", "1 notifications emptied", "0 notifications without an order deleted"]
    assert not is_kept(order)


def test_rows_codes_and_what_we_sent_stay(clock: Clock) -> None:
    order = settled_order()
    before = Order.objects.values().get()
    clock.forward(days=91)
    prune()
    assert Order.objects.values().get() == before
    assert before["request_body"]
    call, message = order.api_calls.get(), order.notifications.get()
    assert (call.response_code, call.http_status, call.duration_ms) == ("2005400", 200, 12)
    assert (message.outcome, message.verified) == ("applied", True)


@pytest.mark.parametrize("status", ["paid", "cancelled", "expired", "refunded", "not_found"])
def test_every_final_state_is_settled(clock: Clock, status: str) -> None:
    order = settled_order(payment_status=status)
    clock.forward(days=91)
    prune()
    assert not is_kept(order)


def test_a_create_that_failed_for_good_is_settled(clock: Clock) -> None:
    order = settled_order(create_status="failed", payment_status="none")
    clock.forward(days=91)
    prune()
    assert not is_kept(order)


def add_cancel(order: Order, **values: Any) -> None:
    CancelRequest.objects.create(
        **{"order": order, "amount": order.amount, "request_body": "{}", "give_up_at": timezone.now(), **values}
    )


def later(**step: float) -> Any:
    return timezone.now() + timedelta(**step)


UNSETTLED: dict[str, Callable[[], Order]] = {
    "nothing known": lambda: settled_order(payment_status="none"),
    "waiting for the buyer": lambda: settled_order(payment_status="initiated"),
    "being paid": lambda: settled_order(payment_status="paying"),
    "create pending": lambda: settled_order(create_status="pending", payment_status="none"),
    "failed but tried again": lambda: settled_order(
        create_status="failed", payment_status="none", next_attempt_at=later(days=1)
    ),
    "needs attention": lambda: settled_order(needs_attention="paid_after_closed"),
    "a query is due": lambda: settled_order(next_sync_at=later(days=1)),
    "a call is under way": lambda: settled_order(lease_token=uuid.uuid4(), lease_until=later(days=100)),
}

UNSETTLED_BESIDE: dict[str, Callable[[Order], Any]] = {
    "a new cancel": add_cancel,
    "a pending cancel": lambda order: add_cancel(order, status="pending"),
    "a cancel with unknown end": lambda order: add_cancel(
        order, status="aborted", unfinished=None, needs_attention="end_unknown"
    ),
    "a refused cancel that nobody has looked at": lambda order: add_cancel(
        order, status="failed", unfinished=None, needs_attention="refused"
    ),
    "an event to be told": lambda order: OutboxEvent.objects.create(name="order_paid", order=order),
}


@pytest.mark.parametrize("make", UNSETTLED.values(), ids=UNSETTLED)
def test_what_is_unsettled_is_never_emptied(clock: Clock, make: Callable[[], Order]) -> None:
    order = make()
    clock.forward(days=91)
    prune("--days", "1")
    assert is_kept(order)


@pytest.mark.parametrize("add", UNSETTLED_BESIDE.values(), ids=UNSETTLED_BESIDE)
def test_what_is_unsettled_beside_it_keeps_it(clock: Clock, add: Callable[[Order], Any]) -> None:
    order = settled_order()
    add(order)
    clock.forward(days=91)
    prune("--days", "1")
    assert is_kept(order)


def test_a_finished_cancel_and_a_lease_that_ran_out_keep_nothing(clock: Clock) -> None:
    order = settled_order(payment_status="cancelled", lease_token=uuid.uuid4(), lease_until=later(minutes=1))
    add_cancel(order, status="success", unfinished=None)
    clock.forward(days=91)
    prune()
    assert not is_kept(order)


def test_an_order_touched_lately_is_kept_whole(clock: Clock) -> None:
    order = settled_order()
    clock.forward(days=91)
    order.save()
    prune()
    assert is_kept(order)


def test_an_order_that_is_unsettled_while_its_batch_waits_is_kept(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = settled_order()
    clock.forward(days=91)
    seen: list[str] = []

    def arrive(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith("SELECT") and not seen:
            seen.append(sql)
            Order.objects.filter(pk=order.pk).update(needs_attention="conflict")
        return result

    with connection.execute_wrapper(arrive):
        output = prune()
    assert output[:2] == ["0 replies emptied", "0 notifications emptied"]
    assert is_kept(order)


def test_notifications_without_an_order_are_deleted_when_old(clock: Clock) -> None:
    Notification.objects.create(body="old", outcome="bad_signature")
    told = Notification.objects.create(body="verified", verified=True, outcome="unknown_order")
    OutboxEvent.objects.create(name="notification_unmatched", notification=told)
    clock.forward(days=91)
    new = Notification.objects.create(body="new", outcome="unknown_order", verified=True)
    assert prune()[2] == "2 notifications without an order deleted"
    assert Notification.objects.get() == new
    assert not OutboxEvent.objects.exists()


def test_days_are_respected(clock: Clock) -> None:
    order = settled_order()
    clock.forward(days=8)
    prune("--days", "9")
    assert is_kept(order)
    prune("--days", "7")
    assert not is_kept(order)


def test_a_dry_run_counts_and_saves_nothing(clock: Clock) -> None:
    orders = [settled_order() for _ in range(3)]
    Notification.objects.create(body="x", outcome="bad_signature")
    clock.forward(days=91)
    output = prune("--dry-run")
    assert output == [
        "3 replies emptied",
        "3 notifications emptied",
        "1 notifications without an order deleted",
        "This was a dry run; nothing was saved.",
    ]
    assert all(is_kept(order) for order in orders)
    assert prune() == output[:3]
    assert Notification.objects.count() == 3


def test_a_second_run_finds_nothing(clock: Clock) -> None:
    settled_order()
    clock.forward(days=91)
    prune()
    assert prune() == ["0 replies emptied", "0 notifications emptied", "0 notifications without an order deleted"]


@pytest.mark.parametrize("size", [1, 2, 5, 7, 1000])
def test_batches_of_any_size_reach_every_row(clock: Clock, size: int) -> None:
    orders = [settled_order() for _ in range(5)]
    Notification.objects.bulk_create(Notification(body="x") for _ in range(5))
    clock.forward(days=91)
    with CaptureQueriesContext(connection) as queries:
        output = prune("--batch-size", str(size))
    assert [line.split()[0] for line in output] == ["5", "5", "5"]
    assert not any(is_kept(order) for order in orders)
    writes = [query for query in queries if query["sql"].startswith(("UPDATE", "DELETE"))]
    # the calls, the notifications, those without an order, and the events about these
    assert len(writes) == 4 * -(-5 // size)


def test_what_is_unsettled_is_kept_between_what_is_settled(clock: Clock) -> None:
    orders = [settled_order(**values) for values in ({}, {"needs_attention": "conflict"}, {})]
    strangers = [Notification.objects.create(body="x", verified=verified) for verified in (False, True, False)]
    clock.forward(days=91)
    prune()
    assert [is_kept(order) for order in orders] == [False, True, False]
    assert not Notification.objects.filter(pk__in=[stranger.pk for stranger in strangers]).exists()


@pytest.mark.parametrize("arguments", [["--days", "0"], ["--days", "-1"], ["--batch-size", "0"], ["--days", "x"]])
def test_nonsense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        prune(*arguments)


def test_more_days_than_the_calendar_has_is_a_plain_sentence() -> None:
    for days in ("999999", "99999999999"):
        with pytest.raises(CommandError, match=r"beyond the calendar\."):
            prune("--days", days)
