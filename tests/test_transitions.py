"""The state transitions of an order and its cancels, and the timelines that follow from them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone

from django_dana import conf, gateway, services, tasks, transitions
from django_dana.models import CancelRequest, Order
from django_dana.protocol import response_codes
from django_dana.protocol.messages import CallResult, CreateOrderReply, StatusReport
from django_dana.transitions import creates, payments
from tests import wire as w
from tests.conftest import Clock
from tests.factories import PAID_AT, asked, change, created_order, fresh, fresh_cancel, new_order, paid_order
from tests.wire import CANCEL_PATH, CREATE_PATH, QUERY_PATH, Act, Wire

pytestmark = pytest.mark.django_db


def notified(order: Order, status: str, *, amount: str = "15000.00", currency: str = "IDR") -> Order:
    """Apply what a notification says."""
    report = StatusReport(status=status, amount=Decimal(amount), currency=currency, reference_no="D1", paid_at=PAID_AT)
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        payments.reported_by_notification(locked, report)
    return fresh(order)


def create_answered(order: Order, code: str, reply: CreateOrderReply | None = None) -> Order:
    """Apply the end of a create call that was under way meanwhile."""
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        creates.answered(locked, CallResult(rule=response_codes.CREATE.rows[code], reply=reply))
    return fresh(order)


def cancelled_by_us(dana: Wire, order: Order, act: Act) -> CancelRequest:
    """Cancel an order; DANA does this once."""
    dana.play(act, w.hang_up)
    cancel_request = services.cancel_order(fresh(order))
    tasks.cancel_order(cancel_request.pk)
    return fresh_cancel(cancel_request)


def cancel_unanswered(dana: Wire, clock: Clock, order: Order) -> CancelRequest:
    """Cancel an order while DANA does not answer at all."""
    dana.play(w.hang_up)
    cancel_request = services.cancel_order(fresh(order))
    for _ in range(3):
        tasks.cancel_order(cancel_request.pk)
        clock.forward(seconds=10)
    return fresh_cancel(cancel_request)


# -- create -------------------------------------------------------------------------------------------------------


def test_create_success_keeps_the_address(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = created_order(dana)
    assert (order.create_status, order.payment_status) == ("success", "initiated")
    assert (order.reference_no, order.web_redirect_url) == (w.REFERENCE_NO, w.PAGE)
    assert told == ["order_created"]


@pytest.mark.parametrize(
    ("details", "reply", "code"),
    [
        ({"payMethod": "VIRTUAL_ACCOUNT", "payOption": "VIRTUAL_ACCOUNT_CIMB"}, {"paymentCode": "8059"}, "8059"),
        ({"payMethod": "NETWORK_PAY", "payOption": "NETWORK_PAY_PG_QRIS"}, {"paymentCode": "00020101"}, "00020101"),
        ({"payMethod": "NETWORK_PAY", "payOption": "NETWORK_PAY_PG_QRIS"}, {"paymentCode": "0" * 600}, ""),
    ],
    ids=["virtual account", "QRIS", "longer than any QR code"],
)
def test_create_success_keeps_the_payment_code(
    dana: Wire, clock: Clock, details: dict[str, Any], reply: dict[str, Any], code: str
) -> None:
    dana.play(w.code("2005400", webRedirectUrl=None, additionalInfo=reply))
    order = new_order(pay_option_details=[details], external_store_id="S1")
    tasks.create_order(order.pk)
    assert fresh(order).payment_code == code


def test_ovo_needs_no_address(dana: Wire, clock: Clock) -> None:
    dana.play(w.code("2005400", webRedirectUrl=None))
    ovo = {
        "payMethod": "NETWORK_PAY",
        "payOption": "NETWORK_PAY_PG_OVO",
        "additionalInfo": {"phoneNumber": "081234567890"},
    }
    order = new_order(pay_option_details=[ovo])
    tasks.create_order(order.pk)
    assert fresh(order).create_status == "success"


def test_a_notification_before_the_create_reply_proves_the_order(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = new_order()
    dana.play(w.hang_up)
    tasks.create_order(order.pk)
    order = notified(order, "00")
    assert (order.create_status, order.payment_status, order.paid_at) == ("success", "paid", PAID_AT)
    assert order.next_attempt_at is None
    clock.forward(minutes=5)
    tasks.retry_due()
    assert told == ["order_created", "order_paid"]
    assert len(dana.bodies(CREATE_PATH)) == 1


@pytest.mark.parametrize("code", ["4005401", "5005400", "5005401", "4045418"])
def test_a_late_refusal_never_weakens_what_a_notification_proved(dana: Wire, clock: Clock, code: str) -> None:
    order = new_order()
    notified(order, "00")
    order = create_answered(order, code)
    assert (order.create_status, order.payment_status, order.next_attempt_at) == ("success", "paid", None)


def test_a_late_success_adds_the_address(dana: Wire, clock: Clock) -> None:
    order = new_order()
    notified(order, "00")
    pay_at = CreateOrderReply(reference_no="D1", web_redirect_url=w.PAGE, payment_code="")
    assert create_answered(order, "2005400", pay_at).web_redirect_url == w.PAGE


@pytest.mark.parametrize("code", ["4005401", "5005400"])
def test_a_payment_of_a_failed_create_makes_it_a_success(dana: Wire, clock: Clock, told: list[str], code: str) -> None:
    dana.play(w.code(code))
    order = new_order()
    tasks.create_order(order.pk)
    order = notified(order, "00")
    assert (order.create_status, order.payment_status, order.next_attempt_at) == ("success", "paid", None)


# -- 00 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["notification", "query"])
@pytest.mark.parametrize("before", ["none", "initiated", "paying"])
def test_00_makes_an_open_order_paid(dana: Wire, clock: Clock, told: list[str], before: str, source: str) -> None:
    order = created_order(dana)
    Order.objects.filter(pk=order.pk).update(payment_status=before)
    paid = notified(order, "00") if source == "notification" else asked(dana, order, w.status("00"))
    assert paid.payment_status == "paid"
    assert paid.paid_at
    tasks.send_outbox(order.pk)
    assert told == ["order_created", "order_paid"]


def test_00_again_changes_nothing(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = notified(created_order(dana), "00")
    clock.forward(days=3)
    again = notified(order, "00")
    assert (again.paid_at, again.revision, again.needs_attention) == (order.paid_at, order.revision, "")
    tasks.send_outbox(order.pk)
    assert told.count("order_paid") == 1


@pytest.mark.parametrize(("amount", "currency"), [("15000.01", "IDR"), ("1.00", "IDR"), ("15000.00", "USD")])
def test_00_with_another_amount_or_currency_is_not_paid(dana: Wire, clock: Clock, amount: str, currency: str) -> None:
    order = notified(created_order(dana), "00", amount=amount, currency=currency)
    assert (order.payment_status, order.paid_at) == ("initiated", None)
    assert order.needs_attention == "amount_differs"
    assert order.next_sync_at
    assert order.next_sync_at <= timezone.now()


def test_an_amount_that_differed_is_settled_by_the_answer(dana: Wire, clock: Clock) -> None:
    order = notified(created_order(dana), "00", amount="1.00")
    order = asked(dana, order, w.status("01", amount="15000.00"))
    assert (order.payment_status, order.needs_attention, order.next_sync_at) == ("initiated", "", None)


def test_an_amount_that_differs_in_the_answer_too_needs_a_person(dana: Wire, clock: Clock) -> None:
    order = notified(created_order(dana), "00", amount="1.00")
    order = asked(dana, order, w.status("00", amount="1.00"))
    assert (order.payment_status, order.needs_attention) == ("initiated", "amount_differs")


@pytest.mark.parametrize("first", ["00", "01", "07"])
def test_an_answer_without_an_amount_does_not_settle_one_that_differs(dana: Wire, clock: Clock, first: str) -> None:
    order = notified(created_order(dana), "00", amount="1.00")
    for status in (first, "00"):
        order = asked(dana, order, w.status(status))
        assert (order.payment_status, order.needs_attention) == ("initiated", "amount_differs")
        assert order.next_sync_at
    order = asked(dana, order, w.status("00", amount="15000.00"))
    assert (order.payment_status, order.needs_attention) == ("paid", "")


@pytest.mark.parametrize("closed", ["expired", "cancelled"])
def test_00_by_notification_after_it_was_closed_asks_dana(dana: Wire, clock: Clock, closed: str) -> None:
    order = created_order(dana)
    order = notified(order, "05") if closed == "expired" else order
    if closed == "cancelled":
        cancelled_by_us(dana, order, w.code("2005700"))
    order = notified(order, "00")
    assert (order.payment_status, order.needs_attention) == (closed, "conflict")
    # an order that was cancelled before we heard of its payment had money to give back
    assert order.paid_at == (PAID_AT if closed == "cancelled" else None)
    assert order.next_sync_at


@pytest.mark.parametrize("closed", ["expired", "cancelled"])
def test_00_after_it_was_closed_confirmed_is_paid_and_needs_a_person(
    dana: Wire, clock: Clock, told: list[str], closed: str
) -> None:
    order = created_order(dana)
    if closed == "expired":
        notified(order, "05")
    else:
        cancelled_by_us(dana, order, w.code("2005700"))
    notified(order, "00")
    clock.forward(minutes=5)
    order = asked(dana, order, w.status("00", amount="15000.00"))
    assert (order.payment_status, order.needs_attention) == ("paid", "paid_after_closed")
    tasks.send_outbox(order.pk)
    assert {"order_paid", "order_needs_attention"} <= set(told)
    # it stays so, whatever DANA repeats, until a new cancel succeeds
    order = asked(dana, order, w.status("00"))
    assert order.needs_attention == "paid_after_closed"
    cancelled_by_us(dana, order, w.code("2005700"))
    order = fresh(order)
    assert (order.payment_status, order.needs_attention) == ("cancelled", "")


def test_00_after_it_was_closed_refuted_clears_the_conflict(dana: Wire, clock: Clock) -> None:
    order = notified(notified(created_order(dana), "05"), "00")
    order = asked(dana, order, w.status("05"))
    assert (order.payment_status, order.needs_attention) == ("expired", "")


def test_the_same_payment_re_sent_after_we_gave_it_back_changes_nothing(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    cancelled_by_us(dana, order, w.code("2005700"))
    order = notified(order, "00")
    assert (order.payment_status, order.needs_attention, order.next_sync_at) == ("cancelled", "", None)


def test_00_while_a_cancel_is_open_is_paid_and_the_cancel_goes_on(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    cancel_request = cancelled_by_us(dana, order, w.code("2025700"))
    order = notified(order, "00")
    assert order.payment_status == "paid"
    assert fresh_cancel(cancel_request).next_attempt_at is not None


# -- 01, 02, unknown ----------------------------------------------------------------------------------------------


def test_02_is_paying_and_not_paid(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = asked(dana, created_order(dana), w.status("02"))
    assert (order.payment_status, order.paid_at) == ("paying", None)
    tasks.send_outbox(order.pk)
    assert "order_paid" not in told


@pytest.mark.parametrize("status", ["01", "02", "07"])
def test_a_notification_other_than_00_and_05_is_found_out_by_asking(dana: Wire, clock: Clock, status: str) -> None:
    order = notified(created_order(dana), status)
    assert (order.payment_status, order.needs_attention) == ("initiated", "")
    assert order.next_sync_at


@pytest.mark.parametrize("status", ["08", "", "PAID", "0", "000"])
def test_an_unknown_status_is_kept_and_needs_a_person(dana: Wire, clock: Clock, status: str) -> None:
    order = notified(created_order(dana), status)
    assert (order.payment_status, order.needs_attention) == ("initiated", "unknown_status")
    assert repr(status) in order.note


def test_01_of_a_pending_create_lets_the_create_go_on_for_its_address(dana: Wire, clock: Clock) -> None:
    dana.play(w.code("5005401"))
    order = new_order()
    tasks.create_order(order.pk)
    order = asked(dana, order, w.status("01", amount="15000.00"))
    assert (order.create_status, order.payment_status) == ("pending", "initiated")
    dana.play(w.code("2005400"))
    clock.forward(seconds=40)
    tasks.retry_due()
    assert fresh(order).web_redirect_url == w.PAGE


@pytest.mark.parametrize("code", ["4005401", "5005400"])
def test_a_refusal_after_a_query_proved_the_order_does_not_weaken_it(
    dana: Wire, clock: Clock, told: list[str], code: str
) -> None:
    dana.play(w.code("5005401"))
    order = new_order()
    tasks.create_order(order.pk)
    order = asked(dana, order, w.status("01", amount="15000.00"))
    dana.play(w.code(code))
    while order.next_attempt_at:
        clock.to(order.next_attempt_at)
        tasks.retry_due()
        order = fresh(order)
    assert "order_failed" not in told
    assert (order.create_status, order.payment_status, order.needs_attention) == ("success", "initiated", "no_address")
    clock.to(order.valid_up_to + timedelta(minutes=6))
    dana.play(w.status("00", amount="15000.00"))
    tasks.sync_stale()
    order = fresh(order)
    assert (order.payment_status, order.needs_attention) == ("paid", "")


@pytest.mark.parametrize("status", ["01", "02"])
def test_an_open_status_of_a_paid_order_is_a_contradiction(dana: Wire, clock: Clock, status: str) -> None:
    order = asked(dana, paid_order(dana), w.status(status))
    assert (order.payment_status, order.needs_attention) == ("paid", "conflict")


# -- 05 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["notification", "query"])
def test_05_without_a_cancel_is_expired(dana: Wire, clock: Clock, told: list[str], source: str) -> None:
    order = created_order(dana)
    order = notified(order, "05") if source == "notification" else asked(dana, order, w.status("05"))
    assert order.payment_status == "expired"
    tasks.send_outbox(order.pk)
    assert told == ["order_created", "order_expired"]


def test_05_cancelled_in_danas_portal_is_cancelled(dana: Wire, clock: Clock) -> None:
    answer = w.status("05", additionalInfo={"statusDetail": {"acquirementStatus": "CANCELLED"}})
    assert asked(dana, created_order(dana), answer).payment_status == "cancelled"


@pytest.mark.parametrize("act", [w.hang_up, w.code("2025700")], ids=["no reply", "2025700"])
def test_05_by_notification_after_a_cancel_of_ours_asks_dana(dana: Wire, clock: Clock, act: Act) -> None:
    order = created_order(dana)
    cancel_request = cancelled_by_us(dana, order, act)
    order = notified(order, "05")
    assert order.payment_status == "initiated"
    assert order.next_sync_at
    order = asked(dana, order, w.status("05"))
    assert order.payment_status == "cancelled"
    assert fresh_cancel(cancel_request).status == "success"


def test_05_after_a_cancel_that_was_refused_for_good_is_expired(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    cancelled_by_us(dana, order, w.code("4005701"))
    assert notified(order, "05").payment_status == "expired"


def test_05_by_notification_after_it_was_paid_changes_nothing_and_asks(dana: Wire, clock: Clock) -> None:
    order = notified(paid_order(dana), "05")
    assert (order.payment_status, order.needs_attention) == ("paid", "conflict")
    assert order.next_sync_at


def test_05_after_paid_confirmed_is_a_refund_made_at_dana(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = asked(dana, notified(paid_order(dana), "05"), w.status("05"))
    assert (order.payment_status, order.needs_attention) == ("cancelled", "")
    assert order.note
    assert order.paid_at
    tasks.send_outbox(order.pk)
    assert told[-1] == "order_cancelled"


def test_05_after_paid_refuted_stays_paid(dana: Wire, clock: Clock) -> None:
    order = asked(dana, notified(paid_order(dana), "05"), w.status("00"))
    assert (order.payment_status, order.needs_attention) == ("paid", "")


@pytest.mark.parametrize("status", ["00", "05"])
def test_a_refund_of_the_whole_amount_is_refunded(dana: Wire, clock: Clock, status: str) -> None:
    refund = {"amountDetail": {"refundAmount": {"value": "15000.00", "currency": "IDR"}}}
    order = asked(dana, paid_order(dana), w.status(status, additionalInfo=refund))
    assert order.payment_status == "refunded"


def test_a_refund_of_a_part_is_not(dana: Wire, clock: Clock) -> None:
    refund = {"amountDetail": {"refundAmount": {"value": "1.00", "currency": "IDR"}}}
    order = asked(dana, paid_order(dana), w.status("00", additionalInfo=refund))
    assert order.payment_status == "paid"


# -- 07 and 4045501 -----------------------------------------------------------------------------------------------

UNKNOWN = {"07": w.status("07"), "4045501": w.code("4045501")}


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN)
def test_not_found_before_valid_up_to_means_nothing(dana: Wire, clock: Clock, answer: Act) -> None:
    dana.play(w.code("5005401"))
    order = new_order()
    tasks.create_order(order.pk)
    order = asked(dana, order, answer)
    assert (order.create_status, order.payment_status) == ("pending", "none")
    assert order.next_attempt_at


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN)
def test_not_found_after_valid_up_to_ends_a_pending_create(
    dana: Wire, clock: Clock, told: list[str], answer: Act
) -> None:
    dana.play(w.code("5005401"))
    order = new_order()
    tasks.create_order(order.pk)
    clock.to(order.valid_up_to + timedelta(minutes=6))
    dana.play(answer)
    tasks.retry_due()
    tasks.sync_stale()
    order = fresh(order)
    assert (order.create_status, order.payment_status) == ("failed", "not_found")
    assert told == ["order_failed"]


def test_a_paid_order_that_dana_does_not_know_is_a_contradiction(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    clock.to(order.valid_up_to + timedelta(minutes=6))
    order = asked(dana, order, w.code("4045501"))
    assert (order.payment_status, order.needs_attention) == ("paid", "conflict")


# -- cancel -------------------------------------------------------------------------------------------------------


def test_cancel_success_cancels_the_order(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    times: dict[str, Any] = {"cancelTime": "2026-11-21T16:31:00+07:00", "transactionDate": "2026-11-21T16:30:00+07:00"}
    cancel_request = cancelled_by_us(dana, order, w.code("2005700", **times))
    assert cancel_request.status == "success"
    assert cancel_request.cancel_time == datetime(2026, 11, 21, 9, 31, tzinfo=UTC)
    assert cancel_request.transaction_date == datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    assert fresh(order).payment_status == "cancelled"
    assert told[-1] == "order_cancelled"


def test_cancel_failed_changes_no_order(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    assert cancelled_by_us(dana, order, w.code("4035705")).status == "failed"
    assert fresh(order).payment_status == "paid"
    assert told[-1] == "cancel_failed"


def test_an_aborted_cancel_asks_dana_and_05_makes_it_a_success(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = paid_order(dana)
    cancel_request = cancel_unanswered(dana, clock, order)
    assert cancel_request.status == "aborted"
    assert cancel_request.needs_attention == "end_unknown"
    assert "cancel_aborted" in told
    order = asked(dana, order, w.status("05"))
    assert order.payment_status == "cancelled"
    assert fresh_cancel(cancel_request).status == "success"


@pytest.mark.parametrize("answer", [w.status("00"), w.status("01")], ids=["00", "01"])
def test_an_aborted_cancel_that_dana_never_got_may_be_sent_again(dana: Wire, clock: Clock, answer: Act) -> None:
    order = created_order(dana)
    cancel_request = cancel_unanswered(dana, clock, order)
    clock.forward(minutes=5)
    asked(dana, order, answer)
    cancel_request = fresh_cancel(cancel_request)
    assert (cancel_request.status, cancel_request.needs_attention) == ("aborted", "not_cancelled")
    assert "send the same request again" in cancel_request.next_step
    dana.play(w.code("2005700"))
    services.retry_cancel(cancel_request)
    tasks.cancel_order(cancel_request.pk)
    assert fresh_cancel(cancel_request).status == "success"
    assert len(set(dana.bodies(CANCEL_PATH))) == 1


def test_sync_stale_asks_about_an_aborted_cancel(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    cancel_request = cancel_unanswered(dana, clock, order)
    dana.play(w.status("05"))
    clock.forward(hours=1)
    tasks.sync_stale()
    assert fresh_cancel(cancel_request).status == "success"


@pytest.mark.parametrize("echo", [None, "4045700"])
def test_a_whole_refund_settles_a_cancel_of_unknown_end(
    dana: Wire, clock: Clock, told: list[str], echo: str | None
) -> None:
    order = paid_order(dana)
    refund = {"amountDetail": {"refundAmount": {"value": "15000.00", "currency": "IDR"}}}
    answer = w.status("00", amount="15000.00", additionalInfo=refund)
    if echo:
        cancel_request = cancelled_by_us(dana, order, w.hang_up)
        dana.play(w.code(echo), answer)
        clock.forward(seconds=10)
        tasks.retry_due()
    else:
        cancel_request = cancel_unanswered(dana, clock, order)
        asked(dana, order, answer)
    order, cancel_request = fresh(order), fresh_cancel(cancel_request)
    assert (order.payment_status, order.needs_attention) == ("refunded", "")
    assert (cancel_request.status, cancel_request.needs_attention) == ("success", "")
    assert "cancel_failed" not in told


def test_a_cancel_of_an_order_refused_for_now_tells_that_nothing_is_tried_again(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    dana.play(w.code("5005400"))
    order = new_order()
    tasks.create_order(order.pk)
    dana.play(w.code("4045701"), w.code("4045501"))
    cancel_request = services.cancel_order(fresh(order))
    tasks.cancel_order(cancel_request.pk)
    order = fresh(order)
    assert (order.create_status, order.payment_status) == ("failed", "not_found")
    assert told.count("order_failed") == 1


def test_a_cancel_sent_again_while_its_time_runs_out_is_not_given_up(
    dana: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel_request = cancelled_by_us(dana, paid_order(dana), w.code("2025700"))
    clock.to(cancel_request.give_up_at)
    ask = gateway.sync

    def ask_while_a_person_sends_it_again(order_id: int) -> bool:
        was_asked = ask(order_id)
        services.retry_cancel(cancel_request)
        return was_asked

    monkeypatch.setattr(gateway, "sync", ask_while_a_person_sends_it_again)
    dana.play(w.status("00", amount="15000.00"))
    gateway.attempt(CancelRequest, cancel_request.pk)
    cancel_request = fresh_cancel(cancel_request)
    assert (cancel_request.status, cancel_request.unfinished) == ("new", True)
    assert cancel_request.next_attempt_at


# -- queries ----------------------------------------------------------------------------------------------------


def test_an_answer_that_is_older_than_a_fact_is_not_applied(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    speak = gateway._send

    def speak_while_a_notification_comes(*args: Any) -> Any:
        ended = speak(*args)
        notified(order, "00")
        return ended

    dana.play(w.status("01"))
    with mock.patch.object(gateway, "_send", speak_while_a_notification_comes):
        order = services.sync_order(order)
    assert (order.payment_status, order.needs_attention) == ("paid", "")
    assert order.next_sync_at, "it is asked again"


def test_queries_about_what_is_unsettled_end_after_seven_days(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    dana.play(w.code("5005501"))
    clock.to(order.valid_up_to + timedelta(minutes=5))
    for _ in range(400):
        tasks.sync_stale()
        order = fresh(order)
        if order.next_sync_at is None:
            break
        clock.to(order.next_sync_at)
    assert order.needs_attention == "unsettled"
    assert timedelta(days=6, hours=22) < timezone.now() - order.valid_up_to < timedelta(days=7, hours=2)
    queries = len(dana.bodies(QUERY_PATH))
    tasks.sync_stale()
    clock.forward(days=1)
    tasks.sync_stale()
    assert len(dana.bodies(QUERY_PATH)) == queries
    # a person asks, and DANA answers at last
    order = asked(dana, order, w.status("00", amount="15000.00"))
    assert (order.payment_status, order.needs_attention) == ("paid", "")


@pytest.mark.parametrize("code", ["4005500", "4005501", "4005502", "4015500", "4295500", "5005500", "5005501"])
def test_a_query_that_fails_says_nothing_about_the_payment(dana: Wire, clock: Clock, code: str) -> None:
    for order in (created_order(dana), paid_order(dana)):
        before = (order.create_status, order.payment_status)
        order = asked(dana, order, w.code(code))
        assert (order.create_status, order.payment_status, order.needs_attention) == (*before, "")


def test_sync_stale_looks_at_recent_paid_orders_now_and_then(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    clock.forward(days=2)
    dana.play(w.status("05"))
    tasks.sync_stale()
    assert fresh(order).payment_status == "cancelled", "a refund made in DANA's portal is found"


@pytest.mark.parametrize("status", ["08", "01"], ids=["unknown", "contradiction"])
def test_the_same_answer_again_is_no_news_to_staff(dana: Wire, clock: Clock, told: list[str], status: str) -> None:
    order = paid_order(dana)
    for _ in range(3):
        asked(dana, order, w.status(status))
        tasks.send_outbox(order.pk)
    assert told.count("order_needs_attention") == 1


def test_the_paid_orders_of_an_unusable_account_hold_up_no_others(dana: Wire, clock: Clock, settings: Any) -> None:
    good = settings.DANA["default"]
    settings.DANA = {"default": good, "gone": {**good, "MERCHANT_ID": "216620000000000000002"}}
    for _ in range(5):
        paid_order(dana, account="gone")
    order = paid_order(dana)
    settings.DANA = {"default": good}
    clock.forward(days=2)
    dana.play(w.status("05"))
    tasks.sync_stale()
    tasks.sync_stale()
    assert fresh(order).payment_status == "cancelled"


def test_an_answer_clears_that_none_came(dana: Wire, clock: Clock) -> None:
    order = change(created_order(dana), needs_attention="unsettled", unsettled_since=timezone.now())
    order = asked(dana, order, w.status("01"))
    assert (order.needs_attention, order.unsettled_since, order.next_sync_at) == ("", None, None)


def test_a_query_tells_danas_reference_where_the_create_had_no_reply(dana: Wire, clock: Clock) -> None:
    dana.play(w.hang_up)
    order = new_order()
    tasks.create_order(order.pk)
    order = asked(dana, order, w.status("00", amount="15000.00", originalReferenceNo="R-9"))
    assert (order.payment_status, order.reference_no) == ("paid", "R-9")


def test_a_notification_settles_what_no_query_could(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    Order.objects.update(needs_attention="unsettled", unsettled_since=timezone.now() - timedelta(days=8))
    order = notified(order, "00")
    assert (order.payment_status, order.needs_attention) == ("paid", "")


def test_sync_stale_leaves_alone_what_is_settled(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    notified(order, "05")
    clock.forward(days=2)
    heard = len(dana.heard)
    tasks.sync_stale()
    assert len(dana.heard) == heard


def test_sync_stale_asks_five_minutes_after_valid_up_to_and_not_before(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    dana.play(w.status("05"))
    clock.to(order.valid_up_to + timedelta(minutes=4, seconds=50))
    tasks.sync_stale()
    assert dana.bodies(QUERY_PATH) == []
    clock.forward(seconds=11)
    tasks.sync_stale()
    assert fresh(order).payment_status == "expired"
