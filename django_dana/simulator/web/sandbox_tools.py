"""The sandbox's tools: paying into a virtual account, as testers do in the merchant portal.

Source: DANA's acceptance suite, sandbox_tools.
"""

import json
from typing import Any, Final

from django_dana.protocol.notation import parse_json_object
from django_dana.simulator.engine.engine import Engine
from django_dana.simulator.engine.orders import WrongState
from django_dana.simulator.web.http import Reply, Request

PATH: Final = "/merchant-portal-app/api/sandbox-tools/execute"
_PAY_VIRTUAL_ACCOUNT: Final = "/v1.0/transfer-va/payment.htm"


def execute(engine: Engine, request: Request) -> Reply:
    """Pay the order of a virtual account number. As at DANA, no credentials are needed."""
    if request.method != "POST":
        return Reply(405, b"", headers=[("Allow", "POST")])
    if not request.is_json:
        return _answer(415, "4152500", "Send Content-Type: application/json")
    try:
        body = parse_json_object(request.body)
        endpoint, number = body["urlEndpoint"], body["requestBody"]["virtualAccountNo"]
    except (ValueError, KeyError, TypeError):
        return _answer(400, "4002501", "Invalid Field Format")
    if endpoint != _PAY_VIRTUAL_ACCOUNT:
        return _answer(404, "4042500", "The simulator has no such tool")
    order = engine.orders.by_payment_code(str(number))
    if order is None:
        return _answer(404, "4042512", "Invalid Bill/Virtual Account")
    try:
        engine.orders.pay(order)
    except WrongState as error:
        return _answer(404, "4042514", f"Paid Bill or expired: {error}")
    return _answer(200, "2002500", "Successful", virtualAccountNo=order.payment_code)


def _answer(status: int, code: str, message: str, **rest: Any) -> Reply:
    content = {"responseBody": {"responseCode": code, "responseMessage": message, **rest}}
    return Reply(status, json.dumps(content).encode())
