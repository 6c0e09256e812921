"""What people and DANA ask for: create, cancel, retry, stop, ask, hear.

These functions write to the database and start work on commit. Only ``create_order(send="now")`` and
:func:`sync_order` speak to DANA in the caller's own thread.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, Literal

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_dana import conf, gateway, tasks, transitions, validation
from django_dana.conf import Account
from django_dana.exceptions import UnknownAccount
from django_dana.models import ApiCall, CancelRequest, Notification, Order
from django_dana.models.orders import new_reference
from django_dana.protocol import notation
from django_dana.protocol.messages import CancelOrder, CreateOrder
from django_dana.transitions import StatusReport

Send = Literal["background", "now"]

MAX_REFUSED: Final = 1_000
MAX_REFUSED_BYTES: Final = 4_096

_KEPT_HEADERS: Final = frozenset(
    {
        *("content-type", "x-timestamp", "x-signature", "origin", "x-partner-id", "x-external-id", "channel-id"),
        *("charset", "user-agent"),
    }
)

CANCEL_PERMISSION: Final = "django_dana.cancel_order"


def create_order(
    *,
    amount: Decimal | int,
    title: str,
    account: str = "default",
    partner_reference_no: str | None = None,
    return_url: str | None = None,
    pay_option_details: Sequence[Mapping[str, Any]] | None = None,
    valid_up_to: datetime | None = None,
    currency: str = "IDR",
    sub_merchant_id: str | None = None,
    external_store_id: str | None = None,
    buyer: Mapping[str, Any] | None = None,
    goods: Sequence[Mapping[str, Any]] | None = None,
    shipping: Sequence[Mapping[str, Any]] | None = None,
    env_info: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    send: Send = "background",
) -> Order:
    """Write an order and have it created at DANA. Then send the buyer to the page ``django_dana:pay``.

    Args:
        amount: the price in whole units of the currency, with at most two decimals; never float.
        title: shown on DANA's page, at most 64 characters.
        account: an alias of the DANA setting.
        partner_reference_no: your own reference, at most 64 characters (25 with QRIS); generated if left out.
        return_url: where our return page leads the buyer afterwards: a path or an http(s) address.
        pay_option_details: payment methods in DANA's field names, for your own checkout; left out, DANA shows its page.
        valid_up_to: until when it can be paid; left out, ORDER_LIFETIME from now.
        currency: three capital letters.
        sub_merchant_id: DANA's externalDivisionId, instead of the account's.
        external_store_id: DANA's externalShopId, instead of the account's; QRIS needs one.
        buyer: in DANA's field names, like the three that follow.
        goods: what is bought.
        shipping: where it goes.
        env_info: about the buyer's device.
        metadata: your own data, kept on the order and not sent.
        send: ``"background"`` starts a worker on commit. ``"now"`` makes one attempt, bounded by TIMEOUT, in this
            thread and leaves the rest to the workers.

    Returns:
        The order. One that DANA refused is returned too, with ``create_status`` failed.

    Raises:
        ValidationError: something is wrong with the arguments, by field; nothing was saved or sent.
        RuntimeError: ``send="now"`` inside a transaction, in which nothing can be saved before the call.
    """
    order = _new_order(
        amount=amount,
        title=title,
        account=account,
        partner_reference_no=partner_reference_no,
        return_url=return_url,
        pay_option_details=pay_option_details,
        valid_up_to=valid_up_to,
        currency=currency,
        sub_merchant_id=sub_merchant_id,
        external_store_id=external_store_id,
        buyer=buyer,
        goods=goods,
        shipping=shipping,
        env_info=env_info,
        metadata=metadata,
    )
    try:
        with transaction.atomic(durable=send == "now"):
            order.save(force_insert=True)
    except IntegrityError:
        if not _reference_is_taken(order):
            raise
        raise ValidationError({"partner_reference_no": _("This reference was used before.")}) from None
    if send == "now":
        gateway.attempt_create(order.pk)
        order.refresh_from_db()
    # in the background it makes the first attempt; after one it tells the shop and makes those that remain
    _start_on_commit(tasks.create_order, order.pk)
    return order


def cancel_order(
    order: Order, *, reason: str = "", requested_by: AbstractBaseUser | None = None, send: Send = "background"
) -> CancelRequest:
    """Ask DANA to cancel a whole order, which gives the money back where it was paid.

    Args:
        order: the order.
        reason: at most 256 characters; DANA gets it.
        requested_by: who asks; the permission ``django_dana.cancel_order`` is checked here too.
        send: as for :func:`create_order`.

    Returns:
        The request; its ``status`` says what became of it.

    Raises:
        PermissionDenied: ``requested_by`` may not cancel.
        ValidationError: the order can't be cancelled, or the reason is too long; nothing was saved or sent.
        RuntimeError: ``send="now"`` inside a transaction.
    """
    _check_permission(requested_by)
    problems = validation.Problems()
    reason = validation.text(problems, "reason", reason, 256)
    problems.raise_if_any()
    with transaction.atomic(durable=send == "now"), transitions.locked_order(order.pk, _account_of(order)) as ledger:
        locked = ledger.order
        _refuse(why_not_cancel(locked))
        # From here on the create is not sent again, and an answer to a question on its way may be too old.
        ledger.cancel_asked_for()
        cancel_request = CancelRequest.objects.create(  # type: ignore[misc]  # requested_by: the shop's own user model
            order=locked,
            amount=locked.amount,
            reason=reason,
            requested_by=requested_by,
            request_body=_cancel_body(locked, reason),
            next_attempt_at=timezone.now(),
            give_up_at=timezone.now() + _account_of(locked).cancel_give_up_after,
        )
    if send == "now":
        gateway.attempt_cancel(cancel_request.pk)
        cancel_request.refresh_from_db()
    _start_on_commit(tasks.cancel_order, cancel_request.pk)
    return cancel_request


def retry_order(order: Order) -> Order:
    """Send the same payload again, by hand, as a new series of attempts.

    Raises:
        ValidationError: DANA has the order, its time is over, a cancel was asked for, or a call is under way.
    """
    with transaction.atomic():
        order = Order.objects.lock(order.pk)
        now = timezone.now()
        if order.create_status == Order.CreateStatus.SUCCESS:
            raise _refusal(_("DANA has this order already."))
        if now >= order.valid_up_to:
            raise _refusal(_("The time of this order is over, so DANA can't accept it any more. Create a new order."))
        if not order.is_open or order.cancel_requests.exists():
            raise _refusal(_("This order is closed or being cancelled. Create a new order."))
        _refuse_while_held(order, now)
        order.create_status = Order.CreateStatus.NEW
        order.attempts = order.retries = 0
        order.next_attempt_at = now
        order.save()
    _start_on_commit(tasks.create_order, order.pk)
    return order


def retry_cancel(cancel_request: CancelRequest, *, requested_by: AbstractBaseUser | None = None) -> CancelRequest:
    """Send the same cancel again, by hand, as a new series of attempts.

    Raises:
        PermissionDenied: ``requested_by`` may not cancel.
        ValidationError: it succeeded, the order is closed, another cancel or a call is under way.
    """
    _check_permission(requested_by)
    with transaction.atomic():
        order = Order.objects.lock(cancel_request.order_id)
        cancel_request = order.cancel_requests.get(pk=cancel_request.pk)
        now = timezone.now()
        if cancel_request.status == CancelRequest.Status.SUCCESS:
            raise _refusal(_("This cancel has succeeded already."))
        _refuse(_CLOSED.get(Order.PaymentStatus(order.payment_status)))
        if order.cancel_requests.exclude(pk=cancel_request.pk).unfinished().exists():
            raise _refusal(_("Another cancel of this order is under way. Wait for its end."))
        _refuse_while_held(order, now)
        cancel_request.status = CancelRequest.Status.NEW
        cancel_request.needs_attention = ""
        cancel_request.unfinished = True
        cancel_request.attempts = cancel_request.retries = 0
        cancel_request.next_attempt_at = now
        cancel_request.give_up_at = now + _account_of(order).cancel_give_up_after
        cancel_request.save()
    _start_on_commit(tasks.cancel_order, cancel_request.pk)
    return cancel_request


def stop_retrying(row: Order | CancelRequest) -> None:
    """End the periodic schedule of an order's create or of a cancel request; DANA is asked about what is open.

    Raises:
        ValidationError: nothing is being tried again, or a call is under way.
    """
    order_id = row.pk if isinstance(row, Order) else row.order_id
    with transitions.locked_order(order_id, _account_of(row if isinstance(row, Order) else row.order)) as ledger:
        _refuse_while_held(ledger.order, timezone.now())
        if isinstance(row, Order):
            _refuse_unless_retried(ledger.order.next_attempt_at, ledger.order.create_status)
            ledger.create_time_is_over()
        else:
            cancel_request = ledger.order.cancel_requests.get(pk=row.pk)
            _refuse_unless_retried(cancel_request.next_attempt_at, cancel_request.status)
            ledger.cancel_time_is_over(cancel_request)
    _start_on_commit(tasks.sync_order, order_id)


def clear_attention(row: Order | CancelRequest) -> None:
    """Note that a person has looked, so that the row needs no attention, and no more questions, any more.

    Raises:
        ValidationError: DANA is being asked which of its messages is true.
    """
    with transaction.atomic():
        order = Order.objects.lock(row.pk if isinstance(row, Order) else row.order_id)
        if isinstance(row, CancelRequest):
            _clear_attention_of_cancel(order, row)
            return
        if order.needs_attention == Order.Attention.CONFLICT and order.next_sync_at is not None:
            raise _refusal(_("DANA is being asked about this order. Wait for its answer."))
        order.needs_attention = ""
        if not (order.outcome_ambiguous or order.is_being_cancelled or _has_unknown_end(order)):
            order.next_sync_at = order.unsettled_since = None
            order.questions = 0
        order.save()


def _clear_attention_of_cancel(order: Order, cancel_request: CancelRequest) -> None:
    if order.next_sync_at is not None and _has_unknown_end(order):
        # the money may be on its way back: only DANA's answer may end this
        raise _refusal(_("DANA is being asked about this order. Wait for its answer."))
    order.cancel_requests.filter(pk=cancel_request.pk).update(needs_attention="")


def _has_unknown_end(order: Order) -> bool:
    return order.cancel_requests.of_unknown_end().exists()


def sync_order(order: Order, *, not_within: timedelta = timedelta(0)) -> Order:
    """Ask DANA what became of an order and take its answer, in this thread (bounded by TIMEOUT).

    Args:
        order: the order.
        not_within: don't ask if the last question is younger than this.

    Returns:
        The order as it is now, also where DANA did not answer or a call for this order is under way.
    """
    if gateway.ask(order.pk, not_within=not_within):
        tasks.start(tasks.send_events, order.pk)
    return Order.objects.get(pk=order.pk)


def keep_notification(
    *, body: bytes, headers: Mapping[str, str], account: str, verified_by: str, outcome: str, error: str
) -> Notification:
    """Store a message as it came, in a write of its own. The store of refused ones is bounded in size and number."""
    verified = bool(verified_by)
    kept = body if verified else body[:MAX_REFUSED_BYTES]
    notification = Notification.objects.create(
        account=account,
        body=kept.decode("utf-8", "backslashreplace").replace("\x00", "\\x00"),
        headers={name: value[:512] for name, value in headers.items() if name.lower() in _KEPT_HEADERS},
        verified=verified,
        verified_by=verified_by,
        outcome=outcome,
        error=error[:300],
    )
    if not verified:
        surplus = list(_surplus().values_list("pk", flat=True))
        Notification.objects.filter(pk__in=surplus).delete()
    return notification


def _surplus() -> QuerySet[Notification]:
    """The next refused messages that are too many, the latest first."""
    return Notification.objects.refused().order_by("-id")[MAX_REFUSED : MAX_REFUSED + 100]


def find_order(aliases: Collection[str], *, merchant_id: str, partner_reference_no: str) -> Order | None:
    """Return the order of one of these accounts that a message names, or None."""
    candidates = Order.objects.filter(
        merchant_id=merchant_id, partner_reference_no=partner_reference_no, account__in=aliases
    )
    # Some collations find "inv-1" for "INV-1"; DANA does not.
    exact = (merchant_id, partner_reference_no)
    return next((order for order in candidates if (order.merchant_id, order.partner_reference_no) == exact), None)


def conclude_notification(
    notification: Notification, outcome: Notification.Outcome, *, order: Order | None = None, error: str = ""
) -> None:
    """Note what became of a message."""
    notification.outcome, notification.order, notification.error = outcome, order, error[:300]
    if order is not None:
        # of several accounts with one merchant, only the order tells which it is
        notification.account = order.account
    notification.save(update_fields=["account", "outcome", "order", "error"])


def apply_notification(notification: Notification, order: Order, account: Account, report: StatusReport) -> None:
    """Apply what a verified message says about an order. A repetition changes nothing."""
    with transitions.locked_order(order.pk, account) as ledger:
        ledger.reported(report)
        order = ledger.order
        outcome = Notification.Outcome.KNOWN
        if ledger.is_news:
            outcome = Notification.Outcome.ATTENTION if order.needs_attention else Notification.Outcome.APPLIED
        conclude_notification(notification, outcome, order=order)
        _start_on_commit(tasks.send_events, order.pk)
        if order.next_sync_at is not None and order.next_sync_at <= timezone.now():
            _start_on_commit(tasks.sync_order, order.pk)


# -- building an order ----------------------------------------------------------------------------------------------


def _new_order(
    *,
    account: str,
    amount: object,
    title: object,
    currency: object,
    partner_reference_no: object,
    valid_up_to: object,
    return_url: object,
    sub_merchant_id: object,
    external_store_id: object,
    pay_option_details: object,
    buyer: object,
    goods: object,
    shipping: object,
    env_info: object,
    metadata: object,
) -> Order:
    """Check every argument and return the order, with its request body, unsaved."""
    problems = validation.Problems()
    dana = _account(account)
    now = timezone.now()
    order = Order(
        account=dana.alias,
        environment=dana.environment,
        merchant_id=dana.merchant_id,
        amount=validation.amount(problems, amount),
        currency=validation.currency(problems, currency),
        title=validation.text(problems, "title", title, 64, required=True),
        return_url=validation.return_url(problems, return_url),
        metadata=validation.metadata(problems, metadata),
        next_attempt_at=now,
    )
    order.partner_reference_no = validation.reference(problems, partner_reference_no) or new_reference()
    order.valid_up_to = validation.valid_up_to(problems, valid_up_to or now + dana.order_lifetime, now)
    order.sub_merchant_id = validation.text(
        problems, "sub_merchant_id", dana.sub_merchant_id if sub_merchant_id is None else sub_merchant_id, 32
    )
    order.external_store_id = validation.text(
        problems, "external_store_id", dana.external_store_id if external_store_id is None else external_store_id, 64
    )
    order.pay_option_details = validation.pay_option_details(
        problems,
        pay_option_details,
        amount=notation.money(order.amount, order.currency),
        reference=order.partner_reference_no,
        store_id=order.external_store_id,
    )
    extras = {
        "buyer": validation.buyer(problems, buyer),
        "goods": validation.goods(problems, goods),
        "shipping": validation.shipping(problems, shipping),
        "env_info": validation.env_info(problems, env_info),
    }
    problems.raise_if_any()
    order.request_body = _create_body(order, dana, extras)
    return order


def _create_body(order: Order, account: Account, extras: Mapping[str, Any]) -> str:
    return CreateOrder(
        partner_reference_no=order.partner_reference_no,
        merchant_id=order.merchant_id,
        amount=order.amount,
        currency=order.currency,
        title=order.title,
        valid_up_to=order.valid_up_to,
        return_url=account.return_url or account.site + reverse("django_dana:return", args=[order.public_id]),
        notification_url=account.notification_url,
        mcc=account.mcc,
        terminal_type=account.terminal_type,
        sub_merchant_id=order.sub_merchant_id,
        external_store_id=order.external_store_id,
        pay_option_details=order.pay_option_details,
        **extras,
    ).body()


def _cancel_body(order: Order, reason: str) -> str:
    creates = order.api_calls.filter(operation=ApiCall.Operation.CREATE).order_by("-id")
    return CancelOrder(
        original_partner_reference_no=order.partner_reference_no,
        original_reference_no=order.reference_no,
        original_external_id=creates.values_list("external_id", flat=True).first() or "",
        merchant_id=order.merchant_id,
        sub_merchant_id=order.sub_merchant_id,
        external_store_id=order.external_store_id,
        amount=order.amount,
        currency=order.currency,
        reason=reason,
    ).body()


def _account(alias: str) -> Account:
    try:
        return conf.account(alias)
    except UnknownAccount:
        message = _("The DANA setting has no account %(alias)s.")
        raise ValidationError({"account": ValidationError(message, params={"alias": alias})}) from None


def _account_of(order: Order) -> Account:
    return _account(order.account)


def _reference_is_taken(order: Order) -> bool:
    return Order.objects.filter(merchant_id=order.merchant_id, partner_reference_no=order.partner_reference_no).exists()


# -- refusing -------------------------------------------------------------------------------------------------------


def _check_permission(user: AbstractBaseUser | None) -> None:
    if user is not None and not user.has_perm(CANCEL_PERMISSION):  # type: ignore[attr-defined]
        raise PermissionDenied(_("You may not cancel orders."))


def _refusal(message: Any) -> ValidationError:
    return ValidationError({"order": message})


def why_not_cancel(order: Order) -> Any:
    """Return the sentence that says why an order can't be cancelled, or None if it can."""
    if reason := _CLOSED.get(Order.PaymentStatus(order.payment_status)):
        return reason
    if order.settled_outside_at:
        return _("This order was settled outside DANA, so nothing more is sent.")
    if order.is_being_cancelled:
        return _("A cancel of this order is under way. Wait for its end.")
    if order.create_status == Order.CreateStatus.SUCCESS:
        return None
    # what DANA has under this reference may be another order, whose money is not ours to give back
    is_another = order.create_status == Order.CreateStatus.FAILED and order.rule and order.rule.may_mask_success
    may_have_arrived = order.api_calls.not_definitely_refused(ApiCall.Operation.CREATE).exists()
    if is_another or not may_have_arrived:
        return _("DANA never had this order, so there is nothing to cancel.")
    return None


def _refuse(reason: Any) -> None:
    if reason:
        raise _refusal(reason)


def _refuse_while_held(order: Order, now: datetime) -> None:
    if order.is_held(now):
        raise _refusal(_("A call to DANA is under way. Try again in a minute."))


def _refuse_unless_retried(next_attempt_at: datetime | None, status: str) -> None:
    if next_attempt_at is None or status not in ("pending", "failed"):
        raise _refusal(_("Nothing is being tried again here."))


_CLOSED = {
    Order.PaymentStatus.CANCELLED: _("This order is cancelled already."),
    Order.PaymentStatus.EXPIRED: _("The time to pay this order is over, so there is nothing to cancel."),
    Order.PaymentStatus.REFUNDED: _("The money of this order went back already."),
    Order.PaymentStatus.NOT_FOUND: _("DANA does not have this order, so there is nothing to cancel."),
}


def _start_on_commit(task: Any, pk: int) -> None:
    transaction.on_commit(partial(tasks.start, task, pk), robust=True)
