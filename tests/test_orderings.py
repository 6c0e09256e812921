"""Whatever order facts arrive in, the end depends only on DANA's books, and a payment is never lost."""

import os
import socket
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from django_dana import conf, services, tasks, transitions
from django_dana.models import Order
from django_dana.protocol.messages import StatusReport
from django_dana.transitions import payments
from tests import wire as w
from tests.factories import NOW, fresh, new_order
from tests.wire import CANCEL_PATH, CREATE_PATH, QUERY_PATH, Act, Heard, Wire

pytestmark = pytest.mark.django_db

#: How many stories are told; more of them in a long run.
EXAMPLES = int(os.environ.get("ORDERINGS", "40"))

STATUS = {"INIT": "01", "SUCCESS": "00", "CLOSED": "05", "CANCELLED": "05"}


REFUSALS = ("4005700", "4015700", "4035700", "4035705", "4035714", "4045700", "4045708", "5005700")
#: Late acts and old views together stay within the five minutes after which an answer is believed.
LATE = (3, 20, 200)


class Books:
    """A DANA with one order, which may lose what it hears or answers, act late, look at an old view, or refuse."""

    def __init__(self) -> None:
        self.was_paid = False
        self.has_anothers = False
        self.faults: list[str] = []
        self.lag = timedelta(0)
        self._states: list[tuple[datetime, str]] = [(timezone.now(), "")]
        self._late: list[tuple[datetime, str]] = []

    @property
    def state(self) -> str:
        """What is true now."""
        return self._states[-1][1]

    def become(self, state: str, moment: datetime | None = None) -> None:
        """Change the books."""
        if state != self.state:
            self._states.append((moment or timezone.now(), state))

    def catch_up(self) -> None:
        """Do what was to be done late."""
        due = [(moment, path) for moment, path in self._late if moment <= timezone.now()]
        self._late = [act for act in self._late if act not in due]
        for moment, path in due:
            self._act(path, moment)

    def __call__(self, connection: socket.socket, request: Heard) -> bool | None:
        self.catch_up()
        fault = self.faults.pop() if self.faults and request.path != QUERY_PATH else "none"
        if fault.isdigit():
            code = fault if request.path == CANCEL_PATH else "4015400"
            return w.code(code)(connection, request)
        if fault == "lost before acting":
            return None
        if fault.startswith("late") and not self.has_anothers:
            self._late.append((timezone.now() + timedelta(seconds=int(fault[4:])), request.path))
            return None
        answer = self._answer(request.path)
        act = {"lost after acting": w.hang_up, "garbage": w.body(b"<html>")}.get(fault, answer)
        return act(connection, request)

    def _act(self, path: str, moment: datetime | None = None) -> bool:
        """Do what a call asks for; return whether that was possible."""
        if path == CREATE_PATH:
            self.become(self.state or "INIT", moment)
            return True
        assert not self.has_anothers, "somebody else's order was cancelled"
        is_open = self.state in ("INIT", "SUCCESS")
        self.become("CANCELLED" if is_open else self.state, moment)
        return is_open

    def _answer(self, path: str) -> Act:
        if self.has_anothers and path != CANCEL_PATH:
            return w.code("4045418") if path == CREATE_PATH else w.status("00", amount="1.00")
        if path == CREATE_PATH:
            self._act(path)
            return w.code("2005400")
        if path == CANCEL_PATH:
            if not self.state:
                return w.code("4045701")
            return w.code("2005700" if self._act(path) else "4045700")
        seen = [state for moment, state in self._states if moment <= timezone.now() - self.lag]
        view = seen[-1] if seen else ""
        return w.status(STATUS[view], amount="15000.00") if view else w.code("4045501")


