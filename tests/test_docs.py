"""The documentation says what the code does."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Model

import django_dana
from django_dana import signals
from django_dana.models import ApiCall, CancelRequest, Notification, Order, RefundRequest
from django_dana.simulator.engine.faults import CALLS, NOTIFY, NOTIFY_KINDS, QUERY_KINDS, Fault
from django_dana.simulator.web.control import ACTIONS
from tests.rules_page import rules_page

DOCS = Path(__file__).parents[1] / "docs"
PACKAGE = Path(django_dana.__file__).parent


def test_the_page_of_the_rules_is_the_tables() -> None:
    assert (DOCS / "rules.rst").read_text() == rules_page(), "run: python -m tests.rules_page > docs/rules.rst"


SIMULATOR = (DOCS / "simulator.rst").read_text()


def literals(text: str) -> set[str]:
    return set(re.findall(r"``([^`]+)``", text))


def first_column_under(heading: str, text: str = SIMULATOR) -> set[str]:
    """Return the literals in the first column of a list-table."""
    rows = text.partition(f"   * - {heading}\n")[2].partition("\n\n")[0]
    return literals("".join(re.findall(r"^   \* - (.*)$", rows, flags=re.MULTILINE)))


@pytest.mark.parametrize(("title", "kinds"), [("calls", QUERY_KINDS), ("notifications", NOTIFY_KINDS)])
def test_the_page_of_the_simulator_lists_each_kind_of_fault(title: str, kinds: dict[str, Any]) -> None:
    assert first_column_under("Kind", SIMULATOR.partition(f".. list-table:: Faults of {title}\n")[2]) == set(kinds)


def test_the_page_of_the_simulator_lists_the_operations() -> None:
    (sentence,) = re.findall(r"^Operations are (.*?)\.$", SIMULATOR, flags=re.MULTILINE | re.DOTALL)
    assert literals(sentence) == {*CALLS, NOTIFY, "*"}


@pytest.mark.parametrize("name", sorted({item.name for item in fields(Fault)} - {"operation", "kind", "number"}))
def test_the_page_of_the_simulator_explains_each_option_of_a_fault(name: str) -> None:
    explained = re.sub(r"^   \* - .*$", "", SIMULATOR, flags=re.MULTILINE)
    assert any(literal.partition("=")[0] == name for literal in literals(explained))


def test_the_page_of_the_simulator_lists_each_call_of_the_control_api() -> None:
    listed = {literal.rpartition("/")[2] for literal in first_column_under("Call")} - {"GET", "POST", "DELETE"}
    assert listed == {name.rpartition("/")[2] for _, name in ACTIONS}


# -- the reference ----------------------------------------------------------------------------------------------------

REFERENCE = (DOCS / "reference.rst").read_text()


@pytest.mark.parametrize("model", [Order, CancelRequest, RefundRequest, Notification, ApiCall])
def test_the_reference_names_fields_that_are_there(model: type[Model]) -> None:
    section = REFERENCE.partition(f"\n{model.__name__}\n~~~")[2]
    listed = first_column_under("Field", section)
    assert len(listed) > 5
    assert listed <= {field.name for field in model._meta.get_fields()}


def test_the_reference_names_every_signal() -> None:
    listed = first_column_under("Signal", REFERENCE)
    assert listed == set(signals.BY_NAME)


def test_the_page_of_monitoring_lists_each_logger_of_a_shop() -> None:
    assert first_column_under("Logger", (DOCS / "monitoring.rst").read_text()) == set(loggers())


def loggers() -> Iterator[str]:
    """Give the names of all loggers but the simulator's, which no shop runs."""
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        if not module.startswith("django_dana.simulator"):
            for name in re.findall(r"getLogger\((.*?)\)", path.read_text()):
                yield module if name == "__name__" else name.strip('"')


def test_the_page_of_signals_lists_each_one() -> None:
    assert first_column_under("Signal", (DOCS / "signals.rst").read_text()) == set(signals.BY_NAME)
