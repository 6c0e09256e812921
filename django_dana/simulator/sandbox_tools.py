"""The sandbox's tool page as a call: paying into a virtual account, as the merchant portal lets testers do.

Source: DANA's acceptance suite, sandbox_tools.
"""

import json
from typing import TYPE_CHECKING, Any, Final

from django_dana.protocol.notation import parse_json_object
from django_dana.simulator.http import Reply, Request
from django_dana.simulator.orders import WrongState

if TYPE_CHECKING:
    from django_dana.simulator.simulator import Simulator

PATH: Final = "/merchant-portal-app/api/sandbox-tools/execute"
_PAY_VIRTUAL_ACCOUNT: Final = "/v1.0/transfer-va/payment.htm"


def execute(dana: "Simulator", request: Request) -> Reply:
    """Pay the order of a virtual account number. No credentials are asked, as at DANA."""
    if request.method != "POST":
        return Reply(405, b"", headers=[("Allow", "POST")])
    try:
        body = parse_json_object(request.body)
        endpoint, number = body["urlEndpoint"], body["requestBody"]["virtualAccountNo"]
    except (ValueError, KeyError, TypeError):
        return _answer(400, "4002501", "Invalid Field Format")
    if endpoint != _PAY_VIRTUAL_ACCOUNT:
        return _answer(404, "4042500", "The simulator has no such tool")
    order = dana.orders.by_payment_code(str(number))
    if order is None:
        return _answer(404, "4042512", "Invalid Bill/Virtual Account")
    try:
        dana.orders.pay(order)
    except WrongState as error:
        return _answer(404, "4042514", f"Paid Bill or expired: {error}")
    return _answer(200, "2002500", "Successful", virtualAccountNo=order.payment_code)


def _answer(status: int, code: str, message: str, **rest: Any) -> Reply:
    content = {"responseBody": {"responseCode": code, "responseMessage": message, **rest}}
    return Reply(status, json.dumps(content).encode())
