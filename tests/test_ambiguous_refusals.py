"""An echo is not a refusal: after an attempt whose end nobody saw, DANA is asked before a refusal is believed."""

import socket
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from django_dana import services, tasks
from django_dana.models import ApiCall, CancelRequest, Order
from django_dana.protocol import operations, response_codes
from tests import wire as w
from tests.conftest import Clock
from tests.factories import created_order, fresh, fresh_cancel, new_order, paid_order
from tests.wire import CANCEL_PATH, CREATE_PATH, QUERY_PATH, Act, Wire

pytestmark = pytest.mark.django_db

AMOUNT = "15000.00"
REFUSALS_OF_CANCEL = sorted(response_codes.CANCEL.refusals)


def next_due(row: Order | CancelRequest, clock: Clock) -> None:
    """Move to the row's next attempt and let the workers do it."""
    row.refresh_from_db()
    assert row.next_attempt_at
    clock.to(row.next_attempt_at)
    tasks.retry_due()
    row.refresh_from_db()


def create_twice(dana: Wire, clock: Clock, *acts: Act) -> Order:
    """Lose the first reply to a create, then play the acts."""
    dana.play(w.hang_up, *acts)
    order = new_order()
    tasks.create_order(order.pk)
    next_due(order, clock)
    return order


def test_create_4045418_without_an_earlier_attempt_is_a_refusal(dana: Wire, clock: Clock) -> None:
    dana.play(w.code("4045418"))
    order = new_order()
    tasks.create_order(order.pk)
    assert fresh(order).create_status == "failed"
    assert len(dana.heard) == 1


def test_create_4045418_after_a_definite_answer_is_a_refusal(dana: Wire, clock: Clock) -> None:
    dana.play(w.code("5005400"), w.code("4045418"))
    order = new_order()
    tasks.create_order(order.pk)
    next_due(order, clock)
    assert order.create_status == "failed"
    assert dana.bodies(QUERY_PATH) == []


@pytest.mark.parametrize(("amount", "expected"), [(AMOUNT, "success"), ("1.00", "failed")])
def test_create_4045418_after_dana_said_that_it_has_the_order_is_settled_by_its_amount(
    dana: Wire, clock: Clock, amount: str, expected: str
) -> None:
    dana.play(w.code("5005400"), w.status("01"), w.code("4045418"), w.status("01", amount=amount))
    order = new_order()
    tasks.create_order(order.pk)
    services.sync_order(order)
    next_due(order, clock)
    assert (order.create_status, order.payment_status == "paid") == (expected, False)


@pytest.mark.parametrize("latest", ["01", "02", "00", "05"])
def test_create_4045418_known_with_equal_amount_is_our_success(
    dana: Wire, clock: Clock, told: list[str], latest: str
) -> None:
    order = create_twice(dana, clock, w.code("4045418"), w.status(latest, amount=AMOUNT))
    assert order.create_status == "success"
    expected = {"01": "initiated", "02": "paying", "00": "paid", "05": "expired"}
    assert order.payment_status == expected[latest]
    assert "order_failed" not in told


def test_create_4045418_known_and_unpaid_lost_its_address_so_the_buyer_starts_again(dana: Wire, clock: Clock) -> None:
    order = create_twice(dana, clock, w.code("4045418"), w.status("01", amount=AMOUNT))
    assert order.needs_attention == "no_address"
    assert "start again" in order.next_step


@pytest.mark.parametrize("answer", [w.status("00", amount="1.00"), w.status("01", amount="1.00")], ids=["00", "01"])
def test_create_4045418_known_with_another_amount_is_failed_and_never_adopted(
    dana: Wire, clock: Clock, told: list[str], answer: Act
) -> None:
    order = create_twice(dana, clock, w.code("4045418"), answer)
    assert (order.create_status, order.payment_status, order.paid_at) == ("failed", "none", None)
    assert told == ["order_failed"]


def test_an_order_that_lost_its_address_is_asked_about_after_its_time(dana: Wire, clock: Clock) -> None:
    order = create_twice(dana, clock, w.code("4045418"), w.status("01", amount=AMOUNT))
    dana.play(w.status("05", amount=AMOUNT))
    clock.to(order.valid_up_to + timedelta(minutes=6))
    tasks.sync_stale()
    order = fresh(order)
    assert (order.payment_status, order.needs_attention) == ("expired", "")


def test_queries_about_an_order_that_lost_its_address_end_after_seven_days(dana: Wire, clock: Clock) -> None:
    order = create_twice(dana, clock, w.code("4045418"), w.status("01", amount=AMOUNT))
    clock.to(order.valid_up_to + timedelta(minutes=6))
    tasks.sync_stale()
    clock.forward(days=7, minutes=1)
    tasks.sync_stale()
    assert fresh(order).next_sync_at is None
    queries = len(dana.bodies(QUERY_PATH))
    tasks.sync_stale()
    assert len(dana.bodies(QUERY_PATH)) == queries


