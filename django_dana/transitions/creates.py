"""What becomes of a Create Order call of ours."""

from datetime import timedelta

from django_dana import timing
from django_dana.models import Order
from django_dana.protocol import operations
from django_dana.protocol.messages import CallResult, CreateOrderReply
from django_dana.protocol.response_codes import Outcome
from django_dana.transitions.base import LockedOrder


def answered(locked: LockedOrder, result: CallResult) -> None:
    """Apply the result of a create call."""
    order = locked.order
    if isinstance(result.reply, CreateOrderReply):
        _keep_address(order, result.reply)
    if order.create_status == Order.CreateStatus.SUCCESS:
        # a notification or a query proved it meanwhile: a late reply may add the address, nothing else
        return
    locked.note_result(order, result)
    rule = result.rule
    if rule.outcome is Outcome.SUCCESS:
        _succeed(locked)
    elif locked.series_goes_on(order, rule):
        _schedule(locked, timing.attempt_delay(locked.account, order.attempts))
    elif rule.may_mask_success and _dana_may_have_it(locked):
        order.create_status = Order.CreateStatus.PENDING
        order.next_attempt_at = None
        locked.sync_now()
    elif rule.outcome is Outcome.FAILED:
        _refuse(locked, result)
    else:
        order.create_status = Order.CreateStatus.PENDING
        _schedule(locked, locked.next_retry(order, rule, result.retry_after))


def time_is_over(locked: LockedOrder) -> None:
    """Stop sending: no create call is made after validUpTo, nor once a cancel was asked for."""
    order = locked.order
    order.next_attempt_at = None
    if order.create_status == Order.CreateStatus.NEW:
        order.create_status = Order.CreateStatus.PENDING
    elif order.create_status == Order.CreateStatus.FAILED:
        _end_refused(locked)


def stopped(locked: LockedOrder) -> None:
    """Stop sending because staff say so; an order that was never sent is over."""
    if locked.order.attempts or locked.order.api_calls.exists():
        time_is_over(locked)
        locked.sync_now()
    else:
        locked.create_failed()


def retried(locked: LockedOrder) -> None:
    """Send the same payload again, in a new series."""
    locked.order.create_status = Order.CreateStatus.NEW
    locked.order.restart(locked.now)


def stopped_by_cancel(locked: LockedOrder) -> None:
    """A cancel was asked for: the create is not sent again, and an answer that is on its way may be too old."""
    order = locked.order
    if order.create_status == Order.CreateStatus.FAILED and order.next_attempt_at is not None:
        _end_refused(locked)
    elif order.create_status == Order.CreateStatus.NEW:
        order.create_status = Order.CreateStatus.PENDING
    order.next_attempt_at = None
    order.revision += 1


def _succeed(locked: LockedOrder) -> None:
    locked.prove_created()
    if locked.order.payment_status == Order.PaymentStatus.NONE:
        locked.order.payment_status = Order.PaymentStatus.INITIATED


def _keep_address(order: Order, reply: CreateOrderReply) -> None:
    order.reference_no = order.reference_no or reply.reference_no[:64]
    order.web_redirect_url = reply.web_redirect_url or order.web_redirect_url
    order.payment_code = reply.payment_code or order.payment_code
    if order.has_address:
        order.clear_attention(Order.Attention.NO_ADDRESS)


def _dana_may_have_it(locked: LockedOrder) -> bool:
    is_known = locked.order.payment_status == Order.PaymentStatus.INITIATED
    return is_known or bool(locked.unseen_calls(operations.CREATE_ORDER))


def _schedule(locked: LockedOrder, delay: timedelta) -> bool:
    """Set the next call, or stop where it would come too late. Return whether it goes on."""
    order = locked.order
    due = locked.now + delay
    stops = due >= order.valid_up_to or bool(locked.cancels)
    order.next_attempt_at = None if stops else due
    if stops and order.create_status == Order.CreateStatus.NEW:
        order.create_status = Order.CreateStatus.PENDING
    return not stops


def _refuse(locked: LockedOrder, result: CallResult) -> None:
    order, rule = locked.order, result.rule
    order.create_status = Order.CreateStatus.FAILED
    if rule.blames_account:
        locked.flag_attention(Order.Attention.ACCOUNT_REFUSED)
    is_tried_again = rule.is_tried_again and locked.account.retry_failed
    if not (is_tried_again and _schedule(locked, locked.next_retry(order, rule, result.retry_after))):
        _end_refused(locked)


def _end_refused(locked: LockedOrder) -> None:
    """End a create by a refusal, which weakens nothing where a query has proved that DANA has the order."""
    order = locked.order
    if order.payment_status == Order.PaymentStatus.INITIATED:
        locked.lose_address()
        return
    locked.create_failed()
    if locked.unseen_calls(operations.CREATE_ORDER):
        # an earlier call may have acted: what DANA has once the time is over decides
        order.next_sync_at = order.valid_up_to + timing.GRACE
