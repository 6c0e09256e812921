"""Finish Notify: a message's bytes, its signature, its shape, its order, one transaction, an outcome.

Every message is stored, in a write of its own, so that the evidence survives what fails afterwards. What nobody proved
to be DANA's, and what is about no order of ours, is bounded in number.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.datastructures import CaseInsensitiveMapping

from django_dana import background
from django_dana.conf import Account
from django_dana.exceptions import InvalidSignature
from django_dana.log_throttle import once_a_minute
from django_dana.models import Notification, Order, OutboxEvent
from django_dana.protocol.finish_notify import BadMessage, FinishNotify
from django_dana.protocol.messages import StatusReport
from django_dana.services import verification
from django_dana.services.verification import AccountUnreadable, Proof
from django_dana.transitions import locked_order, payments

Outcome = Notification.Outcome

#: May answer a verified message in place of the rules below: an outcome with its reason, or None.
AcceptanceTest = Callable[[FinishNotify, Order | None, Collection[Account]], tuple[Outcome, str] | None]

#: Messages that are kept of those that nobody proved to be DANA's, and bytes of each.
MAX_REFUSED: Final = 1_000
MAX_REFUSED_BYTES: Final = 4_096
#: Verified messages that are kept without an order of ours.
MAX_UNMATCHED: Final = 1_000
#: Messages about one order that are kept of those that our side failed to apply.
MAX_FAILED: Final = 20

#: What an exact repetition is answered at once, as the first time: nothing else could come of it.
_FINAL: Final = (Outcome.APPLIED, Outcome.KNOWN, Outcome.ATTENTION, Outcome.BAD_SHAPE, Outcome.INCOMPLETE, Outcome.TEST)

#: What is written of a message that is stored already.
_WHAT_BECAME_OF_IT: Final = (
    *("account", "order", "merchant_id", "partner_reference_no", "outcome", "error"),
    *("verified", "verified_by", "signature_hash"),
)

_KEPT_HEADERS: Final = frozenset(
    {
        *("content-type", "x-timestamp", "x-signature", "origin", "x-partner-id", "x-external-id", "channel-id"),
        *("charset", "user-agent"),
    }
)

logger: Final = logging.getLogger("django_dana.notifications")


def receive(body: bytes, headers: Mapping[str, str], *, acceptance_test: AcceptanceTest | None = None) -> Outcome:
    """Verify, store and apply one message.

    Args:
        body: the bytes as they came.
        headers: found without regard to case.
        acceptance_test: what DANA's acceptance test wants instead.

    Returns:
        What became of it. Where our side failed, that is ``FAILED``; only a failure to store it raises.
    """
    try:
        proof = verification.verify(body, headers)
    except InvalidSignature as error:
        _warn("refused", "A notification was refused: %s", error)
        return _keep_refused(body, headers, Outcome.BAD_SIGNATURE, str(error))
    except AccountUnreadable as error:
        return _keep_refused(body, headers, Outcome.FAILED, str(error))
    return _handle_safely(_unsaved(proof, headers), proof, acceptance_test)


def receive_again(stored: Notification) -> Outcome:
    """Verify a message once more, as it was stored, and apply it as if it had come now.

    Raises:
        InvalidSignature: DANA's keys, as the setting has them now, don't fit it.
        AccountUnreadable: not all keys could be tried.
    """
    headers = CaseInsensitiveMapping(stored.headers)
    proof = verification.verify(stored.body.encode(), headers)
    notification = _unsaved(proof, headers)
    notification.pk, notification.outcome = stored.pk, stored.outcome
    if Notification.objects.filter(signature_hash=proof.signature_hash).exclude(pk=stored.pk).exists():
        # DANA has sent the very same again since, and that one's row stands for it
        notification.signature_hash = None
    return _handle_safely(notification, proof, None)


def _handle_safely(notification: Notification, proof: Proof, acceptance_test: AcceptanceTest | None) -> Outcome:
    try:
        return _handle(notification, proof, acceptance_test)
    except Exception as error:  # noqa: BLE001  DANA is told to try again, whatever it was
        _log_failure(type(error).__name__, "A notification was not applied (%s)", type(error).__name__, error=error)
        return _conclude(notification, Outcome.FAILED, error=type(error).__name__)


def find_order(*, merchant_id: str, partner_reference_no: str) -> Order | None:
    """Return the order that a message names, or None."""
    exact = (merchant_id, partner_reference_no)
    # what it says else is read under its lock
    orders = Order.objects.only("merchant_id", "partner_reference_no", "account", "environment")
    # Some collations find "inv-1" for "INV-1"; DANA does not.
    candidates = orders.filter(merchant_id=merchant_id, partner_reference_no=partner_reference_no)
    return next((order for order in candidates if (order.merchant_id, order.partner_reference_no) == exact), None)


def _handle(notification: Notification, proof: Proof, acceptance_test: AcceptanceTest | None) -> Outcome:
    try:
        message = FinishNotify.parse(proof.text)
    except BadMessage as error:
        _warn("bad shape", "A notification of DANA was not understood: %s", error)
        outcome = Outcome.INCOMPLETE if error.is_incomplete else Outcome.BAD_SHAPE
        return _conclude(notification, outcome, error=str(error))
    notification.merchant_id = message.merchant_id
    notification.partner_reference_no = message.partner_reference_no
    found = find_order(merchant_id=message.merchant_id, partner_reference_no=message.partner_reference_no)
    if found is not None and (found.account not in proof.aliases or found.account in proof.unreadable):
        return _conclude_without_account(notification, found)
    order = found if found is not None and _may_speak_about(found, proof) else None
    notification.order = order
    notification.account = order.account if order else proof.alias
    _keep(notification)
    if notification.outcome in _FINAL:
        return Outcome(notification.outcome)
    # an order that the signers may not speak about is none of the acceptance test's
    verdict = acceptance_test(message, order, proof.accounts.values()) if acceptance_test and order == found else None
    if verdict is not None:
        return _conclude(notification, *verdict)
    if order is None:
        return _conclude_unmatched(notification)
    return _apply(notification, order, proof.accounts[order.account], _report(message, proof.sent_at))


def _may_speak_about(order: Order, proof: Proof) -> bool:
    """Whether DANA signed for the account of this order, as it was when the order was made.

    An account that has changed to another environment does not count: the sandbox's money pays nothing.
    """
    account = proof.accounts.get(order.account)
    return account is not None and account.environment == order.environment


def _report(message: FinishNotify, sent_at: datetime | None) -> StatusReport:
    return StatusReport(
        status=message.status,
        amount=message.amount,
        currency=message.currency,
        amount_unreadable=message.amount_unreadable,
        reference_no=message.reference_no,
        paid_at=message.paid_at,
        pay_method=message.pay_method,
        pay_option=message.pay_option,
        sent_at=sent_at,
    )


def _apply(notification: Notification, order: Order, account: Account, report: StatusReport) -> Outcome:
    """Apply what a verified message says about an order. A repetition changes nothing."""
    with locked_order(order.pk, account) as locked:
        payments.reported_by_notification(locked, report)
        outcome = Outcome.KNOWN
        if locked.is_news:
            outcome = Outcome.ATTENTION if locked.order.needs_attention else Outcome.APPLIED
            background.start_follow_up(locked.order)
        elif Notification.objects.filter(pk=notification.pk, outcome__in=_FINAL).exists():
            # the same message came twice at once, and the other one was applied: its row says so
            return outcome
        return _conclude(notification, outcome)


def _conclude_without_account(notification: Notification, order: Order) -> Outcome:
    """The order is ours, but not its account's key: the setting may be mended before DANA stops trying."""
    error = f"account {order.account!r} of this order is not in the DANA setting, or can't be read"
    cause = f"no account {order.account}"
    _log_failure(cause, "A notification about order %s was not applied: %s", order.partner_reference_no, error)
    notification.order, notification.account = order, order.account
    return _conclude(notification, Outcome.FAILED, error=error)


