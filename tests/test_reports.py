"""What a report about a payment changes at the edges of its rules, and what it leaves as it is."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from django_dana import conf, tasks, transitions
from django_dana.models import Order
from django_dana.protocol.messages import StatusReport
from django_dana.transitions import payments
from tests import wire as w
from tests.conftest import Clock
from tests.factories import (
    PAID_AT,
    asked,
    cancelled,
    change,
    created_order,
    fresh,
    fresh_cancel,
    new_order,
    notified,
    paid_order,
)
from tests.wire import Wire

pytestmark = pytest.mark.django_db

AMOUNT = "15000.00"
FIVE_MINUTES = timedelta(minutes=5)
A_MOMENT = timedelta(microseconds=1)


def answered(
    order: Order, status: str, asked_at: datetime | None = None, *, now: datetime | None = None, **fields: Any
) -> Order:
    """Apply DANA's answer to a query of some moment."""
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        locked.now = now or locked.now
        payments.reported_by_query(locked, StatusReport(status=status, **fields), asked_at or timezone.now())
    return fresh(order)


def pending(dana: Wire) -> Order:
    """Return an order of which nobody knows whether DANA has it."""
    dana.play(w.code("5005401"))
    order = new_order()
    tasks.create_order(order.pk)
    return fresh(order)


def in_doubt(dana: Wire, clock: Clock, **arguments: Any) -> Order:
    """Return an order whose first create had no reply and whose second met *Inconsistent Request*."""
    dana.play(w.hang_up, w.code("4045418"), w.code("5005501"))
    order = new_order(**arguments)
    tasks.create_order(order.pk)
    clock.forward(seconds=3)
    tasks.create_order(order.pk)
    order = fresh(order)
    assert order.outcome_ambiguous
    return order


# -- what is kept -----------------------------------------------------------------------------------------------------


def test_what_is_longer_than_any_of_dana_is_cut_to_what_a_column_holds(dana: Wire, clock: Clock) -> None:
    dana.play(w.hang_up)
    order = new_order()
    order = notified(order, reference_no="R" * 65, pay_method="M" * 65, pay_option="O" * 65)
    assert (order.reference_no, order.pay_method, order.pay_option) == ("R" * 64, "M" * 64, "O" * 64)


def test_what_the_buyer_paid_with_is_not_forgotten_by_a_report_that_lacks_it(dana: Wire, clock: Clock) -> None:
    order = notified(created_order(dana), pay_method="BALANCE", pay_option="DANA")
    order = asked(dana, order, w.status("00"))
    assert (order.pay_method, order.pay_option, order.reference_no) == ("BALANCE", "DANA", w.REFERENCE_NO)


def test_danas_reference_is_never_replaced(dana: Wire, clock: Clock) -> None:
    assert notified(created_order(dana), reference_no="another").reference_no == w.REFERENCE_NO


@pytest.mark.parametrize(("reported", "kept"), [("9999999999999.99", True), ("10000000000000.00", False)])
def test_another_amount_is_kept_as_far_as_every_database_holds_it(
    dana: Wire,
    clock: Clock,
    reported: str,
    kept: bool,  # noqa: FBT001
) -> None:
    order = notified(created_order(dana), amount=Decimal(reported))
    assert order.needs_attention == "amount_differs"
    assert order.reported_amount == (Decimal(reported) if kept else None)


def test_of_an_unknown_status_the_beginning_is_kept_and_dana_is_asked(dana: Wire, clock: Clock) -> None:
    order = notified(created_order(dana), "X" * 21)
    assert order.note == f"latestTransactionStatus '{'X' * 20}'"
    assert order.next_sync_at
    assert order.next_sync_at <= timezone.now()


# -- amounts ----------------------------------------------------------------------------------------------------------


def test_05_closes_an_order_whose_amount_is_in_doubt_without_telling_one(dana: Wire, clock: Clock) -> None:
    order = notified(created_order(dana), amount=Decimal("1.00"))
    order = asked(dana, order, w.status("05"))
    assert (order.payment_status, order.needs_attention) == ("expired", "")


