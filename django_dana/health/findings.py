"""What is looked at, and from when on it is wrong.

Every look is a query by an index that reads at most ``MOST_READ`` rows, so that the answer costs the same with a
million orders; a number that has reached ``MOST_READ`` means "so many or more". Nothing here names an order, an amount
or a person.

What a stranger can bring about, such as a refused signature, is a warning at most.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from django import db
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from django_dana import conf
from django_dana.models import REQUESTS, ApiCall, Notification, Order, OrderRequest, OutboxEvent, Sweep
from django_dana.models.sweeps import RETRY_DUE, SYNC_STALE
from django_dana.protocol import operations
from django_dana.protocol.response_codes import Outcome

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

#: Rows that one look reads at most.
MOST_READ: Final = 1_000

#: retry_due comes every 15 seconds, by cron every minute, and works for a few minutes at most.
OVERDUE_AFTER: Final = timedelta(minutes=10)
#: sync_stale comes every five minutes.
QUESTION_OVERDUE_AFTER: Final = timedelta(minutes=30)

#: The second call of a receiver comes after half a minute; one that fails again does not heal by itself.
FAILING_ATTEMPTS: Final = 3

#: An account fails if so many calls about so many orders, and every one of them, had no success within this time.
FAILING_CALLS: Final = 5
FAILING_ORDERS: Final = 3
FAILING_WITHIN: Final = timedelta(minutes=15)

#: DANA notifies at once; what was paid longer ago than this, and was learnt by asking alone, was not notified.
UNHEARD_AFTER: Final = timedelta(minutes=15)
UNHEARD_WITHIN: Final = timedelta(days=7)
#: So many payments in a row without a message mean that messages do not arrive.
UNHEARD_PAYMENTS: Final = 3
_LATEST_PAYMENTS: Final = 100

REFUSED_WITHIN: Final = timedelta(hours=1)


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    #: A person should look; nothing is broken.
    WARNING = "warning"
    #: Something is overdue, failing or unheard of.
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what kind of thing, a key of CHECKS.
        subject: which one: a queue, a signal, a reason, a periodic task.
        account: the alias; empty where no account, or every account, is concerned.
        level: how bad it is.
        count: how many rows; MOST_READ means so many or more.
        since: when the oldest, or the last, was.
        checked_at: when it was looked at.
        text: the sentence, with names in place of what is filled in.
    """

    check: str
    subject: str = ""
    account: str = ""
    level: Level = Level.OK
    count: int = 0
    since: datetime | None = None
    checked_at: datetime
    text: "_StrPromise"

    @property
    def sentence(self) -> str:
        """Return what was found, in the reader's language."""
        return str(self.text) % {
            "subject": self.subject,
            "account": self.account,
            "count": f"{self.count}+" if self.count >= MOST_READ else self.count,
            "age": timesince(self.since, self.checked_at) if self.since else "",
        }

    @property
    def seconds(self) -> float:
        """Return the age in seconds, 0 where there is none."""
        return max((self.checked_at - self.since).total_seconds(), 0.0) if self.since else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {
            "check": self.check,
            "subject": self.subject,
            "account": self.account,
            "level": self.level.value,
            "count": self.count,
            "since": self.since.isoformat() if self.since else None,
            "sentence": self.sentence,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found."""

    checked_at: datetime
    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        """Return the worst level of all."""
        levels = {finding.level for finding in self.findings}
        return next((level for level in (Level.ERROR, Level.WARNING) if level in levels), Level.OK)

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is overdue, failing or unheard of."""
        return self.level != Level.ERROR

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {
            "status": self.level.value,
            "checked_at": self.checked_at.isoformat(),
            "findings": [finding.as_json() for finding in self.findings],
        }


def report() -> Report:
    """Look at everything."""
    now = timezone.now()
    try:
        return Report(now, tuple(finding for check in CHECKS.values() for finding in check(now)))
    except db.Error:
        text = _("The database can't be read.")
        return Report(now, (Finding(check="database", level=Level.ERROR, checked_at=now, text=text),))


# -- accounts ---------------------------------------------------------------------------------------------------------


def accounts(now: datetime) -> Iterator[Finding]:
    """Say which accounts of the setting can't be used. Keys are not read: they may sit in a vault."""
    try:
        aliases = list(conf.raw_accounts())
    except Exception:  # noqa: BLE001  a shop's own function may raise anything
        text = _("The DANA setting can't be read.")
        yield Finding(check="accounts", level=Level.ERROR, checked_at=now, text=text)
        return
    unusable = [alias for alias in aliases if not _is_usable(alias)]
    for alias in unusable:
        text = _("The account %(account)s can't be used: run manage.py check.")
        yield Finding(check="accounts", account=alias, level=Level.ERROR, count=1, checked_at=now, text=text)
    if not unusable:
        yield Finding(check="accounts", checked_at=now, text=_("Every account can be used."))


def _is_usable(alias: str) -> bool:
    try:
        conf.account(alias)
    except Exception:  # noqa: BLE001  as above
        return False
    return True


# -- sweeps -----------------------------------------------------------------------------------------------------------

SWEEPS: Final = {RETRY_DUE: OVERDUE_AFTER, SYNC_STALE: QUESTION_OVERDUE_AFTER}


def sweeps(now: datetime) -> Iterator[Finding]:
    """Say when each periodic task was last seen to end."""
    seen = dict(Sweep.objects.values_list("name", "ended_at"))
    for name, longest in SWEEPS.items():
        since = seen.get(name)
        level = Level.OK
        text = _("%(subject)s ended %(age)s ago.")
        if since is None:
            level, text = Level.ERROR, _("%(subject)s was never seen: is beat (or cron) running?")
        elif now - since > longest:
            level, text = (
                Level.ERROR,
                _("%(subject)s was not seen for %(age)s: are beat (or cron) and the workers running?"),
            )
        yield Finding(check="sweeps", subject=name, level=level, since=since, checked_at=now, text=text)


# -- what is due ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queue:
    """Rows that wait for a moment.

    Attributes:
        find: returns them, in the order of the index.
        account: the field that holds the alias.
        moment: the field that holds the moment.
        longest: from what age on the oldest is overdue.
    """

    find: Callable[[datetime], QuerySet[Any]]
    account: str
    moment: str
    longest: timedelta = OVERDUE_AFTER


def _queue_of(kind: type[OrderRequest]) -> Queue:
    """Return the queue of a kind of request."""

    def find(now: datetime) -> QuerySet[Any]:
        return kind._default_manager.filter(next_attempt_at__lte=now).order_by("next_attempt_at")

    return Queue(find, "order__account", "next_attempt_at")


QUEUES: Final[Mapping[str, Queue]] = {
    "creates": Queue(
        lambda now: Order.objects.filter(next_attempt_at__lte=now).order_by("next_attempt_at"),
        "account",
        "next_attempt_at",
    ),
    **{f"{kind.operation.key}s": _queue_of(kind) for kind in REQUESTS},
    "signals": Queue(
        lambda now: OutboxEvent.objects.filter(due_at__lte=now, error="").order_by("due_at"),
        "order__account",
        "due_at",
    ),
    "queries": Queue(
        lambda now: Order.objects.filter(next_sync_at__lte=now).order_by("next_sync_at"),
        "account",
        "next_sync_at",
        QUESTION_OVERDUE_AFTER,
    ),
    # in no order: that of their index begins with the status, and sorting would read them all
    "unanswered": Queue(Order.objects.unanswered, "account", "valid_up_to", QUESTION_OVERDUE_AFTER),
}


def queues(now: datetime) -> Iterator[Finding]:
    """Say what is due, and what has been for too long."""
    for name, queue in QUEUES.items():
        rows = queue.find(now).values_list(queue.account, queue.moment)[:MOST_READ]
        by_account = _moments_by_account(rows)
        for alias, moments in by_account.items():
            since = min(moments)
            is_overdue = now - since > queue.longest
            text = _("%(count)s due, the oldest for %(age)s.")
            yield Finding(
                check="queues",
                subject=name,
                account=alias,
                level=Level.ERROR if is_overdue else Level.OK,
                count=len(moments),
                since=since,
                checked_at=now,
                text=text,
            )
        if not by_account:
            yield Finding(check="queues", subject=name, checked_at=now, text=_("Nothing is due."))


def _moments_by_account(rows: Iterable[tuple[str, datetime]]) -> dict[str, list[datetime]]:
    by_account: defaultdict[str, list[datetime]] = defaultdict(list)
    for alias, moment in rows:
        by_account[alias].append(moment)
    return by_account


# -- receivers --------------------------------------------------------------------------------------------------------


def oldest_events() -> QuerySet[OutboxEvent]:
    """The oldest signals that are still to be told. One whose receivers fail stays, and becomes one of the oldest."""
    return OutboxEvent.objects.order_by("id")[:MOST_READ]


def receivers(now: datetime) -> Iterator[Finding]:
    """Say which signals have receivers that fail."""
    failing: defaultdict[tuple[str, str], list[tuple[datetime, int]]] = defaultdict(list)
    rows = oldest_events().values_list("order__account", "name", "created_at", "attempts", "error")
    for alias, name, created_at, attempts, error in rows:
        if error:
            failing[alias, name].append((created_at, attempts))
    for (alias, name), events in failing.items():
        is_lasting = max(attempts for _moment, attempts in events) >= FAILING_ATTEMPTS
        yield Finding(
            check="receivers",
            subject=name,
            account=alias,
            level=Level.ERROR if is_lasting else Level.WARNING,
            count=len(events),
            since=min(moment for moment, _attempts in events),
            checked_at=now,
            text=_("A receiver of %(subject)s fails: %(count)s not told, the oldest for %(age)s."),
        )
    if not failing:
        yield Finding(check="receivers", checked_at=now, text=_("No receiver is failing."))


# -- calls ------------------------------------------------------------------------------------------------------------

#: The operations whose every call should have success; a refused cancel or refund is about its order,
#: and shown as attention.
_EXPECTED_TO_WORK: Final = (operations.CREATE_ORDER.key, operations.QUERY_PAYMENT.key)


def latest_calls() -> QuerySet[ApiCall]:
    """The latest calls to DANA."""
    fields = ("operation", "rule_code", "started_at", "duration_ms", "order__account")
    return ApiCall.objects.order_by("-id").select_related("order").only(*fields)[:MOST_READ]


def calls(now: datetime) -> Iterator[Finding]:
    """Say which accounts have no success with an operation any more: DANA is out of reach, or refuses the account."""
    latest: defaultdict[tuple[str, str], list[ApiCall]] = defaultdict(list)
    for call in latest_calls():
        has_ended = call.duration_ms is not None
        if has_ended and call.operation in _EXPECTED_TO_WORK and now - call.started_at <= FAILING_WITHIN:
            latest[call.order.account, call.operation].append(call)
    failing = {key: ended for key, ended in latest.items() if _are_failing(ended)}
    for (alias, operation), ended in failing.items():
        yield Finding(
            check="calls",
            subject=operation,
            account=alias,
            level=Level.ERROR,
            count=len(ended),
            since=min(call.started_at for call in ended),
            checked_at=now,
            text=_("None of the last %(count)s calls had success at DANA, the first %(age)s ago."),
        )
    if not failing:
        yield Finding(check="calls", checked_at=now, text=_("Calls to DANA succeed, or there were too few to judge."))


def _are_failing(ended: list[ApiCall]) -> bool:
    orders = {call.order_id for call in ended}
    return (
        len(ended) >= FAILING_CALLS and len(orders) >= FAILING_ORDERS and not any(_had_success(call) for call in ended)
    )


def _had_success(call: ApiCall) -> bool:
    # that DANA does not know an order is an answer as well
    return call.rule is not None and (call.rule.outcome is Outcome.SUCCESS or call.rule.order_unknown)


# -- attention --------------------------------------------------------------------------------------------------------


def with_attention(model: type[Model], reason: str) -> QuerySet[Any]:
    """The latest rows of a model that need attention for one reason."""
    return model._default_manager.filter(needs_attention=reason).order_by("-id")[:MOST_READ]


#: What can need attention: the reasons, and the field that holds the alias.
ATTENTION: Final[Mapping[type[Model], tuple[Iterable[str], str]]] = {
    Order: (Order.Attention.values, "account"),
    **{kind: (kind.Attention.values, "order__account") for kind in REQUESTS},
}

#: The reasons that no person can clear by looking: the setting has to be put right, or DANA's view of the account.
_BROKEN: Final = (Order.Attention.ACCOUNT, Order.Attention.ACCOUNT_REFUSED)


def attention(now: datetime) -> Iterator[Finding]:
    """Say how many rows need a person to look, by reason."""
    found = False
    for model, (reasons, account) in ATTENTION.items():
        for reason in reasons:
            by_account = Counter(with_attention(model, reason).values_list(account, flat=True))
            for alias, count in by_account.items():
                found = True
                yield Finding(
                    check="attention",
                    subject=f"{model._meta.model_name}.{reason}",
                    account=alias,
                    level=Level.ERROR if reason in _BROKEN else Level.WARNING,
                    count=count,
                    checked_at=now,
                    text=_("%(count)s need a person to look: %(subject)s."),
                )
    if not found:
        yield Finding(check="attention", checked_at=now, text=_("Nothing needs attention."))


# -- messages ---------------------------------------------------------------------------------------------------------


def latest_messages() -> QuerySet[Notification]:
    """The latest messages that are proved to be DANA's."""
    # not verified=True, which becomes verified alone, for which SQLite takes no index
    return Notification.objects.filter(verified__in=[True]).order_by("-id")[:MOST_READ]


def latest_payments(now: datetime) -> QuerySet[Order]:
    """The latest payments of the last days of which DANA must have told us by now."""
    return Order.objects.filter(
        payment_status=Order.PaymentStatus.PAID, paid_at__gte=now - UNHEARD_WITHIN, paid_at__lte=now - UNHEARD_AFTER
    ).order_by("-paid_at")[:_LATEST_PAYMENTS]


def messages(now: datetime) -> Iterator[Finding]:
    """Say when each account last heard from DANA, and which hear nothing although they are paid."""
    last_heard: dict[str, datetime] = {}
    for alias, received_at in latest_messages().values_list("account", "received_at"):
        last_heard.setdefault(alias, received_at)
    unheard = _unheard(now)
    for alias in {**last_heard, **unheard}:
        text = _("DANA's last message came %(age)s ago.")
        level, count = Level.OK, unheard.get(alias, 0)
        if count:
            level = Level.ERROR
            text = _("The last %(count)s payments came without a message from DANA: does NOTIFICATION_URL reach us?")
        yield Finding(
            check="messages",
            account=alias,
            level=level,
            count=count,
            since=last_heard.get(alias),
            checked_at=now,
            text=text,
        )
    if not last_heard and not unheard:
        yield Finding(check="messages", checked_at=now, text=_("No message from DANA is stored."))


def _unheard(now: datetime) -> dict[str, int]:
    """Return how many of the latest payments came without a message, for the accounts of which none had one."""
    heard = Exists(Notification.objects.filter(order=OuterRef("pk"), verified=True))
    by_account: defaultdict[str, list[bool]] = defaultdict(list)
    for alias, was_heard in latest_payments(now).values_list("account", heard):
        by_account[alias].append(was_heard)
    return {
        alias: len(payments)
        for alias, payments in by_account.items()
        if len(payments) >= UNHEARD_PAYMENTS and not any(payments)
    }


def latest_refused() -> QuerySet[Notification]:
    """The latest messages that nobody proved to be DANA's."""
    return Notification.objects.refused().order_by("-id")[:MOST_READ]


def signatures(now: datetime) -> Iterator[Finding]:
    """Say how many messages were refused in the last hour. Anybody can send one, so it is never an error."""
    rows = latest_refused().values_list("received_at", "outcome")
    # where our own key could not be read, nothing is said about the signature
    moments = [moment for moment, outcome in rows if outcome == Notification.Outcome.BAD_SIGNATURE]
    recent = [moment for moment in moments if now - moment <= REFUSED_WITHIN]
    text = _("%(count)s messages without a valid signature in the last hour.")
    yield Finding(
        check="signatures",
        level=Level.WARNING if recent else Level.OK,
        count=len(recent),
        since=moments[0] if moments else None,
        checked_at=now,
        text=text,
    )


CHECKS: Final[Mapping[str, Callable[[datetime], Iterable[Finding]]]] = {
    "accounts": accounts,
    "sweeps": sweeps,
    "queues": queues,
    "receivers": receivers,
    "calls": calls,
    "attention": attention,
    "messages": messages,
    "signatures": signatures,
}
