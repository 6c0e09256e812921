"""Orders in everything that may be so, and what was asked for about them, without a word to DANA."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django_dana.models import ApiCall, CancelRequest, Order, RefundRequest
from tests.conftest import Clock
from tests.factories import NOW, fresh, order_with

Row = Callable[[Order], object]
Situation = tuple[dict[str, Any], list[Row]]

PART = Decimal("6000.00")
A_DAY = timedelta(days=1)

SENT: dict[str, Any] = {"attempts": 1, "next_attempt_at": None}
AT_DANA: dict[str, Any] = {"create_status": "success", "payment_status": "initiated", "next_attempt_at": None}
PAID: dict[str, Any] = {**AT_DANA, "payment_status": "paid", "paid_at": NOW}
GIVEN_BACK: dict[str, Any] = {**PAID, "payment_status": "cancelled"}
SETTLED: dict[str, Any] = {"settled_outside_at": NOW, "settled_outside_note": "BCA 1"}


def cancel(status: str = "new", **fields: Any) -> Row:
    """A cancel request, which is unfinished unless the fields say otherwise."""

    def ask(order: Order) -> CancelRequest:
        values = {"status": status, "amount": order.amount, "give_up_at": NOW + A_DAY, "reason": "Stok habis"}
        return CancelRequest.objects.create(order=order, request_body="{}", **{**values, **fields})

    return ask


def refund(status: str = "new", **fields: Any) -> Row:
    """A refund request about a part, which is unfinished unless the fields say otherwise."""

    def ask(order: Order) -> RefundRequest:
        values = {"status": status, "amount": PART, "give_up_at": NOW + A_DAY, "reason": "Stok habis"}
        of_order = {"order": order, "merchant_id": order.merchant_id, "request_body": "{}"}
        return RefundRequest.objects.create(**{**of_order, **values, **fields})

    return ask


def call(rule_code: str = "no_reply") -> Row:
    """A create call, to which DANA gave no answer unless the code is another."""

    def make(order: Order) -> ApiCall:
        values = {"operation": "create", "rule_code": rule_code, "external_id": uuid4(), "started_at": NOW}
        return ApiCall.objects.create(order=order, **values)

    return make


CANCEL_UNKNOWN = cancel("aborted", needs_attention="end_unknown", rule_code="no_reply", attempts=3, unfinished=None)
NOT_CANCELLED = cancel("aborted", needs_attention="not_cancelled", rule_code="no_reply", attempts=3, unfinished=None)
REFUND_UNKNOWN = refund("pending", needs_attention="end_unknown", rule_code="no_reply", attempts=3)
CANCEL_DONE = cancel("success", unfinished=None)
REFUND_DONE = refund("success", unfinished=False)


def cancel_refused(rule_code: str, **fields: Any) -> Row:
    """A cancel that DANA refused for good."""
    return cancel("failed", **{"needs_attention": "refused", "rule_code": rule_code, "unfinished": None, **fields})


def refund_refused(rule_code: str, **fields: Any) -> Row:
    """A refund that DANA refused for good."""
    return refund("failed", **{"needs_attention": "refused", "rule_code": rule_code, "unfinished": False, **fields})


def order_in(situation: Situation, clock: Clock) -> Order:
    """Return an order whose requests were asked for one a minute."""
    fields, rows = situation
    order = order_with(**fields)
    for make in rows:
        make(order)
        clock.forward(minutes=1)
    return fresh(order)


SITUATIONS: dict[str, Situation] = {
    "not sent yet": ({}, []),
    "a call about to be made": ({"lease_token": uuid4(), "lease_until": NOW + timedelta(minutes=2)}, []),
    "being sent": ({"attempts": 1}, [call()]),
    "create: no answer": (
        {**SENT, "create_status": "pending", "rule_code": "no_reply", "next_attempt_at": NOW},
        [call()],
    ),
    "create: refusal after no answer": ({**SENT, "create_status": "pending", "rule_code": "4045418"}, [call()]),
    "create: stopped after no answer": ({**SENT, "create_status": "pending", "rule_code": "no_reply"}, [call()]),
    "create: pending by no rule": ({"create_status": "pending"}, []),
    "create: refused": ({**SENT, "create_status": "failed", "rule_code": "4005400"}, []),
    "create: refused, DANA to be asked": ({**SENT, "create_status": "failed", "rule_code": "4035405"}, []),
    "create: refused, signature": ({**SENT, "create_status": "failed", "rule_code": "4015400"}, []),
    "create: refused for now": (
        {**SENT, "create_status": "failed", "rule_code": "5005400", "next_attempt_at": NOW},
        [],
    ),
    "create: refused for now, stopped": ({**SENT, "create_status": "failed", "rule_code": "5005400"}, []),
    "create: refused by no rule": ({**SENT, "create_status": "failed"}, []),
    "create: stopped before it was sent": ({"create_status": "failed", "next_attempt_at": None}, []),
    "create: done": ({**AT_DANA, "payment_status": "none"}, []),
    "initiated": (AT_DANA, []),
    "paying": ({**AT_DANA, "payment_status": "paying"}, []),
    "paid": (PAID, []),
    "paid, nobody knows when": ({**PAID, "paid_at": None}, []),
    "paid, a day ago": ({**PAID, "paid_at": NOW - A_DAY}, []),
    "paid, nearly a day ago": ({**PAID, "paid_at": NOW - A_DAY + timedelta(minutes=10)}, []),
    "paid, partly given back": ({**PAID, "refunded_amount": PART}, [REFUND_DONE]),
    "cancelled": ({**AT_DANA, "payment_status": "cancelled"}, []),
    "cancelled after it was paid": (GIVEN_BACK, [CANCEL_DONE]),
    "cancelled after it was paid, by others": (GIVEN_BACK, []),
    "cancelled at last": (
        GIVEN_BACK,
        [cancel_refused("4035705"), cancel("success", unfinished=None, reason=""), cancel_refused("4035705")],
    ),
    "expired": ({**AT_DANA, "payment_status": "expired"}, []),
    "expired after a cancel without an answer": ({**AT_DANA, "payment_status": "expired"}, [CANCEL_UNKNOWN]),
    "expired after a cancel that was refused": ({**AT_DANA, "payment_status": "expired"}, [cancel_refused("4005700")]),
    "refunded": ({**PAID, "payment_status": "refunded"}, []),
    "not found": ({**AT_DANA, "payment_status": "not_found"}, []),
    "settled outside": ({**PAID, **SETTLED}, []),
    "settled outside, a cancel refused": ({**PAID, **SETTLED}, [cancel_refused("4035700", needs_attention="")]),
    "settled outside and given back": ({**GIVEN_BACK, **SETTLED}, []),
    "paid late": ({**PAID, "needs_attention": "paid_after_closed"}, []),
    "paid late, a cancel under way": ({**PAID, "needs_attention": "paid_after_closed"}, [cancel()]),
    "paid late, a cancel refused": ({**PAID, "needs_attention": "paid_after_closed"}, [cancel_refused("4035705")]),
    "another amount": ({**AT_DANA, "needs_attention": "amount_differs"}, []),
    "another amount since it was paid": ({**PAID, "needs_attention": "amount_differs"}, []),
    "conflict": ({**PAID, "needs_attention": "conflict"}, []),
    "conflict, DANA being asked": ({**PAID, "needs_attention": "conflict", "next_sync_at": NOW}, []),
    "conflict, a cancel under way": ({**PAID, "needs_attention": "conflict", "next_sync_at": NOW}, [cancel()]),
    "unknown status": ({**AT_DANA, "needs_attention": "unknown_status"}, []),
    "account": ({**PAID, "needs_attention": "account"}, []),
    "account refused": ({**AT_DANA, "needs_attention": "account_refused"}, []),
    "no address": ({**AT_DANA, "needs_attention": "no_address"}, []),
    "no address, paid": ({**PAID, "needs_attention": "no_address"}, []),
    "unsettled": ({**PAID, "needs_attention": "unsettled", "next_sync_at": NOW}, []),
    "unsettled, a cancel not done": ({**PAID, "needs_attention": "unsettled"}, [NOT_CANCELLED]),
    "a cancel, closed": ({**PAID, "needs_attention": "cancel"}, []),
    "a cancel, DANA being asked": (
        {**PAID, "needs_attention": "cancel", "next_sync_at": NOW},
        [cancel("pending", rule_code="4045700")],
    ),
    "unpaid, cancel under way": (AT_DANA, [cancel()]),
    "unpaid, cancel refused for now": (AT_DANA, [cancel("failed", rule_code="5005700", next_attempt_at=NOW)]),
    "unpaid, cancel without an answer": (AT_DANA, [CANCEL_UNKNOWN]),
    "unpaid, cancel not done": (AT_DANA, [NOT_CANCELLED]),
    "unpaid, cancel refused": (AT_DANA, [cancel_refused("4005700")]),
    "unpaid, cancel never sent": (AT_DANA, [cancel("aborted", unfinished=None)]),
    "cancel under way": (PAID, [cancel("pending", rule_code="2025700", next_attempt_at=NOW)]),
    "cancel under way, DANA being asked": (PAID, [cancel("pending", rule_code="4045700")]),
    "cancel refused for now": (PAID, [cancel("failed", rule_code="5005700", next_attempt_at=NOW)]),
    "cancel refused for want of money": (
        {**PAID, "needs_attention": "cancel"},
        [cancel("failed", rule_code="4035714", needs_attention="balance", next_attempt_at=NOW)],
    ),
    "cancel without an answer": ({**PAID, "needs_attention": "cancel"}, [CANCEL_UNKNOWN]),
    "cancel without an answer, DANA being asked": ({**PAID, "next_sync_at": NOW}, [CANCEL_UNKNOWN]),
    "cancel not done": (PAID, [NOT_CANCELLED]),
    "cancel refused": (PAID, [cancel_refused("4005700")]),
    "cancel refused, DANA to be asked": (PAID, [cancel_refused("4035705")]),
    "cancel refused, signature": (PAID, [cancel_refused("4015700")]),
    "cancel refused, closed": (PAID, [cancel_refused("4015700", needs_attention="")]),
    "two cancels refused": (PAID, [cancel_refused("4035705"), cancel_refused("4005700")]),
    "refund under way": (PAID, [refund(reason="")]),
    "refund of all under way": (PAID, [refund(amount=Decimal("15000.00"))]),
    "refund refused for now": (PAID, [refund("failed", rule_code="5005800", next_attempt_at=NOW)]),
    "refund without an answer": (PAID, [REFUND_UNKNOWN]),
    "refund without an answer, DANA being asked": ({**PAID, "next_sync_at": NOW}, [REFUND_UNKNOWN]),
    "refund of all without an answer": (
        PAID,
        [
            refund(
                "pending", amount=Decimal("15000.00"), needs_attention="end_unknown", rule_code="no_reply", attempts=3
            )
        ],
    ),
    "refund without an answer, another refused": (
        PAID,
        [REFUND_UNKNOWN, refund_refused("4035805", amount=Decimal("3000.00"))],
    ),
    "refund without an answer, given back meanwhile": ({**PAID, "payment_status": "refunded"}, [REFUND_UNKNOWN]),
    "refund with another's number": (PAID, [refund("pending", needs_attention="inconsistent", rule_code="4045818")]),
    "refund without an answer, another under way": (PAID, [REFUND_UNKNOWN, refund(amount=Decimal("3000.00"))]),
    "refund not done": (PAID, [refund("failed", needs_attention="not_refunded", attempts=3, unfinished=False)]),
    "refund refused": (PAID, [refund_refused("4005800")]),
    "refund refused, DANA to be asked": (PAID, [refund_refused("4035805")]),
    "refund refused, closed": (PAID, [refund_refused("4035805", needs_attention="")]),
    "refund refused after another was done": (
        {**PAID, "refunded_amount": PART},
        [refund_refused("4005800"), REFUND_DONE],
    ),
}
