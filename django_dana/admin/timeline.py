"""Everything that happened to an order, in order: calls, messages, people and the shop's own receivers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_dana.admin.rendering import pretty_text, pretty_value
from django_dana.display import price
from django_dana.models import REQUESTS, ApiCall, CancelRequest, Notification, Order, RefundRequest
from django_dana.protocol import notation, operations, response_codes
from django_dana.protocol.response_codes import Outcome
from django_dana.services.summary import Request, Summary, Tone

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

#: Lines of one kind; all of them are one click away.
MOST_SHOWN: Final = 30

# Who asks for a refund leaves a request and a line in the history at the same moment.
_SAME_MOMENT: Final = timedelta(seconds=5)

PERSON: Final = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line.

    Attributes:
        at: when.
        title: what happened.
        tone: how it looks: a tone, or ``person``.
        small: beside the title, in small letters.
        note: what a person wrote.
        meaning: what the answer means, for staff.
        evidence: raw texts, masked; shown when the line is opened.
    """

    at: datetime
    title: str
    tone: str = Tone.CALM
    small: str = ""
    note: str = ""
    meaning: str = ""
    evidence: Sequence[tuple["_StrOrPromise", SafeString]] = ()
    day: str = ""

    @property
    def opens(self) -> bool:
        """Whether there is more to read than the line."""
        return bool(self.meaning or self.evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The lines of an order, and how many calls and messages there are in all."""

    entries: list[Entry] = field(default_factory=list)
    calls: int = 0
    messages: int = 0


def timeline_of(summary: Summary, *, with_evidence: bool) -> Timeline:
    """Return what happened to an order.

    Args:
        summary: the order and its requests.
        with_evidence: whether raw texts are read and shown.
    """
    order = summary.order
    calls = _latest(order.api_calls.all(), () if with_evidence else ("response_body",))
    messages = _latest(order.notifications.all(), () if with_evidence else ("headers",))
    found = [
        *_own(order),
        *_people(order, summary.requests),
        *_calls(order, calls, with_evidence=with_evidence),
        *(_message(row, with_evidence=with_evidence) for row in messages),
        *_receivers(order),
    ]
    found.sort(key=lambda entry: entry.at)
    return Timeline(
        entries=list(_with_days(found)),
        calls=len(calls) if len(calls) < MOST_SHOWN else order.api_calls.count(),
        messages=len(messages) if len(messages) < MOST_SHOWN else order.notifications.count(),
    )


def _latest(rows: Any, unread: Sequence[str]) -> list[Any]:
    """Return the latest rows, oldest first."""
    return list(rows.order_by("-id").defer(*unread)[:MOST_SHOWN])[::-1]


def _with_days(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Name the day of the first line of each day."""
    last = None
    for entry in entries:
        day = timezone.localtime(entry.at).date()
        yield entry if day == last else _named(entry)
        last = day


def _named(entry: Entry) -> Entry:
    values = {name: getattr(entry, name) for name in Entry.__slots__}
    return Entry(**{**values, "day": date_format(timezone.localtime(entry.at), "j M Y")})


def _own(order: Order) -> Iterator[Entry]:
    until = date_format(timezone.localtime(order.valid_up_to), "j M, H:i")
    yield Entry(at=order.created_at, title=gettext("Order created"), small=gettext("to be paid by %s") % until)
    if order.paid_at:
        amount = price(order.amount, order.currency)
        yield Entry(at=order.paid_at, title=gettext("Paid: %s") % amount, tone=Tone.GOOD)


# -- people ---------------------------------------------------------------------------------------------------------


def _people(order: Order, requests: Sequence[Request]) -> Iterator[Entry]:
    history = list(_history(order, requests))
    for request in requests:
        own = next((entry for entry in history if _is_of(entry, request)), None)
        if own is not None:
            history.remove(own)
        who = request.requested_by or gettext("The shop")
        is_refund = order.paid_at or isinstance(request, RefundRequest)
        title = (
            gettext("%(who)s asked for a refund of %(amount)s") if is_refund else gettext("%(who)s asked for a cancel")
        )
        yield Entry(
            at=request.created_at,
            title=title % {"who": who, "amount": price(request.amount, order.currency)},
            tone=PERSON,
            small=request.reason,
            note=own.get_change_message().partition("\n")[2] if own else "",
        )
        if done := _done_at(request):
            yield Entry(at=done[0], title=done[1], tone=Tone.GOOD)
    for entry in history:
        title, _separator, note = entry.get_change_message().partition("\n")
        yield Entry(at=entry.action_time, title=f"{entry.user}: {title.strip()}", tone=PERSON, note=note)


def _done_at(request: Request) -> tuple[datetime, str] | None:
    if request.status != "success":
        return None
    if isinstance(request, CancelRequest):
        return (request.cancel_time, gettext("Cancelled at DANA")) if request.cancel_time else None
    title = gettext("Refunded at DANA: %s") % price(request.amount, request.order.currency)
    return (request.refund_time, title) if request.refund_time else None


def _history(order: Order, requests: Sequence[Request]) -> Iterable[LogEntry]:
    """Return what people did, oldest first."""
    types = ContentType.objects.get_for_models(Order, *REQUESTS)
    about = Q(content_type=types[Order], object_id=str(order.pk))
    for kind in REQUESTS:
        if keys := [str(row.pk) for row in requests if isinstance(row, kind)]:
            about |= Q(content_type=types[kind], object_id__in=keys)
    return LogEntry.objects.filter(about).select_related("user").order_by("-id")[:MOST_SHOWN][::-1]


def _is_of(entry: LogEntry, request: Request) -> bool:
    after = entry.action_time - request.created_at
    return entry.user_id == request.requested_by_id and timedelta(0) <= after <= _SAME_MOMENT


# -- calls ----------------------------------------------------------------------------------------------------------


def _calls(order: Order, calls: Sequence[ApiCall], *, with_evidence: bool) -> Iterator[Entry]:
    """Yield a line for each run of calls that ended alike."""
    for _kind_of_run, run in groupby(calls, key=_kind):
        alike = list(run)
        last = alike[-1]
        title, tone = _end_of(last)
        if len(alike) > 1:
            title += ngettext(", %d time", ", %d times", len(alike)) % len(alike)
        yield Entry(
            at=alike[0].started_at,
            title=title,
            tone=tone,
            small=_times(alike) if len(alike) > 1 else _facts_of(last),
            meaning=gettext(last.rule.advice) if last.rule else "",
            evidence=[piece for call in alike for piece in _answer_of(call)] if with_evidence else (),
        )


def _kind(call: ApiCall) -> tuple[str, str, int | None]:
    is_open = call.duration_ms is None
    # an operation has requests of one kind at most
    return (
        call.operation,
        f"open {call.pk}" if is_open else call.rule_code,
        call.cancel_request_id or call.refund_request_id,
    )


def _times(calls: Sequence[ApiCall]) -> str:
    return ", ".join(f"{timezone.localtime(call.started_at):%H:%M:%S}" for call in calls)


def _facts_of(call: ApiCall) -> str:
    took = "" if call.duration_ms is None else gettext("%d ms") % call.duration_ms
    return ", ".join(part for part in (call.response_code, took, call.error) if part)


def _answer_of(call: ApiCall) -> Iterator[tuple[str, SafeString]]:
    if call.response_body:
        when = f"{timezone.localtime(call.started_at):%H:%M:%S}"
        yield gettext("Answer at %s") % when, pretty_text(call.response_body)


def _end_of(call: ApiCall) -> tuple[str, str]:
    """Return what came of a call, in words, and how it looks."""
    rule = call.rule
    if call.duration_ms is None and rule is None:
        return gettext("%s: how this call ended is not known") % call.get_operation_display(), Tone.WAIT
    if rule is None:
        return f"{call.get_operation_display()}: {call.response_message or call.error}", Tone.CALM
    if rule.code == response_codes.NO_REPLY:
        return gettext("%s: DANA did not answer") % call.get_operation_display(), Tone.BAD
    done = _DONE.get(call.operation)
    if rule.outcome is Outcome.SUCCESS and done:
        return str(done), Tone.CALM if call.operation == operations.QUERY_PAYMENT.key else Tone.GOOD
    tone = Tone.WAIT if rule.outcome is Outcome.PENDING else Tone.BAD
    return f"{call.get_operation_display()}: {rule.name}", tone


_DONE: Final[dict[str, "_StrOrPromise"]] = {
    operations.CREATE_ORDER.key: _("DANA accepted the order"),
    operations.CANCEL_ORDER.key: _("DANA accepted the cancellation"),
    operations.REFUND_ORDER.key: _("DANA accepted the refund"),
    operations.QUERY_PAYMENT.key: _("DANA was asked, and answered"),
}

# -- messages and receivers -----------------------------------------------------------------------------------------

_REPORTED: Final = {
    "00": _("DANA reports: paid"),
    "01": _("DANA reports: initiated"),
    "02": _("DANA reports: being paid"),
    "05": _("DANA reports: closed"),
    "07": _("DANA reports: not found"),
}


def _message(row: Notification, *, with_evidence: bool) -> Entry:
    signature = gettext("signature valid") if row.verified else gettext("signature invalid")
    is_fine = row.outcome in (Notification.Outcome.APPLIED, Notification.Outcome.KNOWN)
    evidence = [(_("body"), pretty_text(row.body)), (_("headers"), pretty_value(row.headers))] if with_evidence else []
    return Entry(
        at=row.received_at,
        title=str(_REPORTED.get(_status_in(row.body), _("Message from DANA"))),
        tone=Tone.CALM if is_fine else Tone.BAD,
        small=", ".join(part for part in (row.get_outcome_display(), signature, row.error) if part),
        evidence=evidence,
    )


def _status_in(body: str) -> str:
    try:
        return str(notation.parse_json_object(body.encode()).get("latestTransactionStatus", ""))
    except ValueError:
        return ""


def _receivers(order: Order) -> Iterator[Entry]:
    """Yield what the shop could not be told so far."""
    for event in order.outbox.filter(attempts__gt=0).exclude(error="").order_by("id")[:MOST_SHOWN]:
        times = ngettext("failed %d time", "failed %d times", event.attempts) % event.attempts
        yield Entry(
            at=event.created_at,
            title=gettext("The shop's own code for “%s” fails") % event.name,
            tone=Tone.BAD,
            small=f"{event.error}, {times}",
        )
