"""One order under its lock: the verbs by which its state changes, and what is written when the lock is released."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone

from django_dana import timing
from django_dana.conf import Account
from django_dana.models import (
    REQUESTS,
    ApiCall,
    CancelRequest,
    Order,
    OrderRequest,
    OutboundRequest,
    OutboxEvent,
    RefundRequest,
)
from django_dana.protocol import operations
from django_dana.protocol.messages import CallResult, StatusReport
from django_dana.protocol.operations import Operation
from django_dana.protocol.response_codes import Rule

RowT = TypeVar("RowT", bound=OutboundRequest)
RequestT = TypeVar("RequestT", bound=OrderRequest)

CONTRADICTIONS: Final = (Order.Attention.CONFLICT, Order.Attention.AMOUNT_DIFFERS, Order.Attention.UNKNOWN_STATUS)

#: Attention reasons that a final payment status clears.
_ENDED_BY_FINAL_STATUS: Final = (
    Order.Attention.NO_ADDRESS,
    Order.Attention.UNSETTLED,
    Order.Attention.ACCOUNT_REFUSED,
)

#: Attention reasons of an order that come from its requests.
FROM_REQUESTS: Final = tuple(Order.Attention(kind.operation.key) for kind in REQUESTS)


@contextmanager
def locked_order(order_id: int, account: Account) -> Iterator["LockedOrder"]:
    """Lock an order, let facts be applied, and save what they changed, all in one transaction."""
    with transaction.atomic():
        locked = LockedOrder(Order.objects.lock(order_id), account, timezone.now())
        yield locked
        locked.save()


class LockedOrder:
    """An order under its lock, with its requests.

    Attributes:
        order: the row.
        account: whose delays and options count.
        now: the time under the lock.
        known_attention: why staff should have looked before this transaction.
        answered_too_early: whether DANA's answer is too young to be believed, so that it must be asked again.
    """

    def __init__(self, order: Order, account: Account, now: datetime) -> None:
        self.order = order
        self.account = account
        self.now = now
        self.known_attention = order.needs_attention
        self.answered_too_early = False
        self._stored: dict[int, dict[str, Any]] = {id(order): dict(order.__dict__)}
        self._known = self._facts()
        self._events: list[OutboxEvent] = []
        self._requests: dict[type[OrderRequest], list[Any]] = {}

    # -- its requests and calls -----------------------------------------------------------------------------------

    def requests(self, kind: type[RequestT]) -> list[RequestT]:
        """Return all its requests of a kind, oldest first."""
        if kind not in self._requests:
            self._requests[kind] = self._load(kind.of(self.order).order_by("pk"))
        return self._requests[kind]

    @property
    def cancels(self) -> list[CancelRequest]:
        """All cancel requests, oldest first."""
        return self.requests(CancelRequest)

    @property
    def refunds(self) -> list[RefundRequest]:
        """All refund requests, oldest first."""
        return self.requests(RefundRequest)

    @property
    def all_requests(self) -> list[OrderRequest]:
        """All requests of any kind."""
        return [request for kind in REQUESTS for request in self.requests(kind)]

    def current(self, row: RowT) -> RowT:
        """Return the order or one of its requests as it is now."""
        rows: list[Any] = self.requests(type(row)) if isinstance(row, OrderRequest) else [self.order]
        current: RowT = next(current for current in rows if current.pk == row.pk)
        return current

    @property
    def is_being_cancelled(self) -> bool:
        """Whether a cancel may still reach DANA."""
        return any(cancel_request.unfinished for cancel_request in self.cancels)

    @property
    def cancel_may_have_acted(self) -> bool:
        """Whether a cancel of ours may have closed the order: one was sent, and is open or was not refused."""
        if any(cancel_request.unfinished and cancel_request.attempts for cancel_request in self.cancels):
            return True
        return bool(self.cancels) and self.order.api_calls.of(operations.CANCEL_ORDER).may_have_acted().exists()

    @property
    def has_request_of_unknown_end(self) -> bool:
        """Whether only DANA's answer to a query can tell what became of a cancel or refund."""
        return any(request.is_end_unknown for request in self.all_requests)

    def unseen_calls(self, operation: Operation) -> "list[ApiCall]":
        """Return the calls of an operation whose end nobody saw, oldest first; each may have acted, or still act."""
        return list(self.order.api_calls.of(operation).end_unseen().order_by("pk"))

    def may_still_act(self, operation: Operation, asked_at: datetime) -> bool:
        """Whether a call whose end nobody saw was so young, when DANA was asked, that it may act after the answer."""
        unseen = self.unseen_calls(operation)
        return bool(unseen) and asked_at < unseen[-1].started_at + timing.MAY_STILL_ACT

    # -- what is written ------------------------------------------------------------------------------------------

    @property
    def is_news(self) -> bool:
        """Whether anything was learned since the order was locked."""
        return self._facts() != self._known

    def save(self) -> None:
        """Write what changed, and the signals that are due. Called once, when the lock is released."""
        self._take_over_attention_of_requests()
        if self.is_news:
            self.order.revision += 1
        for row in (self.order, *(request for loaded in self._requests.values() for request in loaded)):
            if changed := self._changed_fields(row):
                row.save(update_fields=[*changed, "updated_at"])
        for event in self._events:
            event.save()

    def announce(self, name: str, request: OutboundRequest | None = None) -> None:
        """Have the shop hear a signal."""
        arguments: dict[str, Any] = {request.argument: request} if isinstance(request, OrderRequest) else {}
        self._events.append(OutboxEvent(name=name, order=self.order, **arguments))

    def flag_attention(self, reason: Order.Attention) -> None:
        """Have staff look."""
        # an answer may clear a contradiction before it is found to confirm it
        if self.order.flag_attention(reason) and reason != self.known_attention:
            self.announce("order_needs_attention")

    def clear_attention(self, *reasons: Order.Attention) -> None:
        """Take back one of these reasons, if it is the standing one."""
        self.order.clear_attention(*reasons)

    def _facts(self) -> tuple[object, ...]:
        order = self.order
        # next_sync_at too: an answer that is on its way may be older than what made us ask again
        return (
            order.create_status,
            order.payment_status,
            order.paid_at,
            order.refunded_amount,
            order.needs_attention,
            order.next_sync_at,
        )

    def _load(self, rows: QuerySet[Any]) -> list[Any]:
        loaded = list(rows)
        self._stored |= {id(row): dict(row.__dict__) for row in loaded}
        for row in loaded:
            row.order = self.order
        return loaded

    def _changed_fields(self, row: Model) -> list[str]:
        stored = self._stored[id(row)]
        return [
            field.name for field in row._meta.concrete_fields if row.__dict__[field.attname] != stored[field.attname]
        ]

    def _take_over_attention_of_requests(self) -> None:
        """Show on the order that a cancel or refund needs attention, unless it has a reason of its own."""
        order = self.order
        if order.needs_attention not in ("", *FROM_REQUESTS):
            return
        # without a reason before and without a loaded request nothing can have changed
        if not self.known_attention and not self._requests:
            return
        keys = (request.operation.key for request in self.all_requests if request.needs_attention)
        order.needs_attention = next(keys, "")
        if order.needs_attention and order.is_open and order.create_status != Order.CreateStatus.FAILED:
            # the sweep passes over an order that needs attention, so its last query is scheduled here
            order.next_sync_at = order.next_sync_at or max(self.now, order.valid_up_to + timing.GRACE)

    # -- when to ask ----------------------------------------------------------------------------------------------

    def sync_now(self) -> None:
        """Have DANA asked at once."""
        self.order.next_sync_at = self.now
        self.order.unsettled_since = self.order.unsettled_since or self.now

    # -- sending ----------------------------------------------------------------------------------------------------

    def note_result(self, request: OutboundRequest, result: CallResult) -> None:
        """Keep what DANA said last to a request."""
        request.rule_code = result.rule.code
        request.response_code, request.response_message = result.code, result.message[:255]

    def series_goes_on(self, request: OutboundRequest, rule: Rule) -> bool:
        """Whether a call of a series is followed by another one."""
        is_series = rule.repeats_series and request.call_status == "new"
        return is_series and request.attempts < self.account.max_attempts

    def next_retry(self, request: OutboundRequest, rule: Rule, retry_after: float | None = None) -> timedelta:
        """Return how long to wait on the periodic schedule, and go one step further on it."""
        delay = timing.pending_delay(
            self.account, request.retries, patience=rule.asks_for_patience, retry_after=retry_after
        )
        request.retries += 1
        return delay

    # -- the order's states -------------------------------------------------------------------------------------------

    def prove_created(self) -> None:
        """DANA has the order, so nothing is sent any more."""
        order = self.order
        order.next_attempt_at = None
        if order.create_status != Order.CreateStatus.SUCCESS:
            order.create_status = Order.CreateStatus.SUCCESS
            self.clear_attention(Order.Attention.ACCOUNT_REFUSED)
            self.announce("order_created")

    def create_failed(self) -> None:
        """The create ended without success; nothing is sent any more."""
        self.order.create_status = Order.CreateStatus.FAILED
        self.order.next_attempt_at = None
        self.announce("order_failed")

    def lose_address(self) -> None:
        """DANA has the order, but where to pay can't be learned any more."""
        self.prove_created()
        self.flag_attention(Order.Attention.NO_ADDRESS)
        self.sync_now()

    def paid(self, report: StatusReport) -> None:
        """The buyer has paid."""
        order = self.order
        self.prove_created()
        order.payment_status = Order.PaymentStatus.PAID
        self.keep_paid_at(report)
        self.clear_attention(*_ENDED_BY_FINAL_STATUS)
        self.announce("order_paid")

    def keep_paid_at(self, report: StatusReport) -> None:
        """Keep when it was paid; never moved once it is known."""
        self.order.paid_at = self.order.paid_at or report.paid_at or self.now

    def cancelled(self) -> None:
        """The order is cancelled; if it was paid, the money goes back."""
        order = self.order
        self.prove_created()
        if order.payment_status != Order.PaymentStatus.CANCELLED:
            order.payment_status = Order.PaymentStatus.CANCELLED
            self.announce("order_cancelled")
        self.clear_attention(Order.Attention.PAID_AFTER_CLOSED, *_ENDED_BY_FINAL_STATUS)

    def refunded(self) -> None:
        """All the money went back."""
        order = self.order
        self.prove_created()
        order.refunded_amount = order.amount
        order.payment_status = Order.PaymentStatus.REFUNDED
        self.clear_attention(Order.Attention.PAID_AFTER_CLOSED, *_ENDED_BY_FINAL_STATUS)

    def expired(self) -> None:
        """The time to pay is over."""
        self.prove_created()
        self.order.payment_status = Order.PaymentStatus.EXPIRED
        self.clear_attention(*_ENDED_BY_FINAL_STATUS)
        self.announce("order_expired")

    def not_found(self) -> None:
        """DANA does not have the order."""
        order = self.order
        if order.create_status == Order.CreateStatus.SUCCESS:
            self.announce("order_expired")
        elif order.create_status != Order.CreateStatus.FAILED or order.next_attempt_at is not None:
            self.create_failed()
        order.payment_status = Order.PaymentStatus.NOT_FOUND
        self.clear_attention(*_ENDED_BY_FINAL_STATUS)
