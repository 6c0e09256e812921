"""A create at the edges of its rules: its schedule, what a late reply may add, and what stops it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from django_dana import conf, gateway, services, tasks, transitions
from django_dana.models import Order
from django_dana.protocol import response_codes
from django_dana.protocol.messages import CallResult, CreateOrderReply
from django_dana.transitions import creates
from tests import wire as w
from tests.conftest import Clock
from tests.factories import change, created_order, fresh, fresh_cancel, new_order
from tests.wire import CREATE_PATH, QUERY_PATH, Act, Wire

pytestmark = pytest.mark.django_db

AMOUNT = "15000.00"
FIVE_MINUTES = timedelta(minutes=5)
A_MOMENT = timedelta(microseconds=1)

REPLY = CreateOrderReply(reference_no="D1", web_redirect_url=w.PAGE, payment_code="8059")


def sent(dana: Wire, *acts: Act, **arguments: Any) -> Order:
    """Let a worker make the first create call of an order, which DANA answers so."""
    dana.play(*acts)
    order = new_order(**arguments)
    tasks.create_order(order.pk)
    return fresh(order)


def sent_again(dana: Wire, clock: Clock, order: Order, *acts: Act) -> Order:
    """Let the workers make the next create call, which DANA answers so."""
    assert order.next_attempt_at
    clock.to(order.next_attempt_at)
    dana.play(*acts)
    tasks.create_order(order.pk)
    return fresh(order)


def answered(order: Order, code: str, reply: CreateOrderReply | None = None, now: datetime | None = None) -> Order:
    """Apply the end of a create call at some moment."""
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        locked.now = now or locked.now
        creates.answered(locked, CallResult(rule=response_codes.CREATE.rows[code], reply=reply))
    return fresh(order)


# -- its schedule -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spare", "status"), [(timedelta(0), "pending"), (A_MOMENT, "new")])
def test_a_series_ends_where_its_next_call_would_come_too_late(
    dana: Wire, clock: Clock, spare: timedelta, status: str
) -> None:
    order = change(new_order(), attempts=1)
    two_seconds = timedelta(seconds=2)
    order = answered(order, "no_reply", now=order.valid_up_to - two_seconds - spare)
    assert order.create_status == status
    assert order.next_attempt_at == (order.valid_up_to - spare if spare else None)


def test_a_create_refused_for_now_fails_where_its_next_call_would_come_too_late(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = sent(dana, w.code("5005400"))
    order = answered(order, "5005400", now=order.valid_up_to - timedelta(seconds=1))
    assert (order.create_status, order.next_attempt_at) == ("failed", None)
    tasks.send_outbox(order.pk)
    assert told == ["order_failed"]


def test_a_create_refused_for_now_fails_once_its_time_is_over(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = change(sent(dana, w.code("5005400")), next_attempt_at=timezone.now() + timedelta(minutes=30))
    clock.to(order.valid_up_to)
    clock.forward(seconds=1)
    tasks.create_order(order.pk)
    assert (fresh(order).create_status, fresh(order).next_attempt_at) == ("failed", None)
    assert told == ["order_failed"]
    assert len(dana.bodies(CREATE_PATH)) == 1


def test_a_create_that_may_have_acted_and_was_refused_is_asked_about_five_minutes_after_its_time(
    dana: Wire, clock: Clock
) -> None:
    order = sent_again(dana, clock, sent(dana, w.hang_up), w.code("4005401"))
    assert (order.create_status, order.next_sync_at) == ("failed", order.valid_up_to + FIVE_MINUTES)


def test_a_create_that_was_refused_is_not_asked_about(dana: Wire, clock: Clock) -> None:
    assert sent(dana, w.code("4005401")).next_sync_at is None


def test_a_create_that_met_another_order_under_its_reference_is_asked_about_at_once_and_not_sent_again(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = sent_again(dana, clock, sent(dana, w.hang_up), w.code("4045418"), w.code("5005501"))
    assert (order.create_status, order.next_attempt_at) == ("pending", None)
    assert len(dana.bodies(QUERY_PATH)) == 1
    assert told == []


# -- what a reply adds ------------------------------------------------------------------------------------------------


def test_a_late_reply_adds_what_is_not_known_and_nothing_else(dana: Wire, clock: Clock) -> None:
    order = change(created_order(dana), needs_attention="no_address", web_redirect_url="", reference_no="")
    order = answered(order, "2005400", REPLY)
    assert (order.reference_no, order.web_redirect_url, order.payment_code) == ("D1", w.PAGE, "8059")
    assert order.needs_attention == ""
    order = answered(order, "2005400", CreateOrderReply(reference_no="D2"))
    assert (order.reference_no, order.web_redirect_url, order.payment_code) == ("D1", w.PAGE, "8059")


def test_a_late_reply_without_an_address_leaves_its_lack_to_staff(dana: Wire, clock: Clock) -> None:
    order = change(created_order(dana), needs_attention="no_address", web_redirect_url="")
    assert answered(order, "2005400", CreateOrderReply(reference_no="D1")).needs_attention == "no_address"


def test_a_reference_that_is_longer_than_any_of_dana_is_cut(dana: Wire, clock: Clock) -> None:
    order = answered(new_order(), "2005400", CreateOrderReply(reference_no="R" * 65, web_redirect_url=w.PAGE))
    assert order.reference_no == "R" * 64


def test_a_message_that_is_longer_than_any_of_dana_is_cut(dana: Wire, clock: Clock) -> None:
    assert sent(dana, w.code("4005401", responseMessage="x" * 256)).response_message == "x" * 255


def test_a_late_refusal_is_not_noted_on_an_order_that_is_proved(dana: Wire, clock: Clock) -> None:
    order = answered(created_order(dana), "4005401")
    assert (order.rule_code, order.response_code) == ("2005400", "2005400")


def test_a_success_leaves_what_is_known_of_the_payment(dana: Wire, clock: Clock) -> None:
    order = change(sent(dana, w.code("5005401")), payment_status="initiated")
    order = answered(order, "2005400", REPLY)
    assert (order.create_status, order.payment_status) == ("success", "initiated")
    assert answered(new_order(), "2005400", REPLY).payment_status == "initiated"


# -- an account that DANA refuses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["4015400", "4045408"])
def test_staff_are_told_that_dana_refuses_the_account(dana: Wire, clock: Clock, told: list[str], code: str) -> None:
    order = sent(dana, w.code(code))
    assert (order.create_status, order.needs_attention) == ("failed", "account_refused")
    assert told == ["order_needs_attention", "order_failed"]


def test_an_account_that_dana_takes_again_needs_nobody(dana: Wire, clock: Clock) -> None:
    order = sent(dana, w.code("4015400"))
    dana.play(w.code("2005400"))
    services.retry_order(order)
    tasks.create_order(order.pk)
    assert (fresh(order).create_status, fresh(order).needs_attention) == ("success", "")


def test_an_account_that_was_refused_needs_nobody_once_dana_does_not_have_the_order(dana: Wire, clock: Clock) -> None:
    order = sent_again(dana, clock, sent(dana, w.hang_up), w.code("4015400"))
    assert order.needs_attention == "account_refused"
    clock.to(order.valid_up_to + timedelta(minutes=6))
    dana.play(w.code("4045501"))
    tasks.sync_stale()
    assert (fresh(order).payment_status, fresh(order).needs_attention) == ("not_found", "")


# -- an address that is lost ------------------------------------------------------------------------------------------


def test_where_the_address_can_not_be_learned_any_more_staff_are_told_and_dana_is_asked(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = sent(dana, w.code("5005401"))
    dana.play(w.status("01", amount=AMOUNT))
    order = services.sync_order(order)
    dana.heard.clear()
    order = sent_again(dana, clock, order, w.code("4005401"), w.status("01", amount=AMOUNT))
    assert (order.create_status, order.needs_attention, order.next_attempt_at) == ("success", "no_address", None)
    assert order.next_sync_at == order.valid_up_to + FIVE_MINUTES
    assert len(dana.bodies(QUERY_PATH)) == 1
    assert told == ["order_created", "order_needs_attention"]


# -- what staff send again --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["4015400", "5005401"])
def test_a_create_sent_again_by_hand_is_new(dana: Wire, clock: Clock, code: str) -> None:
    order = services.retry_order(sent(dana, w.code(code)))
    assert (order.create_status, order.attempts, order.retries) == ("new", 0, 0)
    assert order.next_attempt_at
    assert order.next_attempt_at <= timezone.now()


# -- what stops it ----------------------------------------------------------------------------------------------------


def test_a_create_that_was_sent_and_then_stopped_before_it_was_sent_again_is_asked_about(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = sent(dana, w.code("5005401"))
    services.retry_order(order)
    services.stop_retrying(fresh(order))
    order = fresh(order)
    assert (order.create_status, order.next_attempt_at) == ("pending", None)
    assert order.next_sync_at
    assert order.next_sync_at <= timezone.now()
    assert told == []


def test_stopping_a_create_refused_for_now_is_its_end(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = sent(dana, w.code("5005400"))
    services.stop_retrying(order)
    assert (fresh(order).create_status, fresh(order).next_attempt_at) == ("failed", None)
    tasks.send_outbox(order.pk)
    assert told == ["order_failed"]


def test_a_cancel_of_a_create_refused_for_now_is_the_end_of_the_create(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = sent(dana, w.code("5005400"))
    services.cancel_order(order)
    assert (fresh(order).create_status, fresh(order).next_attempt_at) == ("failed", None)
    tasks.send_outbox(order.pk)
    assert told == ["order_failed"]


def test_a_create_that_was_never_sent_is_stopped_for_good(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = new_order()
    services.stop_retrying(order)
    assert (fresh(order).create_status, fresh(order).next_attempt_at) == ("failed", None)
    tasks.send_outbox(order.pk)
    assert told == ["order_failed"]


@pytest.mark.parametrize(("latest", "status"), [("01", "pending"), ("", "failed")])
def test_another_order_under_its_reference_matters_where_dana_said_that_it_has_ours(
    dana: Wire, clock: Clock, latest: str, status: str
) -> None:
    order = sent(dana, w.code("5005400"))
    if latest:
        dana.play(w.status(latest, amount=AMOUNT))
        order = services.sync_order(order)
    order = sent_again(dana, clock, order, w.code("4045418"), w.code("5005501"))
    assert order.create_status == status


def test_a_cancel_of_a_create_that_failed_before_is_not_told_as_another_failure(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = sent_again(dana, clock, sent(dana, w.hang_up), w.code("4005401"))
    services.cancel_order(order)
    tasks.send_outbox(order.pk)
    assert told == ["order_failed"]
    assert fresh(order).create_status == "failed"


def test_a_create_that_is_under_way_is_pending_once_a_cancel_is_asked_for(dana: Wire, clock: Clock) -> None:
    order = sent(dana, w.hang_up)
    assert order.create_status == "new"
    services.cancel_order(order)
    assert (fresh(order).create_status, fresh(order).next_attempt_at) == ("pending", None)


@pytest.mark.parametrize("code", ["no_reply", "5005401", "5005400"])
def test_a_reply_that_comes_after_a_cancel_was_asked_for_lets_nothing_be_sent_again(
    dana: Wire, clock: Clock, code: str
) -> None:
    order = sent(dana, w.hang_up)
    services.cancel_order(order)
    assert answered(order, code).next_attempt_at is None


def test_an_answer_that_is_older_than_a_cancel_is_not_applied(
    dana: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = created_order(dana)
    send = gateway._send

    def send_while_staff_cancel(*arguments: Any) -> Any:
        result = send(*arguments)
        services.cancel_order(fresh(order))
        return result

    dana.play(w.status("05"))
    with monkeypatch.context() as patch:
        patch.setattr(gateway, "_send", send_while_staff_cancel)
        order = services.sync_order(order)
    assert order.payment_status == "initiated"
    assert order.next_sync_at, "it is asked again"
    assert fresh_cancel(order.cancel_requests.get()).status == "new"


# -- what the shop hears ----------------------------------------------------------------------------------------------


def test_an_order_that_dana_took_and_then_lost_is_told_as_expired_and_one_that_it_never_took_as_failed(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    refused = sent(dana, w.code("5005400"))
    with transitions.locked_order(refused.pk, conf.account("default")) as locked:
        locked.not_found()
    tasks.send_outbox(refused.pk)
    assert told == ["order_failed"], "it was still tried again"
    with transitions.locked_order(refused.pk, conf.account("default")) as locked:
        locked.not_found()
    tasks.send_outbox(refused.pk)
    assert told == ["order_failed"], "that was told already"
    taken = created_order(dana)
    with transitions.locked_order(taken.pk, conf.account("default")) as locked:
        locked.not_found()
    tasks.send_outbox(taken.pk)
    assert told == ["order_failed", "order_created", "order_expired"]
