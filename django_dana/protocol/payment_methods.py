"""Payment methods: what each is called, needs, answers with and is shown as. Plain Python.

Names and conditions are those of DANA's page *Create Order*, ``payOptionDetails`` and response.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

#: With a longer partner reference QRIS can't be used.
MAX_QRIS_REFERENCE: Final = 25

_VIRTUAL_ACCOUNT: Final = "VIRTUAL_ACCOUNT"
_NETWORK_PAY: Final = "NETWORK_PAY"
_BANK_PREFIX: Final = "VIRTUAL_ACCOUNT_"


class Address(Enum):
    """How DANA's answer to a create tells the buyer where to pay."""

    PAGE = "webRedirectUrl"
    CODE = "paymentCode"
    EITHER = "webRedirectUrl or paymentCode"
    NONE = "none"


class ShownAs(Enum):
    """What the buyer is shown in order to pay."""

    PAGE = "page"
    VIRTUAL_ACCOUNT = "virtual_account"
    QR = "qr"
    COUNTER_CODE = "counter_code"
    #: the wallet asks on the buyer's phone; there is nothing to open or to copy
    PROMPT = "prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethod:
    """One way to pay.

    Attributes:
        pay_option: DANA's payOption; empty where the payMethod says it all.
        pay_methods: the payMethods that it is sent with; the first is the usual one.
        name: the name buyers know; for a virtual account, that of the bank.
        address: what a successful create answers with.
        shown_as: what the buyer is shown.
        needs_phone: whether additionalInfo.phoneNumber is required.
        needs_store: whether externalStoreId is required.
        max_reference: the longest partner reference.
    """

    pay_option: str
    pay_methods: tuple[str, ...]
    name: str
    address: Address = Address.PAGE
    shown_as: ShownAs = ShownAs.PAGE
    needs_phone: bool = False
    needs_store: bool = False
    max_reference: int = 64


def _bank(code: str, name: str) -> PaymentMethod:
    return PaymentMethod(
        pay_option=f"{_BANK_PREFIX}{code}",
        pay_methods=(_VIRTUAL_ACCOUNT,),
        name=name,
        address=Address.CODE,
        shown_as=ShownAs.VIRTUAL_ACCOUNT,
    )


def _wallet(code: str, name: str, *, prompts: bool = False) -> PaymentMethod:
    return PaymentMethod(
        pay_option=f"NETWORK_PAY_PG_{code}",
        pay_methods=(_NETWORK_PAY,),
        name=name,
        address=Address.NONE if prompts else Address.PAGE,
        shown_as=ShownAs.PROMPT if prompts else ShownAs.PAGE,
        needs_phone=True,
    )


def _whole(pay_method: str, name: str, *, needs_phone: bool = False) -> PaymentMethod:
    return PaymentMethod(pay_option="", pay_methods=(pay_method,), name=name, needs_phone=needs_phone)


METHODS: Final = (
    _whole("BALANCE", "DANA"),
    _bank("BCA", "BCA"),
    _bank("BNI", "BNI"),
    _bank("BRI", "BRI"),
    _bank("BSI_PAYMENT", "BSI"),
    _bank("BTPN", "BTPN"),
    _bank("CIMB", "CIMB Niaga"),
    _bank("MANDIRI", "Mandiri"),
    _bank("PANI", "Panin"),
    _bank("PERMATA", "Permata"),
    PaymentMethod(
        pay_option="NETWORK_PAY_PG_QRIS",
        pay_methods=(_NETWORK_PAY,),
        name="QRIS",
        address=Address.CODE,
        shown_as=ShownAs.QR,
        needs_store=True,
        max_reference=MAX_QRIS_REFERENCE,
    ),
    _wallet("GOPAY", "GoPay"),
    _wallet("LINKAJA", "LinkAja"),
    _wallet("OVO", "OVO", prompts=True),
    _wallet("SPAY", "ShopeePay"),
    PaymentMethod(
        pay_option="NETWORK_PAY_PG_CARD",
        # which of them belongs to it is said nowhere
        pay_methods=("CREDIT_CARD", "DEBIT_CARD", "CARD", _NETWORK_PAY),
        name="Visa/Mastercard",
        needs_phone=True,
    ),
    PaymentMethod(
        pay_option="NETWORK_PAY_PC_INDOMARET",
        pay_methods=(_NETWORK_PAY, "OTC"),
        name="Indomaret",
        # paid at a counter; no source says which of the two comes back
        address=Address.EITHER,
        shown_as=ShownAs.COUNTER_CODE,
    ),
    PaymentMethod(pay_option="NETWORK_PAY_PL_INDODANA", pay_methods=(_NETWORK_PAY,), name="Indodana"),
    # payMethods whose payOptions DANA lists nowhere
    _whole("CREDIT_CARD", "Visa/Mastercard", needs_phone=True),
    _whole("DEBIT_CARD", "Visa/Mastercard", needs_phone=True),
    _whole("CARD", "Visa/Mastercard", needs_phone=True),
    PaymentMethod(
        pay_option="", pay_methods=("OTC",), name="OTC", address=Address.EITHER, shown_as=ShownAs.COUNTER_CODE
    ),
    _whole("COUPON", "DANA"),
    _whole("NET_BANKING", "Internet banking"),
    _whole("DIRECT_DEBIT_CREDIT_CARD", "Visa/Mastercard"),
    _whole("DIRECT_DEBIT_DEBIT_CARD", "Visa/Mastercard"),
    _whole("ONLINE_CREDIT", "Online credit"),
    _whole("LOAN_CREDIT", "Loan credit"),
)

