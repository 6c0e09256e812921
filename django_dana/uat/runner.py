"""Plays the scenarios against a sandbox account. It writes no orders.

What this shop answered to DANA's messages is read from the notifications that its web process has stored.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from django_dana.models import Notification
from django_dana.progress import Progress
from django_dana.protocol import notation
from django_dana.uat.notifications import new_reference
from django_dana.uat.sandbox import Exchange, Sandbox, StepFailed
from django_dana.uat.scenarios import CALLS, NOTIFY, Notice

_LOOK_EVERY: Final = 0.5

#: What the notification address answers, by what it noted.
_ANSWERS: Final = {
    Notification.Outcome.TEST: "2005600",
    Notification.Outcome.FAILED: "5005601",
    Notification.Outcome.UNKNOWN_ORDER: "4045601",
    Notification.Outcome.BAD_SHAPE: "4005601",
    Notification.Outcome.INCOMPLETE: "4005602",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one scenario ended.

    Attributes:
        name: the scenario's.
        reference: partnerReferenceNo of its order.
        at: when its last request was sent, or its message received.
        expected: the responseCode that passes, with the status where one counts.
        answered: the same as it came.
        remark: what DANA or this command has to say about it.
        request_body: what was sent, by whichever side asks.
        response_body: what was answered to it.
    """

    name: str
    reference: str
    at: datetime
    expected: str
    answered: str
    remark: str
    request_body: str
    response_body: str

    @property
    def passed(self) -> bool:
        """Whether DANA, or this shop, answered as the scenario demands."""
        return self.answered == self.expected


def run(sandbox: Sandbox, *, wait: float, progress: Progress) -> Iterator[Result]:
    """Play all scenarios, one after the other; those that wait for DANA's messages come last.

    Args:
        sandbox: the account.
        wait: how many seconds a message may take from the moment when DANA can send it.
        progress: is told of each result, and may end the run.
    """
    progress.expect(lambda: len(CALLS) + len(NOTIFY))
    notices = [_BegunNotice(notice, sandbox, timedelta(seconds=wait)) for notice in NOTIFY]
    for scenario in CALLS:
        reference = scenario.reference or new_reference()
        expected = _answer(scenario.expects, scenario.status)
        try:
            exchange = sandbox.play(scenario, reference)
        except StepFailed as error:
            exchange = Exchange(at=datetime.now(UTC), request_body="", error=str(error))
        yield Result(
            name=scenario.name,
            reference=reference,
            at=exchange.at,
            expected=expected,
            answered=_answer(exchange.code, exchange.status if scenario.status else ""),
            remark=exchange.error or exchange.message,
            request_body=exchange.request_body,
            response_body=exchange.response_body,
        )
        progress.advance()
        if progress.is_stopped:
            return
    for notice in notices:
        notice.wait_for_message(progress)
    if progress.is_stopped:
        return
    # only now, since the one that was refused on purpose may have come again in the meantime
    for notice in notices:
        yield notice.result()
        progress.advance()


class _BegunNotice:
    """An order about which DANA will send a message."""

    def __init__(self, notice: Notice, sandbox: Sandbox, wait: timedelta) -> None:
        self._notice = notice
        self._url = sandbox.account.notification_url
        self._begun_at = datetime.now(UTC)
        self._deadline = self._begun_at + wait + (timedelta(0) if notice.is_paid else notice.lifetime)
        self._reference = new_reference()
        self._problem = ""
        try:
            created = sandbox.open_virtual_account(self._reference, notice.amount, notice.lifetime)
            if notice.is_paid:
                sandbox.pay(created)
        except StepFailed as error:
            self._problem = str(error)

    def wait_for_message(self, progress: Progress) -> None:
        """Wait until the message is there, its time is over, or somebody wants the run to end."""
        while (
            not progress.is_stopped and not self._problem and not self._heard() and datetime.now(UTC) < self._deadline
        ):
            time.sleep(_LOOK_EVERY)

    def result(self) -> Result:
        """Return how it ended, by what was heard so far."""
        heard = self._heard()
        first = heard[0] if heard else None
        answered = _answer(_ANSWERS[_outcome(first)], _status_in(first)) if first else ""
        return Result(
            name=self._notice.name,
            reference=self._reference,
            at=first.received_at if first else self._begun_at,
            expected=_answer(self._notice.expects, self._notice.status),
            answered=answered,
            remark=self._remark(heard),
            request_body=first.body if first else "",
            response_body="",
        )

    def _heard(self) -> list[Notification]:
        """DANA's verified messages about this order whose answer is known, the first one first."""
        return list(self._messages().filter(verified=True).exclude(outcome="").order_by("pk"))

    def _messages(self) -> QuerySet[Notification]:
        return Notification.objects.filter(received_at__gte=self._begun_at, body__contains=self._reference)

    def _remark(self, heard: list[Notification]) -> str:
        if self._problem:
            return self._problem
        if not heard and self._messages().exists():
            return "A message came, but its signature did not fit: see DANA_PUBLIC_KEY and NOTIFICATION_URL."
        if not heard:
            return f"No message came. Does DANA reach {self._url}, and does that shop use this database?"
        if len(heard) > 1:
            return f"DANA sent it {len(heard)} times; the last one was answered {_ANSWERS[_outcome(heard[-1])]}."
        return ""


def _outcome(message: Notification) -> Notification.Outcome:
    return Notification.Outcome(message.outcome)


def _status_in(message: Notification) -> str:
    try:
        content = notation.parse_json_object(message.body.encode())
    except ValueError:
        return ""
    return str(content.get("latestTransactionStatus", ""))


def _answer(code: str, status: str) -> str:
    return f"{code}, status {status}" if status else code
