"""Telling the shop: events are rows until every receiver has returned."""

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from django_dana import signals
from django_dana.models import Event, Order

logger = logging.getLogger(__name__)

# While a worker sends an event nobody else does; if that worker dies, somebody else does so after this time.
_SENDING: Final = timedelta(minutes=5)

_RETRY_DELAYS: Final = [timedelta(seconds=seconds) for seconds in (30, 60, 300, 900, 3600)]


def send_due(order_id: int) -> None:
    """Send what is due of one order, oldest first."""
    now = timezone.now()
    for event in Event.objects.due(now).filter(order_id=order_id).select_related("order", "cancel_request"):
        _send(event, now)


def _send(event: Event, now: datetime) -> None:
    claimed = Event.objects.filter(pk=event.pk, due_at=event.due_at).update(due_at=now + _SENDING)
    if not claimed:
        return
    arguments: dict[str, Any] = {"order": event.order}
    if event.cancel_request is not None:
        arguments["cancel_request"] = event.cancel_request
    answers = signals.BY_NAME[event.name].send_robust(sender=Order, **arguments)
    errors = [(receiver, answer) for receiver, answer in answers if isinstance(answer, Exception)]
    if not errors:
        event.delete()
        return
    for receiver, error in errors:
        logger.error(
            "Receiver %s of %s failed for order %s; it is called again later",
            getattr(receiver, "__qualname__", receiver),
            event.name,
            event.order_id,
            exc_info=error,
        )
    event.due_at = timezone.now() + _RETRY_DELAYS[min(event.attempts, len(_RETRY_DELAYS) - 1)]
    event.attempts += 1
    event.error = type(errors[0][1]).__name__
    event.save(update_fields=["due_at", "attempts", "error"])