_BY_OPTION: Final = {method.pay_option: method for method in METHODS if method.pay_option}
_WHOLE: Final = {method.pay_methods[0]: method for method in METHODS if not method.pay_option}
#: Their payOptions are all in the table, so that another one is a mistake.
_LISTED_WHOLLY: Final = (_VIRTUAL_ACCOUNT, _NETWORK_PAY)


def find(pay_method: object, pay_option: object) -> PaymentMethod | None:
    """Return the payment method that ``payMethod`` and ``payOption`` name together, or None where there is none."""
    method = _BY_OPTION.get(str(pay_option or ""))
    if method is None:
        # what goes with OTC or ONLINE_CREDIT is not documented, so any payOption may be right there
        return None if pay_method in _LISTED_WHOLLY else _WHOLE.get(str(pay_method))
    return method if pay_method in method.pay_methods else None


def promised_address(pay_option_details: Sequence[Mapping[str, Any]]) -> Address:
    """Return what a successful create must carry for these payment methods (DANA's Create Order page, response)."""
    found = {_address(detail.get("payMethod"), detail.get("payOption")) for detail in pay_option_details}
    # what one of them promises must come; a page is what all others have
    order = (Address.CODE, Address.NONE, Address.EITHER)
    return next((address for address in order if address in found), Address.PAGE)


def _address(pay_method: object, pay_option: object) -> Address:
    # also for rows older than the check of them: a bank that is not in the table still has an account number
    method = _BY_OPTION.get(str(pay_option or "")) or _WHOLE.get(str(pay_method))
    return Address.CODE if pay_method == _VIRTUAL_ACCOUNT else method.address if method else Address.PAGE


def shown(pay_option_details: Sequence[Mapping[str, Any]]) -> PaymentMethod | None:
    """Return the payment method whose address the buyer is shown, or None for DANA's own page."""
    promised = promised_address(pay_option_details)
    for detail in pay_option_details:
        method = find(detail.get("payMethod"), detail.get("payOption"))
        if method is not None and method.address is promised:
            return method
    return None


def reported(pay_method: str, pay_option: str) -> PaymentMethod | None:
    """Return the payment method that a message of DANA names, or None where it is not in the table.

    DANA's messages also name payOptions in short, such as ``QRIS`` or ``BSI_PAYMENT``.
    """
    method = _BY_OPTION.get(pay_option) or _BY_SHORT_OPTION.get(pay_option)
    return method or (None if pay_option else _WHOLE.get(pay_method))


def _short(pay_option: str) -> str:
    for prefix in (_BANK_PREFIX, "NETWORK_PAY_PG_", "NETWORK_PAY_PC_", "NETWORK_PAY_PL_"):
        pay_option = pay_option.removeprefix(prefix)
    return pay_option


_BY_SHORT_OPTION: Final = {_short(option): method for option, method in _BY_OPTION.items()}


class PayOption:
    """One item of ``pay_option_details`` for your own checkout, in DANA's field names.

    ``services.create_order`` checks it against the table before anything is saved, the names of banks and wallets
    included, so that they may come straight from a form.
    """

    @staticmethod
    def balance() -> dict[str, Any]:
        """Return the DANA balance: the buyer confirms on DANA's page."""
        return {"payMethod": "BALANCE", "payOption": ""}

    @staticmethod
    def virtual_account(bank: str) -> dict[str, Any]:
        """Return a virtual account at a bank, by DANA's name (``"BSI_PAYMENT"``) or the one buyers know (``"BSI"``)."""
        return {"payMethod": _VIRTUAL_ACCOUNT, "payOption": _option(bank, _BANK_PREFIX)}

    @staticmethod
    def qris() -> dict[str, Any]:
        """Return QRIS: needs a store id, and a partner reference of at most 25 characters."""
        return {"payMethod": _NETWORK_PAY, "payOption": "NETWORK_PAY_PG_QRIS"}

    @staticmethod
    def ewallet(wallet: str, *, phone_number: str) -> dict[str, Any]:
        """Return another wallet (OVO, GoPay, LinkAja, ShopeePay) with the phone number that it is known by."""
        return {
            "payMethod": _NETWORK_PAY,
            "payOption": _option(wallet, "NETWORK_PAY_PG_"),
            "additionalInfo": {"phoneNumber": phone_number},
        }

    @staticmethod
    def card(*, phone_number: str, pay_method: str = "CREDIT_CARD") -> dict[str, Any]:
        """Return a card, typed in on DANA's page; ``pay_method`` may also be ``DEBIT_CARD`` or ``CARD``."""
        return {
            "payMethod": pay_method,
            "payOption": "NETWORK_PAY_PG_CARD",
            "additionalInfo": {"phoneNumber": phone_number},
        }

    @staticmethod
    def indomaret() -> dict[str, Any]:
        """Return cash at an Indomaret counter."""
        return {"payMethod": _NETWORK_PAY, "payOption": "NETWORK_PAY_PC_INDOMARET"}

    @staticmethod
    def pay_later() -> dict[str, Any]:
        """Return Indodana, pay later."""
        return {"payMethod": _NETWORK_PAY, "payOption": "NETWORK_PAY_PL_INDODANA"}


def _option(name: str, prefix: str) -> str:
    """Return DANA's payOption for a name; for one that is not in the table, a payOption that is not there either."""
    wanted = _plain(name)
    for method in METHODS:
        if method.pay_option.startswith(prefix) and wanted in (_plain(method.name), _plain(_short(method.pay_option))):
            return method.pay_option
    return f"{prefix}{name}"


def _plain(name: str) -> str:
    return "".join(str(name).split()).upper()
