"""An order that can be paid for long, such as a virtual account of a week: a lost message is found before its end."""

from datetime import timedelta

import pytest
from django.utils import timezone

from django_dana import tasks, timing
from django_dana.models import Order
from tests import wire as w
from tests.conftest import Clock
from tests.factories import created_order, fresh, new_order
from tests.wire import QUERY_PATH, Act, Wire

pytestmark = pytest.mark.django_db

WEEK = timedelta(days=7)

OPEN = {"not paid yet": w.status("01"), "silence": w.reset, "try later": w.code("4295500")}


def order_of_a_week(dana: Wire) -> Order:
    return created_order(dana, valid_up_to=timezone.now() + WEEK)


def test_an_order_of_half_an_hour_is_not_asked_about_while_it_is_open(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    clock.to(order.valid_up_to - timedelta(seconds=1))
    tasks.sync_stale()
    assert dana.bodies(QUERY_PATH) == []


def test_a_payment_whose_message_was_lost_is_found_within_hours(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = order_of_a_week(dana)
    dana.play(w.status("00"))
    clock.forward(hours=5, minutes=59)
    tasks.sync_stale()
    assert fresh(order).payment_status == "initiated"
    clock.forward(minutes=2)
    tasks.sync_stale()
    assert (fresh(order).payment_status, fresh(order).is_final) == ("paid", True)
    assert told == ["order_created", "order_paid"]


def test_an_order_that_was_never_sent_takes_no_payment_of_anothers(dana: Wire, clock: Clock, told: list[str]) -> None:
    order = new_order(valid_up_to=timezone.now() + WEEK)
    dana.play(w.status("00"))
    clock.forward(hours=7)
    tasks.sync_stale()
    assert dana.heard == []
    assert (fresh(order).payment_status, told) == ("none", [])


@pytest.mark.parametrize("answer", OPEN.values(), ids=OPEN)
def test_while_dana_says_nothing_final_it_stays_open_and_is_asked_about_now_and_then(
    dana: Wire, clock: Clock, told: list[str], answer: Act
) -> None:
    order = order_of_a_week(dana)
    dana.play(answer)
    while timezone.now() < order.valid_up_to - timedelta(hours=1):
        clock.forward(hours=1)
        tasks.sync_stale()
    assert len(dana.bodies(QUERY_PATH)) == WEEK // timing.OPEN_REST - 1
    order = fresh(order)
    assert (order.state, order.needs_attention, order.next_sync_at) == ("payable", "", None)
    assert told == ["order_created"]
