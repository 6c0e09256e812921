"""What a buyer is told: the order's state in plain words.

Two things matter to a buyer: whether to pay, and where the money is. Codes and causes are for the staff. That nothing
was charged is said only where it is known.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from django_dana.models import Order, OrderState
from django_dana.protocol.payment_methods import Address, promised_address

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


@dataclass(frozen=True, slots=True)
class State:
    """What a page says.

    Attributes:
        name: the order's state, for templates and style sheets.
        heading: a few words.
        sentence: what it means for the buyer.
        tone: ``good``, ``bad`` or ``calm``: how it looks.
        is_final: nothing changes any more by itself, so the page need not be loaded again.
    """

    name: OrderState
    heading: "_StrPromise"
    sentence: "_StrPromise"
    tone: str = "calm"
    is_final: bool = False


PREPARING: Final = State(
    OrderState.PREPARING,
    _("One moment, please"),
    _("We are preparing your payment at DANA. It takes only a few seconds."),
)
DELAYED: Final = replace(
    PREPARING,
    heading=_("DANA takes longer than usual"),
    sentence=_("We keep trying to prepare your payment. You may also come back to this page later."),
)
PAYABLE: Final = State(
    OrderState.PAYABLE, _("Pay your order"), _("Pay this amount; the page then shows that it arrived.")
)
PROMPTED: Final = replace(
    PAYABLE,
    heading=_("Confirm on your phone"),
    sentence=_("Confirm this amount in the app of your wallet; the page then shows that it arrived."),
)
CONFIRMING: Final = State(
    OrderState.CONFIRMING,
    _("Waiting for DANA"),
    _("We are waiting for DANA's confirmation. You may close this page; nothing gets lost."),
)
PAID: Final = State(OrderState.PAID, _("Paid"), _("Your payment has arrived. Thank you!"), tone="good", is_final=True)
IN_REVIEW: Final = State(
    OrderState.IN_REVIEW,
    _("Your payment is being checked"),
    _("Please do not pay again. The shop is checking it and will contact you if needed."),
)
PAID_LATE: Final = replace(
    IN_REVIEW,
    sentence=_(
        "Your payment arrived after this order had been closed. Please do not pay again. The shop is checking it and "
        "will contact you."
    ),
)
CANCELLING: Final = State(
    OrderState.CANCELLING,
    _("Being cancelled"),
    _(
        "This order is being cancelled. Please do not pay it any more. If you have paid, your money goes back to you "
        "as soon as DANA has confirmed it."
    ),
)
CANCELLED: Final = State(
    OrderState.CANCELLED,
    _("Cancelled"),
    # not "nothing was charged": the message of a payment may have been lost before the cancel
    _("This order was cancelled. If you have paid, your money goes back to where you paid from."),
    is_final=True,
)
CANCELLED_AFTER_PAYMENT: Final = replace(
    CANCELLED,
    sentence=_("This order was cancelled, and your money goes back to where you paid from. That can take a few days."),
)
REFUNDED: Final = State(
    OrderState.REFUNDED,
    _("Refunded"),
    _("Your money goes back to where you paid from. That can take a few days."),
    is_final=True,
)
EXPIRED: Final = State(
    OrderState.EXPIRED,
    _("Too late"),
    _("The time to pay this order is over. Nothing was charged. Please start again in the shop."),
    tone="bad",
    is_final=True,
)
REFUSED: Final = State(
    OrderState.REFUSED,
    _("This did not work"),
    _("DANA did not accept the order. Please go back to the shop and try again."),
    tone="bad",
    is_final=True,
)
START_AGAIN: Final = State(
    OrderState.START_AGAIN,
    _("Please start again"),
    _("Something went wrong on the way to DANA. Please start again in the shop."),
    tone="bad",
    is_final=True,
)

#: The one state that each of the order's states is shown as, where nothing else about the order matters.
_STATES: Final = {
    state.name: state
    for state in (
        *(PREPARING, PAYABLE, CONFIRMING, PAID, IN_REVIEW, CANCELLING),
        *(CANCELLED, REFUNDED, EXPIRED, REFUSED, START_AGAIN),
    )
}

_NOTHING_CHARGED: Final = _("Nothing was charged.")


def state_of(order: Order) -> State:
    """Return what a buyer is told about an order."""
    state = _STATES[order.state]
    if state is PREPARING:
        state = PREPARING if order.create_status == Order.CreateStatus.NEW else DELAYED
    elif state is PAYABLE and promised_address(order.pay_option_details) is Address.NONE:
        state = PROMPTED
    elif state is IN_REVIEW and order.needs_attention == Order.Attention.PAID_AFTER_CLOSED:
        state = PAID_LATE
    elif state is CANCELLED and order.paid_at:
        state = CANCELLED_AFTER_PAYMENT
    if state in (DELAYED, REFUSED, START_AGAIN) and _could_never_pay(order):
        return replace(state, sentence=format_lazy("{} {}", _NOTHING_CHARGED, state.sentence))
    return state


def _could_never_pay(order: Order) -> bool:
    """Whether nothing can have been charged: the buyer never had an address, and none was to be had on a phone."""
    return not (order.has_address or order.paid_at or promised_address(order.pay_option_details) is Address.NONE)
