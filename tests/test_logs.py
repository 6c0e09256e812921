"""What is logged, on which logger, and how often: once a minute for each cause, whatever fails how many times."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from django_dana import gateway, log_throttle, outbox, services, signals, tasks
from django_dana.models import Order, OutboxEvent
from tests import notices
from tests import wire as w
from tests.conftest import Clock
from tests.factories import account_with, created_order, fresh, new_order, paid_order
from tests.wire import Wire

pytestmark = pytest.mark.django_db

Lines = Callable[[], list[tuple[str, str, str]]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """Return what was logged since the last look: logger, level and line."""
    caplog.set_level(logging.WARNING)

    def look() -> list[tuple[str, str, str]]:
        found = [record for record in caplog.records if record.name.startswith("django")]
        lines = [(record.name, record.levelname, record.getMessage()) for record in found]
        caplog.clear()
        return lines

    return look


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let a minute pass for the log."""
    now = [1000.0]
    monkeypatch.setattr(log_throttle, "monotonic", lambda: now[0])

    def forward() -> None:
        now[0] += 61

    return forward


def create(dana: Wire) -> Order:
    order = new_order()
    tasks.create_order(order.pk)
    return fresh(order)


@pytest.mark.parametrize(
    ("code", "meaning"), [("4015400", "signature wrong"), ("4045408", "merchant unknown or abnormal")]
)
def test_when_dana_refuses_the_account_an_error_says_so_once_a_minute(
    dana: Wire, lines: Lines, minutes: Callable[[], None], told: list[str], code: str, meaning: str
) -> None:
    dana.play(w.code(code))
    orders = [create(dana) for _ in range(3)]
    error = f"DANA refuses the account default: {code} ({meaning}) to Create Order"
    assert lines() == [("django_dana.gateway", "ERROR", error)]
    assert {order.needs_attention for order in orders} == {"account_refused"}
    assert told.count("order_needs_attention") == 3
    minutes()
    create(dana)
    assert lines() == [("django_dana.gateway", "ERROR", f"{error} (2 more since the last such line)")]


@pytest.mark.parametrize("code", ["4015700", "4045708"])
def test_so_it_does_to_a_cancel(dana: Wire, lines: Lines, code: str) -> None:
    order = created_order(dana)
    dana.play(w.code(code))
    tasks.cancel_order(services.cancel_order(order).pk)
    [(name, level, line)] = lines()
    assert (name, level) == ("django_dana.gateway", "ERROR")
    assert line.endswith(" to Cancel Order")
    assert code in line


@pytest.mark.parametrize("code", ["4015800", "4045808"])
def test_so_it_does_to_a_refund(dana: Wire, lines: Lines, code: str) -> None:
    order = paid_order(dana)
    dana.play(w.code(code))
    tasks.refund_order(services.refund_order(order).pk)
    assert [line[:2] for line in lines()] == [("django_dana.gateway", "ERROR")]


def test_so_it_does_to_a_query(dana: Wire, lines: Lines) -> None:
    order = created_order(dana)
    dana.play(w.code("4015500"))
    services.sync_order(order)
    assert [line[:2] for line in lines()] == [("django_dana.gateway", "ERROR")]


def test_what_dana_writes_into_its_answer_is_not_logged(dana: Wire, lines: Lines) -> None:
    dana.play(w.code("4015400", responseMessage="a\nERROR forged line"))
    create(dana)
    assert "forged" not in str(lines())


@pytest.mark.parametrize("code", ["4005401", "4035405", "5005400"])
def test_a_refusal_that_concerns_one_order_is_not_logged(dana: Wire, lines: Lines, code: str) -> None:
    dana.play(w.code(code))
    create(dana)
    assert lines() == []


def test_accounts_are_told_apart(dana: Wire, lines: Lines, settings: Any) -> None:
    settings.DANA = {alias: account_with(BASE_URL=dana.url)["default"] for alias in ("default", "second")}
    dana.play(w.code("4015400"))
    for alias in ("default", "second", "second"):
        tasks.create_order(new_order(account=alias).pk)
    assert [line.split(":")[0] for _, _, line in lines()] == [
        "DANA refuses the account default",
        "DANA refuses the account second",
    ]


def test_an_account_that_can_not_be_used_is_one_error_a_minute(dana: Wire, lines: Lines, settings: Any) -> None:
    orders = [new_order() for _ in range(3)]
    settings.DANA = account_with(BASE_URL=dana.url, PRIVATE_KEY="none")
    for order in orders:
        tasks.create_order(order.pk)
    [(name, level, line)] = lines()
    assert (name, level) == ("django_dana.gateway", "ERROR")
    assert line.startswith(f"No call to DANA for order {orders[0].pk}: ")
    assert {fresh(order).needs_attention for order in orders} == {"account"}


def test_a_receiver_that_fails_is_one_error_a_minute(dana: Wire, lines: Lines) -> None:
    def broken_receiver(**arguments: Any) -> None:
        raise ZeroDivisionError("of the shop")

    signals.order_created.connect(broken_receiver)
    try:
        orders = [created_order(dana) for _ in range(3)]
        for order in orders:
            outbox.send_due(order.pk)
    finally:
        signals.order_created.disconnect(broken_receiver)
    [(name, level, line)] = lines()
    assert (name, level) == ("django_dana.outbox", "ERROR")
    assert "broken_receiver of order_created" in line
    assert OutboxEvent.objects.filter(error="ZeroDivisionError").count() == 3


def test_a_row_that_can_not_be_worked_on_is_one_error_a_minute(
    dana: Wire, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        new_order()

    def fail(order_id: int) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(gateway, "attempt_create", fail)
    tasks.retry_due()
    assert [line[:2] for line in lines()] == [("django_dana.tasks", "ERROR")]


def test_a_page_that_could_not_ask_is_one_error_a_minute(
    dana: Wire, clock: Clock, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = created_order(dana)

    def fail(order_id: int, **options: Any) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(gateway, "sync", fail)
    for _ in range(5):
        assert Client().get(reverse("django_dana:return", args=[order.public_id])).status_code == 200
    assert [line[:2] for line in lines()] == [("django_dana.pages.syncing", "ERROR")]


def test_a_message_of_dana_that_is_not_understood_is_one_warning_a_minute(client: Client, lines: Lines) -> None:
    order = new_order()
    for sent in range(3):
        notices.notify(client, order, latestTransactionStatus=["00"], sent=sent)
    [(name, level, line)] = lines()
    assert (name, level) == ("django_dana.notifications", "WARNING")
    assert line.startswith("A notification of DANA was not understood: ")
