"""What a worker does with DANA: claim the order, call, record what came of it.

The claim is one short transaction: a lease on the order, taken under its lock, and an open ApiCall row. The call runs
outside any transaction. The record is another short transaction under the order's lock. So at no moment do two calls
for the same order run at once, and a worker that dies leaves a lease that runs out and an open ApiCall row.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from django_dana import conf, transitions
from django_dana.client import Client, CreateReply, Credentials, QueryPayment, QueryReply, Reply, client_for
from django_dana.conf import Account
from django_dana.exceptions import NoReply, UnexpectedReply, UnknownAccount
from django_dana.models import ApiCall, CancelRequest, Order
from django_dana.models.evidence import MAX_KEPT
from django_dana.protocol import response_codes, signing
from django_dana.protocol.response_codes import Outcome, Table
from django_dana.transitions import CallResult, LockedOrder, PayAt, StatusReport

logger = logging.getLogger(__name__)

# Beyond the call's own time-out: the resolver's time, a slow database, a paused machine.
_LEASE_MARGIN: Final = timedelta(seconds=60)

_LOST: Final = "the worker ended before the answer was recorded"

SomeReply = TypeVar("SomeReply", bound=Reply)


def attempt_create(order_id: int) -> None:
    """Make the create call that is due for this order, if one is, and record its end."""
    line = _line_for(order_id)
    call = line and _claim_create(order_id, line)
    if not line or not call:
        return
    body = call.order.request_body
    end, reply = _speak(
        call, response_codes.CREATE, lambda: line.client.create_order(body, external_id=call.row.external_id)
    )
    with _recording(call, line) as ledger:
        if ledger:
            ledger.create_answered(end, _pay_at(reply))


def attempt_cancel(cancel_request_id: int) -> None:
    """Make the cancel call that is due for this request, if one is, and record its end."""
    cancel_request = CancelRequest.objects.get(pk=cancel_request_id)
    line = _line_for(cancel_request.order_id)
    if not line:
        return
    if cancel_request.next_attempt_at and cancel_request.give_up_at <= timezone.now():
        _give_up(cancel_request, line)
        return
    call = _claim_cancel(cancel_request, line)
    if not call:
        return
    body = cancel_request.request_body
    end, reply = _speak(
        call, response_codes.CANCEL, lambda: line.client.cancel_order(body, external_id=call.row.external_id)
    )
    with _recording(call, line) as ledger:
        if ledger:
            cancel_request.refresh_from_db()
            times = (reply.cancel_time, reply.transaction_date) if reply else (None, None)
            ledger.cancel_answered(cancel_request, end, *times)


def ask(order_id: int, *, not_within: timedelta = timedelta(0)) -> bool:
    """Ask DANA what became of an order (Query Payment) and apply its answer.

    Args:
        order_id: the order.
        not_within: don't ask if the last question is younger than this.

    Returns:
        Whether the question was sent.
    """
    line = _line_for(order_id)
    call = line and _claim_question(order_id, line, not_within)
    if not line or not call:
        return False
    order = call.order
    question = QueryPayment(
        original_partner_reference_no=order.partner_reference_no,
        merchant_id=order.merchant_id,
        sub_merchant_id=order.sub_merchant_id,
        external_store_id=order.external_store_id,
    )
    end, reply = _speak(
        call, response_codes.QUERY, lambda: line.client.query_payment(question, external_id=call.row.external_id)
    )
    with _recording(call, line) as ledger:
        if ledger:
            _apply_answer(ledger, call, end, reply)
    return True


@transaction.atomic
def release_abandoned(order_id: int) -> None:
    """Give back the lease of a worker that died, and note on its call that nobody saw the end."""
    order = Order.objects.lock(order_id)
    if not order.is_held(timezone.now()):
        order.lease_token = order.lease_until = None
        order.save(update_fields=["lease_token", "lease_until"])
        _explain_lost_calls(order)


def _apply_answer(ledger: LockedOrder, call: "_Call", end: CallResult, reply: QueryReply | None) -> None:
    if ledger.order.fact_count != call.order.fact_count:
        ledger.ask_again()
        return
    if reply and end.rule.outcome is Outcome.SUCCESS:
        ledger.reported(_report(reply))
    elif end.rule.order_unknown:
        ledger.unknown_at_dana()
    ledger.question_ended()


def _give_up(cancel_request: CancelRequest, line: "_Line") -> None:
    """End a cancel whose time is over, after DANA was asked and the answer left it open."""
    if ask(cancel_request.order_id):
        with transitions.locked_order(cancel_request.order_id, line.account) as ledger:
            cancel_request.refresh_from_db()
            # meanwhile a person may have sent it again, with a time of its own
            if cancel_request.give_up_at <= timezone.now():
                ledger.cancel_time_is_over(cancel_request)


# -- the line: an account and a client, before anything is claimed ------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    account: Account
    client: Client


def _line_for(order_id: int) -> _Line | None:
    """Return a line to DANA for this order, or None (noted on the order) where its account does not allow a call."""
    order = Order.objects.only("account", "environment", "merchant_id").get(pk=order_id)
    try:
        account = conf.account(order.account)
        if (account.environment, account.merchant_id) != (order.environment, order.merchant_id):
            raise ImproperlyConfigured("the account is another merchant's or another environment's than the order")
        client = client_for(credentials_of(account))
    except Exception as error:  # noqa: BLE001  a key may come from a vault, which may raise anything
        # The text of an error from a vault might hold a secret; ours and Django's never do.
        ours = isinstance(error, UnknownAccount | ImproperlyConfigured | ValueError)
        logger.error("No call to DANA for order %s: %s", order_id, error if ours else type(error).__name__)
        transitions.account_is_unusable(order_id)
        return None
    return _Line(account, client)


def credentials_of(account: Account) -> Credentials:
    """Return what an account's calls need. Raises InvalidKey where its private key can't be read."""
    private_key = account.private_key
    signing.load_private_key(private_key)
    return Credentials(
        base_url=account.base_url,
        partner_id=account.partner_id,
        private_key=private_key,
        channel_id=account.channel_id,
        origin=account.origin,
        timeout=account.timeout,
        proxy=account.proxy,
        debug_mode=account.debug_mode and account.is_sandbox,
    )


# -- claim --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Call:
    """An order held for one call: the order as it was then, and the open row of the call."""

    order: Order
    row: ApiCall
    token: uuid.UUID


@transaction.atomic
def _claim_create(order_id: int, line: _Line) -> _Call | None:
    order = _take(order_id, line.account)
    now = timezone.now()
    if order is None or order.next_attempt_at is None or order.next_attempt_at > now:
        return None
    if now >= order.valid_up_to or not order.is_open or order.create_status == Order.CreateStatus.SUCCESS:
        with _conclude(order, line) as ledger:
            ledger.create_time_is_over()
        return None
    if order.create_status == Order.CreateStatus.NEW and order.attempts >= line.account.max_attempts:
        # the worker of the last attempt died with it
        with _conclude(order, line) as ledger:
            ledger.create_answered(CallResult(rule=response_codes.CREATE.no_reply))
        return None
    order.attempts += 1
    return _open(order, ApiCall.Operation.CREATE)


@transaction.atomic
def _claim_cancel(cancel_request: CancelRequest, line: _Line) -> _Call | None:
    order = _take(cancel_request.order_id, line.account)
    now = timezone.now()
    cancel_request.refresh_from_db()
    if order is None or cancel_request.next_attempt_at is None or cancel_request.next_attempt_at > now:
        return None
    if cancel_request.status == CancelRequest.Status.NEW and cancel_request.attempts >= line.account.max_attempts:
        with _conclude(order, line) as ledger:
            ledger.cancel_answered(cancel_request, CallResult(rule=response_codes.CANCEL.no_reply))
        return None
    cancel_request.attempts += 1
    cancel_request.save(update_fields=["attempts", "updated_at"])
    return _open(order, ApiCall.Operation.CANCEL, cancel_request)


@transaction.atomic
def _claim_question(order_id: int, line: _Line, not_within: timedelta) -> _Call | None:
    order = _take(order_id, line.account)
    now = timezone.now()
    if order is None or (order.asked_at is not None and order.asked_at > now - not_within):
        return None
    order.asked_at = now
    return _open(order, ApiCall.Operation.QUERY)


def _take(order_id: int, account: Account) -> Order | None:
    """Take the lease on an order, or None where a call holds it.

    Under the row's lock, and found by its key alone: a compare-and-swap whose condition reads other columns goes by
    their indexes on MariaDB, in another order than the writes that change them, and deadlocks.
    """
    order = Order.objects.lock(order_id)
    # the time after the wait for the lock, during which a person may have made it due
    now = timezone.now()
    if order.is_held(now):
        return None
    order.lease_token = uuid.uuid4()
    order.lease_until = now + timedelta(seconds=account.timeout) + _LEASE_MARGIN
    return order


def _open(order: Order, operation: ApiCall.Operation, cancel_request: CancelRequest | None = None) -> _Call:
    """Write the row of a call that is about to be made."""
    assert order.lease_token is not None  # noqa: S101  _take has just set it
    order.clear_attention(Order.Attention.ACCOUNT)
    order.save()
    _explain_lost_calls(order)
    row = ApiCall.objects.create(
        order=order,
        cancel_request=cancel_request,
        operation=operation,
        external_id=str(uuid.uuid4()),
        started_at=timezone.now(),
    )
    return _Call(order, row, order.lease_token)


def _explain_lost_calls(order: Order) -> None:
    """A row that is still open belongs to a worker that died: its call counts as one without a reply."""
    order.api_calls.open().filter(error="").update(rule_code=response_codes.NO_REPLY, error=_LOST)


@contextmanager
def _conclude(order: Order, line: _Line) -> Iterator[LockedOrder]:
    """Give the lease back without a call, and apply what is concluded instead."""
    order.lease_token = order.lease_until = None
    ledger = LockedOrder(order, line.account, timezone.now())
    yield ledger
    ledger.save()


# -- call ---------------------------------------------------------------------------------------------------------


def _speak(call: _Call, table: Table, send: Callable[[], SomeReply]) -> tuple[CallResult, SomeReply | None]:
    """Make the one call, fill its row (not yet saved) and return how it ended."""
    row, reply = call.row, None
    started = time.monotonic()
    try:
        reply = send()
    except NoReply as error:
        end = CallResult(rule=table.no_reply)
        row.error = str(error)[:300]
    except UnexpectedReply as error:
        end = CallResult(rule=table.unexpected)
        row.error, row.http_status, row.response_body = error.reason[:300], error.http_status, _kept(error.text)
    else:
        end = CallResult(rule=reply.rule, code=reply.rule.code, message=reply.message, retry_after=reply.retry_after)
        row.http_status, row.response_body = reply.http_status, _kept(reply.text)
        if not end.code.startswith(str(reply.http_status)):
            row.error = f"the code came on HTTP {reply.http_status}"
    row.duration_ms = round((time.monotonic() - started) * 1000)
    row.rule_code, row.response_code, row.response_message = end.rule.code, end.code, end.message[:255]
    return end, reply


def _kept(text: str) -> str:
    return text[:MAX_KEPT].replace("\x00", "\\x00")


def _pay_at(reply: CreateReply | None) -> PayAt | None:
    if reply is None:
        return None
    return PayAt(
        reference_no=reply.reference_no,
        web_redirect_url=reply.web_redirect_url,
        payment_code=reply.payment_code,
    )


def _report(reply: QueryReply) -> StatusReport:
    return StatusReport(
        status=reply.status,
        is_answer=True,
        amount=reply.amount,
        currency=reply.currency,
        reference_no=reply.reference_no,
        paid_at=reply.paid_at,
        acquirement_status=reply.acquirement_status,
        refund_amount=reply.refund_amount,
    )


# -- record -------------------------------------------------------------------------------------------------------


@contextmanager
def _recording(call: _Call, line: _Line) -> Iterator[LockedOrder | None]:
    """Close the call's row and give the order under its lock, or None where somebody else took it over meanwhile."""
    with transitions.locked_order(call.order.pk, line.account) as ledger:
        call.row.save()
        order = ledger.order
        if order.lease_token != call.token:
            logger.warning("The lease on order %s ran out before the answer was recorded", order.pk)
            yield None
            return
        order.lease_token = order.lease_until = None
        yield ledger
