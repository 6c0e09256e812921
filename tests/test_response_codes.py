"""DANA's tables once more, written out, against ours: row by row, and nothing besides."""

import pytest

from django_dana.protocol.response_codes import (
    CANCEL,
    CREATE,
    NO_REPLY,
    QUERY,
    REFUND,
    UNEXPECTED,
    CodeTable,
    FollowUp,
    Outcome,
    PaymentState,
)

SUCCESS, FAILED, PENDING, ABORTED = Outcome.SUCCESS, Outcome.FAILED, Outcome.PENDING, Outcome.ABORTED
NONE, FIX, CHANGE_AMOUNT, SAME_PAYLOAD = FollowUp.NONE, FollowUp.FIX, FollowUp.CHANGE_AMOUNT, FollowUp.SAME_PAYLOAD
TRY_AGAIN, CONTACT_DANA, TELL_USER = FollowUp.TRY_AGAIN, FollowUp.CONTACT_DANA, FollowUp.TELL_USER
SYNC_AGAIN, SERIES = FollowUp.SYNC_AGAIN, FollowUp.SERIES

Row = tuple[str, str, Outcome, tuple[FollowUp, ...]]

CREATE_ROWS: list[Row] = [
    ("2005400", "Successful", SUCCESS, (NONE,)),
    ("4005400", "Bad Request", FAILED, (FIX,)),
    ("4005401", "Invalid Field Format", FAILED, (FIX,)),
    ("4005402", "Invalid Mandatory Field", FAILED, (FIX,)),
    ("4015400", "Unauthorized. Invalid Signature", FAILED, (FIX,)),
    ("4035402", "Exceeds Transaction Amount Limit", FAILED, (CHANGE_AMOUNT,)),
    ("4035405", "Do Not Honor", FAILED, (FIX, CONTACT_DANA)),
    ("4035415", "Transaction Not Permitted", FAILED, (TRY_AGAIN, CONTACT_DANA)),
    ("4045408", "Invalid Merchant", FAILED, (FIX,)),
    ("4045418", "Inconsistent Request", FAILED, (FIX,)),
    ("4295400", "Too Many Requests", PENDING, (SAME_PAYLOAD,)),
    ("5005400", "General Error", FAILED, (TRY_AGAIN,)),
    ("5005401", "Internal Server Error", PENDING, (SAME_PAYLOAD,)),
    ("no_reply", "Total timeout", PENDING, (SERIES, SAME_PAYLOAD)),
    ("unexpected", "Unexpected response", PENDING, (SERIES, SAME_PAYLOAD)),
]

CANCEL_ROWS: list[Row] = [
    ("2005700", "Successful", SUCCESS, (NONE,)),
    ("2025700", "Request In Progress", PENDING, (SAME_PAYLOAD,)),
    ("4005700", "Bad Request", FAILED, (FIX,)),
    ("4005701", "Invalid Field Format", FAILED, (FIX,)),
    ("4005702", "Invalid Mandatory Field", FAILED, (FIX,)),
    ("4015700", "Unauthorized", FAILED, (FIX,)),
    ("4035700", "Transaction Expired", FAILED, (TELL_USER,)),
    ("4035705", "Do Not Honor", FAILED, (FIX, CONTACT_DANA)),
    ("4035714", "Insufficient Funds", FAILED, (TRY_AGAIN,)),
    ("4035715", "Transaction Not Permitted", FAILED, (TRY_AGAIN, CONTACT_DANA)),
    ("4045700", "Invalid Transaction Status", FAILED, (TRY_AGAIN, CONTACT_DANA)),
    ("4045701", "Transaction Not Found", FAILED, (FIX,)),
    ("4045708", "Invalid Merchant", FAILED, (FIX,)),
    ("4295700", "Too Many Requests", PENDING, (SAME_PAYLOAD,)),
    ("5005700", "General Error", FAILED, (TRY_AGAIN,)),
    ("5005701", "Internal Server Error", PENDING, (SAME_PAYLOAD,)),
    ("no_reply", "Total timeout", ABORTED, (SERIES, TELL_USER)),
    ("unexpected", "Unexpected response", PENDING, (SERIES, SAME_PAYLOAD)),
]

