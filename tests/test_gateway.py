"""What a worker that comes by finds to be due, and what it leaves alone."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

from django_dana import conf, gateway, services, timing
from django_dana.models import ApiCall, CancelRequest, Order
from django_dana.protocol.messages import CallResult
from tests import wire as w
from tests.factories import NOW, Death, account_with, change, created_order, fresh, fresh_cancel, new_order, order_with
from tests.wire import CANCEL_PATH, CREATE_PATH, QUERY_PATH, Wire

pytestmark = pytest.mark.django_db

MOMENT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def stopped_clock() -> Iterator[None]:
    """It is NOW, and stays so: what is said of a moment is said to the microsecond."""
    with time_machine.travel(NOW, tick=False):
        yield


def cancel_with(dana: Wire, **fields: Any) -> CancelRequest:
    """Return a cancel request in some state, whatever led to it."""
    cancel_request = services.cancel_order(created_order(dana))
    CancelRequest.objects.filter(pk=cancel_request.pk).update(**fields)
    dana.heard.clear()
    return fresh_cancel(cancel_request)


@pytest.mark.parametrize("payment_status", sorted(set(Order.PaymentStatus) - set(Order.OPEN_PAYMENT)))
def test_an_order_whose_payment_has_ended_is_not_sent(dana: Wire, payment_status: str) -> None:
    order = order_with(payment_status=payment_status, create_status="pending", next_attempt_at=NOW)
    assert not gateway.attempt_create(order.pk)
    assert not dana.heard
    assert fresh(order).next_attempt_at is None


@pytest.mark.parametrize("payment_status", Order.OPEN_PAYMENT)
def test_an_order_that_is_due_is_sent(dana: Wire, payment_status: str) -> None:
    dana.play(w.code("2005400"))
    order = order_with(payment_status=payment_status, create_status="pending", next_attempt_at=NOW)
    assert gateway.attempt_create(order.pk)
    assert len(dana.bodies(CREATE_PATH)) == 1


def test_an_order_is_not_sent_a_moment_before_it_is_due(dana: Wire) -> None:
    order = order_with(next_attempt_at=NOW + MOMENT)
    assert not gateway.attempt_create(order.pk)
    assert not dana.heard


def test_an_order_is_sent_up_to_its_time_and_not_at_it(dana: Wire) -> None:
    over = order_with(valid_up_to=NOW, next_attempt_at=NOW)
    assert not gateway.attempt_create(over.pk)
    assert not dana.heard
    assert (fresh(over).create_status, fresh(over).next_attempt_at) == ("pending", None)
    dana.play(w.code("2005400"))
    last = order_with(valid_up_to=NOW + MOMENT, next_attempt_at=NOW)
    assert gateway.attempt_create(last.pk)


def test_an_order_that_dana_has_is_not_sent_again(dana: Wire) -> None:
    order = order_with(create_status="success", next_attempt_at=NOW)
    assert not gateway.attempt_create(order.pk)
    assert not dana.heard
    assert (fresh(order).create_status, fresh(order).next_attempt_at) == ("success", None)


def test_the_schedule_after_a_series_counts_its_attempts_on(dana: Wire) -> None:
    dana.play(w.code("2005400"))
    order = order_with(create_status="pending", attempts=3, next_attempt_at=NOW)
    assert gateway.attempt_create(order.pk)
    assert (fresh(order).create_status, fresh(order).attempts) == ("success", 4)


def test_a_series_whose_last_worker_died_is_over_without_another_call(dana: Wire) -> None:
    order = order_with(attempts=3, next_attempt_at=NOW)
    assert not gateway.attempt_create(order.pk)
    assert not dana.heard
    order = fresh(order)
    assert (order.create_status, order.rule_code, order.attempts) == ("pending", "no_reply", 3)
    assert order.next_attempt_at is not None


def test_a_cancel_that_waits_for_nothing_is_not_given_up(dana: Wire) -> None:
    cancel_request = cancel_with(dana, next_attempt_at=None, give_up_at=NOW)
    assert not gateway.attempt(CancelRequest, cancel_request.pk)
    assert not dana.heard
    assert fresh_cancel(cancel_request).status == "new"


def test_a_cancel_is_sent_up_to_its_time_and_at_it_dana_is_asked(dana: Wire) -> None:
    last = cancel_with(dana, next_attempt_at=NOW, give_up_at=NOW + MOMENT)
    dana.play(w.code("2005700"))
    assert gateway.attempt(CancelRequest, last.pk)
    assert len(dana.bodies(CANCEL_PATH)) == 1
    over = cancel_with(dana, next_attempt_at=NOW, give_up_at=NOW)
    dana.play(w.status("01"))
    assert gateway.attempt(CancelRequest, over.pk)
    assert not dana.bodies(CANCEL_PATH)
    assert fresh_cancel(over).status == "aborted"


@pytest.mark.parametrize(("ago", "is_asked"), [(timedelta(seconds=10), True), (timedelta(seconds=10) - MOMENT, False)])
def test_dana_is_not_asked_within_a_time(dana: Wire, ago: timedelta, *, is_asked: bool) -> None:
    order = order_with(create_status="success", last_sync_at=NOW - ago)
    dana.play(w.status("01"))
    assert gateway.sync(order.pk, not_within=timedelta(seconds=10)) == is_asked
    assert len(dana.bodies(QUERY_PATH)) == is_asked


def test_without_such_a_time_dana_is_asked_at_once(dana: Wire) -> None:
    order = order_with(create_status="success", last_sync_at=NOW)
    dana.play(w.status("01"))
    assert gateway.sync(order.pk)


def test_a_cancel_is_not_given_up_while_dana_can_not_be_asked(dana: Wire) -> None:
    cancel_request = cancel_with(dana, next_attempt_at=NOW, give_up_at=NOW)
    change(cancel_request.order, lease_token=uuid.uuid4(), lease_until=NOW + MOMENT)
    assert not gateway.attempt(CancelRequest, cancel_request.pk)
    assert not dana.heard
    assert fresh_cancel(cancel_request).status == "new"


def test_an_account_that_became_another_merchants_sends_nothing_and_says_why(
    dana: Wire, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    order = new_order()
    settings.DANA = account_with(MERCHANT_ID="216620000000999999999")
    assert not gateway.attempt_create(order.pk)
    assert not dana.heard
    assert caplog.messages == [
        f"No call to DANA for order {order.pk}: "
        "the account is another merchant's or another environment's than the order"
    ]


# -- a call and its row -----------------------------------------------------------------------------------------------


def test_a_call_holds_its_order_for_the_time_out_and_a_margin(dana: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*arguments: Any) -> None:
        raise Death

    monkeypatch.setattr(gateway, "_send", die)
    order = new_order()
    with pytest.raises(Death):
        gateway.attempt_create(order.pk)
    assert fresh(order).lease_until == NOW + timedelta(seconds=5) + timing.LEASE_MARGIN


def test_the_call_of_a_worker_that_died_is_told_from_those_that_run(dana: Wire) -> None:
    order = order_with(lease_token=uuid.uuid4(), lease_until=NOW)
    lost = ApiCall.objects.create(order=order, operation="create", external_id="lost", started_at=NOW)
    dana.play(w.code("2005400"))
    assert gateway.attempt_create(order.pk)
    lost.refresh_from_db()
    assert (lost.rule_code, lost.error) == ("no_reply", "the worker ended before the answer was recorded")


def test_how_long_a_call_took_is_kept_in_milliseconds(dana: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    dana.play(w.code("2005400"))
    order = new_order()
    monkeypatch.setattr(gateway, "time", SimpleNamespace(monotonic=iter([100.0, 102.5]).__next__))
    assert gateway.attempt_create(order.pk)
    assert order.api_calls.get().duration_ms == 2500


def test_what_dana_said_is_kept_as_far_as_a_column_takes_it(dana: Wire) -> None:
    reply = {"responseCode": "4005400", "responseMessage": "m" * 300}
    dana.play(w.body(json.dumps(reply).encode() + b"\x00", 400), w.body(json.dumps(reply).encode(), 400))
    order = new_order()
    assert gateway.attempt_create(order.pk)
    assert order.api_calls.get().response_body == json.dumps(reply) + "\\x00"
    change(order, next_attempt_at=NOW)
    assert gateway.attempt_create(order.pk)
    last = order.api_calls.latest("pk")
    assert (last.response_code, last.response_message) == ("4005400", "m" * 255)


@pytest.mark.parametrize(
    ("environment", "asked_for", "sent"),
    [("sandbox", True, True), ("sandbox", False, False), ("production", True, False), ("production", False, False)],
)
def test_debug_mode_is_of_the_sandbox_and_of_those_who_ask_for_it(
    settings: Any, environment: str, *, asked_for: bool, sent: bool
) -> None:
    settings.DANA = account_with(ENVIRONMENT=environment, DEBUG_MODE=asked_for)
    assert gateway.credentials_of(conf.account("default")).debug_mode is sent


def test_a_call_whose_lease_another_has_taken_changes_its_row_only(
    dana: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dana.play(w.code("2005400"))
    order = new_order()
    send = gateway._send

    def send_slowly(*arguments: Any) -> CallResult:
        result = send(*arguments)
        change(order, lease_token=uuid.uuid4())
        return result

    monkeypatch.setattr(gateway, "_send", send_slowly)
    assert gateway.attempt_create(order.pk)
    assert caplog.messages == [f"The lease on order {order.pk} ran out before the answer was recorded"]
    assert order.api_calls.get().response_code == "2005400"
    order = fresh(order)
    assert (order.create_status, order.web_redirect_url, order.next_sync_at) == ("new", "", NOW)
    assert order.lease_token is not None


def test_no_reply_on_the_schedule_begins_no_new_series(dana: Wire) -> None:
    dana.play(w.hang_up)
    order = order_with(create_status="pending", attempts=1, next_attempt_at=NOW)
    assert gateway.attempt_create(order.pk)
    order = fresh(order)
    assert (order.create_status, order.attempts, order.retries) == ("pending", 2, 1)


@pytest.mark.parametrize("attention", ["conflict", "amount_differs", "unknown_status"])
def test_an_answer_that_fits_ends_what_contradicted_itself(dana: Wire, attention: str) -> None:
    order = order_with(create_status="success", payment_status="initiated", needs_attention=attention)
    dana.play(w.status("01", amount=str(order.amount)))
    assert gateway.sync(order.pk)
    assert fresh(order).needs_attention == ""
