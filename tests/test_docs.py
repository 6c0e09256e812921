"""The documentation says what the code does."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from django_dana.simulator.engine.faults import CALLS, NOTIFY, NOTIFY_KINDS, QUERY_KINDS, Fault
from django_dana.simulator.web.control import ACTIONS
from tests.rules_page import rules_page

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_of_the_rules_is_the_tables() -> None:
    assert (DOCS / "rules.rst").read_text() == rules_page(), "run: python -m tests.rules_page > docs/rules.rst"


@pytest.mark.parametrize(
    "word",
    sorted(
        {*CALLS, NOTIFY, *QUERY_KINDS, *NOTIFY_KINDS}
        | {item.name for item in fields(Fault)} - {"operation", "kind", "number"}
        | {name.split("/")[-1] for _, name in ACTIONS}
    ),
)
def test_the_page_of_the_simulator_tells_of(word: str) -> None:
    assert re.search(rf"``[^`]*\b{word}\b", (DOCS / "simulator.rst").read_text())
