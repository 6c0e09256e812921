"""Two at once: whatever workers, clerks and DANA do at the same moment, each thing happens once."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    connections,
)
from django.test import Client
from django.utils import timezone

from django_dana import gateway, services, tasks
from django_dana.models import ApiCall, CancelRequest, Notification, Order, OutboxEvent
from django_dana.services import notifications
from django_dana.transitions import LockedOrder
from tests import wire as w
from tests.conftest import Clock
from tests.factories import (
    Death,
    account_with,
    created_order,
    fresh,
    fresh_cancel,
    fresh_refund,
    new_order,
    paid_order,
)
from tests.notices import PATH, facts, notify
from tests.wire import CANCEL_PATH, CREATE_PATH, REFUND_PATH, Act, Heard, Wire

needs_a_server = pytest.mark.skipif(
    "connection.vendor == 'sqlite' and not connection.settings_dict['TEST'].get('NAME')",
    reason="threads can't share an SQLite database in memory; set DATABASE_URL to PostgreSQL, MariaDB or a file",
)

ROUNDS = 5
TIMEOUT = 10.0


@pytest.fixture
def dana(wire: Wire, settings: Any) -> Wire:
    """A DANA that may take its time."""
    settings.DANA = account_with(BASE_URL=wire.url, TIMEOUT=TIMEOUT)
    return wire


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "start", lambda *args, **kwargs: None)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do all of this at the same moment, each in a thread of its own; return results or exceptions."""
    barrier = threading.Barrier(len(acts))

    def do(act: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(10)
            return act()
        except Exception as error:  # noqa: BLE001  the test looks at it
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(do, acts))


class Held:
    """An answer that is held back until the test lets it go."""

    def __init__(self, act: Act) -> None:
        self.asked, self._go, self._act = threading.Event(), threading.Event(), act

    def __call__(self, connection: Any, request: Heard) -> bool | None:
        self.asked.set()
        assert self._go.wait(10)
        return self._act(connection, request)

    def let_go(self) -> None:
        self._go.set()


@pytest.fixture
def in_background() -> Iterator[Callable[[Callable[[], Any]], threading.Thread]]:
    """Run something in a thread that the test joins."""
    threads: list[threading.Thread] = []

    def start(act: Callable[[], Any]) -> threading.Thread:
        def run() -> None:
            try:
                act()
            finally:
                connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        threads.append(thread)
        return thread

    yield start
    for thread in threads:
        thread.join(15)
        assert not thread.is_alive()


def outbox_names(order: Order) -> list[str]:
    return list(order.outbox.order_by("id").values_list("name", flat=True))