@transaction.atomic
def _conclude_unmatched(notification: Notification) -> Outcome:
    """DANA signed it, but it is about no order of ours. The shop hears of it once."""
    if notification.outcome != Outcome.UNKNOWN_ORDER:
        OutboxEvent.objects.create(name="notification_unmatched", notification=notification)
        _warn(
            "unmatched",
            "A notification of DANA is about an unknown order: merchant %r, reference %r",
            notification.merchant_id,
            notification.partner_reference_no,
        )
    return _conclude(notification, Outcome.UNKNOWN_ORDER)


# -- what is stored ---------------------------------------------------------------------------------------------------


def _unsaved(proof: Proof, headers: Mapping[str, str]) -> Notification:
    return Notification(
        account=proof.alias,
        body=_storable(proof.text),
        headers=_kept(headers),
        verified=True,
        verified_by=proof.key_fingerprint,
        signature_hash=proof.signature_hash,
    )


def _keep_refused(body: bytes, headers: Mapping[str, str], outcome: Outcome, error: str) -> Outcome:
    Notification.objects.create(
        body=_storable(body[:MAX_REFUSED_BYTES]), headers=_kept(headers), outcome=outcome, error=error[:300]
    )
    _delete(surplus(Notification.objects.refused(), MAX_REFUSED))
    return outcome


