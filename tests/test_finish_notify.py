"""What DANA tells, read as leniently as money deserves and no further."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_dana.protocol.finish_notify import BadMessage, FinishNotify
from tests.notices import compact

MESSAGE: dict[str, Any] = {
    "originalPartnerReferenceNo": "INV-7",
    "originalReferenceNo": "R-7",
    "merchantId": "M-1",
    "amount": {"value": "15000.00", "currency": "IDR"},
    "latestTransactionStatus": "00",
}


def parse(**changes: Any) -> FinishNotify:
    return FinishNotify.parse(compact({**MESSAGE, **changes}))


def paid_with(*options: Any) -> dict[str, Any]:
    return {"additionalInfo": {"paymentInfo": {"payOptionInfos": list(options)}}}


def test_what_it_says() -> None:
    assert parse(finishedTime="2026-11-21T16:31:00+07:00") == FinishNotify(
        partner_reference_no="INV-7",
        merchant_id="M-1",
        status="00",
        amount=Decimal("15000.00"),
        currency="IDR",
        amount_unreadable=False,
        reference_no="R-7",
        paid_at=datetime(2026, 11, 21, 9, 31, tzinfo=UTC),
        pay_method="",
        pay_option="",
    )


# The methods of captured notifications.
@pytest.mark.parametrize(
    ("option", "method_and_option"),
    [
        ({"payMethod": "BALANCE"}, ("BALANCE", "")),
        ({"payMethod": "NETWORK_PAY", "payOption": "QRIS"}, ("NETWORK_PAY", "QRIS")),
        (
            {"payMethod": "VIRTUAL_ACCOUNT", "payOption": "VIRTUAL_ACCOUNT_BRI"},
            ("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_BRI"),
        ),
        ({"payMethod": "TELEPATHY", "payOption": None}, ("TELEPATHY", "")),
        ({"payMethod": 7, "payOption": []}, ("", "")),
        ({"payMethod": "x" * 500}, ("x" * 64, "")),
        ({}, ("", "")),
        (None, ("", "")),
        ("BALANCE", ("", "")),
    ],
    ids=str,
)
def test_what_it_was_paid_with(option: Any, method_and_option: tuple[str, str]) -> None:
    message = parse(**paid_with(option, {"payMethod": "POINTS"}))
    assert (message.pay_method, message.pay_option) == method_and_option


@pytest.mark.parametrize("additional", [None, [], "x", {"paymentInfo": 1}, {"paymentInfo": {"payOptionInfos": {}}}, {}])
def test_without_what_it_was_paid_with(additional: Any) -> None:
    message = parse(additionalInfo=additional)
    assert (message.pay_method, message.pay_option) == ("", "")


def test_an_absent_amount_is_not_an_unreadable_one() -> None:
    content = {name: value for name, value in MESSAGE.items() if name != "amount"}
    message = FinishNotify.parse(compact(content))
    assert (message.amount, message.currency, message.amount_unreadable) == (None, "", False)


@pytest.mark.parametrize("amount", ["15000.00", -1, [], {}, None, {"value": "-1.00", "currency": "IDR"}], ids=str)
def test_an_amount_that_can_not_be_read(amount: Any) -> None:
    message = parse(amount=amount)
    assert (message.amount, message.currency, message.amount_unreadable) == (None, "", True)


def test_an_amount_with_a_key_twice_can_not_be_read() -> None:
    text = compact(MESSAGE).replace(b'{"value":', b'{"value":"1.00","value":')
    message = FinishNotify.parse(text)
    assert (message.amount, message.amount_unreadable) == (None, True)


@pytest.mark.parametrize("name", ["originalPartnerReferenceNo", "merchantId"])
@pytest.mark.parametrize("value", [" x", "x ", "\x00x", "x\n", "\N{FULLWIDTH LATIN CAPITAL LETTER X}"], ids=ascii)
def test_ids_are_never_trimmed(name: str, value: str) -> None:
    message = parse(**{name: value})
    read = {"originalPartnerReferenceNo": message.partner_reference_no, "merchantId": message.merchant_id}
    assert read[name] == value.replace("\x00", "\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("name", ["originalPartnerReferenceNo", "merchantId", "latestTransactionStatus"])
@pytest.mark.parametrize(
    ("value", "is_incomplete"),
    [(None, True), ("", True), ("x" * 65, False), (True, False), ([], False), ({}, False), (1.5, False)],
    ids=str,
)
def test_a_mandatory_field_that_is_none(name: str, value: Any, is_incomplete: Any) -> None:
    with pytest.raises(BadMessage, match=f"^wrong fields: {name}$") as error:
        parse(**{name: value})
    assert error.value.is_incomplete == is_incomplete


def test_whole_numbers_are_ids_too() -> None:
    assert parse(merchantId=216620000000000000001).merchant_id == "216620000000000000001"


@given(st.binary() | st.binary().map(lambda text: b'{"merchantId":"' + text + b'"}'))
def test_nothing_but_a_bad_message_is_ever_raised(text: bytes) -> None:
    with pytest.raises(BadMessage):
        FinishNotify.parse(text)
