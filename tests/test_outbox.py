"""What the shop is told: at least once, in order, and never in the way of DANA."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import Mock, create_autospec

import pytest
import time_machine
from django.dispatch import Signal
from django.test import Client

from django_dana import background, outbox, services, signals, tasks
from django_dana.models import CancelRequest, Order, OutboxEvent
from tests import wire as w
from tests.conftest import Clock
from tests.factories import NOW, Death, created_order, fresh, new_order, paid_order
from tests.notices import notify
from tests.wire import Wire

pytestmark = pytest.mark.django_db


def a_receiver(sender: type[Order], order: Order | None = None, **kwargs: Any) -> None:
    """The shape of a shop's receiver."""


Connect = Callable[..., Mock]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect a receiver to a signal for the length of the test."""
    connected: list[tuple[Signal, Any]] = []

    def connect(signal: Signal, side_effect: Any = None) -> Mock:
        receiver: Mock = create_autospec(a_receiver, side_effect=side_effect)
        signal.connect(receiver, weak=False)
        connected.append((signal, receiver))
        return receiver

    yield connect
    for signal, receiver in connected:
        signal.disconnect(receiver)


@pytest.fixture
def order(clock: Clock) -> Order:
    """An order about which nothing was told yet."""
    return new_order()


def due(order: Order, name: str = "order_paid", **values: Any) -> OutboxEvent:
    return OutboxEvent.objects.create(name=name, order=order, **values)


# -- who hears what ---------------------------------------------------------------------------------------------------


def test_every_receiver_gets_the_order(order: Order, connect: Connect) -> None:
    receivers = [connect(signals.order_paid), connect(signals.order_paid)]
    due(order)
    outbox.send_due(order.pk)
    for receiver in receivers:
        receiver.assert_called_once_with(signal=signals.order_paid, sender=Order, order=order)
    assert not OutboxEvent.objects.exists()


def test_the_signals_of_a_cancel_carry_the_request(dana: Wire, clock: Clock, connect: Connect) -> None:
    receiver = connect(signals.cancel_failed)
    order = created_order(dana)
    dana.play(w.code("4005701"))
    request = services.cancel_order(order)
    tasks.cancel_order(request.pk)
    receiver.assert_called_once()
    assert receiver.call_args.kwargs["cancel_request"] == CancelRequest.objects.get()
    assert receiver.call_args.kwargs["cancel_request"].status == "failed"


def test_the_order_is_given_as_it_is_when_the_signal_is_sent(order: Order, connect: Connect) -> None:
    def deliver(order: Order, **kwargs: Any) -> None:
        Order.objects.filter(pk=order.pk).update(title="delivered")

    connect(signals.order_created, deliver)
    receiver = connect(signals.order_paid)
    due(order, "order_created")
    due(order, "order_paid")
    outbox.send_due(order.pk)
    assert receiver.call_args.kwargs["order"].title == "delivered"


def test_an_event_without_receivers_is_done(order: Order) -> None:
    due(order, "order_expired")
    outbox.send_due(order.pk)
    assert not OutboxEvent.objects.exists()


def test_only_events_of_this_order_are_sent(order: Order, connect: Connect) -> None:
    receiver, other = connect(signals.order_paid), new_order()
    due(order)
    due(other)
    outbox.send_due(order.pk)
    assert [call.kwargs["order"] for call in receiver.call_args_list] == [order]
    assert OutboxEvent.objects.get().order == other


# -- receivers that raise ---------------------------------------------------------------------------------------------


def test_a_receiver_that_raises_is_called_until_it_returns_and_the_others_again(
    order: Order, clock: Clock, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    failing = connect(signals.order_paid, [ValueError("out of paper")] * 3 + [None])
    other = connect(signals.order_paid)
    due(order)
    tasks.retry_due()
    assert (failing.call_count, other.call_count) == (1, 1)
    for delay in (30, 60, 300):
        clock.forward(seconds=delay - 2)
        tasks.retry_due()
        calls = failing.call_count
        clock.forward(seconds=3)
        tasks.retry_due()
        assert failing.call_count == calls + 1
    assert (failing.call_count, other.call_count) == (4, 4)
    assert not OutboxEvent.objects.exists()
    assert "is called again later" in caplog.text
    assert "ended before its receivers" not in caplog.text


def test_what_is_kept_of_an_error_is_its_type_only(order: Order, connect: Connect) -> None:
    connect(signals.order_paid, ValueError("card 4111 1111"))
    due(order)
    outbox.send_due(order.pk)
    event = OutboxEvent.objects.get()
    assert (event.error, event.attempts) == ("ValueError", 1)


def test_it_is_tried_for_ever_at_most_an_hour_apart(order: Order, clock: Clock, connect: Connect) -> None:
    receiver = connect(signals.order_paid, ValueError)
    due(order, attempts=1000)
    for _ in range(3):
        outbox.send_due(order.pk)
        clock.forward(seconds=3601)
    assert receiver.call_count == 3


def test_a_receiver_that_fails_does_not_hold_up_later_events(order: Order, connect: Connect) -> None:
    connect(signals.order_created, ValueError)
    paid = connect(signals.order_paid)
    due(order, "order_created")
    due(order, "order_paid")
    outbox.send_due(order.pk)
    assert paid.call_count == 1
    assert [event.name for event in OutboxEvent.objects.all()] == ["order_created"]


def test_a_failing_shop_does_not_change_the_order(dana: Wire, clock: Clock, connect: Connect) -> None:
    connect(signals.order_paid, ValueError)
    order = paid_order(dana)
    outbox.send_due(order.pk)
    assert (fresh(order).payment_status, OutboxEvent.objects.get().name) == ("paid", "order_paid")


# -- crashes and crowds -----------------------------------------------------------------------------------------------


def test_a_worker_that_dies_while_sending_loses_nothing(order: Order, clock: Clock, connect: Connect) -> None:
    receiver = connect(signals.order_paid, [Death, None])
    due(order)
    with pytest.raises(Death):
        outbox.send_due(order.pk)
    clock.forward(minutes=4, seconds=50)
    tasks.retry_due()
    assert receiver.call_count == 1
    clock.forward(seconds=11)
    tasks.retry_due()
    assert receiver.call_count == 2
    assert not OutboxEvent.objects.exists()


def test_a_worker_that_dies_before_the_deletion_tells_it_again(
    order: Order, clock: Clock, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = connect(signals.order_paid)
    due(order)

    def die(*args: Any) -> None:
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(OutboxEvent, "delete", die)
        with pytest.raises(Death):
            outbox.send_due(order.pk)
    clock.forward(minutes=5, seconds=1)
    tasks.retry_due()
    assert receiver.call_count == 2
    assert not OutboxEvent.objects.exists()


def test_an_event_that_is_the_end_of_each_worker_holds_back_no_other_and_is_sent_ever_less_often(
    order: Order, clock: Clock, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    deadly, paid = connect(signals.order_created, Death), connect(signals.order_paid)
    due(order, "order_created")
    due(order, "order_paid")
    for calls, minutes in enumerate((5, 5, 5, 15, 60, 60), start=1):
        with pytest.raises(Death):
            outbox.send_due(order.pk)
        assert deadly.call_count == calls
        outbox.send_due(order.pk)
        # the first time it might still be under way
        assert paid.call_count == (calls > 1)
        clock.forward(minutes=minutes, seconds=-1)
        outbox.send_due(order.pk)
        assert deadly.call_count == calls
        clock.forward(seconds=2)
    assert [event.name for event in OutboxEvent.objects.all()] == ["order_created"]
    assert "The worker that sent order_created for order" in caplog.text


def test_two_senders_send_it_once(order: Order, clock: Clock, connect: Connect) -> None:
    # the second comes while the first is at it
    receiver = connect(signals.order_paid, lambda **kwargs: outbox.send_due(order.pk))
    due(order)
    outbox.send_due(order.pk)
    assert receiver.call_count == 1


def test_of_two_senders_that_saw_the_same_event_one_gets_it(order: Order, connect: Connect) -> None:
    event = due(order)
    seen_twice = OutboxEvent.objects.get(pk=event.pk)
    assert outbox._claim(event)
    assert not outbox._claim(seen_twice)


def test_a_second_sender_does_not_overtake_an_event_that_is_being_sent(
    order: Order, clock: Clock, connect: Connect
) -> None:
    told: list[str] = []

    def created(**kwargs: Any) -> None:
        outbox.send_due(order.pk)
        told.append("order_created")

    connect(signals.order_created, created)
    connect(signals.order_paid, lambda **kwargs: told.append("order_paid"))
    due(order, "order_created")
    due(order, "order_paid")
    outbox.send_due(order.pk)
    assert told == ["order_created", "order_paid"]


def test_a_sender_slower_than_its_claim_survives_that_another_was_faster(
    order: Order, clock: Clock, connect: Connect
) -> None:
    def slow_once(**kwargs: Any) -> None:
        if receiver.call_count == 1:
            clock.forward(minutes=6)
            outbox.send_due(order.pk)
            raise ValueError

    receiver = connect(signals.order_paid, slow_once)
    due(order)
    outbox.send_due(order.pk)
    assert receiver.call_count == 2
    assert not OutboxEvent.objects.exists()


# -- when -------------------------------------------------------------------------------------------------------------


def test_order_created_comes_before_order_paid(client: Client, order: Order, told: list[str]) -> None:
    notify(client, order)
    tasks.retry_due()
    assert told == ["order_created", "order_paid"]


def test_nothing_is_sent_inside_the_notification(client: Client, order: Order, connect: Connect) -> None:
    receiver = connect(signals.order_paid)
    assert notify(client, order).status_code == 200
    assert not receiver.called
    tasks.send_outbox(order.pk)
    assert receiver.call_count == 1


@pytest.mark.django_db(transaction=True)
def test_not_even_where_the_commit_is_real(
    client: Client, clock: Clock, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[str] = []
    monkeypatch.setattr(tasks, "start", lambda task, pk, **kwargs: messages.append(task.name))
    receiver = connect(signals.order_paid, ValueError)
    order = new_order()
    notify(client, order)
    assert "django_dana.tasks.send_outbox" in messages
    assert not receiver.called


def test_what_is_rolled_back_was_never_due(order: Order, monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    monkeypatch.setattr(background, "start_follow_up", lambda order: 1 / 0)
    assert notify(client, order).status_code == 500
    assert not OutboxEvent.objects.exists()
    assert fresh(order).payment_status == "none"


@pytest.mark.parametrize("name", signals.BY_NAME)
def test_every_event_name_has_its_signal(order: Order, connect: Connect, name: str) -> None:
    receiver = connect(getattr(signals, name))
    due(order, name)
    outbox.send_due(order.pk)
    assert receiver.call_count == 1


def test_an_event_waits_until_it_is_due(order: Order, clock: Clock, connect: Connect) -> None:
    receiver = connect(signals.order_paid)
    due(order, due_at=order.created_at + timedelta(minutes=1))
    tasks.retry_due()
    assert not receiver.called
    clock.forward(seconds=61)
    tasks.retry_due()
    assert receiver.call_count == 1


def test_an_event_is_sent_at_the_moment_that_it_is_due(order: Order, connect: Connect) -> None:
    paid = connect(signals.order_paid)
    with time_machine.travel(NOW, tick=False):
        due(order)
        outbox.send_due(order.pk)
    assert paid.call_count == 1
