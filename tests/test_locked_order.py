"""What an order and its requests say together: the attention of staff, the next query, and what is kept and told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from django_dana import conf, services, tasks, transitions
from django_dana.models import CancelRequest, Order
from django_dana.protocol.messages import StatusReport
from django_dana.transitions import payments
from tests import wire as w
from tests.conftest import Clock
from tests.factories import cancelled, change, created_order, fresh, fresh_cancel, new_order, notified, paid_order
from tests.wire import QUERY_PATH, Wire

pytestmark = pytest.mark.django_db

FIVE_MINUTES = timedelta(minutes=5)


def cancelled_in_vain(dana: Wire, clock: Clock, order: Order) -> CancelRequest:
    """Cancel an order while DANA answers nothing."""
    cancel_request = cancelled(dana, order, w.hang_up)
    while cancel_request.next_attempt_at:
        clock.to(cancel_request.next_attempt_at)
        tasks.cancel_order(cancel_request.pk)
        cancel_request = fresh_cancel(cancel_request)
    assert cancel_request.status == "aborted"
    return cancel_request


# -- a cancel that was given up, but may have acted -------------------------------------------------------------------


def test_05_after_a_cancel_that_was_given_up_is_a_cancel(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = created_order(dana)
    cancelled_in_vain(dana, clock, order)
    assert notified(order, "05").payment_status == "initiated", "by a notification nobody can tell"
    dana.play(w.status("05"))
    assert services.sync_order(order).payment_status == "cancelled"
    assert "order_expired" not in told


def test_05_of_a_paid_order_after_a_cancel_that_was_given_up_is_no_act_of_others(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    cancelled_in_vain(dana, clock, order)
    dana.play(w.status("05"))
    order = services.sync_order(order)
    assert (order.payment_status, order.note) == ("cancelled", "")


def test_a_cancel_that_was_given_up_is_told_as_a_cancel_where_all_the_money_went_back(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = paid_order(dana)
    cancelled_in_vain(dana, clock, order)
    dana.play(w.status("00", refunded="15000.00"))
    assert services.sync_order(order).payment_status == "refunded"
    tasks.send_outbox(order.pk)
    assert told[-1] == "order_cancelled"


def test_an_answer_is_believed_from_the_moment_at_which_no_call_can_act_any_more(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    cancel_request = cancelled_in_vain(dana, clock, order)
    last = order.api_calls.filter(operation="cancel").latest("pk").started_at
    report = StatusReport(status="00")
    for asked_at, attention in (
        (last + FIVE_MINUTES - timedelta(microseconds=1), "end_unknown"),
        (last + FIVE_MINUTES, "not_cancelled"),
    ):
        with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
            payments.reported_by_query(locked, report, asked_at)
        assert fresh_cancel(cancel_request).needs_attention == attention


def test_a_contradiction_is_asked_about_for_seven_days_from_the_first_time_it_was_told(
    dana: Wire, clock: Clock
) -> None:
    order = notified(paid_order(dana), "05")
    dana.play(w.code("5005501"))
    clock.forward(days=1)
    assert services.sync_order(order).next_sync_at
    clock.forward(days=6)
    notified(order, "05")
    order = services.sync_order(order)
    assert (order.payment_status, order.needs_attention, order.next_sync_at) == ("paid", "conflict", None)


# -- the attention of its requests ------------------------------------------------------------------------------------


def test_once_an_order_has_no_reason_of_its_own_it_shows_that_of_its_cancel(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    assert cancelled(dana, order, w.code("4035705")).needs_attention == "refused"
    order = notified(change(order, needs_attention="no_address"), "00")
    assert (order.payment_status, order.needs_attention) == ("paid", "cancel")


def test_an_open_order_whose_cancel_needs_staff_is_asked_about_five_minutes_after_its_time(
    dana: Wire, clock: Clock
) -> None:
    order = created_order(dana)
    cancelled(dana, order, w.code("4035705"))
    assert fresh(order).next_sync_at == order.valid_up_to + FIVE_MINUTES


def test_an_order_past_its_time_whose_cancel_needs_staff_is_asked_about_at_once(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    clock.to(order.valid_up_to + timedelta(minutes=6))
    cancelled(dana, order, w.code("4035705"), w.status("05"))
    assert fresh(order).payment_status == "expired"


def test_a_query_that_is_due_sooner_is_not_put_off_for_what_needs_staff(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    cancelled_in_vain(dana, clock, order)
    assert len(dana.bodies(QUERY_PATH)) == 1
    due = fresh(order).next_sync_at
    assert due
    assert due < timezone.now() + FIVE_MINUTES


def test_an_order_that_dana_refused_for_good_is_not_asked_about_for_its_cancel(dana: Wire, clock: Clock) -> None:
    dana.play(w.code("5005400"))
    order = new_order()
    tasks.create_order(order.pk)
    cancelled(dana, order, w.code("4035705"))
    order = fresh(order)
    assert (order.create_status, order.needs_attention, order.next_sync_at) == ("failed", "cancel", None)


def test_what_staff_have_looked_at_is_asked_about_while_a_cancel_is_under_way(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    cancelled(dana, order, w.code("2025700"))
    tomorrow = timezone.now() + timedelta(days=1)
    services.clear_attention(change(order, needs_attention="unsettled", next_sync_at=tomorrow))
    assert (fresh(order).needs_attention, fresh(order).next_sync_at) == ("", tomorrow)


def test_the_requests_of_an_order_are_about_the_order_that_is_locked(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    cancelled(dana, order, w.code("2025700"))
    with transitions.locked_order(order.pk, conf.account(order.account)) as locked:
        assert [request.order for request in locked.all_requests] == [locked.order]
        assert locked.cancels[0].order is locked.order
