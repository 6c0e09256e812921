"""All that was sent, answered, heard and concluded about an order, in order, and what comes next."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any

from django.core.management.base import CommandError, CommandParser, no_translations
from django.db.models import Q
from django.utils import timezone

from django_dana.management.printing import PlainCommand
from django_dana.models import REQUESTS, ApiCall, Notification, Order, OrderRequest
from django_dana.protocol import notation
from django_dana.services.summary import summarize

Entry = tuple[datetime, str]


class Command(PlainCommand):
    """``manage.py dana_explain REFERENCE``"""

    help = "Tells the story of one order: what was sent, answered, heard and concluded, and what happens next."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the reference."""
        parser.add_argument("reference", help="our reference, DANA's reference, or the public id")

    @no_translations
    def handle(self, *args: Any, **options: Any) -> None:
        """Print one screen for each order of that reference."""
        reference = options["reference"]
        orders = Order.objects.filter(_is_called(reference)).order_by("id")
        # what DANA has not named yet is called by no empty name
        if not reference or not orders:
            raise CommandError(f"No order is called {reference or 'nothing'}.")
        for order in orders:
            for line in explain(order):
                self.say(line)


def explain(order: Order) -> Iterator[str]:
    """Yield the story of an order, line by line."""
    yield f"Order {order.partner_reference_no} ({order.currency} {order.amount}, {order.title})"
    yield f"  account {order.account} ({order.environment}), merchant {order.merchant_id}"
    yield f"  DANA's reference {order.reference_no or '-'}"
    yield ""
    for moment, text in sorted(_entries(order), key=itemgetter(0)):
        yield f"  {_time(moment)}  {text}"
    yield ""
    yield f"  create {order.create_status}, payment {order.payment_status}"
    standing = summarize(order)
    yield f"  {'NEEDS ATTENTION: ' if standing.needs_attention else ''}{standing.badge}"
    if order.needs_attention:
        yield f"  {order.get_needs_attention_display()}"
    if order.note:
        yield f"  note: {order.note}"
    yield from (f"  {sentence}" for sentence in (standing.sentence, standing.advice) if sentence)
    if order.refunded_amount:
        yield f"  given back {order.refunded_amount}, left {order.amount_left}"
    for request in _requests(order):
        yield f"  {_name(request)} {request.status}: {request.next_step}"
    yield from (f"  next: {line}" for line in _what_comes(order))


def _is_called(reference: str) -> Q:
    called = Q(partner_reference_no=reference) | Q(reference_no=reference)
    try:
        return called | Q(public_id=uuid.UUID(reference))
    except ValueError:
        return called


def _entries(order: Order) -> Iterator[Entry]:
    yield order.created_at, f"asked for, to be paid by {_time(order.valid_up_to)}"
    if order.paid_at:
        yield order.paid_at, "paid, as DANA says"
    for request in _requests(order):
        who = f" by {request.requested_by}" if request.requested_by else ""
        what = f"{_name(request)} of {request.amount} asked for{who}: {request.reason or '-'}"
        yield request.created_at, what
    for call in order.api_calls.all():
        yield call.started_at, f"→ {call.get_operation_display()}  {_end(call)}"
    for notification in order.notifications.all():
        yield notification.received_at, f"← notification  {_heard(notification)}"


def _end(call: ApiCall) -> str:
    if call.duration_ms is None:
        return f"still open: {call.error or 'nobody has seen its end yet'}"
    answer = f"{call.response_code} {call.response_message}" if call.response_code else call.error
    http = f"HTTP {call.http_status}, " if call.http_status else ""
    return f"{http}{call.duration_ms} ms: {answer}{_reported_status(call)}{_concluded(call)}"


def _reported_status(call: ApiCall) -> str:
    """Return what a query told about the payment, while the answer is kept."""
    try:
        answer = notation.parse_json_object(call.response_body.encode(), lenient=True)
    except ValueError:
        return ""
    status = answer.get("latestTransactionStatus")
    return f", status {status}" if isinstance(status, str) else ""


def _concluded(call: ApiCall) -> str:
    if call.rule is None:
        return ""
    row = "" if call.rule.code == call.response_code else f" ({call.rule.name})"
    return f" ⇒ {call.rule.outcome.value}{row}"


def _heard(notification: Notification) -> str:
    error = f" ({notification.error})" if notification.error else ""
    return f"{notification.get_outcome_display()}{error}"


def _what_comes(order: Order) -> Iterator[str]:
    if order.is_held(timezone.now()) and order.lease_until:
        yield f"a call is under way; if its worker died, others go on at {_time(order.lease_until)}"
    if order.next_attempt_at:
        is_too_late = order.next_attempt_at >= order.valid_up_to
        what = "the create is given up, since it can't be paid any more," if is_too_late else "the create is sent"
        yield f"{what} at {_time(order.next_attempt_at)}"
    for request in _requests(order):
        if request.next_attempt_at:
            when, end = _time(request.next_attempt_at), _time(request.give_up_at)
            yield f"{_name(request)} is sent at {when}, given up at {end}"
    if order.next_sync_at:
        yield f"DANA is asked at {_time(order.next_sync_at)}"
    for event in order.outbox.order_by("id"):
        yield f"the shop is told {event.name} at {_time(event.due_at)} (failed {event.attempts} times)"


def _requests(order: Order) -> list[OrderRequest]:
    """Return the order's requests, oldest first."""
    found = [kind.of(order).select_related("requested_by") for kind in REQUESTS]
    return sorted((request for rows in found for request in rows), key=attrgetter("created_at"))


def _name(request: OrderRequest) -> str:
    return f"{request.operation.key} #{request.pk}"


def _time(moment: datetime) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")
