"""Paying for a purchase, as often as it takes."""

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from django_dana import services
from django_dana.models import Order
from django_dana.protocol.payment_methods import METHODS, PayOption, ShownAs
from store.models import Attempt, Purchase

BANKS: Final = [method.name for method in METHODS if method.shown_as is ShownAs.VIRTUAL_ACCOUNT]

#: The states after which nothing more can be paid by an attempt, so that the next one may begin.
OVER: Final = ("expired", "refused", "start_again", "cancelled", "refunded")
#: The states in which the buyer may turn to another way to pay.
OPEN: Final = ("preparing", "payable")


def may_pay(purchase: Purchase) -> bool:
    """Whether a new attempt may begin: nothing is paid, and no attempt can still be."""
    payment = purchase.payment
    return purchase.packed_at is None and (payment is None or payment.state in OVER)


@transaction.atomic
def pay(purchase: Purchase, method: str, bank: str = "") -> Order:
    """Begin an attempt and return its payment; the one that is under way, if there is one.

    Raises:
        ValidationError: there is no such method or bank.
    """
    # two presses at once: the second waits here and finds the first one's attempt
    purchase = Purchase.objects.select_for_update().get(pk=purchase.pk)
    if not may_pay(purchase) and purchase.payment:
        return purchase.payment
    payment = services.create_order(
        amount=purchase.product.price,
        title=purchase.product.name,
        return_url=purchase.get_absolute_url(),
        pay_option_details=_pay_options(method, bank),
    )
    Attempt.objects.create(purchase=purchase, payment=payment)
    return payment


def turn_away(purchase: Purchase) -> None:
    """Give up the open attempt, so that the buyer can choose another way.

    It is cancelled at DANA first: two open payments for one cart are a way to pay twice.
    """
    payment = purchase.payment
    if payment is None or payment.state not in OPEN:
        return
    if services.why_not_cancel(payment) is None:
        services.cancel_order(payment, reason="The buyer chose another way to pay")


def _pay_options(method: str, bank: str) -> list[dict[str, Any]] | None:
    if method == "dana":
        return None
    if method == "qris":
        return [PayOption.qris()]
    if method == "bank":
        return [PayOption.virtual_account(bank)]
    raise ValidationError(_("Please choose how to pay."))
