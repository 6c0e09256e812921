"""What waits for a person: what is listed, since when, in which words, and what is left out."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from django_dana.models import Notification, Order, OutboxEvent
from django_dana.services import inbox
from tests.factories import NOW, new_order

pytestmark = pytest.mark.django_db


def message(**fields: Any) -> Notification:
    """Return a message that DANA signed and that is about no order of ours."""
    defaults = {"outcome": "unknown_order", "verified": True, "partner_reference_no": "INV-1", "body": "{}"}
    return Notification.objects.create(**{**defaults, **fields})


def event(**fields: Any) -> OutboxEvent:
    """Return an event whose receiver has failed twice."""
    return OutboxEvent.objects.create(**{"name": "order_paid", "attempts": 2, "error": "ValueError", **fields})


def listed() -> list[inbox.Waiting]:
    return inbox.waiting(Order.objects.all())


@pytest.mark.parametrize("outcome", sorted(set(Notification.Outcome) - {"bad_signature"}))
def test_a_message_that_was_not_applied_waits(outcome: str) -> None:
    message(outcome=outcome)
    is_listed = outcome in ("unknown_order", "failed")
    assert [item.what for item in listed()] == ["Message from DANA about INV-1"] * is_listed


def test_a_message_says_why_it_waits() -> None:
    message(error="ValueError")
    message(partner_reference_no="")
    first, second = listed()
    assert (first.cause, first.badge) == ("ValueError", str(Notification.Outcome.UNKNOWN_ORDER.label))
    assert {first.tone, second.tone} == {"bad"}
    assert (second.what, second.cause) == ("Message from DANA about ?", first.badge)


def test_a_message_that_was_reviewed_or_that_nobody_signed_does_not_wait() -> None:
    message(reviewed_at=NOW)
    message(verified=False)
    assert [item.what for item in listed()] == ["Messages without a valid signature"]


def test_a_receiver_that_failed_twice_waits_with_what_it_is_about() -> None:
    order = new_order()
    about_order, about_message = event(order=order), event(name="notification_unmatched", notification=message())
    event(order=order, attempts=1)
    event(order=order, error="")
    rows = {item.cause: item for item in listed() if "own code" in item.cause}
    paid = rows["The shop's own code for “order_paid” failed 2 times: ValueError."]
    unmatched = rows["The shop's own code for “notification_unmatched” failed 2 times: ValueError."]
    assert len(rows) == 2
    assert (paid.what, paid.row) == (f"{order.partner_reference_no} · {order.title}", order)
    assert (unmatched.what, unmatched.row) == ("Message from DANA", about_message.notification)
    assert paid.since == about_order.created_at


def test_a_receiver_of_an_order_that_may_not_be_seen_does_not_wait() -> None:
    event(order=new_order())
    assert inbox.waiting(Order.objects.none()) == []


def test_messages_without_a_valid_signature_of_the_last_day_are_one_row() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        for _ in range(2):
            message(outcome="bad_signature", verified=False)
        clock.shift(timedelta(hours=24))
        [item] = listed()
        assert item.cause.startswith("2 messages were refused in 24 hours.")
        assert (item.since, item.tone, item.row) == (NOW, "wait", None)
        clock.shift(timedelta(microseconds=1))
        assert listed() == []


def test_of_one_kind_a_hundred_are_listed() -> None:
    Notification.objects.bulk_create(
        Notification(outcome="unknown_order", verified=True, partner_reference_no=f"INV-{number}", body="{}")
        for number in range(101)
    )
    assert len(listed()) == 100
