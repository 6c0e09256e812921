"""Where an order stands, for everybody who asks: list, page and inbox of the admin, REST API and dana_explain.

One function reads the order and all its requests. What a person may do about it is what the ``why_not_…`` functions
of the services allow; the order of the acts is decided here.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_dana import timing
from django_dana.display import moment, price
from django_dana.models import CancelRequest, Order, RefundRequest
from django_dana.protocol.response_codes import FollowUp, Outcome
from django_dana.services.permitted import why_not_refund, why_not_retry, why_not_stop
from django_dana.services.refunds import why_not_give_back
from django_dana.services.settlement import why_not_settle_outside

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

#: What somebody asked for about the money of an order.
Request = CancelRequest | RefundRequest


class Tone(StrEnum):
    """How a state looks."""

    GOOD = "good"
    BAD = "bad"
    WAIT = "wait"
    CALM = "calm"


class ActName(StrEnum):
    """What a person can do about an order or one of its requests."""

    GIVE_BACK = "give-back"
    RETRY = "retry"
    SYNC = "sync"
    STOP = "stop"
    REVIEW = "review"
    SETTLE = "settle-outside"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that can be done now.

    Attributes:
        name: which.
        label: what stands on its button; three dots where a page with a question comes first.
        target: the order, or the request that it is about.
    """

    name: ActName
    label: str
    target: Order | Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """Where the money of an order is."""

    paid: Decimal
    given_back: Decimal
    currency: str

    @property
    def still_with_us(self) -> Decimal:
        """What was paid and has not gone back."""
        return self.paid - self.given_back


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """Where an order stands, before anybody asks what may be done."""

    code: str
    badge: "_StrOrPromise"
    tone: Tone
    sentence: str
    advice: str = ""
    propose: tuple[ActName, ...] = ()
    request: Request | None = None
    is_alarm: bool = False


class Summary:
    """Where one order stands.

    Attributes:
        order: the order.
        requests: its cancel and refund requests, oldest first.
        request: the one of them that the state is about, or None.
        code: a stable name of the state, for programs.
        badge: the state in two or three words.
        tone: how it looks.
        sentence: what is true, in one sentence.
        advice: what to do, and what not to; may be empty.
        needs_attention: whether a person should look.
        is_under_way: whether it is likely to change within seconds.
    """

    def __init__(self, order: Order, requests: list[Request], now: datetime) -> None:
        self.order = order
        self.requests = requests
        self.now = now
        self._standing = _standing(order, requests, now)
        self.request = self._standing.request
        self.code = self._standing.code
        self.badge = str(self._standing.badge)
        self.tone = self._standing.tone
        self.sentence = self._standing.sentence
        self.advice = self._standing.advice
        self.needs_attention = bool(order.needs_attention or self._standing.is_alarm) or any(
            row.needs_attention and (row.unfinished or _can_still_be_cancelled(order)) for row in requests
        )
        self.is_under_way = order.create_status == Order.CreateStatus.NEW or any(
            row.unfinished and row.status != "failed" and not row.needs_attention for row in requests
        )

    @property
    def money(self) -> Money:
        """Where the money is."""
        return money_of(self.order)

    @property
    def waits_since(self) -> datetime:
        """Since when it stands like this: since the request that it is about was asked for, or the last change."""
        return self.request.created_at if self.request else self.order.updated_at

    @property
    def cancel_until(self) -> datetime | None:
        """Until when DANA cancels the paid order, as far as its pages say."""
        order = self.order
        is_whole = order.payment_status == Order.PaymentStatus.PAID and not order.refunded_amount
        return order.paid_at + timing.CANCEL_WINDOW if is_whole and order.paid_at else None

    @cached_property
    def acts(self) -> list[Act]:
        """What may be done now, the most helpful first."""
        found = {(act.name, act.target): act for act in self._possible()}
        standing = self._standing
        targets: tuple[Order | Request | None, ...] = (standing.request, self.order)
        first = [found[key] for name in standing.propose for target in targets if (key := (name, target)) in found]
        return [*first, *(act for act in found.values() if act not in first)]

    @property
    def primary(self) -> Act | None:
        """The one act that helps most, or None where there is nothing to do."""
        acts = self.acts
        return acts[0] if acts and acts[0].name in self._standing.propose else None

    @property
    def others(self) -> list[Act]:
        """What else may be done."""
        return [act for act in self.acts if act is not self.primary]

    @property
    def proposal(self) -> str:
        """The label of the act that this state asks for, without a look into the database, for long lists."""
        standing = self._standing
        if not standing.propose:
            return ""
        name = standing.propose[0]
        target = standing.request if standing.request and name in _OF_REQUESTS else self.order
        return _label(name, self.order, target)

    def _possible(self) -> Iterator[Act]:
        order = self.order
        for request in reversed(self.requests):
            for name in _OF_REQUESTS:
                if _WHY_NOT[name](request) is None:
                    yield Act(name, _label(name, order, request), request)
        for name in (ActName.RETRY, ActName.GIVE_BACK, ActName.SYNC, ActName.STOP, ActName.REVIEW, ActName.SETTLE):
            is_the_requests = name == ActName.REVIEW and any(row.needs_attention for row in self.requests)
            if not is_the_requests and _WHY_NOT[name](order) is None:
                yield Act(name, _label(name, order, order), order)


