"""One call to DANA: lease the order, call, record the outcome.

The lease is taken in one short transaction under the order's lock, with an open ApiCall row. The call runs outside any
transaction. The record is another short transaction under the order's lock. So at no moment do two calls for the same
order run at once, and a worker that dies leaves a lease that runs out and an open ApiCall row.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from django_dana import conf, timing
from django_dana.client import Client, Credentials, client_for
from django_dana.conf import Account
from django_dana.exceptions import UnknownAccount
from django_dana.log_throttle import once_a_minute
from django_dana.models import ApiCall, Order, OrderRequest
from django_dana.models.evidence import MAX_KEPT
from django_dana.protocol import operations, response_codes, signing
from django_dana.protocol.messages import CallResult, QueryPayment, StatusReport
from django_dana.protocol.operations import Operation
from django_dana.protocol.response_codes import Rule
from django_dana.transitions import OF_REQUEST, LockedOrder, creates, locked_order, payments, syncs

logger = logging.getLogger(__name__)

_LOST: Final = "the worker ended before the answer was recorded"


def attempt_create(order_id: int) -> bool:
    """Make the create call that is due for this order, if one is, and record its outcome.

    Returns:
        Whether a call was made.
    """

    def prepare(locked: LockedOrder) -> str | None:
        order = locked.order
        if not _is_due(order.next_attempt_at, locked.now):
            return None
        is_over = locked.now >= order.valid_up_to or not order.is_open
        if is_over or order.create_status == Order.CreateStatus.SUCCESS:
            creates.time_is_over(locked)
            return None
        if order.create_status == Order.CreateStatus.NEW and order.attempts >= locked.account.max_attempts:
            # the worker of the last attempt died with it
            creates.answered(locked, CallResult(rule=order.operation.codes.no_reply))
            return None
        order.attempts += 1
        return order.request_body

    def record(locked: LockedOrder, result: CallResult, lease: _Lease) -> None:
        creates.answered(locked, result)

    return _call(operations.CREATE_ORDER, order_id, prepare, record)


def attempt(kind: type[OrderRequest], pk: int) -> bool:
    """Make the call that is due for a request about an order, if one is, and record its outcome.

    Args:
        kind: the model.
        pk: the request.

    Returns:
        Whether a call was made.
    """
    due: OrderRequest = kind._default_manager.get(pk=pk)
    if due.next_attempt_at and due.give_up_at <= timezone.now():
        return _give_up(due)
    transitions = OF_REQUEST[kind]

    def prepare(locked: LockedOrder) -> str | None:
        request = locked.current(due)
        if not _is_due(request.next_attempt_at, locked.now):
            return None
        if transitions.ends_unsent(locked, request):
            return None
        if request.series_is_running and request.attempts >= locked.account.max_attempts:
            # the worker of the last attempt died with it
            transitions.answered(locked, request, CallResult(rule=request.operation.codes.no_reply))
            return None
        request.attempts += 1
        return request.request_body

    def record(locked: LockedOrder, result: CallResult, lease: _Lease) -> None:
        transitions.answered(locked, locked.current(due), result)

    return _call(due.operation, due.order_id, prepare, record, **{f"{due.argument}_id": pk})


def sync(order_id: int, *, not_within: timedelta = timedelta(0), timeout: float | None = None) -> bool:
    """Ask DANA what became of an order (Query Payment) and apply its answer.

    Args:
        order_id: the order.
        not_within: don't ask if the last query is younger than this.
        timeout: seconds for the whole call, instead of the account's; given by pages, which must not be held up.

    Returns:
        Whether DANA was asked.
    """

    def prepare(locked: LockedOrder) -> str | None:
        order = locked.order
        if order.last_sync_at is not None and order.last_sync_at > locked.now - not_within:
            return None
        order.last_sync_at = locked.now
        return QueryPayment(
            original_partner_reference_no=order.partner_reference_no,
            merchant_id=order.merchant_id,
            sub_merchant_id=order.sub_merchant_id,
            external_store_id=order.external_store_id,
        ).body()

    return _call(operations.QUERY_PAYMENT, order_id, prepare, _apply_answer, timeout=timeout)


@transaction.atomic
def release_abandoned(order_id: int) -> None:
    """Give back the lease of a worker that died, and note on its call that nobody saw the end."""
    order = Order.objects.lock(order_id)
    if not order.is_held(timezone.now()):
        order.lease_token = order.lease_until = None
        order.save(update_fields=["lease_token", "lease_until"])
        _explain_lost_calls(order)


def _is_due(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now


def _apply_answer(locked: LockedOrder, result: CallResult, lease: "_Lease") -> None:
    if locked.order.revision != lease.revision:
        syncs.outdated(locked)
        return
    if isinstance(result.reply, StatusReport):
        payments.reported_by_query(locked, result.reply, lease.row.started_at)
    elif result.rule.order_unknown:
        payments.unknown_at_dana(locked, lease.row.started_at)
    syncs.ended(locked)


def _give_up(due: OrderRequest) -> bool:
    """End a request whose time is over, after DANA was asked and its answer left it open."""
    asked = sync(due.order_id)
    context = asked and _context_for(due.order_id)
    if context:
        with locked_order(due.order_id, context.account) as locked:
            request = locked.current(due)
            # meanwhile staff may have sent it again, with a time of its own
            if request.give_up_at <= locked.now:
                OF_REQUEST[type(due)].time_is_over(locked, request)
    return asked


# -- the skeleton: context → lease → send → record ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Context:
    """What a call needs before anything is leased."""

    account: Account
    client: Client


@dataclass(frozen=True, slots=True)
class _Lease:
    """An order held for one call: its revision then, the body to send, and the open row of the call."""

    token: uuid.UUID
    revision: int
    body: str
    row: ApiCall


#: Decides under the lock what is sent; None: nothing.
_Prepare = Callable[[LockedOrder], str | None]
_Record = Callable[[LockedOrder, CallResult, _Lease], None]


def _call(
    operation: Operation,
    order_id: int,
    prepare: _Prepare,
    record: _Record,
    *,
    timeout: float | None = None,
    **request_id: int,
) -> bool:
    context = _context_for(order_id, is_workers=timeout is None)
    lease = context and _acquire_lease(operation, order_id, context, prepare, request_id)
    if not context or not lease:
        return False
    result = _send(operation, lease, context, timeout)
    with _recording(order_id, lease, context) as locked:
        if locked:
            record(locked, result, lease)
        elif result.reply is not None:
            _note_late_success(order_id)
    return True


def _context_for(order_id: int, *, is_workers: bool = True) -> _Context | None:
    """Return what a call for this order needs, or None where its account allows no call.

    A worker notes that on the order, which then rests. A page that asks does not: anybody may load it as often as they
    like, and only workers move an order's times.
    """
    order = Order.objects.only("account", "environment", "merchant_id").get(pk=order_id)
    try:
        account = conf.account(order.account)
        if (account.environment, account.merchant_id) != (order.environment, order.merchant_id):
            raise ImproperlyConfigured("the account is another merchant's or another environment's than the order")
        client = client_for(credentials_of(account))
    except Exception as error:  # noqa: BLE001  a key may come from a vault, which may raise anything
        if not is_workers:
            return None
        # The text of an error from a vault might hold a secret; ours and Django's never do.
        ours = isinstance(error, UnknownAccount | ImproperlyConfigured | ValueError)
        reason = error if ours else type(error).__name__
        cause = ("no call", order.account)
        once_a_minute(logger, logging.ERROR, cause, "No call to DANA for order %s: %s", order_id, reason)
        syncs.account_unusable(order_id)
        return None
    return _Context(account, client)


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


def _acquire_lease(
    operation: Operation, order_id: int, context: _Context, prepare: _Prepare, request_id: dict[str, int]
) -> _Lease | None:
    """Take the lease on an order for a call, or return None where another call holds it or nothing is due.

    Under the row's lock, and found by its key alone: a compare-and-swap whose condition reads other columns goes by
    their indexes on MariaDB, in another order than the writes that change them, and deadlocks.
    """
    with locked_order(order_id, context.account) as locked:
        order = locked.order
        if order.is_held(locked.now):
            return None
        abandoned = order.lease_token is not None
        order.lease_token = order.lease_until = None
        body = prepare(locked)
        if body is None:
            return None
        if abandoned:
            _explain_lost_calls(order)
        token = uuid.uuid4()
        order.lease_token = token
        order.lease_until = locked.now + timedelta(seconds=context.account.timeout) + timing.LEASE_MARGIN
        locked.clear_attention(Order.Attention.ACCOUNT)
        row = ApiCall.objects.create(
            order=order,
            operation=operation.key,
            external_id=str(uuid.uuid4()),
            started_at=timezone.now(),
            **request_id,
        )
    return _Lease(token, order.revision, body, row)


def _explain_lost_calls(order: Order) -> None:
    """A row that is still open belongs to a worker that died: its call counts as one without a reply."""
    order.api_calls.open().filter(error="").update(rule_code=response_codes.NO_REPLY, error=_LOST)


def _send(operation: Operation, lease: _Lease, context: _Context, timeout: float | None) -> CallResult:
    """Make the one call and fill its row, which is not saved yet."""
    started = time.monotonic()
    result = context.client.call(operation, lease.body, external_id=lease.row.external_id, timeout=timeout)
    row = lease.row
    row.duration_ms = round((time.monotonic() - started) * 1000)
    row.http_status, row.error = result.http_status, result.error
    row.rule_code, row.response_code, row.response_message = result.rule.code, result.code, result.message[:255]
    row.response_body = result.text[:MAX_KEPT].replace("\x00", "\\x00")
    if result.rule.blames_account:
        _log_refusal_of_account(context.account, operation, result.rule)
    return result


def _log_refusal_of_account(account: Account, operation: Operation, rule: Rule) -> None:
    """Say that every payment of this account may be failing, which the rows of single orders do not show."""
    cause = ("account refused", account.alias, rule.code)
    message = "DANA refuses the account %s: %s (%s) to %s"
    once_a_minute(logger, logging.ERROR, cause, message, account.alias, rule.code, rule.meaning, operation.name)


#: The columns of a call that its end fills.
_END_OF_CALL: Final[Any] = (
    *("duration_ms", "http_status", "error", "rule_code"),
    *("response_code", "response_message", "response_body"),
)


@contextmanager
def _recording(order_id: int, lease: _Lease, context: _Context) -> Iterator[LockedOrder | None]:
    """Close the call's row and give the order under its lock, or None where another call took it over meanwhile."""
    with locked_order(order_id, context.account) as locked:
        lease.row.save(update_fields=_END_OF_CALL)
        order = locked.order
        if order.lease_token != lease.token:
            message = "The lease on order %s ran out before the answer was recorded"
            once_a_minute(logger, logging.WARNING, "lease", message, order.pk)
            yield None
            return
        order.lease_token = order.lease_until = None
        yield locked


def _note_late_success(order_id: int) -> None:
    """A success came after its lease was lost: nothing is changed, but DANA is asked soon."""
    Order.objects.filter(pk=order_id, next_sync_at=None).update(next_sync_at=timezone.now())
