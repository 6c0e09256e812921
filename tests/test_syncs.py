"""When DANA is asked again, and what staff may take off the list: to the moment, and for each reason alone."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from django_dana import conf, gateway, services, transitions
from django_dana.models import ApiCall, CancelRequest, Order, OutboxEvent, RefundRequest
from django_dana.transitions import reviews, syncs
from tests.conftest import Clock
from tests.factories import account_with, change, fresh, fresh_cancel, fresh_refund, new_order, order_with

pytestmark = pytest.mark.django_db

GRACE = timedelta(minutes=5)
A_WEEK = timedelta(days=7)
A_DAY = timedelta(days=1)
REST = timedelta(minutes=2)
A_MOMENT = timedelta(microseconds=1)


def taken(**fields: Any) -> Order:
    """Return an order that DANA took."""
    return order_with(**{"create_status": "success", "payment_status": "initiated", "next_attempt_at": None, **fields})


def ended(order: Order, now: datetime) -> Order:
    """Let a query end that brought nothing new."""
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        locked.now = now
        syncs.ended(locked)
    return fresh(order)


def cancel_of(order: Order, **fields: Any) -> CancelRequest:
    return CancelRequest.objects.create(
        **{"order": order, "amount": order.amount, "give_up_at": timezone.now() + A_DAY, "attempts": 1, **fields}
    )


def refund_of(order: Order, **fields: Any) -> RefundRequest:
    return RefundRequest.objects.create(
        **{"order": order, "merchant_id": order.merchant_id, "amount": Decimal("6000.00"), "attempts": 1, **fields},
        give_up_at=timezone.now() + A_DAY,
    )


def call_of(request: CancelRequest | RefundRequest, *, started_at: datetime, rule_code: str = "no_reply") -> None:
    arguments: dict[str, Any] = {request.argument: request}
    ApiCall.objects.create(
        order=request.order,
        operation=request.operation.key,
        external_id=f"{request.argument}-{request.pk}",
        started_at=started_at,
        rule_code=rule_code,
        **arguments,
    )


def create_call_of(order: Order, rule_code: str) -> None:
    now = timezone.now()
    ApiCall.objects.create(
        order=order, operation="create", external_id="create", started_at=now, duration_ms=1, rule_code=rule_code
    )


# -- when DANA is asked again -----------------------------------------------------------------------------------------


def test_an_open_order_is_overdue_from_five_minutes_after_its_time_on(clock: Clock) -> None:
    order = taken()
    end = order.valid_up_to + GRACE
    order = ended(order, end - A_MOMENT)
    assert (order.next_sync_at, order.unsettled_since) == (None, None)
    order = ended(order, end)
    assert order.unsettled_since == end
    assert order.next_sync_at
    assert timedelta(seconds=30) <= order.next_sync_at - end <= timedelta(seconds=33)


def test_an_order_that_dana_refused_is_never_overdue(clock: Clock) -> None:
    order = taken(create_status="failed", payment_status="none")
    assert ended(order, order.valid_up_to + A_DAY).next_sync_at is None


@pytest.mark.parametrize(
    "fields",
    [
        {"needs_attention": "conflict"},
        {"needs_attention": "amount_differs"},
        {"needs_attention": "unknown_status"},
        {"create_status": "pending", "rule_code": "4045418"},
    ],
    ids=str,
)
def test_each_doubt_alone_has_dana_asked_again(clock: Clock, fields: dict[str, Any]) -> None:
    order = ended(taken(**fields), timezone.now())
    assert order.next_sync_at
    assert order.unsettled_since


def test_an_answer_that_came_too_early_has_dana_asked_again(clock: Clock) -> None:
    order = taken()
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        locked.answered_too_early = True
        syncs.ended(locked)
    assert fresh(order).next_sync_at


@pytest.mark.parametrize("attention", ["end_unknown", "refused"])
def test_a_cancel_whose_end_is_unknown_has_dana_asked_again(clock: Clock, attention: str) -> None:
    order = taken(payment_status="paid")
    cancel_of(order, status="aborted", unfinished=None, needs_attention=attention)
    assert (ended(order, timezone.now()).next_sync_at is not None) == (attention == "end_unknown")


def test_an_answer_ends_that_none_came(clock: Clock) -> None:
    order = ended(taken(needs_attention="unsettled", unsettled_since=timezone.now()), timezone.now())
    assert (order.needs_attention, order.next_sync_at, order.unsettled_since) == ("", None, None)


@pytest.mark.parametrize(("rule_code", "is_asked"), [("no_reply", True), ("4005401", False)])
def test_an_order_that_dana_refused_is_asked_about_after_its_time_where_a_call_may_have_acted(
    clock: Clock,
    rule_code: str,
    is_asked: bool,  # noqa: FBT001
) -> None:
    order = taken(create_status="failed", payment_status="none")
    create_call_of(order, rule_code)
    end = order.valid_up_to + GRACE
    assert ended(order, end - A_MOMENT).next_sync_at == (end if is_asked else None)
    assert ended(order, end).next_sync_at is None


def test_an_order_that_dana_took_in_the_second_call_is_not_asked_about_before_it_is_overdue(clock: Clock) -> None:
    order = taken()
    create_call_of(order, "no_reply")
    assert ended(order, timezone.now()).next_sync_at is None


@pytest.mark.parametrize("attention", ["paid_after_closed", "account", "account_refused", "cancel"])
def test_what_only_staff_can_settle_is_not_asked_about(clock: Clock, attention: str) -> None:
    order = ended(taken(payment_status="paid", needs_attention=attention), timezone.now())
    assert (order.next_sync_at, order.unsettled_since) == (None, None)


def test_the_longer_it_is_unsettled_the_longer_are_the_waits(clock: Clock) -> None:
    since = timezone.now()
    order = taken(needs_attention="conflict", unsettled_since=since)
    for elapsed, wait in ((0, 30), (30, 60), (90, 300), (390, 900), (1290, 3600)):
        now = since + timedelta(seconds=elapsed)
        order = ended(order, now)
        assert order.next_sync_at
        assert wait <= (order.next_sync_at - now).total_seconds() <= wait * 1.1
    assert order.unsettled_since == since


def test_dana_is_asked_for_seven_days_to_the_moment(clock: Clock) -> None:
    since = timezone.now()
    order = taken(payment_status="none", unsettled_since=since, valid_up_to=since - GRACE)
    order = ended(order, since + A_WEEK)
    assert order.next_sync_at
    assert order.needs_attention == ""
    order = ended(order, since + A_WEEK + A_MOMENT)
    assert (order.next_sync_at, order.needs_attention) == (None, "unsettled")
    assert [event.name for event in OutboxEvent.objects.all()] == ["order_needs_attention"]


@pytest.mark.parametrize("until_the_end", [timedelta(seconds=1), timedelta(0)])
def test_an_order_whose_address_is_lost_is_asked_about_once_its_time_is_over(
    clock: Clock, until_the_end: timedelta
) -> None:
    order = taken(needs_attention="no_address")
    end = order.valid_up_to + GRACE
    order = ended(order, end - until_the_end)
    assert order.next_sync_at
    assert (order.next_sync_at == end) == bool(until_the_end)


def test_an_order_that_was_paid_is_not_asked_about_though_its_address_was_lost(clock: Clock) -> None:
    assert ended(taken(payment_status="paid", needs_attention="no_address"), timezone.now()).next_sync_at is None


# -- what was given up is watched -------------------------------------------------------------------------------------


def test_what_was_given_up_is_asked_about_daily_for_seven_days_to_the_moment(clock: Clock) -> None:
    order = taken(payment_status="paid")
    last = timezone.now()
    call_of(cancel_of(order, status="aborted", unfinished=None), started_at=last)
    now = last + A_WEEK - A_MOMENT
    assert ended(order, now).next_sync_at == now + A_DAY
    assert ended(order, last + A_WEEK).next_sync_at is None


def test_the_last_of_a_cancel_and_a_refund_says_how_long(clock: Clock) -> None:
    order = taken(payment_status="paid")
    last = timezone.now()
    call_of(cancel_of(order, status="aborted", unfinished=None), started_at=last - A_DAY)
    call_of(refund_of(order, status="failed", unfinished=False), started_at=last)
    now = last + A_WEEK - A_MOMENT
    assert ended(order, now).next_sync_at == now + A_DAY
    assert ended(order, last + A_WEEK).next_sync_at is None


def test_the_last_of_several_refunds_says_how_long(clock: Clock) -> None:
    order = taken(payment_status="paid")
    last = timezone.now()
    call_of(refund_of(order, status="failed", unfinished=False), started_at=last - A_DAY)
    call_of(refund_of(order, status="failed", unfinished=False), started_at=last)
    now = last + A_WEEK - A_MOMENT
    assert ended(order, now).next_sync_at == now + A_DAY


def test_a_refund_refused_for_now_is_not_watched_while_it_goes_on(clock: Clock) -> None:
    order = taken(payment_status="paid")
    call_of(refund_of(order, status="failed", unfinished=True), started_at=timezone.now())
    assert ended(order, timezone.now()).next_sync_at is None


# -- an account that can't be used ------------------------------------------------------------------------------------


def test_calls_of_an_account_that_can_not_be_used_rest_and_none_is_made_sooner_than_it_was_due(clock: Clock) -> None:
    now = timezone.now()
    order = order_with(create_status="pending", next_attempt_at=now, next_sync_at=None)
    cancel_request = cancel_of(order, next_attempt_at=now)
    refund_request = refund_of(order, next_attempt_at=now + A_DAY)
    syncs.account_unusable(order.pk)
    order = fresh(order)
    moments = [order.next_attempt_at, order.next_sync_at, fresh_cancel(cancel_request).next_attempt_at]
    assert all(moment and REST <= moment - now < REST + timedelta(seconds=5) for moment in moments)
    assert fresh_refund(refund_request).next_attempt_at == now + A_DAY
    assert order.needs_attention == "account"
    change(order, next_attempt_at=now + A_DAY)
    syncs.account_unusable(order.pk)
    assert fresh(order).next_attempt_at == now + A_DAY
    assert [event.name for event in OutboxEvent.objects.all()] == ["order_needs_attention"]


@pytest.mark.parametrize("what", ["a query", "a cancel", "a refund", "nothing"])
def test_staff_are_told_of_an_account_that_can_not_be_used_only_where_something_is_due(clock: Clock, what: str) -> None:
    now = timezone.now()
    order = taken(payment_status="paid", next_sync_at=now + A_DAY if what == "a query" else None)
    if what == "a cancel":
        cancel_of(order, next_attempt_at=now)
    if what == "a refund":
        refund_of(order, next_attempt_at=now)
    syncs.account_unusable(order.pk)
    order = fresh(order)
    assert order.needs_attention == ("" if what == "nothing" else "account")
    assert (order.next_sync_at is not None) == (what == "a query")
    assert order.next_attempt_at is None


def test_an_open_order_of_an_account_that_can_not_be_used_is_asked_about(clock: Clock, settings: Any) -> None:
    order = taken()
    settings.DANA = account_with(PRIVATE_KEY=lambda: 1 / 0)
    assert not gateway.sync(order.pk)
    order = fresh(order)
    assert order.needs_attention == "account"
    assert order.next_sync_at


# -- what staff have looked at ----------------------------------------------------------------------------------------


def test_who_looks_at_one_request_has_not_looked_at_the_others(clock: Clock) -> None:
    order = taken(payment_status="paid", needs_attention="cancel")
    first = cancel_of(order, status="failed", unfinished=None, needs_attention="refused")
    second = cancel_of(order, status="failed", unfinished=None, needs_attention="refused")
    other = RefundRequest(pk=first.pk, order=order, merchant_id=order.merchant_id, amount=order.amount)
    other.status, other.unfinished, other.needs_attention, other.give_up_at = "failed", False, "refused", timezone.now()
    other.save(force_insert=True)
    services.clear_attention(first)
    assert fresh_cancel(first).needs_attention == ""
    assert fresh_cancel(second).needs_attention == fresh_refund(other).needs_attention == "refused"
    assert fresh(order).needs_attention == "cancel"


@pytest.mark.parametrize(("attention", "left"), [("cancel", ""), ("refund", ""), ("no_address", "refused")])
def test_who_looks_at_an_order_has_looked_at_the_requests_that_it_shows(
    clock: Clock, attention: str, left: str
) -> None:
    order = taken(payment_status="paid", needs_attention=attention)
    cancel_request = cancel_of(order, status="failed", unfinished=None, needs_attention="refused")
    refund_request = refund_of(order, status="failed", unfinished=False, needs_attention="refused")
    services.clear_attention(order)
    assert fresh_cancel(cancel_request).needs_attention == fresh_refund(refund_request).needs_attention == left
    assert fresh(order).needs_attention == ("cancel" if left else "")


def test_who_looks_at_a_request_leaves_the_queries_about_its_order(clock: Clock) -> None:
    moment = timezone.now() + A_DAY
    order = taken(payment_status="paid", next_sync_at=moment, unsettled_since=moment)
    services.clear_attention(cancel_of(order, status="failed", unfinished=None, needs_attention="refused"))
    assert (fresh(order).next_sync_at, fresh(order).unsettled_since) == (moment, moment)


DOUBTS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "the order": ({"create_status": "pending", "rule_code": "4045418"}, None),
    "a cancel that goes on": ({}, {"status": "pending", "rule_code": "2025700"}),
    "a cancel in doubt": ({}, {"status": "aborted", "unfinished": None, "needs_attention": "end_unknown"}),
}


@pytest.mark.parametrize(("fields", "of_cancel"), DOUBTS.values(), ids=DOUBTS)
def test_who_looks_at_an_order_does_not_end_the_queries_about_what_is_in_doubt(
    clock: Clock, fields: dict[str, Any], of_cancel: dict[str, Any] | None
) -> None:
    moment = timezone.now() + A_DAY
    order = taken(next_sync_at=moment, unsettled_since=moment, needs_attention="unknown_status", **fields)
    if of_cancel:
        cancel_of(order, **of_cancel)
    services.clear_attention(order)
    assert (fresh(order).next_sync_at, fresh(order).unsettled_since) == (moment, moment)


def test_who_looks_at_an_order_ends_the_queries_where_nothing_is_in_doubt(clock: Clock) -> None:
    moment = timezone.now() + A_DAY
    order = taken(next_sync_at=moment, unsettled_since=moment, needs_attention="unknown_status")
    services.clear_attention(order)
    order = fresh(order)
    assert (order.needs_attention, order.next_sync_at, order.unsettled_since) == ("", None, None)


@pytest.mark.parametrize(
    ("attention", "is_asked", "end", "waits"),
    [
        ("conflict", True, "", True),
        ("conflict", False, "", False),
        ("amount_differs", True, "end_unknown", False),
        ("cancel", True, "refused", False),
        ("cancel", True, "end_unknown", True),
        ("cancel", False, "end_unknown", False),
    ],
)
def test_only_danas_answer_may_end_what_it_is_being_asked_about(
    clock: Clock,
    attention: str,
    end: str,
    *,
    is_asked: bool,
    waits: bool,
) -> None:
    order = taken(needs_attention=attention, next_sync_at=timezone.now() if is_asked else None)
    cancel_request = cancel_of(order, status="aborted", unfinished=None, needs_attention=end)
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        assert reviews.waits_for_answer(locked, locked.order) is waits
        assert reviews.waits_for_answer(locked, cancel_request) is (is_asked and end == "end_unknown")


def test_what_is_settled_outside_needs_nobody(clock: Clock) -> None:
    order = taken(payment_status="paid", needs_attention="conflict")
    cancel_request = cancel_of(order, status="failed", unfinished=None, needs_attention="refused")
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        reviews.settled_outside(locked, "paid back in cash")
        now = locked.now
    order = fresh(order)
    assert (order.settled_outside_at, order.settled_outside_note) == (now, "paid back in cash")
    assert order.needs_attention == fresh_cancel(cancel_request).needs_attention == ""


def test_a_new_order_is_not_asked_about(clock: Clock) -> None:
    order = new_order()
    assert (order.next_sync_at, order.unsettled_since) == (None, None)
