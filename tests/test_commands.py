"""The commands for those who run the workers."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_dana import services, tasks
from django_dana.models import ApiCall, Notification, Order
from tests import wire as w
from tests.conftest import Clock
from tests.factories import created_order, fresh, new_order, paid_order
from tests.wire import QUERY_PATH, Wire

pytestmark = pytest.mark.django_db


def run(*args: str) -> str:
    out = StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def test_dana_retry_due_does_what_is_due(dana: Wire, clock: Clock) -> None:
    dana.play(w.code("2005400"))
    order = new_order()
    run("dana_retry_due")
    assert fresh(order).create_status == "success"


def test_dana_sync_stale_asks(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    dana.play(w.status("05"))
    clock.to(order.valid_up_to + timedelta(minutes=6))
    run("dana_sync_stale")
    assert fresh(order).payment_status == "expired"


def test_dana_sync_stale_dry_run_prints_what_would_change_and_does_nothing(
    dana: Wire, clock: Clock, told: list[str]
) -> None:
    order = created_order(dana)
    dana.play(w.status("05"))
    clock.to(order.valid_up_to + timedelta(minutes=6))
    before = Order.objects.values().get()
    told.clear()
    output = run("dana_sync_stale", "--dry-run")
    assert told == []
    assert f"{order.partner_reference_no}: payment_status initiated → expired" in output
    assert len(dana.bodies(QUERY_PATH)) == 1
    assert Order.objects.values().get() == before
    assert ApiCall.objects.filter(operation="query").count() == 0


def test_dana_explain_tells_the_story_in_order(dana: Wire, clock: Clock) -> None:
    dana.play(w.hang_up, w.code("2005400"))
    order = new_order()
    tasks.create_order(order.pk)
    clock.forward(seconds=10)
    tasks.create_order(order.pk)
    Notification.objects.create(body="{}", order=order, outcome=Notification.Outcome.APPLIED)
    clock.forward(seconds=10)
    dana.play(w.code("4035714"))
    cancel_request = services.cancel_order(fresh(order), reason="stock ran out")
    tasks.cancel_order(cancel_request.pk)
    story = run("dana_explain", order.partner_reference_no)
    expected = [
        f"Order {order.partner_reference_no} (IDR 15000.00, Kopi Gayo)",
        "asked for, to be paid by",
        "→ Create Order  ",
        "⇒ pending (Total timeout)",
        "→ Create Order  HTTP 200",
        "⇒ success\n",
        "← notification  applied",
        "asked for: stock ran out",
        "→ Cancel Order  HTTP 403",
        "⇒ failed\n",
        "create success, payment initiated",
        "failed: Refused for now",
        "next: cancel #",
    ]
    position = 0
    for text in expected:
        position = story.index(text, position)


def test_dana_explain_of_a_create_whose_next_time_is_too_late(dana: Wire, clock: Clock) -> None:
    order = new_order()
    Order.objects.update(next_attempt_at=order.valid_up_to)
    assert "next: the create is given up" in run("dana_explain", order.partner_reference_no)


@pytest.mark.parametrize("name", ["partner_reference_no", "reference_no", "public_id"])
def test_dana_explain_finds_the_order_by_each_of_its_names(dana: Wire, clock: Clock, name: str) -> None:
    order = paid_order(dana)
    assert order.partner_reference_no in run("dana_explain", str(getattr(order, name)))


def test_dana_explain_shows_a_call_whose_end_nobody_saw(dana: Wire, clock: Clock) -> None:
    order = created_order(dana)
    ApiCall.objects.create(order=order, operation="query", external_id="x", started_at=order.created_at)
    assert "still open" in run("dana_explain", order.partner_reference_no)


def test_dana_explain_of_an_unknown_reference_is_a_plain_sentence(dana: Wire) -> None:
    with pytest.raises(CommandError, match=r"No order is called INV-404\."):
        run("dana_explain", "INV-404")


def test_dana_explain_of_nothing_is_not_every_order_that_dana_has_not_named(dana: Wire) -> None:
    new_order()
    with pytest.raises(CommandError, match=r"No order is called nothing\."):
        run("dana_explain", "")
