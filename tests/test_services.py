"""What a shop asks for, at the edges: transactions, a dead broker, what is refused and why."""

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from celery import Celery
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client, TestCase
from django.utils import timezone
from kombu import Connection

from django_dana import log_throttle, services, tasks
from django_dana.models import ApiCall, CancelRequest, Order
from tests import wire as w
from tests.celery import app as celery_app
from tests.conftest import Clock
from tests.factories import (
    NOW,
    account_with,
    change,
    created_order,
    fresh,
    fresh_cancel,
    new_order,
    order_with,
    paid_order,
)
from tests.notices import notify
from tests.wire import CANCEL_PATH, CREATE_PATH, Wire

pytestmark = pytest.mark.django_db


@pytest.fixture
def canceller() -> User:
    user = User.objects.create_user("clerk")
    user.user_permissions.add(Permission.objects.get(codename="cancel_order"))
    return user


# -- create -------------------------------------------------------------------------------------------------------


def test_in_the_background_the_task_starts_on_commit(
    dana: Wire, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, int]] = []
    monkeypatch.setattr(tasks, "start", lambda task, pk: started.append((task.name, pk)))
    with django_capture_on_commit_callbacks() as callbacks:
        order = new_order()
        assert started == []
    for callback in callbacks:
        callback()
    assert started == [("django_dana.tasks.create_order", order.pk)]
    assert dana.heard == []


@pytest.mark.django_db(transaction=True)
def test_now_makes_one_attempt_in_this_thread(dana: Wire) -> None:
    dana.play(w.code("2005400"))
    order = new_order(send="now")
    assert (order.create_status, order.web_redirect_url) == ("success", w.PAGE)


@pytest.mark.django_db(transaction=True)
def test_now_is_bounded_and_leaves_the_rest_to_the_workers(dana: Wire, impatient: None) -> None:
    dana.play(w.hang(dana))
    started = time.monotonic()
    order = new_order(send="now")
    assert time.monotonic() - started < 3
    assert order.create_status == "new"
    assert order.next_attempt_at is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("code", ["4005401", "5005400"])
def test_a_refused_order_is_returned_not_raised(dana: Wire, code: str) -> None:
    dana.play(w.code(code))
    assert new_order(send="now").create_status == "failed"


@pytest.mark.django_db(transaction=True)
def test_now_inside_a_transaction_is_refused(dana: Wire) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError):
        new_order(send="now")
    assert Order.objects.count() == 0
    assert dana.heard == []


@pytest.mark.django_db(transaction=True)
def test_cancel_now_inside_a_transaction_is_refused(dana: Wire) -> None:
    order = created_order(dana)
    with transaction.atomic(), pytest.raises(RuntimeError):
        services.cancel_order(order, send="now")
    assert CancelRequest.objects.count() == 0


ASKED_FOR: dict[str, Callable[[Order, Any], object]] = {
    "create_order": lambda order, send: new_order(send=send),
    "cancel_order": lambda order, send: services.cancel_order(order, send=send),
    "refund_order": lambda order, send: services.refund_order(order, send=send),
}


@pytest.mark.parametrize("name", ASKED_FOR)
def test_inside_a_transaction_it_is_left_to_the_workers_and_now_is_refused_by_name(name: str) -> None:
    order = order_with(create_status="success", payment_status="paid", paid_at=NOW)
    with transaction.atomic():
        ASKED_FOR[name](order, "background")
        with pytest.raises(RuntimeError, match=rf'^{name}\(send="now"\) calls DANA, so it can\'t run inside'):
            ASKED_FOR[name](order, "now")


class NowInATestCase(TestCase):
    """In a shop's own TestCase, which wraps each test in a transaction, send="now" works."""

    def test_now(self) -> None:
        with w.serving() as wire, self.settings(DANA=account_with(BASE_URL=wire.url)):
            wire.play(w.code("2005400"))
            assert new_order(send="now").create_status == "success"
            wire.play(w.code("2005700"))
            request = services.cancel_order(Order.objects.get(), send="now")
            assert request.status == "success"


