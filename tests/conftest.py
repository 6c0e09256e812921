"""Fixtures for the whole suite."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, NoReturn

import hypothesis
import pytest
import time_machine
from django.conf import settings as django_settings
from django.db import connection
from django.utils import translation

from django_dana import log_throttle, services, signals, tasks
from django_dana.models import CancelRequest, Order
from tests import wire as wires
from tests.wire import Wire

# a busy machine fails no test: how long an example takes says nothing about what it shows
hypothesis.settings.register_profile("suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--services", action="store_true", help="also run the tests that need services, worker processes or a browser"
    )


def pytest_report_header(config: pytest.Config) -> str:
    return "services: asked for" if config.getoption("--services") else "services: not asked for (--services)"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--services"):
        return
    asked_for = [item for item in items if not item.get_closest_marker("services")]
    config.hook.pytest_deselected(items=[item for item in items if item not in asked_for])
    items[:] = asked_for


def missing(what: str) -> NoReturn:
    """Skip on a laptop and fail in CI, where everything must be there."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not there", pytrace=False)
    pytest.skip(f"{what} is not there")


NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_language_of_another_test() -> None:
    """LocaleMiddleware leaves the thread in the language of its last request."""
    translation.deactivate()


@pytest.fixture(autouse=True)
def no_log_line_of_another_test() -> None:
    """What another test logged a moment ago keeps no line of this one back."""
    log_throttle.forget()


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A scripted DANA on a real socket."""
    with wires.serving() as wire:
        yield wire


@pytest.fixture
def dana(wire: Wire, settings: Any) -> Wire:
    """The same, and the default account speaks to it, without jitter in mind: delays are at least what is set."""
    settings.DANA = account_with(BASE_URL=wire.url, TIMEOUT=0.5)
    return wire


class Clock:
    """The time of the test, which goes on by itself and can be moved."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller

    def forward(self, **step: float) -> None:
        self._traveller.shift(timedelta(**step))

    def to(self, moment: datetime) -> None:
        self._traveller.move_to(moment)


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock that starts at NOW."""
    with time_machine.travel(NOW, tick=True) as traveller:
        yield Clock(traveller)


def account_with(**options: Any) -> dict[str, Any]:
    """Return the DANA setting of the tests with some options of the default account changed."""
    return {"default": {**django_settings.DANA["default"], **options}}


def new_order(**arguments: Any) -> Order:
    """Ask for an order as a shop does."""
    return services.create_order(**{"amount": Decimal("15000.00"), "title": "Kopi Gayo", **arguments})


def created_order(wire: Wire, **arguments: Any) -> Order:
    """Return an order that DANA has."""
    wire.play(wires.code("2005400"))
    order = new_order(**arguments)
    tasks.create_order(order.pk)
    return fresh(order)


def paid_order(wire: Wire, **arguments: Any) -> Order:
    """Return an order that is paid, as Query Payment told."""
    order = created_order(wire, **arguments)
    wire.play(wires.status("00", amount=str(order.amount)))
    return services.sync_order(order)


def fresh(order: Order) -> Order:
    """Return the order as the database has it."""
    return Order.objects.get(pk=order.pk)


def fresh_cancel(cancel_request: CancelRequest) -> CancelRequest:
    """Return the cancel request as the database has it."""
    return CancelRequest.objects.get(pk=cancel_request.pk)


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL of what is done meanwhile."""
    heard: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        heard.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield heard


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What the shop is told, by the signals' names."""
    names: list[str] = []
    receivers = {name: partial(_note, names, name) for name in signals.BY_NAME}
    for name, receiver in receivers.items():
        signals.BY_NAME[name].connect(receiver, weak=False)
    yield names
    for name, receiver in receivers.items():
        signals.BY_NAME[name].disconnect(receiver)


def _note(names: list[str], name: str, **arguments: Any) -> None:
    names.append(name)