def summarize(order: Order, *, now: datetime | None = None) -> Summary:
    """Return where an order stands.

    Takes one query for its requests, none where the order comes from :func:`with_requests`; its acts take more.
    """
    requests: list[Request] = [*order.cancel_requests.all(), *order.refund_requests.all()]
    return Summary(order, sorted(requests, key=_age), now or timezone.now())


def _age(row: Request) -> tuple[datetime, int]:
    return row.created_at, row.pk


def with_requests(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Have the requests of all orders read in one query."""
    cancels = CancelRequest.objects.select_related("requested_by").defer("request_body")
    refunds = RefundRequest.objects.select_related("requested_by").defer("request_body")
    # whoever gave the orders may have asked for their requests already, and in another way
    orders = orders.prefetch_related(None)
    orders = orders.prefetch_related(Prefetch("cancel_requests", queryset=cancels))
    return orders.prefetch_related(Prefetch("refund_requests", queryset=refunds))


def money_of(order: Order) -> Money:
    """Return where the money of an order is, as far as anybody knows."""
    paid = order.amount if order.paid_at else Decimal(0)
    all_back = order.payment_status in (Order.PaymentStatus.CANCELLED, Order.PaymentStatus.REFUNDED)
    return Money(paid=paid, given_back=paid if all_back else order.refunded_amount, currency=order.currency)


# -- what may be done -----------------------------------------------------------------------------------------------


def _may_be_repeated(row: Order | Request) -> bool:
    """Whether sending the same again promises anything: something outside of it can be mended, or is not known."""
    rule = row.rule
    if rule is None or rule.outcome is not Outcome.FAILED or rule.is_tried_again:
        return True
    return rule.blames_account or FollowUp.CONTACT_DANA in rule.follow_up


def why_not_sync(order: Order) -> Any:
    """Return the sentence that says why DANA has nothing to say about an order, or None."""
    return _("DANA has not been asked for this order yet.") if order.create_status == Order.CreateStatus.NEW else None


def why_not_review(row: Order | Request) -> Any:
    """Return the sentence that says why a person can't close what needs attention, or None."""
    if not row.needs_attention:
        return _("Nothing needs attention here.")
    order = row if isinstance(row, Order) else row.order
    if isinstance(row, Order) and row.needs_attention not in _FROM_REQUESTS:
        waits = row.needs_attention == Order.Attention.CONFLICT
    else:
        requests = (*order.cancel_requests.all(), *order.refund_requests.all())
        waits = any(request.is_end_unknown for request in requests)
    if waits and order.next_sync_at is not None:
        return _("DANA is being asked about this order. Wait for its answer.")
    return None


def _why_nothing_goes_back(order: Order) -> Any:
    """Return the sentence that says why neither all that is left nor a part of it can be given back, or None."""
    return why_not_give_back(order, order.amount_left, timezone.now()) if why_not_refund(order) else None


#: Reasons of an order that come from its requests, which say more.
_FROM_REQUESTS: Final = (Order.Attention.CANCEL, Order.Attention.REFUND)


def _of_order(why_not: Callable[[Order], Any]) -> Callable[[Order | Request], Any]:
    return lambda row: why_not(row) if isinstance(row, Order) else _("This is about the whole order.")


_WHY_NOT: Final[dict[ActName, Callable[[Order | Request], Any]]] = {
    ActName.GIVE_BACK: _of_order(_why_nothing_goes_back),
    ActName.RETRY: why_not_retry,
    ActName.SYNC: _of_order(why_not_sync),
    ActName.STOP: why_not_stop,
    ActName.REVIEW: why_not_review,
    ActName.SETTLE: _of_order(why_not_settle_outside),
}

_OF_REQUESTS: Final = (ActName.RETRY, ActName.STOP, ActName.REVIEW)


def _label(name: ActName, order: Order, target: Order | Request) -> str:
    if isinstance(target, RefundRequest):
        return _REFUND_LABELS[name] % {"amount": price(target.amount, order.currency)}
    if isinstance(target, CancelRequest):
        return str(_CANCEL_LABELS[name] if order.paid_at is None else _FULL_REFUND_LABELS[name])
    if name == ActName.GIVE_BACK and order.paid_at is None:
        return gettext("Cancel (nothing was paid)…")
    return str(_ORDER_LABELS[name])


_ORDER_LABELS: Final = {
    ActName.GIVE_BACK: _("Give money back…"),
    ActName.RETRY: _("Send the order again"),
    ActName.SYNC: _("Ask DANA now"),
    ActName.STOP: _("Stop sending the order"),
    ActName.REVIEW: _("Mark as reviewed…"),
    ActName.SETTLE: _("Settled outside…"),
}
_REFUND_LABELS: Final = {
    ActName.RETRY: _("Send the refund of %(amount)s again"),
    ActName.STOP: _("Stop sending the refund of %(amount)s"),
    ActName.REVIEW: _("Close: no refund of %(amount)s needed…"),
}
_FULL_REFUND_LABELS: Final = {
    ActName.RETRY: _("Send the refund again"),
    ActName.STOP: _("Stop sending the refund"),
    ActName.REVIEW: _("Close: no refund needed…"),
}
_CANCEL_LABELS: Final = {
    ActName.RETRY: _("Send the cancel again"),
    ActName.STOP: _("Stop sending the cancel"),
    ActName.REVIEW: _("Close: no cancel needed…"),
}

# -- where it stands ------------------------------------------------------------------------------------------------


def _standing(order: Order, requests: list[Request], now: datetime) -> _Standing:
    """Return the gravest of what is true: doubts about the money first, then requests, then the payment."""
    if settled := _of_settled_outside(order):
        return settled
    if order.needs_attention not in ("", Order.Attention.PAID_AFTER_CLOSED, *_FROM_REQUESTS):
        return _of_attention(order)
    for describe in (_of_running, _of_unknown_end):
        if standing := describe(order, requests):
            return standing
    if order.needs_attention == Order.Attention.PAID_AFTER_CLOSED:
        return _of_attention(order)
    return _of_what_did_not_happen(order, requests) or _of_payment(order, requests, now)


def _of_settled_outside(order: Order) -> _Standing | None:
    """Money that was given back by other means than this system's."""
    if order.settled_outside_at is None:
        return None
    facts = {"when": moment(order.settled_outside_at), "note": order.settled_outside_note}
    if order.payment_status != Order.PaymentStatus.PAID:
        return _Standing(
            code="given_back_twice",
            badge=_("given back twice?"),
            tone=Tone.BAD,
            sentence=gettext(
                "It was settled outside DANA (%(when)s: “%(note)s”), and DANA says that it gave the money back too."
            )
            % facts,
            advice=gettext("Look both payments up before you do anything else."),
            is_alarm=True,
        )
    return _Standing(
        code="settled_outside",
        badge=_("settled outside"),
        tone=Tone.CALM,
        sentence=gettext("Settled outside DANA, %(when)s: “%(note)s”. This system moved no money.") % facts,
    )


def _of_running(order: Order, requests: list[Request]) -> _Standing | None:
    """A request that may still reach DANA."""
    running = next((row for row in requests if row.unfinished and not _is_given_up(row)), None)
    if running is None:
        return None
    is_paid = order.paid_at is not None
    if running.status == "failed":
        return _Standing(
            code="refund_refused_for_now",
            badge=_("refund refused for now") if is_paid else _("cancel refused for now"),
            tone=Tone.BAD,
            sentence=_asked_for(running, gettext("DANA refuses it for now.")),
            advice=running.next_step,
            propose=(ActName.RETRY, ActName.SYNC),
            request=running,
        )
    return _Standing(
        code="refund_under_way" if is_paid else "cancel_under_way",
        badge=_("refund under way") if is_paid else _("cancel under way"),
        tone=Tone.WAIT,
        sentence=_asked_for(running, gettext("DANA has not confirmed it yet.")),
        advice=gettext("Do not deliver, and do not refund by other means. This page will show the result.")
        if running.amount == order.amount
        else gettext("Do not refund by other means. This page will show the result."),
        request=running,
    )


def _of_unknown_end(order: Order, requests: list[Request]) -> _Standing | None:
    """A request that was given up without knowing what became of it."""
    if not _can_still_be_cancelled(order):
        return None
    unknown = _latest(row for row in requests if _is_given_up(row))
    if unknown is None:
        return None
    is_paid = order.paid_at is not None
    return _Standing(
        code="refund_unknown" if is_paid else "cancel_unknown",
        badge=_("refund not confirmed") if is_paid else _("cancel not confirmed"),
        tone=Tone.BAD,
        sentence=_asked_for(unknown, gettext("DANA gave no clear answer, so it is not known whether it happened.")),
        advice=gettext("Do not deliver, and do not refund by other means, before DANA has answered.")
        if unknown.amount == order.amount
        else gettext("Do not refund by other means before DANA has answered."),
        propose=(ActName.SYNC, ActName.RETRY),
        request=unknown,
    )


def _is_given_up(row: Request) -> bool:
    """Whether nothing more is sent, or for long, and it is not known what became of it."""
    if isinstance(row, CancelRequest):
        return row.is_end_unknown and not row.unfinished
    return row.needs_attention in (RefundRequest.Attention.END_UNKNOWN, RefundRequest.Attention.INCONSISTENT)


def _of_what_did_not_happen(order: Order, requests: list[Request]) -> _Standing | None:
    """A request that did not happen, until a person closes it."""
    undone = _latest(row for row in requests if row.needs_attention)
    if undone is None or not _can_still_be_cancelled(order):
        return None
    is_paid = order.paid_at is not None
    outcome = (
        gettext("It did not happen. The money is still with us.")
        if is_paid
        else gettext("It did not happen. The order can still be paid.")
    )
    propose = (ActName.RETRY, ActName.GIVE_BACK) if _may_be_repeated(undone) else (ActName.REVIEW,)
    return _Standing(
        code="refund_not_done" if is_paid else "cancel_not_done",
        badge=_("refund not done") if is_paid else _("cancel not done"),
        tone=Tone.BAD,
        sentence=_asked_for(undone, outcome),
        advice=undone.next_step,
        propose=propose,
        request=undone,
    )


def _can_still_be_cancelled(order: Order) -> bool:
    return order.is_open or order.payment_status == Order.PaymentStatus.PAID


def _of_attention(order: Order) -> _Standing:
    badge, propose = _ATTENTION[order.needs_attention]
    return _Standing(code=order.needs_attention, badge=badge, tone=Tone.BAD, sentence=order.next_step, propose=propose)


_ATTENTION: Final[dict[str, tuple["_StrOrPromise", tuple[ActName, ...]]]] = {
    Order.Attention.PAID_AFTER_CLOSED: (_("paid late"), (ActName.REVIEW, ActName.GIVE_BACK)),
    Order.Attention.AMOUNT_DIFFERS: (_("another amount"), (ActName.SYNC, ActName.REVIEW)),
    Order.Attention.CONFLICT: (_("being clarified"), (ActName.SYNC,)),
    Order.Attention.UNKNOWN_STATUS: (_("unknown status"), (ActName.SYNC, ActName.REVIEW)),
    Order.Attention.ACCOUNT: (_("account can't be used"), (ActName.SYNC,)),
    Order.Attention.ACCOUNT_REFUSED: (_("DANA refuses the account"), (ActName.SYNC, ActName.REVIEW)),
    Order.Attention.NO_ADDRESS: (_("no way to pay"), (ActName.GIVE_BACK, ActName.REVIEW)),
    Order.Attention.UNSETTLED: (_("no final answer"), (ActName.SYNC, ActName.REVIEW)),
}


def _of_payment(order: Order, requests: list[Request], now: datetime) -> _Standing:
    match order.payment_status:
        case Order.PaymentStatus.PAID:
            return _of_paid(order, now)
        case Order.PaymentStatus.CANCELLED if order.paid_at:
            return _of_given_back(order, requests)
        case Order.PaymentStatus.NONE:
            return _of_create(order)
    return _described(order.payment_status)


def _of_paid(order: Order, now: datetime) -> _Standing:
    until = order.paid_at + timing.CANCEL_WINDOW if order.paid_at else None
    amount = price(order.amount, order.currency)
    if order.refunded_amount:
        sentence = gettext("%(amount)s has arrived, and %(back)s of it went back to the buyer.")
        back = price(order.refunded_amount, order.currency)
        return _Standing(
            code="partly_given_back",
            badge=_("partly given back"),
            tone=Tone.GOOD,
            sentence=sentence % {"amount": amount, "back": back},
        )
    if until and now >= until:
        advice = gettext("DANA's 24 hours to cancel it are over.")
    elif until:
        advice = gettext("Deliver it. The money can be given back until %(until)s.") % {"until": moment(until)}
    else:
        advice = gettext("Deliver it.")
    sentence = gettext("%(amount)s has arrived.") % {"amount": amount}
    return _Standing(code="paid", badge=_("paid"), tone=Tone.GOOD, sentence=sentence, advice=advice)


def _of_given_back(order: Order, requests: list[Request]) -> _Standing:
    amount = price(order.amount, order.currency)
    done = _latest(row for row in requests if row.status == "success")
    sentence = gettext("%(amount)s went back to the buyer.") % {"amount": amount}
    if done is not None:
        sentence = _asked_for(done, sentence)
    return _Standing(
        code="given_back",
        badge=_("given back"),
        tone=Tone.CALM,
        sentence=sentence,
        advice=gettext("There is nothing to do."),
    )


def _of_create(order: Order) -> _Standing:
    status = order.create_status
    if status == Order.CreateStatus.FAILED:
        is_tried_again = order.next_attempt_at is not None
        if not order.attempts and not order.rule_code:
            return _Standing(code="refused", badge=_("not sent"), tone=Tone.BAD, sentence=order.next_step)
        badge = _("refused for now") if is_tried_again else _("refused by DANA")
        code = "refused_for_now" if is_tried_again else "refused"
        propose = (ActName.RETRY,) if _may_be_repeated(order) else ()
        sentence = order.next_step or gettext("DANA refused this order.")
        return _Standing(code=code, badge=badge, tone=Tone.BAD, sentence=sentence, propose=propose)
    if status == Order.CreateStatus.PENDING:
        return _Standing(
            code="not_confirmed",
            badge=_("not confirmed by DANA"),
            tone=Tone.WAIT,
            sentence=order.next_step or gettext("It is not known yet whether DANA has this order."),
        )
    if status == Order.CreateStatus.NEW:
        return _Standing(code="preparing", badge=_("on its way to DANA"), tone=Tone.WAIT, sentence=order.next_step)
    return _described(Order.PaymentStatus.INITIATED)


def _described(status: str) -> _Standing:
    badge, tone, sentence = _PAYMENTS[status]
    return _Standing(code=status, badge=badge, tone=tone, sentence=str(sentence))


_PAYMENTS: Final[dict[str, tuple["_StrOrPromise", Tone, "_StrOrPromise"]]] = {
    Order.PaymentStatus.INITIATED: (
        _("waiting for the buyer"),
        Tone.WAIT,
        _("DANA has the order. The buyer has not paid yet."),
    ),
    Order.PaymentStatus.PAYING: (
        _("being paid"),
        Tone.WAIT,
        _("The buyer is paying, but it is not final. Do not deliver yet."),
    ),
    Order.PaymentStatus.CANCELLED: (
        _("cancelled"),
        Tone.CALM,
        _("Cancelled at DANA. Nothing had been paid, as far as DANA has told us."),
    ),
    Order.PaymentStatus.EXPIRED: (
        _("expired"),
        Tone.CALM,
        _("The time to pay is over. For another try, create a new order."),
    ),
    Order.PaymentStatus.REFUNDED: (
        _("given back"),
        Tone.CALM,
        _("The money was given back at DANA. There is nothing to do."),
    ),
    Order.PaymentStatus.NOT_FOUND: (
        _("unknown at DANA"),
        Tone.CALM,
        _("DANA does not have this order. For another try, create a new order."),
    ),
}


def _latest(rows: Iterable[Request]) -> Request | None:
    return max(rows, key=_age, default=None)


def _asked_for(row: Request, outcome: str) -> str:
    """Return who asked for a request, when and why, and what came of it."""
    facts: dict[str, Any] = {
        "amount": price(row.amount, row.order.currency),
        "who": row.requested_by or gettext("the shop"),
        "when": moment(row.created_at),
        "reason": row.reason,
        "outcome": outcome,
    }
    if row.order.paid_at is not None:
        if row.reason:
            return gettext("Refund of %(amount)s asked for by %(who)s, %(when)s (“%(reason)s”). %(outcome)s") % facts
        return gettext("Refund of %(amount)s asked for by %(who)s, %(when)s. %(outcome)s") % facts
    if row.reason:
        return gettext("Cancel asked for by %(who)s, %(when)s (“%(reason)s”). %(outcome)s") % facts
    return gettext("Cancel asked for by %(who)s, %(when)s. %(outcome)s") % facts
