"""Refund Order at the wire: part or all of a payment goes back, once, whatever DANA and the network do."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from django_dana import conf, gateway, services, signals, tasks, transitions
from django_dana.models import ApiCall, Order, RefundRequest
from django_dana.protocol import operations, response_codes
from django_dana.protocol.messages import CallResult, StatusReport
from django_dana.protocol.response_codes import FollowUp, Outcome, Rule
from django_dana.transitions import payments, refunds
from tests import wire as w
from tests.conftest import Clock
from tests.factories import Death, account_with, change, created_order, fresh, fresh_refund, paid_order
from tests.wire import QUERY_PATH, REFUND_PATH, Act, Wire

pytestmark = pytest.mark.django_db

ROWS = [rule for rule in response_codes.REFUND.rows.values() if rule.code.isdigit()]
REFUSALS = sorted(response_codes.REFUND.refusals)
LATER = sorted(rule.code for rule in ROWS if rule.is_tried_again)
PART = Decimal("6000.00")
WHOLE = Decimal("15000.00")
FIVE_MINUTES = timedelta(minutes=5)
A_WEEK = timedelta(days=7)
A_MOMENT = timedelta(microseconds=1)


def code_of(rule: Rule) -> str:
    return rule.code


def refund(order: Order, amount: Decimal | None = PART, **arguments: Any) -> RefundRequest:
    """Ask for a refund and let a worker make its first call."""
    refund_request = services.refund_order(order, amount=amount, **arguments)
    tasks.refund_order(refund_request.pk)
    return fresh_refund(refund_request)


def next_due(refund_request: RefundRequest, clock: Clock) -> RefundRequest:
    """Move to the request's next attempt and let the workers do it."""
    assert refund_request.next_attempt_at
    clock.to(refund_request.next_attempt_at)
    tasks.retry_due()
    return fresh_refund(refund_request)


def refund_twice(dana: Wire, clock: Clock, first: Act, *acts: Act) -> RefundRequest:
    """Refund part of a paid order whose first refund call has no clear end, then play the acts."""
    order = paid_order(dana)
    dana.play(first, *acts)
    return next_due(refund(order), clock)


def answer_later(dana: Wire, clock: Clock, refund_request: RefundRequest, answer: Act) -> RefundRequest:
    """Let DANA answer once no call of the request can act any more."""
    dana.play(answer)
    clock.forward(minutes=6)
    tasks.sync_stale()
    return fresh_refund(refund_request)


# -- what is asked for -------------------------------------------------------------------------------------------------


def test_a_refund_without_a_reason_has_none(dana: Wire, clock: Clock) -> None:
    refund_request = services.refund_order(paid_order(dana), amount=PART)
    assert refund_request.reason == ""
    assert "reason" not in json.loads(refund_request.request_body)