def test_another_order_under_our_reference_is_never_cancelled(dana: Wire, clock: Clock) -> None:
    order = create_twice(dana, clock, w.code("4045418"), w.status("00", amount="1.00"))
    with pytest.raises(ValidationError, match="somebody else's order"):
        services.cancel_order(order)
    assert CancelRequest.objects.count() == 0


@pytest.mark.parametrize("answer", [w.code("4045501"), w.status("07")], ids=["4045501", "07"])
def test_create_4045418_unknown_at_dana_is_failed(dana: Wire, clock: Clock, answer: Act) -> None:
    order = create_twice(dana, clock, w.code("4045418"), answer)
    assert order.create_status == "failed"


UNANSWERED = {"no reply": w.hang_up, "5005501": w.code("5005501"), "no amount": w.status("00")}


@pytest.mark.parametrize("answer", UNANSWERED.values(), ids=UNANSWERED)
def test_create_4045418_stays_pending_until_dana_has_answered(dana: Wire, clock: Clock, answer: Act) -> None:
    order = create_twice(dana, clock, w.code("4045418"), answer)
    assert (order.create_status, order.payment_status) == ("pending", "none")
    assert order.next_attempt_at is None
    assert order.next_sync_at
    assert order.next_sync_at > timezone.now()
    dana.play(w.status("01", amount=AMOUNT))
    clock.to(order.next_sync_at)
    tasks.sync_stale()
    assert fresh(order).create_status == "success"
    assert len(dana.bodies(CREATE_PATH)) == 2


UNSEEN_ENDS: dict[str, Callable[[], Act]] = {
    "no reply": lambda: w.hang_up,
    "unexpected": lambda: w.body(b"<html>"),
    "2025700": lambda: w.code("2025700"),
    "5005701": lambda: w.code("5005701"),
}


def answer_again(dana: Wire, clock: Clock, cancel_request: CancelRequest, answer: Act) -> CancelRequest:
    """Let DANA answer the same once the cancel whose end nobody saw can't act any more."""
    assert cancel_request.status == "pending", "not believed while that cancel may still act"
    dana.play(answer)
    clock.forward(minutes=5)
    tasks.sync_stale()
    return fresh_cancel(cancel_request)


def cancel_twice(dana: Wire, clock: Clock, first: Act, *acts: Act, paid: bool = True) -> CancelRequest:
    """Cancel an order whose first cancel call has no clear end, then play the acts."""
    order = paid_order(dana) if paid else created_order(dana)
    dana.play(first, *acts)
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    next_due(cancel_request, clock)
    return cancel_request


@pytest.mark.parametrize("echo", REFUSALS_OF_CANCEL)
@pytest.mark.parametrize("first", UNSEEN_ENDS.values(), ids=UNSEEN_ENDS)
def test_a_refusal_of_a_cancel_of_a_closed_order_is_our_success(
    dana: Wire, clock: Clock, told: list[str], first: Callable[[], Act], echo: str
) -> None:
    cancel_request = cancel_twice(dana, clock, first(), w.code(echo), w.status("05"))
    assert cancel_request.status == "success"
    assert fresh(cancel_request.order).payment_status == "cancelled"
    assert "cancel_failed" not in told


@pytest.mark.parametrize("latest", ["00", "01", "02"])
@pytest.mark.parametrize("echo", REFUSALS_OF_CANCEL)
def test_a_refusal_of_a_cancel_of_an_open_order_is_the_codes_own_outcome(
    dana: Wire, clock: Clock, echo: str, latest: str
) -> None:
    cancel_request = cancel_twice(dana, clock, w.hang_up, w.code(echo), w.status(latest), paid=latest == "00")
    cancel_request = answer_again(dana, clock, cancel_request, w.status(latest))
    assert cancel_request.status == "failed"
    assert (cancel_request.next_attempt_at is not None) == response_codes.CANCEL.rows[echo].is_tried_again
    assert fresh(cancel_request.order).payment_status == {"00": "paid", "01": "initiated", "02": "paying"}[latest]


@pytest.mark.parametrize("echo", REFUSALS_OF_CANCEL)
def test_a_refusal_of_an_unknown_order_is_the_codes_own_outcome(dana: Wire, clock: Clock, echo: str) -> None:
    cancel_request = cancel_twice(dana, clock, w.hang_up, w.code(echo), w.code("4045501"), paid=False)
    cancel_request = answer_again(dana, clock, cancel_request, w.code("4045501"))
    assert cancel_request.status == "failed"


