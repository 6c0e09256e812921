"""What a buyer is told: one state, in plain words, for all that is known of an order.

Two things matter to a buyer: whether to pay, and where the money is. Codes and causes are for the staff.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _

from django_dana.models import Order

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


@dataclass(frozen=True, slots=True)
class State:
    """What a page says.

    Attributes:
        name: for templates and style sheets.
        heading: a few words.
        sentence: what it means for the buyer.
        tone: ``good``, ``bad`` or ``calm``: how it looks.
        is_final: nothing changes any more by itself, so the page need not be loaded again.
    """

    name: str
    heading: "_StrPromise"
    sentence: "_StrPromise"
    tone: str = "calm"
    is_final: bool = False


PREPARING: Final = State(
    "preparing",
    _("One moment, please"),
    _("We are preparing your payment at DANA. It takes only a few seconds."),
)
DELAYED: Final = State(
    "delayed",
    _("DANA takes longer than usual"),
    _("We keep trying to prepare your payment. Nothing was charged. You may also come back to this page later."),
)
PAYABLE: Final = State("payable", _("Pay your order"), _("Pay the amount below; this page then shows that it arrived."))
CONFIRMING: Final = State(
    "confirming",
    _("Waiting for DANA"),
    _("We are waiting for DANA's confirmation. You may close this page; nothing gets lost."),
)
PAID: Final = State("paid", _("Paid"), _("Your payment has arrived. Thank you!"), tone="good", is_final=True)
CHECKED: Final = State(
    "checked",
    _("Your payment is being checked"),
    _("Please do not pay again. The shop looks at it and will be in touch with you if anything is needed."),
)
CANCELLING: Final = State(
    "cancelling",
    _("Being cancelled"),
    _("This order is being cancelled. Please do not pay it any more; what you have paid goes back to you."),
)
CANCELLED: Final = State(
    "cancelled",
    _("Cancelled"),
    # not "nothing was charged": the message of a payment may have been lost before the cancel
    _("This order was cancelled. If you have paid, your money goes back to where you paid from."),
    tone="bad",
    is_final=True,
)
GIVEN_BACK: Final = State(
    "given-back",
    _("Cancelled"),
    _("This order was cancelled, and your money goes back to where you paid from. That can take a few days."),
    is_final=True,
)
EXPIRED: Final = State(
    "expired",
    _("Too late"),
    _("The time to pay this order is over. Nothing was charged. Please start again in the shop."),
    tone="bad",
    is_final=True,
)
REFUSED: Final = State(
    "refused",
    _("This did not work"),
    _("DANA did not accept the order. Nothing was charged. Please go back to the shop and try again."),
    tone="bad",
    is_final=True,
)
START_AGAIN: Final = State(
    "start-again",
    _("Please start again"),
    _("Something went wrong on the way to DANA. Nothing was charged. Please start again in the shop."),
    tone="bad",
    is_final=True,
)

_CLOSED: Final = {
    Order.PaymentStatus.PAID: PAID,
    Order.PaymentStatus.EXPIRED: EXPIRED,
    Order.PaymentStatus.REFUNDED: GIVEN_BACK,
    Order.PaymentStatus.NOT_FOUND: START_AGAIN,
}

#: A person, or DANA, still has to say what is true; paying (again) could only make it worse.
_DOUBTS: Final = (
    Order.Attention.CONFLICT,
    Order.Attention.AMOUNT_DIFFERS,
    Order.Attention.UNKNOWN_STATUS,
    Order.Attention.UNSETTLED,
)


def state_of(order: Order, now: datetime) -> State:
    """Return what a buyer is told about an order."""
    if order.needs_attention in _DOUBTS:
        return CHECKED
    if order.payment_status == Order.PaymentStatus.CANCELLED:
        return GIVEN_BACK if order.paid_at else CANCELLED
    if order.cancel_requests.unfinished().exists():
        return CANCELLING
    if order.payment_status in _CLOSED:
        return _CLOSED[Order.PaymentStatus(order.payment_status)]
    if order.payment_status == Order.PaymentStatus.PAYING:
        return CONFIRMING
    return _open_state(order, now)


def _open_state(order: Order, now: datetime) -> State:
    """Return the state of an order that is not paid, as far as anybody knows."""
    if order.create_status == Order.CreateStatus.FAILED and order.next_attempt_at is None:
        return REFUSED
    if now >= order.valid_up_to:
        return CONFIRMING if order.create_status == Order.CreateStatus.SUCCESS else EXPIRED
    if not order.can_be_paid(now):
        return PREPARING if order.create_status == Order.CreateStatus.NEW else DELAYED
    return PAYABLE if order.has_address else START_AGAIN
