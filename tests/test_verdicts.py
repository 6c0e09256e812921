"""The verdict table, written out once more, and what each verdict does to an order."""

import itertools

import pytest

from django_dana.models import Order
from django_dana.protocol.messages import StatusReport
from django_dana.transitions import verdicts
from django_dana.transitions.verdicts import Known, Said, Verdict

COLUMNS = (
    Said.PAID,
    Said.PAID_REFUNDED,
    Said.UNPAID,
    Said.CLOSED,
    Said.CLOSED_REFUNDED,
    Said.CLOSED_CANCELLED,
    Said.UNKNOWN,
)

# by notification | by query; where a cancel of ours may have acted, the verdict behind the slash
WRITTEN_OUT = """
open      : pay | pay;                  never | refunded; ask | open;     expire/ask | expire/cancelled; never | refunded/cancelled; never | cancelled; ask | not found
paid      : same | same;                never | refunded; ask | conflict; conflict and ask | cancelled;  never | refunded/cancelled; never | cancelled; ask | conflict
cancelled : conflict and ask | paid late;  never | same;     ask | conflict; same | same;                never | same;           never | same;      ask | same
expired   : conflict and ask | paid late;  never | refunded; ask | conflict; same | same;                never | same;           never | same;      ask | same
not found : conflict and ask | paid late;  never | refunded; ask | conflict; expire/ask | expire/cancelled; never | refunded/cancelled; never | cancelled; ask | same
refunded  : same | same;                    same | same;  ask | conflict; same | same;                    same | same;            same | same;   ask | same
"""  # noqa: E501


def cells() -> dict[tuple[Known, Said, bool, bool], Verdict]:
    """Read what is written out above, by row, column, source and whether a cancel may have acted."""
    expected = {}
    for line in WRITTEN_OUT.strip().splitlines():
        name, _, row = line.partition(":")
        for column, cell in zip(COLUMNS, row.split(";"), strict=True):
            for by_query, verdict in zip((False, True), cell.split("|"), strict=True):
                alone, _, after_cancel = verdict.strip().partition("/")
                expected[Known(name.strip()), column, by_query, False] = Verdict(alone)
                expected[Known(name.strip()), column, by_query, True] = Verdict(after_cancel or alone)
    return expected


CELLS = cells()


@pytest.mark.parametrize(
    ("known", "said", "by_query", "cancel_may_have_acted"),
    list(itertools.product(Known, Said, (False, True), (False, True))),
    ids=str,
)
def test_cell(known: Known, said: Said, by_query: bool, cancel_may_have_acted: bool) -> None:  # noqa: FBT001
    verdict = verdicts.verdict(known, said, by_query=by_query, cancel_may_have_acted=cancel_may_have_acted)
    assert verdict is CELLS[known, said, by_query, cancel_may_have_acted]


def test_nothing_is_booked_by_notification_where_it_contradicts_what_is_known() -> None:
    booked = {Verdict.PAY, Verdict.EXPIRE, Verdict.CANCEL, Verdict.REFUND, Verdict.PAID_LATE, Verdict.NOT_FOUND}
    by_notification = {
        known for (known, _, by_query, _), verdict in CELLS.items() if not by_query and verdict in booked
    }
    assert by_notification == {Known.OPEN, Known.NOT_FOUND}


def test_a_currency_without_an_amount_is_no_refund() -> None:
    report = StatusReport(status="00", refund_currency="IDR")
    assert verdicts.refunded_in(report, Order(currency="IDR")) == 0


def test_each_payment_status_has_its_row() -> None:
    rows = {status.value: verdicts.known(Order(payment_status=status)) for status in Order.PaymentStatus}
    assert rows == {
        "none": Known.OPEN,
        "initiated": Known.OPEN,
        "paying": Known.OPEN,
        "paid": Known.PAID,
        "cancelled": Known.CANCELLED,
        "expired": Known.EXPIRED,
        "refunded": Known.REFUNDED,
        "not_found": Known.NOT_FOUND,
    }
