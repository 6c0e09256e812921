"""What becomes of a request to cancel an order."""

from datetime import datetime, timedelta

from django_dana import timing
from django_dana.models import CancelRequest, Order
from django_dana.protocol import operations
from django_dana.protocol.messages import CallResult, CancelOrderReply
from django_dana.protocol.response_codes import Outcome, Rule
from django_dana.transitions.base import LockedOrder


def answered(locked: LockedOrder, cancel_request: CancelRequest, result: CallResult) -> None:
    """Apply the result of a cancel call."""
    rule = result.rule
    had_attention = cancel_request.needs_attention
    cancel_request.needs_attention = ""
    locked.note_result(cancel_request, result)
    if rule.outcome is Outcome.SUCCESS:
        _succeed(locked, cancel_request, result.reply)
    elif locked.series_goes_on(cancel_request, rule):
        _schedule(locked, cancel_request, timing.attempt_delay(locked.account, cancel_request.attempts))
    elif rule.outcome is Outcome.FAILED and _may_mask_success(locked, rule):
        _await_answer(locked, cancel_request)
    elif rule.outcome is Outcome.FAILED:
        _refuse(locked, cancel_request, rule, result.retry_after)
    elif rule.outcome is Outcome.ABORTED and cancel_request.status == CancelRequest.Status.NEW:
        _abort(locked, cancel_request)
    else:
        cancel_request.status = CancelRequest.Status.PENDING
        _schedule(locked, cancel_request, locked.next_retry(cancel_request, rule, result.retry_after))
    if cancel_request.needs_attention == CancelRequest.Attention.BALANCE != had_attention:
        locked.announce("order_needs_attention", cancel_request)


def time_is_over(locked: LockedOrder, cancel_request: CancelRequest) -> None:
    """Give a cancel up, after DANA was asked and its answer left it open; or stop it because staff say so."""
    if not cancel_request.unfinished:
        return
    if not cancel_request.attempts and not locked.order.api_calls.of(operations.CANCEL_ORDER).filter(
        cancel_request=cancel_request
    ):
        end_unsent(locked, cancel_request)
    elif cancel_request.status == CancelRequest.Status.FAILED:
        _end_refused(locked, cancel_request)
    else:
        _abort(locked, cancel_request)


def ended_by_close(locked: LockedOrder, cancel_request: CancelRequest) -> None:
    """The order is closed, so nothing is sent any more; DANA is asked where the request may have closed it."""
    if cancel_request.attempts:
        _await_answer(locked, cancel_request)
    else:
        end_unsent(locked, cancel_request)


def ends_unsent(locked: LockedOrder, cancel_request: CancelRequest) -> bool:
    """Settle a request that must not be sent: the order is closed, or what DANA has may be somebody else's."""
    order = locked.order
    if not order.is_open and order.payment_status != Order.PaymentStatus.PAID:
        ended_by_close(locked, cancel_request)
        return True
    if not order.may_be_anothers:
        return False
    if order.create_status == Order.CreateStatus.FAILED:
        time_is_over(locked, cancel_request)
    else:
        postponed(locked, cancel_request)
    return True


def end_unsent(locked: LockedOrder, cancel_request: CancelRequest) -> None:
    """End a request that was never sent, and never will be."""
    cancel_request.finish(CancelRequest.Status.ABORTED)
    locked.announce("cancel_aborted", cancel_request)


def postponed(locked: LockedOrder, cancel_request: CancelRequest) -> None:
    """Send it later: DANA may have somebody else's order under our reference, and is asked first."""
    _schedule(locked, cancel_request, timing.sync_delay(locked.account, timedelta(0)))
    locked.sync_now()


def retried(locked: LockedOrder, cancel_request: CancelRequest) -> None:
    """Send the same payload again, in a new series."""
    cancel_request.status = CancelRequest.Status.NEW
    cancel_request.needs_attention = ""
    cancel_request.unfinished = True
    cancel_request.restart(locked.now)
    cancel_request.give_up_at = locked.now + locked.account.cancel_give_up_after