# -- several threads --------------------------------------------------------------------------------------------------


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_two_clicks_on_cancel_make_one_request(dana: Wire) -> None:
    for _ in range(ROUNDS):
        order = created_order(dana)
        results = at_once(*[lambda order=order: services.cancel_order(order)] * 3)
        assert sorted(type(result).__name__ for result in results) == [
            "CancelRequest",
            "ValidationError",
            "ValidationError",
        ]
        assert order.cancel_requests.count() == 1


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_two_notifications_at_once_pay_once(dana: Wire) -> None:
    for _ in range(ROUNDS):
        order = created_order(dana)
        before = outbox_names(order).count("order_paid")
        results = at_once(*[lambda order=order: notify(Client(), order).json()["responseCode"]] * 4)
        assert results == ["2005600"] * 4
        assert fresh(order).payment_status == "paid"
        assert (before, outbox_names(order).count("order_paid")) == (0, 1)
        outcomes = sorted(Notification.objects.filter(order=order).values_list("outcome", flat=True))
        assert outcomes == ["applied"], "an exact repetition adds no row"


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_paid_and_closed_at_once_end_in_one_of_two_ways_and_are_looked_at(dana: Wire) -> None:
    for _ in range(ROUNDS):
        order = created_order(dana)
        at_once(*[lambda order=order, status=status: notify(Client(), order, status) for status in ("00", "05")])
        order = fresh(order)
        assert (order.payment_status, order.needs_attention) in [("paid", "conflict"), ("expired", "conflict")]
        assert order.next_sync_at is not None


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_two_workers_at_one_order_make_one_call(dana: Wire) -> None:
    for _ in range(ROUNDS):
        dana.heard.clear()
        dana.play(w.code("2005400"))
        order = new_order()
        assert at_once(*[lambda order=order: tasks.create_order(order.pk)] * 4) == [None] * 4
        assert len(dana.bodies(CREATE_PATH)) == 1
        assert (fresh(order).create_status, order.api_calls.count()) == ("success", 1)
        assert (fresh(order).attempts, fresh(order).lease_token) == (1, None)


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_two_workers_at_one_cancel_make_one_call(dana: Wire) -> None:
    for _ in range(ROUNDS):
        order = created_order(dana)
        dana.heard.clear()
        dana.play(w.code("2005700"))
        request = services.cancel_order(order)
        assert at_once(*[lambda request=request: tasks.cancel_order(request.pk)] * 4) == [None] * 4
        assert len(dana.bodies(CANCEL_PATH)) == 1
        assert (fresh_cancel(request).status, fresh_cancel(request).attempts) == ("success", 1)
        assert outbox_names(order).count("order_cancelled") <= 1


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_two_refunds_of_60_percent_at_once_are_one(dana: Wire) -> None:
    for _ in range(ROUNDS):
        order = paid_order(dana)
        results = at_once(*[partial(services.refund_order, order, amount=Decimal("9000.00"))] * 3)
        assert sorted(type(result).__name__ for result in results) == [
            "RefundRequest",
            "ValidationError",
            "ValidationError",
        ]
        refusals = [result for result in results if isinstance(result, ValidationError)]
        assert [list(refusal.message_dict) for refusal in refusals] == [["amount"]] * 2
        assert [request.amount for request in order.refund_requests.all()] == [Decimal("9000.00")]


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_refunds_at_once_never_add_up_to_more_than_was_paid(dana: Wire) -> None:
    for _ in range(ROUNDS):
        order = paid_order(dana)
        amounts = [Decimal(amount) for amount in ("4000.00", "5000.00", "6000.00", "7000.00")]
        at_once(*[partial(services.refund_order, order, amount=amount) for amount in amounts])
        given = sum(request.amount for request in order.refund_requests.all())
        assert 0 < given <= order.amount
        assert fresh(order).amount_left == order.amount - given


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_cancel_and_refund_at_once_are_one_of_them(dana: Wire) -> None:
    for _ in range(ROUNDS):
        order = paid_order(dana)
        results = at_once(partial(services.cancel_order, order), partial(services.refund_order, order))
        assert [type(result).__name__ for result in results].count("ValidationError") == 1
        assert order.cancel_requests.count() + order.refund_requests.count() == 1


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_workers_and_a_sweep_at_one_refund_make_one_call(dana: Wire) -> None:
    for _ in range(ROUNDS):
        order = paid_order(dana)
        dana.heard.clear()
        dana.play(w.code("2005800"))
        request = services.refund_order(order, amount=Decimal("9000.00"))
        refund = partial(tasks.refund_order, request.pk)
        at_once(refund, refund, tasks.retry_due, partial(services.retry_refund, request))
        assert (len(dana.bodies(REFUND_PATH)), fresh_refund(request).status) == (1, "success")
        assert fresh(order).refunded_amount == Decimal("9000.00")


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_workers_a_sweep_and_an_impatient_person_at_one_row_make_one_call(dana: Wire) -> None:
    for _ in range(ROUNDS):
        dana.heard.clear()
        dana.play(w.code("2005400"))
        order = new_order()
        create = partial(tasks.create_order, order.pk)
        at_once(create, create, tasks.retry_due, tasks.retry_due, partial(services.retry_order, order))
        assert (len(dana.bodies(CREATE_PATH)), fresh(order).create_status) == (1, "success")
        dana.play(w.code("2005700"))
        request = services.cancel_order(fresh(order))
        cancel = partial(tasks.cancel_order, request.pk)
        at_once(cancel, cancel, tasks.retry_due, tasks.retry_due, partial(services.retry_cancel, request))
        assert (len(dana.bodies(CANCEL_PATH)), fresh_cancel(request).status) == (1, "success")


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_create_and_query_of_one_order_never_run_at_once(dana: Wire) -> None:
    under_way: list[int] = []
    most: list[int] = []

    def slow(connection: Any, request: Heard) -> bool | None:
        under_way.append(1)
        most.append(len(under_way))
        threading.Event().wait(0.05)
        under_way.pop()
        known = w.code("2005400") if request.path == CREATE_PATH else w.status("01")
        return known(connection, request)

    dana.play(slow)
    order = new_order()
    acts: list[Callable[[], Any]] = [lambda: tasks.create_order(order.pk), lambda: services.sync_order(order)]
    results = at_once(*acts * 3)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert set(most) == {1}


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_two_sweeps_do_each_row_once(dana: Wire) -> None:
    dana.play(w.code("2005400"))
    orders = [new_order() for _ in range(12)]
    assert at_once(*[tasks.retry_due] * 3) == [None] * 3
    assert sorted(json.loads(body)["partnerReferenceNo"] for body in dana.bodies(CREATE_PATH)) == sorted(
        order.partner_reference_no for order in orders
    )
    assert set(Order.objects.values_list("create_status", "attempts")) == {("success", 1)}


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_two_workers_send_an_event_once_and_in_order(dana: Wire, told: list[str]) -> None:
    for _ in range(ROUNDS):
        told.clear()
        order = new_order()
        notify(Client(), order)
        assert at_once(*[lambda order=order: tasks.send_outbox(order.pk)] * 4) == [None] * 4
        tasks.send_outbox(order.pk)
        assert told == ["order_created", "order_paid"]
        assert outbox_names(order) == []


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_a_flood_from_strangers_neither_stops_dana_nor_fills_the_store(
    dana: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "MAX_REFUSED", 10)
    order = created_order(dana)

    def flood() -> set[int]:
        client = Client()
        return {client.post(PATH, b"{}", content_type="application/json").status_code for _ in range(25)}

    results = at_once(*[flood] * 4, lambda: notify(Client(), order).status_code)
    assert results == [{401}] * 4 + [200]
    assert fresh(order).payment_status == "paid"
    notify(Client(), order, amount=None)
    flood()
    assert Notification.objects.filter(verified=False).count() == 10


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_one_reference_asked_for_twice_is_one_order(dana: Wire) -> None:
    for number in range(ROUNDS):
        results = at_once(*[lambda number=number: new_order(partner_reference_no=f"INV-{number}")] * 3)
        assert sorted(type(result).__name__ for result in results) == ["Order", "ValidationError", "ValidationError"]


