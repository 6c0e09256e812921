"""Writes docs/rules.rst from the tables: ``python -m tests.rules_page > docs/rules.rst``."""

from collections.abc import Iterator

from django_dana.protocol import response_codes
from django_dana.protocol.response_codes import CodeTable, Rule

INTRODUCTION = """\
What each answer means
======================

These are DANA's own tables, row by row, as :mod:`django_dana.protocol.response_codes` holds them: the one place that
decides what an answer means. The admin shows the sentence for staff; the workers follow the outcome and what comes
next.

How a series of attempts goes
-----------------------------

* The exact text of the first request is kept and sent byte for byte on every attempt; only the time, the signature and
  X-EXTERNAL-ID are new.
* Without a reply, and after a reply that can't be understood, up to MAX_ATTEMPTS calls are made. The wait between them
  is ATTEMPT_DELAYS. A mixed series ends by its last attempt.
* *Pending* is tried again on PENDING_DELAYS: a create until its ``valid_up_to``, a cancel until CANCEL_GIVE_UP_AFTER.
* *Failed* with "try again" is shown as refused for now and tried again on the same schedule, while RETRY_FAILED.
* Any other *Failed* is final.
* Rows marked "may echo" are not believed after an attempt whose end nobody saw, since they may answer our own earlier
  success: DANA is asked first.
"""

TABLES = (
    ("Create Order", "service 54", response_codes.CREATE),
    ("Cancel Order", "service 57", response_codes.CANCEL),
    ("Query Payment", "service 55", response_codes.QUERY),
    ("Refund Order", "service 58", response_codes.REFUND),
)


def rules_page() -> str:
    """Return the whole page."""
    return "\n".join([INTRODUCTION, *(line for table in TABLES for line in _table(*table))])


def _table(title: str, service: str, table: CodeTable) -> Iterator[str]:
    heading = f"{title} ({service})"
    yield from (heading, "-" * len(heading), "")
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 10 18 20 10 20 40", "")
    yield from _row("Code", "DANA's name", "Meaning", "Outcome", "Then", "For staff")
    for rule in table.rows.values():
        yield from _row(*_cells(rule))
    yield ""
    yield f"Source: {'; '.join(table.sources)}."
    yield ""


def _cells(rule: Rule) -> tuple[str, ...]:
    then = "; ".join(follow_up.value for follow_up in rule.follow_up)
    if rule.may_mask_success:
        then += "; may mask an earlier success"
    return (rule.code, rule.name, rule.meaning, rule.outcome.value.capitalize(), then, rule.advice)


def _row(first: str, *others: str) -> Iterator[str]:
    yield f"   * - {first}"
    yield from (f"     - {other}" for other in others)


if __name__ == "__main__":
    print(rules_page(), end="")  # noqa: T201