def test_part_of_a_payment_goes_back(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005800"))
    refund_request = refund(order, reason="one cup of two")
    order = fresh(order)
    assert (refund_request.status, refund_request.refund_no) == ("success", w.REFUND_NO)
    assert refund_request.refund_time == datetime(2026, 11, 21, 9, 40, tzinfo=UTC)
    assert (order.payment_status, order.refunded_amount, order.amount_left) == ("paid", PART, Decimal("9000.00"))
    assert (refund_request.unfinished, refund_request.next_attempt_at, order.needs_attention) == (False, None, "")
    assert told[-1] == "order_refunded"
    sent = json.loads(dana.bodies(REFUND_PATH)[0])
    assert sent == {
        "merchantId": order.merchant_id,
        "originalPartnerReferenceNo": order.partner_reference_no,
        "originalReferenceNo": order.reference_no,
        "partnerRefundNo": refund_request.partner_refund_no,
        "refundAmount": {"value": "6000.00", "currency": "IDR"},
        "reason": "one cup of two",
        "additionalInfo": {},
    }


def test_part_then_the_rest_then_nothing_is_left(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005800"))
    refund(order)
    rest = refund(order, None)
    order = fresh(order)
    assert rest.amount == Decimal("9000.00")
    assert (order.payment_status, order.refunded_amount, order.state) == ("refunded", WHOLE, "refunded")
    assert told.count("order_refunded") == 2
    with pytest.raises(ValidationError, match="Already refunded"):
        services.refund_order(order)
    assert order.is_final


def test_the_shop_hears_of_each_refund_with_the_order_and_the_request(dana: Wire, clock: Clock) -> None:
    heard: list[tuple[str, Any, Any]] = []
    receivers = {
        name: lambda order, refund_request, name=name, **_: heard.append((name, order, refund_request))
        for name in ("order_refunded", "refund_failed")
    }
    for name, receiver in receivers.items():
        signals.BY_NAME[name].connect(receiver)
    order = paid_order(dana)
    dana.play(w.code("2005800"), w.code("4035805"))
    first, second = refund(order), refund(order, None)
    for name, receiver in receivers.items():
        signals.BY_NAME[name].disconnect(receiver)
    assert heard == [("order_refunded", order, first), ("refund_failed", order, second)]


def test_now_makes_one_attempt_in_this_thread(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005800"))
    assert services.refund_order(order, amount=PART, send="now").status == "success"


REFUSED_ARGUMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "0": ("amount", {"amount": 0}),
    "negative": ("amount", {"amount": Decimal("-1.00")}),
    "three decimals": ("amount", {"amount": Decimal("1.001")}),
    "above what is left": ("amount", {"amount": Decimal("15000.01")}),
    "above what any order has": ("amount", {"amount": Decimal("1e20")}),
    "float": ("amount", {"amount": 6000.0}),
    "text": ("amount", {"amount": "6000"}),
    "bool": ("amount", {"amount": True}),
    "not a number": ("amount", {"amount": Decimal("NaN")}),
    "257 characters": ("reason", {"reason": "x" * 257}),
    "a control character": ("reason", {"reason": "\x00"}),
}


@pytest.mark.parametrize(("field", "arguments"), REFUSED_ARGUMENTS.values(), ids=REFUSED_ARGUMENTS)
def test_what_dana_would_refuse_is_refused_first(
    dana: Wire, clock: Clock, field: str, arguments: dict[str, Any]
) -> None:
    order = paid_order(dana)
    dana.heard.clear()
    with pytest.raises(ValidationError) as caught:
        services.refund_order(order, **arguments)
    assert list(caught.value.message_dict) == [field]
    tasks.retry_due()
    assert not RefundRequest.objects.exists()
    assert dana.heard == []


@pytest.mark.parametrize("payment", ["none", "initiated", "paying", "cancelled", "expired", "not_found", "refunded"])
def test_only_what_is_paid_can_be_refunded(dana: Wire, clock: Clock, payment: str) -> None:
    order = change(created_order(dana), payment_status=payment)
    with pytest.raises(ValidationError) as caught:
        services.refund_order(order, amount=PART)
    assert list(caught.value.message_dict) == ["order"]
    assert not RefundRequest.objects.exists()


def test_who_may_not_refund_is_refused(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    clerk = User.objects.create_user("clerk")
    clerk.user_permissions.add(Permission.objects.get(codename="cancel_order"))
    with pytest.raises(PermissionDenied, match="may not refund"):
        services.refund_order(order, amount=PART, requested_by=clerk)
    assert not RefundRequest.objects.exists()
    dana.play(w.code("4035814"))
    refund_request = refund(order)
    with pytest.raises(PermissionDenied, match="may not refund"):
        services.retry_refund(refund_request, requested_by=clerk)
    clerk.user_permissions.add(Permission.objects.get(codename="refund_order"))
    clerk = User.objects.get(pk=clerk.pk)
    assert services.refund_order(order, amount=PART, requested_by=clerk).requested_by == clerk


@pytest.mark.parametrize("code", ["2025800", "4035814"])
def test_what_is_not_settled_counts_as_given(dana: Wire, clock: Clock, code: str) -> None:
    order = paid_order(dana)
    dana.play(w.code(code))
    refund(order, Decimal("9000.00"))
    assert fresh(order).amount_left == PART
    with pytest.raises(ValidationError) as caught:
        services.refund_order(order, amount=Decimal("9000.00"))
    assert caught.value.message_dict == {"amount": ["At most 6000.00 is left to refund."]}
    assert [error.code for error in caught.value.error_dict["amount"]] == ["too_much"]
    assert services.refund_order(order).amount == PART


def test_cancel_and_refund_exclude_each_other(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("2025700"))
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    with pytest.raises(ValidationError, match="may still give all the money back"):
        services.refund_order(order)
    dana.play(w.code("4035700"), w.status("00"))
    clock.forward(minutes=10)
    tasks.retry_due()
    assert services.why_not_refund(fresh(order)) is None
    dana.play(w.code("2025800"))
    refund_request = refund(order)
    with pytest.raises(ValidationError, match="A refund of this order is under way"):
        services.cancel_order(order)
    with pytest.raises(ValidationError, match="A refund of this order is under way"):
        services.retry_cancel(cancel_request)
    dana.play(w.code("2005800"))
    next_due(refund_request, clock)
    with pytest.raises(ValidationError, match="Part of this order was refunded"):
        services.cancel_order(order)
    with pytest.raises(ValidationError, match="Part of this order was refunded"):
        services.retry_cancel(cancel_request)


def test_no_refund_while_the_end_of_a_cancel_is_unknown(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.hang_up)
    cancel_request = services.cancel_order(order)
    for _ in range(3):
        tasks.cancel_order(cancel_request.pk)
        clock.forward(seconds=6)
    assert order.cancel_requests.get().status == "aborted"
    with pytest.raises(ValidationError, match="may still give all the money back"):
        services.refund_order(order)


# -- the code table ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ROWS, ids=code_of)
def test_refund_ends_as_its_row_says(dana: Wire, clock: Clock, told: list[str], rule: Rule) -> None:
    order = paid_order(dana)
    tasks.retry_due()
    told.clear()
    dana.play(w.code(rule.code), w.status("00", refunded="0.00"))
    refund_request = refund(order)
    assert refund_request.status == rule.outcome.value
    assert (refund_request.response_code, refund_request.attempts) == (rule.code, 1)
    tried_again = rule.outcome is Outcome.PENDING or rule.is_tried_again
    assert (refund_request.next_attempt_at is not None) == tried_again
    assert refund_request.unfinished == tried_again
    order = fresh(order)
    assert order.payment_status == "paid"
    assert order.refunded_amount == (PART if rule.outcome is Outcome.SUCCESS else 0)
    assert rule.advice in refund_request.next_step
    assert len(dana.bodies(REFUND_PATH)) == 1
    attention = {"4035814": "balance", "4045818": "inconsistent"}.get(rule.code)
    final = rule.outcome is Outcome.FAILED and not rule.is_tried_again
    assert refund_request.needs_attention == (attention or ("refused" if final else ""))
    assert order.needs_attention == ("refund" if attention or final else "")
    expected = "order_needs_attention" if attention else "refund_failed" if final else ""
    assert told == ([expected] if expected else ["order_refunded"] if rule.outcome is Outcome.SUCCESS else [])


@pytest.mark.parametrize("code", LATER)
def test_refused_for_now_is_tried_again_with_the_same_bytes_until_it_succeeds(
    dana: Wire, clock: Clock, told: list[str], code: str
) -> None:
    order = paid_order(dana)
    dana.play(w.code(code))
    refund_request = next_due(refund(order), clock)
    assert "do not refund by other means" in refund_request.next_step
    dana.play(w.code("2005800"))
    refund_request = next_due(refund_request, clock)
    assert (refund_request.status, refund_request.needs_attention) == ("success", "")
    assert fresh(order).needs_attention == ""
    assert len(dana.bodies(REFUND_PATH)) == 3
    assert len(set(dana.bodies(REFUND_PATH))) == 1
    assert "refund_failed" not in told


@pytest.mark.parametrize("code", LATER)
def test_refused_for_now_ends_at_its_time(dana: Wire, clock: Clock, told: list[str], code: str) -> None:
    order = paid_order(dana)
    dana.play(w.code(code))
    refund_request = refund(order)
    for _ in range(50):
        if refund_request.next_attempt_at is None:
            break
        if refund_request.next_attempt_at == refund_request.give_up_at:
            dana.play(w.status("00", refunded="0.00"))
        refund_request = next_due(refund_request, clock)
    assert timezone.now() >= refund_request.give_up_at
    assert (refund_request.status, refund_request.needs_attention) == ("failed", "refused")
    assert told.count("refund_failed") == 1
    assert "manually" in refund_request.next_step


@pytest.mark.parametrize("code", LATER)
def test_without_retry_failed_refused_for_now_is_final(dana: Wire, clock: Clock, settings: Any, code: str) -> None:
    order = paid_order(dana)
    settings.DANA = account_with(RETRY_FAILED=False)
    dana.play(w.code(code))
    refund_request = refund(order)
    assert (refund_request.status, refund_request.next_attempt_at) == ("failed", None)


def test_4295800_backs_off_further_and_honours_retry_after(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("4295800", headers={"Retry-After": "1000"}))
    refund_request = refund(order)
    assert refund_request.next_attempt_at
    assert timedelta(seconds=998) < refund_request.next_attempt_at - timezone.now() <= timedelta(seconds=1000)


def test_4045818_asks_for_a_person_and_is_not_repeated(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("4045818"), w.status("00", refunded="0.00"))
    refund_request = refund(order)
    assert len(dana.bodies(QUERY_PATH)) == 2, "DANA's sum decides, so it is asked"
    clock.forward(hours=23)
    tasks.retry_due()
    assert len(dana.bodies(REFUND_PATH)) == 1
    clock.forward(hours=2)
    tasks.retry_due()
    refund_request = fresh_refund(refund_request)
    assert (refund_request.status, refund_request.needs_attention) == ("pending", "inconsistent")
    assert refund_request.unfinished
    assert fresh(order).amount_left == Decimal("9000.00")


def test_4045818_is_settled_by_danas_sum(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("4045818"), w.status("00", refunded="6000.00"))
    refund_request = refund(order)
    assert (refund_request.status, refund_request.needs_attention) == ("success", "")
    assert (fresh(order).refunded_amount, fresh(order).needs_attention) == (PART, "")


# -- replies that are lost or odd --------------------------------------------------------------------------------------

ODD_REPLIES: dict[str, Act] = {
    "HTML": w.body(b"<html>"),
    "an undefined code": w.code("4095899"),
    "a code of another service": w.code("2005700", status=200),
    "a success on HTTP 500": w.code("2005800", status=500),
    "another refund": w.code("2005800", partnerRefundNo="R-other"),
    "another amount": w.code("2005800", refundAmount={"value": "1.00", "currency": "IDR"}),
    "another order": w.code("2005800", originalPartnerReferenceNo="other"),
}


@pytest.mark.parametrize("act", [w.hang_up, *ODD_REPLIES.values()], ids=["no reply", *ODD_REPLIES])
def test_a_reply_that_says_nothing_is_followed_by_two_more_attempts_then_by_the_schedule(
    dana: Wire, clock: Clock, act: Act
) -> None:
    order = paid_order(dana)
    dana.play(act)
    refund_request = refund(order)
    seen = [refund_request.status]
    for _ in range(3):
        refund_request = next_due(refund_request, clock)
        seen.append(refund_request.status)
    assert seen == ["new", "new", "pending", "pending"]
    assert len(dana.bodies(REFUND_PATH)) == 4
    assert len(set(dana.bodies(REFUND_PATH))) == 1
    assert len({request.headers["x-external-id"] for request in dana.heard}) == len(dana.heard)
    assert refund_request.next_attempt_at
    assert refund_request.next_attempt_at - timezone.now() > timedelta(seconds=55)


def test_a_success_without_number_and_time_is_a_success(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005800", refundNo=None, refundTime=None))
    refund_request = refund(order)
    assert (refund_request.status, refund_request.refund_no, refund_request.refund_time) == ("success", "", None)


def test_a_lost_reply_is_repeated_after_the_delay_of_the_series(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.hang_up)
    refund_request = refund(order)
    assert refund_request.next_attempt_at
    assert timedelta(seconds=1) < refund_request.next_attempt_at - timezone.now() <= timedelta(seconds=2)


@pytest.mark.parametrize("acted", [True, False])
def test_a_lost_reply_is_repeated_and_counted_once(dana: Wire, clock: Clock, told: list[str], acted: bool) -> None:  # noqa: FBT001
    order = paid_order(dana)
    dana.play(w.hang_up, w.status("00", refunded="6000.00" if acted else "0.00"), w.code("2005800"))
    refund_request = refund(order)
    services.sync_order(order)
    clock.forward(seconds=3)
    tasks.retry_due()
    assert len(dana.bodies(REFUND_PATH)) == (1 if acted else 2)
    assert fresh_refund(refund_request).status == "success"
    assert (fresh(order).refunded_amount, fresh(order).note) == (PART, "")
    assert told.count("order_refunded") == 1


@pytest.mark.parametrize("echo", REFUSALS)
def test_a_refusal_after_a_lost_reply_is_our_success_where_danas_sum_has_it(
    dana: Wire, clock: Clock, told: list[str], echo: str
) -> None:
    refund_request = refund_twice(dana, clock, w.hang_up, w.code(echo), w.status("00", refunded="6000.00"))
    assert refund_request.status == "success"
    assert fresh(refund_request.order).refunded_amount == PART
    assert "refund_failed" not in told


UNSEEN_ENDS: dict[str, Callable[[], Act]] = {
    "no reply": lambda: w.hang_up,
    "unexpected": lambda: w.body(b"<html>"),
    "2025800": lambda: w.code("2025800"),
    "5005801": lambda: w.code("5005801"),
}


@pytest.mark.parametrize("first", UNSEEN_ENDS.values(), ids=UNSEEN_ENDS)
@pytest.mark.parametrize("refunded", ["0.00", None], ids=["0.00", "no sum"])
@pytest.mark.parametrize("echo", ["4035805", "4035814"])
def test_a_refusal_after_a_lost_reply_is_believed_once_that_call_can_not_act_any_more(
    dana: Wire, clock: Clock, first: Callable[[], Act], refunded: str | None, echo: str
) -> None:
    answer = w.status("00", refunded=refunded)
    refund_request = refund_twice(dana, clock, first(), w.code(echo), answer)
    assert refund_request.status == "pending"
    assert "do not refund by other means" in refund_request.next_step
    assert fresh(refund_request.order).amount_left == Decimal("9000.00")
    refund_request = answer_later(dana, clock, refund_request, answer)
    assert refund_request.status == "failed"
    assert refund_request.unfinished == response_codes.REFUND.rows[echo].is_tried_again


def test_another_currency_or_a_smaller_sum_is_not_this_refund(dana: Wire, clock: Clock) -> None:
    foreign = {"amountDetail": {"refundAmount": {"value": "6000.00", "currency": "USD"}}}
    refund_request = refund_twice(dana, clock, w.hang_up, w.code("4035805"), w.status("00", additionalInfo=foreign))
    assert refund_request.status == "pending"
    refund_request = answer_later(dana, clock, refund_request, w.status("00", refunded="5999.99"))
    assert refund_request.status == "failed"
    assert fresh(refund_request.order).refunded_amount == Decimal("5999.99")


def test_a_refund_that_acts_after_it_was_called_failed_becomes_a_success(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    refund_request = refund_twice(dana, clock, w.hang_up, w.code("4035805"), w.status("00", refunded="0.00"))
    refund_request = answer_later(dana, clock, refund_request, w.status("00", refunded="0.00"))
    assert (refund_request.status, told[-1]) == ("failed", "refund_failed")
    assert fresh(refund_request.order).next_sync_at, "DANA is asked from day to day"
    dana.play(w.status("00", refunded="6000.00"))
    clock.forward(days=1)
    tasks.sync_stale()
    assert fresh_refund(refund_request).status == "success"
    assert told[-1] == "order_refunded"
    order = fresh(refund_request.order)
    assert (order.refunded_amount, order.needs_attention) == (PART, "")


def test_two_refunds_of_unknown_end_are_told_apart_or_left_open(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("5005801"))
    first, second = refund(order, Decimal("3000.00")), refund(order, Decimal("5000.00"))
    dana.play(w.status("00", refunded="5000.00"))
    services.sync_order(order)
    assert {fresh_refund(first).status, fresh_refund(second).status} == {"pending"}
    assert fresh(order).refunded_amount == 0
    dana.play(w.status("00", refunded="3000.00"))
    services.sync_order(order)
    assert (fresh_refund(first).status, fresh_refund(second).status) == ("success", "pending")
    dana.play(w.status("00", refunded="8000.00"))
    services.sync_order(order)
    assert fresh_refund(second).status == "success"
    assert fresh(order).refunded_amount == Decimal("8000.00")


# -- the end of its time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["2025800", "4295800", "5005801"])
def test_what_is_pending_at_the_end_of_its_time_is_settled_by_a_query(dana: Wire, clock: Clock, code: str) -> None:
    order = paid_order(dana)
    dana.play(w.code(code))
    refund_request = refund(order)
    clock.to(refund_request.give_up_at)
    dana.play(w.status("00", refunded="6000.00"))
    tasks.retry_due()
    assert fresh_refund(refund_request).status == "success"
    assert len(dana.bodies(REFUND_PATH)) == 1


@pytest.mark.parametrize("answer", [w.status("00"), w.hang_up, w.code("5005501")], ids=["00", "no reply", "5005501"])
def test_what_that_query_leaves_open_stays_pending_and_needs_attention(
    dana: Wire, clock: Clock, told: list[str], answer: Act
) -> None:
    order = paid_order(dana)
    dana.play(w.code("2025800"))
    refund_request = refund(order)
    clock.to(refund_request.give_up_at)
    dana.play(answer)
    tasks.retry_due()
    refund_request = fresh_refund(refund_request)
    assert (refund_request.status, refund_request.needs_attention) == ("pending", "end_unknown")
    assert (refund_request.unfinished, refund_request.next_attempt_at) == (True, None)
    assert told[-1] == "order_needs_attention"
    assert fresh(order).needs_attention == "refund"
    assert fresh(order).amount_left == Decimal("9000.00"), "it may have been made"
    assert len(dana.bodies(REFUND_PATH)) == 1
    dana.play(w.status("00", refunded="6000.00"))
    clock.forward(hours=2)
    tasks.sync_stale()
    assert fresh_refund(refund_request).status == "success"
    assert fresh(order).needs_attention == ""


def test_a_sum_that_lacks_it_ends_a_refund_that_was_given_up(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    dana.play(w.code("2025800"))
    refund_request = refund(order)
    clock.to(refund_request.give_up_at)
    dana.play(w.status("00", refunded="0.00"))
    tasks.retry_due()
    tasks.sync_stale()
    refund_request = fresh_refund(refund_request)
    assert (refund_request.status, refund_request.needs_attention) == ("failed", "not_refunded")
    assert told[-1] == "refund_failed"
    assert services.why_not_retry(refund_request) is None
    assert fresh(order).amount_left == WHOLE


def test_a_person_can_stop_and_send_again(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("4035814"))
    refund_request = refund(order)
    services.stop_retrying(refund_request)
    refund_request = fresh_refund(refund_request)
    assert (refund_request.status, refund_request.next_attempt_at) == ("failed", None)
    dana.play(w.code("2005800"))
    services.retry_refund(refund_request)
    tasks.refund_order(refund_request.pk)
    assert fresh_refund(refund_request).status == "success"
    assert len(set(dana.bodies(REFUND_PATH))) == 1
    with pytest.raises(ValidationError, match="succeeded already"):
        services.retry_refund(refund_request)


def test_a_queued_refund_that_was_never_sent_is_stopped_for_good(dana: Wire, clock: Clock, told: list[str]) -> None:
    refund_request = services.refund_order(paid_order(dana))
    services.stop_retrying(refund_request)
    tasks.retry_due()
    refund_request = fresh_refund(refund_request)
    assert (refund_request.status, refund_request.unfinished, refund_request.needs_attention) == ("failed", False, "")
    assert "never sent" in refund_request.next_step
    assert told[-1] == "refund_failed"
    assert dana.bodies(REFUND_PATH) == []


def test_a_refund_that_failed_is_not_sent_again_where_less_is_left(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("4035814"), w.code("2005800"))
    refund_request = refund(order, WHOLE)
    services.stop_retrying(refund_request)
    refund(order)
    with pytest.raises(ValidationError, match="Less than the amount"):
        services.retry_refund(fresh_refund(refund_request))


def test_a_refund_of_an_order_that_is_closed_meanwhile_is_not_sent(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    unsent = services.refund_order(order, amount=Decimal("1000.00"))
    dana.play(w.code("5005801"), w.code("4035815"))
    doubtful, refused = refund(order, Decimal("2000.00")), refund(order, Decimal("3000.00"))
    change(order, payment_status="cancelled")
    dana.heard.clear()
    dana.play(w.status("05", refunded="2000.00"))
    clock.forward(minutes=10)
    tasks.retry_due()
    tasks.sync_stale()
    statuses = [fresh_refund(request).status for request in (unsent, doubtful, refused)]
    assert statuses == ["failed", "success", "failed"]
    assert dana.bodies(REFUND_PATH) == []


def test_staff_may_clear_the_attention_only_when_dana_is_not_asked_any_more(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("4045818"), w.status("00"))
    refund_request = refund(order)
    for row in (refund_request, fresh(order)):
        with pytest.raises(ValidationError, match="DANA is being asked"):
            services.clear_attention(row)
    change(order, next_sync_at=None)
    services.clear_attention(refund_request)
    assert (fresh_refund(refund_request).needs_attention, fresh(order).needs_attention) == ("", "")


# -- refunds made in DANA's portal -------------------------------------------------------------------------------------


def test_a_refund_in_danas_portal_lowers_what_is_left(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.status("00", refunded="6000.00"))
    order = services.sync_order(order)
    assert (order.payment_status, order.refunded_amount, order.amount_left) == ("paid", PART, Decimal("9000.00"))
    assert "6000.00" in order.note
    with pytest.raises(ValidationError, match="Part of this order was refunded"):
        services.cancel_order(order)
    with pytest.raises(ValidationError, match="9000"):
        services.refund_order(order, amount=Decimal("9000.01"))
    dana.play(w.code("2005800"))
    refund(order, None)
    order = fresh(order)
    assert (order.payment_status, order.refunded_amount) == ("refunded", WHOLE)


def test_the_rest_refunded_in_danas_portal_is_all(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005800"), w.status("00", refunded="15000.00"))
    refund(order)
    order = services.sync_order(order)
    tasks.retry_due()
    assert (order.payment_status, order.refunded_amount) == ("refunded", WHOLE)
    assert told.count("order_refunded") == 2


def test_a_portal_refund_before_is_not_taken_for_ours(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.status("00", refunded="6000.00"))
    order = services.sync_order(order)
    dana.play(w.hang_up, w.code("4035805"), w.status("00", refunded="6000.00"))
    refund_request = next_due(refund(order), clock)
    refund_request = answer_later(dana, clock, refund_request, w.status("00", refunded="6000.00"))
    assert refund_request.status == "failed"
    assert fresh(order).refunded_amount == PART


def test_a_portal_refund_that_looks_like_ours_ends_ours_so_that_the_money_does_not_go_back_twice(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = paid_order(dana)
    dana.play(w.hang_up, w.status("00", refunded="6000.00"), w.code("2005800"))
    refund_request = refund(order)
    order = services.sync_order(order)
    clock.forward(days=2)
    tasks.retry_due()
    assert len(dana.bodies(REFUND_PATH)) == 1
    assert (fresh_refund(refund_request).status, fresh(order).refunded_amount) == ("success", PART)
    assert told.count("order_refunded") == 1


def test_an_old_view_of_dana_settles_nothing(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005800"))
    refund(order, Decimal("3000.00"))
    dana.play(w.hang_up, w.code("4035805"), w.status("00", refunded="0.00"))
    refund_request = next_due(refund(order), clock)
    refund_request = answer_later(dana, clock, refund_request, w.status("00", refunded="0.00"))
    assert refund_request.status == "pending"
    refund_request = answer_later(dana, clock, refund_request, w.status("00", refunded="9000.00"))
    assert (refund_request.status, fresh(order).refunded_amount) == ("success", Decimal("9000.00"))


# -- workers that die --------------------------------------------------------------------------------------------------


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Run something whose worker dies after DANA has acted and before it recorded anything."""
    send = gateway._send

    def run(act: Callable[[], Any]) -> None:
        def send_and_die(*args: Any) -> Any:
            send(*args)
            raise Death

        with monkeypatch.context() as patch:
            patch.setattr(gateway, "_send", send_and_die)
            with pytest.raises(Death):
                act()

    return run


def test_a_refund_whose_worker_died_is_repeated_and_counted_once(
    dana: Wire, clock: Clock, dies: Callable[..., None], told: list[str]
) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005800"))
    refund_request = services.refund_order(order, amount=PART)
    dies(lambda: tasks.refund_order(refund_request.pk))
    assert (fresh_refund(refund_request).status, fresh(order).amount_left) == ("new", Decimal("9000.00"))
    clock.forward(seconds=71)
    tasks.retry_due()
    assert (fresh_refund(refund_request).status, fresh(order).refunded_amount) == ("success", PART)
    assert len(dana.bodies(REFUND_PATH)) == 2
    assert len(set(dana.bodies(REFUND_PATH))) == 1
    assert told.count("order_refunded") == 1


def test_a_refusal_after_a_worker_died_is_not_believed_at_once(
    dana: Wire, clock: Clock, dies: Callable[..., None]
) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005800"))
    refund_request = services.refund_order(order, amount=PART)
    dies(lambda: tasks.refund_order(refund_request.pk))
    clock.forward(seconds=71)
    dana.play(w.code("4035805"), w.status("00", refunded="6000.00"))
    tasks.retry_due()
    assert fresh_refund(refund_request).status == "success"


def test_a_worker_that_dies_at_every_attempt_ends_the_series_as_no_reply(
    dana: Wire, clock: Clock, dies: Callable[..., None]
) -> None:
    refund_request = services.refund_order(paid_order(dana), amount=PART)
    dana.play(w.code("2005800"))
    for _ in range(3):
        dies(lambda: tasks.refund_order(refund_request.pk))
        clock.forward(seconds=71)
    tasks.retry_due()
    refund_request = fresh_refund(refund_request)
    assert (refund_request.status, refund_request.rule_code, refund_request.attempts) == ("pending", "no_reply", 3)
    assert len(dana.bodies(REFUND_PATH)) == 3


def test_an_answer_whose_lease_was_lost_is_learned_by_a_query_and_counted_once(
    dana: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid_order(dana)
    send = gateway._send

    def send_and_lose(*args: Any) -> Any:
        ended = send(*args)
        lost = timezone.now() + timedelta(minutes=1)
        Order.objects.filter(pk=order.pk).update(lease_token="7" * 32, lease_until=lost)
        return ended

    dana.play(w.code("2005800"), w.status("00", refunded="6000.00"))
    refund_request = services.refund_order(order, amount=PART)
    with monkeypatch.context() as patch:
        patch.setattr(gateway, "_send", send_and_lose)
        gateway.attempt(RefundRequest, refund_request.pk)
    call = ApiCall.objects.get(operation=operations.REFUND_ORDER.key)
    assert (call.rule_code, call.refund_request) == ("2005800", refund_request)
    assert fresh_refund(refund_request).status == "new"
    clock.forward(minutes=2)
    tasks.sync_stale()
    assert (fresh_refund(refund_request).status, fresh(order).refunded_amount) == ("success", PART)


def test_only_the_table_says_what_is_repeated() -> None:
    kept = [rule.code for rule in ROWS if rule.outcome is Outcome.PENDING and FollowUp.SAME_PAYLOAD in rule.follow_up]
    assert kept == ["2025800", "4295800", "5005801"]


# -- what staff are told -----------------------------------------------------------------------------------------------


def test_staff_are_told_once_that_the_balance_is_too_low(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    dana.play(w.code("4035814"))
    refund_request = refund(order)
    for _ in range(2):
        assert refund_request.needs_attention == "balance"
        assert told.count("order_needs_attention") == 1
        refund_request = next_due(refund_request, clock)


def test_once_the_balance_suffices_nothing_needs_staff(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("4035814"), w.code("2025800"))
    refund_request = next_due(refund(order), clock)
    assert (refund_request.status, refund_request.needs_attention) == ("pending", "")
    assert fresh(order).needs_attention == ""


def test_a_refund_sent_again_by_hand_has_a_time_of_its_own_and_needs_nobody(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("4035805"))
    refund_request = refund(order)
    assert fresh(order).needs_attention == "refund"
    clock.forward(days=2)
    again = services.retry_refund(refund_request)
    assert (again.status, again.needs_attention, again.unfinished, again.attempts) == ("new", "", True, 0)
    assert again.give_up_at - timezone.now() > timedelta(hours=23, minutes=59)
    assert fresh(order).needs_attention == ""
    assert fresh(order).amount_left == Decimal("9000.00")


def test_a_refund_that_was_sent_and_then_stopped_before_it_was_sent_again_may_have_been_made(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = paid_order(dana)
    dana.play(w.code("2025800"), w.code("5005501"))
    refund_request = refund(order)
    services.retry_refund(refund_request)
    services.stop_retrying(fresh_refund(refund_request))
    refund_request = fresh_refund(refund_request)
    assert (refund_request.status, refund_request.needs_attention) == ("pending", "end_unknown")
    assert (refund_request.unfinished, refund_request.next_attempt_at) == (True, None)
    order = fresh(order)
    assert (order.amount_left, order.needs_attention) == (Decimal("9000.00"), "refund")
    assert order.next_sync_at
    tasks.send_outbox(order.pk)
    assert told[-1] == "order_needs_attention"


def test_another_refund_under_our_number_is_still_the_reason_when_its_time_is_over(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = paid_order(dana)
    dana.play(w.code("4045818"), w.status("00", refunded="0.00"))
    refund_request = refund(order)
    services.stop_retrying(refund_request)
    refund_request = fresh_refund(refund_request)
    assert (refund_request.status, refund_request.needs_attention) == ("pending", "inconsistent")
    assert told.count("order_needs_attention") == 1


@pytest.mark.parametrize("code", ["2025800", "4035815"])
def test_it_is_due_once_more_at_the_end_of_its_time(dana: Wire, clock: Clock, code: str) -> None:
    order = paid_order(dana)
    dana.play(w.code("2025800"))
    refund_request = refund(order)
    answered(refund_request, code, refund_request.give_up_at - timedelta(seconds=10))
    assert fresh_refund(refund_request).next_attempt_at == refund_request.give_up_at


def test_what_comes_after_the_end_of_its_time_is_not_tried_again(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    dana.play(w.code("4035815"))
    refund_request = refund(order)
    answered(refund_request, "4035815", refund_request.give_up_at - A_MOMENT)
    assert fresh_refund(refund_request).next_attempt_at == refund_request.give_up_at
    answered(refund_request, "4035815", refund_request.give_up_at)
    refund_request = fresh_refund(refund_request)
    assert (refund_request.needs_attention, refund_request.unfinished) == ("refused", False)


def answered(refund_request: RefundRequest, code: str, now: datetime) -> None:
    """Apply the end of a refund call at some moment."""
    order = refund_request.order
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        locked.now = now
        result = CallResult(rule=response_codes.REFUND.rows[code])
        refunds.answered(locked, locked.current(refund_request), result)


# -- an order that is closed meanwhile ---------------------------------------------------------------------------------


def test_a_refund_refused_for_now_ends_once_the_order_is_closed(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    dana.play(w.code("4035815"))
    refund_request = refund(order)
    change(order, payment_status="cancelled")
    refund_request = next_due(refund_request, clock)
    assert (refund_request.status, refund_request.needs_attention) == ("failed", "refused")
    assert (refund_request.unfinished, refund_request.next_attempt_at) == (False, None)
    assert told[-1] == "refund_failed"
    assert len(dana.bodies(REFUND_PATH)) == 1


def test_a_refund_that_may_have_been_made_waits_for_danas_answer_once_the_order_is_closed(
    dana: Wire, clock: Clock
) -> None:
    order = paid_order(dana)
    dana.play(w.code("2025800"), w.code("5005501"))
    refund_request = refund(order)
    change(order, payment_status="cancelled")
    dana.heard.clear()
    refund_request = next_due(refund_request, clock)
    assert (refund_request.status, refund_request.next_attempt_at) == ("pending", refund_request.give_up_at)
    assert [request.path for request in dana.heard] == [QUERY_PATH]


def test_a_refund_that_succeeds_after_the_order_was_cancelled_renames_nothing(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    refund_request = services.refund_order(order)
    change(order, payment_status="cancelled")
    answered(refund_request, "2005800", timezone.now())
    assert (fresh(order).payment_status, fresh(order).refunded_amount) == ("cancelled", WHOLE)


# -- what DANA's sum says of several -----------------------------------------------------------------------------------


def reported(order: Order, refunded: str | None, asked_at: datetime | None = None, latest: str = "00") -> Order:
    """Apply DANA's answer to a query of some moment."""
    amount = None if refunded is None else Decimal(refunded)
    report = StatusReport(status=latest, refund_amount=amount, refund_currency="IDR" if refunded else "")
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        payments.reported_by_query(locked, report, asked_at or timezone.now())
    return fresh(order)


def statuses(order: Order) -> list[str]:
    return [request.status for request in order.refund_requests.order_by("pk")]


def last_call(order: Order) -> datetime:
    return order.api_calls.filter(operation="refund").latest("pk").started_at


def refused_in_doubt(dana: Wire, clock: Clock, order: Order, amount: Decimal = PART) -> RefundRequest:
    """Refund part of an order: the first call had no reply, the second was refused, so that DANA's sum decides."""
    dana.play(w.hang_up, w.code("4035805"), w.code("5005501"))
    refund_request = next_due(refund(order, amount), clock)
    assert refund_request.outcome_ambiguous
    return refund_request


def test_a_sum_that_holds_all_refunds_of_unknown_end_settles_all(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("5005801"))
    refund(order, Decimal("3000.00"))
    refund(order, Decimal("5000.00"))
    assert reported(order, "8000.00").refunded_amount == Decimal("8000.00")
    assert statuses(order) == ["success", "success"]


def test_a_sum_that_holds_one_of_them_says_of_the_other_that_it_was_not_made(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    refused_in_doubt(dana, clock, order, Decimal("3000.00"))
    refused_in_doubt(dana, clock, order, Decimal("5000.00"))
    order = reported(order, "3000.00", last_call(order) + FIVE_MINUTES)
    assert statuses(order) == ["success", "failed"]
    assert (order.refunded_amount, order.note) == (Decimal("3000.00"), "")


def test_it_is_not_made_once_no_call_can_act_any_more(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    refused_in_doubt(dana, clock, order)
    first = order.api_calls.filter(operation="refund").earliest("pk").started_at
    reported(order, "0.00", first + FIVE_MINUTES - A_MOMENT)
    assert statuses(order) == ["pending"]
    reported(order, "0.00", first + FIVE_MINUTES)
    assert statuses(order) == ["failed"]


def test_a_refund_that_goes_on_is_not_ended_by_a_sum_that_lacks_it(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("2025800"))
    refund_request = refund(order)
    reported(order, "0.00", last_call(order) + FIVE_MINUTES)
    refund_request = fresh_refund(refund_request)
    assert (refund_request.status, refund_request.needs_attention, refund_request.unfinished) == ("pending", "", True)


def test_a_refund_that_was_never_sent_is_not_in_danas_sum(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    services.refund_order(order, amount=PART)
    order = reported(order, "6000.00")
    assert (statuses(order), order.refunded_amount) == (["new"], PART)
    assert "6000.00" in order.note


def test_one_sum_is_not_counted_for_a_refund_that_is_open_and_for_one_that_failed(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    refused_in_doubt(dana, clock, order)
    reported(order, "0.00", last_call(order) + FIVE_MINUTES)
    dana.play(w.code("2025800"))
    refund(order)
    order = reported(order, "6000.00")
    assert (statuses(order), order.refunded_amount) == (["failed", "success"], PART)


def test_of_two_that_failed_a_sum_tells_nothing_that_may_be_either(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    for _ in range(2):
        refused_in_doubt(dana, clock, order)
        reported(order, "0.00", last_call(order) + FIVE_MINUTES)
    order = reported(order, "6000.00")
    assert (statuses(order), order.refunded_amount) == (["failed", "failed"], PART)
    order = reported(order, "12000.00")
    assert order.refunded_amount == Decimal("12000.00")


def test_two_that_failed_turn_out_made_where_the_sum_holds_both(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    for _ in range(2):
        refused_in_doubt(dana, clock, order)
        reported(order, "0.00", last_call(order) + FIVE_MINUTES)
    order = reported(order, "12000.00")
    assert (statuses(order), order.refunded_amount) == (["success", "success"], Decimal("12000.00"))


def test_one_that_failed_may_turn_out_made_for_seven_days_from_its_last_call(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    refund_request = refused_in_doubt(dana, clock, order)
    first = order.api_calls.filter(operation="refund").earliest("pk").started_at
    reported(order, "0.00", first + FIVE_MINUTES)
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        assert refunds.watched_until(locked) == first + A_WEEK
    order = reported(order, "6000.00", first + A_WEEK)
    assert (fresh_refund(refund_request).status, order.refunded_amount) == ("failed", PART)
    change(order, refunded_amount=Decimal("0.00"))
    reported(order, "6000.00", first + A_WEEK - A_MOMENT)
    assert fresh_refund(refund_request).status == "success"


@pytest.mark.parametrize("code", ["2005800", "2025800", "4035805", "4035815"])
def test_no_other_refund_is_watched(dana: Wire, clock: Clock, code: str) -> None:
    order = paid_order(dana)
    dana.play(w.code(code))
    refund(order)
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        assert refunds.watched_until(locked) is None


def test_danas_sum_that_is_known_already_is_not_noted(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005800"))
    refund(order)
    assert reported(order, "6000.00").note == ""


def test_of_a_payment_that_all_went_back_no_part_is_noted(dana: Wire, clock: Clock) -> None:
    order = reported(paid_order(dana), "15000.00")
    assert (order.payment_status, order.refunded_amount, order.note) == ("refunded", WHOLE, "")


def test_never_more_counts_as_given_back_than_was_paid(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("2025800"))
    refund_request = refund(order, WHOLE)
    order = reported(order, "6000.00")
    assert order.refunded_amount == PART
    answered(refund_request, "2005800", timezone.now())
    assert (fresh(order).payment_status, fresh(order).refunded_amount) == ("refunded", WHOLE)


def test_a_refund_number_that_is_longer_than_any_of_dana_is_cut(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("2005800", refundNo="9" * 65))
    assert refund(order).refund_no == "9" * 64


def test_a_refusal_after_one_for_now_is_believed_at_once(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    dana.play(w.code("4035815"), w.code("4035805"))
    dana.heard.clear()
    refund_request = next_due(refund(order), clock)
    assert (refund_request.status, refund_request.unfinished) == ("failed", False)
    assert dana.bodies(QUERY_PATH) == [], "DANA refused both, so nothing is in doubt"
