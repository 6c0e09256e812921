"""What becomes of a request to give money back.

``Order.refunded_amount`` is the sum of our refunds that succeeded and of what DANA reports beyond them. What is not
settled is no part of it, so nothing is ever counted twice.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django_dana import timing
from django_dana.models import Order, RefundRequest
from django_dana.protocol import operations
from django_dana.protocol.messages import CallResult, RefundOrderReply, StatusReport
from django_dana.protocol.response_codes import FollowUp, Outcome, Rule
from django_dana.transitions import verdicts
from django_dana.transitions.base import LockedOrder

Status: Final = RefundRequest.Status
Attention: Final = RefundRequest.Attention

#: What staff are called for as soon as DANA says so; the other reasons have signals of their own.
_TOLD_AT_ONCE: Final = (Attention.BALANCE, Attention.INCONSISTENT)


def answered(locked: LockedOrder, refund_request: RefundRequest, result: CallResult) -> None:
    """Apply the result of a refund call."""
    rule = result.rule
    had_attention = refund_request.needs_attention
    refund_request.needs_attention = ""
    locked.note_result(refund_request, result)
    if rule.outcome is Outcome.SUCCESS:
        _succeed(locked, refund_request, result.reply)
    elif locked.series_goes_on(refund_request, rule):
        _schedule(locked, refund_request, timing.attempt_delay(locked.account, refund_request.attempts))
    elif rule.outcome is Outcome.FAILED and refund_request.pk in _last_doubtful_calls(locked):
        _await_answer(locked, refund_request)
    elif rule.outcome is Outcome.FAILED:
        _refuse(locked, refund_request, rule, result.retry_after)
    elif FollowUp.SAME_PAYLOAD in rule.follow_up:
        refund_request.status = Status.PENDING
        _schedule(locked, refund_request, locked.next_retry(refund_request, rule, result.retry_after))
    else:
        _await_answer(locked, refund_request)
        refund_request.needs_attention = Attention.INCONSISTENT
    if refund_request.needs_attention in _TOLD_AT_ONCE and refund_request.needs_attention != had_attention:
        locked.announce("order_needs_attention", refund_request)


def time_is_over(locked: LockedOrder, refund_request: RefundRequest) -> None:
    """Send no more, after DANA was asked and its answer left it open; or because staff say so."""
    if not refund_request.unfinished:
        return
    if not _was_sent(locked, refund_request):
        _end_unsent(locked, refund_request)
    elif refund_request.status == Status.FAILED:
        _end_refused(locked, refund_request)
    else:
        _leave_open(locked, refund_request)


def ends_unsent(locked: LockedOrder, refund_request: RefundRequest) -> bool:
    """Settle a request that must not be sent: the order is not paid any more."""
    if locked.order.payment_status == Order.PaymentStatus.PAID:
        return False
    _end_by_close(locked, refund_request)
    return True


def _end_by_close(locked: LockedOrder, refund_request: RefundRequest) -> None:
    """End it, or have DANA asked where the request may have acted."""
    if not _was_sent(locked, refund_request):
        _end_unsent(locked, refund_request)
    elif refund_request.pk in _last_doubtful_calls(locked):
        _await_answer(locked, refund_request)
    else:
        _end_refused(locked, refund_request)


def retried(locked: LockedOrder, refund_request: RefundRequest) -> None:
    """Send the same payload again, in a new series."""
    refund_request.status = Status.NEW
    refund_request.needs_attention = ""
    refund_request.unfinished = True
    refund_request.restart(locked.now)
    refund_request.give_up_at = locked.now + locked.account.cancel_give_up_after


def settle(locked: LockedOrder, report: StatusReport, asked_at: datetime) -> None:
    """DANA tells how much went back in all, which decides what is unsettled; the rest are refunds that are not ours.

    A refund made elsewhere may look like one of ours that DANA never got. Ours then counts as made and is not sent
    again: whoever made the other one may have done so because ours had no answer, and both would be too much.
    """
    order = locked.order
    doubtful = _last_doubtful_calls(locked)
    unexplained = verdicts.refunded_in(report, order) - order.refunded_amount
    unsettled = [request for request in locked.refunds if request.unfinished and request.pk in doubtful]
    made = [request for request in unsettled if request.amount <= unexplained]
    if _sum(made) > unexplained:
        # which of them were made can't be told; a sum smaller than what is known is an old view, which shows nothing
        return
    for refund_request in made:
        _succeed(locked, refund_request, None)
    for refund_request in unsettled:
        if refund_request not in made:
            _settle_not_made(locked, refund_request, report, asked_at - doubtful[refund_request.pk])
    unexplained -= _sum(made)
    late = [request for request in locked.refunds if _may_turn_out_made(request, doubtful, asked_at)]
    made = [request for request in late if request.amount <= unexplained]
    if _sum(made) <= unexplained:
        for refund_request in made:
            _succeed(locked, refund_request, None)
    _keep_foreign(locked, report)


def watched_until(locked: LockedOrder) -> datetime | None:
    """Return until when DANA is asked daily about requests that failed but may have acted, or None."""
    doubtful = _last_doubtful_calls(locked)
    moments = [doubtful[request.pk] for request in locked.refunds if _has_failed(request) and request.pk in doubtful]
    return max(moments) + timing.SYNC_FOR if moments else None


def _last_doubtful_calls(locked: LockedOrder) -> dict[int, datetime]:
    """Return when the last call of each request was made that DANA did not refuse, so that it may have acted."""
    if not locked.refunds:
        return {}
    calls = locked.order.api_calls.of(operations.REFUND_ORDER).may_have_acted().order_by("pk")
    return {pk: started_at for pk, started_at in calls.values_list("refund_request_id", "started_at") if pk}


def _was_sent(locked: LockedOrder, refund_request: RefundRequest) -> bool:
    calls = locked.order.api_calls.of(operations.REFUND_ORDER)
    return bool(refund_request.attempts) or calls.filter(refund_request=refund_request).exists()


def _has_failed(refund_request: RefundRequest) -> bool:
    return refund_request.status == Status.FAILED and not refund_request.unfinished


def _may_turn_out_made(refund_request: RefundRequest, doubtful: dict[int, datetime], asked_at: datetime) -> bool:
    """Whether a request that failed has a call that DANA may have acted upon late."""
    last = doubtful.get(refund_request.pk)
    return _has_failed(refund_request) and last is not None and asked_at < last + timing.SYNC_FOR


def _sum(requests: Iterable[RefundRequest]) -> Decimal:
    return sum((refund_request.amount for refund_request in requests), Decimal(0))


def _succeed(locked: LockedOrder, refund_request: RefundRequest, reply: object) -> None:
    if isinstance(reply, RefundOrderReply):
        refund_request.refund_no = reply.refund_no[:64]
        refund_request.refund_time = reply.refund_time
    refund_request.finish(Status.SUCCESS)
    order = locked.order
    order.refunded_amount = min(order.refunded_amount + refund_request.amount, order.amount)
    locked.announce("order_refunded", refund_request)
    if order.refunded_amount == order.amount and order.payment_status == Order.PaymentStatus.PAID:
        locked.refunded()


def _settle_not_made(locked: LockedOrder, refund_request: RefundRequest, report: StatusReport, age: timedelta) -> None:
    """DANA's sum lacks it. Not believed while a call whose end nobody saw may still act."""
    if age < timing.MAY_STILL_ACT:
        return
    if refund_request.rule and refund_request.outcome_ambiguous:
        _refuse(locked, refund_request, refund_request.rule)
    elif refund_request.needs_attention == Attention.END_UNKNOWN and report.refund_amount is not None:
        # nothing was refused here, so a report without any sum would not be enough
        refund_request.finish(Status.FAILED, Attention.NOT_REFUNDED)
        locked.announce("refund_failed", refund_request)