def test_a_rolled_back_order_leaves_nothing(dana: Wire, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        try:
            with transaction.atomic():
                new_order()
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
    assert (Order.objects.count(), callbacks) == (0, [])


def test_a_reference_used_twice_names_the_field(dana: Wire) -> None:
    new_order(partner_reference_no="INV-1")
    with pytest.raises(ValidationError) as caught:
        new_order(partner_reference_no="INV-1")
    assert set(caught.value.message_dict) == {"partner_reference_no"}
    assert Order.objects.count() == 1


def test_an_order_of_an_unknown_account_names_the_field(dana: Wire) -> None:
    with pytest.raises(ValidationError) as caught:
        new_order(account="nobody")
    assert set(caught.value.message_dict) == {"account"}


def test_all_that_is_wrong_is_told_at_once(dana: Wire) -> None:
    with pytest.raises(ValidationError) as caught:
        new_order(
            amount=Decimal(0),
            title="x" * 65,
            valid_up_to=timezone.now() - timedelta(1),
            currency="rupiah",
            shop_reference="x" * 65,
            sub_merchant_id="x" * 33,
            external_store_id="x" * 65,
        )
    assert set(caught.value.message_dict) == {
        *("amount", "title", "valid_up_to", "currency"),
        *("shop_reference", "sub_merchant_id", "external_store_id"),
    }
    assert Order.objects.count() == 0


def test_the_shops_number_is_kept_and_is_empty_where_it_has_none(dana: Wire) -> None:
    assert fresh(new_order(shop_reference="x" * 64)).shop_reference == "x" * 64
    assert new_order().shop_reference == ""


def test_what_the_database_refuses_for_another_reason_is_not_called_a_used_reference(
    dana: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(order: Order) -> None:
        raise IntegrityError("UNIQUE constraint failed: django_dana_order.public_id")

    monkeypatch.setattr(Order, "save", refuse)
    with pytest.raises(IntegrityError):
        new_order()


def test_the_body_is_what_is_sent(dana: Wire) -> None:
    order = created_order(dana, title='Kopi "Gayo" ☕', metadata={"basket": 7})
    assert dana.bodies(CREATE_PATH) == [order.request_body.encode()]
    assert json.loads(order.request_body)["additionalInfo"]["order"]["orderTitle"] == 'Kopi "Gayo" ☕'
    assert "basket" not in order.request_body


def test_a_far_valid_up_to_goes_to_dana(dana: Wire) -> None:
    order = created_order(dana, valid_up_to=timezone.now() + timedelta(days=480))
    assert order.create_status == "success"


def test_generated_references_fit_qris_and_differ(dana: Wire) -> None:
    references = {new_order().partner_reference_no for _ in range(20)}
    assert len(references) == 20
    assert all(len(reference) <= 25 for reference in references)


@pytest.mark.parametrize("amount", ["0.01", "1.00", "9999999999999.99"])
def test_amounts_are_exact_on_every_engine(dana: Wire, amount: str) -> None:
    order = fresh(new_order(amount=Decimal(amount)))
    assert order.amount == Decimal(amount)
    assert json.loads(order.request_body)["amount"]["value"] == amount


def test_the_environment_is_frozen(dana: Wire, settings: Any) -> None:
    order = new_order()
    settings.DANA = account_with(BASE_URL=dana.url, ENVIRONMENT="production")
    tasks.create_order(order.pk)
    order = fresh(order)
    assert dana.heard == []
    assert (order.create_status, order.needs_attention) == ("new", "account")


@pytest.mark.parametrize(
    "changed",
    [
        {"MERCHANT_ID": "another"},
        {"PRIVATE_KEY": ""},
        {"PRIVATE_KEY": "not a key"},
        {"PRIVATE_KEY": lambda: 1 / 0},
    ],
    ids=["another merchant", "no key", "an unreadable key", "a vault that fails"],
)
def test_an_account_that_cannot_be_used_needs_attention_until_it_can(
    dana: Wire, clock: Clock, settings: Any, told: list[str], changed: dict[str, Any]
) -> None:
    order = new_order(valid_up_to=timezone.now() + timedelta(hours=3))
    good = settings.DANA
    settings.DANA = account_with(BASE_URL=dana.url, **changed)
    tasks.create_order(order.pk)
    assert fresh(order).needs_attention == "account"
    assert told == ["order_needs_attention"]
    assert dana.heard == []
    settings.DANA = good
    dana.play(w.code("2005400"))
    clock.forward(minutes=61)
    tasks.retry_due()
    order = fresh(order)
    assert (order.create_status, order.needs_attention) == ("success", "")


@pytest.mark.parametrize("lost", ["the query", "the create"])
def test_an_order_whose_account_could_not_be_used_is_asked_about_once_it_can(
    dana: Wire, clock: Clock, settings: Any, lost: str
) -> None:
    order = created_order(dana) if lost == "the query" else new_order()
    good = settings.DANA
    settings.DANA = account_with(BASE_URL=dana.url, PRIVATE_KEY="")
    clock.to(order.valid_up_to + timedelta(minutes=6))
    tasks.retry_due()
    tasks.sync_stale()
    assert fresh(order).needs_attention == "account"
    settings.DANA = good
    dana.play(w.status("05", amount="15000.00"))
    clock.forward(minutes=61)
    tasks.retry_due()
    tasks.sync_stale()
    order = fresh(order)
    assert (order.payment_status, order.needs_attention) == ("expired", "")


def test_a_vaults_error_text_reaches_no_log(dana: Wire, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    def vault() -> str:
        raise ConnectionError("token s3cret refused")

    order = new_order()
    settings.DANA = account_with(BASE_URL=dana.url, PRIVATE_KEY=vault)
    tasks.create_order(order.pk)
    assert "ConnectionError" in caplog.text
    assert "s3cret" not in caplog.text


# -- a dead broker ------------------------------------------------------------------------------------------------


@pytest.fixture
def dead_broker(request: pytest.FixtureRequest) -> Iterator[None]:
    """Another Celery app than the suite's, whose broker refuses every connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    app = Celery("dead", broker=f"{request.param}://127.0.0.1:{port}", set_as_current=False)
    app.set_current()
    yield
    celery_app.set_current()
    app.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("dead_broker", ["redis", "amqp"], indirect=True)
@pytest.mark.usefixtures("dead_broker")
def test_a_refused_broker_costs_little_and_loses_nothing(dana: Wire, caplog: pytest.LogCaptureFixture) -> None:
    dana.play(w.code("2005400"))
    # the first one imports the broker's library and more, which is not what is timed
    new_order()
    caplog.clear()
    log_throttle.forget()
    started = time.monotonic()
    with caplog.at_level(logging.WARNING):
        order = new_order()
    assert time.monotonic() - started < 2.5
    assert [record.name for record in caplog.records] == ["django_dana.tasks"]
    tasks.retry_due()
    assert fresh(order).create_status == "success"
    caplog.clear()
    dana.play(w.code("2005700"))
    started = time.monotonic()
    with caplog.at_level(logging.WARNING):
        request = services.cancel_order(fresh(order))
    assert time.monotonic() - started < 2.5
    assert [record.name for record in caplog.records] == ["django_dana.tasks"]
    tasks.retry_due()
    assert CancelRequest.objects.get(pk=request.pk).status == "success"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("dead_broker", ["redis"], indirect=True)
@pytest.mark.usefixtures("dead_broker")
def test_a_broker_that_stays_away_is_logged_once_a_minute(dana: Wire, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        new_order()
    assert [record.name for record in caplog.records] == ["django_dana.tasks"]


# -- cron alone ---------------------------------------------------------------------------------------------------


@pytest.fixture
def cron_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A shop whose settings name no broker, where Celery would take RabbitMQ on this machine."""
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    app = Celery("cron", set_as_current=False)
    app.set_current()
    yield
    celery_app.set_current()
    app.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("cron_alone")
def test_where_no_broker_is_named_nothing_is_sent_to_one(
    dana: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sought: list[str] = []
    monkeypatch.setattr(Connection, "ensure_connection", lambda self, *args, **options: sought.append(self.as_uri()))
    dana.play(w.reset, w.code("2005400"))
    order = new_order()
    call_command("dana_retry_due")
    order = change(order, next_attempt_at=timezone.now())
    call_command("dana_retry_due")
    assert fresh(order).create_status == "success"
    notify(Client(), order)
    assert fresh(order).payment_status == "paid"
    assert (sought, caplog.records) == ([], [])


# -- cancel -------------------------------------------------------------------------------------------------------


def refusal(order: Order, **arguments: Any) -> dict[str, list[str]]:
    """Ask for a cancel that is refused; return why, by field."""
    before = CancelRequest.objects.count()
    with pytest.raises(ValidationError) as caught:
        services.cancel_order(order, **arguments)
    assert CancelRequest.objects.count() == before
    return caught.value.message_dict


def test_cancel_body_and_evidence(dana: Wire, canceller: User) -> None:
    order = created_order(dana, external_store_id="S1", sub_merchant_id="D1")
    dana.play(w.code("2005700"))
    request = services.cancel_order(order, reason="stock ran out", requested_by=canceller)
    tasks.cancel_order(request.pk)
    assert json.loads(dana.bodies(CANCEL_PATH)[0]) == {
        "originalPartnerReferenceNo": order.partner_reference_no,
        "originalReferenceNo": w.REFERENCE_NO,
        "originalExternalId": ApiCall.objects.get(operation="create").external_id,
        "merchantId": order.merchant_id,
        "subMerchantId": "D1",
        "reason": "stock ran out",
        "externalStoreId": "S1",
        "amount": {"value": "15000.00", "currency": "IDR"},
        "additionalInfo": {},
    }
    request = fresh_cancel(request)
    assert (request.requested_by, request.amount, request.reason) == (canceller, order.amount, "stock ran out")


def test_cancel_before_any_create_call_is_refused(dana: Wire) -> None:
    assert "order" in refusal(new_order())
    assert dana.heard == []


def test_cancel_of_an_order_that_was_never_sent_is_refused_after_its_time_too(dana: Wire, clock: Clock) -> None:
    order = new_order()
    clock.to(order.valid_up_to)
    tasks.retry_due()
    assert fresh(order).create_status == "pending"
    with pytest.raises(ValidationError, match="DANA never had this order"):
        services.cancel_order(order)


@pytest.mark.parametrize("code", ["4005401", "4045408"])
def test_cancel_after_a_definite_refusal_is_refused(dana: Wire, code: str) -> None:
    dana.play(w.code(code))
    order = new_order()
    tasks.create_order(order.pk)
    assert "order" in refusal(order)


@pytest.mark.parametrize("act", [w.hang_up, w.code("5005401"), w.code("5005400"), w.body(b"<html>")])
def test_cancel_is_allowed_while_dana_may_have_the_order(dana: Wire, act: w.Act) -> None:
    dana.play(act)
    order = new_order()
    tasks.create_order(order.pk)
    assert services.cancel_order(order, reason="Network timeout").status == "new"


@pytest.mark.parametrize("status", ["cancelled", "expired", "refunded", "not_found"])
def test_cancel_of_a_closed_order_is_refused(dana: Wire, status: str) -> None:
    order = created_order(dana)
    Order.objects.filter(pk=order.pk).update(payment_status=status)
    assert "order" in refusal(order)


@pytest.mark.parametrize("code", [None, "2025700", "4035714"])
def test_cancel_while_another_is_unfinished_is_refused(dana: Wire, code: str | None) -> None:
    order = created_order(dana)
    first = services.cancel_order(order)
    if code:
        dana.play(w.code(code))
        tasks.cancel_order(first.pk)
    assert "under way" in str(refusal(order))


@pytest.mark.parametrize("code", ["4035705", "4005701"])
def test_cancel_after_a_failed_one_is_allowed(dana: Wire, code: str) -> None:
    order = created_order(dana)
    dana.play(w.code(code))
    tasks.cancel_order(services.cancel_order(order).pk)
    assert services.cancel_order(order).status == "new"


def test_a_reason_that_is_too_long_names_the_field(dana: Wire) -> None:
    assert set(refusal(created_order(dana), reason="x" * 257)) == {"reason"}


def test_cancel_needs_the_permission(dana: Wire) -> None:
    order = created_order(dana)
    with pytest.raises(PermissionDenied):
        services.cancel_order(order, requested_by=User.objects.create_user("visitor"))
    assert CancelRequest.objects.count() == 0


def test_retry_cancel_needs_the_permission(dana: Wire, canceller: User) -> None:
    request = services.cancel_order(created_order(dana), requested_by=canceller)
    with pytest.raises(PermissionDenied):
        services.retry_cancel(request, requested_by=User.objects.create_user("visitor"))


# -- retry and stop -----------------------------------------------------------------------------------------------


def test_retry_order_after_valid_up_to_is_refused(dana: Wire, clock: Clock) -> None:
    dana.play(w.code("4015400"))
    order = new_order()
    tasks.create_order(order.pk)
    clock.to(order.valid_up_to)
    with pytest.raises(ValidationError, match="time of this order is over"):
        services.retry_order(order)


def test_retry_order_that_dana_has_is_refused(dana: Wire) -> None:
    with pytest.raises(ValidationError, match="DANA has this order already"):
        services.retry_order(created_order(dana))


def test_retry_order_while_a_call_is_open_is_refused(dana: Wire) -> None:
    order = new_order()
    Order.objects.filter(pk=order.pk).update(lease_until=timezone.now() + timedelta(minutes=1))
    with pytest.raises(ValidationError, match="under way"):
        services.retry_order(order)


def test_retry_order_sends_the_same_bytes(dana: Wire) -> None:
    dana.play(w.code("4015400"), w.code("2005400"))
    order = new_order()
    tasks.create_order(order.pk)
    assert services.retry_order(order).next_attempt_at is not None
    tasks.create_order(order.pk)
    assert fresh(order).create_status == "success"
    assert len(set(dana.bodies(CREATE_PATH))) == 1


def test_retry_of_a_succeeded_cancel_is_refused(dana: Wire) -> None:
    order = created_order(dana)
    dana.play(w.code("2005700"))
    request = services.cancel_order(order)
    tasks.cancel_order(request.pk)
    with pytest.raises(ValidationError, match="succeeded already"):
        services.retry_cancel(request)


def test_retry_cancel_while_another_is_unfinished_is_refused(dana: Wire) -> None:
    order = created_order(dana)
    dana.play(w.code("4035705"))
    first = services.cancel_order(order)
    tasks.cancel_order(first.pk)
    services.cancel_order(order)
    with pytest.raises(ValidationError, match="under way"):
        services.retry_cancel(first)


def test_stop_retrying_a_pending_create_leaves_its_end_to_a_query(dana: Wire, clock: Clock) -> None:
    dana.play(w.code("5005401"))
    order = new_order()
    tasks.create_order(order.pk)
    services.stop_retrying(fresh(order))
    order = fresh(order)
    assert (order.create_status, order.next_attempt_at) == ("pending", None)


def test_stop_retrying_a_pending_cancel_aborts_it_and_asks(dana: Wire) -> None:
    order = paid_order(dana)
    dana.play(w.code("2025700"))
    request = services.cancel_order(order)
    tasks.cancel_order(request.pk)
    services.stop_retrying(fresh_cancel(request))
    assert fresh_cancel(request).status == "aborted"
    dana.play(w.status("05"))
    tasks.sync_stale()
    assert fresh_cancel(request).status == "success"


Started = Callable[[Callable[[], Any]], list[tuple[str, int]]]


@pytest.fixture
def started(django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch) -> Started:
    """Return a function that returns which tasks are started once what is done is committed."""

    def do(act: Callable[[], Any]) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        monkeypatch.setattr(tasks, "start", lambda task, pk: found.append((task.name.rpartition(".")[2], pk)))
        with django_capture_on_commit_callbacks(execute=True):
            act()
            assert found == [], "not before it is committed"
        return found

    return do


def test_stop_retrying_has_dana_asked_at_once(dana: Wire, started: Started) -> None:
    order = paid_order(dana)
    dana.play(w.code("2025700"))
    request = services.cancel_order(order)
    tasks.cancel_order(request.pk)
    assert started(lambda: services.stop_retrying(fresh_cancel(request))) == [("sync_order", order.pk)]


def test_a_retry_by_hand_starts_at_once(dana: Wire, started: Started) -> None:
    dana.play(w.code("5005401"))
    order = new_order()
    tasks.create_order(order.pk)
    assert started(lambda: services.retry_order(fresh(order))) == [("create_order", order.pk)]
    order = paid_order(dana)
    dana.play(w.code("2025700"))
    request = services.cancel_order(order)
    tasks.cancel_order(request.pk)
    assert started(lambda: services.retry_cancel(fresh_cancel(request))) == [("cancel_order", request.pk)]


def test_what_a_query_by_hand_changes_is_told_at_once(dana: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    order = created_order(dana)
    dana.play(w.status("00"))
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(tasks, "start", lambda task, pk: found.append((task.name.rpartition(".")[2], pk)))
    assert services.sync_order(order).payment_status == "paid"
    assert found == [("send_outbox", order.pk)]
    services.sync_order(order, not_within=timedelta(minutes=1))
    assert found == [("send_outbox", order.pk)], "DANA was not asked"


def test_an_order_that_was_to_be_cancelled_is_not_created_again(dana: Wire) -> None:
    dana.play(w.code("4005401"))
    order = new_order()
    tasks.create_order(order.pk)
    CancelRequest.objects.create(
        order=order, amount=order.amount, request_body="{}", give_up_at=timezone.now(), status="failed"
    )
    with pytest.raises(ValidationError, match="closed or being cancelled"):
        services.retry_order(fresh(order))


def test_an_order_is_settled_outside_once(dana: Wire) -> None:
    order = change(paid_order(dana), needs_attention="unsettled")
    services.settle_outside(order, note="by bank transfer")
    assert fresh(order).needs_attention == ""
    with pytest.raises(ValidationError, match="noted already"):
        services.settle_outside(fresh(order), note="by bank transfer")


def test_the_public_functions_are_there() -> None:
    assert [name for name in services.__all__ if not callable(getattr(services, name))] == []


def test_what_is_due_this_very_moment_is_done(dana: Wire) -> None:
    dana.play(w.code("2005400"))
    with time_machine.travel(NOW, tick=False):
        order = new_order()
        assert order.next_attempt_at == timezone.now()
        tasks.create_order(order.pk)
    assert fresh(order).create_status == "success"


def test_a_query_by_hand_that_the_vault_stops_is_made_soon_after(dana: Wire, clock: Clock, settings: Any) -> None:
    order = change(paid_order(dana), next_sync_at=timezone.now() + timedelta(days=1))
    good = settings.DANA
    settings.DANA = account_with(BASE_URL=dana.url, PRIVATE_KEY=lambda: 1 / 0)
    tasks.sync_order(order.pk)
    assert fresh(order).needs_attention == "account"
    settings.DANA = good
    dana.play(w.status("00"))
    clock.forward(seconds=121)
    tasks.sync_stale()
    assert fresh(order).needs_attention == ""


def test_stop_retrying_while_a_call_is_open_is_refused(dana: Wire) -> None:
    dana.play(w.code("5005401"))
    order = new_order()
    tasks.create_order(order.pk)
    Order.objects.filter(pk=order.pk).update(lease_until=timezone.now() + timedelta(minutes=1))
    with pytest.raises(ValidationError, match="under way"):
        services.stop_retrying(order)


def test_stop_retrying_what_is_not_retried_is_refused(dana: Wire) -> None:
    with pytest.raises(ValidationError, match="being tried again"):
        services.stop_retrying(created_order(dana))


def test_paid_order_cancel_after_24_hours_is_only_a_warning(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    clock.forward(days=2)
    assert services.cancel_order(order).status == "new"


def test_a_person_can_mark_a_refused_cancel_as_looked_at(dana: Wire) -> None:
    order = paid_order(dana)
    dana.play(w.code("4035705"))
    request = services.cancel_order(order)
    tasks.cancel_order(request.pk)
    assert fresh_cancel(request).needs_attention == "refused"
    services.clear_attention(fresh_cancel(request))
    assert fresh_cancel(request).needs_attention == ""


def test_marking_an_order_as_looked_at_ends_the_queries(dana: Wire) -> None:
    order = created_order(dana)
    Order.objects.filter(pk=order.pk).update(needs_attention="amount_differs", next_sync_at=timezone.now())
    services.clear_attention(order)
    assert (fresh(order).needs_attention, fresh(order).next_sync_at) == ("", None)


def test_an_order_that_dana_is_being_asked_about_cannot_be_marked(dana: Wire) -> None:
    order = created_order(dana)
    Order.objects.filter(pk=order.pk).update(needs_attention="conflict", next_sync_at=timezone.now())
    with pytest.raises(ValidationError, match="being asked"):
        services.clear_attention(order)


def test_a_cancel_whose_end_nobody_knows_cannot_be_marked(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.hang_up)
    request = services.cancel_order(order)
    for _ in range(3):
        tasks.cancel_order(request.pk)
        clock.forward(seconds=10)
    assert fresh_cancel(request).needs_attention == "end_unknown"
    with pytest.raises(ValidationError, match="being asked"):
        services.clear_attention(fresh_cancel(request))
