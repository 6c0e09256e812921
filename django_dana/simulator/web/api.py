"""DANA's API over HTTP: a shop's call, the faults that strike it, and the reply."""

import json
import math
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from django_dana.protocol.notation import jakarta_time
from django_dana.simulator.engine import codes, faults
from django_dana.simulator.engine.answers import Answer
from django_dana.simulator.engine.call_log import Call
from django_dana.simulator.engine.engine import Engine
from django_dana.simulator.engine.faults import Fault
from django_dana.simulator.engine.operations import Endpoint
from django_dana.simulator.web.http import Delivery, Reply, Request

# seconds between two checks whether the caller of a delayed call is still there
_GLANCE: Final = 0.02

_PROXY_PAGE: Final = b"<html><head><title>%d</title></head><body><h1>%d</h1><hr>nginx</body></html>"


def answer(engine: Engine, endpoint: Endpoint, request: Request, call: Call) -> Reply:
    """Return the reply to one call, with all its faults."""
    drawn = engine.faults.draw(endpoint.name, call.reference)
    call.faults = [fault.spec for fault in drawn]
    early, late = _split(drawn)
    _delay(engine, early, request, call)
    reply = _faulty_reply(endpoint, request, call, early)
    delivery = _delivery(early)
    if reply is None and delivery is None:
        reply = _handle(engine, endpoint, request, call, drawn)
        reply = _faulty_reply(endpoint, request, call, late, reply) or reply
        delivery = _delivery(late)
    _delay(engine, late, request, call)
    if reply is None:
        return Reply(500, b"", delivery=delivery)
    call.http_status = reply.status
    call.response_body = reply.body.decode("utf-8", "replace")
    timestamp = jakarta_time(engine.clock.now() + timedelta(seconds=_seconds(drawn, "clock_skew")))
    return replace(reply, headers=[("X-TIMESTAMP", timestamp), *reply.headers], delivery=delivery)


def _split(drawn: list[Fault]) -> tuple[list[Fault], list[Fault]]:
    return [f for f in drawn if f.when == "before"], [f for f in drawn if f.when == "after"]


def _seconds(drawn: list[Fault], kind: str) -> float:
    return sum(fault.seconds for fault in drawn if fault.kind == kind)


def _delay(engine: Engine, drawn: list[Fault], request: Request, call: Call) -> None:
    """Wait as long as the faults say, also after the caller has hung up: DANA would act late, too."""
    end = time.monotonic() + _seconds(drawn, "delay")
    while (rest := end - time.monotonic()) > 0 and not engine.closing.wait(min(rest, _GLANCE)):
        if call.abandoned_at is None and request.is_gone():
            engine.call_log.abandon(call)


def _delivery(drawn: list[Fault]) -> Delivery | None:
    for fault in drawn:
        if fault.kind == "act_late":
            return Delivery("drop")
        if fault.kind in faults.ON_THE_WIRE:
            return Delivery(fault.kind.removesuffix("_reply"), fault.seconds)
    return None


def _handle(engine: Engine, endpoint: Endpoint, request: Request, call: Call, drawn: list[Fault]) -> Reply | None:
    """Let DANA act, and return its own reply; None where it acts later."""
    true = engine.handler.handle(
        endpoint, request, call, lag=_seconds(drawn, "lag"), act_after=_seconds(drawn, "act_late")
    )
    return _reply(true, request) if true else None


def _faulty_reply(
    endpoint: Endpoint, request: Request, call: Call, drawn: list[Fault], true: Reply | None = None
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
    return _coded(endpoint, request, call, fault)


def _coded(endpoint: Endpoint, request: Request, call: Call, fault: Fault) -> Reply:
    code = {
        "code": fault.code,
        "in_progress": codes.response_code(endpoint.service, "20200"),
    }.get(fault.kind, codes.response_code(endpoint.service, "42900"))
    headers = []
    if fault.kind in ("too_many", "limit"):
        headers.append(("Retry-After", str(max(1, math.ceil(fault.seconds)))))
    repeated = {endpoint.reference: call.reference} if call.reference else {}
    false = Answer(code, codes.message(code), repeated, f"the fault {fault.spec}")
    call.record(false)
    return replace(_reply(false, request), headers=headers)


def _reply(answer: Answer, request: Request) -> Reply:
    """Return an answer as HTTP; X-Debug-Mode adds the reason of a refusal."""
    body: dict[str, Any] = {"responseCode": answer.code, "responseMessage": answer.message[:150], **answer.content}
    if answer.why and request.header("X-Debug-Mode").lower() in ("1", "true"):
        body["additionalInfo"] = {"debugMessage": answer.why}
    status = codes.http_status(answer.code)
    return Reply(status if 200 <= status <= 599 else 500, json.dumps(body, separators=(",", ":")).encode())
