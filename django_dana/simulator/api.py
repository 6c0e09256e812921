"""DANA's counter: headers, signature and body of a call, the operation itself, the answer, and the faults on it."""

import json
import math
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django_dana.exceptions import InvalidSignature
from django_dana.protocol import signing
from django_dana.protocol.notation import jakarta_time, parse_json_object
from django_dana.simulator import codes, faults, fields, merchants
from django_dana.simulator.faults import Fault
from django_dana.simulator.http import Delivery, Reply, Request
from django_dana.simulator.journal import Call
from django_dana.simulator.merchants import Merchant
from django_dana.simulator.operations import Counter, Operation, Refusal

if TYPE_CHECKING:
    from django_dana.simulator.simulator import Simulator

REQUIRED_HEADERS: Final = (
    "Content-Type",
    "X-TIMESTAMP",
    "X-SIGNATURE",
    "X-PARTNER-ID",
    "X-EXTERNAL-ID",
    "CHANNEL-ID",
)

# seconds between two looks at whether the caller of a delayed call is still there
_GLANCE: Final = 0.02

_PROXY_PAGE: Final = b"<html><head><title>%d</title></head><body><h1>%d</h1><hr>nginx</body></html>"


def answer(dana: "Simulator", operation: Operation, request: Request, call: Call) -> Reply:
    """Return DANA's reply to one call, after everything that is to go wrong with it went wrong."""
    drawn = dana.faults.draw(operation.name, call.reference)
    call.faults = [fault.spec for fault in drawn]
    early, late = _split(drawn)
    _delay(dana, early, request, call)
    reply = _faulty_answer(operation, request, call, early)
    delivery = _delivery(early)
    if reply is None and delivery is None:
        with dana.lock:
            reply = _act(dana, operation, request, call)
        reply = _faulty_answer(operation, request, call, late, reply) or reply
    _delay(dana, late, request, call)
    skew = sum(fault.seconds for fault in drawn if fault.kind == "clock_skew")
    reply = reply or Reply(500, b"")
    call.http_status = reply.status
    call.response_body = reply.body.decode("utf-8", "replace")
    timestamp = jakarta_time(dana.clock.now() + timedelta(seconds=skew))
    return replace(
        reply,
        headers=[("X-TIMESTAMP", timestamp), *reply.headers],
        delivery=delivery or _delivery(late),
    )


def _split(drawn: list[Fault]) -> tuple[list[Fault], list[Fault]]:
    return [f for f in drawn if f.when == "before"], [f for f in drawn if f.when == "after"]


def _delay(dana: "Simulator", drawn: list[Fault], request: Request, call: Call) -> None:
    """Wait as long as the faults say, also when nobody listens any more: DANA would act late, too."""
    end = time.monotonic() + sum(fault.seconds for fault in drawn if fault.kind == "delay")
    while (rest := end - time.monotonic()) > 0 and not dana.closing.wait(min(rest, _GLANCE)):
        if call.abandoned_at is None and request.is_gone():
            dana.journal.abandon(call)


def _delivery(drawn: list[Fault]) -> Delivery | None:
    for fault in drawn:
        if fault.kind in faults.ON_THE_WIRE:
            return Delivery(fault.kind.removesuffix("_reply"), fault.seconds)
    return None


def _faulty_answer(
    operation: Operation, request: Request, call: Call, drawn: list[Fault], true: Reply | None = None
) -> Reply | None:
    """Return the reply that a fault puts in the place of DANA's own, or None."""
    fault = next((fault for fault in drawn if fault.kind in faults.ANSWERS), None)
    if fault is None:
        return None
    if fault.kind == "http":
        return Reply(fault.status, _PROXY_PAGE % (fault.status, fault.status), "text/html")
    if fault.kind == "garbage":
        return Reply(200, b"<html>Sorry for the inconvenience", "text/html")
    if fault.kind == "empty":
        return Reply(200, b"")
    if fault.kind == "no_code":
        body = json.loads(true.body) if true else {}
        body.pop("responseCode", None)
        return Reply(true.status if true else 200, json.dumps(body).encode())
    return _coded(operation, request, call, fault)


def _coded(operation: Operation, request: Request, call: Call, fault: Fault) -> Reply:
    code = {
        "code": fault.code,
        "in_progress": codes.response_code(operation.service, "20200"),
    }.get(fault.kind, codes.response_code(operation.service, "42900"))
    headers = []
    if fault.kind in ("too_many", "limit"):
        headers.append(("Retry-After", str(max(1, math.ceil(fault.seconds)))))
    repeated: dict[str, Any] = {operation.reference: call.reference} if call.reference else {}
    reply = _explained(code, codes.message(code), repeated, request, call, f"the fault {fault.spec}")
    return replace(reply, headers=headers)


