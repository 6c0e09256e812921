"""The documentation says what the code does."""

from pathlib import Path

from tests.rules_page import page

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_of_the_rules_is_the_tables() -> None:
    assert (DOCS / "rules.rst").read_text() == page(), "run: python -m tests.rules_page > docs/rules.rst"