@needs_a_server
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", ["00", "05"])
def test_a_notification_is_applied_while_the_reply_to_a_cancel_is_on_its_way(
    dana: Wire, in_background: Callable[..., threading.Thread], client: Client, status: str
) -> None:
    order = created_order(dana)
    request = services.cancel_order(order)
    held = Held(w.code("2005700"))
    dana.play(held)
    worker = in_background(lambda: gateway.attempt(CancelRequest, request.pk))
    assert held.asked.wait(10)
    assert notify(client, order, status).json()["responseCode"] == "2005600"
    meanwhile = fresh(order)
    held.let_go()
    worker.join(10)
    order = fresh(order)
    assert meanwhile.payment_status == ("paid" if status == "00" else "initiated")
    assert (order.payment_status, fresh_cancel(request).status) == ("cancelled", "success")
    assert (order.paid_at is not None) == (status == "00")
    assert outbox_names(order).count("order_cancelled") == 1
    assert order.lease_token is None


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_a_notification_that_overtakes_the_reply_to_a_create_is_not_weakened_by_it(
    dana: Wire, in_background: Callable[..., threading.Thread], client: Client
) -> None:
    order = new_order()
    held = Held(w.code("4045418"))
    dana.play(held)
    worker = in_background(lambda: gateway.attempt_create(order.pk))
    assert held.asked.wait(10)
    notify(client, order)
    held.let_go()
    worker.join(10)
    order = fresh(order)
    assert (order.create_status, order.payment_status, order.needs_attention) == ("success", "paid", "")
    assert outbox_names(order) == ["order_created", "order_paid"]


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_an_answer_older_than_a_notification_is_not_applied_but_asked_for_again(
    dana: Wire, in_background: Callable[..., threading.Thread], client: Client
) -> None:
    order = created_order(dana)
    held = Held(w.status("01"))
    dana.play(held)
    worker = in_background(lambda: services.sync_order(order))
    assert held.asked.wait(10)
    notify(client, order)
    held.let_go()
    worker.join(10)
    order = fresh(order)
    assert (order.payment_status, order.needs_attention) == ("paid", "")
    assert order.next_sync_at is not None


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_a_click_on_cancel_while_the_create_is_on_its_way(
    dana: Wire, in_background: Callable[..., threading.Thread]
) -> None:
    order = new_order()
    held = Held(w.code("2005400"))
    dana.play(held)
    worker = in_background(lambda: gateway.attempt_create(order.pk))
    assert held.asked.wait(10)
    request = services.cancel_order(order)
    gateway.attempt(CancelRequest, request.pk)
    assert fresh_cancel(request).attempts == 0  # the line is taken
    held.let_go()
    worker.join(10)
    dana.play(w.code("2005700"))
    gateway.attempt(CancelRequest, request.pk)
    assert (fresh(order).payment_status, fresh_cancel(request).status) == ("cancelled", "success")


