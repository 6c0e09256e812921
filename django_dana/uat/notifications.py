"""What the shop's notification address does for the acceptance test: for sandbox accounts, and nobody else.

The orders of ``dana_uat`` stand in no table, so DANA's messages about them are acknowledged here. And the portal wants
to see one real 5005601 from the shop, for an order of 11012.00, whether that order is a test's or the shop's own.
"""

from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import uuid4

from django.utils import timezone

from django_dana.conf import Account
from django_dana.models import Notification, Order
from django_dana.protocol.finish_notify import FinishNotify

REFUSED_ON_PURPOSE: Final = "DANA's acceptance test: the first message about 11012.00 is answered 5005601"

_PREFIX: Final = "UAT-"
_AMOUNT: Final = Decimal("11012.00")
#: DANA re-sends within 7 days (its page Finish Notify).
_RESENT_WITHIN: Final = timedelta(days=7)


def new_reference() -> str:
    """Return a partnerReferenceNo for an order of the test; with 24 characters QRIS could be used."""
    return f"{_PREFIX}{uuid4().hex[:20]}"


def conclude(
    message: FinishNotify, order: Order | None, accounts: Collection[Account]
) -> tuple[Notification.Outcome, str] | None:
    """Return what becomes of a message of the test, with the reason; None where it is an ordinary one.

    Args:
        message: what DANA says.
        order: the shop's order that it is about, if there is one.
        accounts: those for which DANA signed it.
    """
    # where DANA signs for the sandbox and for production with one key, a message may be about real money
    meant = [account for account in accounts if account.alias == order.account] if order else _of(message, accounts)
    if not meant or not all(account.is_sandbox for account in meant):
        return None
    is_of_test = order is None and message.partner_reference_no.startswith(_PREFIX)
    if (order or is_of_test) and _is_first_of_its_amount(message, order):
        return Notification.Outcome.FAILED, REFUSED_ON_PURPOSE
    return (Notification.Outcome.TEST, "") if is_of_test else None


def _of(message: FinishNotify, accounts: Collection[Account]) -> list[Account]:
    return [account for account in accounts if account.merchant_id == message.merchant_id]


def _is_first_of_its_amount(message: FinishNotify, order: Order | None) -> bool:
    """Whether the portal wants to see this one refused: the first 00 about an order of 11012.00."""
    if (message.status, message.amount) != ("00", _AMOUNT):
        return False
    earlier = Notification.objects.filter(
        received_at__gte=timezone.now() - _RESENT_WITHIN,
        partner_reference_no=message.partner_reference_no,
        order=order,
        outcome=Notification.Outcome.FAILED,
        error=REFUSED_ON_PURPOSE,
    )
    return not earlier.exists()