@pytest.mark.parametrize("echo", REFUSALS_OF_CANCEL)
def test_until_dana_has_answered_staff_never_read_failed(dana: Wire, clock: Clock, echo: str) -> None:
    cancel_request = cancel_twice(dana, clock, w.hang_up, w.code(echo), w.hang_up)
    assert cancel_request.status == "pending"
    assert "do not refund by other means" in cancel_request.next_step
    assert cancel_request.unfinished
    order = fresh(cancel_request.order)
    assert order.next_sync_at
    dana.play(w.status("05"))
    clock.to(order.next_sync_at)
    tasks.sync_stale()
    assert fresh_cancel(cancel_request).status == "success"


@pytest.mark.parametrize("echo", REFUSALS_OF_CANCEL)
def test_an_earlier_aborted_request_counts_too(dana: Wire, clock: Clock, echo: str) -> None:
    order = paid_order(dana)
    dana.play(w.hang_up)
    aborted = services.cancel_order(order)
    for _ in range(3):
        tasks.cancel_order(aborted.pk)
        aborted = fresh_cancel(aborted)
        if aborted.next_attempt_at:
            clock.to(aborted.next_attempt_at)
    assert aborted.status == "aborted"
    dana.play(w.code(echo), w.status("05"))
    again = services.cancel_order(fresh(order))
    tasks.cancel_order(again.pk)
    assert fresh_cancel(again).status == "success"
    assert fresh_cancel(aborted).status == "success"
    assert fresh(order).payment_status == "cancelled"


@pytest.mark.parametrize("echo", ["4045700", "4035700"])
def test_without_an_earlier_attempt_it_is_a_refusal_at_once(dana: Wire, clock: Clock, echo: str) -> None:
    order = paid_order(dana)
    dana.play(w.code(echo))
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    assert fresh_cancel(cancel_request).status == "failed"
    assert len(dana.bodies(QUERY_PATH)) == 1, "only the query that made it paid"


def test_a_dead_workers_attempt_counts_as_one_whose_end_nobody_saw(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    cancel_request = services.cancel_order(order)
    ApiCall.objects.create(
        order=order,
        cancel_request=cancel_request,
        operation=operations.CANCEL_ORDER.key,
        external_id="dead",
        started_at=timezone.now(),
    )
    dana.play(w.code("4045700"), w.status("05"))
    tasks.cancel_order(cancel_request.pk)
    assert fresh_cancel(cancel_request).status == "success"


def test_cancel_of_a_pending_create_that_dana_never_got_ends_both(dana: Wire, clock: Clock) -> None:
    dana.play(w.hang_up)
    order = new_order()
    tasks.create_order(order.pk)
    cancel_request = services.cancel_order(fresh(order), reason="Network timeout")
    dana.play(w.code("4045701"), w.code("4045501"))
    tasks.cancel_order(cancel_request.pk)
    answer_again(dana, clock, fresh_cancel(cancel_request), w.code("4045501"))
    order = fresh(order)
    assert fresh_cancel(cancel_request).status == "failed"
    assert (order.create_status, order.payment_status) == ("failed", "not_found")
    clock.forward(minutes=10)
    tasks.retry_due()
    assert len(dana.bodies(CREATE_PATH)) == 1, "the create is not sent again once a cancel was asked for"


class Lossy:
    """A DANA that acts and then hangs up: the first reply to each operation is lost."""

    def __init__(self) -> None:
        self.created = self.cancelled = False

    def __call__(self, connection: socket.socket, request: w.Heard) -> bool | None:
        if request.path == CREATE_PATH:
            known, self.created = self.created, True
            return w.code("2005400")(connection, request) if known else None
        if request.path == CANCEL_PATH:
            known, self.cancelled = self.cancelled, True
            return w.code("4045700")(connection, request) if known else None
        return w.status("05" if self.cancelled else "01", amount=AMOUNT)(connection, request)


def test_the_lost_replies_end_in_success_and_staff_never_saw_failed(dana: Wire, clock: Clock) -> None:
    dana.play(Lossy())
    order = new_order()
    tasks.create_order(order.pk)
    seen = [fresh(order).create_status]
    next_due(order, clock)
    seen.append(order.create_status)
    cancel_request = services.cancel_order(order)
    tasks.cancel_order(cancel_request.pk)
    seen.append(fresh_cancel(cancel_request).status)
    next_due(cancel_request, clock)
    seen.append(cancel_request.status)
    assert seen == ["new", "success", "new", "success"]
    assert fresh(order).payment_status == "cancelled"


@pytest.mark.parametrize("echo", REFUSALS_OF_CANCEL)
def test_a_refusal_that_no_query_settles_is_given_up_in_its_time(dana: Wire, clock: Clock, echo: str) -> None:
    cancel_request = cancel_twice(dana, clock, w.hang_up, w.code(echo), w.hang_up)
    clock.to(cancel_request.give_up_at)
    tasks.retry_due()
    cancel_request = fresh_cancel(cancel_request)
    assert (cancel_request.status, cancel_request.unfinished) == ("aborted", None)
