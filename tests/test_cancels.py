"""A cancel at the edges of its rules: what staff are told and when, what is waited for, and what is never sent."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from django_dana import conf, gateway, services, tasks, transitions
from django_dana.models import CancelRequest, Order
from django_dana.protocol import response_codes
from django_dana.protocol.messages import CallResult, StatusReport
from django_dana.transitions import cancels, payments
from tests import wire as w
from tests.conftest import Clock
from tests.factories import account_with, asked, cancelled, created_order, fresh, fresh_cancel, new_order, paid_order
from tests.wire import CANCEL_PATH, QUERY_PATH, Act, Wire

pytestmark = pytest.mark.django_db

AMOUNT = "15000.00"
FIVE_MINUTES = timedelta(minutes=5)
A_WEEK = timedelta(days=7)
A_MOMENT = timedelta(microseconds=1)


def sent_again(dana: Wire, clock: Clock, cancel_request: CancelRequest, *acts: Act) -> CancelRequest:
    """Let the workers make the next call of a cancel, which DANA answers so."""
    assert cancel_request.next_attempt_at
    clock.to(cancel_request.next_attempt_at)
    dana.play(*acts)
    tasks.cancel_order(cancel_request.pk)
    return fresh_cancel(cancel_request)


def given_up(dana: Wire, clock: Clock, order: Order) -> CancelRequest:
    """Cancel an order while DANA answers nothing."""
    cancel_request = cancelled(dana, order, w.hang_up)
    while cancel_request.next_attempt_at:
        cancel_request = sent_again(dana, clock, cancel_request, w.hang_up)
    assert (cancel_request.status, cancel_request.needs_attention) == ("aborted", "end_unknown")
    return cancel_request


def answered(cancel_request: CancelRequest, code: str) -> CancelRequest:
    """Apply the end of a cancel call."""
    order = cancel_request.order
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        cancels.answered(locked, locked.current(cancel_request), CallResult(rule=response_codes.CANCEL.rows[code]))
    return fresh_cancel(cancel_request)


# -- what staff are told ----------------------------------------------------------------------------------------------


def test_staff_are_told_once_that_the_balance_is_too_low(dana: Wire, clock: Clock, told: list[str]) -> None:
    cancel_request = cancelled(dana, paid_order(dana), w.code("4035714"))
    for _ in range(2):
        assert cancel_request.needs_attention == "balance"
        assert told.count("order_needs_attention") == 1
        cancel_request = sent_again(dana, clock, cancel_request, w.code("4035714"))


@pytest.mark.parametrize("code", ["2025700", "5005700"])
def test_once_the_balance_suffices_nothing_needs_staff(dana: Wire, clock: Clock, code: str) -> None:
    cancel_request = cancelled(dana, paid_order(dana), w.code("4035714"))
    cancel_request = sent_again(dana, clock, cancel_request, w.code(code))
    assert cancel_request.needs_attention == ""
    assert fresh(cancel_request.order).needs_attention == ""


def test_a_balance_that_is_too_low_is_told_again_after_it_sufficed(dana: Wire, clock: Clock, told: list[str]) -> None:
    cancel_request = cancelled(dana, paid_order(dana), w.code("4035714"))
    for code in ("2025700", "4035714"):
        cancel_request = sent_again(dana, clock, cancel_request, w.code(code), w.status("00"))
        clock.forward(minutes=6)
        asked(dana, cancel_request.order, w.status("00"))
        cancel_request = fresh_cancel(cancel_request)
    assert cancel_request.needs_attention == "balance"


@pytest.mark.parametrize("code", sorted(rule for rule in response_codes.CANCEL.refusals if rule != "4035714"))
def test_no_other_refusal_is_told_as_one_that_staff_can_mend(
    dana: Wire, clock: Clock, told: list[str], code: str
) -> None:
    cancelled(dana, created_order(dana), w.code(code))
    assert "order_needs_attention" not in told


def test_a_cancel_that_is_done_tells_when(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    given_up(dana, clock, order)
    asked(dana, order, w.status("05"))
    cancel_request = CancelRequest.objects.get()
    assert (cancel_request.status, cancel_request.cancel_time, cancel_request.unfinished) == ("success", None, None)


def test_a_cancel_that_is_done_proves_that_dana_had_the_order(dana: Wire, clock: Clock, told: list[str]) -> None:
    dana.play(w.code("5005401"))
    order = new_order()
    tasks.create_order(order.pk)
    cancelled(dana, order, w.code("2005700"))
    assert (fresh(order).create_status, fresh(order).payment_status) == ("success", "cancelled")
    assert told == ["order_created", "order_cancelled"]


# -- an order that DANA does not know ---------------------------------------------------------------------------------


def test_not_found_of_an_order_that_dana_took_and_nobody_paid_is_a_refusal(dana: Wire, clock: Clock) -> None:
    cancel_request = cancelled(dana, created_order(dana), w.code("4045701"))
    assert (cancel_request.status, cancel_request.needs_attention) == ("failed", "refused")
    assert dana.bodies(QUERY_PATH) == []


@pytest.mark.parametrize("state", ["pending", "paid"])
def test_not_found_of_an_order_that_is_pending_or_paid_waits_for_danas_answer(
    dana: Wire, clock: Clock, state: str
) -> None:
    if state == "paid":
        order = paid_order(dana)
    else:
        dana.play(w.code("5005401"))
        order = new_order()
        tasks.create_order(order.pk)
    dana.heard.clear()
    cancel_request = cancelled(dana, order, w.code("4045701"), w.code("5005501"))
    assert (cancel_request.status, cancel_request.next_attempt_at) == ("pending", cancel_request.give_up_at)
    assert len(dana.bodies(QUERY_PATH)) == 1


@pytest.mark.parametrize("code", sorted(response_codes.CANCEL.refusals - {"4045701"}))
def test_other_refusals_of_a_paid_order_are_believed_at_once(dana: Wire, clock: Clock, code: str) -> None:
    order = paid_order(dana)
    dana.heard.clear()
    assert cancelled(dana, order, w.code(code)).status == "failed"
    assert dana.bodies(QUERY_PATH) == []


@pytest.mark.parametrize("latest", ["01", "07"])
def test_an_answer_that_contradicts_a_payment_settles_no_cancel(dana: Wire, clock: Clock, latest: str) -> None:
    order = paid_order(dana)
    cancel_request = cancelled(dana, order, w.hang_up)
    cancel_request = sent_again(dana, clock, cancel_request, w.code("4035705"), w.code("5005501"))
    clock.to(order.valid_up_to + timedelta(minutes=6))
    order = asked(dana, order, w.status(latest))
    assert (order.payment_status, order.needs_attention) == ("paid", "conflict")
    assert fresh_cancel(cancel_request).status == "pending"


# -- its schedule -----------------------------------------------------------------------------------------------------


def test_a_lost_reply_is_repeated_after_the_delays_of_the_series(dana: Wire, clock: Clock) -> None:
    cancel_request = cancelled(dana, paid_order(dana), w.hang_up)
    for delay in (2, 5):
        assert cancel_request.next_attempt_at
        wait = cancel_request.next_attempt_at - timezone.now()
        assert timedelta(seconds=delay - 1) < wait <= timedelta(seconds=delay)
        cancel_request = sent_again(dana, clock, cancel_request, w.hang_up)


def test_it_is_due_once_more_at_the_end_of_its_time(dana: Wire, clock: Clock) -> None:
    cancel_request = cancelled(dana, paid_order(dana), w.code("2025700"))
    clock.to(cancel_request.give_up_at - timedelta(seconds=10))
    for code in ("2025700", "5005700"):
        cancel_request = answered(cancel_request, code)
        assert cancel_request.next_attempt_at == cancel_request.give_up_at


def test_what_comes_after_the_end_of_its_time_is_not_tried_again(dana: Wire, clock: Clock) -> None:
    cancel_request = cancelled(dana, paid_order(dana), w.code("5005700"))
    assert cancel_request.next_attempt_at
    order = cancel_request.order
    rule = response_codes.CANCEL.rows["5005700"]
    for moment, next_attempt_at in (
        (cancel_request.give_up_at - A_MOMENT, cancel_request.give_up_at),
        (cancel_request.give_up_at, None),
    ):
        with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
            locked.now = moment
            cancels.answered(locked, locked.cancels[0], CallResult(rule=rule))
        assert fresh_cancel(cancel_request).next_attempt_at == next_attempt_at
    assert fresh_cancel(cancel_request).needs_attention == "refused"


@pytest.mark.parametrize("code", ["4035714", "4035715", "4045700", "5005700"])
def test_without_retry_failed_refused_for_now_is_final(dana: Wire, clock: Clock, settings: Any, code: str) -> None:
    order = paid_order(dana)
    settings.DANA = account_with(RETRY_FAILED=False)
    cancel_request = cancelled(dana, order, w.code(code))
    assert (cancel_request.status, cancel_request.next_attempt_at, cancel_request.unfinished) == ("failed", None, None)
    assert cancel_request.needs_attention == "refused"


def test_without_a_reply_it_stays_pending_once_it_was_pending(dana: Wire, clock: Clock, told: list[str]) -> None:
    cancel_request = cancelled(dana, paid_order(dana), w.code("2025700"))
    cancel_request = sent_again(dana, clock, cancel_request, w.hang_up)
    assert (cancel_request.status, cancel_request.rule_code) == ("pending", "no_reply")
    assert cancel_request.next_attempt_at
    assert cancel_request.next_attempt_at > timezone.now()
    assert "cancel_aborted" not in told


def test_a_cancel_sent_again_by_hand_has_a_time_of_its_own_and_needs_nobody(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    cancel_request = given_up(dana, clock, paid_order(dana))
    assert told[-1] == "cancel_aborted"
    clock.forward(days=2)
    again = services.retry_cancel(cancel_request)
    assert (again.status, again.needs_attention, again.unfinished) == ("new", "", True)
    assert again.give_up_at - timezone.now() > timedelta(hours=23, minutes=59)
    assert fresh(again.order).needs_attention == ""


# -- the end of its time, and staff who stop it -----------------------------------------------------------------------


def test_a_cancel_that_was_sent_and_then_stopped_before_it_was_sent_again_may_have_acted(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    cancel_request = given_up(dana, clock, paid_order(dana))
    services.retry_cancel(cancel_request)
    services.stop_retrying(fresh_cancel(cancel_request))
    cancel_request = fresh_cancel(cancel_request)
    assert (cancel_request.status, cancel_request.needs_attention) == ("aborted", "end_unknown")
    assert not cancel_request.was_never_sent
    assert fresh(cancel_request.order).next_sync_at


def test_a_queued_cancel_that_was_never_sent_is_stopped_for_good(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    cancel_request = services.cancel_order(order)
    services.stop_retrying(cancel_request)
    tasks.retry_due()
    cancel_request = fresh_cancel(cancel_request)
    assert (cancel_request.status, cancel_request.unfinished, cancel_request.needs_attention) == ("aborted", None, "")
    assert "never sent" in cancel_request.next_step
    assert told[-1] == "cancel_aborted"
    assert dana.bodies(CANCEL_PATH) == []


def test_a_cancel_of_which_an_earlier_one_may_have_acted_is_still_one_that_was_never_sent(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = paid_order(dana)
    given_up(dana, clock, order)
    never_sent = services.cancel_order(fresh(order))
    services.stop_retrying(never_sent)
    assert fresh_cancel(never_sent).needs_attention == ""


def test_what_a_query_settled_at_the_end_of_its_time_is_not_given_up(dana: Wire, clock: Clock, told: list[str]) -> None:
    cancel_request = cancelled(dana, paid_order(dana), w.code("2025700"))
    dana.play(w.status("05"))
    clock.to(cancel_request.give_up_at)
    tasks.cancel_order(cancel_request.pk)
    assert fresh_cancel(cancel_request).status == "success"
    assert "cancel_aborted" not in told


# -- an order that is closed meanwhile --------------------------------------------------------------------------------


def test_a_cancel_that_was_never_sent_ends_once_the_order_is_closed(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = created_order(dana)
    cancel_request = services.cancel_order(order)
    Order.objects.filter(pk=order.pk).update(payment_status="expired")
    tasks.cancel_order(cancel_request.pk)
    cancel_request = fresh_cancel(cancel_request)
    assert (cancel_request.status, cancel_request.unfinished, cancel_request.next_attempt_at) == ("aborted", None, None)
    assert told[-1] == "cancel_aborted"
    assert dana.bodies(CANCEL_PATH) == dana.bodies(QUERY_PATH) == []


@pytest.mark.parametrize("code", ["2025700", "4035715"])
def test_a_cancel_that_was_sent_is_asked_about_and_not_sent_again_once_the_order_is_closed(
    dana: Wire, clock: Clock, told: list[str], code: str
) -> None:
    order = created_order(dana)
    cancel_request = cancelled(dana, order, w.code(code))
    Order.objects.filter(pk=order.pk).update(payment_status="expired")
    cancel_request = sent_again(dana, clock, cancel_request, w.code("5005501"))
    assert (cancel_request.status, cancel_request.next_attempt_at) == ("pending", cancel_request.give_up_at)
    assert (len(dana.bodies(CANCEL_PATH)), len(dana.bodies(QUERY_PATH))) == (1, 1)
    assert cancel_request.unfinished


def test_a_cancel_refused_for_now_of_an_order_that_dana_shows_closed_is_a_success(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = created_order(dana)
    cancel_request = cancelled(dana, order, w.code("4035715"))
    order = asked(dana, order, w.status("05"))
    assert (order.payment_status, fresh_cancel(cancel_request).status) == ("cancelled", "success")
    tasks.send_outbox(order.pk)
    assert told == ["order_created", "order_cancelled"]


def test_a_cancel_that_was_refused_for_good_is_no_success_of_an_order_that_dana_shows_closed(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = created_order(dana)
    cancel_request = cancelled(dana, order, w.code("4035705"))
    order = asked(dana, order, w.status("05"))
    assert (order.payment_status, fresh_cancel(cancel_request).status) == ("expired", "failed")
    tasks.send_outbox(order.pk)
    assert told == ["order_created", "cancel_failed", "order_expired"]


def test_a_closed_order_settles_each_of_its_cancels_and_leaves_those_that_are_done(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = created_order(dana)
    first = cancelled(dana, order, w.code("2005700", cancelTime="2026-11-21T16:31:00+07:00"))
    clock.forward(minutes=6)
    assert asked(dana, order, w.status("00", amount=AMOUNT)).needs_attention == "paid_after_closed"
    second = given_up(dana, clock, order)
    asked(dana, order, w.status("05"))
    tasks.send_outbox(order.pk)
    assert [request.status for request in order.cancel_requests.order_by("pk")] == ["success", "success"]
    assert fresh_cancel(first).cancel_time
    assert fresh_cancel(second).needs_attention == ""
    assert told.count("order_cancelled") == 2


def test_a_cancel_that_was_never_sent_ends_with_the_answer_that_the_order_is_closed(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = created_order(dana)
    cancel_request = services.cancel_order(order)
    assert asked(dana, order, w.status("05")).payment_status == "expired"
    cancel_request = fresh_cancel(cancel_request)
    assert (cancel_request.status, cancel_request.next_attempt_at) == ("aborted", None)
    tasks.send_outbox(order.pk)
    assert told == ["order_created", "order_expired", "cancel_aborted"]


# -- an order that may be another's -----------------------------------------------------------------------------------


def test_while_the_order_may_be_anothers_a_cancel_waits_and_dana_is_asked(
    dana: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dana.play(w.hang_up)
    order = new_order()
    tasks.create_order(order.pk)
    clock.forward(seconds=3)
    send = gateway._send

    def send_while_staff_cancel(*arguments: Any) -> Any:
        monkeypatch.setattr(gateway, "_send", send)
        services.cancel_order(fresh(order))
        return send(*arguments)

    monkeypatch.setattr(gateway, "_send", send_while_staff_cancel)
    dana.play(w.code("4045418"), w.code("5005501"))
    tasks.create_order(order.pk)
    cancel_request = order.cancel_requests.get()
    dana.heard.clear()
    Order.objects.filter(pk=order.pk).update(next_sync_at=None)
    tasks.cancel_order(cancel_request.pk)
    cancel_request = fresh_cancel(cancel_request)
    assert [request.path for request in dana.heard] == [QUERY_PATH]
    assert (cancel_request.status, cancel_request.attempts) == ("new", 0)
    assert cancel_request.next_attempt_at
    assert timedelta(seconds=25) < cancel_request.next_attempt_at - timezone.now() < timedelta(seconds=34)
    assert asked(dana, order, w.status("01", amount=AMOUNT)).create_status == "success"
    assert sent_again(dana, clock, cancel_request, w.code("2005700")).status == "success"


# -- what was given up ------------------------------------------------------------------------------------------------


def test_a_cancel_that_was_given_up_is_asked_about_for_a_week_from_its_last_call(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    given_up(dana, clock, order)
    last = order.api_calls.filter(operation="cancel").latest("pk").started_at
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        assert cancels.watched_until(locked) == last + A_WEEK


@pytest.mark.parametrize("code", ["2005700", "2025700", "4035705", "4035715"])
def test_no_other_cancel_is_watched(dana: Wire, clock: Clock, code: str) -> None:
    order = paid_order(dana)
    cancelled(dana, order, w.code(code))
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        assert cancels.watched_until(locked) is None


def test_a_cancel_that_succeeded_in_its_second_call_is_not_watched(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    sent_again(dana, clock, cancelled(dana, order, w.hang_up), w.code("2005700"))
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        assert cancels.watched_until(locked) is None


def test_a_cancel_refused_for_now_is_not_watched_while_it_goes_on(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    sent_again(dana, clock, cancelled(dana, order, w.hang_up), w.code("4035715"), w.code("5005501"))
    clock.forward(minutes=6)
    asked(dana, order, w.status("00"))
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        assert (locked.cancels[0].status, locked.cancels[0].unfinished) == ("failed", True)
        assert cancels.watched_until(locked) is None


def test_a_refusal_that_was_in_doubt_is_watched_too(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    cancel_request = cancelled(dana, order, w.hang_up)
    cancel_request = sent_again(dana, clock, cancel_request, w.code("4035705"), w.code("5005501"))
    first = order.api_calls.filter(operation="cancel").earliest("pk").started_at
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        payments.reported_by_query(locked, StatusReport(status="00"), first + FIVE_MINUTES)
        assert cancels.watched_until(locked) == first + A_WEEK
    assert fresh_cancel(cancel_request).status == "failed"


@pytest.mark.parametrize("latest", ["00", "01"])
def test_a_cancel_that_goes_on_is_not_ended_by_an_answer_that_shows_the_order_open(
    dana: Wire, clock: Clock, latest: str
) -> None:
    order = paid_order(dana) if latest == "00" else created_order(dana)
    cancel_request = cancelled(dana, order, w.code("2025700"))
    clock.forward(minutes=6)
    asked(dana, order, w.status(latest))
    now: Any = fresh_cancel(cancel_request)
    assert (now.status, now.needs_attention, now.unfinished) == ("pending", "", True)


def test_a_payment_that_all_went_back_stays_refunded_though_a_cancel_succeeded(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    given_up(dana, clock, order)
    order = asked(dana, order, w.status("00", refunded=AMOUNT))
    assert (order.payment_status, CancelRequest.objects.get().status) == ("refunded", "success")