def test_an_unreadable_amount_is_not_ours(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = answered(in_doubt(dana, clock), "00", amount_unreadable=True)
    assert (order.create_status, order.payment_status) == ("failed", "none")


def test_an_order_in_doubt_waits_for_an_answer_that_tells_its_amount(dana: Wire, clock: Clock) -> None:
    order = asked(dana, in_doubt(dana, clock), w.status("00"))
    assert (order.create_status, order.payment_status, order.needs_attention) == ("pending", "none", "conflict")
    assert order.next_sync_at


def test_an_order_in_doubt_that_dana_does_not_have_after_its_time_is_over(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = in_doubt(dana, clock)
    clock.to(order.valid_up_to + timedelta(minutes=6))
    order = asked(dana, order, w.code("4045501"))
    assert (order.create_status, order.payment_status) == ("failed", "not_found")
    tasks.send_outbox(order.pk)
    assert told == ["order_failed"]


@pytest.mark.parametrize("latest", ["00", "02", "05"])
def test_an_order_that_was_in_doubt_lacks_no_address_once_it_is_being_paid_or_closed(
    dana: Wire, clock: Clock, told: list[str], latest: str
) -> None:
    order = asked(dana, in_doubt(dana, clock), w.status(latest, amount=AMOUNT))
    assert (order.create_status, order.needs_attention) == ("success", "")
    tasks.send_outbox(order.pk)
    assert "order_needs_attention" not in told


def test_an_order_that_was_in_doubt_lacks_no_address_where_its_method_has_none(dana: Wire, clock: Clock) -> None:
    ovo = {
        "payMethod": "NETWORK_PAY",
        "payOption": "NETWORK_PAY_PG_OVO",
        "additionalInfo": {"phoneNumber": "081234567890"},
    }
    order = asked(dana, in_doubt(dana, clock, pay_option_details=[ovo]), w.status("01", amount=AMOUNT))
    assert (order.create_status, order.payment_status, order.needs_attention) == ("success", "initiated", "")


# -- old messages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "attention"), [(A_MOMENT, ""), (timedelta(0), "conflict")])
def test_a_05_that_is_older_than_the_answer_that_settled_it_is_no_news(
    dana: Wire, clock: Clock, age: timedelta, attention: str
) -> None:
    order = paid_order(dana)
    assert order.answered_at
    assert notified(order, "05", sent_at=order.answered_at - age).needs_attention == attention


def test_an_old_00_of_an_order_that_was_closed_unpaid_is_news(dana: Wire, clock: Clock) -> None:
    order = asked(dana, created_order(dana), w.status("05"))
    order = notified(order, "00", sent_at=timezone.now() - timedelta(hours=1))
    assert order.needs_attention == "conflict"


def test_a_05_closes_an_open_order_however_old_it_is(dana: Wire, clock: Clock) -> None:
    order = asked(dana, created_order(dana), w.status("01"))
    assert notified(order, "05", sent_at=timezone.now() - timedelta(minutes=1)).payment_status == "expired"


def test_what_only_a_query_tells_counts_for_nothing_in_a_notification(dana: Wire, clock: Clock) -> None:
    refund = {"refund_amount": Decimal(AMOUNT), "refund_currency": "IDR"}
    assert notified(created_order(dana), "00", **refund).payment_status == "paid"
    assert notified(created_order(dana), "05", acquirement_status="CANCELLED").payment_status == "expired"


# -- open -------------------------------------------------------------------------------------------------------------


def test_02_proves_the_order_also_where_its_address_is_not_known(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = asked(dana, pending(dana), w.status("02", amount=AMOUNT))
    assert (order.create_status, order.payment_status, order.next_attempt_at) == ("success", "paying", None)
    tasks.send_outbox(order.pk)
    assert told == ["order_created"]


def test_01_proves_the_order_once_no_create_can_arrive_any_more(dana: Wire, clock: Clock) -> None:
    order = pending(dana)
    assert answered(order, "01", now=order.valid_up_to - A_MOMENT).create_status == "pending"
    order = answered(order, "01", now=order.valid_up_to)
    assert (order.create_status, order.payment_status) == ("success", "initiated")


def test_01_proves_an_order_that_is_being_cancelled(dana: Wire, clock: Clock) -> None:
    order = pending(dana)
    cancelled(dana, order, w.code("2025700"))
    order = asked(dana, order, w.status("01", amount=AMOUNT))
    assert (order.create_status, order.payment_status) == ("success", "initiated")


# -- what proves the order --------------------------------------------------------------------------------------------

PROOFS: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "00": ({}, "paid", ["order_paid"]),
    "05": ({}, "expired", ["order_expired"]),
    "00, all refunded": (
        {"refund_amount": Decimal(AMOUNT), "refund_currency": "IDR"},
        "refunded",
        ["order_refunded"],
    ),
}


@pytest.mark.parametrize(("fields", "payment", "then"), PROOFS.values(), ids=PROOFS)
@pytest.mark.parametrize("attention", ["", "no_address", "unsettled", "account_refused"])
def test_a_final_answer_proves_the_order_and_leaves_staff_nothing_to_do(
    dana: Wire, clock: Clock, told: list[str], fields: dict[str, Any], payment: str, then: list[str], attention: str
) -> None:
    order = change(pending(dana), needs_attention=attention)
    order = answered(order, "05" if payment == "expired" else "00", **fields)
    assert (order.create_status, order.payment_status, order.next_attempt_at) == ("success", payment, None)
    assert order.needs_attention == ""
    tasks.send_outbox(order.pk)
    assert told == ["order_created", *then]


@pytest.mark.parametrize("attention", ["no_address", "unsettled", "account_refused"])
def test_an_order_that_dana_does_not_have_leaves_staff_nothing_to_do(dana: Wire, clock: Clock, attention: str) -> None:
    order = change(pending(dana), needs_attention=attention)
    clock.to(order.valid_up_to + timedelta(minutes=6))
    order = asked(dana, order, w.code("4045501"))
    assert (order.payment_status, order.needs_attention) == ("not_found", "")


@pytest.mark.parametrize("refunded", [None, AMOUNT], ids=["cancelled", "refunded"])
def test_a_payment_after_the_end_that_goes_back_leaves_staff_nothing_to_do(
    dana: Wire, clock: Clock, refunded: str | None
) -> None:
    order = change(paid_order(dana), needs_attention="paid_after_closed")
    order = asked(dana, order, w.status("00" if refunded else "05", refunded=refunded))
    assert (order.payment_status, order.needs_attention) == ("refunded" if refunded else "cancelled", "")


def test_of_a_payment_whose_time_dana_does_not_tell_the_time_is_when_we_heard(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    before = timezone.now()
    order = notified(order)
    assert order.paid_at
    assert before <= order.paid_at <= timezone.now()


# -- paid after it was closed -----------------------------------------------------------------------------------------


def test_00_after_our_own_cancel_is_believed_from_the_fifth_minute_on(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    cancelled(dana, order, w.code("2005700"))
    success = order.api_calls.get(operation="cancel").started_at
    assert answered(order, "00", success + FIVE_MINUTES - A_MOMENT).payment_status == "cancelled"
    order = answered(order, "00", success + FIVE_MINUTES)
    assert (order.payment_status, order.needs_attention) == ("paid", "paid_after_closed")


def test_a_contradiction_stands_until_an_answer_is_young_enough(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = created_order(dana)
    cancelled(dana, order, w.code("2005700"))
    order = notified(order, "00", paid_at=PAID_AT)
    order = asked(dana, order, w.status("00", amount=AMOUNT))
    assert (order.payment_status, order.needs_attention) == ("cancelled", "conflict")
    assert order.next_sync_at
    tasks.send_outbox(order.pk)
    assert told.count("order_needs_attention") == 1


def test_a_payment_that_dana_refutes_leaves_a_cancelled_order_as_it_was(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    cancelled(dana, order, w.code("2005700"))
    order = asked(dana, order, w.status("05"))
    assert (order.payment_status, order.needs_attention, order.note) == ("cancelled", "", "")


# -- not found --------------------------------------------------------------------------------------------------------


def test_not_found_outweighs_danas_own_success_only_once_it_was_said_again_five_minutes_later(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = created_order(dana)
    clock.to(order.valid_up_to + timedelta(hours=1))
    order = asked(dana, order, w.code("4045501"))
    since = order.unsettled_since
    assert since
    assert answered(order, "07", since + FIVE_MINUTES - A_MOMENT).payment_status == "initiated"
    order = answered(order, "07", since + FIVE_MINUTES)
    assert (order.payment_status, order.needs_attention) == ("not_found", "")
    tasks.send_outbox(order.pk)
    assert told == ["order_created", "order_needs_attention", "order_expired"]


def test_not_found_outweighs_danas_own_success_only_after_the_time_to_pay(dana: Wire, clock: Clock) -> None:
    order = asked(dana, created_order(dana), w.code("4045501"))
    end = order.valid_up_to + FIVE_MINUTES
    assert answered(order, "07", end - A_MOMENT).payment_status == "initiated"
    assert answered(order, "07", end).payment_status == "not_found"


def test_a_query_that_is_overdue_is_no_contradiction_yet(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    clock.to(order.valid_up_to + timedelta(hours=1))
    order = change(order, unsettled_since=order.valid_up_to)
    order = asked(dana, order, w.code("4045501"))
    assert (order.payment_status, order.needs_attention) == ("initiated", "conflict")


def test_not_found_is_believed_once_the_last_create_can_not_arrive_any_more(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = pending(dana)
    clock.to(order.valid_up_to)
    last = order.api_calls.latest("pk").started_at
    order = answered(order, "07", last + FIVE_MINUTES - A_MOMENT)
    assert (order.create_status, order.payment_status) == ("pending", "none")
    order = answered(order, "07", last + FIVE_MINUTES)
    assert (order.create_status, order.payment_status) == ("failed", "not_found")


def test_not_found_of_an_order_that_is_being_cancelled_leaves_the_cancel_open_while_a_create_may_arrive(
    dana: Wire, clock: Clock
) -> None:
    order = pending(dana)
    cancel_request = cancelled(dana, order, w.code("4045701"), w.code("4045501"))
    assert cancel_request.status == "pending"
    last = order.api_calls.filter(operation="create").latest("pk").started_at
    assert answered(order, "07", last + FIVE_MINUTES).payment_status == "not_found"
    assert fresh_cancel(cancel_request).status == "failed"


# -- closed by others -------------------------------------------------------------------------------------------------


def test_of_a_payment_that_others_cancelled_at_dana_a_note_is_kept(dana: Wire, clock: Clock) -> None:
    assert asked(dana, paid_order(dana), w.status("05")).note == "closed at DANA after it was paid"
    closed = w.status("05", additionalInfo={"statusDetail": {"acquirementStatus": "CANCELLED"}})
    order = asked(dana, created_order(dana), closed)
    assert (order.payment_status, order.note) == ("cancelled", "")


# -- refunded ---------------------------------------------------------------------------------------------------------


def test_when_it_was_paid_is_learned_from_the_report_that_all_went_back(dana: Wire, clock: Clock) -> None:
    order = answered(created_order(dana), "00", paid_at=PAID_AT, refund_amount=Decimal(AMOUNT), refund_currency="IDR")
    assert (order.payment_status, order.paid_at) == ("refunded", PAID_AT)


def test_when_it_was_paid_is_not_moved_by_the_report_that_all_went_back(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    before = order.paid_at
    order = answered(order, "00", paid_at=PAID_AT, refund_amount=Decimal(AMOUNT), refund_currency="IDR")
    assert (order.payment_status, order.paid_at) == ("refunded", before)


def test_when_it_was_paid_is_never_moved(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    assert notified(order, paid_at=PAID_AT).paid_at == PAID_AT
    cancelled(dana, order, w.code("2005700"))
    clock.forward(minutes=5)
    order = asked(dana, order, w.status("00", amount=AMOUNT, paidTime="2026-11-21T16:50:00+07:00"))
    assert (order.needs_attention, order.paid_at) == ("paid_after_closed", PAID_AT)
