"""What the shop's notification address does for the acceptance test: for sandbox accounts, and nobody else.

The orders of ``dana_uat`` stand in no table, so DANA's messages about them are acknowledged here. And the portal wants
to see one real 5005601 from the shop, for an order of 11012.00, whether that order is a test's or the shop's own.
"""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import uuid4

from django.utils import timezone

from django_dana.conf import Account
from django_dana.models import Notification, Order
from django_dana.protocol.messages import StatusReport

REFUSED_ON_PURPOSE: Final = "DANA's acceptance test: the first message about 11012.00 is answered 5005601"

_PREFIX: Final = "UAT-"
_AMOUNT: Final = Decimal("11012.00")
#: DANA re-sends within 7 days (its page Finish Notify).
_RESENT_WITHIN: Final = timedelta(days=7)


def new_reference() -> str:
    """Return a partnerReferenceNo for an order of the test; with 24 characters QRIS could be used."""
    return f"{_PREFIX}{uuid4().hex[:20]}"


def is_about_a_test(reference: str, merchant_id: str, accounts: Iterable[Account]) -> bool:
    """Say whether a message that these accounts verified is about an order of ``dana_uat``."""
    of_merchant = [account for account in accounts if account.merchant_id == merchant_id]
    # where DANA signs for the sandbox and for production with one key, a message may be about real money
    is_of_sandbox = bool(of_merchant) and all(account.is_sandbox for account in of_merchant)
    return is_of_sandbox and reference.startswith(_PREFIX)


def fails_on_purpose(report: StatusReport, reference: str, order: Order | None) -> bool:
    """Say whether a message of a sandbox account must be answered 5005601: the first 00 about an order of 11012.00."""
    if (report.status, report.amount) != ("00", _AMOUNT):
        return False
    refused = Notification.objects.filter(
        received_at__gte=timezone.now() - _RESENT_WITHIN,
        outcome=Notification.Outcome.FAILED,
        error=REFUSED_ON_PURPOSE,
    )
    earlier = refused.filter(order=order) if order else refused.filter(body__contains=reference)
    return not earlier.exists()
