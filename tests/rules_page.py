"""Writes docs/rules.rst from the tables: ``python -m tests.rules_page > docs/rules.rst``."""

from collections.abc import Iterator

from django_dana.protocol.operations import ALL, Operation
from django_dana.protocol.response_codes import Rule

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
* *Pending* is tried again on PENDING_DELAYS: a create until its ``valid_up_to``, a cancel or refund until
  CANCEL_GIVE_UP_AFTER.
* *Failed* with "try again" is shown as refused for now and tried again on the same schedule, while RETRY_FAILED.
* Any other *Failed* is final.

When DANA is asked
------------------

* About an order without a final answer, five minutes after its ``valid_up_to``, then on PENDING_DELAYS for seven days.
* While an order stays open for long, such as a virtual account of a week, every six hours: the message that it was paid
  may have been lost. An order of half an hour is not asked about before its end, one of a week at most 27 times. An
  answer that says *open*, or none at all, leaves it open.
* About a contradiction, and about what a call did whose end nobody saw, at once, then on PENDING_DELAYS for seven days.
* About a few paid orders of the last week, once a day each: refunds made in DANA's portal are not notified.

No answer is believed too early
-------------------------------

A call whose end nobody saw (no reply, a reply that can't be understood, or one that DANA calls in progress) may have
acted, at once or minutes later.

* After such a cancel call *every* refusal leaves the request pending while DANA is asked (Query Payment). Closed: the
  request was a success. Open, paid or unknown: believed only once that call is five minutes old; then the refusal has
  its own outcome, or an aborted request is *not cancelled*.
* After such a refund call a refusal leaves the request pending, too, while DANA is asked how much went back in all.
  Where that sum has the refund, it was a success; where it has not, the refusal is believed once that call is five
  minutes old. A sum smaller than what is known is an old view and settles nothing.
* Requests that were given up although they may have acted are asked about daily for a week. Whenever DANA shows the
  order closed, or its sum has the refund, each of them becomes a success.
* A create that is refused with "may mask an earlier success" after such a create call leaves it pending while DANA is
  asked. The same amount proves the order ours; another one, or none, does not, and that payment is never adopted. Until
  then no cancel is sent: what DANA has may be somebody else's order.
* Any other refusal after such a create call ends the tries, and DANA is asked once more after ``valid_up_to``.
* DANA's own success of a create outweighs a later *not found*: DANA is asked again, and is believed when it stays with
  it after ``valid_up_to``.
* After our own successful cancel, *paid* is believed only from an answer that is five minutes younger.
"""

VERDICTS = """\
What a report about the payment does
------------------------------------

What DANA says about a payment, in a notification or in its answer to Query Payment, meets what is known. In each cell
stands what a notification does, and behind the bar what a query's answer does; behind "after a cancel", what differs
where a cancel of ours may have acted. A report about another amount does nothing but call for staff and ask DANA
(05 needs no amount).

*pay*: paid, once, and the shop hears ``order_paid``. *paid late*: the same, and staff decide. *ask*: DANA is asked.
*conflict*: nothing is overwritten, the order needs attention, and DANA is asked until it is settled. *open*: nothing is
delivered on it. *not found*: once nothing of ours can still arrive. *never*: a notification does not say that.
"""


def rules_page() -> str:
    """Return the whole page."""
    lines = [INTRODUCTION, *_verdicts(), *(line for operation in ALL for line in _table(operation))]
    return "\n".join(lines)


def _verdicts() -> Iterator[str]:
    # the models that the table is about need Django's settings, which a reader of the other tables does not
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from django_dana.transitions.verdicts import TABLE, Cell, Said

    def cell_text(cell: Cell) -> str:
        text = f"{cell.notification.value} | {cell.query.value}"
        after = f"{cell.notification_after_cancel.value} | {cell.query_after_cancel.value}"
        return text if after == text else f"{text}; after a cancel {after}"

    yield VERDICTS
    yield from (".. list-table::", "   :header-rows: 1", "   :stub-columns: 1", "")
    yield from _row("We know", *(said.value for said in Said))
    for known, row in TABLE.items():
        yield from _row(known.value, *(cell_text(row[said]) for said in Said))
    yield ""


def _table(operation: Operation) -> Iterator[str]:
    heading = f"{operation.name} (service {operation.service_code})"
    yield from (heading, "-" * len(heading), "")
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 10 18 20 10 20 40", "")
    yield from _row("Code", "DANA's name", "Meaning", "Outcome", "Then", "For staff")
    for rule in operation.codes.rows.values():
        yield from _row(*_cells(rule))
    yield ""
    yield f"Source: {'; '.join(operation.codes.sources)}."
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
