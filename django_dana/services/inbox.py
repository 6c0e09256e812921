"""What waits for a person: orders and their requests, messages that were not applied, receivers that fail."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from django_dana.models import REQUESTS, Notification, Order, OutboxEvent
from django_dana.services.summary import summarize, with_requests

#: Rows of one kind that are looked at; whoever has more has another problem, and sees it.
MOST_LISTED: Final = 100

#: A receiver may fail once, since a restart or a lock does that; twice is worth a look.
_FAILED_OFTEN: Final = 2

_REFUSED_WITHIN: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One thing that waits.

    Attributes:
        since: since when.
        what: what it is about: a reference, or a few words.
        cause: why it waits, in a sentence.
        act: what solves it, in a few words; may be empty.
        row: the row whose page says more, or None where it is about many.
        tone: how it looks.
        badge: its state in two or three words.
    """

    since: datetime
    what: str
    cause: str
    act: str
    row: Order | Notification | None
    badge: str
    tone: str = "bad"


def waiting(orders: QuerySet[Order]) -> list[Waiting]:
    """Return what waits, oldest first.

    Args:
        orders: the orders that this person may see.
    """
    found = [*_orders(orders), *_receivers(orders), *_messages(), *_refused_messages()]
    return sorted(found, key=lambda item: item.since)


def orders_in_need(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Return the orders that a person should look at, themselves or because of a request; found by index."""
    flagged = orders.filter(needs_attention__in=Order.Attention.values).order_by("id").values_list("pk", flat=True)
    keys = set(flagged[:MOST_LISTED])
    for kind in REQUESTS:
        requests: Any = kind._default_manager
        rows = requests.filter(needs_attention__in=kind.Attention.values).order_by("id")
        keys.update(rows.values_list("order_id", flat=True)[:MOST_LISTED])
    return orders.filter(pk__in=keys)


def unapplied_messages() -> QuerySet[Notification]:
    """Return verified messages that changed nothing and that nobody has looked at."""
    outcomes = (Notification.Outcome.UNKNOWN_ORDER, Notification.Outcome.FAILED)
    # not verified=True, which becomes a bare column, for which SQLite takes no index
    return Notification.objects.filter(outcome__in=outcomes, reviewed_at=None, verified__in=[True])


def _orders(orders: QuerySet[Order]) -> Iterator[Waiting]:
    for order in with_requests(orders_in_need(orders)).defer("request_body", "metadata"):
        standing = summarize(order)
        if standing.needs_attention:
            yield Waiting(
                since=standing.waits_since,
                what=f"{order.partner_reference_no} · {order.title}",
                cause=standing.sentence,
                act=standing.proposal,
                row=order,
                badge=standing.badge,
                tone=standing.tone,
            )


def _receivers(orders: QuerySet[Order]) -> Iterator[Waiting]:
    failing = OutboxEvent.objects.filter(attempts__gte=_FAILED_OFTEN).exclude(error="")
    # asked for each of the few events: for "order in", PostgreSQL would read all orders
    may_be_seen = Exists(orders.filter(pk=OuterRef("order")))
    # what is about no order is about a message
    seen = failing.filter(Q(may_be_seen) | Q(order=None)).select_related("order", "notification")
    for event in seen.order_by("id")[:MOST_LISTED]:
        order = event.order
        facts: dict[str, Any] = {"name": event.name, "error": event.error, "times": event.attempts}
        yield Waiting(
            since=event.created_at,
            what=f"{order.partner_reference_no} · {order.title}" if order else gettext("Message from DANA"),
            cause=gettext("The shop's own code for “%(name)s” failed %(times)d times: %(error)s.") % facts,
            act=gettext("Have the shop's code fixed; it is called again automatically"),
            row=order or event.notification,
            badge=gettext("shop not told"),
        )


def _messages() -> Iterator[Waiting]:
    for row in unapplied_messages().defer("headers").order_by("id")[:MOST_LISTED]:
        yield Waiting(
            since=row.received_at,
            what=gettext("Message from DANA about %s") % (row.partner_reference_no or "?"),
            cause=row.error or row.get_outcome_display(),
            act=gettext("Match it to an order, apply it again, or mark it as reviewed"),
            row=row,
            badge=row.get_outcome_display(),
        )


def _refused_messages() -> Iterator[Waiting]:
    since = timezone.now() - _REFUSED_WITHIN
    recent = Notification.objects.refused().filter(received_at__gte=since, reviewed_at=None)
    first = recent.order_by("id").only("received_at").first()
    if first is None:
        return
    number = recent.count()
    text = ngettext(
        "%d message was refused in 24 hours. A stranger, or DANA's key has changed: have the DANA setting checked.",
        "%d messages were refused in 24 hours. Strangers, or DANA's key has changed: have the DANA setting checked.",
        number,
    )
    yield Waiting(
        since=first.received_at,
        what=gettext("Messages without a valid signature"),
        cause=text % number,
        act=gettext("Look at them"),
        row=None,
        badge=gettext("signature refused"),
        tone="wait",
    )
