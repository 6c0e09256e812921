"""What may be done with an order and its requests, and the sentence that says why not."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from django_dana.protocol import operations
from django_dana.services import permitted
from django_dana.services.permitted import why_not_cancel, why_not_refund, why_not_retry, why_not_stop
from django_dana.services.summary import summarize
from tests.conftest import Clock
from tests.factories import NOW, order_with
from tests.situations import (
    AT_DANA,
    CANCEL_DONE,
    CANCEL_UNKNOWN,
    GIVEN_BACK,
    NOT_CANCELLED,
    PAID,
    PART,
    REFUND_DONE,
    REFUND_UNKNOWN,
    SENT,
    SETTLED,
    Row,
    Situation,
    call,
    cancel,
    cancel_refused,
    order_in,
    refund,
    refund_refused,
)

pytestmark = pytest.mark.django_db

Case = tuple[dict[str, Any], list[Row], str | None]

HELD: dict[str, Any] = {"lease_token": uuid4(), "lease_until": NOW + timedelta(minutes=2)}
FAILED: dict[str, Any] = {**SENT, "create_status": "failed"}
PENDING: dict[str, Any] = {**SENT, "create_status": "pending"}

CANCELLED = "This order is cancelled already."
EXPIRED = "The time to pay this order is over, so there is nothing to cancel or refund."
REFUNDED = "Already refunded."
NOT_FOUND = "DANA does not have this order, so there is nothing to cancel or refund."
SETTLED_OUTSIDE = "This order was settled outside DANA, so nothing more is given back here."
ANOTHERS = "DANA may have somebody else's order under this reference, so it must not be cancelled."
CALLED = "A call to DANA is under way. Try again in a minute."
BEING_SENT = "It is being sent just now. Wait for DANA's answer."
REFUND_UNDER_WAY = "A refund of this order is under way. Wait until it ends."
PARTLY_REFUNDED = "Part of this order was refunded, so it can't be cancelled. Refund the rest instead."
NEVER_HAD = "DANA never had this order, so there is nothing to cancel."
SAME_CONTENT = "DANA refused the content of this request, so the same one would be refused again."

CLOSED: dict[str, Case] = {
    "settled outside": ({**PAID, **SETTLED}, [], SETTLED_OUTSIDE),
    "cancelled": (GIVEN_BACK, [], CANCELLED),
    "expired": ({**AT_DANA, "payment_status": "expired"}, [], EXPIRED),
    "refunded": ({**PAID, "payment_status": "refunded"}, [], REFUNDED),
    "not found": ({**AT_DANA, "payment_status": "not_found"}, [], NOT_FOUND),
}

CANCEL: dict[str, Case] = {
    **CLOSED,
    "unpaid": (AT_DANA, [], None),
    "paid": (PAID, [], None),
    "a cancel under way": (PAID, [cancel()], "A cancel of this order is under way. Wait until it ends."),
    "a cancel without an answer": (PAID, [CANCEL_UNKNOWN], None),
    "a cancel refused": (PAID, [cancel_refused("4005700")], None),
    "a refund under way": (PAID, [refund()], REFUND_UNDER_WAY),
    "a refund refused": (PAID, [refund_refused("4005800")], None),
    "partly refunded": ({**PAID, "refunded_amount": PART}, [REFUND_DONE], PARTLY_REFUNDED),
    "not sent yet": ({}, [], "This order was not sent to DANA yet. Stop it instead."),
    "being sent": ({}, [call()], None),
    "without an answer": (PENDING, [call()], None),
    "refused for now": ({**FAILED, "next_attempt_at": NOW}, [call("5005400")], None),
    "refused for good": (FAILED, [call("4005400")], NEVER_HAD),
    "refused for good after no answer": (FAILED, [call(), call("4005400")], None),
    "pending, but never sent": (PENDING, [], NEVER_HAD),
    "under another's reference": (PENDING, [call("4045418")], ANOTHERS),
    "of another amount": ({**PENDING, "needs_attention": "amount_differs"}, [call()], ANOTHERS),
    "of another amount, but ours": ({**AT_DANA, "needs_attention": "amount_differs"}, [call()], None),
}

UNPAID = "This order is not paid, so there is nothing to refund."
MAY_GO_BACK = "A cancel of this order may still give all the money back. Wait until DANA answers."
NOTHING_LEFT = "Nothing is left to refund: all of it was refunded or is being refunded."

REFUND: dict[str, Case] = {
    **CLOSED,
    "unpaid": (AT_DANA, [], UNPAID),
    "being paid": ({**AT_DANA, "payment_status": "paying"}, [], UNPAID),
    "paid": (PAID, [], None),
    "a cancel under way": (PAID, [cancel()], MAY_GO_BACK),
    "a cancel without an answer": (PAID, [CANCEL_UNKNOWN], MAY_GO_BACK),
    "a cancel that was not done": (PAID, [NOT_CANCELLED], None),
    "a part under way": (PAID, [refund()], None),
    "all of it under way": (PAID, [refund(amount=9000), refund(amount=6000)], NOTHING_LEFT),
    "partly refunded": ({**PAID, "refunded_amount": PART}, [REFUND_DONE], None),
    "the rest under way": ({**PAID, "refunded_amount": PART}, [REFUND_DONE, refund(amount=9000)], NOTHING_LEFT),
}

STOPPED = "This order was stopped before it was sent. Create a new order."
OVER = "The time of this order is over, so DANA can't accept it any more. Create a new order."
CLOSED_OR_BEING_CANCELLED = "This order is closed or being cancelled. Create a new order."

RETRY_ORDER: dict[str, Case] = {
    "held by a call": ({**FAILED, **HELD}, [], CALLED),
    "not sent yet": ({}, [], BEING_SENT),
    "at DANA": (AT_DANA, [], "DANA has this order already."),
    "over": ({**FAILED, "valid_up_to": NOW}, [], OVER),
    "closed": ({**FAILED, "payment_status": "expired"}, [], CLOSED_OR_BEING_CANCELLED),
    "being cancelled": (PENDING, [cancel()], CLOSED_OR_BEING_CANCELLED),
    "stopped before it was sent": ({"create_status": "failed", "next_attempt_at": None}, [], STOPPED),
    "never answered": ({**PENDING, "rule_code": ""}, [], None),
    "stopped since it was sent": ({**FAILED, "attempts": 0, "rule_code": "5005400"}, [], None),
    "pending": ({**PENDING, "rule_code": "5005401", "next_attempt_at": NOW}, [], None),
    "pending after a refusal": ({**PENDING, "rule_code": "4005400"}, [], None),
    "refused": ({**FAILED, "rule_code": "4005400"}, [], SAME_CONTENT),
    "refused by no rule": (FAILED, [], None),
}

ANOTHER_UNDER_WAY = "Another cancel of this order is under way. Wait until it ends."

# of the first request
RETRY_REQUEST: dict[str, Case] = {
    "cancel: held by a call": ({**PAID, **HELD}, [NOT_CANCELLED], CALLED),
    "cancel: not sent yet": (PAID, [cancel(next_attempt_at=NOW)], BEING_SENT),
    "cancel: done": (GIVEN_BACK, [CANCEL_DONE], "This cancel has succeeded already."),
    "cancel: of an order that is closed": ({**AT_DANA, "payment_status": "expired"}, [NOT_CANCELLED], EXPIRED),
    "cancel: settled outside": ({**PAID, **SETTLED}, [NOT_CANCELLED], SETTLED_OUTSIDE),
    "cancel: another under way": (PAID, [NOT_CANCELLED, cancel()], ANOTHER_UNDER_WAY),
    "cancel: another ended": (PAID, [NOT_CANCELLED, NOT_CANCELLED], None),
    "cancel: pending": (PAID, [cancel("pending", rule_code="2025700", next_attempt_at=NOW)], None),
    "cancel: under another's reference": (PENDING, [NOT_CANCELLED, call("4045418")], ANOTHERS),
    "cancel: a refund under way": (PAID, [NOT_CANCELLED, refund()], REFUND_UNDER_WAY),
    "cancel: partly refunded": ({**PAID, "refunded_amount": PART}, [NOT_CANCELLED], PARTLY_REFUNDED),
    "cancel: not done": (PAID, [NOT_CANCELLED], None),
    "cancel: refused": (PAID, [cancel_refused("4005700")], SAME_CONTENT),
    "cancel: refused, given up": (PAID, [cancel("aborted", rule_code="4005700", unfinished=None)], None),
    "refund: held by a call": ({**PAID, **HELD}, [refund("pending")], CALLED),
    "refund: not sent yet": (PAID, [refund(next_attempt_at=NOW)], BEING_SENT),
    "refund: done": (PAID, [REFUND_DONE], "This refund has succeeded already."),
    "refund: pending": (PAID, [refund("pending", amount=15000, rule_code="2025800")], None),
    "refund: pending, of an order that is closed": (GIVEN_BACK, [refund("pending")], CANCELLED),
    "refund: without an answer, beside a cancel": (PAID, [REFUND_UNKNOWN, CANCEL_UNKNOWN], None),
    "refund: refused, of an order that is closed": (GIVEN_BACK, [refund_refused("4035805")], CANCELLED),
    "refund: refused, a cancel without an answer": (PAID, [refund_refused("4035805"), CANCEL_UNKNOWN], MAY_GO_BACK),
    "refund: refused, less is left": (
        {**PAID, "refunded_amount": 10000},
        [refund_refused("4035805")],
        "Less than the amount of this refund is left. Ask for a smaller one.",
    ),
    "refund: refused, as much is left": ({**PAID, "refunded_amount": 9000}, [refund_refused("4035805")], None),
    "refund: refused": (PAID, [refund_refused("4005800")], SAME_CONTENT),
}

STOP: dict[str, Case] = {
    "not sent yet": ({}, [], None),
    "held by a call": (HELD, [], CALLED),
    "given up": (PENDING, [], "Nothing is being tried again here."),
    "given up and held by a call": ({**PENDING, **HELD}, [], "Nothing is being tried again here."),
}


def said(reason: Any) -> str | None:
    """Return the sentence that refuses, or None."""
    return None if reason is None else str(reason)


@pytest.mark.parametrize(("fields", "rows", "sentence"), CANCEL.values(), ids=CANCEL)
def test_why_not_cancel(clock: Clock, fields: dict[str, Any], rows: list[Row], sentence: str | None) -> None:
    assert said(why_not_cancel(order_in((fields, rows), clock))) == sentence


@pytest.mark.parametrize(("fields", "rows", "sentence"), REFUND.values(), ids=REFUND)
def test_why_not_refund(clock: Clock, fields: dict[str, Any], rows: list[Row], sentence: str | None) -> None:
    assert said(why_not_refund(order_in((fields, rows), clock))) == sentence


@pytest.mark.parametrize(("fields", "rows", "sentence"), RETRY_ORDER.values(), ids=RETRY_ORDER)
def test_why_an_order_is_not_sent_again(
    clock: Clock, fields: dict[str, Any], rows: list[Row], sentence: str | None
) -> None:
    assert said(why_not_retry(order_in((fields, rows), clock))) == sentence


@pytest.mark.parametrize(("fields", "rows", "sentence"), RETRY_REQUEST.values(), ids=RETRY_REQUEST)
def test_why_a_request_is_not_sent_again(
    clock: Clock, fields: dict[str, Any], rows: list[Row], sentence: str | None
) -> None:
    order = order_in((fields, rows), clock)
    assert said(why_not_retry(summarize(order).requests[0])) == sentence


@pytest.mark.parametrize(("fields", "rows", "sentence"), STOP.values(), ids=STOP)
def test_why_nothing_is_stopped(clock: Clock, fields: dict[str, Any], rows: list[Row], sentence: str | None) -> None:
    assert said(why_not_stop(order_in((fields, rows), clock))) == sentence


def test_an_order_may_be_sent_again_until_its_time_is_over() -> None:
    order = order_with(**PENDING)
    with time_machine.travel(order.valid_up_to, tick=False) as traveller:
        assert said(why_not_retry(order)) == OVER
        traveller.shift(timedelta(microseconds=-1))
        assert why_not_retry(order) is None


#: Refusals of the content, which is refused again whenever it is sent.
OF_CONTENT: dict[str, set[str]] = {
    "create": {"4005400", "4005401", "4005402", "4035402"},
    "cancel": {"4005700", "4005701", "4005702", "4035700"},
    "refund": {"4005800", "4005801", "4005802", "4035802", "4045800", "4045801", "4045812", "4045813"},
}


@pytest.mark.parametrize("key", OF_CONTENT)
def test_what_dana_refused_for_its_content_is_not_sent_again(clock: Clock, key: str) -> None:
    situations: dict[str, Situation] = {
        "create": (FAILED, []),
        "cancel": (PAID, [cancel_refused("4005700")]),
        "refund": (PAID, [refund_refused("4005800")]),
    }
    order = order_in(situations[key], clock)
    row = order if key == "create" else summarize(order).requests[0]
    refused = set()
    for code in operations.BY_KEY[key].codes.rows:
        row.rule_code = code
        sentence = said(why_not_retry(row))
        assert sentence in (None, SAME_CONTENT)
        if sentence:
            refused.add(code)
    assert refused == OF_CONTENT[key]


@pytest.mark.parametrize(
    ("permission", "sentence"),
    [
        ("cancel_order", "You may not cancel orders."),
        ("refund_order", "You may not refund orders."),
        ("settle_order_outside", "You do not have permission to mark orders as settled outside DANA."),
    ],
)
def test_who_asks_needs_the_permission(permission: str, sentence: str) -> None:
    clerk = User.objects.create_user("clerk")
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="django_dana", codename=permission))
    permitted.check_permission(clerk, f"django_dana.{permission}")
    permitted.check_permission(None, f"django_dana.{permission}")
    with pytest.raises(PermissionDenied) as caught:
        permitted.check_permission(User.objects.create_user("visitor"), f"django_dana.{permission}")
    assert str(caught.value) == sentence


def test_a_reason_refuses_on_the_order() -> None:
    permitted.refuse(None)
    with pytest.raises(ValidationError) as caught:
        permitted.refuse(CALLED)
    assert caught.value.message_dict == {"order": [CALLED]}


def test_no_call_is_made_inside_a_transaction_but_that_of_a_test() -> None:
    permitted.refuse_in_transaction("sync_order()")
    with transaction.atomic(), pytest.raises(RuntimeError, match=r"^sync_order\(\) calls DANA, so it can't run inside"):
        permitted.refuse_in_transaction("sync_order()")
