"""Whatever order facts arrive in, the end depends only on DANA's books, and a payment is never lost."""

import socket
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from django_dana import conf, services, tasks, transitions
from django_dana.models import CancelRequest, Order
from django_dana.protocol.messages import StatusReport
from django_dana.transitions import payments
from tests import wire as w
from tests.factories import NOW, fresh, new_order
from tests.wire import CANCEL_PATH, CREATE_PATH, Act, Heard, Wire

pytestmark = pytest.mark.django_db

STATUS = {"INIT": "01", "SUCCESS": "00", "CLOSED": "05", "CANCELLED": "05"}


class Books:
    """A DANA with one order, which may lose what it hears or what it answers."""

    def __init__(self) -> None:
        self.state = ""
        self.was_paid = False
        self.faults: list[str] = []

    def __call__(self, connection: socket.socket, request: Heard) -> bool | None:
        fault = self.faults.pop() if self.faults else "none"
        if fault == "lost before acting":
            return None
        answer = self._answer(request.path)
        act = {"none": answer, "lost after acting": w.hang_up, "garbage": w.body(b"<html>")}[fault]
        return act(connection, request)

    def _answer(self, path: str) -> Act:
        if path == CREATE_PATH:
            self.state = self.state or "INIT"
            return w.code("2005400")
        if not self.state:
            return w.code("4045701" if path == CANCEL_PATH else "4045501")
        if path == CANCEL_PATH:
            is_open = self.state in ("INIT", "SUCCESS")
            self.state = "CANCELLED" if is_open else self.state
            return w.code("2005700" if is_open else "4045700")
        return w.status(STATUS[self.state], amount="15000.00")


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

    @initialize()
    def buy(self) -> None:
        self.order = new_order()

    @rule(
        fault=st.sampled_from(["lost before acting", "lost after acting", "garbage"]), times=st.sampled_from([1, 3, 9])
    )
    def something_breaks(self, fault: str, times: int) -> None:
        self.books.faults = [fault] * times

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
        self._expire_in_time()

    @rule()
    def the_buyer_pays(self) -> None:
        if self.books.state == "INIT":
            self.books.state, self.books.was_paid = "SUCCESS", True
            self.sent.append("00")

    @rule()
    def dana_closes_it(self) -> None:
        if self.books.state == "INIT":
            self.books.state = "CLOSED"
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
        if self.books.state == "INIT" and timezone.now() > self.order.valid_up_to:
            self.dana_closes_it()

    def _settle(self) -> None:
        self.books.faults = []
        self._clock.move_to(max(timezone.now(), self.order.valid_up_to + timedelta(minutes=6)))
        self._expire_in_time()
        for _ in range(60):
            tasks.retry_due()
            tasks.sync_stale()
            order = fresh(self.order)
            waiting = CancelRequest.objects.filter(order=order).exclude(next_attempt_at=None)
            moments = [order.next_attempt_at, order.next_sync_at, *waiting.values_list("next_attempt_at", flat=True)]
            due = [moment for moment in moments if moment]
            if not due:
                return
            self._clock.move_to(max(min(due), timezone.now()) + timedelta(milliseconds=1))
        raise AssertionError(f"{order.next_step} {moments}")

    def _compare(self) -> None:
        order = fresh(self.order)
        cancels = order.cancel_requests.all()
        expected = {
            "": {"not_found"},
            "SUCCESS": {"paid"},
            "CANCELLED": {"cancelled"},
            # a cancel whose end nobody saw, and the end of its time: DANA says 05 to both
            "CLOSED": {"expired", "cancelled"} if cancels else {"expired"},
        }
        assert order.payment_status in expected[self.books.state], (self.books.state, order.payment_status)
        assert bool(order.paid_at) <= self.books.was_paid
        assert order.create_status == ("success" if self.books.state else "failed")
        if self.books.state == "CANCELLED":
            assert "failed" not in {request.status for request in cancels}, "the money went back"
        for path in (CREATE_PATH, CANCEL_PATH):
            assert len(set(self.wire.bodies(path))) <= max(1, len(cancels))


def test_the_end_depends_only_on_danas_books(dana: Wire) -> None:
    Orderings.wire = dana
    run_state_machine_as_test(
        Orderings,
        settings=settings(max_examples=60, stateful_step_count=20, suppress_health_check=list(HealthCheck)),
    )
    assert Order.objects.exists()
