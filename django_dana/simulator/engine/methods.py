"""The ways to pay, with the names that DANA uses for them (Create Order page, payOptionDetails)."""

from dataclasses import dataclass
from typing import Final

PAY_METHODS: Final = (
    "BALANCE",
    "COUPON",
    "NET_BANKING",
    "CREDIT_CARD",
    "DEBIT_CARD",
    "VIRTUAL_ACCOUNT",
    "OTC",
    "DIRECT_DEBIT_CREDIT_CARD",
    "DIRECT_DEBIT_DEBIT_CARD",
    "ONLINE_CREDIT",
    "LOAN_CREDIT",
    "NETWORK_PAY",
    "CARD",
)


@dataclass(frozen=True, slots=True)
class Method:
    """One way to pay.

    Attributes:
        pay_method: DANA's payMethod.
        pay_option: DANA's payOption, empty for the DANA balance.
        label: what the checkout page shows.
    """

    pay_method: str
    pay_option: str
    label: str

    @property
    def name(self) -> str:
        """A name for forms and commands: the payOption, or the payMethod where that is empty."""
        return self.pay_option or self.pay_method

    @property
    def is_virtual_account(self) -> bool:
        """Whether the buyer pays into an account number, the paymentCode."""
        return self.pay_method == "VIRTUAL_ACCOUNT"

    @property
    def is_qris(self) -> bool:
        """Whether the buyer scans a code, the paymentCode."""
        return self.pay_option == "NETWORK_PAY_PG_QRIS"

    @property
    def has_page(self) -> bool:
        """Whether DANA answers with an address to which the buyer is sent."""
        return not (self.is_virtual_account or self.is_qris or self.pay_option == "NETWORK_PAY_PG_OVO")

    @property
    def needs_phone(self) -> bool:
        """Whether payOptionDetails must carry the buyer's phone number."""
        return self.pay_method in {"CARD", "CREDIT_CARD", "DEBIT_CARD"} or self.pay_option in _WITH_PHONE


_WITH_PHONE: Final = {
    "NETWORK_PAY_PG_CARD",
    "NETWORK_PAY_PG_SPAY",
    "NETWORK_PAY_PG_OVO",
    "NETWORK_PAY_PG_GOPAY",
    "NETWORK_PAY_PG_LINKAJA",
}

METHODS: Final = (
    Method("BALANCE", "", "DANA balance"),
    Method("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_BCA", "BCA virtual account"),
    Method("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_BNI", "BNI virtual account"),
    Method("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_BRI", "BRI virtual account"),
    Method("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_BSI_PAYMENT", "BSI virtual account"),
    Method("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_BTPN", "BTPN virtual account"),
    Method("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_CIMB", "CIMB virtual account"),
    Method("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_MANDIRI", "Mandiri virtual account"),
    Method("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_PANI", "Panin virtual account"),
    Method("VIRTUAL_ACCOUNT", "VIRTUAL_ACCOUNT_PERMATA", "Permata virtual account"),
    Method("NETWORK_PAY", "NETWORK_PAY_PG_QRIS", "QRIS"),
    Method("NETWORK_PAY", "NETWORK_PAY_PG_GOPAY", "GoPay"),
    Method("NETWORK_PAY", "NETWORK_PAY_PG_LINKAJA", "LinkAja"),
    Method("NETWORK_PAY", "NETWORK_PAY_PG_OVO", "OVO"),
    Method("NETWORK_PAY", "NETWORK_PAY_PG_SPAY", "ShopeePay"),
    Method("CREDIT_CARD", "NETWORK_PAY_PG_CARD", "Credit card"),
    Method("NETWORK_PAY", "NETWORK_PAY_PC_INDOMARET", "Indomaret"),
    Method("NETWORK_PAY", "NETWORK_PAY_PL_INDODANA", "Indodana, pay later"),
)
BALANCE: Final = METHODS[0]


def find(pay_method: str, pay_option: str) -> Method | None:
    """Return the way to pay that an order names, or None where DANA has none such."""
    for method in METHODS:
        if method.pay_option == pay_option and (pay_option or method.pay_method == pay_method):
            return Method(pay_method, pay_option, method.label)
    return None


def by_name(name: str) -> Method | None:
    """Return the way to pay with that :attr:`Method.name`."""
    return next((method for method in METHODS if method.name == name), None)
