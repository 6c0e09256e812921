"""DANA's answers: every responseCode with its message, written down from DANA's pages.

This is DANA's side of the table. It is not derived from the shop's side, so that a slip there shows up here.
Sources: the tables of DANA's pages for each operation. Where the page of Cancel Order says "Successful", DANA's sandbox
says "Success" [UAT].
"""

from typing import Final

_SUCCESS: Final = {"20000": "Successful"}
_REFUSALS: Final = {
    "40000": "Bad Request",
    "40001": "Invalid Field Format",
    "40002": "Invalid Mandatory Field",
    "40100": "Unauthorized. Invalid Signature",
    "42900": "Too Many Requests",
    "50000": "General Error",
    "50001": "Internal Server Error",
}
_CREATE: Final = {
    "40302": "Exceeds Transaction Amount Limit",
    "40305": "Do Not Honor",
    "40315": "Transaction Not Permitted",
    "40408": "Invalid Merchant",
    "40418": "Inconsistent Request",
}
_QUERY: Final = {
    "40401": "Transaction Not Found",
}
_GIVING_BACK: Final = {
    "20200": "Request In Progress",
    "40305": "Do Not Honor",
    "40314": "Insufficient Funds",
    "40315": "Transaction Not Permitted",
    "40400": "Invalid Transaction Status",
    "40401": "Transaction Not Found",
    "40408": "Invalid Merchant",
}
_CANCEL: Final = {
    **_GIVING_BACK,
    "20000": "Success",
    "40300": "Transaction Expired",
}
_REFUND: Final = {
    **_GIVING_BACK,
    "40302": "Exceeds Transaction Amount Limit",
    "40412": "Invalid Bill",
    "40413": "Invalid Amount",
    "40418": "Inconsistent Request",
}

# service code -> (HTTP status + case) -> message
TABLES: Final[dict[str, dict[str, str]]] = {
    "54": {**_SUCCESS, **_REFUSALS, **_CREATE},
    "55": {**_SUCCESS, **_REFUSALS, **_QUERY},
    "57": {**_SUCCESS, **_REFUSALS, **_CANCEL},
    "58": {**_SUCCESS, **_REFUSALS, **_REFUND},
    # Consult Pay: its page has no table of its own beyond the general refusals
    "00": {**_SUCCESS, **_REFUSALS},
}


def response_code(service: str, case: str) -> str:
    """Return the seven digits: HTTP status, service, case. ``case`` is HTTP status and case, e.g. ``40418``."""
    return f"{case[:3]}{service}{case[3:]}"


def http_status(code: str) -> int:
    """Return the HTTP status with which a responseCode travels: its first three digits."""
    return int(code[:3])


def message(code: str) -> str:
    """Return DANA's message for a responseCode, or a sentence of our own for one that DANA does not list."""
    table = TABLES.get(code[3:5], {})
    return table.get(code[:3] + code[5:], "A code that DANA's pages do not list")
