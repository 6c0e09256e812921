"""Asking DANA for a buyer who waits: seldom, briefly, and few at once."""

import logging
import threading
from typing import Final

from django import db
from django.utils import timezone

from django_dana import services, timing
from django_dana.log_throttle import once_a_minute
from django_dana.models import Order

logger = logging.getLogger(__name__)

#: So many queries of buyers run at once in a process; the next buyer is told what is known. So a DANA that hangs
#: takes no more threads than this from the shop.
SYNCS_AT_ONCE: Final = 4

_syncing = threading.BoundedSemaphore(SYNCS_AT_ONCE)


def is_worth_a_sync(order: Order) -> bool:
    """Whether DANA may know more, is not being asked, and was not just now: seen without key, lock or call."""
    now = timezone.now()
    if not order.is_open or order.create_status != Order.CreateStatus.SUCCESS or order.is_held(now):
        return False
    return order.last_sync_at is None or order.last_sync_at <= now - timing.PAGE_SYNCS_EVERY


def sync(order: Order) -> Order:
    """Return the order as it is after DANA was asked, or as it was where that was not possible."""
    if not _syncing.acquire(blocking=False):
        return order
    try:
        return services.sync_order(order, not_within=timing.PAGE_SYNCS_EVERY, timeout=timing.PAGE_WAITS)
    except db.Error:
        raise
    except Exception as error:  # noqa: BLE001  a shop's own functions may raise anything
        # the buyer is told what is known anyway; the workers go on asking
        name, message = type(error).__name__, "DANA could not be asked about order %s"
        once_a_minute(logger, logging.ERROR, ("page", name), message, order.pk, error=error)
        return order
    finally:
        _syncing.release()