def _keep(notification: Notification) -> None:
    """Store a verified message in a write of its own; of an exact repetition load what became of it the first time."""
    if notification.pk:
        return
    try:
        with transaction.atomic():
            notification.save()
    except IntegrityError:
        earlier = Notification.objects.filter(signature_hash=notification.signature_hash).first()
        if earlier is None:
            raise
        notification.pk, notification.outcome = earlier.pk, earlier.outcome


def _conclude(notification: Notification, outcome: Outcome, error: str = "") -> Outcome:
    """Note what became of a message."""
    notification.outcome, notification.error = outcome, error[:300]
    if outcome is Outcome.FAILED:
        # so that DANA's next try, which may be the same to the byte, is a message of its own
        notification.signature_hash = None
    if not notification.pk:
        _keep(notification)
    else:
        notification.save(update_fields=_WHAT_BECAME_OF_IT)
    if notification.order_id is None:
        _delete(surplus(Notification.objects.unmatched(), MAX_UNMATCHED))
    elif outcome is Outcome.FAILED:
        _delete(surplus(Notification.objects.failed_for(notification.order_id), MAX_FAILED))
    return outcome


def surplus(messages: QuerySet[Notification], maximum: int) -> QuerySet[Notification]:
    """Return the next of these messages that are too many, the latest first."""
    return messages.order_by("-id")[maximum : maximum + 100]


def _delete(messages: QuerySet[Notification]) -> None:
    if found := list(messages.values_list("pk", flat=True)):
        Notification.objects.filter(pk__in=found).delete()


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: _storable_text(value)[:512] for name, value in headers.items() if name.lower() in _KEPT_HEADERS}


def _storable(text: bytes) -> str:
    return text.decode(errors="backslashreplace").replace("\x00", "\\x00")


def _storable_text(value: str) -> str:
    # No database stores half a surrogate pair, and PostgreSQL stores no NUL; some servers let them through.
    return value.encode(errors="backslashreplace").decode().replace("\x00", "\\x00")


# -- what is logged ---------------------------------------------------------------------------------------------------


def _warn(cause: str, message: str, *arguments: object) -> None:
    once_a_minute(logger, logging.WARNING, cause, message, *arguments)


def _log_failure(cause: str, message: str, *arguments: object, error: BaseException | None = None) -> None:
    once_a_minute(logger, logging.ERROR, ("failed", cause), message, *arguments, error=error)
