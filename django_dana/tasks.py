"""Celery tasks: take an id, make one gateway call. The only module importing Celery.

The rows are the queue, and a message is only an alarm clock: one that is lost, late or doubled costs time, never an
order. So messages are acknowledged late, carry no content, and wait only the few seconds between two attempts of a
series.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from celery import Celery, current_app, shared_task
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from django_dana import gateway, outbox, timing
from django_dana.log_throttle import once_a_minute
from django_dana.models import ApiCall, CancelRequest, Order, OrderRequest, OutboxEvent, RefundRequest, Sweep
from django_dana.models.sweeps import RETRY_DUE, SYNC_STALE
from django_dana.progress import Progress

logger = logging.getLogger(__name__)

_ONCE_MORE: Final = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}

_BATCH: Final = 100

#: Paid orders that one sweep asks about.
_SAMPLE: Final = 5


@dataclass(frozen=True, slots=True)
class Broker:
    """What the shop's Celery settings say about its broker, for the system checks. Times in seconds; None: no limit."""

    is_set: bool
    transport: str
    connection_timeout: float | None
    socket_timeout: float | None
    socket_connect_timeout: float | None
    visibility_timeout: float
    task_time_limit: float | None
    is_eager: bool


def broker() -> Broker:
    """Return the settings of the current Celery app, without connecting to anything."""
    app = current_app
    connection = app.connection_for_write()
    options = connection.transport_options or {}
    return Broker(
        is_set=_has_broker(app),
        transport=str(connection.transport_cls),
        connection_timeout=connection.connect_timeout,
        socket_timeout=options.get("socket_timeout"),
        socket_connect_timeout=options.get("socket_connect_timeout"),
        # kombu's own default, in its Redis transport
        visibility_timeout=options.get("visibility_timeout", 3600),
        task_time_limit=app.conf.task_time_limit,
        is_eager=bool(app.conf.task_always_eager),
    )


def start(task: Any, pk: int, *, countdown: float = 0.0) -> None:
    """Send the message that runs a task, and go on without it where there is no broker or it does not take it.

    Args:
        task: one of the tasks below.
        pk: the row it is about; the row itself says what is due.
        countdown: seconds to wait before it runs.
    """
    app = task.app
    if app.conf.task_always_eager:
        # A shop's own tests: no broker is there, and nothing waits, so what is to come later is left to the sweep.
        if not countdown:
            task.apply((pk,))
        return
    if not _has_broker(app):
        return
    try:
        with app.producer_pool.acquire(block=True) as producer:
            # Left to itself, kombu tries for seconds to reach a broker that refuses, also with retry=False.
            producer.connection.ensure_connection(**_ONCE_MORE)
            # The pool's connection may be older than the last restart of the broker; that shows when it is used.
            task.apply_async((pk,), countdown=countdown, producer=producer, retry=True, retry_policy=_ONCE_MORE)
    except Exception as error:  # noqa: BLE001  each broker has its own errors, and none may cost an order
        name = type(error).__name__
        message = "No message for %s %s (%s); the next sweep does it"
        once_a_minute(logger, logging.WARNING, (task.name, name), message, task.name, pk, name)


def _has_broker(app: Celery) -> bool:
    """Whether the shop names a broker. One on cron alone does not, and Celery's default would be a guess."""
    return bool(app.conf.broker_write_url)


@shared_task(ignore_result=True, acks_late=True)
def create_order(order_id: int) -> None:
    """Make the create call that is due for this order."""
    called = gateway.attempt_create(order_id)
    _follow_up(create_order, Order.objects.all(), order_id, called=called)


@shared_task(ignore_result=True, acks_late=True)
def cancel_order(cancel_request_id: int) -> None:
    """Make the cancel call that is due for this request."""
    _attempt(CancelRequest, cancel_request_id)


@shared_task(ignore_result=True, acks_late=True)
def refund_order(refund_request_id: int) -> None:
    """Make the refund call that is due for this request."""
    _attempt(RefundRequest, refund_request_id)


#: The task that makes the call of each kind of request.
OF_REQUEST: Final[dict[type[OrderRequest], Any]] = {CancelRequest: cancel_order, RefundRequest: refund_order}


@shared_task(ignore_result=True, acks_late=True)
def sync_order(order_id: int) -> None:
    """Ask DANA what became of this order."""
    gateway.sync(order_id)
    outbox.send_due(order_id)


@shared_task(ignore_result=True, acks_late=True)
def send_outbox(order_id: int) -> None:
    """Send the signals that are due for this order."""
    outbox.send_due(order_id)


@shared_task(ignore_result=True)
def retry_due() -> None:
    """Do what is due and was not done: a message was lost, or it is time to try again."""
    _sweep(abandoned, gateway.release_abandoned)
    _sweep(due_creates, create_order)
    for kind, task in OF_REQUEST.items():
        _sweep(partial(due_requests, kind), task)
    _sweep(due_events, send_outbox, "order_id")
    Sweep.objects.note_end(RETRY_DUE)


@shared_task(ignore_result=True)
def sync_stale() -> None:
    """Ask DANA about the orders whose end is overdue, and from time to time about those that stay open."""
    sweep_stale(Progress())


def sweep_stale(progress: Progress) -> None:
    """Do one round of :func:`sync_stale`, and tell how far it is."""
    for find in (due_syncs, unanswered, long_open):
        _sweep(find, sync_order, progress=progress)
    for order_id in paid_sample().values_list("pk", flat=True):
        if not progress.is_stopped:
            sync_order(order_id)
    if not progress.is_stopped:
        Sweep.objects.note_end(SYNC_STALE)