@needs_a_server
@pytest.mark.django_db(transaction=True)
def test_a_sweep_does_not_wait_for_a_call_that_is_under_way(
    dana: Wire, in_background: Callable[..., threading.Thread]
) -> None:
    slow = new_order()
    held = Held(w.code("2005400"))
    dana.play(held, w.code("2005400"))
    in_background(lambda: gateway.attempt_create(slow.pk))
    assert held.asked.wait(10)
    others = [new_order() for _ in range(3)]
    tasks.retry_due()
    assert {fresh(order).create_status for order in others} == {"success"}
    assert fresh(slow).create_status == "new"
    held.let_go()


# -- one thread: what a lease does ----------------------------------------------------------------------------------


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Callable[[Order], None]:
    """Make the next call come back after its lease was replaced."""
    speak = gateway._send

    def replace(order: Order) -> None:
        def speak_and_lose(*args: Any) -> Any:
            ended = speak(*args)
            free = Order.objects.filter(pk=order.pk)
            free.update(lease_token="7" * 32, lease_until=timezone.now() + timedelta(minutes=1))
            return ended

        monkeypatch.setattr(gateway, "_send", speak_and_lose)

    return replace


@pytest.mark.django_db
def test_a_late_writer_changes_nothing_but_closes_its_row(dana: Wire, late: Callable[[Order], None]) -> None:
    dana.play(w.code("2005400"))
    order = new_order()
    late(order)
    gateway.attempt_create(order.pk)
    call = ApiCall.objects.get()
    assert (call.rule_code, call.response_code, call.http_status) == ("2005400", "2005400", 200)
    assert call.duration_ms is not None
    order = fresh(order)
    assert (order.create_status, order.payment_status, order.web_redirect_url) == ("new", "none", "")
    assert order.lease_token is not None
    assert order.lease_token.hex == "7" * 32
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db
def test_a_late_answer_to_a_cancel_changes_nothing_but_closes_its_row(
    dana: Wire, late: Callable[[Order], None]
) -> None:
    order = created_order(dana)
    request = services.cancel_order(order)
    dana.play(w.code("2005700"))
    late(order)
    gateway.attempt(CancelRequest, request.pk)
    assert (fresh_cancel(request).status, fresh(order).payment_status) == ("new", "initiated")
    assert ApiCall.objects.get(operation="cancel").response_code == "2005700"


@pytest.mark.django_db
def test_a_late_answer_to_a_query_changes_nothing_but_closes_its_row(dana: Wire, late: Callable[[Order], None]) -> None:
    order = created_order(dana)
    dana.play(w.status("00", amount="15000.00"))
    late(order)
    gateway.sync(order.pk)
    assert fresh(order).payment_status == "initiated"
    assert ApiCall.objects.get(operation="query").duration_ms is not None


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Run something whose worker dies after DANA has acted and before it recorded anything."""
    speak = gateway._send

    def run(act: Callable[[], Any]) -> None:
        def speak_and_die(*args: Any) -> Any:
            speak(*args)
            raise Death

        with monkeypatch.context() as patch:
            patch.setattr(gateway, "_send", speak_and_die)
            with pytest.raises(Death):
                act()

    return run


@pytest.mark.django_db
def test_the_order_of_a_dead_worker_waits_for_its_lease_and_is_taken_up_again(
    dana: Wire, clock: Clock, dies: Callable[..., None]
) -> None:
    dana.play(w.code("2005400"))
    order = new_order()
    dies(lambda: gateway.attempt_create(order.pk))
    call = ApiCall.objects.get()
    assert (call.duration_ms, call.error) == (None, "")
    tasks.retry_due()
    assert len(dana.heard) == 1  # the lease still holds
    until = fresh(order).lease_until
    assert until is not None
    assert until - timezone.now() > timedelta(seconds=TIMEOUT)
    clock.to(until + timedelta(milliseconds=1))
    tasks.retry_due()
    order = fresh(order)
    assert (order.create_status, order.attempts, order.lease_token) == ("success", 2, None)
    assert len({request.body for request in dana.heard}) == 1
    call.refresh_from_db()
    assert (call.duration_ms, call.rule_code) == (None, "no_reply")
    assert call.error == "the worker ended before the answer was recorded"


_SESSION = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT CONNECTION_ID()"}
_END = {"postgresql": "SELECT pg_terminate_backend(%s)", "mysql": "KILL %s"}


def cut_off() -> None:
    """End this thread's session in the database, as a restart of the database does."""
    with connection.cursor() as cursor:
        cursor.execute(_SESSION[connection.vendor])
        (session,) = cursor.fetchone()
    assert at_once(lambda: connection.cursor().execute(_END[connection.vendor], [session])) != []


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="a database in a file can't hang up")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("operation", ["create", "cancel"])
@pytest.mark.parametrize("when", ["after the call", "while it records"])
def test_a_database_that_goes_away_leaves_an_open_call_and_the_sweep_settles_it(
    dana: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch, when: str, operation: str
) -> None:
    order = created_order(dana) if operation == "cancel" else new_order()
    start = partial(tasks.create_order, order.pk)
    if operation == "cancel":
        start = partial(tasks.cancel_order, services.cancel_order(order).pk)
    dana.heard.clear()
    dana.play(w.code("2005700" if operation == "cancel" else "2005400"))
    owner, name = (gateway, "_recording") if when == "after the call" else (LockedOrder, "note_result")
    act = getattr(owner, name)

    def cut_off_and_act(*args: Any) -> Any:
        cut_off()
        return act(*args)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, cut_off_and_act)
        with pytest.raises((OperationalError, InterfaceError)):
            start()
    # as Celery does after each task
    close_old_connections()
    lost = order.api_calls.get(operation=operation)
    assert (lost.duration_ms, lost.error) == (None, "")
    until = fresh(order).lease_until
    assert until is not None
    clock.to(until + timedelta(milliseconds=1))
    tasks.retry_due()
    assert len(dana.heard) == 2
    assert len({request.body for request in dana.heard}) == 1
    order = fresh(order)
    assert (order.create_status, order.lease_token) == ("success", None)
    assert order.payment_status == ("cancelled" if operation == "cancel" else "initiated")
    lost.refresh_from_db()
    assert lost.error == "the worker ended before the answer was recorded"