def _act(dana: "Simulator", operation: Operation, request: Request, call: Call) -> Reply:
    """Do what the call asks, by DANA's rules."""
    call.acted = True
    dana.orders.expire_due()
    body: dict[str, Any] = {}
    try:
        _check_headers(dana, request)
        signers, text = _check_signature(dana, request, call)
        body = _read(text)
        call.hints += fields.hints(body, operation.check)
        problem = fields.first_problem(body, operation.check)
        if problem is not None:
            raise Refusal(problem.case, problem.why, field=problem.field)
        counter = Counter(
            body=body,
            external_id=request.header("X-EXTERNAL-ID"),
            merchants=signers,
            orders=dana.orders,
            habits=dana.habits,
            clock=dana.clock,
            base_url=dana.base_url,
        )
        done = operation.act(counter)
    except Refusal as refusal:
        return _refuse(operation, refusal, body, request, call)
    code = done.pop("responseCode", codes.response_code(operation.service, "20000"))
    return _reply(code, codes.message(code), done, call)


def _check_headers(dana: "Simulator", request: Request) -> None:
    for name in REQUIRED_HEADERS:
        if not request.header(name):
            raise Refusal("40002", f"the header {name} is missing", field=name)
    if request.header("Content-Type").partition(";")[0].strip().lower() != "application/json":
        raise Refusal("40001", "Content-Type is not application/json", field="Content-Type")
    timestamp = request.header("X-TIMESTAMP")
    if not fields.is_time(timestamp):
        raise Refusal("40001", "X-TIMESTAMP is not YYYY-MM-DDTHH:mm:ss+07:00", field="X-TIMESTAMP")
    tolerance = dana.habits.clock_tolerance
    if tolerance is not None and abs(datetime.fromisoformat(timestamp) - dana.clock.now()) > tolerance:
        raise Refusal("40001", f"X-TIMESTAMP is off by more than {tolerance}", field="X-TIMESTAMP")
    for name in ("X-PARTNER-ID", "X-EXTERNAL-ID"):
        if len(request.header(name)) > 36:
            raise Refusal("40001", f"the header {name} has more than 36 characters", field=name)


def _check_signature(dana: "Simulator", request: Request, call: Call) -> tuple[list[Merchant], bytes]:
    timestamp = request.header("X-TIMESTAMP")
    try:
        found = merchants.signers(
            dana.merchants.of_partner(request.header("X-PARTNER-ID")),
            request.header("X-SIGNATURE"),
            path=request.path,
            body=request.body,
            timestamp=timestamp,
        )
    except InvalidSignature as error:
        call.signature = str(error)
        expected = signing.string_to_sign("POST", request.path, signing.minify(request.body), timestamp)
        raise Refusal("40100", f"{error}; DANA signs {expected.decode()}") from None
    call.signature = "valid"
    return found


def _read(text: bytes) -> dict[str, Any]:
    try:
        return parse_json_object(text)
    except ValueError as error:
        raise Refusal("40000", f"the body can't be read: {error}") from None


def _refuse(operation: Operation, refusal: Refusal, body: dict[str, Any], request: Request, call: Call) -> Reply:
    code = refusal.case if len(refusal.case) == 7 else codes.response_code(operation.service, refusal.case)
    message = f"{codes.message(code)} {refusal.field}".strip()
    # a refusal before the body was read repeats nothing from it
    names = (operation.reference, *operation.repeated)
    repeated = {name: body[name] for name in names if isinstance(body.get(name), str)}
    return _explained(code, message, repeated, request, call, refusal.why)


def _explained(code: str, message: str, repeated: dict[str, Any], request: Request, call: Call, why: str) -> Reply:
    """Return a refusal, with its reason for those who ask for it."""
    if request.header("X-Debug-Mode").lower() in ("1", "true"):
        repeated["additionalInfo"] = {"debugMessage": why}
    return _reply(code, message, repeated, call, why)


def _reply(code: str, message: str, rest: dict[str, Any], call: Call, why: str = "") -> Reply:
    call.response_code, call.response_message, call.why = code, message, why
    body = {"responseCode": code, "responseMessage": message[:150], **rest}
    status = codes.http_status(code)
    return Reply(status if 200 <= status <= 599 else 500, json.dumps(body, separators=(",", ":")).encode())
