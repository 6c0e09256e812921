"""Telling the shop: events are rows until every receiver has returned."""

import logging
from datetime import timedelta
from operator import attrgetter
from typing import Any, Final

from django.utils import timezone

from django_dana import signals, timing
from django_dana.log_throttle import once_a_minute
from django_dana.models import Notification, Order, OutboxEvent

logger = logging.getLogger(__name__)

#: What an event may be about: the columns of its row, and the arguments of its signal.
_ABOUT: Final = ("order", "cancel_request", "refund_request", "notification")


def send_due(order_id: int | None) -> None:
    """Send what is due of one order, oldest first, until nothing is or somebody else is at it.

    An event that is being sent for the first time holds back the later ones, so that order_created comes before
    order_paid; one that failed does not, nor one whose sender never came back.

    Args:
        order_id: the order; None for what is about no order, where nothing holds back anything.
    """
    while (event := _next(order_id)) and _claim(event):
        _send(event)


def _next(order_id: int | None) -> OutboxEvent | None:
    """Return the oldest event that is due, unless an older one is being sent for the first time.

    What no receiver hears is deleted on the way: nothing can fail or hang, so there is no attempt to note.
    """
    now = timezone.now()
    events = OutboxEvent.objects.filter(order=order_id)
    # of one order there are a few, which are sorted quicker here
    for event in sorted(events, key=attrgetter("pk")) if order_id is not None else events.due(now):
        if event.due_at > now:
            if event.attempts <= 1 and not event.error:
                return None
        elif _is_heard(event):
            return event
        else:
            event.delete()
    return None


def _is_heard(event: OutboxEvent) -> bool:
    return signals.BY_NAME[event.name].has_listeners(_sender(event))


def _sender(event: OutboxEvent) -> type[Order | Notification]:
    return Order if event.order_id else Notification


def _claim(event: OutboxEvent) -> bool:
    """Count an attempt before it is made: a receiver that hangs or takes the worker with it leaves no other trace."""
    if event.attempts and not event.error:
        once_a_minute(
            logger, logging.WARNING, ("lost", event.name), "The worker that sent %s ended before its receivers", event
        )
    due_at = timezone.now() + max(timing.SENDING, _retry_delay(event))
    claimed = OutboxEvent.objects.filter(pk=event.pk, due_at=event.due_at).update(
        due_at=due_at, attempts=event.attempts + 1
    )
    return bool(claimed)


def _retry_delay(event: OutboxEvent) -> timedelta:
    return timing.RECEIVER_DELAYS[min(event.attempts, len(timing.RECEIVER_DELAYS) - 1)]


def _send(event: OutboxEvent) -> None:
    arguments: dict[str, Any] = {name: row for name in _ABOUT if (row := getattr(event, name)) is not None}
    answers = signals.BY_NAME[event.name].send_robust(sender=_sender(event), **arguments)
    errors = [(receiver, answer) for receiver, answer in answers if isinstance(answer, Exception)]
    if not errors:
        event.delete()
        return
    for receiver, error in errors:
        name = getattr(receiver, "__qualname__", repr(receiver))
        cause = (event.name, name, type(error).__name__)
        once_a_minute(
            logger, logging.ERROR, cause, "Receiver %s of %s failed; it is called again later", name, event, error=error
        )
    # not save: where the receivers took longer than the claim, somebody else may have sent and deleted it
    OutboxEvent.objects.filter(pk=event.pk).update(
        due_at=timezone.now() + _retry_delay(event),
        error=type(errors[0][1]).__name__,
    )
