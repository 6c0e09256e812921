"""What DANA says about a payment, by notification or by query: the verdict table decides, these functions apply."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final

from django_dana import timing
from django_dana.models import Order
from django_dana.protocol import operations
from django_dana.protocol.messages import StatusReport
from django_dana.protocol.response_codes import PaymentState
from django_dana.transitions import cancels, refunds, verdicts
from django_dana.transitions.base import CONTRADICTIONS, LockedOrder
from django_dana.transitions.verdicts import Said, Verdict

#: What every database keeps exactly.
_LARGEST_KEPT: Final = Decimal("9999999999999.99")


def reported_by_notification(locked: LockedOrder, report: StatusReport) -> None:
    """Apply what a notification says. It may be old: where it contradicts what is known, DANA is asked."""
    if _amount_differs(locked.order, report):
        _flag_amount(locked, report)
        locked.sync_now()
        return
    state = _state(locked, report)
    if state is None:
        locked.sync_now()
        return
    _keep_details(locked.order, report)
    column = verdicts.said(report, state, locked.order, by_query=False)
    verdict = _verdict(locked, column, by_query=False)
    if verdict is Verdict.CONFLICT_AND_SYNC and _is_no_news(locked.order, report, column):
        return
    _BY_NOTIFICATION[verdict](locked, report)


def reported_by_query(locked: LockedOrder, report: StatusReport, asked_at: datetime) -> None:
    """Apply DANA's answer to Query Payment, which is its present view.

    Args:
        locked: the order.
        report: what DANA answered.
        asked_at: when the query was sent.
    """
    order = locked.order
    order.answered_at = asked_at
    if order.outcome_ambiguous and not _proves_ours(locked, report):
        return
    if _amount_differs(order, report) or _leaves_amount_open(order, report):
        _flag_amount(locked, report)
        return
    locked.clear_attention(*CONTRADICTIONS)
    order.reported_amount = None
    state = _state(locked, report)
    if state is None:
        return
    _keep_details(order, report)
    if state in (PaymentState.PAID, PaymentState.CLOSED):
        refunds.settle(locked, report, asked_at)
    column = verdicts.said(report, state, order, by_query=True)
    verdict = _verdict(locked, column, by_query=True)
    _BY_QUERY[verdict](locked, report, asked_at)
    if verdict is not Verdict.CONFLICT:
        _settle_requests(locked, column, asked_at)


def unknown_at_dana(locked: LockedOrder, asked_at: datetime) -> None:
    """Apply the answer 4045501: DANA does not have the order."""
    reported_by_query(locked, StatusReport(status=PaymentState.NOT_FOUND.value), asked_at)


# -- what the report says -----------------------------------------------------------------------------------------


def _state(locked: LockedOrder, report: StatusReport) -> PaymentState | None:
    try:
        return PaymentState(report.status)
    except ValueError:
        locked.order.note = f"latestTransactionStatus {report.status[:20]!r}"
        locked.flag_attention(Order.Attention.UNKNOWN_STATUS)
        return None


def _verdict(locked: LockedOrder, column: Said, *, by_query: bool) -> Verdict:
    known = verdicts.known(locked.order)
    verdict, after_cancel = (
        verdicts.verdict(known, column, by_query=by_query, cancel_may_have_acted=acted) for acted in (False, True)
    )
    # the database is asked about cancels only where they make a difference: for a payment they make none
    return after_cancel if verdict is not after_cancel and locked.cancel_may_have_acted else verdict


def _amount_differs(order: Order, report: StatusReport) -> bool:
    """Whether it is about another amount: also one that can't be read. A closed order needs none."""
    if report.status == PaymentState.CLOSED.value:
        return False
    if report.amount_unreadable:
        return True
    return report.amount is not None and (report.amount, report.currency) != (order.amount, order.currency)


def _leaves_amount_open(order: Order, report: StatusReport) -> bool:
    """Whether it does not say which of two amounts is true; that of a closed order matters no more."""
    is_doubtful = order.needs_attention == Order.Attention.AMOUNT_DIFFERS
    return is_doubtful and report.amount is None and report.status != PaymentState.CLOSED.value


