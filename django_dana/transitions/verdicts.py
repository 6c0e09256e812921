"""What a report about the payment does: a table in plain data, read by one pure function.

By what we know, what DANA says, whether by notification or by query, and whether a cancel of ours may have acted.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from django_dana.models import Order
from django_dana.protocol.messages import StatusReport
from django_dana.protocol.response_codes import PaymentState


class Known(Enum):
    """What we know of the payment."""

    OPEN = "open"
    PAID = "paid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    NOT_FOUND = "not found"
    REFUNDED = "refunded"


class Said(Enum):
    """What DANA says. A notification never carries a refund or a finer status."""

    PAID = "00"
    PAID_REFUNDED = "00, all refunded"
    UNPAID = "01, 02"
    CLOSED = "05"
    CLOSED_REFUNDED = "05, all refunded"
    CLOSED_CANCELLED = "05, CANCELLED"
    UNKNOWN = "07, 4045501"


class Verdict(Enum):
    """What follows."""

    NEVER = "never"
    SAME = "same"
    SYNC = "ask"
    CONFLICT = "conflict"
    CONFLICT_AND_SYNC = "conflict and ask"
    PAY = "pay"
    PAID_LATE = "paid late"
    OPEN = "open"
    EXPIRE = "expire"
    CANCEL = "cancelled"
    REFUND = "refunded"
    NOT_FOUND = "not found"


@dataclass(frozen=True, slots=True)
class Cell:
    """The verdicts of one cell; where a cancel of ours may have acted, they may differ."""

    notification: Verdict
    query: Verdict
    notification_after_cancel: Verdict
    query_after_cancel: Verdict


def _cell(
    notification: Verdict,
    query: Verdict,
    *,
    notification_after_cancel: Verdict | None = None,
    query_after_cancel: Verdict | None = None,
) -> Cell:
    return Cell(notification, query, notification_after_cancel or notification, query_after_cancel or query)


_V = Verdict
_SYNC_OR_CONFLICT: Final = _cell(_V.SYNC, _V.CONFLICT)
_SAME: Final = _cell(_V.SAME, _V.SAME)
_REFUND: Final = _cell(_V.NEVER, _V.REFUND)
_REFUND_OR_CANCEL: Final = _cell(_V.NEVER, _V.REFUND, query_after_cancel=_V.CANCEL)
_END: Final = _cell(_V.EXPIRE, _V.EXPIRE, notification_after_cancel=_V.SYNC, query_after_cancel=_V.CANCEL)
_PAID_AFTER_CLOSED: Final = _cell(_V.CONFLICT_AND_SYNC, _V.PAID_LATE)
# an end that was announced is not renamed
_ANNOUNCED: Final = _cell(_V.NEVER, _V.SAME)

TABLE: Final[dict[Known, dict[Said, Cell]]] = {
    Known.OPEN: {
        Said.PAID: _cell(_V.PAY, _V.PAY),
        Said.PAID_REFUNDED: _REFUND,
        Said.UNPAID: _cell(_V.SYNC, _V.OPEN),
        Said.CLOSED: _END,
        Said.CLOSED_REFUNDED: _REFUND_OR_CANCEL,
        Said.CLOSED_CANCELLED: _cell(_V.NEVER, _V.CANCEL),
        Said.UNKNOWN: _cell(_V.SYNC, _V.NOT_FOUND),
    },
    Known.PAID: {
        Said.PAID: _SAME,
        Said.PAID_REFUNDED: _REFUND,
        Said.UNPAID: _SYNC_OR_CONFLICT,
        Said.CLOSED: _cell(_V.CONFLICT_AND_SYNC, _V.CANCEL),
        Said.CLOSED_REFUNDED: _REFUND_OR_CANCEL,
        Said.CLOSED_CANCELLED: _cell(_V.NEVER, _V.CANCEL),
        Said.UNKNOWN: _SYNC_OR_CONFLICT,
    },
    Known.CANCELLED: {
        Said.PAID: _PAID_AFTER_CLOSED,
        Said.PAID_REFUNDED: _ANNOUNCED,
        Said.UNPAID: _SYNC_OR_CONFLICT,
        Said.CLOSED: _SAME,
        Said.CLOSED_REFUNDED: _ANNOUNCED,
        Said.CLOSED_CANCELLED: _ANNOUNCED,
        Said.UNKNOWN: _cell(_V.SYNC, _V.SAME),
    },
    Known.EXPIRED: {
        Said.PAID: _PAID_AFTER_CLOSED,
        Said.PAID_REFUNDED: _REFUND,
        Said.UNPAID: _SYNC_OR_CONFLICT,
        Said.CLOSED: _SAME,
        Said.CLOSED_REFUNDED: _ANNOUNCED,
        Said.CLOSED_CANCELLED: _ANNOUNCED,
        Said.UNKNOWN: _cell(_V.SYNC, _V.SAME),
    },
    Known.NOT_FOUND: {
        Said.PAID: _PAID_AFTER_CLOSED,
        Said.PAID_REFUNDED: _REFUND,
        Said.UNPAID: _SYNC_OR_CONFLICT,
        Said.CLOSED: _END,
        Said.CLOSED_REFUNDED: _REFUND_OR_CANCEL,
        Said.CLOSED_CANCELLED: _cell(_V.NEVER, _V.CANCEL),
        Said.UNKNOWN: _cell(_V.SYNC, _V.SAME),
    },
    Known.REFUNDED: {
        Said.PAID: _SAME,
        Said.PAID_REFUNDED: _SAME,
        Said.UNPAID: _SYNC_OR_CONFLICT,
        Said.CLOSED: _SAME,
        Said.CLOSED_REFUNDED: _SAME,
        Said.CLOSED_CANCELLED: _SAME,
        Said.UNKNOWN: _cell(_V.SYNC, _V.SAME),
    },
}


def verdict(known: Known, said: Said, *, by_query: bool, cancel_may_have_acted: bool) -> Verdict:
    """Return what a report does."""
    cell = TABLE[known][said]
    if by_query:
        return cell.query_after_cancel if cancel_may_have_acted else cell.query
    return cell.notification_after_cancel if cancel_may_have_acted else cell.notification


def known(order: Order) -> Known:
    """Return the row of the table for an order."""
    return Known.OPEN if order.is_open else _KNOWN[Order.PaymentStatus(order.payment_status)]


def said(report: StatusReport, state: PaymentState, order: Order, *, by_query: bool) -> Said:
    """Return the column of the table for a report. A refund counts with its currency."""
    if state in (PaymentState.INITIATED, PaymentState.PAYING):
        return Said.UNPAID
    if state is PaymentState.NOT_FOUND:
        return Said.UNKNOWN
    all_refunded = by_query and refunded_in(report, order) >= order.amount
    if state is PaymentState.PAID:
        return Said.PAID_REFUNDED if all_refunded else Said.PAID
    if all_refunded:
        return Said.CLOSED_REFUNDED
    return Said.CLOSED_CANCELLED if by_query and report.acquirement_status == "CANCELLED" else Said.CLOSED


def refunded_in(report: StatusReport, order: Order) -> Decimal:
    """Return how much of the order a report calls refunded; another currency counts as nothing."""
    if report.refund_amount is None or report.refund_currency != order.currency:
        return Decimal("0.00")
    return report.refund_amount


_KNOWN: Final = {
    Order.PaymentStatus.PAID: Known.PAID,
    Order.PaymentStatus.CANCELLED: Known.CANCELLED,
    Order.PaymentStatus.EXPIRED: Known.EXPIRED,
    Order.PaymentStatus.NOT_FOUND: Known.NOT_FOUND,
    Order.PaymentStatus.REFUNDED: Known.REFUNDED,
}