def abandoned() -> QuerySet[Order]:
    """Orders whose worker died in a call, found by the calls: an index on the lease makes MariaDB deadlock."""
    lost_calls = ApiCall.objects.open().filter(error="")
    return Order.objects.free(timezone.now()).filter(pk__in=lost_calls.values("order")).order_by("pk")


def due_creates() -> QuerySet[Order]:
    """Orders whose create call is due now."""
    return Order.objects.due(timezone.now())


def due_requests(kind: type[OrderRequest]) -> QuerySet[Any]:
    """Requests of a kind whose call is due now."""
    requests: Any = kind._default_manager
    found: QuerySet[Any] = requests.due(timezone.now())
    return found


def due_events() -> QuerySet[OutboxEvent]:
    """Signals that are due now."""
    return OutboxEvent.objects.due(timezone.now())


def due_syncs() -> QuerySet[Order]:
    """Orders about which a query is due now."""
    return Order.objects.sync_due(timezone.now()).order_by("next_sync_at")


def unanswered() -> QuerySet[Order]:
    """Orders past their time without a final answer, about which DANA was not asked yet."""
    return Order.objects.unanswered(timezone.now()).order_by("valid_up_to")


def long_open() -> QuerySet[Order]:
    """Orders that have been open for long, about which DANA was not asked lately."""
    return Order.objects.long_open(timezone.now()).order_by("valid_up_to")


def paid_sample() -> QuerySet[Order]:
    """A few recent paid orders that were not looked at for a day."""
    now = timezone.now()
    recent = Order.objects.free(now).filter(
        payment_status=Order.PaymentStatus.PAID,
        paid_at__gt=now - timing.SAMPLE_AGE,
        paid_at__lte=now - timing.SAMPLE_REST,
    )
    # not last_sync_at: those of an account that can't be used were not asked about, but looked at
    rested = recent.filter(updated_at__lte=now - timing.SAMPLE_REST)
    return rested.order_by("paid_at")[:_SAMPLE]


def _attempt(kind: type[OrderRequest], pk: int) -> None:
    called = gateway.attempt(kind, pk)
    _follow_up(OF_REQUEST[kind], kind._default_manager.all(), pk, called=called)


def _follow_up(task: Any, rows: QuerySet[Any], pk: int, *, called: bool) -> None:
    """After a call: ask DANA at once where the answer demands it, tell the shop, wake up for the next attempt."""
    order_id, next_sync_at, next_attempt_at = _schedule(rows, pk)
    if next_sync_at is not None and next_sync_at <= timezone.now():
        gateway.sync(order_id)
        _, _, next_attempt_at = _schedule(rows, pk)
    outbox.send_due(order_id)
    # only after a call: where another worker holds the order, starting at once would go round in circles
    if called and next_attempt_at is not None:
        _start_again(task, pk, next_attempt_at)


def _schedule(rows: QuerySet[Any], pk: int) -> tuple[int, datetime | None, datetime | None]:
    """Return the order that a row is about or is, when DANA is asked about it, and when the row's next call is due."""
    order = "" if rows.model is Order else "order__"
    found: tuple[int, datetime | None, datetime | None]
    found = rows.values_list(f"{order}pk", f"{order}next_sync_at", "next_attempt_at").get(pk=pk)
    return found


def _start_again(task: Any, pk: int, due: datetime) -> None:
    """Wake up for the next attempt of a series; what is later is the sweep's."""
    seconds = (due - timezone.now()).total_seconds()
    if seconds <= timing.LONGEST_COUNTDOWN:
        start(task, pk, countdown=max(seconds, 0.0))


def _sweep(
    find: Callable[[], QuerySet[Any]],
    act: Callable[[int], None],
    field: str = "pk",
    progress: Progress = Progress(),  # noqa: B008  it holds nothing
) -> None:
    """Do all that is found, in batches, for about a minute; the next sweep goes on from there."""
    deadline = time.monotonic() + timing.SWEEP_SECONDS
    done: set[int] = set()
    progress.expect(lambda: find().count())
    while time.monotonic() < deadline:
        batch = _unlocked(find().exclude(**{f"{field}__in": done}).values_list(field, flat=True)[:_BATCH])
        if not batch:
            return
        for pk in dict.fromkeys(batch):
            if progress.is_stopped:
                return
            done.add(pk)
            _do(act, pk)
            progress.advance()


def _unlocked(found: QuerySet[Any, int]) -> list[int]:
    """Leave out the rows that another sweep or worker is writing at this moment, where the engine can tell."""
    if not connection.features.has_select_for_update_skip_locked:
        return list(found)
    with transaction.atomic():
        return list(found.select_for_update(skip_locked=True))


def _do(act: Callable[[int], None], pk: int) -> None:
    try:
        act(pk)
    except (OperationalError, InterfaceError) as error:
        # one row that could not be serialized must not end the sweep; a database that is gone must
        if not connection.is_usable():
            raise
        _note_failure(act, pk, error)
    except Exception as error:  # noqa: BLE001  one broken row must not hold up the others
        _note_failure(act, pk, error)


def _note_failure(act: Callable[[int], None], pk: int, error: Exception) -> None:
    name = getattr(act, "__name__", repr(act))
    cause = ("sweep", name, type(error).__name__)
    once_a_minute(logger, logging.ERROR, cause, "The sweep failed at %s of row %s", name, pk, error=error)
