"""Fixtures for the whole suite."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NoReturn

import hypothesis
import pytest
import time_machine
from django.utils import translation

from django_dana import log_throttle, signals
from tests import wire as wires
from tests.factories import NOW, account_with
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
    """The same, and the default account speaks to it."""
    settings.DANA = account_with(BASE_URL=wire.url, TIMEOUT=5.0)
    return wire


@pytest.fixture
def impatient(dana: Wire, settings: Any) -> None:
    """The default account waits for half a second only: for tests in which DANA hangs."""
    settings.DANA = account_with(BASE_URL=dana.url, TIMEOUT=0.5)


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
