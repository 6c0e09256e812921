"""The commands for those who run the workers."""

from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, find_commands, load_command_class
from django.utils import translation

from django_dana import management, services, tasks
from django_dana.management.printing import PlainCommand
from django_dana.models import ApiCall, CancelRequest, Notification, Order, OutboxEvent
from tests import wire as w
from tests.conftest import Clock
from tests.factories import created_order, fresh, new_order, order_with, paid_order
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


def test_dana_explain_says_which_status_a_query_reported(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    assert "→ Query Payment  HTTP 200" in (story := run("dana_explain", order.partner_reference_no))
    assert ": 2005500 As told, status 00 ⇒ success" in story
    order.api_calls.update(response_body="")
    assert ", status" not in run("dana_explain", order.partner_reference_no)


def test_dana_explain_speaks_one_language(dana: Wire, clock: Clock) -> None:
    order = paid_order(dana)
    english = run("dana_explain", order.partner_reference_no)
    with translation.override("id"):
        assert run("dana_explain", order.partner_reference_no) == english


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


# -- what others wrote ------------------------------------------------------------------------------------------------

#: Clears the screen, rings, hides what follows, turns the direction of writing, and fakes a line.
EVIL = "a\x1b[2J\x07\x9b8m\u202e\u2028\r\nORDER PAID"


def written_by_others() -> Order:
    """Return an order every text of which somebody else chose."""
    order = order_with(title=EVIL[:20], note=EVIL, response_message=EVIL, account=EVIL, needs_attention="conflict")
    moment = order.created_at
    CancelRequest.objects.create(
        order=order, amount=order.amount, request_body="{}", reason=EVIL, give_up_at=moment, unfinished=None
    )
    ApiCall.objects.create(order=order, operation="create", external_id="1", started_at=moment, error=EVIL)
    ApiCall.objects.create(
        order=order,
        operation="query",
        external_id="2",
        started_at=moment,
        duration_ms=1,
        response_code="2005500",
        response_message=EVIL,
    )
    Notification.objects.create(order=order, verified=True, outcome="failed", error=EVIL)
    OutboxEvent.objects.create(order=order, name="order_paid", error=EVIL, attempts=5)
    return order


@pytest.mark.parametrize(
    "command",
    [
        ["dana_explain", "REFERENCE"],
        ["dana_inbox"],
        ["dana_health"],
        ["dana_health", "--json"],
        ["dana_sync_stale", "--dry-run"],
        ["dana_prune", "--dry-run"],
    ],
    ids=" ".join,
)
def test_no_command_prints_what_a_terminal_obeys(clock: Clock, command: list[str]) -> None:
    order = written_by_others()
    out = StringIO()
    arguments = [order.partner_reference_no if argument == "REFERENCE" else argument for argument in command]
    try:
        call_command(*arguments, stdout=out, no_color=True)
    except SystemExit:
        assert command[0] == "dana_health"
    text = out.getvalue()
    assert text
    assert [character for character in text if not character.isprintable() and character not in "\n\xa0"] == []
    assert not any(line.startswith("ORDER PAID") for line in text.splitlines())


@pytest.mark.parametrize("name", sorted(find_commands(str(Path(management.__file__).parent))))
def test_every_command_prints_so(name: str) -> None:
    assert isinstance(load_command_class("django_dana", name), PlainCommand)


def test_a_refusal_is_printed_as_plainly() -> None:
    with pytest.raises(CommandError) as caught:
        run("dana_explain", EVIL)
    assert str(caught.value) == r"No order is called a\x1b[2J\x07\x9b8m\u202e\u2028\r\nORDER PAID."


def test_colours_are_those_of_the_command_alone(dana: Wire) -> None:
    out = StringIO()
    with suppress(SystemExit):
        call_command("dana_health", stdout=out, force_color=True)
    assert "\x1b[" in out.getvalue()
    assert EVIL not in out.getvalue()


def test_the_inbox_is_mailed_as_plainly(clock: Clock, mailoutbox: Any) -> None:
    written_by_others()
    run("dana_inbox", "--mail", "staff@shop.example")
    assert "\x1b" not in mailoutbox[0].body
    assert "\nORDER PAID" not in mailoutbox[0].body


def test_the_inbox_names_a_receiver_that_fails_for_a_message_without_an_order(clock: Clock) -> None:
    message = Notification.objects.create(verified=True, outcome="unknown_order", partner_reference_no="INV-9")
    OutboxEvent.objects.create(notification=message, name="notification_unmatched", error="KeyError", attempts=2)
    assert "The shop's own code for “notification_unmatched” failed 2 times: KeyError." in run("dana_inbox")