class Orderings(RuleBasedStateMachine):
    """One order, lived through in any order."""

    wire: Wire

    def __init__(self) -> None:
        super().__init__()
        self._travel = time_machine.travel(NOW, tick=True)
        self._clock = self._travel.start()
        self.books = Books()
        self.wire.heard.clear()
        self.wire.play(self.books)
        self.sent: list[str] = []

    def teardown(self) -> None:
        try:
            if hasattr(self, "order"):
                self._settle()
                self._compare()
        finally:
            self._travel.stop()

    @initialize(has_anothers=st.sampled_from([False, False, False, True]))
    def buy(self, has_anothers: bool) -> None:  # noqa: FBT001
        self.books.has_anothers = has_anothers
        self.order = new_order()

    @rule(
        fault=st.sampled_from(["lost before acting", "lost after acting", "garbage", *(f"late{s}" for s in LATE)]),
        times=st.sampled_from([1, 3, 9]),
    )
    def something_breaks(self, fault: str, times: int) -> None:
        self.books.faults = [fault] * times

    @rule(
        fault=st.sampled_from(["lost before acting", "lost after acting", *(f"late{s}" for s in LATE)]),
        code=st.sampled_from(REFUSALS),
    )
    def a_call_is_lost_and_the_next_refused(self, fault: str, code: str) -> None:
        # the last one comes first
        self.books.faults = [code, fault]

    @rule(seconds=st.sampled_from([0, 30, 80]))
    def danas_view_lags(self, seconds: int) -> None:
        self.books.lag = timedelta(seconds=seconds)

    @rule()
    def workers_go_on(self) -> None:
        tasks.retry_due()

    @rule()
    def workers_go_on_for_a_while(self) -> None:
        for _ in range(3):
            tasks.retry_due()
            self.time_goes_on(10)

    @rule()
    def stale_ones_are_asked_about(self) -> None:
        tasks.sync_stale()

    @rule(seconds=st.sampled_from([1, 10, 60, 600]))
    def time_passes(self, seconds: int) -> None:
        self.time_goes_on(seconds)

    def time_goes_on(self, seconds: int) -> None:
        self._clock.shift(timedelta(seconds=seconds))
        self.books.catch_up()
        self._expire_in_time()

    @rule()
    def the_buyer_pays(self) -> None:
        if self.books.state == "INIT":
            self.books.become("SUCCESS")
            self.books.was_paid = True
            self.sent.append("00")

    @rule()
    def dana_closes_it(self) -> None:
        self._close(timezone.now())

    def _close(self, moment: datetime) -> None:
        if self.books.state == "INIT":
            self.books.become("CLOSED", moment)
            self.sent.append("05")

    @rule(data=st.data())
    def a_notification_arrives(self, data: Any) -> None:
        if self.sent:
            status = data.draw(st.sampled_from(self.sent))
            report = StatusReport(status=status, amount=self.order.amount, currency="IDR")
            with transitions.locked_order(self.order.pk, conf.account("default")) as locked:
                payments.reported_by_notification(locked, report)

    @rule()
    def staff_cancel(self) -> None:
        try:
            services.cancel_order(fresh(self.order))
        except ValidationError:
            return

    @rule()
    def staff_ask(self) -> None:
        services.sync_order(self.order)

    @invariant()
    def nothing_is_called_paid_that_never_was(self) -> None:
        if hasattr(self, "order") and not self.books.was_paid:
            order = fresh(self.order)
            assert (order.payment_status == "paid", order.paid_at) == (False, None)

    def _expire_in_time(self) -> None:
        if timezone.now() > self.order.valid_up_to:
            self._close(self.order.valid_up_to)

    def _settle(self) -> None:
        """Let a week of sweeps go by."""
        self.books.faults = []
        end = max(timezone.now(), self.order.valid_up_to) + timedelta(days=8)
        while timezone.now() < end:
            tasks.retry_due()
            tasks.sync_stale()
            order = fresh(self.order)
            requests = order.cancel_requests.exclude(next_attempt_at=None).values_list("next_attempt_at", flat=True)
            moments = [order.next_attempt_at, order.next_sync_at, order.valid_up_to + timedelta(minutes=6), *requests]
            due = [moment for moment in moments if moment and moment > timezone.now()]
            self._clock.move_to(min([*due, timezone.now() + timedelta(days=1)]) + timedelta(milliseconds=1))
            self.books.catch_up()
            self._expire_in_time()

    def _compare(self) -> None:
        order = fresh(self.order)
        cancels = order.cancel_requests.all()
        expected = {
            "": {"none", "not_found"},
            "SUCCESS": {"paid"},
            "CANCELLED": {"cancelled"},
            # a cancel whose end nobody saw, and the end of its time: DANA says 05 to both
            "CLOSED": {"expired", "cancelled"} if cancels else {"expired"},
        }
        assert order.payment_status in expected[self.books.state], (self.books.state, order.payment_status)
        assert bool(order.paid_at) <= self.books.was_paid
        if self.books.has_anothers:
            assert order.create_status in ("failed", "pending")
        else:
            assert order.create_status == ("success" if self.books.state else "failed")
        assert order.next_attempt_at is None
        if self.books.state == "CANCELLED":
            assert {request.status for request in cancels} & {"failed", "aborted"} == self._never_acted(order)
        for path in (CREATE_PATH, CANCEL_PATH):
            assert len(set(self.wire.bodies(path))) <= max(1, len(cancels))

    def _never_acted(self, order: Order) -> set[str]:
        """Return the ends of requests of which DANA refused each call, or that were never sent."""
        unseen = set(order.api_calls.end_unseen().values_list("cancel_request", flat=True))
        ended = [request for request in order.cancel_requests.all() if request.status in ("failed", "aborted")]
        assert not [request for request in ended if request.pk in unseen], "the money went back"
        return {request.status for request in ended}


def test_the_end_depends_only_on_danas_books(dana: Wire) -> None:
    Orderings.wire = dana
    run_state_machine_as_test(
        Orderings,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=20, suppress_health_check=list(HealthCheck)),
    )
    assert Order.objects.exists()
