"""What each fact does to an order and its cancel requests: the one place where their states change.

A fact is an answer of DANA to a call of ours, a notification, or the lack of an answer. Facts may arrive in any
order, twice, or never. Every method of :class:`LockedOrder` is one fact; the order's row is locked meanwhile, and the
events that the shop is to hear are written in the same transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from django_dana import timing
from django_dana.conf import Account
from django_dana.models import ApiCall, CancelRequest, Order, OutboxEvent
from django_dana.models.orders import GRACE
from django_dana.protocol.payment_methods import Address, promised_address
from django_dana.protocol.response_codes import Outcome, PaymentState, Rule

#: How long questions about what is unsettled are repeated before only a person can help.
ASK_FOR: Final = timedelta(days=7)

#: How long a row rests whose account can't be used.
ACCOUNT_REST: Final = timedelta(hours=1)

#: What a known end of the payment takes back.
_OPEN_ENDS: Final = (Order.Attention.NO_ADDRESS, Order.Attention.UNSETTLED)

_CONTRADICTIONS: Final = (Order.Attention.CONFLICT, Order.Attention.AMOUNT_DIFFERS, Order.Attention.UNKNOWN_STATUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """How one call of ours ended: the row of the table, and what DANA said.

    Attributes:
        rule: the row.
        code: DANA's responseCode, empty where none was understood.
        message: DANA's responseMessage.
        retry_after: seconds that DANA asked us to wait.
    """

    rule: Rule
    code: str = ""
    message: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayAt:
    """Where the buyer pays, from a successful create."""

    reference_no: str
    web_redirect_url: str
    payment_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """What DANA says about a payment.

    Attributes:
        status: DANA's latestTransactionStatus.
        is_answer: whether it answers a question of ours, so that it is DANA's present view; a notification may be
            old, and is checked by a question where it contradicts what is known.
        amount: the amount, if DANA gave it.
        currency: its currency.
        reference_no: DANA's id of the order, if given.
        paid_at: when it was paid, if given.
        acquirement_status: DANA's finer status, if given.
        refund_amount: how much went back, if given.
    """

    status: str
    is_answer: bool
    amount: Decimal | None = None
    currency: str = ""
    reference_no: str = ""
    paid_at: datetime | None = None
    acquirement_status: str = ""
    refund_amount: Decimal | None = None


@contextmanager
def locked_order(order_id: int, account: Account) -> Iterator["LockedOrder"]:
    """Lock an order, let facts be applied, and save what they changed, all in one transaction."""
    with transaction.atomic():
        ledger = LockedOrder(Order.objects.lock(order_id), account, timezone.now())
        yield ledger
        ledger.save()


@transaction.atomic
def account_is_unusable(order_id: int) -> None:
    """Note that no call can be made for this order, and look again when ACCOUNT_REST is over."""
    order = Order.objects.lock(order_id)
    due = timezone.now() + ACCOUNT_REST
    order.next_attempt_at = order.next_attempt_at and due
    # also where no question was due yet: the sweep for those without an answer passes over what needs attention
    order.next_sync_at = due if order.is_open else order.next_sync_at and due
    if order.flag_attention(Order.Attention.ACCOUNT):
        OutboxEvent.objects.create(name="order_needs_attention", order=order)
    order.save()
    order.cancel_requests.exclude(next_attempt_at=None).update(next_attempt_at=due)


class LockedOrder:
    """One order under its lock."""

    def __init__(self, order: Order, account: Account, now: datetime) -> None:
        self.order = order
        self._account = account
        self._now = now
        self._before = self._facts()
        self._known_attention = order.needs_attention
        self._events: list[OutboxEvent] = []

    # -- our own calls ------------------------------------------------------------------------------------------

    def create_answered(self, end: CallResult, address: PayAt | None = None) -> None:
        """Apply the end of a create call; ``address`` comes with a success."""
        order = self.order
        if order.create_status == Order.CreateStatus.SUCCESS:
            # A notification or a query proved it meanwhile: a late reply may add the address, nothing else.
            self._keep_address(address)
            return
        order.rule_code = end.rule.code
        order.response_code, order.response_message = end.code, end.message[:255]
        if end.rule.outcome is Outcome.SUCCESS:
            self._keep_address(address)
            self._prove_created()
            if order.payment_status == Order.PaymentStatus.NONE:
                order.payment_status = Order.PaymentStatus.INITIATED
        elif self._series_goes_on(order, end.rule):
            self._schedule_create(timing.attempt_delay(self._account, order.attempts))
        elif end.rule.may_mask_success and self._dana_may_have_it():
            order.create_status = Order.CreateStatus.PENDING
            order.next_attempt_at = None
            self._ask_now()
        elif end.rule.outcome is Outcome.FAILED:
            self._refuse_create(end)
        else:
            order.create_status = Order.CreateStatus.PENDING
            self._schedule_create(self._next_retry(order, end))

    def create_time_is_over(self) -> None:
        """Stop sending: no create call is made after validUpTo, nor once a cancel was asked for."""
        order = self.order
        order.next_attempt_at = None
        if order.create_status == Order.CreateStatus.NEW:
            order.create_status = Order.CreateStatus.PENDING
        elif order.create_status == Order.CreateStatus.FAILED:
            self._end_create_refused()

    def cancel_asked_for(self) -> None:
        """Stop sending the create, and tell the shop if that ends a refusal that was tried again."""
        order = self.order
        if order.create_status == Order.CreateStatus.FAILED and order.next_attempt_at is not None:
            self._end_create_refused()
        order.next_attempt_at = None
        order.fact_count += 1

    def cancel_answered(
        self,
        cancel_request: CancelRequest,
        end: CallResult,
        cancel_time: datetime | None = None,
        transaction_date: datetime | None = None,
    ) -> None:
        """Apply the end of a cancel call."""
        cancel_request.rule_code = end.rule.code
        cancel_request.response_code, cancel_request.response_message = end.code, end.message[:255]
        if end.rule.outcome is Outcome.SUCCESS:
            cancel_request.cancel_time = cancel_time
            cancel_request.transaction_date = transaction_date
            self._cancelled_by(cancel_request)
        elif self._series_goes_on(cancel_request, end.rule):
            self._schedule_cancel(cancel_request, timing.attempt_delay(self._account, cancel_request.attempts))
        elif end.rule.may_mask_success and self._may_be_our_success(end.rule):
            cancel_request.status = CancelRequest.Status.PENDING
            # the question decides; if it never does, the request is given up in its time
            cancel_request.next_attempt_at = cancel_request.give_up_at
            self._ask_now()
        elif end.rule.outcome is Outcome.FAILED:
            self._refuse_cancel(cancel_request, end)
        elif end.rule.outcome is Outcome.ABORTED and cancel_request.status == CancelRequest.Status.NEW:
            self._abort(cancel_request)
        else:
            cancel_request.status = CancelRequest.Status.PENDING
            self._schedule_cancel(cancel_request, self._next_retry(cancel_request, end))
        cancel_request.save()

    def cancel_time_is_over(self, cancel_request: CancelRequest) -> None:
        """Give a cancel up, after DANA was asked and the answer left it open."""
        if not cancel_request.unfinished:
            return
        if cancel_request.status == CancelRequest.Status.FAILED:
            self._end_refused(cancel_request)
        else:
            self._abort(cancel_request)
        cancel_request.save()

    # -- what DANA says about the payment -------------------------------------------------------------------------

    def reported(self, report: StatusReport) -> None:
        """Apply what a notification or the answer to a question says."""
        order = self.order
        if report.is_answer and order.outcome_ambiguous and not self._settle_create_echo(report):
            return
        if self._amount_differs(report) or self._leaves_amount_open(report):
            self._needs(Order.Attention.AMOUNT_DIFFERS)
            self._ask_unless(report.is_answer)
            return
        if report.is_answer:
            order.clear_attention(*_CONTRADICTIONS)
        try:
            state = PaymentState(report.status)
        except ValueError:
            order.note = f"latestTransactionStatus {report.status[:20]!r}"
            self._needs(Order.Attention.UNKNOWN_STATUS)
            self._ask_unless(report.is_answer)
            return
        order.reference_no = order.reference_no or report.reference_no[:64]
        if state is PaymentState.PAID:
            self._reported_paid(report)
        elif state is PaymentState.CLOSED:
            self._reported_closed(report)
        elif not report.is_answer:
            # Only 00 and 05 are documented for notifications; anything else is found out by asking.
            self._ask_now()
        elif state is PaymentState.NOT_FOUND:
            self.unknown_at_dana()
        else:
            self._reported_open(state)

    def unknown_at_dana(self) -> None:
        """Apply the answer that DANA does not have the order."""
        order = self.order
        if order.outcome_ambiguous:
            self._end_create_failed()
        if self._may_still_arrive():
            return
        if order.payment_status == Order.PaymentStatus.PAID:
            self._needs(Order.Attention.CONFLICT)
            return
        if order.is_open:
            if order.create_status in (Order.CreateStatus.NEW, Order.CreateStatus.PENDING):
                self._end_create_failed()
            order.payment_status = Order.PaymentStatus.NOT_FOUND
        self._settle_cancels(closed=False)

    def question_ended(self) -> None:
        """Decide, after a question and whatever it brought, whether and when to ask again."""
        order = self.order
        if not self._is_unsettled():
            # the sweep passes over an order that needs attention, so the question about its end is set down here
            lost = order.is_open and order.needs_attention == Order.Attention.NO_ADDRESS
            order.next_sync_at = order.valid_up_to + GRACE if lost else None
            order.unsettled_since = None
            order.questions = 0
            order.clear_attention(Order.Attention.UNSETTLED)
            return
        order.unsettled_since = order.unsettled_since or self._now
        if self._now - order.unsettled_since > ASK_FOR:
            order.next_sync_at = None
            self._needs(Order.Attention.UNSETTLED)
            return
        order.next_sync_at = self._now + timing.pending_delay(self._account, order.questions)
        order.questions += 1

    def ask_again(self) -> None:
        """Ask once more at once: a fact changed while the question was on its way."""
        self.order.next_sync_at = self._now

    # -- saving ---------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the order and the events. Called once, by :func:`changing`."""
        if self.is_news:
            self.order.fact_count += 1
        self.order.save()
        OutboxEvent.objects.bulk_create(self._events)

    @property
    def is_news(self) -> bool:
        """Whether anything was learned since the order was locked."""
        return self._facts() != self._before

    def _facts(self) -> tuple[object, ...]:
        order = self.order
        # next_sync_at too: an answer to a question that is on its way may be older than what made us ask again
        return (
            order.create_status,
            order.payment_status,
            order.paid_at,
            order.needs_attention,
            order.next_sync_at,
        )

    def _announce(self, name: str, cancel_request: CancelRequest | None = None) -> None:
        self._events.append(OutboxEvent(name=name, order=self.order, cancel_request=cancel_request))

    def _needs(self, reason: Order.Attention) -> None:
        # an answer takes back a contradiction before it is found to confirm it
        if self.order.flag_attention(reason) and reason != self._known_attention:
            self._announce("order_needs_attention")

    def _ask_now(self) -> None:
        order = self.order
        order.next_sync_at = self._now
        order.unsettled_since = order.unsettled_since or self._now

    def _ask_unless(self, is_answer: bool) -> None:  # noqa: FBT001
        if not is_answer:
            self._ask_now()

    # -- create ---------------------------------------------------------------------------------------------------

    def _keep_address(self, address: PayAt | None) -> None:
        if address is None:
            return
        order = self.order
        order.reference_no = order.reference_no or address.reference_no[:64]
        order.web_redirect_url = address.web_redirect_url or order.web_redirect_url
        order.payment_code = address.payment_code or order.payment_code
        if order.has_address:
            order.clear_attention(Order.Attention.NO_ADDRESS)

    def _prove_created(self) -> None:
        """DANA has the order, so nothing is sent any more."""
        order = self.order
        order.next_attempt_at = None
        if order.create_status != Order.CreateStatus.SUCCESS:
            order.create_status = Order.CreateStatus.SUCCESS
            self._announce("order_created")

    def _series_goes_on(self, row: Order | CancelRequest, rule: Rule) -> bool:
        status = row.create_status if isinstance(row, Order) else row.status
        return rule.repeats_series and status == "new" and row.attempts < self._account.max_attempts

    def _next_retry(self, row: Order | CancelRequest, end: CallResult) -> timedelta:
        delay = timing.pending_delay(
            self._account, row.retries, patience=end.rule.asks_for_patience, retry_after=end.retry_after
        )
        row.retries += 1
        return delay

    def _schedule_create(self, delay: timedelta) -> bool:
        order = self.order
        due = self._now + delay
        stopped = due >= order.valid_up_to or order.cancel_requests.exists()
        order.next_attempt_at = None if stopped else due
        if stopped and order.create_status == Order.CreateStatus.NEW:
            order.create_status = Order.CreateStatus.PENDING
        return not stopped

    def _refuse_create(self, end: CallResult) -> None:
        order = self.order
        order.create_status = Order.CreateStatus.FAILED
        tried_again = end.rule.is_tried_again and self._account.retry_failed
        if not (tried_again and self._schedule_create(self._next_retry(order, end))):
            self._end_create_refused()

    def _end_create_refused(self) -> None:
        """End a create by a refusal, which weakens nothing where a question has proved that DANA has the order."""
        if self.order.payment_status == Order.PaymentStatus.INITIATED:
            self._lose_address()
        else:
            self._end_create_failed()

    def _lose_address(self) -> None:
        self._prove_created()
        self._needs(Order.Attention.NO_ADDRESS)
        self._ask_now()

    def _end_create_failed(self) -> None:
        self.order.create_status = Order.CreateStatus.FAILED
        self.order.next_attempt_at = None
        self._announce("order_failed")

    def _dana_may_have_it(self) -> bool:
        order = self.order
        is_known = order.payment_status == Order.PaymentStatus.INITIATED
        return is_known or order.api_calls.not_refused(ApiCall.Operation.CREATE).exists()

    def _settle_create_echo(self, report: StatusReport) -> bool:
        """Whether the order that DANA has under our reference is this one; if not, it is never adopted."""
        if report.status == PaymentState.NOT_FOUND.value:
            return True
        if report.amount is None:
            self._needs(Order.Attention.CONFLICT)
            return False
        if self._amount_differs(report):
            self._end_create_failed()
            return False
        self._prove_created()
        order = self.order
        lost = not order.has_address and promised_address(order.pay_option_details) is not Address.NONE
        if lost and report.status == PaymentState.INITIATED.value:
            self._needs(Order.Attention.NO_ADDRESS)
        return True

    # -- payment --------------------------------------------------------------------------------------------------

    def _amount_differs(self, report: StatusReport) -> bool:
        return report.amount is not None and (report.amount, report.currency) != (
            self.order.amount,
            self.order.currency,
        )

    def _leaves_amount_open(self, report: StatusReport) -> bool:
        """Whether it does not say which amount is true; that of a closed order needs no answer."""
        in_doubt = self.order.needs_attention == Order.Attention.AMOUNT_DIFFERS
        return in_doubt and report.amount is None and report.status != PaymentState.CLOSED.value

    def _reported_paid(self, report: StatusReport) -> None:
        order = self.order
        refunded = report.is_answer and report.refund_amount == order.amount
        if refunded:
            self._refunded(report)
        elif order.is_open:
            self._paid(report)
        elif order.payment_status not in (Order.PaymentStatus.PAID, Order.PaymentStatus.REFUNDED):
            self._reported_paid_after_close(report)
        if report.is_answer:
            self._settle_cancels(closed=refunded)

    def _reported_paid_after_close(self, report: StatusReport) -> None:
        if report.is_answer:
            self._paid(report)
            self._needs(Order.Attention.PAID_AFTER_CLOSED)
        elif self.order.paid_at is None:
            self._needs(Order.Attention.CONFLICT)
            self._ask_now()
        # else: the payment was applied once and given back since; this is the same message again

    def _paid(self, report: StatusReport) -> None:
        order = self.order
        self._prove_created()
        order.payment_status = Order.PaymentStatus.PAID
        order.paid_at = order.paid_at or report.paid_at or self._now
        order.clear_attention(*_OPEN_ENDS)
        self._announce("order_paid")

    def _refunded(self, report: StatusReport) -> None:
        order = self.order
        if order.payment_status in (Order.PaymentStatus.CANCELLED, Order.PaymentStatus.REFUNDED):
            return
        self._prove_created()
        order.payment_status = Order.PaymentStatus.REFUNDED
        order.paid_at = order.paid_at or report.paid_at
        order.clear_attention(Order.Attention.PAID_AFTER_CLOSED, *_OPEN_ENDS)
        self._announce("order_cancelled")

    def _reported_open(self, state: PaymentState) -> None:
        """01 or 02: DANA has the order, and it is not paid."""
        order = self.order
        if not order.is_open:
            self._needs(Order.Attention.CONFLICT)
            return
        paying = state is PaymentState.PAYING
        order.payment_status = Order.PaymentStatus.PAYING if paying else Order.PaymentStatus.INITIATED
        if paying or order.has_address or not self._may_still_arrive():
            self._prove_created()
        # else: repeating the create is the only way to learn the address, so that goes on
        self._settle_cancels(closed=False)

    def _reported_closed(self, report: StatusReport) -> None:
        order = self.order
        if order.payment_status == Order.PaymentStatus.PAID and not report.is_answer:
            self._needs(Order.Attention.CONFLICT)
            self._ask_now()
            return
        if order.is_open and self._cancel_may_have_acted() and not report.is_answer:
            self._ask_now()
            return
        if report.is_answer and report.refund_amount == order.amount and not self._cancel_may_have_acted():
            self._refunded(report)
        elif order.payment_status == Order.PaymentStatus.PAID:
            order.note = "closed at DANA after it was paid"
            self._cancelled()
        elif order.is_open or order.payment_status == Order.PaymentStatus.NOT_FOUND:
            self._prove_created()
            if self._cancel_may_have_acted() or report.acquirement_status == "CANCELLED":
                self._cancelled()
            else:
                order.payment_status = Order.PaymentStatus.EXPIRED
                order.clear_attention(*_OPEN_ENDS)
                self._announce("order_expired")
        if report.is_answer:
            self._settle_cancels(closed=True)

    def _cancelled(self) -> None:
        order = self.order
        self._prove_created()
        if order.payment_status != Order.PaymentStatus.CANCELLED:
            order.payment_status = Order.PaymentStatus.CANCELLED
            self._announce("order_cancelled")
        order.clear_attention(Order.Attention.PAID_AFTER_CLOSED, *_OPEN_ENDS)

    def _may_still_arrive(self) -> bool:
        """Whether a create of ours may still reach DANA, so that not knowing the order means nothing."""
        return self._now < self.order.valid_up_to and not self.order.cancel_requests.exists()

    def _is_unsettled(self) -> bool:
        order = self.order
        overdue = order.is_open and order.create_status != Order.CreateStatus.FAILED
        return (
            order.outcome_ambiguous
            or order.needs_attention in _CONTRADICTIONS
            or (overdue and self._now >= order.valid_up_to + GRACE)
            or any(cancel.is_end_unknown for cancel in self._cancels_with_open_end())
        )

    # -- cancel ---------------------------------------------------------------------------------------------------

    def _cancel_may_have_acted(self) -> bool:
        return self.order.api_calls.not_definitely_refused(ApiCall.Operation.CANCEL).exists()

    def _may_be_our_success(self, rule: Rule) -> bool:
        if self.order.api_calls.not_refused(ApiCall.Operation.CANCEL).exists():
            return True
        # DANA may not know the order only because our create never arrived: ask before calling it failed.
        return rule.order_unknown and self.order.create_status != Order.CreateStatus.SUCCESS

    def _cancels_with_open_end(self) -> list[CancelRequest]:
        unknown = Q(unfinished=True, attempts__gt=0) | Q(needs_attention=CancelRequest.Attention.END_UNKNOWN)
        return list(self.order.cancel_requests.filter(unknown))

    def _settle_cancels(self, *, closed: bool) -> None:
        """Apply DANA's answer about the payment to the cancels whose end it shows."""
        for cancel_request in self._cancels_with_open_end():
            if closed:
                self._cancelled_by(cancel_request)
            elif cancel_request.status == CancelRequest.Status.ABORTED:
                cancel_request.needs_attention = CancelRequest.Attention.NOT_CANCELLED
            elif cancel_request.outcome_ambiguous and cancel_request.rule:
                self._refuse_cancel(cancel_request, CallResult(rule=cancel_request.rule))
            cancel_request.save()

    def _cancelled_by(self, cancel_request: CancelRequest) -> None:
        cancel_request.finish(CancelRequest.Status.SUCCESS)
        if self.order.payment_status != Order.PaymentStatus.REFUNDED:
            self._cancelled()

    def _schedule_cancel(self, cancel_request: CancelRequest, delay: timedelta) -> None:
        # at the end of its time it is due once more, to be settled by a question
        cancel_request.next_attempt_at = min(self._now + delay, cancel_request.give_up_at)

    def _refuse_cancel(self, cancel_request: CancelRequest, end: CallResult) -> None:
        over = self._now >= cancel_request.give_up_at
        if end.rule.is_tried_again and self._account.retry_failed and not over:
            cancel_request.status = CancelRequest.Status.FAILED
            self._schedule_cancel(cancel_request, self._next_retry(cancel_request, end))
        else:
            self._end_refused(cancel_request)

    def _end_refused(self, cancel_request: CancelRequest) -> None:
        cancel_request.finish(CancelRequest.Status.FAILED, CancelRequest.Attention.REFUSED)
        self._announce("cancel_failed", cancel_request)

    def _abort(self, cancel_request: CancelRequest) -> None:
        cancel_request.finish(CancelRequest.Status.ABORTED, CancelRequest.Attention.END_UNKNOWN)
        self._announce("cancel_aborted", cancel_request)
        self._ask_now()