def settle_closed(locked: LockedOrder) -> None:
    """DANA shows the order closed or refunded: each request that may have acted was a success."""
    unseen = {call.cancel_request_id for call in locked.unseen_calls(operations.CANCEL_ORDER)} if locked.cancels else ()
    for cancel_request in locked.cancels:
        if cancel_request.status == CancelRequest.Status.SUCCESS:
            continue
        if cancel_request.pk in unseen or (cancel_request.unfinished and cancel_request.attempts):
            _succeed(locked, cancel_request, None)
        elif cancel_request.unfinished:
            end_unsent(locked, cancel_request)


def settle_open(locked: LockedOrder, asked_at: datetime) -> None:
    """DANA shows the order open, paid or unknown: what was waiting for its answer did not happen.

    Not believed while a cancel whose end nobody saw may still act.
    """
    waiting = [cancel_request for cancel_request in locked.cancels if cancel_request.is_end_unknown]
    if not waiting or locked.may_still_act(operations.CANCEL_ORDER, asked_at):
        return
    for cancel_request in waiting:
        if cancel_request.rule and cancel_request.outcome_ambiguous:
            _refuse(locked, cancel_request, cancel_request.rule)
        else:
            cancel_request.needs_attention = CancelRequest.Attention.NOT_CANCELLED


def watched_until(locked: LockedOrder) -> datetime | None:
    """Return until when DANA is asked daily about requests that were given up but may have acted, or None."""
    if not any(_may_turn_out_done(cancel_request) for cancel_request in locked.cancels):
        return None
    unseen = locked.unseen_calls(operations.CANCEL_ORDER)
    return unseen[-1].started_at + timing.SYNC_FOR if unseen else None


def _may_turn_out_done(cancel_request: CancelRequest) -> bool:
    ended = (CancelRequest.Status.ABORTED, CancelRequest.Status.FAILED)
    return cancel_request.status in ended and not cancel_request.unfinished


def _may_mask_success(locked: LockedOrder, rule: Rule) -> bool:
    """Whether a refusal may be the answer to an earlier success of ours, or rests on an order that is not there yet."""
    if locked.unseen_calls(operations.CANCEL_ORDER):
        return True
    order = locked.order
    is_doubtful = order.create_status != Order.CreateStatus.SUCCESS or order.payment_status == Order.PaymentStatus.PAID
    return rule.order_unknown and is_doubtful


def _succeed(locked: LockedOrder, cancel_request: CancelRequest, reply: object) -> None:
    if isinstance(reply, CancelOrderReply):
        cancel_request.cancel_time = reply.cancel_time
        cancel_request.transaction_date = reply.transaction_date
    cancel_request.finish(CancelRequest.Status.SUCCESS)
    if locked.order.payment_status != Order.PaymentStatus.REFUNDED:
        locked.cancelled()


def _await_answer(locked: LockedOrder, cancel_request: CancelRequest) -> None:
    cancel_request.status = CancelRequest.Status.PENDING
    # DANA's answer decides; if none ever comes, the request is given up in its time
    cancel_request.next_attempt_at = cancel_request.give_up_at
    locked.sync_now()


def _schedule(locked: LockedOrder, cancel_request: CancelRequest, delay: timedelta) -> None:
    # at the end of its time it is due once more, to be settled by a query
    cancel_request.next_attempt_at = min(locked.now + delay, cancel_request.give_up_at)


def _refuse(locked: LockedOrder, cancel_request: CancelRequest, rule: Rule, retry_after: float | None = None) -> None:
    is_over = locked.now >= cancel_request.give_up_at
    if rule.is_tried_again and locked.account.retry_failed and not is_over:
        cancel_request.status = CancelRequest.Status.FAILED
        if rule.calls_staff:
            cancel_request.needs_attention = CancelRequest.Attention.BALANCE
        _schedule(locked, cancel_request, locked.next_retry(cancel_request, rule, retry_after))
    else:
        _end_refused(locked, cancel_request)


def _end_refused(locked: LockedOrder, cancel_request: CancelRequest) -> None:
    cancel_request.finish(CancelRequest.Status.FAILED, CancelRequest.Attention.REFUSED)
    locked.announce("cancel_failed", cancel_request)


def _abort(locked: LockedOrder, cancel_request: CancelRequest) -> None:
    cancel_request.finish(CancelRequest.Status.ABORTED, CancelRequest.Attention.END_UNKNOWN)
    locked.announce("cancel_aborted", cancel_request)
    locked.sync_now()