QUERY_ROWS: list[Row] = [
    ("2005500", "Successful", SUCCESS, (NONE,)),
    ("4005500", "Bad Request", FAILED, (FIX, SYNC_AGAIN)),
    ("4005501", "Invalid Field Format", FAILED, (FIX, SYNC_AGAIN)),
    ("4005502", "Invalid Mandatory Field", FAILED, (FIX, SYNC_AGAIN)),
    ("4015500", "Unauthorized", FAILED, (FIX, SYNC_AGAIN)),
    ("4045501", "Transaction Not Found", FAILED, (FIX,)),
    ("4295500", "Too Many Requests", PENDING, (SYNC_AGAIN,)),
    ("5005500", "General Error", FAILED, (SYNC_AGAIN,)),
    ("5005501", "Internal Server Error", PENDING, (SYNC_AGAIN,)),
    ("no_reply", "Total timeout", PENDING, (SYNC_AGAIN,)),
    ("unexpected", "Unexpected response", PENDING, (SYNC_AGAIN,)),
]

REFUND_ROWS: list[Row] = [
    ("2005800", "Successful", SUCCESS, (NONE,)),
    ("2025800", "Request In Progress", PENDING, (SAME_PAYLOAD,)),
    ("4005800", "Bad Request", FAILED, (FIX,)),
    ("4005801", "Invalid Field Format", FAILED, (FIX,)),
    ("4005802", "Invalid Mandatory Field", FAILED, (FIX,)),
    ("4015800", "Unauthorized", FAILED, (FIX,)),
    ("4035802", "Exceeds Transaction Amount Limit", FAILED, (CHANGE_AMOUNT,)),
    ("4035805", "Do Not Honor", FAILED, (FIX, CONTACT_DANA)),
    ("4035814", "Insufficient Funds", FAILED, (TRY_AGAIN,)),
    ("4035815", "Transaction Not Permitted", FAILED, (TRY_AGAIN, CONTACT_DANA)),
    ("4045800", "Invalid Transaction Status", FAILED, (FIX,)),
    ("4045801", "Transaction Not Found", FAILED, (FIX,)),
    ("4045808", "Invalid Merchant", FAILED, (FIX,)),
    ("4045812", "Invalid Bill", FAILED, (FIX,)),
    ("4045813", "Invalid Amount", FAILED, (CHANGE_AMOUNT,)),
    ("4045818", "Inconsistent Request", PENDING, (CONTACT_DANA,)),
    ("4295800", "Too Many Requests", PENDING, (SAME_PAYLOAD,)),
    ("5005800", "General Error", FAILED, (TRY_AGAIN,)),
    ("5005801", "Internal Server Error", PENDING, (SAME_PAYLOAD,)),
    ("no_reply", "Total timeout", PENDING, (SERIES, SAME_PAYLOAD)),
    ("unexpected", "Unexpected response", PENDING, (SERIES, SAME_PAYLOAD)),
]

ALL_ROWS = [(table, code) for table in (CREATE, CANCEL, QUERY, REFUND) for code in table.rows]


def check(table: CodeTable, row: Row) -> None:
    code, name, outcome, follow_up = row
    rule = table.rows[code]
    assert (rule.code, rule.name, rule.outcome, rule.follow_up) == (code, name, outcome, follow_up)


@pytest.mark.parametrize("row", CREATE_ROWS, ids=lambda row: row[0])
def test_create_row(row: Row) -> None:
    check(CREATE, row)


@pytest.mark.parametrize("row", CANCEL_ROWS, ids=lambda row: row[0])
def test_cancel_row(row: Row) -> None:
    check(CANCEL, row)


@pytest.mark.parametrize("row", QUERY_ROWS, ids=lambda row: row[0])
def test_query_row(row: Row) -> None:
    check(QUERY, row)


@pytest.mark.parametrize(
    ("table", "rows"),
    [(CREATE, CREATE_ROWS), (CANCEL, CANCEL_ROWS), (QUERY, QUERY_ROWS), (REFUND, REFUND_ROWS)],
    ids=["54", "57", "55", "58"],
)
def test_no_other_row(table: CodeTable, rows: list[Row]) -> None:
    assert list(table.rows) == [row[0] for row in rows]


