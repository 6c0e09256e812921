"""The table of payment methods, and what is made of it."""

from typing import Any

import pytest

from django_dana.protocol import payment_methods
from django_dana.protocol.payment_methods import METHODS, Address, PayOption, ShownAs, promised_address
from tests.test_validation import pay_options

# -- what a create answers with --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pay_method", "pay_option", "address"),
    [
        ("BALANCE", "", Address.PAGE),
        *(
            ("VIRTUAL_ACCOUNT", f"VIRTUAL_ACCOUNT_{bank}", Address.CODE)
            for bank in ("BCA", "BNI", "MANDIRI", "BSI_PAYMENT", "BRI", "BTPN", "CIMB", "PERMATA", "PANI")
        ),
        ("NETWORK_PAY", "NETWORK_PAY_PG_QRIS", Address.CODE),
        ("NETWORK_PAY", "NETWORK_PAY_PG_OVO", Address.NONE),
        ("NETWORK_PAY", "NETWORK_PAY_PG_SPAY", Address.PAGE),
        ("NETWORK_PAY", "NETWORK_PAY_PG_GOPAY", Address.PAGE),
        ("NETWORK_PAY", "NETWORK_PAY_PG_LINKAJA", Address.PAGE),
        ("NETWORK_PAY", "NETWORK_PAY_PL_INDODANA", Address.PAGE),
        ("NETWORK_PAY", "NETWORK_PAY_PC_INDOMARET", Address.EITHER),
        ("OTC", "", Address.EITHER),
        ("CREDIT_CARD", "NETWORK_PAY_PG_CARD", Address.PAGE),
        ("SOMETHING_NEW", "SOMETHING_NEW", Address.PAGE),
    ],
)
def test_promised_address(pay_method: str, pay_option: str, address: Address) -> None:
    assert promised_address([{"payMethod": pay_method, "payOption": pay_option}]) is address


def test_promised_address_of_danas_own_page() -> None:
    assert promised_address([]) is Address.PAGE


@pytest.mark.parametrize(
    ("details", "address"),
    [
        ([PayOption.balance(), PayOption.virtual_account("BCA")], Address.CODE),
        ([PayOption.ewallet("OVO", phone_number="0812"), PayOption.qris()], Address.CODE),
        ([PayOption.balance(), PayOption.ewallet("OVO", phone_number="0812")], Address.NONE),
    ],
    ids=["account", "QRIS", "OVO"],
)
def test_promised_address_of_several(details: list[dict[str, Any]], address: Address) -> None:
    assert promised_address(details) is address
    method = payment_methods.shown(details)
    assert method is not None
    assert method.address is address


def test_a_bank_of_an_older_row_has_an_account_number_all_the_same() -> None:
    assert promised_address([{"payMethod": "VIRTUAL_ACCOUNT", "payOption": "VIRTUAL_ACCOUNT_GONE"}]) is Address.CODE


# -- the table ------------------------------------------------------------------------------------------------------


def test_each_method_is_there_once() -> None:
    keys = [(pay_method, method.pay_option) for method in METHODS for pay_method in method.pay_methods]
    assert len(keys) == len(set(keys))
    for pay_method, pay_option in keys:
        found = payment_methods.find(pay_method, pay_option)
        assert found is not None
        assert found.pay_option == pay_option


def test_what_is_shown_agrees_with_what_comes_back() -> None:
    for method in METHODS:
        assert (method.shown_as is ShownAs.PAGE) == (method.address is Address.PAGE), method
        assert (method.shown_as is ShownAs.PROMPT) == (method.address is Address.NONE), method


@pytest.mark.parametrize(
    ("pay_method", "pay_option"),
    [
        ("NETWORK_PAY", ""),
        ("VIRTUAL_ACCOUNT", ""),
        ("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_BAC"),
        ("VIRTUAL_ACCOUNT", "NETWORK_PAY_PG_QRIS"),
        ("NETWORK_PAY", "VIRTUAL_ACCOUNT_BCA"),
        ("BALANCE", "NETWORK_PAY_PG_OVO"),
        ("SHELLS", ""),
        (None, None),
        ({}, []),
    ],
)
def test_what_is_not_there_is_not_found(pay_method: object, pay_option: object) -> None:
    assert payment_methods.find(pay_method, pay_option) is None


