"""The control API: JSON over HTTP, for scripts and testers.

Requests that change something must be of type application/json, so that no web page can send them from a form.
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Final, TypeVar

from django_dana.protocol.notation import parse_json_object
from django_dana.simulator.engine import faults
from django_dana.simulator.engine.engine import Engine
from django_dana.simulator.engine.faults import Fault
from django_dana.simulator.engine.order_handle import OrderHandle
from django_dana.simulator.engine.orders import WrongState
from django_dana.simulator.web.http import Reply, Request

PREFIX: Final = "/simulator/"

_AMOUNT: Final = re.compile(r"\d{1,16}\.\d{2}", re.ASCII)

Number = TypeVar("Number", int, float)
Action = Callable[[Engine, dict[str, Any]], Any]


def answer(engine: Engine, request: Request) -> Reply:
    """Answer one request of the control API."""
    action = ACTIONS.get((request.method, request.path.removeprefix(PREFIX).strip("/")))
    if action is None:
        names = sorted(f"{method} {PREFIX}{name}" for method, name in ACTIONS)
        return _json(404, {"error": "There is no such action.", "actions": names})
    if request.method != "GET" and not request.is_json:
        return _json(415, {"error": "Send Content-Type: application/json."})
    try:
        values = request.query if request.method == "GET" else parse_json_object(request.body or b"{}")
        return _json(200, action(engine, values))
    except KeyError as error:
        return _json(400, {"error": f"{error} is missing."})
    except LookupError as error:
        return _json(404, {"error": str(error)})
    except WrongState as error:
        return _json(409, {"error": str(error)})
    except ValueError as error:
        return _json(400, {"error": str(error)})


def _json(status: int, value: Any) -> Reply:
    return Reply(status, json.dumps(value, indent=1, default=str).encode())


def _number(body: dict[str, Any], name: str, kind: Callable[[Any], Number]) -> Number:
    try:
        return kind(body[name])
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} can't be {body[name]!r}.") from None


def _health(engine: Engine, body: dict[str, Any]) -> Any:
    return {"simulator": True, "base_url": engine.base_url, "public_key": engine.public_key, "seed": engine.seed}


def _snapshot(engine: Engine, body: dict[str, Any]) -> Any:
    return engine.snapshot()


def _faults(engine: Engine, body: dict[str, Any]) -> Any:
    return {"faults": [_fault(fault) for fault in engine.faults.all]}


def _fault(fault: Fault) -> dict[str, Any]:
    return {"number": fault.number, "spec": fault.spec}


def _add_fault(engine: Engine, body: dict[str, Any]) -> Any:
    if "spec" in body:
        return _fault(engine.faults.add(str(body["spec"])))
    values = {name: value for name, value in body.items() if name not in ("operation", "kind")}
    return _fault(engine.faults.add(faults.make(str(body["operation"]), str(body["kind"]), values)))


def _remove_faults(engine: Engine, body: dict[str, Any]) -> Any:
    if "number" in body:
        engine.faults.remove(_number(body, "number", int))
    else:
        engine.faults.clear()
    return _faults(engine, body)


def _behaviour(engine: Engine, body: dict[str, Any]) -> Any:
    return engine.behaviour.as_json()


def _change_behaviour(engine: Engine, body: dict[str, Any]) -> Any:
    with engine.lock:
        engine.shared.behaviour = engine.behaviour.changed(body)
        return engine.behaviour.as_json()


def _handle(engine: Engine, body: dict[str, Any]) -> OrderHandle:
    return engine.order(str(body["reference"]), body.get("merchantId"))


def _order(engine: Engine, body: dict[str, Any]) -> Any:
    handle = _handle(engine, body)
    return {"reference": handle.order.reference, "state": handle.state, "reference_no": handle.order.reference_no}


def _copies(body: dict[str, Any]) -> int:
    copies = _number({"copies": 1, **body}, "copies", int)
    if not 1 <= copies <= 100:
        raise ValueError("copies must lie between 1 and 100.")
    return copies


def _pay(engine: Engine, body: dict[str, Any]) -> Any:
    _handle(engine, body).pay(
        str(body.get("method", "")),
        copies=_copies(body),
        even_if_closed=bool(body.get("evenIfClosed", False)),
    )
    return _order(engine, body)


def _start_paying(engine: Engine, body: dict[str, Any]) -> Any:
    _handle(engine, body).start_paying()
    return _order(engine, body)


def _expire(engine: Engine, body: dict[str, Any]) -> Any:
    _handle(engine, body).expire()
    return _order(engine, body)


def _refund(engine: Engine, body: dict[str, Any]) -> Any:
    _handle(engine, body).refund(_amount(body) if "amount" in body else None)
    return _order(engine, body)


def _amount(body: dict[str, Any]) -> Decimal:
    value = body["amount"]
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise ValueError(f'amount must be a text such as "15000.00", not {value!r}.')
    return Decimal(value)


def _refunds(engine: Engine, body: dict[str, Any]) -> Any:
    return {"refunds": [item for item in engine.refunds() if body.get("reference") in (None, item["reference"])]}


def _add_foreign_order(engine: Engine, body: dict[str, Any]) -> Any:
    engine.add_foreign_order(
        str(body["reference"]),
        _amount(body),
        merchant_id=body.get("merchantId"),
        notification_url=str(body.get("notificationUrl", "")),
    )
    return _order(engine, body)


def _notify(engine: Engine, body: dict[str, Any]) -> Any:
    _handle(engine, body).notify(_copies(body))
    return _order(engine, body)


def _resend(engine: Engine, body: dict[str, Any]) -> Any:
    engine.notifications.resend(_number(body, "number", int))
    return _notifications(engine, body)


def _notifications(engine: Engine, body: dict[str, Any]) -> Any:
    return {"notifications": [asdict(item) for item in engine.sent(str(body.get("reference", "")))]}


def _advance(engine: Engine, body: dict[str, Any]) -> Any:
    engine.advance(_number(body, "seconds", float))
    return {"now": engine.clock.now().isoformat()}


def _reset(engine: Engine, body: dict[str, Any]) -> Any:
    engine.reset()
    return {}


ACTIONS: Final[dict[tuple[str, str], Action]] = {
    ("GET", "health"): _health,
    ("GET", "snapshot"): _snapshot,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _remove_faults,
    ("GET", "behaviour"): _behaviour,
    ("POST", "behaviour"): _change_behaviour,
    ("GET", "refunds"): _refunds,
    ("GET", "notifications"): _notifications,
    ("POST", "notifications/resend"): _resend,
    ("POST", "orders/state"): _order,
    ("POST", "orders/pay"): _pay,
    ("POST", "orders/start-paying"): _start_paying,
    ("POST", "orders/expire"): _expire,
    ("POST", "orders/refund"): _refund,
    ("POST", "orders/notify"): _notify,
    ("POST", "orders/foreign"): _add_foreign_order,
    ("POST", "clock/advance"): _advance,
    ("POST", "reset"): _reset,
}
