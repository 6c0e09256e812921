"""Asking DANA for a buyer who waits: seldom, briefly, and few at once."""

import logging
from datetime import timedelta
from typing import Final

from django import db
from django.utils import timezone

from django_dana import services
from django_dana.models import Order

logger = logging.getLogger(__name__)

#: DANA is asked about one order no more often than this, however often its page is loaded.
ASK_EVERY: Final = timedelta(seconds=10)


def is_worth_asking(order: Order) -> bool:
    """Whether DANA may know more, and was not asked just now: seen without key, lock or call."""
    if not order.is_open or order.create_status != Order.CreateStatus.SUCCESS:
        return False
    return order.last_sync_at is None or order.last_sync_at <= timezone.now() - ASK_EVERY


def ask(order: Order) -> Order:
    """Return the order as it is after DANA was asked, or as it was where that was not possible."""
    try:
        return services.sync_order(order, not_within=ASK_EVERY)
    except db.Error:
        raise
    except Exception:
        # the page says what is known anyway; the workers go on asking
        logger.exception("DANA could not be asked about order %s", order.pk)
        return order