@pytest.mark.parametrize(
    ("pay_method", "pay_option", "name"),
    [
        ("BALANCE", "", "DANA"),
        ("NETWORK_PAY", "QRIS", "QRIS"),
        ("NETWORK_PAY", "NETWORK_PAY_PG_SPAY", "ShopeePay"),
        ("VIRTUAL_ACCOUNT", "BSI_PAYMENT", "BSI"),
        ("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_PANI", "Panin"),
        ("NETWORK_PAY", "INDOMARET", "Indomaret"),
    ],
)
def test_what_dana_reports_has_the_name_that_buyers_know(pay_method: str, pay_option: str, name: str) -> None:
    method = payment_methods.reported(pay_method, pay_option)
    assert method is not None
    assert method.name == name


def test_what_dana_reports_may_be_new() -> None:
    assert payment_methods.reported("NETWORK_PAY", "NETWORK_PAY_PG_SHELLS") is None
    assert payment_methods.reported("", "") is None


# -- for a shop's own checkout --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("detail", "pay_method", "pay_option"),
    [
        (PayOption.balance(), "BALANCE", ""),
        (PayOption.virtual_account("BCA"), "VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_BCA"),
        (PayOption.virtual_account("bca"), "VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_BCA"),
        (PayOption.virtual_account("BSI"), "VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_BSI_PAYMENT"),
        (PayOption.virtual_account("CIMB Niaga"), "VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_CIMB"),
        (PayOption.virtual_account("Panin"), "VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_PANI"),
        (PayOption.qris(), "NETWORK_PAY", "NETWORK_PAY_PG_QRIS"),
        (PayOption.ewallet("OVO", phone_number="0812"), "NETWORK_PAY", "NETWORK_PAY_PG_OVO"),
        (PayOption.ewallet("ShopeePay", phone_number="0812"), "NETWORK_PAY", "NETWORK_PAY_PG_SPAY"),
        (PayOption.card(phone_number="0812"), "CREDIT_CARD", "NETWORK_PAY_PG_CARD"),
        (PayOption.card(phone_number="0812", pay_method="DEBIT_CARD"), "DEBIT_CARD", "NETWORK_PAY_PG_CARD"),
        (PayOption.indomaret(), "NETWORK_PAY", "NETWORK_PAY_PC_INDOMARET"),
        (PayOption.pay_later(), "NETWORK_PAY", "NETWORK_PAY_PL_INDODANA"),
    ],
)
def test_pay_option_is_written_in_danas_names(detail: dict[str, Any], pay_method: str, pay_option: str) -> None:
    assert (detail["payMethod"], detail["payOption"]) == (pay_method, pay_option)
    assert pay_options([detail], store_id="S-1") == {}


@pytest.mark.parametrize(
    ("detail", "field", "sentence"),
    [
        (
            PayOption.virtual_account("BAC"),
            "pay_option_details",
            "DANA has no payment method VIRTUAL_ACCOUNT with the option “VIRTUAL_ACCOUNT_BAC”.",
        ),
        (
            PayOption.ewallet("SHELLS", phone_number="0812"),
            "pay_option_details",
            "DANA has no payment method NETWORK_PAY with the option “NETWORK_PAY_PG_SHELLS”.",
        ),
        (PayOption.ewallet("OVO", phone_number=""), "pay_option_details", "OVO needs additionalInfo.phoneNumber."),
        (PayOption.card(phone_number=""), "pay_option_details", "Visa/Mastercard needs additionalInfo.phoneNumber."),
        (PayOption.qris(), "external_store_id", "QRIS needs a store id."),
    ],
)
def test_what_a_method_lacks_is_said_with_its_field(detail: dict[str, Any], field: str, sentence: str) -> None:
    assert pay_options([detail]) == {field: [sentence]}