@pytest.mark.django_db
def test_a_worker_that_dies_at_every_attempt_ends_the_series_as_no_reply(
    dana: Wire, clock: Clock, dies: Callable[..., None]
) -> None:
    dana.play(w.code("2005400"))
    order = new_order()
    for _ in range(3):
        dies(lambda: gateway.attempt_create(order.pk))
        clock.forward(seconds=71)
    tasks.retry_due()
    order = fresh(order)
    assert (order.create_status, order.rule_code, order.attempts) == ("pending", "no_reply", 3)
    assert len(dana.heard) == 3


@pytest.mark.django_db
def test_a_cancel_whose_worker_died_is_repeated_and_its_echo_is_not_called_a_refusal(
    dana: Wire, clock: Clock, dies: Callable[..., None]
) -> None:
    order = created_order(dana)
    request = services.cancel_order(order)
    dana.play(w.code("2005700"))
    dies(lambda: gateway.attempt(CancelRequest, request.pk))
    clock.forward(seconds=71)
    dana.play(w.code("4035700"), w.status("05"))
    tasks.retry_due()
    assert (fresh_cancel(request).status, fresh(order).payment_status) == ("success", "cancelled")
    assert len(set(dana.bodies(CANCEL_PATH))) == 1


@pytest.mark.django_db
def test_a_query_whose_worker_died_does_not_lock_the_order_for_ever(
    dana: Wire, clock: Clock, dies: Callable[..., None]
) -> None:
    order = created_order(dana)
    dana.play(w.status("00", amount="15000.00"))
    dies(lambda: gateway.sync(order.pk))
    assert services.sync_order(order).payment_status == "initiated"
    clock.forward(seconds=71)
    assert services.sync_order(order).payment_status == "paid"


@pytest.mark.django_db
def test_a_held_order_is_not_called_and_says_so_to_people(dana: Wire, dies: Callable[..., None]) -> None:
    dana.play(w.code("2005400"))
    order = new_order()
    dies(lambda: gateway.attempt_create(order.pk))
    before = facts(order)
    with pytest.raises(ValidationError, match="under way"):
        services.retry_order(order)
    gateway.attempt_create(order.pk)
    assert gateway.sync(order.pk) is False
    assert facts(order) == before
    assert ApiCall.objects.count() == 1


@pytest.mark.django_db
def test_a_notification_needs_no_lease(dana: Wire, client: Client, dies: Callable[..., None]) -> None:
    dana.play(w.code("2005400"))
    order = new_order()
    dies(lambda: gateway.attempt_create(order.pk))
    notify(client, order)
    assert (fresh(order).create_status, fresh(order).payment_status) == ("success", "paid")
    assert fresh(order).lease_token is not None


@pytest.mark.django_db
def test_the_database_holds_one_unfinished_cancel_per_order(dana: Wire) -> None:
    order = created_order(dana)
    request = services.cancel_order(order)
    with pytest.raises(ValidationError, match="under way"):
        services.cancel_order(order)
    request.pk = None
    with pytest.raises(IntegrityError):
        request.save(force_insert=True)
