"""The sandbox's magic values: requests that DANA answers with a fixed code, whatever the order's state.

Source: DANA's acceptance suite (PaymentGateway.json) and the test scenarios of the merchant portal.
"""

from typing import Any, Final

CANCEL_REFERENCES: Final = {
    "2025700": "20200",
    "4035700": "40300",
    "4035705": "40305",
    "4035714": "40314",
    "4035715": "40315",
    "4045708": "40408",
    "5005701": "50001",
}

REFUND_AMOUNTS: Final = {
    "225800.00": "20200",
    "435815.00": "40315",
    "435816.00": "40315",
    "435817.00": "40315",
    "435814.00": "40314",
    "445808.00": "40408",
    "505801.00": "50001",
}

QUERY_SERVICE_CODES: Final = {
    "AZ": "50001",
}


def case_of_cancel(body: dict[str, Any]) -> str | None:
    """Return the fixed case of a cancel, if its reference is a magic one."""
    return CANCEL_REFERENCES.get(body["originalPartnerReferenceNo"])


def case_of_refund(body: dict[str, Any]) -> str | None:
    """Return the fixed case of a refund, if its amount is a magic one."""
    return REFUND_AMOUNTS.get(body["refundAmount"]["value"])


def case_of_query(body: dict[str, Any]) -> str | None:
    """Return the fixed case of a query, if its service code is a magic one."""
    return QUERY_SERVICE_CODES.get(body["serviceCode"])