@pytest.mark.parametrize(("table", "service"), [(CREATE, "54"), (QUERY, "55"), (CANCEL, "57"), (REFUND, "58")])
def test_codes_belong_to_their_service(table: CodeTable, service: str) -> None:
    assert table.service_code == service
    codes = [code for code in table.rows if code not in (NO_REPLY, UNEXPECTED)]
    assert all(len(code) == 7 and code.isdigit() and code[3:5] == service for code in codes)


def test_this_may_mask_our_own_success() -> None:
    assert [code for table, code in ALL_ROWS if table.rows[code].may_mask_success] == ["4045418"]


def test_these_blame_the_account() -> None:
    assert [code for table, code in ALL_ROWS if table.rows[code].blames_account] == [
        *("4015400", "4045408", "4015700", "4045708", "4015500", "4015800", "4045808"),
    ]


def test_these_call_staff() -> None:
    assert [code for table, code in ALL_ROWS if table.rows[code].calls_staff] == ["4035714", "4035814", "4045818"]


def test_these_fail_and_are_tried_again() -> None:
    assert [code for table, code in ALL_ROWS if table.rows[code].is_tried_again] == [
        "4035415",
        "5005400",
        "4035714",
        "4035715",
        "4045700",
        "5005700",
        "4035814",
        "4035815",
        "5005800",
    ]


def test_these_say_that_dana_lacks_the_order() -> None:
    assert [code for table, code in ALL_ROWS if table.rows[code].order_unknown] == ["4045701", "4045501"]


def test_these_ask_for_patience() -> None:
    assert [code for table, code in ALL_ROWS if table.rows[code].asks_for_patience] == [
        "4295400",
        "4295700",
        "4295500",
        "4295800",
    ]


def test_only_a_refusal_says_that_dana_has_not_acted() -> None:
    assert CANCEL.refusals == {row[0] for row in CANCEL_ROWS if row[0].startswith(("400", "401", "403", "404"))} | {
        "5005700"
    }


@pytest.mark.parametrize("table", [CREATE, CANCEL, QUERY, REFUND], ids=["54", "57", "55", "58"])
def test_only_the_two_last_rows_repeat_a_series(table: CodeTable) -> None:
    assert [code for code, rule in table.rows.items() if rule.repeats_series] == ["no_reply", "unexpected"]
    assert (table.no_reply.code, table.unexpected.code) == ("no_reply", "unexpected")


@pytest.mark.parametrize("table", [CREATE, CANCEL, QUERY, REFUND], ids=["54", "57", "55", "58"])
@pytest.mark.parametrize("code", ["", "no_reply", "unexpected", "2005401", "200", "2005400 ", "9999999"])
def test_an_undocumented_code_is_never_guessed(table: CodeTable, code: str) -> None:
    assert table.find(code) is None


def test_find() -> None:
    for table, code in ALL_ROWS:
        if code not in (NO_REPLY, UNEXPECTED):
            assert table.find(code) is table.rows[code]


@pytest.mark.parametrize(("table", "code"), ALL_ROWS, ids=[f"{table.service_code}-{code}" for table, code in ALL_ROWS])
def test_row_says_what_to_do_and_where_it_stands(table: CodeTable, code: str) -> None:
    rule = table.rows[code]
    assert rule.advice.endswith(".")
    assert rule.meaning
    assert all(source.startswith("DANA") for source in table.sources)


@pytest.mark.parametrize("code", ["4035714", "5005700", "4035715", "4045700", "2025700"])
def test_advice_warns_of_a_second_refund(code: str) -> None:
    assert "do not refund by other means" in CANCEL.rows[code].advice.lower()


def test_advice_never_calls_an_aborted_cancel_failed() -> None:
    assert "its outcome is unknown" in CANCEL.no_reply.advice


def test_payment_states() -> None:
    assert {state.name: state.value for state in PaymentState} == {
        "PAID": "00",
        "INITIATED": "01",
        "PAYING": "02",
        "CLOSED": "05",
        "NOT_FOUND": "07",
    }