def _flag_amount(locked: LockedOrder, report: StatusReport) -> None:
    if report.amount is not None and report.amount <= _LARGEST_KEPT:
        locked.order.reported_amount = report.amount
    locked.flag_attention(Order.Attention.AMOUNT_DIFFERS)


def _is_no_news(order: Order, report: StatusReport, column: Said) -> bool:
    """Whether a contradiction is older than DANA's answer that settled the order, or says what was applied once.

    A payment is never dismissed for its age alone.
    """
    if column is Said.PAID:
        return order.paid_at is not None
    return order.answered_at is not None and report.sent_at is not None and report.sent_at < order.answered_at


def _keep_details(order: Order, report: StatusReport) -> None:
    order.reference_no = order.reference_no or report.reference_no[:64]
    order.pay_method = report.pay_method[:64] or order.pay_method
    order.pay_option = report.pay_option[:64] or order.pay_option


def _proves_ours(locked: LockedOrder, report: StatusReport) -> bool:
    """Whether the order that DANA has under our reference is this one; if not, it is never adopted."""
    order = locked.order
    if report.status == PaymentState.NOT_FOUND.value:
        locked.create_failed()
        return True
    if report.amount is None and not report.amount_unreadable:
        locked.flag_attention(Order.Attention.CONFLICT)
        return False
    if (report.amount, report.currency) != (order.amount, order.currency):
        locked.create_failed()
        return False
    locked.prove_created()
    if order.lacks_address and report.status == PaymentState.INITIATED.value:
        locked.flag_attention(Order.Attention.NO_ADDRESS)
    return True


# -- verdicts of a notification -----------------------------------------------------------------------------------


def _nothing(locked: LockedOrder, report: StatusReport) -> None:
    """What is known already changes nothing."""


def _sync(locked: LockedOrder, report: StatusReport) -> None:
    locked.sync_now()


def _conflict_and_sync(locked: LockedOrder, report: StatusReport) -> None:
    order = locked.order
    if order.payment_status == Order.PaymentStatus.CANCELLED and report.status == PaymentState.PAID.value:
        # cancelled before we heard of the payment: so there was money to give back
        locked.keep_paid_at(report)
    locked.flag_attention(Order.Attention.CONFLICT)
    locked.sync_now()


def _pay(locked: LockedOrder, report: StatusReport) -> None:
    locked.paid(report)


def _expire(locked: LockedOrder, report: StatusReport) -> None:
    locked.expired()


_BY_NOTIFICATION: Final[Mapping[Verdict, Callable[[LockedOrder, StatusReport], None]]] = {
    Verdict.SAME: _nothing,
    Verdict.SYNC: _sync,
    Verdict.CONFLICT_AND_SYNC: _conflict_and_sync,
    Verdict.PAY: _pay,
    Verdict.EXPIRE: _expire,
}


# -- verdicts of a query --------------------------------------------------------------------------------------------

_ByQuery = Callable[[LockedOrder, StatusReport, datetime], None]


def _answer(apply: Callable[[LockedOrder, StatusReport], None]) -> _ByQuery:
    return partial(_without_time, apply)


def _without_time(
    apply: Callable[[LockedOrder, StatusReport], None], locked: LockedOrder, report: StatusReport, asked_at: datetime
) -> None:
    apply(locked, report)


def _conflict(locked: LockedOrder, report: StatusReport) -> None:
    locked.flag_attention(Order.Attention.CONFLICT)


def _paid_late(locked: LockedOrder, report: StatusReport, asked_at: datetime) -> None:
    """Paid after it was closed, unless DANA's view is older than our own successful cancel."""
    believed_from = _believed_after_cancel(locked)
    if believed_from is not None and asked_at < believed_from:
        locked.answered_too_early = True
        if locked.known_attention == Order.Attention.CONFLICT:
            locked.flag_attention(Order.Attention.CONFLICT)
        return
    locked.paid(report)
    locked.flag_attention(Order.Attention.PAID_AFTER_CLOSED)