def _keep_foreign(locked: LockedOrder, report: StatusReport) -> None:
    """Note a refund that is not ours: what went back grows, so that less is left to refund."""
    order, refunded = locked.order, verdicts.refunded_in(report, locked.order)
    if order.refunded_amount < refunded < order.amount:
        order.refunded_amount = refunded
        order.note = f"DANA reports a refund of {refunded}"


def _await_answer(locked: LockedOrder, refund_request: RefundRequest) -> None:
    refund_request.status = Status.PENDING
    # DANA's answer decides; if none ever comes, the request is given up in its time
    refund_request.next_attempt_at = refund_request.give_up_at
    locked.sync_now()


def _schedule(locked: LockedOrder, refund_request: RefundRequest, delay: timedelta) -> None:
    # at the end of its time it is due once more, to be settled by a query
    refund_request.next_attempt_at = min(locked.now + delay, refund_request.give_up_at)


def _refuse(locked: LockedOrder, refund_request: RefundRequest, rule: Rule, retry_after: float | None = None) -> None:
    is_over = locked.now >= refund_request.give_up_at
    if rule.is_tried_again and locked.account.retry_failed and not is_over:
        refund_request.status = Status.FAILED
        if rule.calls_staff:
            refund_request.needs_attention = Attention.BALANCE
        _schedule(locked, refund_request, locked.next_retry(refund_request, rule, retry_after))
    else:
        _end_refused(locked, refund_request)


def _end_refused(locked: LockedOrder, refund_request: RefundRequest) -> None:
    refund_request.finish(Status.FAILED, Attention.REFUSED)
    locked.announce("refund_failed", refund_request)


def _end_unsent(locked: LockedOrder, refund_request: RefundRequest) -> None:
    """End a request that was never sent, and never will be."""
    refund_request.finish(Status.FAILED)
    locked.announce("refund_failed", refund_request)


def _leave_open(locked: LockedOrder, refund_request: RefundRequest) -> None:
    """Send no more, but go on counting it as given until DANA's sum or a person settles it."""
    refund_request.status = Status.PENDING
    refund_request.next_attempt_at = None
    if not refund_request.needs_attention:
        refund_request.needs_attention = Attention.END_UNKNOWN
        locked.announce("order_needs_attention", refund_request)
    locked.sync_now()