def _believed_after_cancel(locked: LockedOrder) -> datetime | None:
    success = operations.CANCEL_ORDER.codes.success.code
    calls = locked.order.api_calls.of(operations.CANCEL_ORDER).filter(rule_code=success)
    latest = calls.order_by("-pk").values_list("started_at", flat=True).first()
    return latest and latest + timing.MAY_STILL_ACT


def _open(locked: LockedOrder, report: StatusReport) -> None:
    """01 or 02: DANA has the order, and it is not paid."""
    order = locked.order
    is_paying = report.status == PaymentState.PAYING.value
    order.payment_status = Order.PaymentStatus.PAYING if is_paying else Order.PaymentStatus.INITIATED
    if is_paying or not _create_may_arrive(locked):
        locked.prove_created()
    # else: repeating the create is the only way to learn the address, so that goes on


def _cancel(locked: LockedOrder, report: StatusReport) -> None:
    if locked.order.payment_status == Order.PaymentStatus.PAID and not locked.cancel_may_have_acted:
        locked.order.note = "closed at DANA after it was paid"
    locked.cancelled()


def _refund(locked: LockedOrder, report: StatusReport) -> None:
    locked.order.paid_at = locked.order.paid_at or report.paid_at
    locked.refunded()
    locked.announce("order_cancelled" if locked.cancel_may_have_acted else "order_refunded")


def _not_found(locked: LockedOrder, report: StatusReport, asked_at: datetime) -> None:
    """DANA does not have the order. Its own 2005400 outweighs that until it has said so again, late enough."""
    order = locked.order
    if _is_too_early(locked, asked_at):
        return
    if order.create_status == Order.CreateStatus.SUCCESS and not _stays_with_it(locked, asked_at):
        locked.flag_attention(Order.Attention.CONFLICT)
        return
    locked.not_found()


def _is_too_early(locked: LockedOrder, asked_at: datetime) -> bool:
    """Whether a create of ours may reach DANA after it answered that it does not have the order."""
    if locked.order.create_status == Order.CreateStatus.SUCCESS:
        return False
    if _create_may_arrive(locked):
        return True
    locked.answered_too_early = locked.may_still_act(operations.CREATE_ORDER, asked_at)
    return locked.answered_too_early


def _stays_with_it(locked: LockedOrder, asked_at: datetime) -> bool:
    order = locked.order
    if locked.known_attention != Order.Attention.CONFLICT or order.unsettled_since is None:
        return False
    first_believed = max(order.unsettled_since + timing.MAY_STILL_ACT, order.valid_up_to + timing.GRACE)
    return asked_at >= first_believed


def _create_may_arrive(locked: LockedOrder) -> bool:
    """Whether a create of ours may still reach DANA, so that not knowing the order means nothing."""
    return locked.now < locked.order.valid_up_to and not locked.cancels


_BY_QUERY: Final[Mapping[Verdict, _ByQuery]] = {
    Verdict.SAME: _answer(_nothing),
    Verdict.CONFLICT: _answer(_conflict),
    Verdict.PAY: _answer(_pay),
    Verdict.PAID_LATE: _paid_late,
    Verdict.OPEN: _answer(_open),
    Verdict.EXPIRE: _answer(_expire),
    Verdict.CANCEL: _answer(_cancel),
    Verdict.REFUND: _answer(_refund),
    Verdict.NOT_FOUND: _not_found,
}


# -- what it means for the requests of the order --------------------------------------------------------------------


def _settle_requests(locked: LockedOrder, column: Said, asked_at: datetime) -> None:
    if column in (Said.PAID, Said.UNPAID):
        cancels.settle_open(locked, asked_at)
    elif column is Said.UNKNOWN:
        if not locked.answered_too_early:
            cancels.settle_open(locked, asked_at)
    else:
        cancels.settle_closed(locked)
